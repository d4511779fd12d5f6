#!/usr/bin/env python3
"""GAP analysis against DuckDB that groups the same Parquet: CPU seconds of both, medians.

gap.py UME DATA FROM TO [ROUNDS]

DATA is a data folder whose archive holds the events (fill DATA/stream with the example `spread` of the crate `stream`
before the first `ume serve`). DuckDB counts, for the span and for the same hours of the four weeks before, what the analysis
counts: by host, program, class, user, addresses, ports, outcome and message with its numbers and hexadecimal words taken out.
Needs `pip install duckdb`.
"""
import datetime as dt
import glob
import os
import resource
import statistics
import subprocess
import sys

ume, data, start, end = sys.argv[1:5]
rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 3

PEER = r"""
import duckdb, sys
start, end, files = sys.argv[1], sys.argv[2], sys.argv[3:]
con = duckdb.connect(config={"threads": 1})
con.execute("SET TimeZone='UTC'")
spans = " OR ".join(
    f"(time >= TIMESTAMPTZ '{start}' - INTERVAL {7 * w} DAY AND time < TIMESTAMPTZ '{end}' - INTERVAL {7 * w} DAY)" for w in range(5))
con.execute(f"CREATE TEMP TABLE e AS SELECT time >= TIMESTAMPTZ '{start}' AS now, host, app, class, fields, "
            f"CASE WHEN message_at IS NULL THEN message ELSE decode(raw)[message_at + 1:] END AS message "
            f"FROM read_parquet({files!r}) WHERE {spans}")
total = con.execute("SELECT count(*) FILTER (now), count(*) FROM e").fetchone()
field = lambda name: f"json_extract_string(fields, '$.\"{name}\"')"
keys = ["host", "app", "class::VARCHAR", field("user"), field("src_ip"), field("dst_ip"), field("dst_port"), field("outcome"),
        r"app || ' ' || regexp_replace(message, '\b[0-9a-fA-F]*[0-9][0-9a-fA-F.:]*\b', '*', 'g')"]
groups = 0
for key in keys:
    rows = con.execute(f"SELECT {key} AS k, count(*) FILTER (now) AS n, count(*) FILTER (NOT now) AS b FROM e "
                       f"WHERE k IS NOT NULL GROUP BY k ORDER BY n * 4.0 / (b + 1) DESC LIMIT 200").fetchall()
    groups += len(rows)
print(total, groups)
"""


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        sys.exit(f"{command[:6]}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


when = lambda text: dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
days = {str((when(t) - dt.timedelta(days=7 * w + d)).date()) for w in range(5) for d in (-1, 0, 1) for t in (start, end)}
files = [f for f in glob.glob(os.path.join(data, "stream/archive/*/*/*.parquet")) if f.split(os.sep)[-3] in days]
every = glob.glob(os.path.join(data, "stream/archive/*/*/*.parquet"))
ours, peers, whole = [], [], []
for _ in range(rounds):
    a, said = cpu([ume, "monitoring", "gap", "--data", data, "--from", start, "--to", end, "--format", "json"])
    b, counted = cpu([sys.executable, "-c", PEER, start, end, *files])
    c, _ = cpu([sys.executable, "-c", PEER, start, end, *every])
    ours.append(a), peers.append(b), whole.append(c)
    print(f"ume {a:.2f} s, duckdb {b:.2f} s over {len(files)} files of the days, {c:.2f} s over all {len(every)}; rows (span, all) and groups of duckdb {counted.strip()}")
a, b, c = map(statistics.median, (ours, peers, whole))
print(f"medians: ume {a:.2f} s, duckdb {b:.2f} s and {c:.2f} s: {a / b:.2f} and {a / c:.2f}")

