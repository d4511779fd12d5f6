#!/usr/bin/env python3
"""Prints lines as five kinds of programs log them, drawn from a fixed seed, and one rare line among them.

lines.py COUNT > FILE
"""
import random
import sys

random.seed(7)
count = int(sys.argv[1])
users = [f"user{i}" for i in range(400)]
hosts = [f"srv{i:02}" for i in range(40)]
paths = ["/", "/index.html", "/api/v1/items", "/login", "/static/app.js", "/static/app.css", "/img/logo.png"]
agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
for i in range(count):
    host = random.choice(hosts)
    day, clock = 1 + i * 27 // count, f"{i // 3600 % 24:02}:{i // 60 % 60:02}:{i % 60:02}"
    time = f"Nov {day:2} {clock}"
    ip = f"{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    kind = random.random()
    if kind < 0.35:
        print(f'<134>{time} {host} nginx: {ip} - - [{day:02}/Nov/2026:{clock} +0900] "GET {random.choice(paths)}'
              f'?s={random.getrandbits(32):08x} HTTP/1.1" {random.choice([200, 200, 200, 304, 404])} '
              f'{random.randrange(200, 90000)} "-" "{agent}"')
    elif kind < 0.6:
        print(f'<86>{time} {host} sshd[{random.randrange(400, 65000)}]: '
              f'{random.choice(["Accepted publickey", "Failed password"])} for {random.choice(users)} '
              f'from {ip} port {random.randrange(1024, 65535)} ssh2')
    elif kind < 0.75:
        print(f'<30>{time} {host} systemd[1]: Started Session {random.randrange(1, 99999)} of User {random.choice(users)}.')
    elif kind < 0.9:
        print(f'<4>{time} {host} kernel: [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56 SRC={ip} '
              f'DST=10.0.{random.randrange(4)}.{random.randrange(1, 255)} LEN={random.randrange(40, 1500)} TOS=0x00 '
              f'PREC=0x00 TTL={random.randrange(30, 128)} ID={random.randrange(65536)} PROTO=TCP '
              f'SPT={random.randrange(1024, 65535)} DPT={random.choice([22, 23, 80, 443, 3389])} WINDOW=1024')
    else:
        print(f'<22>{time} {host} postfix/smtpd[{random.randrange(400, 65000)}]: {random.getrandbits(44):011X}: '
              f'client=mail{random.randrange(200)}.example.com[{ip}]')
    if i == count // 3:
        print(f"<38>{time} {host} app[77]: transfer aborted ref=QZX-8841-KUROME")
