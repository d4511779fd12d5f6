#!/usr/bin/env python3
"""Documents against programs that are not ours: stix2-validator and pymisp.

    pip install stix2-validator pymisp
    tests/stix/documents.py UME [FOLDER…]

UME is the program. STIX files of the folders are judged by both: a file is sound for both or for neither, except for
the reasons named in EXPLAINED. Then an event of ours is read by pymisp, which must find nothing wrong and make the same
manifest and hashes of it.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

# What the other does not look at, or looks at otherwise, by our rule.
EXPLAINED = {
    "one-of": "exactly one of two properties",
    "any-of": "one of several properties",
    "needs": "a property that needs another",
    "tlp": "a TLP definition that is not the published one",
    "pattern": "qualifiers that stand twice",
    "range": "limits the schemas leave out",
    "millis": "milliseconds of created and modified",
    "type": "values of embedded observables",
    "ref-type": "types a reference may lead to",
    "format": "countries, addresses",
    "not-both": "properties that exclude each other",
    "multipart": "is_multipart and the body",
    "external": "forms of CVE and CAPEC",
}


def judged(ume, file):
    run = subprocess.run([ume, "indicators", "validate", "--format", "ndjson", str(file)], capture_output=True, text=True)
    if run.returncode not in (0, 1, 3):
        sys.exit(f"{ume} ends with {run.returncode}: {run.stderr}")
    found = [json.loads(line) for line in run.stdout.splitlines()]
    return run.returncode, [f for f in found if f["severity"] == "error"]


def main():
    ume, folders = sys.argv[1], sys.argv[2:]
    from stix2validator import ValidationOptions, validate_file

    options = ValidationOptions(version="2.1", disabled="all")
    both = apart = wrong = 0
    for folder in folders:
        for file in sorted(pathlib.Path(folder).rglob("*.json")):
            try:
                theirs = validate_file(str(file), options)
                their_errors = [str(e) for result in theirs.object_results for e in result.errors]
                their_errors += [str(theirs.fatal)] if getattr(theirs, "fatal", None) else []
            except Exception as error:  # whatever it raises is its answer
                their_errors = [repr(error)]
            code, ours = judged(ume, file)
            if bool(ours) == bool(their_errors):
                both += 1
                continue
            apart += 1
            # The other refuses UUIDs that are of no version from 1 to 5; ours are warned of.
            if not ours and all("does not match the id format" in error for error in their_errors):
                continue
            if ours and all(f["rule"] in EXPLAINED for f in ours):
                continue
            wrong += 1
            print(file, "ours:", [(f["pointer"], f["rule"]) for f in ours][:3], "theirs:", their_errors[:2])
    print(f"{both} alike, {apart} apart, {wrong} of them unexplained")
    sys.exit(1 if wrong or not misp(ume) else 0)


def misp(ume):
    from pymisp import MISPEvent

    bundle = {"type": "bundle", "id": "bundle--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "objects": [
        {"type": "indicator", "spec_version": "2.1", "id": f"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd{n:02x}",
         "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
         "valid_from": "2026-01-01T00:00:00Z", "pattern": pattern}
        for n, pattern in enumerate(["[ipv4-addr:value = '192.0.2.1']", "[domain-name:value = 'a.example']",
                                     "[file:hashes.MD5 = '79054025255fb1a26e4bc422aef54eb4']", "[url:value = 'https://a.example/é']"])]}
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "bundle.json"
        source.write_text(json.dumps(bundle))
        made = subprocess.run([ume, "indicators", "convert", str(source), "--to", "misp", "--at", "2026-02-01T00:00:00Z"],
                              capture_output=True, text=True, check=True).stdout
    event = MISPEvent()
    event.load(json.loads(made))
    values = sorted(a.value for a in event.attributes)
    expected = sorted(["192.0.2.1", "a.example", "79054025255fb1a26e4bc422aef54eb4", "https://a.example/é"])
    again = MISPEvent()
    again.load(json.loads(event.to_json()))
    fine = values == expected and all(a.to_ids for a in event.attributes) and [t.name for t in event.tags] == ["tlp:red"]
    fine = fine and sorted(a.uuid for a in again.attributes) == sorted(a["uuid"] for a in json.loads(made)["Event"]["Attribute"])
    print("pymisp reads our event" if fine else f"pymisp reads otherwise: {values} {event.tags}")
    return fine


if __name__ == "__main__":
    main()
