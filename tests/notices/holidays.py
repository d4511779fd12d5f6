"""The shipped table of holidays is what jpholiday says, day by day."""

import datetime
import sys
import tomllib

try:
    import jpholiday
except ImportError:
    sys.exit(0)

with open(sys.argv[1], "rb") as file:
    days = tomllib.load(file)["days"]
ours = {datetime.date.fromisoformat(day) for day in days}
years = range(min(ours).year, max(ours).year + 1)
theirs = {day for year in years for day, _ in jpholiday.year_holidays(year)}
theirs = {day.date() if isinstance(day, datetime.datetime) else day for day in theirs}
if ours != theirs:
    sys.exit(f"only ours: {sorted(ours - theirs)}\nonly theirs: {sorted(theirs - ours)}")
print(f"{len(ours)} holidays of {years.start} to {years.stop - 1} agree with jpholiday")
