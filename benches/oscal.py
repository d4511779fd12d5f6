#!/usr/bin/env python3
"""OSCAL read and written, against compliance-trestle: benches/oscal.py PYTHON FOLDER [ROUNDS]

PYTHON is an interpreter that has compliance-trestle (tests/oscal/run makes target/trestle-5.2.0/bin/python),
FOLDER holds OSCAL files in JSON. CPU milliseconds for all files once, medians of five:

- JSON: bytes to document to text in memory, many times in one process. Of trestle only the rounds count, not
  its imports; ours is counted with the start of its process. trestle works with orjson and pydantic here.
- YAML: the same files turned into YAML first; trestle through oscal_read and oscal_write.
- process: a process that does it once, start and imports included, which is what a command costs.

Builds the engine alone in release mode.
"""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
THEIRS = """
import json, pathlib, sys, time
import orjson
from trestle.oscal import assessment_plan, assessment_results, catalog, component, poam, profile, ssp
models = {"catalog": catalog.Catalog, "profile": profile.Profile,
    "component-definition": component.ComponentDefinition, "system-security-plan": ssp.SystemSecurityPlan,
    "assessment-plan": assessment_plan.AssessmentPlan, "assessment-results": assessment_results.AssessmentResults,
    "plan-of-action-and-milestones": poam.PlanOfActionAndMilestones}
rounds, kinds, files = int(sys.argv[1]), sys.argv[2].split(","), [pathlib.Path(p) for p in sys.argv[3:]]
work = [(kind, models[kind], path, path.read_bytes()) for kind, path in zip(kinds, files)]
def once():
    for kind, model, path, data in work:
        if path.suffix == ".json":
            model.model_validate(orjson.loads(data)[kind]).oscal_serialize_json_bytes(pretty=True)
        else:
            model.oscal_read(path).oscal_write(path.with_name("out-" + path.name))
if rounds > 1:
    once()
start = time.process_time()
for _ in range(rounds):
    once()
print(time.process_time() - start)
"""


def cpu_of(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(program, rounds, files):
    return cpu_of([program, str(rounds), *files]) / rounds


def theirs(python, rounds, kinds, files):
    done = subprocess.run(
        [python, "-c", THEIRS, str(rounds), ",".join(kinds), *files], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1]) / rounds


def main():
    python, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    environment = {k: v for k, v in os.environ.items() if k != "RUSTC_WORKSPACE_WRAPPER"}
    build = ["cargo", "build", "-q", "--release", "-p", "oscal", "--example", "roundtrip"]
    subprocess.run(build, check=True, cwd=ROOT, env=environment)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = str(target / "release/examples/roundtrip")
    with tempfile.TemporaryDirectory() as scratch:
        sets = {"JSON": [], "YAML": []}
        kinds = []
        for file in sorted(folder.glob("*.json")):
            original = json.loads(file.read_text(encoding="utf-8"))
            kinds.append(next(iter(original)))
            copy = pathlib.Path(scratch, file.name)
            copy.write_bytes(file.read_bytes())
            sets["JSON"].append(str(copy))
            turned = copy.with_suffix(".yaml")
            convert = "import sys, json; from ruamel.yaml import YAML; y = YAML(typ='safe'); " \
                "y.dump(json.load(open(sys.argv[1])), open(sys.argv[2], 'w'))"
            subprocess.run([python, "-c", convert, str(copy), str(turned)], check=True)
            sets["YAML"].append(str(turned))
        for name, files in sets.items():
            size = sum(os.path.getsize(f) for f in files)
            count = rounds if name == "JSON" else max(rounds // 20, 1)
            mine = [ours(program, 50 * rounds, files) for _ in range(5)]
            other = [theirs(python, count, kinds, files) for _ in range(5)]
            show(f"{name}, {len(files)} files of {size} bytes", mine, other)
        files = sets["JSON"]
        whole = [python, "-c", THEIRS, "1", ",".join(kinds), *files]
        show("process", [ours(program, 1, files) for _ in range(5)], [cpu_of(whole) for _ in range(5)])


def show(what, mine, other):
    mine, other = statistics.median(mine), statistics.median(other)
    print(f"{what}: oscal {mine * 1e3:.2f} ms, trestle {other * 1e3:.1f} ms, {other / mine:.0f} times")


main()
