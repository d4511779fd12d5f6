"""Holds Ume's OSCAL against compliance-trestle: judge.py UME EXPORTS SCRATCH [FILE...]

- Every export (folders ja and en of EXPORTS, and what a demonstration gives) is imported into a trestle project and passes its validators;
  profile and catalogue are resolved into each other there.
- Every export and every FILE goes through `ume oscal roundtrip` in both forms; trestle, PyYAML (YAML 1.1) and
  ruamel (YAML 1.2) read what the original says.
- What trestle refuses Ume's check refuses too, place by place.
- The engine's table of members agrees with trestle's models.
"""

import datetime
import inspect
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import types
import typing

import yaml
from pydantic import BaseModel, RootModel
from ruamel.yaml import YAML
from trestle.cli import Trestle
from trestle.core.profile_resolver import ProfileResolver
from trestle.oscal import assessment_plan, assessment_results, catalog, component, poam, profile, ssp

UME, EXPORTS, SCRATCH = (pathlib.Path(p).resolve() for p in sys.argv[1:4])
FILES = [pathlib.Path(p).resolve() for p in sys.argv[4:]]
MODELS = {
    "catalog": catalog.Catalog,
    "profile": profile.Profile,
    "component-definition": component.ComponentDefinition,
    "system-security-plan": ssp.SystemSecurityPlan,
    "assessment-plan": assessment_plan.AssessmentPlan,
    "assessment-results": assessment_results.AssessmentResults,
    "plan-of-action-and-milestones": poam.PlanOfActionAndMilestones,
}


def ume(*args):
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run([str(UME), "oscal", *map(str, args)], capture_output=True, text=True, env=env)


def trestle(*args):
    sys.argv = ["trestle", *map(str, args)]
    code = Trestle().run()
    assert code == 0, f"trestle {' '.join(map(str, args))}: exit {code}"


def model_of(path):
    (name,) = [n for n in json.loads(path.read_text(encoding="utf-8")) if n in MODELS]
    return MODELS[name]


def demonstration():
    """The exports of a fictional company's data folder, named as the engine's are."""
    data, exports = SCRATCH / "demo", SCRATCH / "exports"
    made = subprocess.run([str(UME), "demo", "--data", str(data), "--days", "25"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    for tongue in ("ja", "en"):
        (exports / tongue).mkdir(parents=True)
        for model in ("catalog", "profile", "component-definition", "ssp", "assessment-plan",
                      "assessment-results", "poam"):
            to = exports / tongue / f"{model}.json"
            done = ume("export", "--data", data, "--model", model, "--lang", tongue, "--to", to)
            assert done.returncode == 0, done.stdout + done.stderr
    return exports


def exports_pass_every_validator(exports, name):
    for tongue in ("ja", "en"):
        project = SCRATCH / f"project-{len(list(SCRATCH.iterdir()))}-{tongue}"
        project.mkdir()
        os.chdir(project)
        trestle("init", "--local")
        files = sorted((exports / tongue).glob("*.json"))
        assert len(files) == len(MODELS), files
        for file in files:
            shutil.copy(file, project)
        for file in files:
            trestle("import", "-f", file, "-o", file.stem)
        trestle("validate", "-a")
        resolved = ProfileResolver.get_resolved_profile_catalog(project, project / "profile.json")
        ids = [control.id for group in resolved.groups for control in group.controls]
        wanted = json.loads((project / "profile.json").read_text())["profile"]["imports"][0]
        assert sorted(ids) == sorted(wanted["include-controls"][0]["with-ids"]), ids
        print(f"{tongue}: {len(files)} exports of the {name} pass, the profile resolves to {len(ids)} controls")


def as_json(value):
    """PyYAML makes dates of plain scalars; nothing of ours may become one."""
    assert not isinstance(value, (datetime.date, bytes)), value
    if isinstance(value, dict):
        return {key: as_json(inner) for key, inner in value.items()}
    return [as_json(inner) for inner in value] if isinstance(value, list) else value


def round_trips_say_the_same():
    files = sorted(EXPORTS.glob("*/*.json")) + FILES
    for number, file in enumerate(files):
        original = json.loads(file.read_text(encoding="utf-8"))
        for form in ("json", "yaml"):
            folder = SCRATCH / f"trip-{number}-{form}"
            folder.mkdir()
            done = ume("roundtrip", file, "--as", form, "--to", folder)
            assert done.returncode == 0, done.stdout + done.stderr
            out = folder / file.with_suffix(f".{form}").name
            text = out.read_text(encoding="utf-8")
            if form == "json":
                assert json.loads(text) == original, out
            else:
                assert as_json(yaml.safe_load(text)) == original, out
                assert as_json(YAML(typ="safe", pure=True).load(text)) == original, out
            model = model_of(file)
            assert model.oscal_read(out) == model.oscal_read(file), out
    print(f"{len(files)} files come back the same in both forms")


def what_trestle_writes_is_read():
    for file in sorted(EXPORTS.glob("ja/*.json")):
        theirs = SCRATCH / f"theirs-{file.stem}.yaml"
        model = model_of(file)
        model.oscal_read(file).oscal_write(theirs)
        folder = SCRATCH / f"theirs-{file.stem}"
        folder.mkdir()
        done = ume("roundtrip", theirs, "--as", "json", "--to", folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert model.oscal_read(folder / theirs.with_suffix(".json").name) == model.oscal_read(theirs)
        found = ume("check", theirs)
        assert found.returncode in (0, 3), found.stdout
    print("YAML that trestle writes is read, and nothing in it is wrong")


def both_refuse():
    sound = (EXPORTS / "ja" / "catalog.json").read_text(encoding="utf-8")
    uuid = json.loads(sound)["catalog"]["uuid"]
    breaks = {
        "uuid of version 7": (uuid, "01933f2a-5cd4-7ad1-bbfd-d888e2f6c724", "/catalog/uuid"),
        "id with a digit first": ('"id": "a.5.7"', '"id": "5.7"', "/catalog/groups/0/controls/0/id"),
        "time without zone": ("09:00:00+09:00", "09:00:00", "/catalog/metadata/last-modified"),
        "unknown member": ('"metadata": {', '"metadata": {"colour": "plum",', "/catalog/metadata/colour"),
        "empty list": ('"groups": [', '"controls": [], "groups": [', "/catalog/controls"),
        "missing title": ('"title": "組織的管理策",', "", "/catalog/groups/0"),
        "white space at the ends": ('"2026.11"', '" 2026.11"', "/catalog/metadata/version"),
    }
    for name, (old, new, pointer) in breaks.items():
        broken = SCRATCH / "broken.json"
        text = sound.replace(old, new, 1)
        assert text != sound, name
        broken.write_text(text, encoding="utf-8")
        found = ume("check", broken)
        assert found.returncode == 1 and f"#{pointer}: " in found.stdout, (name, found.stdout)
        try:
            catalog.Catalog.oscal_read(broken)
        except Exception:  # trestle has no one type for what it refuses
            continue
        raise AssertionError(f"trestle takes a {name}")
    print(f"{len(breaks)} faults are refused by both")


def objects_of(annotation):
    """The objects an annotation may hold, through lists, options and wrappers."""
    if typing.get_origin(annotation) in (list, typing.Union, types.UnionType, typing.Annotated):
        return [found for inner in typing.get_args(annotation) for found in objects_of(inner)]
    if not inspect.isclass(annotation):
        return []
    if issubclass(annotation, RootModel):
        return objects_of(annotation.model_fields["root"].annotation)
    return [annotation] if issubclass(annotation, BaseModel) else []


# Required by OSCAL, optional in what trestle generated from it.
STRICTER = {
    ("party", "uuid"),
    ("party", "type"),
    ("parameter", "id"),
    ("set-parameters", "param-id"),
    ("import", "href"),
}


def table_agrees():
    table, current = {}, None
    text = (EXPORTS.parent.parent / "model" / "oscal-1.2.1.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            current = table.setdefault(line, {})
            continue
        name, kind = line.split()
        current[name.rstrip("!")] = (name.endswith("!"), re.sub(r"[\[\]]", "", kind))
    open_pairs, seen = [(name, [model]) for name, model in MODELS.items()], set()
    while open_pairs:
        name, models = open_pairs.pop()
        if (name, tuple(models)) in seen:
            continue
        seen.add((name, tuple(models)))
        fields = [(f.alias or n, f) for model in models for n, f in model.model_fields.items()]
        assert {n for n, _ in fields} == set(table[name]), (name, {n for n, _ in fields} ^ set(table[name]))
        for member, (required, kind) in table[name].items():
            same = [field for n, field in fields if n == member]
            theirs = len(same) == len(models) and all(field.is_required() for field in same)
            stricter = required and (name, member) in STRICTER
            assert required == theirs or stricter, (name, member, theirs)
            below = [found for field in same for found in objects_of(field.annotation)]
            if kind in table and below:
                open_pairs.append((kind, below))
    print(f"{len(table)} objects agree with trestle's models")


exports_pass_every_validator(EXPORTS, "engine's company")
exports_pass_every_validator(demonstration(), "demonstration")
round_trips_say_the_same()
what_trestle_writes_is_read()
both_refuse()
table_agrees()
