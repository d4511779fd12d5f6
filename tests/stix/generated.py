#!/usr/bin/env python3
"""Generated STIX objects against stix2-validator, an implementation that is not ours.

    pip install stix2-validator
    tests/stix/generated.py [--cases N] [--seed N] [--jobs N] PROGRAM FOLDER…

PROGRAM is the example `documents` of the engine `indicators`. Objects of the JSON files below the folders are changed at
random from a seed (a property gone, of another type, out of range, ill-formed, renamed, added, doubled from another
object), and every one is judged by both: sound, or broken. Every difference must be of a class in OURS (what the other does
not look at) or THEIRS (what it refuses and the specification does not), else the script ends with 1. Classes that no
case meets are told too, so that an explanation cannot outlive what it explains.
"""

import argparse
import json
import multiprocessing
import pathlib
import random
import re
import subprocess
import sys

# By our rule: what is an error here and nothing to the other.
OURS = {
    "one-of": "exactly one of two properties",
    "any-of": "one of several properties",
    "needs": "a property that needs another",
    "not-both": "properties that exclude each other",
    "range": "limits that the schemas leave out",
    "millis": "milliseconds of created and modified",
    "type": "values of embedded observables and of properties that the schemas leave open",
    "ref-type": "types a reference may lead to",
    "format": "countries, addresses",
    "time-order": "times in their order, of all pairs the specification names",
    "timestamp": "times that no calendar has",
    "tlp": "a TLP definition that is not the published one",
    "multipart": "is_multipart and the body",
    "pattern": "what a pattern's grammar leaves out: qualifiers that stand twice, paths of unknown types",
    "selector": "selectors that lead nowhere",
    "hash-value": "hashes of the wrong length",
    "null": "null is no value",
    "language": "language tags",
    "own-marking": "a marking that marks itself",
    "extension": "extensions of another type",
    "extension-type": "what an extension by a definition says of itself",
    "empty-list": "empty lists of properties that the schemas leave open",
    "empty-map": "empty dictionaries",
    "key": "keys of dictionaries",
    "binary": "base64 with something else in it",
    "hex": "odd numbers of digits",
    "spec-version": "editions there are none of",
    "type-name": "names of types",
    "property-name": "names of properties",
    "enumeration": "words of enumerations that the schemas leave open",
    "bundle": "what a bundle may hold",
    "id-type": "objects of types that nobody knows, whose id is of another type",
    "id": "references that are no identifiers, where the schemas leave them open",
}
# By its words: what the other refuses.
THEIRS = {
    r"does not match the id format": "UUIDs of no version from 1 to 5: here they are warned of",
    r"must use UUIDv4 for its id": "the same of processes",
    r"If the external reference is a CVE": "forms of CVE and CAPEC: here they are warned of",
    r"additional_header_fields\.[^:]*: \[": "a list of one text, which the specification asks for",
    r"is not a valid RFC 5646 language code": "`lang` of observables, which have no such property, and tags that nobody registered",
    r"^marking-definition.*'modified' .* must be later": "marking definitions have no `modified`",
    r"hashes: '.{1,2}' does not match": "names of hashes of one or two characters",
    r"mime_type: |mime_type' property": "forms of media types: here they are texts",
    r"extensions: '[a-z_]+' does not match": "extensions whose name does not end with -ext: nobody here knows them",
    r"is not a valid observable (type|property) name": "capitals in names of patterns, which the grammar takes",
    r"Invalid key .* must be an RFC 5646 code": "tags that are well formed and that nobody registered",
}


def values(rng, old):
    """What may stand in a property's place."""
    other = [None, True, 0, -1, 1.5, 10 ** 12, "", "x", "あ", [], {}, ["x"], [None], {"a": 1}, "2026-13-01T00:00:00Z",
             "2026-01-01T00:00:00Z", "2026-01-01", "indicator--1", "identity--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "ja", "zz-!",
             "192.0.2.1", "[a:b = 1]"]
    if isinstance(old, str):
        other += [old.upper(), old + "x", old[:-1], old.replace("-", "_"), old.replace("Z", "+00:00"), " " + old]
    if isinstance(old, bool):
        other += [not old, str(old).lower()]
    elif isinstance(old, (int, float)):
        other += [-old, old * 1000, str(old)]
    if isinstance(old, list) and old:
        other += [old + old, old[:1], old[0], [old], old + [1]]
    return rng.choice(other)


def changed(rng, objects):
    made = json.loads(json.dumps(rng.choice(objects)))
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
        place = made
        while True:
            inner = [v for v in (place.values() if isinstance(place, dict) else place) if isinstance(v, (dict, list)) and v]
            if not inner or rng.random() < 0.6:
                break
            place = rng.choice(inner)
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        if place is made and key == "type":
            continue
        what = rng.randrange(6)
        if what == 0:
            del place[key]
        elif what == 1 and isinstance(place, dict):
            place[rng.choice(["x_own", "Bad", "confidence", "lang", "revoked", "labels", "defanged", "description"])] = place[key]
        elif what == 2 and isinstance(place, dict):
            other = rng.choice(objects)
            taken = rng.choice(list(other))
            if taken != "type":
                place[taken] = other[taken]
        else:
            place[key] = values(rng, place[key])
    return made


def judged(texts):
    from stix2validator import ValidationOptions, validate_instance

    options = ValidationOptions(version="2.1", disabled="all")
    said = []
    for text in texts:
        try:
            found = validate_instance(json.loads(text), options)
            said.append([str(error) for error in found.errors])
        except Exception as error:  # whatever it raises is its answer
            said.append([f"raised {error!r}"])
    return said


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--cases", type=int, default=2_000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--jobs", type=int, default=1)
    arguments.add_argument("program")
    arguments.add_argument("folders", nargs="+")
    options = arguments.parse_args()
    objects = {}
    for folder in options.folders:
        for file in sorted(pathlib.Path(folder).rglob("*.json")):
            try:
                # Fixtures count their objects in UUIDs of no version, which the other refuses: they are made version 4.
                read = json.loads(re.sub(r"--(\w{8}-\w{4})-0000-0000-(\w{12})", r"--\1-4000-8000-\2", file.read_text()))
            except ValueError:
                continue
            listed = read.get("objects", [read]) if isinstance(read, dict) else []
            for one in listed if isinstance(listed, list) else []:
                # Each form of an object once, so that frequent types are not all there is.
                if isinstance(one, dict) and isinstance(one.get("type"), str) and one["type"] != "bundle" and one.get("spec_version", "2.1") == "2.1":
                    objects.setdefault((one["type"], tuple(sorted(one))), one)
    objects = list(objects.values())
    rng = random.Random(options.seed)
    cases = [json.dumps(changed(rng, objects), ensure_ascii=False) for _ in range(options.cases)]
    run = subprocess.run([options.program], input="".join(c + "\n" for c in cases), capture_output=True, text=True, check=True)
    ours = run.stdout.splitlines()
    assert len(ours) == len(cases), (len(ours), len(cases))
    lots = [cases[at:at + 500] for at in range(0, len(cases), 500)]
    with multiprocessing.Pool(options.jobs) as pool:
        theirs = [one for lot in pool.imap(judged, lots) for one in lot]

    alike = {"sound": 0, "broken": 0}
    classes, wrong = {}, 0
    for text, mine, other in zip(cases, ours, theirs):
        if (mine == "fine") == (not other):
            alike["sound" if mine == "fine" else "broken"] += 1
            continue
        if mine == "fine":
            reasons = {next((p for p in THEIRS if re.search(p, error)), None) for error in other}
            reason = None if None in reasons else "theirs: " + sorted(reasons)[0]
        else:
            reasons = mine.split(",")
            reason = "ours: " + reasons[0] if all(rule in OURS for rule in reasons) else None
        classes[reason] = classes.get(reason, 0) + 1
        if reason is None:
            wrong += 1
            if wrong <= 60:
                print(text, "\n  ours:", mine, "theirs:", [error[:300] for error in other[:3]])
    print(f"{len(cases)} cases of {len(objects)} objects; alike {alike}; apart:")
    for reason, count in sorted(classes.items(), key=lambda pair: -pair[1]):
        print(f"  {count:6} {reason}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
