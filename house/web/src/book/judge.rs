//! Judges every row of every table. Pure: what is there comes in, what would be written goes out.
//!
//! Two walks: the first gives each row its id, so that the second can resolve names between tables,
//! whatever their order.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use model::{Field, FieldError, FieldType, Id, KindSpec, Lang, Table, t};
use reports::{Sheet, find::Cell, fold};
use serde_json::Value as Json;
use store::{RecordDraft, Row};

use super::{
    Mapping, ROWS_MAX, Target,
    known::{Books, Known},
    mapping::{ID, VERSION},
    soa,
    typed::{Read, Reading, plain},
};

/// Parties that an import may add because cells name them.
pub(crate) const PROPOSED_MAX: usize = 2_000;
const NAME_CHARS_MAX: usize = 300;
/// Changed fields named beside a row.
const CHANGES_SHOWN: usize = 8;

/// What becomes of a row that was changed here since the sheet was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clash {
    /// Nothing is imported until someone decides.
    #[default]
    Refuse,
    /// What is here stays.
    Keep,
    /// What the sheet says counts.
    Take,
}

impl Clash {
    /// For forms and programs.
    pub fn name(self) -> &'static str {
        match self {
            Clash::Refuse => "refuse",
            Clash::Keep => "keep",
            Clash::Take => "take",
        }
    }

    /// Reads [`Clash::name`].
    pub fn parse(text: &str) -> Option<Clash> {
        [Clash::Refuse, Clash::Keep, Clash::Take].into_iter().find(|c| c.name() == text)
    }
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Added,
    Changed,
    Same,
    Refused,
}

/// One cell, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    pub cell: String,
    pub what: String,
    /// It keeps the row out; otherwise it warns.
    pub bad: bool,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct Line {
    /// Address of the cell that names it.
    pub cell: String,
    pub name: String,
    pub verdict: Verdict,
    /// Labels of the fields that change.
    pub changes: Vec<&'static str>,
    pub says: Vec<Says>,
}

impl Line {
    /// Whether it is taken, but with something left out or converted.
    pub fn warned(&self) -> bool {
        self.verdict != Verdict::Refused && !self.says.is_empty()
    }
}

/// A table as judged.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    pub added: usize,
    pub changed: usize,
    pub same: usize,
    pub refused: usize,
    pub warned: usize,
    /// Rows that were changed here since they were exported.
    pub clashes: usize,
    pub lines: Vec<Line>,
}

/// Someone named in a cell who is not there yet.
#[derive(Clone, Debug)]
pub struct Proposed {
    pub kind: &'static str,
    pub name: String,
    /// Cell that names them first.
    pub cell: String,
}

/// What an import would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// By table found; those left out have no lines.
    pub tables: Vec<Judged>,
    pub proposed: Vec<Proposed>,
    pub(crate) rows: Vec<Row>,
    pub(crate) records: Vec<RecordDraft>,
    /// What keeps the whole import out.
    pub fault: Option<String>,
}

impl Plan {
    /// Whether it may be committed.
    pub fn is_good(&self) -> bool {
        self.fault.is_none() && self.tables.iter().all(|table| table.refused == 0)
    }

    /// Whether it would change anything.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.records.is_empty()
    }

    /// A count over all tables.
    pub fn sum(&self, of: impl Fn(&Judged) -> usize) -> usize {
        self.tables.iter().map(of).sum()
    }
}

/// All that a judgement rests on.
pub(crate) struct Input {
    pub books: Arc<Books>,
    pub choices: Vec<Mapping>,
    pub targets: Vec<Option<Target>>,
    pub known: Known,
    /// Ids for what is new.
    pub ids: Vec<Id>,
    pub clash: Clash,
    pub lang: Lang,
    pub zone: TimeZone,
}

/// Judges.
pub(crate) fn judge(input: Input) -> Plan {
    let Input { books, choices, targets, known, ids, clash, lang, zone } = input;
    let mut bench = Bench {
        known: &known,
        ids: ids.into_iter(),
        clash,
        lang,
        zone: &zone,
        new: HashMap::new(),
        proposals: HashMap::new(),
        taken: HashSet::new(),
        plan: Plan::default(),
    };
    let among = books.files.len() > 1 || books.files.iter().any(|f| f.book.sheets.len() > 1);
    let jobs: Vec<Job<'_>> = books
        .found
        .iter()
        .zip(&choices)
        .zip(&targets)
        .map(|((found, mapping), target)| {
            let file = &books.files[found.file];
            Job {
                found,
                mapping,
                target: *target,
                sheet: found.sheet(&books.files),
                since_1904: file.book.since_1904,
                sha256: &file.sha256,
                among,
            }
        })
        .collect();
    let rows: usize =
        jobs.iter().filter(|job| job.target.is_some()).map(|job| job.found.table.rows.len()).sum();
    if rows > ROWS_MAX {
        bench.plan.fault = Some(bench.say(
            &format!("行数の上限は全体で{ROWS_MAX}です。分けて取り込んでください。"),
            &format!("At most {ROWS_MAX} rows over all tables. Take them in parts."),
        ));
        return bench.plan;
    }
    for job in &jobs {
        bench.name(job);
    }
    for job in &jobs {
        let judged = bench.table(job);
        bench.plan.tables.push(judged);
    }
    // Whom others name goes first, so that a row never names what is not there yet.
    let rank = |row: &Row| match row.table {
        Table::Party => 0,
        Table::Asset => 1,
        _ => 2,
    };
    bench.plan.rows.sort_by_key(rank);
    bench.plan
}

/// A table, where it goes, and where it stands.
struct Job<'b> {
    found: &'b super::Found,
    mapping: &'b Mapping,
    target: Option<Target>,
    sheet: &'b Sheet,
    since_1904: bool,
    sha256: &'b str,
    /// Other sheets are imported too, so that an address needs its sheet.
    among: bool,
}

impl Job<'_> {
    fn address(&self, row: usize, column: Option<usize>) -> String {
        let columns = &self.found.table.columns;
        let at = column.or(self.mapping.name).and_then(|c| columns.get(c)).or(columns.first());
        let cell = self.sheet.address(row, at.map_or(0, |c| c.at));
        if self.among { format!("{}!{cell}", self.sheet.name) } else { cell }
    }
}

/// What was said of one row so far.
struct Sayings<'j> {
    job: &'j Job<'j>,
    row: usize,
    says: Vec<Says>,
}

impl Sayings<'_> {
    fn bad(&mut self, column: Option<usize>, what: String) {
        self.says.push(Says { cell: self.job.address(self.row, column), what, bad: true });
    }

    fn warn(&mut self, column: Option<usize>, what: String) {
        self.says.push(Says { cell: self.job.address(self.row, column), what, bad: false });
    }

    fn is_bad(&self) -> bool {
        self.says.iter().any(|says| says.bad)
    }
}

struct Bench<'k> {
    known: &'k Known,
    ids: std::vec::IntoIter<Id>,
    clash: Clash,
    lang: Lang,
    zone: &'k TimeZone,
    /// Rows that this import adds: table, kind and folded name to id and name as written.
    new: HashMap<(Table, &'static str, String), Id>,
    /// Parties proposed: folded name to id.
    proposals: HashMap<String, Id>,
    /// Rows that some line stands for already.
    taken: HashSet<Id>,
    plan: Plan,
}

fn text<'c>(cells: &'c [Cell<'_>], column: Option<usize>) -> &'c str {
    column.and_then(|at| cells.get(at)).map_or("", |cell| cell.text.as_ref())
}

impl Bench<'_> {
    fn say(&self, ja: &str, en: &str) -> String {
        if self.lang == Lang::Ja { ja } else { en }.to_owned()
    }

    /// Gives an id to each name that is not there yet.
    fn name(&mut self, job: &Job<'_>) {
        let Some(target) = job.target.filter(|target| target.kind.is_some()) else { return };
        for (_, cells) in job.found.table.records(job.sheet) {
            let name = text(&cells, job.mapping.name);
            let given = text(&cells, job.mapping.column_of(ID));
            if name.is_empty() || !given.is_empty() {
                continue;
            }
            if self.known.named(target.table, target.id, name).is_empty() {
                let key = (target.table, target.id, fold(name));
                if !self.new.contains_key(&key)
                    && let Some(id) = self.ids.next()
                {
                    self.new.insert(key, id);
                }
            }
        }
    }

    fn table(&mut self, job: &Job<'_>) -> Judged {
        let mut judged = Judged::default();
        let Some(target) = job.target else { return judged };
        for (row, cells) in job.found.table.records(job.sheet) {
            let mut sayings = Sayings { job, row, says: Vec::new() };
            if job.sheet.hidden_rows.contains(&row) {
                let what = self.say("非表示の行です。", "This row is hidden in the workbook.");
                sayings.warn(None, what);
            }
            let (verdict, changes) = match target.kind {
                Some(kind) => self.row(job, kind, &cells, &mut sayings, &mut judged),
                None => (self.answer(job, &cells, &mut sayings), Vec::new()),
            };
            judged.take(Line {
                cell: job.address(row, None),
                name: text(&cells, job.mapping.name).chars().take(NAME_CHARS_MAX).collect(),
                verdict,
                changes,
                says: sayings.says,
            });
        }
        judged
    }

    /// A row of a Statement of Applicability.
    fn answer(&mut self, job: &Job<'_>, cells: &[Cell<'_>], sayings: &mut Sayings<'_>) -> Verdict {
        let column = |name: &str| job.mapping.column_of(name);
        let row = soa::Row {
            control: text(cells, job.mapping.name),
            applicable: text(cells, column("applicable")),
            status: text(cells, column("status")),
            reason: text(cells, column("reason")),
        };
        let (at, what) = match soa::draft(&self.known.answers, &row, job.sha256, self.lang) {
            Ok((norm, _)) if !self.taken.insert(norm) => (job.mapping.name, self.twice()),
            Ok((_, None)) => return Verdict::Same,
            Ok((_, Some(draft))) => {
                self.plan.records.push(draft);
                return Verdict::Added;
            }
            Err(soa::Fault::Control(what)) => (job.mapping.name, what),
            Err(soa::Fault::Applicable(what)) => (column("applicable"), what),
            Err(soa::Fault::Reason(what)) => (column("reason"), what),
        };
        sayings.bad(at, what);
        Verdict::Refused
    }

    fn twice(&self) -> String {
        self.say("同じ名称が前の行にもあります。", "This name stands in an earlier row too.")
    }

    /// The row a line stands for: the one its id names, else the one of its name, else a new one.
    fn find(
        &mut self,
        job: &Job<'_>,
        kind: &'static KindSpec,
        cells: &[Cell<'_>],
        sayings: &mut Sayings<'_>,
    ) -> Option<Row> {
        let name = text(cells, job.mapping.name).trim();
        let at = job.mapping.column_of(ID);
        let given = text(cells, at);
        if !given.is_empty() {
            let row = given.parse::<Id>().ok().and_then(|id| self.known.rows.get(&id));
            let row = row.filter(|row| row.table == kind.table && row.kind == kind.id);
            if row.is_none() {
                let what = self.say(
                    "この番号（ume_id）の行はありません。新しい行ならこのセルを空にしてください。",
                    "There is no row with this ume_id. For a new row leave the cell empty.",
                );
                sayings.bad(at, what);
            }
            return row.cloned();
        }
        if name.is_empty() {
            let what = self.say("名称がありません。", "The name is missing.");
            sayings.bad(job.mapping.name, what);
            return None;
        }
        match self.known.named(kind.table, kind.id, name).as_slice() {
            [] => {
                let id = self.new.get(&(kind.table, kind.id, fold(name))).copied()?;
                Some(Row::new(kind.table, id, kind.id, name))
            }
            [one] => self.known.rows.get(one).cloned(),
            _ => {
                let what = self.say(
                    "同じ名称の行が台帳に複数あります。書き出した表（ume_id付き）で取り込んでください。",
                    "Several rows have this name. Import a table that was exported with ume_id.",
                );
                sayings.bad(job.mapping.name, what);
                None
            }
        }
    }

    fn row(
        &mut self,
        job: &Job<'_>,
        kind: &'static KindSpec,
        cells: &[Cell<'_>],
        sayings: &mut Sayings<'_>,
        judged: &mut Judged,
    ) -> (Verdict, Vec<&'static str>) {
        let refused = (Verdict::Refused, Vec::new());
        let Some(old) = self.find(job, kind, cells, sayings) else { return refused };
        if !self.taken.insert(old.id) {
            let what = self.twice();
            sayings.bad(job.mapping.name, what);
            return refused;
        }
        let mut row = old.clone();
        self.rename(job, cells, &mut row, sayings);
        let seen = text(cells, job.mapping.column_of(VERSION)).parse::<i64>().ok();
        let stale = seen.filter(|seen| old.version > 0 && *seen < old.version);
        let mut given = self.cells(job, kind, cells, &old, sayings);
        self.fill(job, kind, &old, &mut given, sayings);
        if let Some(seen) = stale {
            let clashed = self.merge(job, kind, &old, seen, &mut given, sayings);
            judged.clashes += usize::from(clashed);
        }
        for (field, value) in given {
            match value {
                Some(value) => drop(row.attributes.insert(field.name.to_owned(), value)),
                None => drop(row.attributes.shift_remove(field.name)),
            }
        }
        let same = old.version > 0 && row.attributes == old.attributes && row.name == old.name;
        // What stands in the register already is not judged again where nothing changes.
        if same && !sayings.is_bad() {
            return (Verdict::Same, Vec::new());
        }
        self.validate(job, kind, &old, &row, sayings);
        if self.known.locked.contains(&old.id) {
            let what =
                self.say("この行を変更する権限がありません。", "You may not change this row.");
            sayings.bad(job.mapping.name, what);
        }
        if sayings.is_bad() {
            return refused;
        }
        let changed =
            |field: &&Field| row.attributes.get(field.name) != old.attributes.get(field.name);
        let labels = kind.fields.iter().filter(changed).take(CHANGES_SHOWN);
        let mut changes: Vec<&'static str> =
            labels.map(|field| field.label.get(self.lang)).collect();
        if row.name != old.name {
            changes.insert(0, t("名称", "name").get(self.lang));
        }
        if row.table == Table::Task && row.status != "closed" {
            row.status = "open".to_owned();
            row.ends_at = crate::task_rules::due_at(&row.attributes);
        }
        row.schema_version = i64::from(kind.version);
        let verdict = if old.version == 0 { Verdict::Added } else { Verdict::Changed };
        self.plan.rows.push(row);
        (verdict, if verdict == Verdict::Changed { changes } else { Vec::new() })
    }

    /// A row found by its id may have a new name; one found by name keeps the spelling it has.
    fn rename(&self, job: &Job<'_>, cells: &[Cell<'_>], row: &mut Row, sayings: &mut Sayings<'_>) {
        let name = text(cells, job.mapping.name).trim();
        if name.chars().count() > NAME_CHARS_MAX {
            let what =
                self.say("名称は300文字以内にしてください。", "A name has at most 300 characters.");
            sayings.bad(job.mapping.name, what);
        }
        let by_id = !text(cells, job.mapping.column_of(ID)).is_empty();
        if by_id && !name.is_empty() && name != row.name.trim() {
            name.clone_into(&mut row.name);
        }
    }

    /// What the cells of a row say, field by field; `None` empties the field.
    fn cells(
        &mut self,
        job: &Job<'_>,
        kind: &'static KindSpec,
        cells: &[Cell<'_>],
        old: &Row,
        sayings: &mut Sayings<'_>,
    ) -> Vec<(&'static Field, Option<Json>)> {
        let (lang, zone) = (self.lang, self.zone);
        let meanings = &job.mapping.meanings;
        let reading = Reading { meanings, lang, since_1904: job.since_1904, zone };
        let mut given = Vec::new();
        for (at, name) in job.mapping.columns.iter().enumerate() {
            let Some(field) = kind.field(name) else { continue };
            let Some(cell) = cells.get(at) else { continue };
            if cell.dangling {
                let what = self.say(
                    "「同上」などが指すセルがありません。",
                    "This repeats another cell, but there is none.",
                );
                sayings.bad(Some(at), what);
                continue;
            }
            let text = cell.text.as_ref();
            if let Some(kept) = unchanged(field, old, text) {
                given.push((field, Some(kept)));
                continue;
            }
            let (read, warning) = match field.ty {
                FieldType::Party if !reports::value::is_blank(text) => {
                    (self.party(field, text, || job.address(sayings.row, Some(at))), None)
                }
                FieldType::Reference(kind) if !reports::value::is_blank(text) => {
                    (self.reference(kind, text), None)
                }
                _ => reading.read(field, text),
            };
            if let Some(warning) = warning {
                sayings.warn(Some(at), warning);
            }
            match read {
                Read::Blank => given.push((field, None)),
                Read::Value(value) => given.push((field, Some(value))),
                Read::Bad(what) => {
                    sayings.bad(Some(at), format!("{}: {what}", field.label.get(self.lang)));
                }
            }
        }
        given
    }

    /// What was fixed for all rows goes where neither cell nor register says anything.
    fn fill(
        &mut self,
        job: &Job<'_>,
        kind: &'static KindSpec,
        old: &Row,
        given: &mut Vec<(&'static Field, Option<Json>)>,
        sayings: &mut Sayings<'_>,
    ) {
        let meanings = &job.mapping.meanings;
        let since_1904 = job.since_1904;
        let reading = Reading { meanings, lang: self.lang, since_1904, zone: self.zone };
        for (name, text) in &job.mapping.fixed {
            let Some(field) = kind.field(name).filter(|f| !old.attributes.contains_key(f.name))
            else {
                continue;
            };
            if given.iter().any(|(f, value)| f.name == field.name && value.is_some()) {
                continue;
            }
            given.retain(|(f, _)| f.name != field.name);
            match reading.read(field, text).0 {
                Read::Value(value) => given.push((field, Some(value))),
                Read::Blank => {}
                Read::Bad(what) => {
                    sayings.bad(None, format!("{}: {what}", field.label.get(self.lang)));
                }
            }
        }
    }

    /// The party a cell names: one that is there, one of this import, or one to be added.
    fn party(&mut self, field: &Field, text: &str, cell: impl FnOnce() -> String) -> Read {
        if text.is_empty() {
            return Read::Blank;
        }
        if text.parse::<Id>().is_ok() {
            return Read::Value(Json::from(text));
        }
        let of = |id: Id| Read::Value(Json::from(id.to_string()));
        match self.known.party(text).as_slice() {
            [one] => return of(*one),
            [] => {}
            _ => {
                return Read::Bad(self.say(
                    &format!(
                        "「{text}」という人・組織が複数います。番号（ID）で指定してください。"
                    ),
                    &format!("“{text}” names several parties. Write the id."),
                ));
            }
        }
        let folded = fold(text);
        let mut ours = super::known::PARTY_KINDS
            .iter()
            .filter_map(|kind| self.new.get(&(Table::Party, kind, folded.clone())));
        if let Some(id) = ours.next().or(self.proposals.get(&folded)) {
            return of(*id);
        }
        let kind = party_kind(field);
        let new = self.plan.proposed.len() < PROPOSED_MAX && self.known.may_add.contains(kind);
        match self.ids.next().filter(|_| new && text.chars().count() <= NAME_CHARS_MAX) {
            Some(id) => {
                self.proposals.insert(folded, id);
                let row = Row::new(Table::Party, id, kind, text);
                self.plan.rows.push(row);
                self.plan.proposed.push(Proposed { kind, name: text.to_owned(), cell: cell() });
                of(id)
            }
            None => Read::Bad(self.say(
                &format!("「{text}」は人・部署・委託先の台帳にありません。先に登録してください。"),
                &format!("“{text}” is not among the parties. Add it first."),
            )),
        }
    }

    /// The row of another register that a cell names.
    fn reference(&self, kind: &'static str, text: &str) -> Read {
        if text.is_empty() {
            return Read::Blank;
        }
        if text.parse::<Id>().is_ok() {
            return Read::Value(Json::from(text));
        }
        let new = self.new.get(&(Table::Asset, kind, fold(text)));
        match (self.known.named(Table::Asset, kind, text).as_slice(), new) {
            ([one], _) | ([], Some(one)) => Read::Value(Json::from(one.to_string())),
            ([], None) => Read::Bad(self.say(
                &format!(
                    "「{text}」は台帳にありません。先に登録するか、同じブックに含めてください。"
                ),
                &format!("“{text}” is in no register. Add it first, or put it into the same book."),
            )),
            _ => Read::Bad(self.say(
                &format!("「{text}」という行が複数あります。番号（ID）で指定してください。"),
                &format!("“{text}” names several rows. Write the id."),
            )),
        }
    }

    /// Merges what the sheet says with what was changed here since; says whether both changed a field.
    fn merge(
        &self,
        job: &Job<'_>,
        kind: &'static KindSpec,
        now: &Row,
        seen: i64,
        given: &mut [(&'static Field, Option<Json>)],
        sayings: &mut Sayings<'_>,
    ) -> bool {
        let base = self.known.old.get(&(now.id, seen)).map(|row| &row.attributes);
        let mut clashed = false;
        for (field, value) in given {
            let here = now.attributes.get(field.name).cloned();
            let was = base.and_then(|base| base.get(field.name).cloned());
            if *value == here || (base.is_some() && here == was) {
                continue;
            }
            if base.is_some() && *value == was {
                *value = here;
                continue;
            }
            clashed = true;
            let at = job.mapping.column_of(field.name);
            let words = |value: &Option<Json>| {
                let value =
                    value.as_ref().map(|v| plain(field, v).unwrap_or_else(|| v.to_string()));
                value.unwrap_or_else(|| "–".to_owned()).chars().take(60).collect::<String>()
            };
            let label = kind.field(field.name).map_or("", |f| f.label.get(self.lang));
            let (was, theirs, ours) = (words(&was), words(&here), words(value));
            let what = self.say(
                &format!("{label}: 書き出した後に変更されています。書き出した時「{was}」、現在「{theirs}」、この表「{ours}」"),
                &format!("{label}: changed since the export. Then “{was}”, now “{theirs}”, in this sheet “{ours}”"),
            );
            match self.clash {
                Clash::Refuse => sayings.bad(at, what),
                Clash::Keep => {
                    sayings.warn(at, what);
                    *value = here;
                }
                Clash::Take => sayings.warn(at, what),
            }
        }
        clashed
    }

    fn validate(
        &self,
        job: &Job<'_>,
        kind: &'static KindSpec,
        old: &Row,
        row: &Row,
        sayings: &mut Sayings<'_>,
    ) {
        let mut errors = kind.validate(&row.attributes);
        for (name, sha) in crate::files::named(kind.fields, &row.attributes) {
            let kept = old.attributes.get(name) == row.attributes.get(name);
            if !kept && store::is_sha256(sha) && !self.known.blobs.contains(sha) {
                errors.push(FieldError::NoFile(name.to_owned()));
            }
        }
        if let Err(error) = model::canonical::to_string(&Json::Object(row.attributes.clone())) {
            sayings.bad(None, error.to_string());
        }
        for error in errors {
            let column = job.mapping.column_of(error.field());
            let address = job.address(sayings.row, column);
            let said = column.is_some() && sayings.says.iter().any(|s| s.bad && s.cell == address);
            if !said {
                let label =
                    kind.field(error.field()).map_or(error.field(), |f| f.label.get(self.lang));
                let what = format!("{label}: {}", crate::form::error_text(self.lang, &error));
                sayings.bad(column, what);
            }
        }
    }
}

impl Judged {
    fn take(&mut self, line: Line) {
        match line.verdict {
            Verdict::Added => self.added += 1,
            Verdict::Changed => self.changed += 1,
            Verdict::Same => self.same += 1,
            Verdict::Refused => self.refused += 1,
        }
        self.warned += usize::from(line.warned());
        self.lines.push(line);
    }
}

/// The value a field has, if the cell says just that: what an export wrote comes back as it was,
/// whatever it held.
fn unchanged(field: &Field, old: &Row, text: &str) -> Option<Json> {
    let value = old.attributes.get(field.name)?;
    let lines = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    (lines(&plain(field, value)?) == lines(text)).then(|| value.clone())
}

/// What kind of party a field names, by its own words.
fn party_kind(field: &Field) -> &'static str {
    let words: Vec<&str> =
        [field.name, field.label.ja].into_iter().chain(field.aliases.iter().copied()).collect();
    let says = |marks: &[&str]| words.iter().any(|word| marks.iter().any(|m| word.contains(m)));
    if says(&["provider", "supplier", "vendor", "事業者", "委託先", "業者", "提供者"]) {
        return "supplier";
    }
    if says(&["department", "team", "部門", "部署", "主管部", "所管"]) {
        return "team";
    }
    "person"
}
