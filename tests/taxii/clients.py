"""Drives Ume's TAXII server with taxii2-client. Whatever it does otherwise than expected ends with an error."""

import json
import sys
import uuid

from requests.exceptions import HTTPError
from taxii2client.exceptions import AccessError
from taxii2client.v21 import Server, as_pages

URL, TOKEN = sys.argv[1], json.load(open(sys.argv[2]))
OBJECTS = 23


def indicator(number, modified):
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.UUID(int=(4 << 76) | (8 << 60) | number)}",
        "created": "2026-01-01T00:00:00.000Z", "modified": modified, "pattern_type": "stix",
        "pattern": f"[domain-name:value = 'n{number}.bad.example']", "valid_from": "2026-01-01T00:00:00Z",
        "x_kept": "as it came",
    }


def refused(status, deed):
    try:
        deed()
    except HTTPError as error:
        assert error.response.status_code == status, error
    except AccessError:
        assert status == 403
    else:
        sys.exit(f"FAILED: {status} was expected")


server = Server(f"{URL}/taxii2/", user=TOKEN["user"], password=TOKEN["token"])
if "--closed" in sys.argv:
    refused(401, lambda: server.title)
    sys.exit()
refused(401, lambda: Server(f"{URL}/taxii2/", user=TOKEN["user"], password="wrong").title)
assert server.title == "Ume" and len(server.api_roots) == 1
root = server.default
assert "application/taxii+json;version=2.1" in root.versions and root.max_content_length > 0
assert len(root.collections) == 2
assert [c.id for c in root.collections] == sorted(c.id for c in root.collections)
given = next(c for c in root.collections if c.can_read)
taken = next(c for c in root.collections if c.can_write)

if "--given" in sys.argv:
    pages = list(as_pages(given.get_objects, per_request=7))
    sizes = [len(page["objects"]) for page in pages]
    objects = [one for page in pages for one in page["objects"]]
    assert len({one["id"] for one in objects}) == len(objects) == OBJECTS + 1, sizes
    assert sizes == [7, 7, 7, 3], sizes
    assert len(given.get_manifest()["objects"]) == OBJECTS + 1
    one = next(o for o in objects if o["type"] == "indicator")
    assert given.get_object(one["id"])["objects"] == [one]
    assert given.object_versions(one["id"])["versions"] == [one["modified"]]
    assert [o["id"] for o in given.get_objects(id=one["id"])["objects"]] == [one["id"]]
    assert len(given.get_objects(type="indicator")["objects"]) == OBJECTS
    refused(403, lambda: given.delete_object(one["id"]))
    print("paging, manifest, versions, filters, no right to delete")
    sys.exit()

# Posting: settled, told to its poster, the same again stored once, another content of a version refused.
first = [indicator(n, "2026-01-01T00:00:00.000Z") for n in range(OBJECTS)]
status = taken.add_objects({"objects": first}, wait_for_completion=True, timeout=30)
assert (status.status, status.success_count, status.failure_count, status.pending_count) == ("complete", OBJECTS, 0, 0)
status.refresh()
assert status.total_count == OBJECTS
again = taken.add_objects({"objects": first[:2]}, timeout=30)
assert (again.success_count, again.failure_count) == (2, 0)
other = dict(first[0], x_kept="otherwise")
assert taken.add_objects({"objects": [other]}, timeout=30).failure_count == 1
wrong = dict(first[0], id="malware--" + first[0]["id"].split("--")[1])
mixed = taken.add_objects({"objects": [wrong, indicator(0, "2026-02-01T00:00:00.000Z")]}, timeout=30)
assert (mixed.success_count, mixed.failure_count) == (1, 1)

# Rights: what it only writes it neither reads nor deletes, what it only reads it does not write.
refused(403, lambda: taken.get_objects())
refused(403, lambda: given.add_objects({"objects": first[:1]}))
refused(403, lambda: taken.delete_object(first[0]["id"]))
refused(404, lambda: given.get_object(first[0]["id"]))
assert given.get_objects() == {"more": False} or given.get_objects().get("objects", []) == []
assert given.get_manifest().get("objects", []) == []
assert list(as_pages(given.get_objects, per_request=5)) in ([{"more": False}], [])
print("discovery, root, collections, POST, status, rights, empty pages")
