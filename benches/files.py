#!/usr/bin/env python3
"""Upload and download of files over the API: wall time, and CPU time of the server.

usage: files.py UME [FILES]

Starts a server in a fresh folder and sends files of 25 MiB, each another one, one after the other; then
fetches each. An upload counts when its answer is there, that is, when file, key and row are durable.
"""
import http.client, json, os, pathlib, re, shutil, socket, subprocess, sys, tempfile, time

ume = os.path.realpath(sys.argv[1])
files = int(sys.argv[2]) if len(sys.argv) > 2 else 20
MIB = 25
folder = pathlib.Path(tempfile.mkdtemp(prefix="ume-files-"))
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
headers = {"authorization": f"Bearer {token}", "content-type": "application/octet-stream"}
link = http.client.HTTPConnection("127.0.0.1", port)


def wait():
    for _ in range(200):
        try:
            link.request("GET", "/healthz")
            if link.getresponse().read() is not None:
                return
        except OSError:
            link.close()
            time.sleep(0.1)
    sys.exit("the server did not start")


def cpu():
    fields = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def call(method, path, body, good):
    link.request(method, path, body, headers)
    answer = link.getresponse()
    bytes = answer.read()
    if answer.status != good:
        sys.exit(f"{answer.status} {bytes[:300]}")
    return bytes


def timed(name, work):
    began, used = time.perf_counter(), cpu()
    work()
    wall, used = time.perf_counter() - began, cpu() - used
    size = files * MIB
    print(f"{name:10} {size / wall:>7.0f} MiB/s, {used / files:>6.3f} s CPU per file of {MIB} MiB", flush=True)


try:
    wait()
    link.close()
    time.sleep(15)  # the first board, and this machine's snapshot
    bodies = [os.urandom(MIB << 20) for _ in range(files)]
    names = []
    timed("upload", lambda: names.extend(json.loads(call("POST", "/api/v1/blobs?name=a.bin", b, 201))["sha256"] for b in bodies))
    found = []
    timed("download", lambda: found.extend(call("GET", f"/api/v1/blobs/{n}", None, 200) for n in names))
    if found != bodies:
        sys.exit("what came back is not what was sent")
finally:
    server.terminate()
    server.wait()
    shutil.rmtree(folder)
