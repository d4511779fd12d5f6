//! To whom a row belongs, and how far someone reaches.
//!
//! Three names of the table `attribute` say it, kept by every write and made anew with the index:
//! `@party`, the parties a row names (owner, assignee, every declared field that holds one; a party
//! names itself); `@department`, the departments it names in words; and, on rows of parties,
//! `@member`, the department that a person works in or that a team is. A row belongs to a person it
//! names, and to the departments it names or its parties are members of. What names nobody belongs
//! to whatever it is about: a task or decision to its subject, a record likewise, a link to both its
//! ends. Deleted rows keep these three, and nothing else: their history is no more open than they were.
//!
//! A row may be closed by a value of its own ([`model::Guard`]): `@closed` says to whom, `@named` who is let in all the
//! same. Deleted rows keep these too. What is about a closed row is closed as it is.
//!
//! Apart from that, a row lies where it says: the table `placement` holds each place that a row names
//! (a site, a zone) or that a link `located_in` gives it, and the subject of what is about something,
//! which lies where that does. A row is at every site that these steps lead to, however many there
//! are; who is narrowed to sites reaches what is at one of them, and what is at none. Where a thing is,
//! is asked of the thing and never of its owner: people move, racks do not.

use std::{collections::HashSet, sync::Arc};

use model::{Closed, Id, Table, Tie};

use crate::{
    Condition, Key, Row, Store, StoreError, Tx, Val, Write, index::Entry, list::Sql,
    rows::table_sql,
};

const PARTY: &str = "@party";
const DEPARTMENT: &str = "@department";
const MEMBER: &str = "@member";
const CLOSED: &str = "@closed";
const NAMED: &str = "@named";
/// Values of `@closed`.
const OUTSIDE: &str = "outside";
const UNNAMED: &str = "unnamed";
/// As `unnamed`, while nobody is named.
const NOBODY: &str = "nobody";
/// Attribute in which a decision holds who signed it; nothing but signing writes it.
const SIGNATURES: &str = "signatures";
/// Names of one row that count.
const NAMES_MAX: usize = 100;
/// The kind of party that is a department by its own name.
const TEAM: &str = "team";
/// The field by which a person names their account.
const ACCOUNT: &str = "account";
/// The kind of asset that is a site.
const SITE: &str = "site";
/// The kind of link by which an asset lies in another.
const LOCATED_IN: &str = "located_in";
const IDS_PER_STATEMENT: usize = 400;

/// Which rows someone reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Within {
    #[default]
    All,
    Nothing,
    /// What belongs to this person.
    Own(Option<Id>),
    /// What belongs to the person or their department and, if so said, what belongs to none.
    Department {
        person: Option<Id>,
        department: Option<String>,
        nobodys: bool,
    },
    /// Of that, what lies at one of these sites or at none.
    At {
        sites: Vec<Id>,
        of: Box<Within>,
    },
    /// Of that, what is not closed to this reader.
    Open {
        to: Sight,
        of: Box<Within>,
    },
}

/// Who looks at what is closed to some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Names under which rows may let them in: the log-in name and the id of the person.
    pub names: Vec<String>,
    /// Of the organisation.
    pub is_own: bool,
    /// Sees rows that nobody is named for yet.
    pub names_others: bool,
}

/// The person behind an account and, folded, their department.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub person: Option<Id>,
    pub department: Option<String>,
}

/// Which rows of a table, of a kind or record type, someone may write.
pub type WriteWithin = Arc<dyn Fn(Table, &str) -> Within + Send + Sync>;

/// How far someone may write.
#[derive(Clone)]
pub struct Bounds {
    pub within: WriteWithin,
    /// Owner of what they add, unless they name another.
    pub person: Option<Id>,
}

/// Names and values that say to whom a row belongs.
pub(crate) fn entries(row: &Row, ties: &[(String, Tie)]) -> Vec<Entry<'static>> {
    let text = |field: &str| row.attributes.get(field).and_then(serde_json::Value::as_str);
    let mut parties: Vec<Id> = row.owner.into_iter().collect();
    parties.extend(row.object.filter(|_| row.table == Table::Task));
    parties.extend(Some(row.id).filter(|_| row.table == Table::Party));
    let mut departments: Vec<&str> = Vec::new();
    for (field, tie) in ties {
        match tie {
            Tie::Party => parties.extend(text(field).and_then(|id| id.parse::<Id>().ok())),
            Tie::Department => departments.extend(text(field).filter(|d| !d.trim().is_empty())),
            Tie::Place | Tie::Closes(_) | Tie::Names => {}
        }
    }
    let member = match row.table {
        Table::Party if row.kind == TEAM => Some(row.name.as_str()),
        Table::Party => departments.first().copied(),
        _ => None,
    };
    parties.sort_unstable();
    parties.dedup();
    let parties = parties.iter().map(|id| Key::text(&id.to_string())).collect::<Vec<_>>();
    let departments = departments.iter().map(|d| Key::text(d.trim())).collect();
    let member = member.iter().map(|d| Key::text(d.trim())).collect();
    let (closed, named) = closed(row, ties);
    let all = [
        (PARTY, parties),
        (DEPARTMENT, departments),
        (MEMBER, member),
        (CLOSED, closed),
        (NAMED, named),
    ];
    all.into_iter()
        .flat_map(|(name, keys)| keys.into_iter().zip(0..).map(move |(key, i)| (name, i, key)))
        .collect()
}

/// Whether the row is closed, and who is let in.
fn closed(row: &Row, ties: &[(String, Tie)]) -> (Vec<Key>, Vec<Key>) {
    let closes = ties.iter().find_map(|(field, tie)| {
        let Tie::Closes(guard) = tie else { return None };
        let value = row.attributes.get(field)?.as_str()?;
        guard.closes.iter().find(|(closing, _)| *closing == value).map(|(_, to)| *to)
    });
    let mut names: Vec<&str> = Vec::new();
    for (field, _) in ties.iter().filter(|(_, tie)| *tie == Tie::Names) {
        let listed = row.attributes.get(field).and_then(serde_json::Value::as_array);
        let texts = listed.into_iter().flatten().filter_map(serde_json::Value::as_str);
        names.extend(texts.map(str::trim).filter(|name| !name.is_empty()).take(NAMES_MAX));
    }
    let mut named: Vec<Key> = names.into_iter().map(Key::text).collect();
    named.extend(row.owner.map(|owner| Key::text(&owner.to_string())));
    match closes {
        None => (Vec::new(), Vec::new()),
        Some(Closed::Outside) => (vec![Key::text(OUTSIDE)], Vec::new()),
        Some(Closed::Unnamed) if named.is_empty() => (vec![Key::text(NOBODY)], named),
        Some(Closed::Unnamed) => (vec![Key::text(UNNAMED)], named),
    }
}

/// Row and place of each step that this row makes known. A link that was taken back leads nowhere.
fn steps(row: &Row, ties: &[(String, Tie)]) -> Vec<(Id, Id)> {
    if row.table == Table::Link {
        let ends = row.subject.zip(row.object);
        return ends.filter(|_| row.kind == LOCATED_IN && !row.deleted).into_iter().collect();
    }
    let named = |field: &str| row.attributes.get(field)?.as_str()?.parse().ok();
    let places = ties.iter().filter(|(_, tie)| *tie == Tie::Place);
    let mut all: Vec<Id> =
        places.filter_map(|(field, _)| named(field)).chain(row.subject).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|place| (row.id, place)).collect()
}

/// A condition in which `?` stands for each value in turn.
struct Test(String, Vec<Val>);

impl Test {
    fn of(sql: impl Into<String>) -> Test {
        Test(sql.into(), Vec::new())
    }

    fn join(tests: Vec<Test>, word: &str) -> Test {
        let texts: Vec<String> = tests.iter().map(|t| t.0.clone()).collect();
        let sql = format!("({})", texts.join(&format!(" {word} ")));
        Test(sql, tests.into_iter().flat_map(|t| t.1).collect())
    }
}

fn any(tests: Vec<Test>) -> Test {
    Test::join(tests, "OR")
}

fn all(tests: Vec<Test>) -> Test {
    Test::join(tests, "AND")
}

/// The row with this id names the person.
fn own(id: &str, person: Option<Id>) -> Test {
    let Some(person) = person else { return Test::of("1 = 0") };
    let sql = format!(
        "EXISTS (SELECT 1 FROM attribute AS o \
         WHERE o.row_id = {id} AND o.name = '{PARTY}' AND o.text = ?)"
    );
    Test(sql, vec![person.to_string().into()])
}

/// It belongs to this department, or to any.
fn department(id: &str, of: Option<&str>) -> Test {
    let (named, member) = match of {
        Some(_) => (" AND d.text = ?", " AND m.text = ?"),
        None => ("", ""),
    };
    let sql = format!(
        "(EXISTS (SELECT 1 FROM attribute AS d \
         WHERE d.row_id = {id} AND d.name = '{DEPARTMENT}'{named}) \
         OR EXISTS (SELECT 1 FROM attribute AS d JOIN attribute AS m \
         ON m.row_id = d.text AND m.name = '{MEMBER}' \
         WHERE d.row_id = {id} AND d.name = '{PARTY}'{member}))"
    );
    Test(sql, of.into_iter().flat_map(|d| [Val::from(d), Val::from(d)]).collect())
}

/// Where the row with this id lies, a site among these is, or none at all. One walk answers both: 2 for
/// a site that is wanted, 1 for another, and nothing where the steps end at no site.
fn at(id: &str, sites: &[Id]) -> Test {
    let wanted = vec!["?"; sites.len()].join(", ");
    let sql = format!(
        "COALESCE((WITH RECURSIVE up(id) AS (SELECT {id} UNION \
         SELECT p.place_id FROM up JOIN placement AS p ON p.row_id = up.id) \
         SELECT MAX(CASE WHEN s.id IN ({wanted}) THEN 2 ELSE 1 END) \
         FROM up JOIN asset AS s ON s.id = up.id AND s.kind = '{SITE}'), 2) = 2"
    );
    Test(sql, sites.iter().map(|site| site.to_string().into()).collect())
}

/// The row with this id, if there is one, is not closed to this reader.
fn open(id: &str, to: &Sight) -> Test {
    let mut barred = Vec::new();
    if !to.is_own {
        barred.push(format!("g.text = '{OUTSIDE}'"));
    }
    if !to.names_others {
        barred.push(format!("g.text = '{NOBODY}'"));
    }
    let names = vec!["?"; to.names.len()].join(", ");
    let is_named = match to.names.is_empty() {
        true => "1 = 0".to_owned(),
        false => format!(
            "EXISTS (SELECT 1 FROM attribute AS n \
             WHERE n.row_id = {id} AND n.name = '{NAMED}' AND n.text IN ({names}))"
        ),
    };
    barred.push(format!("(g.text = '{UNNAMED}' AND NOT {is_named})"));
    let barred = barred.join(" OR ");
    let sql = format!(
        "NOT EXISTS (SELECT 1 FROM attribute AS g \
         WHERE g.row_id = {id} AND g.name = '{CLOSED}' AND ({barred}))"
    );
    let folded = |name: &String| match Key::text(name) {
        Key::Text(folded) => folded.into(),
        _ => Val::Null,
    };
    Test(sql, to.names.iter().map(folded).collect())
}

impl Within {
    /// The same without what is closed to this reader.
    pub fn open_to(self, to: &Sight) -> Within {
        match self {
            Within::Nothing => Within::Nothing,
            of => Within::Open { to: to.clone(), of: Box::new(of) },
        }
    }

    /// Whether everything is reached, but for what is closed.
    pub fn is_whole(&self) -> bool {
        match self {
            Within::All => true,
            Within::Open { of, .. } => of.is_whole(),
            _ => false,
        }
    }

    /// The same, narrowed to sites; no sites narrow nothing.
    pub fn at(self, sites: &[Id]) -> Within {
        match self {
            Within::Nothing => Within::Nothing,
            of if sites.is_empty() => of,
            of => Within::At { sites: sites.to_vec(), of: Box::new(of) },
        }
    }

    /// The same without regard to sites.
    pub fn anywhere(&self) -> &Within {
        match self {
            Within::At { of, .. } | Within::Open { of, .. } => of.anywhere(),
            other => other,
        }
    }

    /// The condition on a row `t`; none where everything is reached.
    fn test(&self, table: Table) -> Option<Test> {
        match self {
            Within::All => None,
            Within::Nothing => Some(Test::of("1 = 0")),
            Within::At { sites, of } => {
                let here = match table {
                    Table::Link => all(vec![at("t.subject", sites), at("t.object", sites)]),
                    Table::Record => at("t.subject", sites),
                    _ => at("t.id", sites),
                };
                Some(all(of.test(table).into_iter().chain([here]).collect()))
            }
            Within::Open { to, of } => {
                let about: &[&str] = match table {
                    Table::Link => &["t.subject", "t.object"],
                    Table::Record => &["t.subject"],
                    _ => &["t.id", "t.subject"],
                };
                let here = about.iter().map(|id| open(id, to));
                Some(all(of.test(table).into_iter().chain(here).collect()))
            }
            Within::Own(person) => {
                let own = |id| own(id, *person);
                Some(match table {
                    Table::Link => all(vec![own("t.subject"), own("t.object")]),
                    Table::Decision => any(vec![own("t.id"), own("t.subject")]),
                    Table::Record => own("t.subject"),
                    _ => own("t.id"),
                })
            }
            Within::Department { person, department: of, nobodys } => {
                let theirs = |id: &str| {
                    let mut tests = vec![own(id, *person)];
                    tests.extend(of.as_deref().map(|d| department(id, Some(d))));
                    any(tests)
                };
                let nobodys_too = |id: &str, nobodys: bool| {
                    let mut tests = vec![theirs(id)];
                    if nobodys {
                        let Test(any, values) = department(id, None);
                        tests.push(Test(format!("NOT {any}"), values));
                    }
                    any(tests)
                };
                Some(match table {
                    // Who writes a link writes at its beginning and refers to its end.
                    Table::Link => {
                        all(vec![nobodys_too("t.subject", *nobodys), nobodys_too("t.object", true)])
                    }
                    Table::Record => nobodys_too("t.subject", *nobodys),
                    _ => {
                        let Test(any_, values) = department("t.id", None);
                        let none = Test(format!("NOT {any_}"), values);
                        let about = all(vec![none, nobodys_too("t.subject", *nobodys)]);
                        any(vec![theirs("t.id"), about])
                    }
                })
            }
        }
    }

    /// A condition that every row reached fulfils, where there is a simple one.
    pub(crate) fn leads(&self, table: Table) -> Option<Condition> {
        match (self.anywhere(), table) {
            (_, Table::Link | Table::Decision | Table::Record) => None,
            (Within::Own(Some(person)), _) => {
                let test = crate::Test::Is(Key::text(&person.to_string()));
                Some(Condition { name: PARTY.to_owned(), test })
            }
            _ => None,
        }
    }

    /// Narrows a statement over rows `t` of the table.
    pub(crate) fn narrow(&self, table: Table, sql: &mut Sql) {
        if let Some(Test(clause, values)) = self.test(table) {
            sql.add(&clause, values);
        }
    }

    /// Asks about one row of the tables.
    fn statement(&self, table: Table, ids: &[Id]) -> Sql {
        let mut sql = Sql::default();
        let places = vec!["?"; ids.len()].join(", ");
        let ids = ids.iter().map(|id| id.to_string().into()).collect();
        sql.add(&format!("t.id IN ({places})"), ids);
        self.narrow(table, &mut sql);
        sql
    }
}

fn select(table: Table, sql: &Sql) -> String {
    format!("SELECT t.id FROM {} AS t WHERE {}", table_sql(table), sql.clauses.join(" AND "))
}

impl Store {
    /// Names the fields of kinds that tie a row to a party or department. To be called before
    /// [`Store::settle_index`].
    pub fn with_ties(
        mut self,
        kinds: impl IntoIterator<Item = (Table, String, Vec<(String, Tie)>)>,
    ) -> Store {
        self.ties =
            Arc::new(kinds.into_iter().map(|(table, kind, t)| ((table.name(), kind), t)).collect());
        // Until it is settled whether any row is closed, it may be.
        let closes = self.ties.values().flatten().any(|(_, tie)| matches!(tie, Tie::Closes(_)));
        self.guarded = Arc::new(std::sync::atomic::AtomicBool::new(closes));
        self
    }

    /// Whether a row may be closed to a reader whom their role lets in. A store that was not settled says yes if
    /// any kind has a guard.
    pub fn is_guarded(&self) -> bool {
        self.guarded.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Looks whether any row is closed.
    pub(crate) async fn settle_guards(&self) -> Result<(), StoreError> {
        let mut is_any = false;
        for ((table, kind), ties) in self.ties.iter() {
            if !ties.iter().any(|(_, tie)| matches!(tie, Tie::Closes(_))) {
                continue;
            }
            let sql = format!(
                "SELECT 1 FROM attribute WHERE subject_table = $1 AND kind = $2 \
                 AND name = '{CLOSED}' LIMIT 1"
            );
            let args = [(*table).into(), kind.as_str().into()];
            is_any |= !self.db().fetch(&sql, &args).await?.is_empty();
        }
        self.guarded.store(is_any, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    /// From the first closed row on everyone is asked.
    pub(crate) fn note_guards(&self, entries: &[Entry<'_>]) {
        if entries.iter().any(|(name, ..)| *name == CLOSED) {
            self.guarded.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    pub(crate) fn ties_of(&self, table: Table, kind: &str) -> &[(String, Tie)] {
        self.ties.get(&(table.name(), kind.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Which of these rows, deleted ones included, are reached.
    pub async fn reached(
        &self,
        table: Table,
        ids: &[Id],
        within: &Within,
    ) -> Result<HashSet<Id>, StoreError> {
        if *within == Within::All {
            return Ok(ids.iter().copied().collect());
        }
        let mut found = HashSet::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let sql = within.statement(table, some);
            for row in self.db().fetch(&select(table, &sql), &sql.args).await? {
                found.insert(crate::parse_id(row[0].text()?)?);
            }
        }
        Ok(found)
    }

    /// Whether a row, deleted or not, is reached.
    pub async fn reaches(&self, table: Table, id: Id, within: &Within) -> Result<bool, StoreError> {
        Ok(self.reached(table, &[id], within).await?.contains(&id))
    }

    /// The person of an account, and where they work.
    pub async fn place(&self, account: Id) -> Result<Place, StoreError> {
        let sql = format!(
            "SELECT a.party, m.text FROM account AS a LEFT JOIN attribute AS m \
             ON m.row_id = a.party AND m.subject_table = 'party' AND m.name = '{MEMBER}' \
             AND m.item = 0 WHERE a.id = $1"
        );
        let rows = self.db().fetch(&sql, &[account.to_string().into()]).await?;
        let Some(row) = rows.first() else { return Ok(Place::default()) };
        Ok(Place {
            person: row[0].opt_text()?.map(crate::parse_id).transpose()?,
            department: row[1].opt_text()?.map(str::to_owned),
        })
    }

    /// Binds accounts that have no person yet to the one who names them.
    pub(crate) async fn bind_accounts(&self) -> Result<(), StoreError> {
        let mut write = self.write("system", "accounts", "").await?;
        let sql = "SELECT login FROM account WHERE party IS NULL ORDER BY login";
        for row in write.tx.fetch(sql, &[]).await? {
            write.bind_login(row[0].text()?).await?;
        }
        write.commit().await
    }
}

impl<'s> Write<'s> {
    /// The same change, refused wherever it goes beyond the bounds.
    pub fn bounded(mut self, bounds: Bounds) -> Write<'s> {
        self.bounds = Some(bounds);
        self
    }

    /// The same change without bounds: for what the house itself records about it.
    pub fn unbounded(mut self) -> Write<'s> {
        self.bounds = None;
        self
    }

    /// Refuses a row, as it stands in this transaction, that lies beyond the bounds.
    pub(crate) async fn in_bounds(
        &mut self,
        table: Table,
        kind: &str,
        id: Id,
    ) -> Result<(), StoreError> {
        let Some(bounds) = &self.bounds else { return Ok(()) };
        let within = (bounds.within)(table, kind);
        if within == Within::All {
            return Ok(());
        }
        let sql = within.statement(table, &[id]);
        if self.tx.fetch(&select(table, &sql), &sql.args).await?.is_empty() {
            return Err(StoreError::OutOfReach { table: table.name(), id });
        }
        Ok(())
    }

    /// Refuses to open a row further without the signed decision of another about this very version of it.
    pub(crate) async fn not_loosened(&mut self, old: &Row, new: &Row) -> Result<(), StoreError> {
        let ties = self.store().ties_of(new.table, &new.kind).iter();
        let guards = ties.filter_map(|(_, tie)| match tie {
            Tie::Closes(guard) => Some(*guard),
            _ => None,
        });
        let guards: Vec<&'static model::Guard> = guards.collect();
        for guard in guards {
            let value = |row: &Row| {
                row.attributes
                    .get(guard.field)
                    .and_then(serde_json::Value::as_str)
                    .map(str::to_owned)
            };
            let (from, to) = (value(old), value(new));
            if !guard.is_loosened(from.as_deref(), to.as_deref()) {
                continue;
            }
            let hash = old.content_hash()?;
            let is_it = |decision: &Row| {
                let said =
                    |name: &str| decision.attributes.get(name).and_then(serde_json::Value::as_str);
                decision.status == "approved"
                    && decision.subject_hash.as_deref() == Some(&hash)
                    && decision.attributes.contains_key(SIGNATURES)
                    && said("from") == from.as_deref()
                    && said("to") == to.as_deref()
            };
            let decisions = self.decisions(guard.loosened_by, Some(old.id)).await?;
            if !decisions.iter().any(is_it) {
                return Err(StoreError::Loosened { field: guard.field, id: old.id });
            }
        }
        Ok(())
    }

    /// Refuses a link whose ends lie beyond the bounds as they are now: once written, it would itself
    /// say that they lie within.
    pub(crate) async fn ends_in_bounds(&mut self, row: &Row) -> Result<(), StoreError> {
        let Some(bounds) = &self.bounds else { return Ok(()) };
        let within = (bounds.within)(row.table, &row.kind);
        let ends = [row.subject, row.object];
        if would_be_within(&mut self.tx, &within, row.table, ends).await? {
            return Ok(());
        }
        Err(StoreError::OutOfReach { table: row.table.name(), id: row.id })
    }

    /// What someone with bounds adds is theirs unless it says otherwise.
    pub(crate) fn claim(&self, row: &mut Row) {
        let Some(bounds) = &self.bounds else { return };
        let within = (bounds.within)(row.table, &row.kind);
        let everywhere = *within.anywhere() == Within::All;
        if row.version == 0 && row.owner.is_none() && !everywhere {
            row.owner = bounds.person;
        }
    }

    /// Keeps where the row lies, or what a link says of it.
    pub(crate) async fn place(&mut self, row: &Row) -> Result<(), StoreError> {
        let source: Val = row.id.to_string().into();
        let sql = "DELETE FROM placement WHERE source = $1";
        self.tx.execute(sql, std::slice::from_ref(&source)).await?;
        for (of, place) in steps(row, self.store().ties_of(row.table, &row.kind)) {
            let sql = "INSERT INTO placement (source, row_id, place_id) VALUES ($1, $2, $3)";
            let args = [source.clone(), of.to_string().into(), place.to_string().into()];
            self.tx.execute(sql, &args).await?;
        }
        Ok(())
    }

    /// Keeps `account.party` as the row of the person says.
    pub(crate) async fn bind_person(&mut self, row: &Row) -> Result<(), StoreError> {
        if row.table != Table::Party || row.kind == TEAM {
            return Ok(());
        }
        let named = row.attributes.get(ACCOUNT).and_then(serde_json::Value::as_str);
        let login = named.map_or("", str::trim).to_owned();
        let login = if row.deleted { String::new() } else { login };
        let id: Val = row.id.to_string().into();
        let sql = "UPDATE account SET party = NULL WHERE party = $1 AND login <> $2";
        self.tx.execute(sql, &[id.clone(), login.as_str().into()]).await?;
        if !login.is_empty() {
            let sql = "UPDATE account SET party = $1 WHERE login = $2";
            self.tx.execute(sql, &[id, login.into()]).await?;
        }
        Ok(())
    }

    /// Finds the person who names this account.
    pub(crate) async fn bind_login(&mut self, login: &str) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT p.id, p.attributes FROM attribute AS a JOIN party AS p ON p.id = a.row_id \
             WHERE a.subject_table = 'party' AND a.name = '{ACCOUNT}' AND a.text = $1 \
             AND p.deleted = 0 ORDER BY p.id"
        );
        let Key::Text(folded) = Key::text(login) else { return Ok(()) };
        for row in self.tx.fetch(&sql, &[folded.into()]).await? {
            // Folding joins names that are two accounts.
            let attributes: serde_json::Value =
                serde_json::from_str(row[1].text()?).unwrap_or_default();
            if attributes[ACCOUNT].as_str().map(str::trim) == Some(login) {
                let sql = "UPDATE account SET party = $1 WHERE login = $2";
                self.tx.execute(sql, &[row[0].clone(), login.into()]).await?;
            }
        }
        Ok(())
    }
}

/// Asks, inside a change, whether what names these two would lie within: a record, or a link that is
/// not written yet.
pub(crate) async fn would_be_within(
    tx: &mut Tx,
    within: &Within,
    table: Table,
    [subject, object]: [Option<Id>; 2],
) -> Result<bool, StoreError> {
    let mut sql = Sql::default();
    within.narrow(table, &mut sql);
    if sql.clauses.is_empty() {
        return Ok(true);
    }
    let ends = [subject, object].map(|end| end.map(|id| id.to_string()).into());
    sql.args.extend(ends);
    // A walk must begin in the order of letters in which it goes on.
    let order = if tx.is_sqlite() { "" } else { " COLLATE \"C\"" };
    let (first, second) = (sql.args.len() - 1, sql.args.len());
    let text = format!(
        "SELECT 1 FROM (SELECT CAST(${first} AS TEXT){order} AS subject, \
         CAST(${second} AS TEXT){order} AS object) AS t WHERE {}",
        sql.clauses.join(" AND ")
    );
    Ok(!tx.fetch(&text, &sql.args).await?.is_empty())
}
