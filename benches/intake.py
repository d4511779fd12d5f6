#!/usr/bin/env python3
"""CPU of the intake against its peer: one syslog stream over TCP into Ume's durable spool, and the same
stream through rsyslog's imtcp into a file (omfile). Needs rsyslogd.

usage: intake.py UME [LINES] [ROUNDS]

Prints the CPU seconds (user and system) of each process from the first byte to the moment at which
all lines are stored, and the ratio of the medians.
"""
import json, os, pathlib, shutil, socket, statistics, subprocess, sys, tempfile, time

ume = os.path.realpath(sys.argv[1])
lines = int(sys.argv[2]) if len(sys.argv) > 2 else 300_000
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
text = "session opened for user ume(uid=1000) by (uid=0), 監査 request {:08d} from 192.0.2.17 port 50122 ssh2"
frames = b"".join(
    f"<38>1 2026-11-28T01:02:03.{n % 1000:03d}456Z srv-mail-01 sshd {n % 30000} - - {text.format(n)}\n".encode()
    for n in range(lines)
)


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(to):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", to))
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nobody listens on {to}")


def measure(process, to, stored):
    with connect(to) as link:
        time.sleep(3)
        before = cpu(process.pid)
        began = time.perf_counter()
        link.sendall(frames)
    while stored() < lines:
        if time.perf_counter() - began > 120:
            sys.exit(f"only {stored()} of {lines} lines were stored")
        time.sleep(0.05)
    return cpu(process.pid) - before, time.perf_counter() - began


def by_ume(folder):
    data, to = folder / "ume", port()
    data.mkdir()
    (data / "ume.toml").write_text(
        f'listen = "127.0.0.1:{port()}"\n[intake]\njournal = false\nstandard_files = false\n'
        f'[[intake.syslog_tcp]]\nlisten = "127.0.0.1:{to}"\nsource = "tcp"\n'
    )
    process = subprocess.Popen([ume, "serve", "--data", data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    counters = data / "stream/counters.json"

    def stored():
        try:
            return json.dumps(json.loads(counters.read_text())) and sum(
                c.get("received", 0) for c in sources(json.loads(counters.read_text()))
            )
        except (OSError, ValueError):
            return 0

    try:
        return measure(process, to, stored)
    finally:
        process.kill()
        process.wait()


def sources(counters):
    for value in counters.values():
        if isinstance(value, dict):
            yield value if "received" in value else {"received": sum(c["received"] for c in sources(value))}


def by_rsyslog(folder):
    to, out = port(), folder / "out.log"
    (folder / "rsyslog.conf").write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="{to}")\n'
        f'action(type="omfile" file="{out}")\n'
    )
    process = subprocess.Popen(
        ["rsyslogd", "-n", "-f", folder / "rsyslog.conf", "-i", folder / "pid"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )

    def stored():
        if not out.exists():
            return 0
        # Counting lines of a growing file costs; its size says when it is worth it.
        return out.read_bytes().count(b"\n") if out.stat().st_size >= lines * 90 else 0

    try:
        return measure(process, to, stored)
    finally:
        process.kill()
        process.wait()


times = {"ume": [], "rsyslog": []}
for n in range(rounds):
    for name, run in (("ume", by_ume), ("rsyslog", by_rsyslog)):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="ume-intake-"))
        spent, wall = run(folder)
        shutil.rmtree(folder, ignore_errors=True)
        times[name].append(spent)
        print(f"round {n + 1} {name:8} {spent:6.2f} s CPU  {wall:6.2f} s wall  {lines / wall:,.0f} lines/s", flush=True)
ume_s, peer_s = statistics.median(times["ume"]), statistics.median(times["rsyslog"])
print(f"{lines} lines, {len(frames)} bytes: ume {ume_s:.2f} s, rsyslog {peer_s:.2f} s, ratio {ume_s / peer_s:.2f}")
