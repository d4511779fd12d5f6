"""Rules as SQL by pySigma, run by SQLite, against our engine. See run.

SQL knows a third truth value, which Sigma does not: each comparison that is neither true nor false is taken for
false. Log sources play no part on either side. What the backend cannot express is counted and left out.
"""

import json
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile

from sigma.backends.sqlite import sqlite as backend
from sigma.collection import SigmaCollection
from sigma.conditions import ConditionFieldEqualsValueExpression

PROGRAM, CORPORA, PAIRS = sys.argv[1], pathlib.Path(sys.argv[2]) / "sigma", int(sys.argv[3])


class TwoValued(backend.sqliteBackend):
    def convert_condition(self, cond, state):
        text = super().convert_condition(cond, state)
        if isinstance(cond, ConditionFieldEqualsValueExpression) and isinstance(text, str):
            return f"IFNULL(({text}), 0)"
        return text


def events_of_regression():
    """Flat, with the names of Sigma."""
    events = []
    for path in sorted((CORPORA / "regression").rglob("*.json")):
        text, at, decoder = path.read_text(), 0, json.JSONDecoder()
        while text[at:].strip():
            while text[at].isspace():
                at += 1
            event, at = decoder.raw_decode(text, at)
            flat = {}
            for name, value in event["Event"]["System"].items():
                if isinstance(value, dict):
                    for key, inner in value.get("#attributes", {}).items():
                        flat[f"{name}_{key}"] = inner
                    value = value.get("#text")
                if value is not None:
                    flat[name] = value
            data = event["Event"].get("EventData") or {}
            flat.update({k.replace(" ", ""): v for k, v in data.items() if isinstance(v, (str, int))})
            events.append(flat)
    return events


WORDS = ["cmd", "CMD.exe", "powershell", "-enc", "/enc", "a", "b", "ab", "C:\\Windows", "\\", "x y", "10.1.2.3", "192.168.0.9", "fe80::1", "42", "-7", "100%", "_", "'"]


def generated(count, seed):
    """Rules over every modifier that SQL can express, and events that may meet them."""
    pick = random.Random(seed)
    rules, fields = [], ["F", "G", "H"]

    def text():
        return "".join(pick.choice(WORDS + ["*", "?", "\\*", "\\\\"]) for _ in range(pick.randint(1, 3)))

    def item():
        field, kind = pick.choice(fields), pick.randint(0, 13)
        values = [text() for _ in range(pick.randint(1, 3))]
        if kind < 3:
            return {field: values if pick.random() < 0.7 else values[0]}
        if kind < 7:
            modifier = pick.choice(["contains", "startswith", "endswith"])
            all_of = "|all" if len(values) > 1 and pick.random() < 0.4 else ""
            return {f"{field}|{modifier}{all_of}": values}
        if kind == 7:
            return {f"{field}|contains|windash": [f" {pick.choice('-/')}{pick.choice(['enc', 'a'])}"]}
        if kind == 8:
            return {f"N|{pick.choice(['lt', 'lte', 'gt', 'gte'])}": pick.randint(-10, 50)}
        if kind == 9:
            return {f"{field}|re": pick.choice(["a.b", "[0-9]+", "^cmd", "x y|b$", "(ab)+", "C:\\\\W"])}
        if kind == 10:
            return {"IP|cidr": pick.choice(["10.0.0.0/8", "192.168.0.0/16"])}
        if kind == 11:
            return {field: pick.choice([42, -7, "", None])}
        if kind == 12:
            return {f"{field}|cased": pick.choice(["cmd", "CMD.exe", "ab"])}
        return {f"{field}|fieldref": pick.choice(fields)}

    def selection():
        if pick.random() < 0.3:
            return [item() for _ in range(pick.randint(1, 2))]
        merged = {}
        for _ in range(pick.randint(1, 2)):
            merged.update(item())
        return merged

    conditions = ["s0", "s0 and s1", "s0 or s1", "s0 and not s1", "not s0", "1 of s*", "all of them", "not 1 of s*", "s0 and (s1 or not s2)", "s0 or s1 and s2"]
    for number in range(count):
        detection = {f"s{n}": selection() for n in range(3)} | {"condition": pick.choice(conditions)}
        rules.append({"title": f"g{number}", "id": f"00000000-0000-4000-8000-{number:012}", "logsource": {"category": "test"}, "detection": detection})

    def value():
        if pick.random() < 0.15:
            return pick.choice([42, -7, 0, 49])
        # Without space at the ends: ' -7' would become a number in a NUMERIC column.
        return "".join(pick.choice(WORDS + [" ", "*", "?"]) for _ in range(pick.randint(0, 3))).strip()

    # N is always a number, IP an address: to SQLite every text is greater than every number, and pySigma makes
    # of a network a LIKE, which takes 10.1.2.3a for an address.
    events = [{f: value() for f in fields if pick.random() < 0.85} for _ in range(100)]
    for event in events:
        event["N"] = pick.randint(-12, 52)
        event["IP"] = pick.choice(["10.1.2.3", "10.255.0.1", "192.168.0.9", "11.0.0.1", "fe80::1"])
    return rules, events


def ours(files, events):
    lines = "".join(json.dumps(e) + "\n" for e in events)
    done = subprocess.run([PROGRAM, *map(str, files)], input=lines.encode(), capture_output=True, check=True)
    return [set(json.loads(line)) for line in done.stdout.splitlines()], done.stderr.decode().splitlines()


def theirs(texts, events):
    """Of each rule that converts, the events it selects."""
    columns = sorted({name for event in events for name in event})
    selected, left_out, unknown = {}, {}, set()
    base = sqlite3.connect(":memory:")
    base.create_function("REGEXP", 2, lambda p, t: t is not None and re.search(p, str(t)) is not None)
    for text in texts:
        try:
            collection = SigmaCollection.from_yaml(text)
            sql = TwoValued(collect_errors=False).convert(collection)[0]
        except Exception as error:  # the backend has many ways to say no
            left_out[type(error).__name__] = left_out.get(type(error).__name__, 0) + 1
            continue
        selected[str(collection.rules[0].id)] = sql
    # A column for every name any query asks for; NUMERIC, so that 42 and '42' are one as in Sigma.
    create = lambda names: base.execute("CREATE TABLE logs (event_number INTEGER, " + ", ".join(f"`{c}` NUMERIC" for c in names) + ")")
    names = list(columns)
    create(names)

    def fill():
        for n, event in enumerate(events):
            base.execute(f"INSERT INTO logs VALUES ({','.join('?' * (len(names) + 1))})", [n, *(event.get(c) for c in names)])

    fill()
    found = {}
    for rule, sql in selected.items():
        sql = sql.replace("<TABLE_NAME>", "logs").replace("SELECT *", "SELECT event_number", 1)
        while True:
            try:
                found[rule] = {row[0] for row in base.execute(sql)}
                break
            except sqlite3.OperationalError as error:
                missing = re.match(r"no such column: (.+)", str(error))
                if not missing or missing.group(1) in names:
                    left_out[str(error)[:40]] = left_out.get(str(error)[:40], 0) + 1
                    break
                name = missing.group(1)
                base.execute(f"ALTER TABLE logs ADD COLUMN `{name}` NUMERIC")
                names.append(name)
    return found, left_out


def compare(what, files, texts, events):
    here, refused = ours(files, events)
    there, left_out = theirs(texts, events)
    refused = {line.split(":")[0] for line in refused}
    differences = []
    for rule, selected in there.items():
        for n in range(len(events)):
            if (rule in here[n]) != (n in selected):
                differences.append((rule, n, "here" if rule in here[n] else "there"))
    hits = sum(len(s) for s in there.values())
    print(f"{what}: {len(there)} rules, {len(events)} events, {len(there) * len(events)} pairs, {hits} met; left out {left_out}; refused here {len(refused)}")
    return differences


def main():
    failed = 0
    files = sorted((CORPORA / "rules").rglob("*.yml"))
    events = events_of_regression()
    differences = compare("corpus", files, [f.read_text() for f in files], events)
    for rule, n, where in differences[:40]:
        print("only", where, rule, json.dumps(events[n]))
    failed += len(differences)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(max(1, PAIRS // 50_000)):
            rules, events = generated(500, seed)
            file = pathlib.Path(folder) / "generated.yml"
            file.write_text("\n---\n".join(json.dumps(r) for r in rules))
            differences = compare(f"generated {seed}", [file], [json.dumps(r) for r in rules], events)
            by_id = {r["id"]: r for r in rules}
            for rule, n, where in differences[:40]:
                print("only", where, json.dumps(by_id[rule]["detection"]), json.dumps(events[n]))
            failed += len(differences)
    print(f"{failed} differences")
    sys.exit(1 if failed else 0)


main()
