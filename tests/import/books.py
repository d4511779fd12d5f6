"""Workbooks as openpyxl writes them, with what people keep in them. Usage: books.py FOLDER

Prints one line for each: file name, then what `ume import --dry-run` has to find in it, as
target=added pairs, and cells that have to be refused."""

import datetime
import sys
from pathlib import Path

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def keep(book, name, *expected):
    book.save(folder / name)
    print(name, *expected)


def rows(sheet, at, lines):
    for r, cells in enumerate(lines, at):
        for c, value in enumerate(cells, 1):
            if value is not None and value != "":
                sheet.cell(r, c, value)


# 1904 dates, real date cells beside texts.
book = Workbook()
book.epoch = CALENDAR_MAC_1904
sheet = book.active
sheet.title = "PC一覧"
rows(sheet, 1, [["端末管理台帳"], [], ["機器名", "種別", "型番", "製造番号", "導入日", "保守期限"]])
rows(sheet, 4, [
    ["梅PC1", "業務用PC", "U1", "A1", datetime.date(2023, 4, 1), datetime.date(2028, 3, 31)],
    ["梅PC2", "業務用PC", "U1", "A2", "令和５年１０月１日", "R10.9.30"],
])
keep(book, "mac1904.xlsx", "asset/hardware=2")

# A table object with filter, a hidden column, colours, a comment and a drop-down.
book = Workbook()
sheet = book.active
sheet.title = "委託先"
rows(sheet, 1, [["管理番号", "会社名", "委託内容", "契約満了日", "個人情報", "連絡先"]])
for n in range(1, 41):
    rows(sheet, n + 1, [[n, f"委託先{n:02}株式会社", "配送業務", datetime.date(2027, 3, 31), "有" if n % 2 else "無", f"03-0000-{n:04}"]])
sheet.add_table(Table(displayName="suppliers", ref="A1:F41"))
sheet.column_dimensions["A"].hidden = True
sheet["B2"].fill = PatternFill("solid", fgColor="FFFF00")
sheet["B2"].comment = Comment("契約更新中", "総務")
drop = DataValidation(type="list", formula1='"有,無"')
sheet.add_data_validation(drop)
drop.add("E2:E41")
keep(book, "table.xlsx", "party/supplier=40")

# Two-row header with merged groups, each department merged down, notes, print titles.
book = Workbook()
sheet = book.active
sheet.title = "情報資産"
sheet.merge_cells("A1:G1")
sheet["A1"] = "情報資産台帳"
sheet["A1"].font = Font(size=16, bold=True)
sheet["A1"].alignment = Alignment(horizontal="center")
for area, text in [("A3:A4", "部署"), ("B3:B4", "情報資産名"), ("C3:C4", "情報分類"), ("D3:E3", "属性"), ("F3:F4", "保管期間"), ("G3:G4", "備考")]:
    sheet.merge_cells(area)
    sheet[area.split(":")[0]] = text
rows(sheet, 4, [["", "", "", "機密区分", "個人情報"]])
sheet.merge_cells("A5:A7")
rows(sheet, 5, [
    ["営業部", "顧客名簿", "顧客情報", "極秘", "✓", "７年", "紙・電子"],
    ["", "契約書", "〃", "〃", "×", "10年"],
    ["", "日報", "業務記録", "社外秘", "", "1年"],
])
rows(sheet, 9, [["注1）年1回見直す。"], ["以上"]])
keep(book, "merged.xlsx", "asset/dataset=3")

# Three registers, one of them hidden, and a sheet that is none.
book = Workbook()
sheet = book.active
sheet.title = "表紙"
rows(sheet, 2, [["情報セキュリティ管理台帳一式"], ["株式会社梅園"]])
sheet = book.create_sheet("名簿")
rows(sheet, 1, [["氏名", "所属部署", "役職", "メールアドレス"], ["梅田 花子", "総務部", "部長", "u@example.jp"], ["竹内 太郎", "同上", "", "t@example.jp"]])
sheet = book.create_sheet("ソフト台帳")
rows(sheet, 1, [["ソフト名", "分類", "バージョン", "導入日"], ["梅エディタ", "業務アプリケーション", "1.2", "20250401"]])
sheet = book.create_sheet("クラウド一覧")
sheet.sheet_state = "hidden"
rows(sheet, 1, [["サービス名", "利用状況", "利用目的", "提供事業者", "利用部門"], ["梅メール", "利用中", "メール", "梅クラウド", "総務部"]])
keep(book, "set.xlsx", "party/person=2", "asset/software=1", "asset/cloud_service=1")

# Cells that no one can read.
book = Workbook()
sheet = book.active
sheet.title = "委託先一覧"
rows(sheet, 1, [["会社名", "契約番号", "契約終了日"], ["梅運輸", "K1", "2027年2月30日"], ["竹清掃", "K2", "未定"], ["梅運輸", "K3", "2027/3/31"]])
keep(book, "bad.xlsx", "party/supplier=0", "!C2", "!C3", "!A4")

# A formula without a saved value, an error value, booleans and percentages.
book = Workbook()
sheet = book.active
sheet.title = "サーバ一覧"
rows(sheet, 1, [["ホスト名", "OS", "CPUコア数", "メモリ", "設置場所"], ["web1", "Debian 12", 4, "16GB", "本社"], ["web2", "Debian 12", "８コア", "32 GB", "同上"]])
sheet["G2"] = "=1+1"
keep(book, "formulas.xlsx", "asset/host=2")
