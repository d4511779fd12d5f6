#!/usr/bin/env python3
"""Prints the run time of the tests of each crate from nextest's JUnit file, longest first.

An alarm line says where a room (controls/*) takes longer than 2.5 minutes, or the whole longer than 60. Usage:
times.py JUNIT SECONDS, where SECONDS is how long the whole of ./test took.
"""
import collections
import pathlib
import sys
import xml.etree.ElementTree as tree

ROOM_SECONDS_MAX = 150
WHOLE_SECONDS_MAX = 3_600


def times(junit):
    """Seconds and number of tests by crate; a suite is CRATE or CRATE::BINARY."""
    found = collections.defaultdict(lambda: [0.0, 0])
    for suite in tree.parse(junit).getroot().iter("testsuite"):
        crate = suite.get("name", "").split("::")[0]
        for case in suite.iter("testcase"):
            found[crate][0] += float(case.get("time", 0))
            found[crate][1] += 1
    return found


def main():
    junit, whole = sys.argv[1], int(sys.argv[2])
    rooms = {path.name for path in (pathlib.Path(__file__).parent.parent / "controls").iterdir()}
    for crate, (seconds, tests) in sorted(times(junit).items(), key=lambda pair: -pair[1][0]):
        print(f"{crate:<24} {tests:>5} tests {seconds:>8.1f} s")
        if crate in rooms and seconds > ROOM_SECONDS_MAX:
            print(f"ALARM: {crate} takes more than {ROOM_SECONDS_MAX} s")
    print(f"{'in all':<24} {whole // 60:>5} min {whole % 60} s")
    if whole > WHOLE_SECONDS_MAX:
        print(f"ALARM: the whole takes more than {WHOLE_SECONDS_MAX // 60} min")


main()
