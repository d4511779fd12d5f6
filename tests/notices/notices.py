"""Drives a real Ume: sign in, set up mail and webhook, make tasks overdue, and read what arrives.

The mail server is away, then greylists, then takes a mail and loses its answer; the webhook's
receiver is away; Ume is killed in between. No notice may be lost, none may come twice.
"""

import asyncio
import base64
import email
import email.policy
import hashlib
import hmac
import http.cookiejar
import http.server
import json
import pathlib
import re
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

BINARY, WORK = sys.argv[1], pathlib.Path(sys.argv[2])
PASSWORD = "plum blossoms in march"
SMTP_PASSWORD = "mail-sesame-4711"
SECRET = "webhook-secret-0123456789"
OTHERS = ["入退室記録の確認", "復旧訓練"]


def wait(what, check, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.3)
    raise SystemExit(f"FAILED: {what} did not happen within {seconds} s")


def certificate():
    """An authority and a server certificate for localhost."""
    ca, key, cert = (WORK / name for name in ("ca.pem", "server.key", "server.pem"))
    run = lambda *args: subprocess.run(args, check=True, capture_output=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", WORK / "ca.key", "-out", ca, "-days", "2", "-subj", "/CN=Test authority",
        "-addext", "basicConstraints=critical,CA:TRUE")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", key, "-out", WORK / "server.csr", "-subj", "/CN=localhost")
    (WORK / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    run("openssl", "x509", "-req", "-in", WORK / "server.csr", "-CA", ca, "-CAkey", WORK / "ca.key",
        "-CAcreateserial", "-out", cert, "-days", "2", "-extfile", WORK / "ext")
    return ca, cert, key


class Inbox:
    """Keeps each mail once by its Message-ID, as a mail store does with a repeated delivery."""

    def __init__(self):
        self.mails, self.repeats = [], 0
        self.greylist, self.greylisted = 0, 0
        self.lose_answers = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.greylist > 0:
            self.greylist -= 1
            self.greylisted += 1
            return "451 4.7.1 Greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if session.ssl is None:
            return "530 STARTTLS first"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        if any(mail["message-id"] == known["message-id"] for _, known, _ in self.mails):
            self.repeats += 1
            return "250 OK"
        self.mails.append((envelope.rcpt_tos, mail, mail.get_content()))
        if self.lose_answers > 0:
            self.lose_answers -= 1
            server.transport.abort()
        return "250 OK"


def mail_server(inbox, cert, key, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def authenticate(server, session, envelope, mechanism, data):
        good = data.login == b"ume" and data.password == SMTP_PASSWORD.encode()
        return AuthResult(success=good)

    controller = Controller(
        inbox, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True,
        authenticator=authenticate, auth_required=True, auth_require_tls=True)
    controller.start()
    return controller


class Hook(http.server.BaseHTTPRequestHandler):
    good, bad = [], []
    refuse = 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        fields = dict(f.split("=", 1) for f in self.headers["ume-signature"].split(","))
        code = hmac.new(SECRET.encode(), fields["t"].encode() + b"." + body, "sha256").hexdigest()
        fits = hmac.compare_digest(code, fields["v1"]) and abs(time.time() - int(fields["t"])) < 60
        if fits and Hook.refuse > 0:
            Hook.refuse -= 1
            self.send_response(503)
            return self.end_headers()
        (self.good if fits else self.bad).append(json.loads(body))
        self.send_response(204 if fits else 401)
        self.end_headers()

    def log_message(self, *args):
        pass


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
        request.add_header("accept-language", "ja")
        try:
            with self.opener.open(request, timeout=30) as answer:
                text = answer.read().decode()
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
    page = browser.open("/login", {"csrf": browser.csrf, "login": "umeko", "password": PASSWORD,
                                   "back": "/"})
    if "secret" not in page:
        page = browser.open("/second-factor")
    secret = re.search(r"\b([A-Z2-7]{32})\b", page)
    if not secret:
        raise SystemExit("FAILED: no secret for the authenticator\n" + page[-2000:])
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
    browser.open("/second-factor", {**hidden, "code": totp(secret.group(1))})


def serve(data):
    log = open(WORK / "ume.log", "ab")
    server = subprocess.Popen([BINARY, "serve", "--data", data, "--listen", "127.0.0.1:0"],
                              stdout=subprocess.PIPE, stderr=log, text=True)
    line = server.stdout.readline()
    port = re.search(r":(\d+)\s*$", line).group(1)
    return server, f"http://127.0.0.1:{port}"


def main():
    ca, cert, key = certificate()
    smtp_port = free_port()
    inbox = Inbox()
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    data = WORK / "data"
    (WORK / "password").write_text(PASSWORD + "\n")
    subprocess.run([BINARY, "setup", "--data", data, "--admin", "umeko", "--password-file",
                    WORK / "password"], check=True, capture_output=True)
    server, base = serve(data)
    try:
        browser = Browser(base)
        sign_in(browser)
        browser.open("/settings/notices")
        settings = dict(
            smtp_host="localhost", smtp_port=smtp_port, smtp_security="starttls", smtp_user="ume",
            smtp_password=SMTP_PASSWORD, ca_file=ca, base_url="https://ume.example.jp",
            webhook_url=f"http://127.0.0.1:{hook.server_port}/hook", webhook_secret=SECRET,
            webhook_private="1", forget="")
        settings["from"] = "Ume <ume@example.jp>"
        browser.send("/settings/notices", **settings)
        page = browser.open("/settings/notices")
        assert SMTP_PASSWORD not in page and SECRET not in page, "secrets are shown"
        browser.open("/notices")
        browser.send("/notices/preferences", mail="umeko@example.jp", lang="ja", digest="each",
                     quiet_from="", quiet_to="", zone="Asia/Tokyo")
        # The mail server is away: what happens now must wait and arrive by itself.
        browser.open("/register/task/task/new")
        browser.send("/register/task/task/new", name="委託先の見直し", version="0", f_due="2026-01-05",
                     f_zone="Asia/Tokyo", f_rrule="FREQ=MONTHLY;BYMONTHDAY=-1",
                     f_business_day="previous", f_role="officer", reason="test")
        wait("webhook", lambda: [h for h in Hook.good if h["kind"] == "task_overdue"])
        assert not Hook.bad, "a signature did not fit"
        wait("queue", lambda: "送信待ち" in browser.open("/settings/notices"))
        assert not inbox.mails
        # Ume dies without a word while notices wait; what was told after its start waits too.
        server.kill()
        server.wait(20)
        server, browser.base = serve(data)
        for name in OTHERS:
            browser.open("/register/task/task/new")
            browser.send("/register/task/task/new", name=name, version="0", f_due="2026-01-05",
                         f_role="officer", reason="test")
        inbox.greylist = 2
        inbox.lose_answers = 1
        mails = mail_server(inbox, cert, key, smtp_port)
        wait("three mails after outage, greylisting and a lost answer",
             lambda: len(inbox.mails) == 3 and inbox.repeats == 1, 200)
        assert inbox.greylisted == 2, "the server never greylisted"
        subjects = sorted(str(mail["subject"]) for _, mail, _ in inbox.mails)
        for name in ["委託先の見直し", *OTHERS]:
            assert len([s for s in subjects if name in s]) == 1, (name, subjects)
        wait("queue to be empty", lambda: "送信待ち" not in browser.open("/settings/notices"), 90)
        (to, mail, body) = next(m for m in inbox.mails if "委託先" in m[2])
        assert to == ["umeko@example.jp"], to
        assert "委託先の見直し" in mail["subject"], mail["subject"]
        assert "https://ume.example.jp/tasks/" in body and "2026-01-06 00:00" not in body, body
        assert SMTP_PASSWORD not in str(mail) and SECRET not in str(mail)
        # Told once, however often the triggers run and whoever started anew.
        server.kill()
        server.wait(20)
        server, browser.base = serve(data)
        time.sleep(20)
        assert len(inbox.mails) == 3 and inbox.repeats == 1, "a mail was sent twice"
        events = [h["id"] for h in Hook.good if h["kind"] == "task_overdue"]
        assert len(events) == len(set(events)) == 3, f"webhook lost or doubled: {events}"
        # Closing it makes the next occurrence, and nothing else closes it.
        page = browser.open("/tasks")
        task = re.search(r"/tasks/([0-9a-f-]{36})/close", page).group(1)
        browser.open(f"/tasks/{task}/close")
        page = browser.send(f"/tasks/{task}/close", held_on="2026-01-05", statement="x")
        assert "タスクより前の記録です" in page, "an old record closed it"
        browser.open(f"/tasks/{task}/close")
        today = time.strftime("%Y-%m-%d")
        browser.send(f"/tasks/{task}/close", held_on=today, statement="見直した")
        page = browser.open("/tasks")
        assert task not in page and "委託先の見直し" in page, "no next occurrence"
        # A wrong authority is refused: mail never goes to a server that proves nothing.
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", WORK / "o.key", "-out",
                        WORK / "other.pem", "-days", "2", "-subj", "/CN=Other"], check=True,
                       capture_output=True)
        before = len(inbox.mails)
        settings.update(ca_file=WORK / "other.pem", smtp_password="", webhook_secret="")
        browser.open("/settings/notices")
        browser.send("/settings/notices", **settings)
        browser.send("/settings/notices/test")
        wait("refused certificate", lambda: re.search(
            "ertificate|UnknownIssuer", browser.open("/settings/notices")), 30)
        assert len(inbox.mails) == before
        mails.stop()
        log = (WORK / "ume.log").read_text()
        assert SMTP_PASSWORD not in log and SECRET not in log, "a secret is in the log"
        print("notices: webhook signed, mail by STARTTLS, nothing lost or doubled through outage, "
              "greylisting, a lost answer and two kills; the task recurs")
    finally:
        server.kill()
        server.wait(20)


main()
