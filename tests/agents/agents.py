"""Drives a centre and agents in network namespaces; every step says what must be true.

The agent can reach nothing but the centre: its namespace has one link, and no route beyond it.
"""
import atexit
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

BINARY = sys.argv[1]
ROOT = tempfile.mkdtemp(prefix="ume-agents-")
TAG = f"{os.getpid() % 10000}"
SPACE, NEAR, FAR = f"ume{TAG}", f"uc{TAG}", f"ua{TAG}"
CENTRE, AGENT, PORT = "10.231.77.1", "10.231.77.2", 18621
WAIT = 90
running = []


def sh(*command, check=True):
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def clean():
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait()
    sh("ip", "netns", "del", SPACE, check=False)
    sh("ip", "link", "del", NEAR, check=False)
    shutil.rmtree(ROOT, ignore_errors=True)


def start(name, *command):
    log = open(f"{ROOT}/{name}.log", "ab")
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "UME_LOG": "info"})
    running.append(process)
    return process


def log(name):
    with open(f"{ROOT}/{name}.log", encoding="utf-8", errors="replace") as file:
        return file.read()


def centre():
    process = start("centre", BINARY, "serve", "--data", f"{ROOT}/centre", "--listen", "127.0.0.1:0",
                    "--agents", f"{CENTRE}:{PORT}")
    until("the centre answers", lambda: sh("curl", "-sk", f"https://{CENTRE}:{PORT}/",
                                           check=False).returncode == 0)
    return process


def agent(name, *more, token=None):
    command = ["ip", "netns", "exec", SPACE, BINARY, "serve", "--roles", "agent", "--join",
               f"https://{CENTRE}:{PORT}", "--data", f"{ROOT}/{name}"]
    if token:
        path = f"{ROOT}/{name}.token"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(token)
        command += ["--token-file", path]
    return start(name, *command, *more)


def token(name, folder="centre"):
    return sh(BINARY, "agent", "token", "--data", f"{ROOT}/{folder}", "--name", name).stdout.strip()


def query(sql, *args):
    with sqlite3.connect(f"file:{ROOT}/centre/ume.db?mode=ro", uri=True, timeout=20) as db:
        return db.execute(sql, args).fetchall()


def until(what, test, seconds=WAIT):
    end = time.time() + seconds
    while time.time() < end:
        value = test()
        if value:
            print(f"ok  {what}", flush=True)
            return value
        time.sleep(0.3)
    for name in sorted(os.listdir(ROOT)):
        if name.endswith(".log"):
            print(f"--- {name}\n{log(name[:-4])[-4000:]}")
    raise SystemExit(f"not so after {seconds} s: {what}")


def stored(source):
    """Lines of a source the centre has taken, by its own saved counters."""
    try:
        with open(f"{ROOT}/centre/stream/counters.json", encoding="utf-8") as file:
            return json.load(file)["sources"].get(source, {}).get("stored", 0)
    except FileNotFoundError:
        return 0


def write(path, first, last):
    with open(path, "a", encoding="utf-8") as file:
        for n in range(first, last):
            file.write(f"Nov 25 10:00:00 box app[1]: numbered line {n} end\n")


def main():
    sh("ip", "netns", "add", SPACE)
    atexit.register(clean)
    sh("ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR)
    sh("ip", "link", "set", FAR, "netns", SPACE)
    sh("ip", "addr", "add", f"{CENTRE}/24", "dev", NEAR)
    sh("ip", "link", "set", NEAR, "up")
    inside = ("ip", "-n", SPACE)
    sh(*inside, "addr", "add", f"{AGENT}/24", "dev", FAR)
    sh(*inside, "link", "set", FAR, "up")
    sh(*inside, "link", "set", "lo", "up")

    server = centre()
    good = token("box-1")
    app = f"{ROOT}/app.log"
    write(app, 0, 50)

    # 1. The snapshot arrives, with its host in the register.
    follow = ("--follow", f"app={app}")
    box = agent("box", *follow, token=good)
    snapshot = ("SELECT r.id, r.assurance, r.actor, a.name, g.id FROM record r JOIN asset a ON "
                "a.id = r.subject JOIN agent g ON g.asset = a.id WHERE r.type = "
                "'configuration.snapshot' AND a.name = 'box-1'")
    rows = until("the agent delivered its configuration snapshot", lambda: query(snapshot))
    assert rows[0][1] == "machine" and rows[0][2] == f"agent:{rows[0][4]}", rows
    counts = json.loads(query("SELECT facts FROM record WHERE id = ?", rows[0][0])[0][0])["counts"]
    assert counts["base"] > 50 and all(counts[l] > 0 for l in ("identity", "typed")), counts
    body = query("SELECT body FROM payload WHERE record = ?", rows[0][0])[0][0]
    assert len(body) > 1_000, "the snapshot's payload is missing"
    until("the signed rules were verified and recorded", lambda: query(
        "SELECT 1 FROM record WHERE type = 'house.rules_applied' AND facts LIKE '%agent_rules%'"))
    until("50 lines arrived", lambda: stored("box-1/app") == 50)
    mode = os.stat(f"{ROOT}/box/agent/key.pem").st_mode & 0o777
    assert mode == 0o600, oct(mode)
    assert good not in open(f"{ROOT}/centre/ume.db", "rb").read().decode("latin1"), "token in clear"

    # 2. The centre goes away while lines are written; the agent is killed meanwhile too.
    server.send_signal(signal.SIGKILL)
    server.wait()
    write(app, 50, 400)
    time.sleep(3)
    box.kill()
    box.wait()
    write(app, 400, 600)
    box = agent("box", *follow)
    time.sleep(2)
    server = centre()
    until("all 600 lines arrived after the centre came back", lambda: stored("box-1/app") == 600)

    # 3. Kill both again and again while lines are written.
    for turn in range(5):
        write(app, 600 + turn * 100, 700 + turn * 100)
        time.sleep(random.Random(turn).uniform(0.2, 1.5))
        server.kill()
        server.wait()
        server = centre()
        box.kill()
        box.wait()
        box = agent("box", *follow)
    until("after five kills of both all 1100 lines are there",
          lambda: stored("box-1/app") >= 1100)
    # Killed at other moments, with lines under way.
    for turn in range(8):
        write(app, 1100 + turn * 50, 1150 + turn * 50)
        time.sleep(random.Random(100 + turn).uniform(0.0, 2.5))
        box.kill()
        box.wait()
        box = agent("box", *follow)
    until("after eight kills of the agent all 1500 lines are there",
          lambda: stored("box-1/app") >= 1500)
    time.sleep(5)
    assert stored("box-1/app") == 1500, stored("box-1/app")
    print("ok  nothing doubled: exactly 1500 lines")
    count = query("SELECT record_sequence, (SELECT COUNT(*) FROM record WHERE actor = 'agent:' || "
                  "agent.id AND type LIKE 'configuration.%') FROM agent "
                  "WHERE name = 'box-1'")[0]
    assert count[0] == count[1], f"sequences given and records kept differ: {count}"
    print(f"ok  each of {count[0]} records is there once")

    # 4. A used token, an unknown token, an expired token.
    other = agent("other", token=good)
    until("a used token is refused", lambda: other.poll() is not None and "used by another" in
          log("other"))
    unknown = agent("unknown", token="ume-" + "0" * 40 + good[44:])
    until("an unknown token is refused", lambda: unknown.poll() is not None and "not known" in
          log("unknown"))
    late = token("late")
    with sqlite3.connect(f"{ROOT}/centre/ume.db", timeout=20) as db:
        db.execute("UPDATE enrolment SET expires_at = 1 WHERE name = 'late'")
    expired = agent("late", token=late)
    until("an expired token is refused", lambda: expired.poll() is not None and "ended at" in
          log("late"))

    # 5. Another CA: a token of another centre does not trust this one.
    made = sh(BINARY, "setup", "--data", f"{ROOT}/elsewhere", "--admin", "officer",
              "--password-file", password())
    assert made.returncode == 0
    wrong = agent("wrong", token=token("box-2", "elsewhere"))
    until("a centre with another CA is refused", lambda: "its CA has another fingerprint" in
          log("wrong"))
    wrong.kill()
    assert not query("SELECT 1 FROM agent WHERE name = 'box-2'")
    foreign()
    room(server)

    # 6. Revoked: the running agent is refused and ends.
    assert box.poll() is None, log("box")[-2000:]
    held = connection("box")
    ask = b"GET /agent/v1/rules HTTP/1.1\r\nHost: centre\r\n\r\n"
    held.sendall(ask)
    assert held.recv(9999).startswith(b"HTTP/1.1 200"), "the agent's certificate is good"
    sh(BINARY, "agent", "revoke", "--data", f"{ROOT}/centre", "box-1")
    cut_from = time.time()
    try:
        while held.recv(9999):
            pass
    except (ssl.SSLError, ConnectionError):
        pass
    print(f"ok  an open connection is cut {time.time() - cut_from:.1f} s after the revocation")
    write(app, 1500, 1510)
    until("a revoked agent is refused at once and ends", lambda: box.poll() is not None and
          "was revoked" in log("box"), 30)
    time.sleep(1)
    assert stored("box-1/app") == 1500, "lines of a revoked agent were taken"
    listed = json.loads(sh(BINARY, "agent", "list", "--data", f"{ROOT}/centre", "--format",
                           "json").stdout)
    assert [a["state"] for a in listed if a["name"] == "box-1"] == ["revoked"], listed

    changes = [row[0] for row in query(
        "SELECT json_extract(facts, '$.change') FROM record WHERE type = 'house.agent_changed' AND "
        "json_extract(facts, '$.name') = 'box-1' ORDER BY received_at, id")]
    assert changes == ["token_made", "enrolled", "revoked"], changes
    print("ok  token, enrolment and revocation are records")

    server.terminate()
    server.wait()
    done = sh(BINARY, "ledger", "verify", "--data", f"{ROOT}/centre")
    print(f"ok  the centre's ledger verifies: {done.stdout.strip()}")


def connection(name):
    """An open connection with the certificate of an agent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(f"{ROOT}/{name}/agent/certificate.pem", f"{ROOT}/{name}/agent/key.pem")
    return context.wrap_socket(socket.create_connection((CENTRE, PORT), timeout=30))


def bytes_of(folder):
    found = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    return sum(os.path.getsize(path) for path in found if os.path.exists(path))


def room(server):
    """The centre is away and more comes than the agent has room for: it waits and loses nothing."""
    lines, limit = 12_000, 8 << 20
    big = f"{ROOT}/big.log"
    open(big, "w", encoding="utf-8").close()
    small = agent("small", "--follow", f"big={big}", "--spool-mib", "8", token=token("box-3"))
    until("the agent with little room enrolled", lambda: query(
        "SELECT 1 FROM agent WHERE name = 'box-3'"))
    server.send_signal(signal.SIGSTOP)
    with open(big, "w", encoding="utf-8") as file:
        for n in range(lines):
            file.write(f"Nov 25 10:00:00 box big[1]: {n:06} {'x' * 1_000}\n")
    spool = f"{ROOT}/small/spool/spool"
    until("its spool is nearly full", lambda: bytes_of(spool) > limit // 4)
    most = 0
    for _ in range(20):
        most = max(most, bytes_of(spool))
        time.sleep(0.2)
    assert most <= limit, f"{most} bytes in a spool of {limit}"
    server.send_signal(signal.SIGCONT)
    until(f"all {lines} lines came through a spool of 8 MiB", lambda: stored("box-3/big") == lines)
    small.kill()
    small.wait()


def password():
    path = f"{ROOT}/password"
    with open(path, "w", encoding="utf-8") as file:
        file.write("plum blossoms in march\n")
    return path


def foreign():
    """A client certificate of another CA gets no answer at all."""
    key, pem = f"{ROOT}/foreign.key", f"{ROOT}/foreign.pem"
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
       "-keyout", key, "-out", pem, "-subj", "/CN=box-1", "-days", "2")
    url = f"https://{CENTRE}:{PORT}/agent/v1/rules"
    done = sh("curl", "-sk", "--cert", pem, "--key", key, url, check=False)
    assert done.returncode != 0, f"a foreign certificate was answered: {done.stdout}"
    bare = sh("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", url).stdout
    assert bare == "401", bare
    print("ok  a foreign certificate is refused in the handshake, none is refused with 401")


def pages(name, *options):
    """Starts a server of its own and gives its address and set-up token."""
    start(name, BINARY, "serve", "--data", f"{ROOT}/{name}", "--listen", "127.0.0.1:0", *options)
    line = until(f"{name}: the address is printed", lambda: [
        w for w in log(name).split() if "/setup?token=" in w])[0]
    base, given = line.split("/setup?token=")
    return base.replace("localhost", "127.0.0.1") if base.startswith("http:") else base, given


def set_up(base, given, *curl):
    """Makes the first account as a browser would and gives the answer's headers."""
    form = [f"token={given}", "login=officer", "password=plum blossoms in march",
            "again=plum blossoms in march"]
    data = [part for field in form for part in ("--data-urlencode", field)]
    return sh("curl", "-s", "-o", "/dev/null", "-D", "-", *curl, *data, f"{base}/setup").stdout


def tls():
    base, given = pages("local", "--tls-local-ca")
    trust = ("--cacert", f"{ROOT}/local/ca/ca.pem")
    assert base.startswith("https://localhost:"), base
    head = set_up(base, given, *trust, "-H", f"Origin: {base}")
    assert " 303" in head and "__Host-ume=" in head and "Secure" in head, head
    assert "strict-transport" not in head.lower(), head
    assert sh("curl", "-s", f"{base}/healthz", check=False).returncode != 0, "trusted by everybody"
    print("ok  the local CA serves pages over TLS, with a __Host- cookie and without HSTS")

    key, pem = f"{ROOT}/own.key", f"{ROOT}/own.pem"
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
       "-keyout", key, "-out", pem, "-subj", "/CN=localhost", "-addext",
       "subjectAltName=DNS:localhost", "-days", "2")
    os.chmod(key, 0o644)
    open_key = sh(BINARY, "serve", "--data", f"{ROOT}/own", "--listen", "127.0.0.1:0", "--tls-cert",
                  pem, "--tls-key", key, check=False)
    assert open_key.returncode == 2 and "chmod 600" in open_key.stderr, open_key
    os.chmod(key, 0o600)
    base, given = pages("own", "--tls-cert", pem, "--tls-key", key)
    head = set_up(base, given, "--cacert", pem, "--http1.1", "-H", f"Origin: {base}")
    assert "__Host-ume=" in head and "strict-transport-security" in head.lower(), head
    print("ok  own certificate files: HSTS, and a key that others can read is refused")

    base, given = pages("proxied", "--trusted-proxy", "127.0.0.0/8")
    head = set_up(base, given, "-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-For: 192.0.2.1")
    assert "__Host-ume=" in head and "Secure" in head, head
    base, given = pages("direct")
    head = set_up(base, given, "-H", "X-Forwarded-Proto: https")
    assert "set-cookie: ume=" in head.lower() and "Secure" not in head, head
    print("ok  X-Forwarded-Proto counts from a trusted proxy only")


main()
tls()
print("agents: all good")
