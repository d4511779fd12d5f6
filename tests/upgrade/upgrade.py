"""Upgrades a root of signed packages, with and without tamperings, and judges what Ume tells of it."""

import json
import random
import re
import shutil
import subprocess
import sys

import archive
import tamper
from archive import run


def judged(ume, work, old, new, keyring="archive"):
    done = subprocess.run(
        [ume, "baseline", "diff", old, new, "--archive", f"{work}/archive", "--keyring", f"{work}/{keyring}.gpg",
         "--key", f"{work}/key", "--format", "json"], capture_output=True, text=True)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(done.stderr)
    answer = json.loads(done.stdout)
    named = lambda one: f"{one['delta']['class']}/{one['delta']['name']}"
    told = {named(one): one["verdict"] for one in answer["drift"]}
    return told, answer["hash_check"], done.stderr


def gather(ume, work, root, name):
    path = f"{work}/{name}.json"
    with open(path, "w") as out:
        done = subprocess.run([ume, "baseline", "gather", "--root", root, "--key", f"{work}/key", "--format", "json"],
                              stdout=out, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    return path


def alerts(told):
    return {key: verdict for key, verdict in told.items() if verdict["class"] != "package_managed"}


def main(ume, work, packages, tamperings, seed):
    faults = []
    names = [f"pkg{number:02}" for number in range(1, packages + 1)]
    files = archive.build(work, names)
    root = f"{work}/root"
    archive.root(root)
    archive.install(root, files["1"])
    old = gather(ume, work, root, "old")
    told, check, problems = judged(ume, work, old, old)
    print(f"installed: {check['files']} files, {check['matched']} matched, "
          f"{check['manifests_unverified']} packages unverified, {len(alerts(told))} told")
    if alerts(told) or check["files"] != check["matched"] or check["manifests_unverified"]:
        faults.append(f"an untouched root is told of: {alerts(told)} {check} {problems}")

    archive.install(root, files["2"])
    clean = gather(ume, work, root, "clean")
    told, check, _ = judged(ume, work, old, clean)
    print(f"upgraded {packages} packages: {len(told)} differences, {len(alerts(told))} alerts")
    if alerts(told) or len(told) < 3 * packages:
        faults.append(f"the upgrade alone is told of: {alerts(told)}")
    told, check, problems = judged(ume, work, old, clean, keyring="other")
    if check["matched"] or len(alerts(told)) != len(told) or "key_unknown" not in problems:
        faults.append("an archive was believed without its key")

    done = tamper.all(root, names, random.Random(seed), tamperings)
    new = gather(ume, work, root, "new")
    told, check, _ = judged(ume, work, old, new)
    found = alerts(told)
    caught = [one for one in done if any(re.fullmatch(one.tells, key) for key in found)]
    others = [key for key in found if not any(re.fullmatch(one.covers, key) for one in done)]
    print(f"tampered {len(done)} times meanwhile: {len(caught)} caught, {len(others)} alerts of the upgrade")
    for one in done:
        if one not in caught:
            faults.append(f"not told: {one.what} {one.tells}")
    faults += [f"told of the upgrade: {key} {found[key]}" for key in others]

    # Who first looks at a host after it was tampered with has nothing to compare it with.
    told, check, _ = judged(ume, work, new, new)
    shipped = [one for one in done if one.shipped]
    caught = [one for one in shipped if any(re.fullmatch(one.tells, key) for key in told)]
    print(f"at first sight: {len(caught)} of {len(shipped)} tamperings of packaged files caught, {len(told)} told")
    faults += [f"not told at first sight: {one.what} {one.tells}" for one in shipped if one not in caught]
    if check["matched"] >= check["files"] and shipped:
        faults.append("all files of a tampered root are said to match")
    shutil.rmtree(root)
    for fault in faults:
        print(f"FAULT {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    ume, work, packages, tamperings, seed = sys.argv[1:]
    sys.exit(main(ume, work, int(packages), int(tamperings), int(seed)))
