#!/usr/bin/env python3
"""CPU of list pages against the sqlite3 shell that prints the same rows.

usage: lists.py SETUP_LINK PID DATA [ROUNDS]

PID is the server's, DATA its folder (SQLite, the seeded store). The shell is a process per list, as a person would start
it; the page is asked for over HTTP, signed in, and drawn.
"""
import os, re, resource, statistics, subprocess, sys, time, urllib.request
import http.cookiejar, urllib.parse, base64, hashlib, hmac, struct

link, pid, data = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 40
base = re.match(r"https?://[^/]+", link).group()
jar = http.cookiejar.CookieJar()
web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
TICK = os.sysconf("SC_CLK_TCK")


def post(path, **form):
    return web.open(base + path, urllib.parse.urlencode(form).encode()).read().decode()


def totp(secret):
    step = struct.pack(">Q", int(time.time()) // 30)
    mac = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), step, hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1000000:06d}"


page = post("/setup", token=link.split("token=")[1], login="bench", password="plum blossoms in march", again="plum blossoms in march")
hidden = dict(re.findall(r'name="(csrf|secret)" value="([^"]*)"', page))
post("/second-factor", csrf=hidden["csrf"], secret=hidden["secret"], code=totp(hidden["secret"]), back="/")
csrf = re.search(r'name="csrf" value="([^"]*)"', web.open(base + "/welcome").read().decode()).group(1)
web.open(base + "/welcome/later", urllib.parse.urlencode({"csrf": csrf}).encode()).read()


def server():
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def shell(sql):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["sqlite3", "-readonly", f"{data}/ume.db", sql], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


HOST = "SELECT id, name, status, attributes, updated_at FROM asset WHERE kind = 'host' AND deleted = 0"
lists = {
    "/register/asset/host": f"{HOST} ORDER BY name, id LIMIT 51; SELECT COUNT(*) FROM asset WHERE kind = 'host' AND deleted = 0",
    "/register/asset/host?sort=-name": f"{HOST} ORDER BY name DESC, id DESC LIMIT 51; SELECT COUNT(*) FROM asset WHERE kind = 'host' AND deleted = 0",
    "/register/asset/host?where=os:is:Debian+12": f"{HOST} AND json_extract(attributes, '$.os') = 'Debian 12' ORDER BY name, id LIMIT 51",
    "/register/asset/host?sort=memory_mib": f"{HOST} ORDER BY json_extract(attributes, '$.memory_mib'), id LIMIT 51",
    "/register/asset/dataset": "SELECT id, name, status, attributes FROM asset WHERE kind = 'dataset' AND deleted = 0 ORDER BY name, id LIMIT 51",
    "/records": "SELECT id, type, subject, observed_to, source FROM record ORDER BY observed_to DESC, id DESC LIMIT 51",
    "/register/norm/annex_a": "SELECT id, name, status, attributes FROM norm WHERE kind = 'annex_a' AND deleted = 0 ORDER BY name, id LIMIT 51",
}
worst = 0
for path, sql in lists.items():
    web.open(base + path).read()
    # What the server does beside is taken off.
    idle = server()
    time.sleep(2)
    idle = (server() - idle) / 2
    before, begun = server(), time.monotonic()
    for _ in range(rounds):
        web.open(base + path).read()
    ours = max(0.0, (server() - before - idle * (time.monotonic() - begun)) / rounds)
    theirs = statistics.median(shell(sql) for _ in range(rounds))
    worst = max(worst, ours / theirs)
    print(f"{path:50} {ours * 1000:8.2f} ms {theirs * 1000:8.2f} ms {ours / theirs:6.2f}x")
sys.exit(1 if worst > 10 else 0)
