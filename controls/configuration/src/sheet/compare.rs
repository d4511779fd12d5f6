//! The rows of a sheet held against the facts of hosts.

use std::collections::{BTreeMap, BTreeSet};

use baseline::{Facts, Value};
use reports::{Book, find::Cell, fold};
use serde::Serialize;

use super::{
    Finding,
    catalogue::{Asked, Catalogue, look},
    map::{Role, SheetMap, Shifted},
    value::{self, Held},
};

/// Facts by the name of their host.
pub type Hosts = BTreeMap<String, Facts>;

/// One row for one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub sheet: String,
    /// Row of the file from 0.
    #[serde(skip)]
    pub row: usize,
    /// The cell of the design value, as a spreadsheet shows it.
    pub cell: String,
    pub host: String,
    /// The host of the columns it stands in, if hosts stand side by side.
    #[serde(skip)]
    pub column_host: Option<String>,
    pub section: String,
    pub item: String,
    /// Path of the setting, if the item is known.
    pub key: String,
    pub family: &'static str,
    pub design: String,
    pub actual: String,
    #[serde(serialize_with = "by_name")]
    pub finding: Finding,
    pub evidence: String,
}

fn by_name<S: serde::Serializer>(finding: &Finding, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(finding.as_str())
}

/// What came of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub lines: Vec<Line>,
    /// Hosts that the table names and nobody gave facts of.
    pub hosts_missing: BTreeSet<String>,
}

/// Holds the rows of a table against the hosts. `alone` is the host meant where the sheet names none.
pub fn compare(
    book: &Book,
    map: &SheetMap,
    hosts: &Hosts,
    alone: Option<&str>,
) -> Result<Compared, Shifted> {
    let (sheet, table) = map.locate(book)?;
    let left = sheet.origin.1 as usize;
    let index = |at: usize| table.columns.iter().position(|column| left + column.at == at);
    let items: Vec<usize> = map.places(Role::Item).filter_map(|place| index(place.at)).collect();
    let groups: Vec<usize> = map
        .columns
        .iter()
        .filter(|place| matches!(place.role, Role::Group | Role::File))
        .filter_map(|place| index(place.at))
        .collect();
    let mut out = Compared::default();
    let mut above: Vec<String> = vec![String::new(); groups.len()];
    for (row, cells) in table.records(sheet) {
        let text = |index: usize| cells.get(index).map_or("", |cell| cell.text.as_ref());
        carry(&mut above, &groups, &cells);
        let named: Vec<&str> = items.iter().map(|i| text(*i)).filter(|t| !t.is_empty()).collect();
        let Some((item, outer)) = named.split_last() else { continue };
        let mut sections: Vec<&str> =
            above.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        sections.extend(outer);
        let unit = map.place(Role::Unit, None).and_then(|place| index(place.at)).map_or("", text);
        let said = map.place(Role::Host, None).and_then(|place| index(place.at)).map_or("", text);
        for place in map.places(Role::Design) {
            let named = place.host.as_deref().or(Some(said).filter(|said| !said.is_empty()));
            let name = named.or(map.host.as_deref()).or(alone).unwrap_or("");
            let Some((host, facts)) = host_of(hosts, name) else {
                out.hosts_missing.insert(name.to_owned());
                continue;
            };
            let at = sheet.origin.0 as usize + row;
            let mut line = Line {
                sheet: sheet.name.clone(),
                row: at,
                cell: reports::address(at, place.at),
                host: host.clone(),
                column_host: place.host.clone(),
                section: sections.join(" / "),
                item: (*item).to_owned(),
                key: String::new(),
                family: "",
                design: index(place.at).map_or("", text).to_owned(),
                actual: String::new(),
                finding: Finding::UnknownItem,
                evidence: String::new(),
            };
            line.judge(&sections, unit, facts);
            out.lines.push(line);
        }
    }
    Ok(out)
}

/// A section that stands in its first row only holds for the rows below.
fn carry(above: &mut [String], groups: &[usize], cells: &[Cell<'_>]) {
    let text = |index: usize| cells.get(index).map_or("", |cell| cell.text.as_ref());
    let first = groups.iter().position(|index| !text(*index).is_empty());
    let Some(first) = first else { return };
    // A new outer section ends the inner ones.
    for (at, index) in groups.iter().enumerate().skip(first) {
        above[at] = text(*index).to_owned();
    }
}

/// The facts of a host by its name; the short name of a host stands for the long one.
fn host_of<'h>(hosts: &'h Hosts, name: &str) -> Option<(&'h String, &'h Facts)> {
    let wanted = fold(name);
    let short = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    hosts.iter().find(|(host, _)| fold(host) == wanted).or_else(|| {
        let mut near = hosts.iter().filter(|(host, _)| short(&fold(host)) == short(&wanted));
        let one = near.next();
        one.filter(|_| near.next().is_none() && !wanted.is_empty())
    })
}

/// What a setting came to on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Path of the setting, if the item is known.
    pub key: String,
    pub family: &'static str,
    pub actual: String,
    pub finding: Finding,
    pub evidence: String,
}

/// Holds one design value against the facts of a host; `sections` are what the item stands under.
pub fn judged(sections: &[&str], item: &str, design: &str, unit: &str, facts: &Facts) -> Judged {
    let mut judged = Judged {
        key: String::new(),
        family: "",
        actual: String::new(),
        finding: Finding::UnknownItem,
        evidence: String::new(),
    };
    let Some(asked) = Catalogue::shipped().asked(sections, item, facts) else {
        if value::is_open(design) {
            judged.finding = Finding::NoDesign;
        }
        return judged;
    };
    (judged.key, judged.family) = (asked.path(), asked.family);
    let found = look(&asked, facts);
    if let Some((value, fact)) = found {
        (judged.actual, judged.evidence) = (value.shown(), fact.origin.to_string());
    }
    judged.finding = match found {
        _ if value::is_open(design) => Finding::NoDesign,
        None if is_unread(&asked, facts) => Finding::Unread,
        None if value::is_nothing(design) => Finding::Equal,
        None => Finding::NotSet,
        Some((Value::Absent, _)) if !value::is_nothing(design) => Finding::NotSet,
        Some((actual, _)) => {
            let design = format!("{design}{}", if is_number(design) { unit } else { "" });
            match value::held(&design, actual, asked.unit) {
                Held::Equal => Finding::Equal,
                Held::Differs => Finding::Differs,
                Held::Unclear => Finding::Unclear,
            }
        }
    };
    judged
}

impl Line {
    fn judge(&mut self, sections: &[&str], unit: &str, facts: &Facts) {
        let judged = judged(sections, &self.item, &self.design, unit, facts);
        (self.key, self.family) = (judged.key, judged.family);
        (self.actual, self.evidence) = (judged.actual, judged.evidence);
        self.finding = judged.finding;
    }

    /// What stands in the column 差分.
    pub fn difference(&self, japanese: bool) -> String {
        match (self.finding, japanese) {
            (Finding::Differs | Finding::Unclear, true) => {
                format!("設計 {} → 実機 {}", self.design, self.actual)
            }
            (Finding::Differs | Finding::Unclear, false) => {
                format!("designed {} → actual {}", self.design, self.actual)
            }
            (Finding::NotSet, true) => format!("設計 {} → 実機なし", self.design),
            (Finding::NotSet, false) => format!("designed {} → not set", self.design),
            _ => String::new(),
        }
    }
}

fn is_number(text: &str) -> bool {
    let folded = fold(text);
    !folded.is_empty() && folded.bytes().all(|b| b.is_ascii_digit() || b == b',')
}

fn is_unread(asked: &Asked, facts: &Facts) -> bool {
    let sources = asked.sources();
    facts.unread.iter().any(|unread| {
        let place = unread.place.to_string();
        sources.iter().any(|source| place.starts_with(source))
    })
}

#[cfg(test)]
mod tests {
    use baseline::{Class, Unit, Unread};
    use reports::Sheet;

    use super::*;
    use crate::sheet::{catalogue::tests::fact, map::propose};

    fn book(rows: &[&[&str]]) -> Book {
        let rows = rows.iter().map(|r| r.iter().map(|c| (*c).to_owned()).collect()).collect();
        Book {
            sheets: vec![Sheet { name: "設計".into(), rows, ..Sheet::default() }],
            since_1904: false,
        }
    }

    fn hosts() -> Hosts {
        let facts = Facts::new(vec![
            fact(Class::Sshd, "permitrootlogin", Value::texts(["yes"])),
            fact(Class::Sshd, "port", Value::texts(["22"])),
            fact(Class::LoginDefault, "PASS_MAX_DAYS", Value::Quantity(90, Unit::Days)),
        ]);
        [("web1.example.jp".to_owned(), facts)].into()
    }

    fn findings(rows: &[&[&str]], hosts: &Hosts) -> Vec<(String, Finding)> {
        let book = book(rows);
        let map = &propose(&book, &[])[0];
        let compared = compare(&book, map, hosts, Some("web1")).expect("laid out");
        compared.lines.into_iter().map(|line| (line.item, line.finding)).collect()
    }

    #[test]
    fn each_row_says_what_came_of_it() {
        let rows: &[&[&str]] = &[
            &["大項目", "項目", "設定値", "備考"],
            &["SSH", "PermitRootLogin", "×", ""],
            &["", "Port", "２２", ""],
            &["", "MaxSessions", "10", ""],
            &["パスワード", "パスワード有効期間", "90日以内", ""],
            &["", "保管場所", "金庫", ""],
            &["", "UMASK", "-", ""],
        ];
        let found = findings(rows, &hosts());
        let found: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
        use Finding::*;
        assert_eq!(found, [Differs, Equal, NotSet, Equal, UnknownItem, NoDesign]);
    }

    #[test]
    fn what_was_not_read_is_neither_set_nor_unset() {
        let rows: &[&[&str]] = &[
            &["分類", "項目", "設定値"],
            &["SSH", "MaxSessions", "10"],
            &["SSH", "Banner", "なし"],
        ];
        let mut hosts = hosts();
        let facts = hosts.get_mut("web1.example.jp").expect("host");
        facts.unread = vec![Unread {
            place: "/etc/ssh/sshd_config".into(),
            reason: "permission denied".into(),
        }];
        assert!(findings(rows, &hosts).iter().all(|(_, finding)| *finding == Finding::Unread));
    }

    #[test]
    fn a_host_without_facts_is_named_and_judged_by_nobody() {
        let book =
            book(&[&["項目", "web1", "db9"], &["Port", "22", "22"], &["UMASK", "027", "022"]]);
        let map = &propose(&book, &[])[0];
        let compared = compare(&book, map, &hosts(), None).expect("laid out");
        assert_eq!(compared.hosts_missing, BTreeSet::from(["db9".to_owned()]));
        assert!(compared.lines.iter().all(|line| line.host == "web1.example.jp"));
    }
}
