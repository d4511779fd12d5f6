#!/usr/bin/env python3
"""What a TAXII 2.1 server costs, beside opentaxii on SQLite and medallion in memory; CPU time of each server's process.

    pip install opentaxii==0.9.3 medallion==3.0.0
    cargo build --release --manifest-path benches/taxii/Cargo.toml
    benches/taxii/compare.py PROGRAM [OBJECTS]

PROGRAM is `taxii-bench`. The same objects (10,000 unless said otherwise) are posted to ours and to opentaxii in requests
of 500 and read back in pages of 100, following `next`; then 1,000 are posted to ours and to medallion, and the first page
of 100 is read. All go through the same client, one connection after another, and each answer is checked: nothing lost,
nothing doubled. Ends with 1 where one of the bars is missed.
"""

import base64
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
TYPE = "application/taxii+json;version=2.1"
BARS = {"pages": 1 / 100, "ingest": 1 / 20, "first page": 1 / 500}


class Server:
    def __init__(self, port, path, command, env=None, user=None):
        self.port, self.path = port, path
        self.headers = {"Accept": TYPE, "Content-Type": TYPE}
        if user:
            self.headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=self.log, stderr=self.log)
        for _ in range(300):
            try:
                http.client.HTTPConnection("127.0.0.1", port).connect()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        self.stop()
        sys.exit(f"{command[0]} does not answer")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, method, query="", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, self.path + query, body, self.headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status not in (200, 202):
            self.stop()
            self.log.seek(0)
            sys.exit(f"{method} {self.path}{query}: {answer.status} {text[:300]} {self.log.read()[-2000:].decode()}")
        return json.loads(text)

    def post(self, objects, at_once):
        begin = self.cpu()
        for start in range(0, len(objects), at_once):
            self.ask("POST", body=json.dumps({"objects": objects[start:start + at_once]}))
        return self.cpu() - begin

    def read(self, limit):
        begin, ids, after = self.cpu(), [], ""
        while True:
            page = self.ask("GET", f"?limit={limit}{after}")
            ids += [one["id"] for one in page.get("objects", [])]
            if not page.get("more"):
                return ids, self.cpu() - begin
            after = "&next=" + urllib.parse.quote(page["next"])


def objects(count):
    date = "2026-01-01T00:00:00.000Z"
    return [{"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.UUID(int=n | 4 << 76 | 8 << 60)}",
             "created": date, "modified": date, "pattern_type": "stix", "valid_from": date, "name": f"number {n}",
             "indicator_types": ["malicious-activity"], "pattern": f"[domain-name:value = 'n{n}.example']"} for n in range(count)]


def ours(program, folder, port):
    path = f"/taxii2/root/collections/{COLLECTION}/objects/"
    return Server(port, path, [program, "serve", f"{folder}/{port}.db", f"127.0.0.1:{port}"])


def opentaxii(folder, port):
    config = folder / "opentaxii.yml"
    database = "\n".join([f"      db_connection: sqlite:///{folder}/NAME.db", "      create_tables: yes"])
    config.write_text("\n".join([
        "---", f"domain: localhost:{port}", "support_basic_auth: yes", "return_server_error_details: yes", "auth_api:",
        "  class: opentaxii.auth.sqldb.SQLDatabaseAPI", "  parameters:", database.replace("NAME", "auth").replace("      ", "    "),
        "    secret: measured", "taxii1:", "taxii2:", "  public_discovery: yes", "  title: measured",
        "  max_content_length: 104857600", "  allow_custom_properties: yes", "  persistence_api:",
        "    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI", "    parameters:", database, "logging:", "  opentaxii: error",
        "  root: error", ""]))
    env = {"OPENTAXII_CONFIG": str(config)}
    fill = f"""
from opentaxii.middleware import create_app
from opentaxii.server import TAXIIServer
from opentaxii.config import ServerConfig
from opentaxii.persistence.sqldb import taxii2models as models
app = create_app(TAXIIServer(ServerConfig()))
with app.app_context():
    api = app.taxii_server.servers.taxii2.persistence.api
    root = api.add_api_root(title="measured", description=None, default=True, is_public=True)
    one = api.add_collection(api_root_id=root.id, title="measured", description=None, alias="measured", is_public=True, is_public_write=True)
    print(root.id, one.id)
"""
    made = subprocess.run([sys.executable, "-c", fill], env={**os.environ, **env}, capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"opentaxii: {made.stderr[-2000:]}")
    root, collection = made.stdout.split()[-2:]
    # Its answers hold ids that its JSON cannot write: they are written as texts.
    serve = f"import json; json.JSONEncoder.default = lambda _, one: str(one); from opentaxii.http import app; app.run(host='127.0.0.1', port={port}, threaded=False)"
    return Server(port, f"/taxii2/{root}/collections/{collection}/objects/", [sys.executable, "-c", serve], env)


def medallion(folder, port):
    data = folder / "medallion-data.json"
    data.write_text(json.dumps({
        "/discovery": {"title": "measured", "default": "http://localhost/root/", "api_roots": ["http://localhost/root/"]},
        "root": {"information": {"title": "measured", "versions": [TYPE], "max_content_length": 104857600}, "status": [],
                 "collections": [{"id": COLLECTION, "title": "measured", "can_read": True, "can_write": True,
                                  "media_types": ["application/stix+json;version=2.1"], "objects": [], "manifest": []}]}}))
    config = folder / "medallion.json"
    config.write_text(json.dumps({
        "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": str(data)},
        "users": {"peer": "peer"}, "taxii": {"max_page_size": 1000}}))
    program = pathlib.Path(sys.executable).parent / "medallion"
    return Server(port, f"/root/collections/{COLLECTION}/objects/", [str(program), "--port", str(port), str(config)], user="peer:peer")


def judged(what, mine, theirs, name):
    ratio = mine / theirs
    verdict = "held" if ratio <= BARS[what] else "MISSED"
    print(f"{what}: {mine:.3f} s, {name} {theirs:.3f} s, 1/{theirs / mine if mine else 0:.0f} (bar 1/{1 / BARS[what]:.0f}): {verdict}")
    return ratio <= BARS[what]


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    all_objects, fine = objects(count), True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        mine, theirs = ours(program, folder, 19801), opentaxii(folder, 19802)
        spent = [server.post(all_objects, 500) for server in (mine, theirs)]
        fine &= judged("ingest", *spent, "opentaxii")
        spent = []
        for server in (mine, theirs):
            ids, cpu = server.read(100)
            assert sorted(ids) == sorted(one["id"] for one in all_objects), (server.path, len(ids), len(set(ids)))
            spent.append(cpu)
        fine &= judged("pages", *spent, "opentaxii")
        mine.stop(), theirs.stop()

        mine, theirs = ours(program, folder, 19803), medallion(folder, 19804)
        few = all_objects[:1_000]
        for server in (mine, theirs):
            server.post(few, 500)
        # Ours takes less than the clock's step of 10 ms, so it is asked a hundred times.
        begin = mine.cpu()
        for _ in range(100):
            assert len(mine.ask("GET", "?limit=100")["objects"]) == 100
        one = (mine.cpu() - begin) / 100
        begin = theirs.cpu()
        assert len(theirs.ask("GET", "?limit=100")["objects"]) == 100
        fine &= judged("first page", one, theirs.cpu() - begin, "medallion")
        mine.stop(), theirs.stop()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
