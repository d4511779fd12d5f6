//! Which column of a sheet holds what: proposed from the headers, confirmed by people, kept, and held
//! against the workbook the next time.

use std::collections::BTreeSet;

use reports::{
    Book, Sheet,
    find::{self, Column, Table},
    fold, fold_header,
};
use serde::{Deserialize, Serialize};

/// Most hosts of one table.
pub const HOSTS_MAX: usize = 64;
const COLUMNS_MAX: usize = 200;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Number,
    Group,
    Item,
    File,
    Design,
    Unit,
    Default,
    Actual,
    Difference,
    Verdict,
    CheckedOn,
    Evidence,
    Note,
    Host,
}

impl Role {
    /// What a person may choose for a column.
    pub const ALL: [Role; 14] = [
        Role::Number,
        Role::Group,
        Role::Item,
        Role::File,
        Role::Design,
        Role::Unit,
        Role::Default,
        Role::Actual,
        Role::Difference,
        Role::Verdict,
        Role::CheckedOn,
        Role::Evidence,
        Role::Note,
        Role::Host,
    ];
}

/// What Ume fills, in the order in which new columns stand.
pub const FILLED: [Role; 5] =
    [Role::Actual, Role::Difference, Role::Verdict, Role::CheckedOn, Role::Evidence];

const WORDS: [(Role, &[&str]); 14] = [
    (Role::Number, &["no", "no.", "#", "項番", "番号", "通番", "連番"]),
    (
        Role::Group,
        &[
            "分類",
            "区分",
            "大項目",
            "中項目",
            "大分類",
            "中分類",
            "カテゴリ",
            "カテゴリー",
            "種別",
            "機能",
            "category",
            "section",
            "group",
        ],
    ),
    (
        Role::Item,
        &[
            "項目",
            "設定項目",
            "項目名",
            "設定項目名",
            "小項目",
            "小分類",
            "パラメータ",
            "パラメータ名",
            "パラメーター名",
            "設定名",
            "キー",
            "確認項目",
            "item",
            "parameter",
            "setting",
            "key",
            "name",
        ],
    ),
    (
        Role::File,
        &[
            "設定ファイル",
            "ファイル",
            "ファイルパス",
            "ファイル名",
            "対象ファイル",
            "設定ファイルパス",
            "file",
            "path",
            "config file",
        ],
    ),
    (
        Role::Design,
        &[
            "設計値",
            "設定値",
            "期待値",
            "値",
            "設計",
            "パラメータ値",
            "規定値",
            "あるべき値",
            "設定内容",
            "design",
            "design value",
            "value",
            "expected",
            "expected value",
        ],
    ),
    (Role::Unit, &["単位", "unit"]),
    (
        Role::Default,
        &["デフォルト値", "デフォルト", "既定値", "初期値", "標準値", "default", "default value"],
    ),
    (
        Role::Actual,
        &[
            "実機値",
            "実測値",
            "現在値",
            "現状値",
            "実値",
            "実設定値",
            "実際の値",
            "現行値",
            "actual",
            "actual value",
            "current value",
        ],
    ),
    (Role::Difference, &["差分", "差異", "相違", "difference", "diff"]),
    (Role::Verdict, &["判定", "判定結果", "結果", "合否", "確認結果", "verdict", "result"]),
    (
        Role::CheckedOn,
        &["確認日", "確認日時", "確認日付", "実施日", "checked on", "date checked", "date"],
    ),
    (Role::Evidence, &["根拠", "エビデンス", "証跡", "確認箇所", "出典", "evidence", "source"]),
    (
        Role::Note,
        &[
            "備考",
            "説明",
            "補足",
            "コメント",
            "理由",
            "概要",
            "note",
            "notes",
            "remarks",
            "description",
            "comment",
        ],
    ),
    (
        Role::Host,
        &[
            "ホスト名",
            "ホスト",
            "サーバー名",
            "サーバー",
            "機器名",
            "対象サーバー",
            "対象ホスト",
            "コンピュータ名",
            "host",
            "hostname",
            "host name",
            "server",
        ],
    ),
];

impl Role {
    /// The header that a new column of this role gets.
    pub fn header(self, japanese: bool) -> &'static str {
        match (self, japanese) {
            (Role::Actual, true) => "実機値",
            (Role::Actual, false) => "Actual value",
            (Role::Difference, true) => "差分",
            (Role::Difference, false) => "Difference",
            (Role::Verdict, true) => "判定",
            (Role::Verdict, false) => "Result",
            (Role::CheckedOn, true) => "確認日",
            (Role::CheckedOn, false) => "Checked on",
            (Role::Evidence, true) => "根拠",
            (Role::Evidence, false) => "Evidence",
            (_, true) => "項目",
            (_, false) => "Item",
        }
    }

    fn of(word: &str) -> Option<Role> {
        let found = WORDS.iter().find(|(_, words)| words.iter().any(|w| fold_header(w) == word));
        found.map(|(role, _)| *role)
    }
}

/// A column and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub role: Role,
    /// Column from 0, in the file.
    pub at: usize,
    /// Its header as it stood, or as it will.
    pub header: String,
    /// The host it is about, where hosts stand side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// It is not there yet and will be written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub new: bool,
}

/// Which columns of a table hold what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SheetMap {
    pub sheet: String,
    /// The last row of its header, as a spreadsheet counts.
    pub header_row: usize,
    pub columns: Vec<Place>,
    /// The host that the sheet as a whole is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// A sheet that is not laid out as its map says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shifted {
    #[error("the sheet {0} is not in the workbook")]
    NoSheet(String),
    #[error("the sheet {sheet} has no table whose header stands in row {row}")]
    NoTable { sheet: String, row: usize },
    #[error(
        "cell {cell} holds \"{found}\" where the header \"{wanted}\" was expected: columns were moved, so propose the mapping anew"
    )]
    Header { cell: String, found: String, wanted: String },
    #[error("cell {cell} was to become the new column \"{wanted}\" and is no longer free")]
    Taken { cell: String, wanted: String },
}

impl Shifted {
    /// What is wrong and what to do, in Japanese.
    pub fn ja(&self) -> String {
        match self {
            Shifted::NoSheet(sheet) => format!("シート「{sheet}」がブックにありません。"),
            Shifted::NoTable { sheet, row } => {
                format!(
                    "シート「{sheet}」の{row}行目に見出しのある表がありません。対応付けをやり直してください。"
                )
            }
            Shifted::Header { cell, found, wanted } => format!(
                "セル{cell}は見出し「{wanted}」のはずですが「{found}」です。列がずれているため、何も書き込みません。対応付けをやり直してください。"
            ),
            Shifted::Taken { cell, wanted } => format!(
                "新しい列「{wanted}」を置くセル{cell}が空いていません。対応付けをやり直してください。"
            ),
        }
    }
}

/// Whether a folded header is one that a parameter sheet has.
pub fn is_known(hosts: &BTreeSet<String>, word: &str) -> bool {
    Role::of(word).is_some() || hosts.contains(word)
}

/// Names of hosts, folded, as headers are compared with them.
pub fn folded<'h>(hosts: impl IntoIterator<Item = &'h str>) -> BTreeSet<String> {
    hosts.into_iter().map(fold_header).collect()
}

/// Proposes a map for every table that has items and design values; `hosts` are names of hosts known.
pub fn propose(book: &Book, hosts: &[String]) -> Vec<SheetMap> {
    let names = folded(hosts.iter().map(String::as_str));
    let mut maps = Vec::new();
    for sheet in &book.sheets {
        for table in find::tables(sheet, &|word| is_known(&names, word)) {
            maps.extend(of_table(sheet, &table, hosts));
        }
    }
    maps
}

fn of_table(sheet: &Sheet, table: &Table, hosts: &[String]) -> Option<SheetMap> {
    let left = sheet.origin.1 as usize;
    let mut columns: Vec<Place> = Vec::new();
    let mut unnamed: Vec<&Column> = Vec::new();
    for column in table.columns.iter().take(COLUMNS_MAX) {
        match read(column, hosts) {
            Some((role, host)) => columns.push(Place {
                role,
                at: left + column.at,
                header: column.text(),
                host,
                new: false,
            }),
            None => unnamed.push(column),
        }
    }
    settle(&mut columns);
    let has = |columns: &[Place], role| columns.iter().any(|place| place.role == role);
    if !has(&columns, Role::Item) {
        return None;
    }
    if !has(&columns, Role::Design) {
        // Hosts side by side, under names that nobody has told us.
        columns.extend(unnamed.into_iter().take(HOSTS_MAX).map(|column| Place {
            role: Role::Design,
            at: left + column.at,
            header: column.text(),
            host: Some(column.text()),
            new: false,
        }));
    }
    if !has(&columns, Role::Design) {
        return None;
    }
    columns.sort_by_key(|place| place.at);
    let japanese = table.columns.iter().any(|column| !column.text().is_ascii());
    let header_row = sheet.origin.0 as usize + table.header.end;
    let host = sheet_host(sheet, table, hosts);
    let mut map = SheetMap { sheet: sheet.name.clone(), header_row, columns, host };
    map.add_new(first_free(sheet), japanese);
    Some(map)
}

/// Role and host of a column by its header.
fn read(column: &Column, hosts: &[String]) -> Option<(Role, Option<String>)> {
    let host_of = |part: &String| {
        let word = fold_header(part);
        hosts.iter().find(|host| fold_header(host) == word).cloned()
    };
    let host = column.parts.iter().find_map(host_of);
    let role = find::spellings(&column.parts).iter().find_map(|word| Role::of(word));
    match (host, role) {
        // A group of several columns below a name that is no host, such as `本番`.
        (None, role) => role.map(|role| (role, None)),
        (Some(host), role) => Some((role.unwrap_or(Role::Design), Some(host))),
    }
}

/// Of several columns that read alike, which one is which.
fn settle(columns: &mut [Place]) {
    // `設計値 | 設定値`: what was designed, and what was set.
    let bare = |word: &str| {
        let word = fold_header(word);
        move |place: &&Place| {
            place.role == Role::Design && place.host.is_none() && fold_header(&place.header) == word
        }
    };
    let designed = columns.iter().find(bare("設計値")).map(|place| place.at);
    let set = columns.iter().find(bare("設定値")).map(|place| place.at);
    let has_actual = columns.iter().any(|place| place.role == Role::Actual);
    if let (Some(_), Some(set), false) = (designed, set, has_actual) {
        columns
            .iter_mut()
            .filter(|place| place.at == set)
            .for_each(|place| place.role = Role::Actual);
    }
    // Of any other role but items and groups the first column counts.
    let mut seen = BTreeSet::new();
    for place in columns.iter_mut() {
        let many = matches!(place.role, Role::Item | Role::Group);
        if !many && !seen.insert((place.role, place.host.clone())) {
            place.role = Role::Note;
        }
    }
}

/// The host that a sheet is about: its name, or what a cell above the table says.
fn sheet_host(sheet: &Sheet, table: &Table, hosts: &[String]) -> Option<String> {
    let known = |text: &str| {
        let word = fold(text);
        hosts.iter().find(|host| word == fold(host)).cloned()
    };
    for row in sheet.rows.iter().take(table.header.start) {
        let filled: Vec<&String> = row.iter().filter(|text| !text.is_empty()).collect();
        for pair in filled.windows(2) {
            if Role::of(&fold_header(pair[0])) == Some(Role::Host) {
                return known(pair[1]).or_else(|| Some(pair[1].clone()));
            }
        }
        let one_cell = filled.iter().find_map(|text| {
            let (label, name) = text.split_once([':', '：'])?;
            (Role::of(&fold_header(label)) == Some(Role::Host)).then(|| name.trim().to_owned())
        });
        if let Some(name) = one_cell.filter(|name| !name.is_empty()) {
            return known(&name).or(Some(name));
        }
    }
    known(&sheet.name)
}

/// First column of the file right of everything on the sheet.
pub(super) fn first_free(sheet: &Sheet) -> usize {
    let width = sheet.rows.iter().map(Vec::len).max().unwrap_or(0);
    let merged = sheet.merged.iter().map(|area| area.right + 1).max().unwrap_or(0);
    sheet.origin.1 as usize + width.max(merged)
}

impl SheetMap {
    pub(super) fn add_new(&mut self, mut free: usize, japanese: bool) {
        let hosts: Vec<Option<String>> = self.design_hosts();
        for host in &hosts {
            for role in FILLED {
                if self.place(role, host.as_deref()).is_some() {
                    continue;
                }
                let header = match host {
                    Some(host) => format!("{host} {}", role.header(japanese)),
                    None => role.header(japanese).to_owned(),
                };
                self.columns.push(Place { role, at: free, header, host: host.clone(), new: true });
                free += 1;
            }
        }
    }

    /// The hosts whose design values stand in columns; one `None` where they do not.
    pub fn design_hosts(&self) -> Vec<Option<String>> {
        let design = self.columns.iter().filter(|place| place.role == Role::Design);
        design.map(|place| place.host.clone()).collect()
    }

    /// The column of a role, of a host or shared.
    pub fn place(&self, role: Role, host: Option<&str>) -> Option<&Place> {
        self.columns.iter().find(|place| place.role == role && place.host.as_deref() == host)
    }

    /// All columns of a role.
    pub fn places(&self, role: Role) -> impl Iterator<Item = &Place> {
        self.columns.iter().filter(move |place| place.role == role)
    }

    /// Leaves out new columns of other roles.
    pub fn only_new(&mut self, roles: &[Role]) {
        self.columns.retain(|place| !place.new || roles.contains(&place.role));
    }

    /// Finds the sheet and table that this map is about, laid out as it says.
    pub fn locate<'b>(&self, book: &'b Book) -> Result<(&'b Sheet, Table), Shifted> {
        let sheet = book.sheets.iter().find(|sheet| sheet.name == self.sheet);
        let sheet = sheet.ok_or_else(|| Shifted::NoSheet(self.sheet.clone()))?;
        let hosts = folded(self.columns.iter().filter_map(|place| place.host.as_deref()));
        let top = sheet.origin.0 as usize;
        let mut tables = find::tables(sheet, &|word| is_known(&hosts, word));
        let at = tables.iter().position(|table| top + table.header.end == self.header_row);
        let table = match at {
            Some(at) => tables.swap_remove(at),
            None => {
                self.check_headers(sheet, None)?;
                return Err(Shifted::NoTable { sheet: self.sheet.clone(), row: self.header_row });
            }
        };
        self.check_headers(sheet, Some(&table))?;
        Ok((sheet, table))
    }

    fn check_headers(&self, sheet: &Sheet, table: Option<&Table>) -> Result<(), Shifted> {
        let (top, left) = (sheet.origin.0 as usize, sheet.origin.1 as usize);
        let row = self.header_row.saturating_sub(1);
        for place in &self.columns {
            let (r, c) = (row.checked_sub(top), place.at.checked_sub(left));
            let raw =
                r.zip(c).and_then(|(r, c)| sheet.rows.get(r)?.get(c)).map_or("", String::as_str);
            let cell = format!("{}!{}", self.sheet, reports::address(row, place.at));
            let column = table.and_then(|t| t.columns.iter().find(|col| Some(col.at) == c));
            let found = column.map_or_else(|| raw.to_owned(), Column::text);
            if fold(&found) == fold(&place.header) {
                continue;
            }
            let wanted = place.header.clone();
            match place.new {
                false => return Err(Shifted::Header { cell, found, wanted }),
                true if !found.is_empty() => return Err(Shifted::Taken { cell, wanted }),
                true => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn sheet(name: &str, rows: &[&[&str]]) -> Sheet {
        let rows = rows.iter().map(|r| r.iter().map(|c| (*c).to_owned()).collect()).collect();
        Sheet { name: name.to_owned(), rows, ..Sheet::default() }
    }

    fn book(sheets: Vec<Sheet>) -> Book {
        Book { sheets, since_1904: false }
    }

    fn roles(map: &SheetMap) -> Vec<(Role, usize, bool)> {
        map.columns.iter().map(|place| (place.role, place.at, place.new)).collect()
    }

    #[test]
    fn a_sheet_of_one_host_gets_the_columns_it_lacks() {
        let rows: &[&[&str]] = &[
            &["パラメータシート"],
            &["サーバー名", "web1"],
            &[],
            &["No.", "大項目", "項目", "設定値", "備考", "判定"],
            &["1", "SSH", "PermitRootLogin", "no", ""],
            &["2", "", "Port", "22", ""],
        ];
        let maps = propose(
            &book(vec![sheet("表紙", &[&["改訂履歴"]]), sheet("設計", rows)]),
            &["web1".into()],
        );
        assert_eq!(maps.len(), 1);
        assert_eq!((maps[0].host.as_deref(), maps[0].header_row), (Some("web1"), 4));
        use Role::*;
        assert_eq!(
            roles(&maps[0]),
            [
                (Number, 0, false),
                (Group, 1, false),
                (Item, 2, false),
                (Design, 3, false),
                (Note, 4, false),
                (Verdict, 5, false),
                (Actual, 6, true),
                (Difference, 7, true),
                (CheckedOn, 8, true),
                (Evidence, 9, true)
            ]
        );
    }

    #[test]
    fn hosts_may_stand_side_by_side_known_or_not() {
        let rows: &[&[&str]] = &[
            &["設定項目", "web1", "db1", "備考"],
            &["Port", "22", "22"],
            &["UMASK", "027", "022"],
        ];
        for hosts in [vec!["web1".to_owned(), "db1".to_owned()], vec![]] {
            let maps = propose(&book(vec![sheet("設計", rows)]), &hosts);
            let designs: Vec<_> =
                maps[0].places(Role::Design).map(|p| (p.at, p.host.as_deref())).collect();
            assert_eq!(designs, [(1, Some("web1")), (2, Some("db1"))]);
            assert_eq!(maps[0].columns.iter().filter(|place| place.new).count(), 10);
        }
    }

    #[test]
    fn a_moved_column_is_found_and_its_cell_named() {
        let rows: &[&[&str]] =
            &[&["項目", "設定値", "備考"], &["Port", "22", "x"], &["UMASK", "027", "y"]];
        let map = propose(&book(vec![sheet("設計", rows)]), &[]).remove(0);
        assert!(map.locate(&book(vec![sheet("設計", rows)])).is_ok());
        let moved: &[&[&str]] =
            &[&["項目", "備考", "設定値"], &["Port", "x", "22"], &["UMASK", "y", "027"]];
        let error = map.locate(&book(vec![sheet("設計", moved)])).expect_err("moved").to_string();
        assert!(error.contains("設計!B1") && error.contains("設定値"), "{error}");
        let down: &[&[&str]] = &[&["改訂", "1"], &["項目", "設定値", "備考"], &["Port", "22", "x"]];
        assert!(matches!(
            map.locate(&book(vec![sheet("設計", down)])),
            Err(Shifted::Header { .. })
        ));
        assert!(matches!(map.locate(&book(vec![sheet("別", rows)])), Err(Shifted::NoSheet(_))));
        let taken: &[&[&str]] = &[&["項目", "設定値", "備考", "承認"], &["Port", "22", "x", "済"]];
        assert!(matches!(
            map.locate(&book(vec![sheet("設計", taken)])),
            Err(Shifted::Taken { .. })
        ));
    }
}
