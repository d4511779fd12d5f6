"""A peer with pymisp at a channel of a real Ume."""

import base64
import hashlib
import hmac
import html
import http.cookiejar
import json
import logging
import pathlib
import re
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pymisp
from pymisp import MISPEvent, PyMISP
from pymisp.tools import feed_meta_generator

BINARY, WORK, ROOT = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
PASSWORD = "plum blossoms in march"
NOTICE = """TLP:GREEN
件名：製造業を狙うメール
■通信先
hxxps://cdn[.]evil-parts[.]example/gate
203[.]0[.]113[.]77
■ハッシュ値（SHA-256）
CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB
"""
logging.getLogger("pymisp").setLevel(logging.ERROR)


def check(right, what):
    if not right:
        raise SystemExit(f"FAILED: {what}")


class Browser:
    def __init__(self, base):
        self.base = base
        jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
        self.csrf = ""

    def open(self, path, form=None):
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.base + path, data)
        request.add_header("accept-language", "en")
        try:
            with self.opener.open(request, timeout=30) as answer:
                text, self.at = answer.read().decode(), answer.geturl()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"FAILED: {path}: {error.code}\n{error.read().decode()[-1500:]}")
        found = re.search(r'name="csrf" value="([^"]+)"', text)
        if found:
            self.csrf = found.group(1)
        return text

    def send(self, path, **form):
        return self.open(path, {"csrf": self.csrf, **form})


def totp(secret):
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    code = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = code[-1] & 15
    return f"{(struct.unpack('>I', code[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def sign_in(browser):
    browser.open("/login")
    page = browser.open("/login", {"csrf": browser.csrf, "login": "umeko", "password": PASSWORD, "back": "/"})
    if "secret" not in page:
        page = browser.open("/second-factor")
    secret = re.search(r"\b([A-Z2-7]{32})\b", page)
    check(secret, "no secret for the authenticator")
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    browser.open("/second-factor", {**hidden, "code": totp(secret.group(1))})


def api(base, token, path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), {
        "authorization": f"Bearer {token}", "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"FAILED: {path}: {error.code}\n{error.read().decode()[-1500:]}")


def given(browser, base, token):
    """A channel, its key, and an item that is given on it."""
    source = api(base, token, "/api/v1/assets", {
        "kind": "intel_source", "name": "ISAC", "status": "active",
        "attributes": {"active": True, "format": "hand", "interval_min": 1440, "tlp_default": "green"}})
    channel = api(base, token, "/api/v1/assets", {
        "kind": "sharing_channel", "name": "peer", "status": "active",
        "attributes": {"active": True, "protocol": "taxii", "tlp_ceiling": "green",
                       "agreement": "ISAC", "agreement_end": "2030-01-01"}})
    browser.open("/intelligence")
    browser.send("/intelligence", source=source["id"], text=NOTICE)
    item = re.search(r"/intelligence/([0-9a-f-]{36})", browser.at).group(1)
    page = browser.open(f"/intelligence/{item}")
    form = re.search(r'action="/intelligence/[^"]+/confirm".*?</form>', page, re.S).group(0)
    fields = {"csrf": browser.csrf}
    for tag in re.findall(r"<input[^>]*>", form):
        name = re.search(r'name="([^"]+)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and ("checkbox" not in tag or "checked" in tag):
            fields[name.group(1)] = html.unescape(value.group(1)) if value else "1"
    for name, select in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', select)
        fields[name] = chosen.group(1) if chosen else ""
    browser.open(f"/intelligence/{item}/confirm", fields)
    page = browser.send(f"/intelligence/channels/{channel['id']}/token")
    key = re.search(r"<code>([0-9a-f]{64})</code>", page)
    check(key, "the key of the channel is shown once")
    browser.send(f"/intelligence/channels/{channel['id']}/give", item=item)
    return channel["id"], key.group(1)


def exchange(base, channel, key):
    url = f"{base}/misp/{channel}/"
    try:
        PyMISP(url, "0" * 64)
        raise SystemExit("FAILED: a wrong key connects")
    except pymisp.PyMISPError:
        pass
    peer = PyMISP(url, key)
    events = peer.search(pythonify=True)
    check(len(events) == 1, f"{len(events)} events, not 1")
    event = events[0]
    values = {attribute.value for attribute in event.attributes}
    check("203.0.113.77" in values and any("evil-parts" in value for value in values), values)
    check([tag.name for tag in event.tags] == ["tlp:green"], "its marking goes along")
    check(int(event.distribution) == 2, "its distribution is that of its marking")
    check("件名" not in event.to_json() and "ISAC" not in event.to_json(), "neither text nor source leaves")
    check(peer.search(value="203.0.113.77", pythonify=True), "a search by value finds it")
    check(not peer.search(value="192.0.2.1", pythonify=True), "a search by another value does not")
    viewed = peer.get_event(event.uuid, pythonify=True)
    check(viewed.to_json() == event.to_json(), "what is viewed is what was found")
    check("errors" in peer.get_event("00000000-0000-4000-8000-000000000000"), "an unknown event is an error")
    seen = peer.add_sighting({"value": "203.0.113.77", "type": "0"})
    check("errors" not in seen, seen)
    check("errors" in peer.add_sighting({"value": "192.0.2.200", "type": "0"}), "nobody gave that")

    ours = MISPEvent()
    ours.info = "ランサム攻撃"
    ours.distribution = 1
    ours.add_tag("tlp:amber")
    ours.add_attribute("ip-dst", "198.51.100.23", to_ids=True)
    ours.add_attribute("filename|sha256", "a.exe|" + "0a" * 32, to_ids=True)
    ours.add_attribute("comment", "text", to_ids=False)
    answer = peer.add_event(ours, pythonify=True)
    check(isinstance(answer, MISPEvent), answer)
    check(answer.uuid == ours.uuid and len(answer.attributes) == 3, "it answers with the event")
    bad = peer.add_event({"info": "no uuid"})
    check("errors" in bad, "an event without uuid is refused")
    return event


def feed(base, channel, key, event):
    folder = WORK / "feed"
    folder.mkdir()

    def get(name):
        request = urllib.request.Request(f"{base}/misp/{channel}/{name}", headers={"authorization": key})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    manifest, hashes = json.loads(get("manifest.json")), get("hashes.csv").decode()
    check(list(manifest) == [event.uuid], "the manifest names the event")
    for uuid in manifest:
        (folder / f"{uuid}.json").write_bytes(get(f"{uuid}.json"))
        MISPEvent().load_file(str(folder / f"{uuid}.json"))
    feed_meta_generator(folder)
    theirs = json.loads((folder / "manifest.json").read_text())
    check(theirs == manifest, f"manifests differ:\n{theirs}\n{manifest}")
    check(sorted((folder / "hashes.csv").read_text().split()) == sorted(hashes.split()), "hashes differ")


def types(base, channel, key):
    """An event with every type of the core format comes back as it was posted: read, written, nothing changed."""
    listed = (ROOT / "engines/indicators/src/misp/types.txt").read_text().splitlines()
    known = pymisp.MISPEvent().describe_types["types"]
    check(set(known) == set(listed), f"types differ: {set(known) ^ set(listed)}")
    event = MISPEvent(strict_validation=False)
    event.info, event.date = "every type", "2026-11-29"
    event.add_tag("tlp:green")
    event.add_attribute("domain", "seen.example", to_ids=True)
    posted = json.loads(event.to_json())
    posted["x_unknown"] = {"kept": [1, "二", None]}
    for name in listed:
        posted["Attribute"].append({
            "type": name, "category": "Other", "value": "a|b" if "|" in name else "1", "to_ids": False,
            "uuid": str(uuid.uuid4()), "distribution": "5", "x_extra": name})
    request = urllib.request.Request(f"{base}/misp/{channel}/events/add", json.dumps({"Event": posted}).encode(), {
        "authorization": key, "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        back = json.load(answer)
    check(back == {"Event": posted}, "what comes back is not what was posted")
    print(f"misp: {len(listed)} types come back as they were posted")


def main():
    data = WORK / "data"
    (WORK / "password").write_text(PASSWORD + "\n")
    run = lambda *args: subprocess.run([BINARY, *args], check=True, capture_output=True, text=True).stdout
    run("setup", "--data", data, "--admin", "umeko", "--password-file", WORK / "password")
    token = run("token", "add", "--data", data, "--login", "umeko", "--name", "test").strip()
    with open(WORK / "log", "wb") as log:
        server = subprocess.Popen([BINARY, "serve", "--data", data, "--listen", "127.0.0.1:0"],
                                  stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        port = re.search(r":(\d+)\s*$", server.stdout.readline()).group(1)
        base = f"http://127.0.0.1:{port}"
        browser = Browser(base)
        sign_in(browser)
        channel, key = given(browser, base, token)
        event = exchange(base, channel, key)
        feed(base, channel, key, event)
        types(base, channel, key)
        said = (WORK / "log").read_text()
        check(key not in said and "evil-parts" not in said and "製造業" not in said, "the log holds none of it")
    finally:
        server.terminate()
        server.wait(timeout=20)
    print("misp: pymisp exchanges events, sightings and the folder of a feed")


main()
