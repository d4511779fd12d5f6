#!/usr/bin/env python3
"""Prints lines as five kinds of programs log them, drawn from a fixed seed, and one rare line among them.

lines.py COUNT > FILE
"""
import random
import sys

random.seed(7)
n=int(sys.argv[1])
users=[f"user{i}" for i in range(400)]
hosts=[f"srv{i:02}" for i in range(40)]
paths=["/","/index.html","/api/v1/items","/login","/static/app.js","/static/app.css","/img/logo.png"]
for i in range(n):
    h=random.choice(hosts); t=f"Nov {1+i*27//n:2} {i//3600%24:02}:{i//60%60:02}:{i%60:02}"
    ip=f"{random.randrange(1,224)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1,255)}"
    k=random.random()
    if k<.35: print(f'<134>{t} {h} nginx: {ip} - - [{1+i*27//n:02}/Nov/2026:{i//3600%24:02}:{i//60%60:02}:{i%60:02} +0900] "GET {random.choice(paths)}?s={random.getrandbits(32):08x} HTTP/1.1" {random.choice([200,200,200,304,404])} {random.randrange(200,90000)} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"')
    elif k<.6: print(f'<86>{t} {h} sshd[{random.randrange(400,65000)}]: {random.choice(["Accepted publickey","Failed password"])} for {random.choice(users)} from {ip} port {random.randrange(1024,65535)} ssh2')
    elif k<.75: print(f'<30>{t} {h} systemd[1]: Started Session {random.randrange(1,99999)} of User {random.choice(users)}.')
    elif k<.9: print(f'<4>{t} {h} kernel: [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56 SRC={ip} DST=10.0.{random.randrange(4)}.{random.randrange(1,255)} LEN={random.randrange(40,1500)} TOS=0x00 PREC=0x00 TTL={random.randrange(30,128)} ID={random.randrange(65536)} PROTO=TCP SPT={random.randrange(1024,65535)} DPT={random.choice([22,23,80,443,3389])} WINDOW=1024')
    else: print(f'<22>{t} {h} postfix/smtpd[{random.randrange(400,65000)}]: {random.getrandbits(44):011X}: client=mail{random.randrange(200)}.example.com[{ip}]')
    if i==n//3: print(f'<38>{t} {h} app[77]: transfer aborted ref=QZX-8841-KUROME')
