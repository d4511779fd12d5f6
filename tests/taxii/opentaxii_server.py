"""opentaxii with a public collection: opentaxii_server.py PORT FOLDER COUNT

Every tenth object is added at a whole second, whose `next` the server then does not understand itself.
"""

import datetime
import json
import os
import sys

import yaml

# 0.9.3 answers with ids that are UUIDs, which json does not write.
json.JSONEncoder.default = lambda self, value: str(value)

port, folder, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
config = {
    "domain": f"127.0.0.1:{port}",
    "support_basic_auth": True,
    "auth_api": {
        "class": "opentaxii.auth.sqldb.SQLDatabaseAPI",
        "parameters": {
            "db_connection": f"sqlite:///{folder}/auth.db",
            "create_tables": True,
            "secret": "test",
        },
    },
    "taxii1": None,
    "taxii2": {
        "persistence_api": {
            "class": "opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI",
            "parameters": {"db_connection": f"sqlite:///{folder}/data.db", "create_tables": True},
        },
        "max_content_length": 2048,
        "title": "opentaxii",
        "public_discovery": True,
    },
    "logging": {"opentaxii": "error", "root": "error"},
}
path = os.path.join(folder, "opentaxii.yml")
with open(path, "w") as file:
    yaml.safe_dump(config, file)
os.environ["OPENTAXII_CONFIG"] = path

from opentaxii.cli import app  # noqa: E402
from opentaxii.persistence.sqldb import taxii2models  # noqa: E402

api = app.taxii_server.servers.taxii2.persistence.api
with app.app_context():
    root = api.add_api_root("root", default=True, is_public=True)
    collection = api.add_collection(root.id, "indicators", is_public=True)
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    for number in range(count):
        micros = 0 if number % 10 == 9 else 1
        added = start + datetime.timedelta(seconds=number, microseconds=micros)
        api.db.session.add(
            taxii2models.STIXObject(
                id=f"indicator--8e2e2d2b-17d4-4cbf-938f-{number:012}",
                collection_id=collection.id,
                type="indicator",
                spec_version="2.1",
                date_added=added,
                version=start,
                serialized_data={
                    "created": "2026-01-01T00:00:00.000Z",
                    "modified": "2026-01-01T00:00:00.000Z",
                    "pattern": f"[domain-name:value = 'open{number}.example.com']",
                    "pattern_type": "stix",
                    "valid_from": "2026-01-01T00:00:00Z",
                },
            )
        )
    api.db.session.commit()
app.run(host="127.0.0.1", port=port, debug=False, use_reloader=False)
