#!/usr/bin/env python3
"""Visits each list, detail and home of a running, freshly set-up Ume and prints what each page cost.

usage: pages.py SETUP_LINK [ROUNDS]

Exits 1 if a page runs more than 8 statements or reads more than 200 rows.
"""
import base64, hashlib, hmac, http.cookiejar, re, struct, sys, time, urllib.parse, urllib.request

link, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
base = re.match(r"https?://[^/]+", link).group()
jar = http.cookiejar.CookieJar()
web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))


def post(path, **form):
    return web.open(base + path, urllib.parse.urlencode(form).encode()).read().decode()


def totp(secret):
    step = struct.pack(">Q", int(time.time()) // 30)
    mac = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), step, hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1000000:06d}"


def token():
    return re.search(r'name="csrf" value="([^"]*)"', web.open(base + "/welcome").read().decode()).group(1)


secret_word = "plum blossoms in march"
page = post("/setup", token=link.split("token=")[1], login="bench", password=secret_word, again=secret_word)
hidden = dict(re.findall(r'name="(csrf|secret)" value="([^"]*)"', page))
post("/second-factor", csrf=hidden["csrf"], secret=hidden["secret"], code=totp(hidden["secret"]), back="/")

web.open(base + "/welcome/later", urllib.parse.urlencode({"csrf": token()}).encode()).read()

HOSTS = "/register/asset/host"
paths = [
    "/", "/rooms/configuration", "/rooms/monitoring", "/register/asset", HOSTS, "/register/asset/dataset",
    "/records", "/records?type=configuration.snapshot", "/ledger", "/register/norm/annex_a",
    "/register/decision/approval", "/events", "/tasks", "/notices", "/work", "/search?q=%E8%B3%87%E7%94%A3",
    # Words; frequent, rare and contradictory conditions; orders; both.
    f"{HOSTS}?q=04217", f"{HOSTS}?sort=-name", f"{HOSTS}?sort=memory_mib", f"{HOSTS}?sort=-@changed",
    f"{HOSTS}?where=os:is:Debian+12", f"{HOSTS}?where=memory_mib:from:65000", f"{HOSTS}?where=hostname:is:host-004217",
    f"{HOSTS}?where=os:is:Debian+12&where=environment:is:production&sort=-memory_mib",
    f"{HOSTS}?where=os:is:Debian+12&where=os_version:is:none&sort=support_end",
    f"{HOSTS}?q=%E8%B3%87%E7%94%A3&where=environment:is:staging&sort=introduced_on",
]
first = re.search(r"/row/asset/[0-9a-f-]{36}", web.open(base + HOSTS).read().decode())
after = re.search(r'href="([^"]*after=[^"]*)"', web.open(base + HOSTS + "?sort=-memory_mib").read().decode())
record = re.search(r"/records/[0-9a-f-]{36}", web.open(base + "/records?type=configuration.snapshot").read().decode())
paths += [m.group() for m in (first, record) if m]
if after:
    paths.append(HOSTS + after.group(1).replace("&amp;", "&").replace("&#38;", "&").removeprefix(HOSTS))
bad = 0
print(f"{'page':75} {'statements':>10} {'rows':>6} {'p50 ms':>8} {'p99 ms':>8}")
for path in paths:
    times, cost = [], ""
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = web.open(base + path)
        answer.read()
        times.append((time.perf_counter() - begun) * 1000)
        cost = answer.headers.get("server-timing", "")
    statements, rows = (int(n) for n in re.findall(r"\d+", cost))
    times.sort()
    p50, p99 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))]
    over = statements > 8 or rows > 200
    bad += over
    print(f"{re.sub(r'[0-9a-f-]{36}', 'ID', path)[:75]:75} {statements:>10} {rows:>6} {p50:>8.1f} {p99:>8.1f}{'  OVER' if over else ''}")
sys.exit(1 if bad else 0)
