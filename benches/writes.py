#!/usr/bin/env python3
"""Acknowledged rows per second through table, history and outbox: one row a request, and one import.

usage: writes.py UME [ROWS]

Starts a server in a fresh folder; rows go in through the API. A row counts when its answer is there,
that is, when its transaction and the leaf in the outbox are durable.
"""
import concurrent.futures, http.client, json, os, pathlib, re, shutil, socket, subprocess, sys, tempfile, time

ume = os.path.realpath(sys.argv[1])
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000
folder = pathlib.Path(tempfile.mkdtemp(prefix="ume-writes-"))
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
word = folder / "word"
word.write_text("plum blossoms in march\n")
data = folder / "data"
run = lambda *args: subprocess.run([ume, *map(str, args)], check=True, capture_output=True, text=True).stdout
run("setup", "--data", data, "--admin", "bench", "--password-file", word)
token = re.search(r"ume_[0-9a-f]+", run("token", "add", "--data", data, "--login", "bench", "--name", "bench")).group()
server = subprocess.Popen(
    [ume, "serve", "--data", data, "--listen", f"127.0.0.1:{port}", "--api-rate", "1000000000"],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
)
headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}


def wait():
    for _ in range(200):
        try:
            link = http.client.HTTPConnection("127.0.0.1", port)
            link.request("GET", "/healthz")
            if link.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("the server did not start")


def row(n):
    return {"kind": "system", "name": f"system {n:06d}", "attributes": {"purpose": "measuring", "stage": "operating"}}


def singly(span):
    link = http.client.HTTPConnection("127.0.0.1", port)
    for n in span:
        link.request("POST", "/api/v1/assets", json.dumps(row(n)), headers)
        answer = link.getresponse()
        body = answer.read()
        if answer.status != 201:
            sys.exit(f"{answer.status} {body[:300]}")
    return len(span)


def timed(name, count, work):
    began = time.perf_counter()
    work()
    print(f"{name:32} {count / (time.perf_counter() - began):>9,.0f} rows/s", flush=True)


try:
    wait()
    time.sleep(5)
    timed("batch 1, one client", rows, lambda: singly(range(rows)))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        spans = [range(rows + n, rows * 2, 8) for n in range(8)]
        timed("batch 1, eight clients", rows, lambda: list(pool.map(singly, spans)))
    table = "name,purpose,stage\n" + "".join(f"imported {n:06d},measuring,operating\n" for n in range(1000))
    for _ in range(1):
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        began = time.perf_counter()
        link.request("POST", "/api/v1/assets/import?kind=system", table.encode(), {**headers, "content-type": "text/csv"})
        answer = link.getresponse()
        body = answer.read()
        if answer.status not in (200, 201):
            sys.exit(f"{answer.status} {body[:500]}")
        print(f"{'batch 1,000 (one import)':32} {1000 / (time.perf_counter() - began):>9,.0f} rows/s")
finally:
    server.send_signal(2)
    server.wait()
    out = subprocess.run([ume, "ledger", "verify", "--data", data], capture_output=True, text=True).stdout
    print(out.strip())
    shutil.rmtree(folder, ignore_errors=True)
