#!/usr/bin/env python3
"""Makes the schemas of this folder from the official ones, as the Python package cyclonedx-python-lib ships them:

    prepare.py SITE-PACKAGES/cyclonedx/schema/_res

Rules stay as they are; titles, descriptions, examples and annotations go, since nothing here reads them.
"""
import json, pathlib, re, sys
import xml.etree.ElementTree as xml

TALK = {"title", "description", "examples", "meta:enum", "$comment", "deprecated", "default"}
HERE = pathlib.Path(__file__).parent
FROM = pathlib.Path(sys.argv[1])
XS = "{http://www.w3.org/2001/XMLSchema}"


def quiet(node, names=False):
    """Without what is only said to people; below `properties` every key is a name."""
    if isinstance(node, list):
        return [quiet(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if not names and (key in TALK or key == "$id"):
            continue
        kept[key] = quiet(value, not names and key in ("properties", "definitions", "$defs", "patternProperties"))
    return kept


for path in sorted(FROM.glob("*.SNAPSHOT.schema.json")):
    name = path.name.replace(".SNAPSHOT", "")
    if "strict" in name:
        continue
    text = json.dumps(quiet(json.loads(path.read_text())), separators=(",", ":"), ensure_ascii=False)
    (HERE / name).write_text(text.replace(".SNAPSHOT", "") + "\n")

for path in sorted(FROM.glob("bom-1.[2-7].SNAPSHOT.xsd")):
    names = dict(node for _, node in xml.iterparse(path, events=["start-ns"]))
    for prefix, uri in names.items():
        xml.register_namespace(prefix, uri)
    root = xml.parse(path).getroot()
    for node in list(root.iter()):
        for child in list(node):
            if child.tag == XS + "annotation" or child.tag == XS + "import":
                node.remove(child)
        node.text = node.tail = None
    text = re.sub(r' vc:minVersion="[^"]*"', "", xml.tostring(root, encoding="unicode"))
    (HERE / path.name.replace(".SNAPSHOT", "")).write_text(text.replace("><", ">\n<") + "\n")
