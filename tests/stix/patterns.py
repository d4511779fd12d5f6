#!/usr/bin/env python3
"""Patterns against stix2-matcher, an implementation that is not ours.

    pip install stix2-matcher
    tests/stix/patterns.py [--cases N] [--seed N] [--bench] PROGRAM

PROGRAM is the example `patterns` of the engine `indicators`. Cases are drawn at random from a seed. Every
difference must be one of these, else the script ends with 1:

- `one moment`: START/STOP together with WITHIN, FOLLOWEDBY or another START/STOP. The other takes each qualifier
  by itself; a moment that meets all of them at once may not exist.
- `reference`: a path that ends at a reference. The other follows it and then compares an object; here it is the id.
- `uncomparable`: NOT before an order between bytes and a text beyond them, which has none.
- `set`: IN with bytes or with truth values. The other asks a Python set, in which no text equals bytes and true
  equals 1; here IN is what `=` says of one of the values.
- `undecided`: a budget that is spent is said here; the other goes on. At most one case in 10,000.
- `line feed`: LIKE over a text with a line feed, which `%` and `_` take here.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import time

BYTES_IN_TEXTS = re.compile(r"raw_(hex|bin) (NOT )?IN \('")
VALUES = ["a", "b", "ab", "A", "é", "e\u0301", "あ", "a\nb", ""]


def literal(rng):
    kind = rng.randrange(7)
    if kind == 0:
        return str(rng.choice([0, 1, 2, -1]))
    if kind == 1:
        return rng.choice(["1.0", "1.5", "-0.5", "2.0"])
    if kind == 2:
        return rng.choice(["true", "false"])
    if kind == 3:
        return rng.choice(["h'61'", "h'6162'", "h'ff'", "b'YQ=='", "h''"])
    if kind == 4:
        return rng.choice(["t'2020-01-01T00:00:00Z'", "t'2020-01-01T00:00:00.5Z'"])
    return "'" + rng.choice(VALUES) + "'"


def objects(rng, at):
    made = []
    for n in range(rng.randint(1, 2)):
        made.append({
            "type": rng.choice(["x-one", "x-one", "x-two"]),
            "id": f"x-one--{at}{n}",
            "i": rng.choice([0, 1, 2, 1.0, 1.5]),
            "s": rng.choice(VALUES),
            "b": rng.choice([True, False]),
            "t": rng.choice(["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.500Z"]),
            "raw_hex": rng.choice(["61", "6162", "ff", ""]),
            "raw_bin": rng.choice(["YQ==", "YWI=", "/w=="]),
            "l": rng.sample([1, 2, "a", "b"], rng.randint(0, 3)),
            "m": {"k-1": rng.choice([1, "a"])},
            "ip": rng.choice(["198.51.100.7", "198.51.100.0/24", "203.0.113.1"]),
            "far_ref": f"x-one--{at}{rng.randrange(3)}",
            "far_refs": [f"x-one--{at}{rng.randrange(3)}"],
        })
        for key in ["i", "s", "far_ref", "l"]:
            if rng.random() < 0.2:
                del made[-1][key]
    return made


PATHS = ["i", "s", "b", "t", "raw_hex", "raw_bin", "l[*]", "l[0]", "l", "m.'k-1'", "far_ref.i", "far_ref.s", "far_refs[*].s",
         "far_ref.far_ref.i", "far_ref"]


def test(rng):
    kind = rng.choice(["x-one", "x-one", "x-two"])
    path = rng.choice(PATHS)
    negated = rng.choice(["", "", "NOT "])
    choice = rng.randrange(9)
    # Timestamps compare with times only there; the other fails on texts that are none.
    if choice == 0:
        operator = "LIKE '" + rng.choice(["a%", "%b", "_", "a_b", "é", "%"]) + "'"
        path = "s" if path == "raw_hex" or path == "raw_bin" else path
    elif choice == 1:
        operator = "MATCHES '" + rng.choice(["^a", "b$", "[ab]+", ".", "é"]) + "'"
        path = "s" if path in ("raw_hex", "raw_bin") else path
    elif choice == 2:
        operator = "IN (" + rng.choice(["1, 2", "'a', 'b'", "1.0, 2", "h'61', h'ff'"]) + ")"
    elif choice == 3:
        path, operator = "ip", rng.choice(["ISSUBSET", "ISSUPERSET"]) + " '198.51.100.0/" + rng.choice(["16", "24", "32"]) + "'"
        if operator.startswith("ISSUPERSET"):
            path = "net"
    else:
        value = literal(rng)
        operators = ["=", "!=", "<", ">", "<=", ">="]
        if value in ("true", "false"):
            operators = ["=", "!="]
        if value.startswith("t'"):
            path = rng.choice(["t", "i", "b"])
        if path in ("raw_hex", "raw_bin") and value.startswith("'"):
            value = "h'61'"
        operator = rng.choice(operators) + " " + value
    return f"{kind}:{path} {negated}{operator}"


def comparison(rng, depth):
    if depth == 0 or rng.random() < 0.5:
        return test(rng)
    left, right = comparison(rng, depth - 1), comparison(rng, depth - 1)
    return f"({left} {rng.choice(['AND', 'OR'])} {right})"


def expression(rng, depth, simple):
    if depth == 0 or rng.random() < 0.3:
        inner = f"x-one:i {rng.choice(['>=', '=', '<='])} {rng.randrange(3)}" if simple else comparison(rng, 2)
        made = f"[{inner}]"
    else:
        join = rng.choice(["AND", "OR", "FOLLOWEDBY"])
        made = f"({expression(rng, depth - 1, simple)} {join} {expression(rng, depth - 1, simple)})"
    for qualifier in rng.sample(["REPEATS", "WITHIN", "START"], rng.choice([0, 0, 1, 1, 2])):
        if qualifier == "REPEATS":
            made += f" REPEATS {rng.randint(1, 3)} TIMES"
        elif qualifier == "WITHIN":
            made += f" WITHIN {rng.choice(['1', '2', '5', '0.5'])} SECONDS"
        else:
            start = rng.randrange(8)
            made += f" START t'2020-01-01T00:00:0{start}Z' STOP t'2020-01-01T00:00:0{start + rng.randint(1, 2)}Z'"
    return made


def case(rng):
    single = rng.random() < 0.4
    bundle = []
    for at in range(1 if single else rng.randint(1, 5)):
        seen = objects(rng, at)
        for made in seen:
            made["net"] = "198.51.0.0/16"
        first = rng.randrange(8)
        last = first + rng.choice([0, 0, 1, 2])
        bundle.append({
            "type": "observed-data", "id": f"observed-data--{at}", "number_observed": rng.choice([1, 1, 2, 3]),
            "first_observed": f"2020-01-01T00:00:{first:02}Z", "last_observed": f"2020-01-01T00:00:{last:02}Z",
            "object_refs": [made["id"] for made in seen],
        })
        bundle += seen
    pattern = f"[{comparison(rng, 3)}]" if single else expression(rng, 2, rng.random() < 0.7)
    return {"pattern": pattern, "objects": bundle}


def explained(case, ours, theirs):
    pattern = case["pattern"]
    spans = pattern.count("START")
    if spans and (spans > 1 or "WITHIN" in pattern or "FOLLOWEDBY" in pattern) and ours == "false" and theirs == "true":
        return "one moment"
    if "far_ref " in pattern:
        return "reference"
    if ours == "undecided":
        return "undecided"
    if BYTES_IN_TEXTS.search(pattern) or "IN (h" in pattern or "b IN (1" in pattern or "b NOT IN (1" in pattern:
        return "set"
    if " NOT " in pattern and ("h'" in pattern or "b'" in pattern) and any(op in pattern for op in ("<", ">")):
        return "uncomparable"
    if "LIKE" in pattern and any("\n" in o.get("s", "") for o in case["objects"]):
        return "line feed"
    return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cases", type=int, default=3000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--bench", action="store_true")
    arguments.add_argument("program")
    options = arguments.parse_args()
    from stix2matcher.matcher import Pattern

    rng = random.Random(options.seed)
    cases = [case(rng) for _ in range(options.cases)]
    lines = "".join(json.dumps(c) + "\n" for c in cases)
    if options.bench:
        bench(cases, lines, options.program, Pattern)
        return
    run = subprocess.run([options.program, "judge"], input=lines, capture_output=True, text=True, check=True)
    ours = run.stdout.splitlines()
    assert len(ours) == len(cases), (len(ours), len(cases))
    reasons, wrong, true = {}, 0, 0
    for case_, mine in zip(cases, ours):
        try:
            other = "true" if Pattern(case_["pattern"], stix_version="2.1").match(
                [{"type": "bundle", "objects": json.loads(json.dumps(case_["objects"]))}]) else "false"
        except Exception as error:  # whatever it raises is its answer
            other = f"error {error!r}"
        true += mine == "true"
        if mine == other:
            continue
        reason = explained(case_, mine, other)
        reasons[reason] = reasons.get(reason, 0) + 1
        if reason is None:
            wrong += 1
            if wrong <= 5:
                print(json.dumps(case_, ensure_ascii=False), "ours:", mine, "theirs:", other[:300])
    print(f"{len(cases)} cases, {true} match, differences: {reasons}")
    sys.exit(1 if wrong or reasons.get("undecided", 0) > max(1, len(cases) // 10_000) else 0)


def bench(cases, lines, program, pattern):
    ready = [(pattern(c["pattern"], stix_version="2.1"), [{"type": "bundle", "objects": c["objects"]}]) for c in cases[:300]]
    begin, done = time.process_time(), 0
    while time.process_time() - begin < 2:
        for compiled, bundle in ready:
            try:
                compiled.match(bundle)
            except Exception:
                pass
            done += 1
    print(f"stix2-matcher: {done / (time.process_time() - begin):.0f} evaluations a second")
    few = "".join(line + "\n" for line in lines.splitlines()[:300])
    print(subprocess.run([program, "bench"], input=few, capture_output=True, text=True, check=True).stdout.strip())


if __name__ == "__main__":
    main()
