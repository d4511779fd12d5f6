"""Ume takes everything, once, from servers of other makers: peers.py UME MEDALLION_PYTHON OPENTAXII_PYTHON"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

UME, MEDALLION, OPENTAXII = sys.argv[1:4]
COUNT = 57
COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
here = pathlib.Path(__file__).parent


def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(number, process):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                return
        time.sleep(0.1)
    sys.exit("the server does not answer")


def ume(*arguments, codes=(0,)):
    done = subprocess.run([UME, *arguments], capture_output=True, text=True, env={**os.environ, "LANG": "C"})
    if done.returncode not in codes:
        sys.exit(f"ume {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def indicator(number, name):
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--8e2e2d2b-17d4-4cbf-938f-{number:012}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "pattern": f"[domain-name:value = '{name}{number}.example.com']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
    }


def medallion_data():
    objects = [indicator(number, "med") for number in range(COUNT)]
    manifest = [
        {
            "id": one["id"],
            # Three at a time are added at once.
            "date_added": f"2026-01-01T00:{number // 3:02}:00.000001Z",
            "version": one["modified"],
            "media_type": "application/stix+json;version=2.1",
        }
        for number, one in enumerate(objects)
    ]
    collection = {
        "id": COLLECTION,
        "title": "Indicators",
        "can_read": True,
        "can_write": False,
        "media_types": ["application/stix+json;version=2.1"],
        "objects": objects,
        "manifest": manifest,
    }
    return {
        "/discovery": {"title": "medallion", "default": "/api1/", "api_roots": ["/api1/"]},
        "api1": {
            "information": {"title": "api1", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625},
            "status": [],
            "collections": [collection],
        },
    }


def source(data, name, url, *more):
    fields = ["active:=true", "format=taxii", f"url={url}", "interval_min:=60", "rows_use=alert", "use_reason=test", *more]
    made = ume("asset", "add", "--data", data, "--kind", "intel_source", "--name", name, *sum((["--set", field] for field in fields), []), "--format", "json")
    return json.loads(made)["id"]


def fetch(data, source_id, codes=(0,)):
    return json.loads(ume("ti", "source", "fetch", source_id, "--data", data, "--format", "json", codes=codes))


def check(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, not {wanted!r}")
    print(f"{what}: {found}")


with tempfile.TemporaryDirectory() as folder:
    data, password = os.path.join(folder, "ume"), os.path.join(folder, "password")
    pathlib.Path(password).write_text("a password of no account\n")
    ume("setup", "--data", data, "--admin", "admin", "--password-file", password)
    servers = []
    try:
        number = port()
        file = os.path.join(folder, "medallion.json")
        pathlib.Path(file).write_text(json.dumps(medallion_data()))
        log = open(os.path.join(folder, "servers.log"), "w")
        servers.append(subprocess.Popen([MEDALLION, here / "medallion_server.py", str(number), file], stdout=log, stderr=log))
        wait_for(number, servers[-1])
        one = source(data, "medallion", f"http://127.0.0.1:{number}/taxii2/")
        refused = fetch(data, one, codes=(1,))
        check("medallion without credentials", "401" in refused["trouble"]["en"], True)
        secret = os.path.join(folder, "secret")
        pathlib.Path(secret).write_text("a pass:word\n")
        ume("ti", "source", "key", one, "--data", data, "--user", "guest", "--password-file", secret, "--format", "json", codes=(0, 1))
        taken = fetch(data, one)
        check("medallion, rows", taken["rows"], COUNT)
        again = fetch(data, one)
        check("medallion, nothing twice", (again["rows"], again["arrived_at"]), (COUNT, taken["arrived_at"]))

        number = port()
        place = os.path.join(folder, "open")
        os.mkdir(place)
        servers.append(subprocess.Popen([OPENTAXII, here / "opentaxii_server.py", str(number), place, "1010"], stdout=log, stderr=log))
        wait_for(number, servers[-1])
        two = source(data, "opentaxii", f"http://127.0.0.1:{number}/taxii2/")
        taken = fetch(data, two)
        check("opentaxii, rows over its own broken pages", taken["rows"], 1010)
        again = fetch(data, two)
        check("opentaxii, nothing twice", again["rows"], 1010)
    except SystemExit:
        print(pathlib.Path(folder, "servers.log").read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        for server in servers:
            server.kill()
