#!/usr/bin/env python3
"""Reads a register of 100,000 rows: Ume's reader against openpyxl, CPU of each.

Usage: benches/import.py UME_BENCH_BINARY [ROWS [ROUNDS]]
Needs openpyxl. The binary is the example `read` of house/reports, built with --release:
    cargo build --release -p reports --example read
It reads every cell, finds the tables and resolves their rows; openpyxl reads every cell only
(`read_only`, `values_only`, its fastest way)."""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

binary, count, rounds = sys.argv[1], int((sys.argv[2:] or ["100000"])[0]), int((sys.argv[3:] or ["3"])[0])
HEADER = ["機器名", "種別", "メーカー", "型番", "製造番号", "使用者", "設置場所", "購入日", "保守期限", "備考"]
PEER = """
import sys
from openpyxl import load_workbook
seen = 0
for sheet in load_workbook(sys.argv[1], read_only=True):
    for row in sheet.iter_rows(values_only=True):
        seen += sum(cell is not None for cell in row)
print(seen)
"""


def make(path):
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("機器台帳")
    sheet.append(["機器台帳（2026年度）"])
    sheet.append(HEADER)
    for n in range(count):
        sheet.append([f"PC-{n:06}", "業務用PC", "梅電機", f"U-{n % 50}", f"S{n:08}", f"社員{n % 900:03}", f"{n % 12 + 1}階",
                      "令和5年4月1日", 46_000 + n % 900, "同上" if n % 3 else "貸与"])
    book.save(path)


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, said


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "register.xlsx"
    make(path)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(cpu([binary, str(path)]))
        theirs.append(cpu([sys.executable, "-c", PEER, str(path)]))
    a, b = (statistics.median(seconds for seconds, _ in all) for all in (ours, theirs))
    print(f"{count} rows, {path.stat().st_size >> 20} MiB: Ume {a:.2f} s ({ours[0][1]}), openpyxl {b:.2f} s ({theirs[0][1]} cells): {a / b:.3f}x")
