"""Holds the answer of `ume import --format json` against what was meant: judge.py ANSWER TARGET=N… !CELL…

`again` instead: nothing was added, changed or refused."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    done = json.load(file)
tables = [table for table in done["tables"] if table["as"]]
expected = sys.argv[2:]
wrong = []
if expected == ["again"]:
    wrong = [t["place"] for t in tables if t["added"] + t["changed"] + t["refused"]]
    wrong += [] if tables and done["saved"] else ["not saved"]
else:
    wanted = [e for e in expected if not e.startswith("!")]
    cells = sorted(e[1:] for e in expected if e.startswith("!"))
    found = [f"{t['as']}={0 if t['refused'] else t['added']}" for t in tables]
    refused = sorted(c["cell"] for t in tables for c in t["cells"] if c["refused"])
    if found != wanted:
        wrong.append(f"found {found}, meant {wanted}")
    if refused != cells:
        wrong.append(f"refused {refused}, meant {cells}")
if wrong:
    print(wrong, json.dumps(done, ensure_ascii=False, indent=1)[:4000])
sys.exit(bool(wrong))
