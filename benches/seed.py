#!/usr/bin/env python3
"""Fills a fresh Ume database for the page bars of the platform: assets, links and records.

usage: seed.py DIR [ASSETS LINKS RECORDS]   (DIR/ume.db must exist: start `ume serve --data DIR` once)

Writes rows straight into SQLite, so the ledger does not know them: for measuring pages only. Then
run `ume db reindex --data DIR`: the search index is made from the rows. For PostgreSQL carry the
result over with `ume db move`.
"""
import json, os, random, sqlite3, sys, time

folder = sys.argv[1]
assets, links, records = (int(n) for n in (sys.argv[2:5] or ("100000", "1000000", "1000000")))
random.seed(1)
db = sqlite3.connect(os.path.join(folder, "ume.db"))
db.execute("PRAGMA synchronous=OFF")
now = int(time.time() * 1e6)
HOUR = 3_600_000_000


def uid(n, table):
    return f"0198{table:04x}-{n >> 32 & 0xFFFF:04x}-7000-8000-{n & 0xFFFFFFFF:012x}"


KINDS = ["host"] * 60 + ["cloud_service"] * 10 + ["dataset"] * 15 + ["process"] * 10 + ["repository"] * 5
ROW = "(id,kind,name,owner,status,subject,object,subject_hash,starts_at,ends_at,attributes,schema_version,version,created_at,updated_at,updated_by,reason,request,deleted,salt)"


def row(ident, kind, name, subject=None, obj=None, attributes="{}"):
    return (ident, kind, name, None, "active", subject, obj, None, None, None, attributes, 1, 1, now, now, "seed", "", "", 0, "00" * 32)


def many(table, rows):
    db.executemany(f"INSERT INTO {table} {ROW} VALUES ({','.join('?' * 20)})", rows)


def attributes(kind, n):
    if kind != "host":
        return "{}"
    host = {
        "hostname": f"host-{n:06d}",
        "os": random.choice(["Debian 12", "Debian 13", "Windows Server 2025", "Ubuntu 24.04", "RHEL 9"]),
        "environment": random.choice(["production", "staging", "development"]),
        "memory_mib": random.choice([2048, 4096, 8192, 16384, 32768, 65536]) - random.randrange(2) * n % 7,
        "introduced_on": f"20{random.randrange(10, 26)}-{random.randrange(1, 13):02d}-01",
        "support_end": f"20{random.randrange(26, 36)}-06-30",
    }
    return json.dumps(host)


kinds = [random.choice(KINDS) for _ in range(assets)]
many("asset", (row(uid(i, 1), kinds[i], f"{kinds[i]} {i:06d} 資産", attributes=attributes(kinds[i], i)) for i in range(assets)))
names = ["depends_on", "stores", "located_in", "supplied_by", "owns"]
many("link", (row(uid(i, 2), random.choice(names), "link", uid(random.randrange(assets), 1), uid(random.randrange(assets), 1)) for i in range(links)))
types = ["configuration.snapshot", "monitoring.source_status", "isms.attested", "configuration.hash_check"]
facts = ['{"unread_permille":0,"family_count":16}', '{"silent":false,"received":10,"stored":10,"lost_permille":0,"source_class":"system"}', '{"criterion":"8.9/ume-1","held_on":"2026-11-01"}', "{}"]


def record(i):
    # As if it stood in the ledger; what is not in it yet is passed over one by one.
    at = now - random.randrange(24 * 60) * HOUR
    t = random.choices(range(4), (40, 40, 1, 19))[0]
    return (uid(i, 3), types[t], uid(random.randrange(assets), 1), "seed", at, at, at, "seed", "machine" if t != 2 else "attested", facts[t], None, i + 1000)


db.executemany(
    "INSERT INTO record (id,type,subject,actor,observed_from,observed_to,received_at,source,assurance,facts,payload_commit,leaf_index) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
    (record(i) for i in range(records)),
)
db.execute("DELETE FROM tally")
for table in ("asset", "link", "norm", "party", "task", "decision"):
    db.execute(f"INSERT INTO tally (name, amount) SELECT '{table}/' || kind, COUNT(*) FROM {table} WHERE deleted = 0 GROUP BY kind")
db.execute("INSERT INTO tally (name, amount) SELECT 'record/' || type, COUNT(*) FROM record GROUP BY type")
db.commit()
print(f"{assets} assets, {links} links, {records} records")
