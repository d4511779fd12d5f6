//! Who may do what: one table of role × action × rows × scope, and what follows from it for a reader.
//!
//! Invariants: nothing is allowed that the table does not grant. Whoever may change a row of a kind
//! sees its personal fields, and nobody else does. People and their departments are written only by
//! those who write everywhere, since scopes follow from them; so are rules and norms, which bind all.
//! An account of any role but the officer's may be narrowed to sites: of what its role grants it keeps
//! what lies at one of them or at none ([`Within::At`]), and what concerns the whole house is closed to
//! it ([`NARROWED`]).

use std::sync::Arc;

use model::{Field, Id, KindSpec, RoomSpec, Table, Text, t};
use serde_json::Value as Json;
use store::{Account, Bounds, Place, Reach, Row, Sight, Store, StoreError, Within};

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See rows of registers, and records about them.
    Read,
    /// Add and change rows, hand in evidence.
    Write,
    /// Approve, exclude, accept.
    Decide,
    /// Accounts, targets, settings.
    Administer,
    /// See the levels of the controls and what keeps them from more.
    Levels,
    /// See what concerns no single row: events, agents, jobs, the ledger.
    Inspect,
}

impl Action {
    /// All, in the order of the page.
    pub const ALL: [Action; 6] = [
        Action::Read,
        Action::Write,
        Action::Decide,
        Action::Levels,
        Action::Inspect,
        Action::Administer,
    ];
}

/// The seven base roles, in the order of the settings page.
pub const ROLES: [&str; 7] =
    ["officer", "administrator", "risk_owner", "executive", "department", "employee", "auditor"];

/// How far a grant goes; the widest comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// What belongs to the person of the account.
    Own,
    /// What belongs to the person or their department; for reading, also what belongs to none.
    Department,
    All,
}

/// On which rows a grant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Everything,
    Tables(&'static [Table]),
    /// Kinds by which someone asks for something ([`KindSpec::is_request`]).
    Requests,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    pub role: &'static str,
    pub action: Action,
    pub on: On,
    pub scope: Scope,
}

const fn g(role: &'static str, action: Action, on: On, scope: Scope) -> Grant {
    Grant { role, action, on, scope }
}

/// What risk owners answer for.
const RISKS: On = On::Tables(&[Table::Risk, Table::Task, Table::Decision]);
/// What a department keeps itself.
const DEPARTMENTAL: On = On::Tables(&[
    Table::Asset,
    Table::Link,
    Table::Risk,
    Table::Decision,
    Table::Plan,
    Table::Task,
    Table::Record,
]);

/// The table. Whatever stands in no line is refused.
pub const GRANTS: &[Grant] = {
    use Action::{Administer, Decide, Inspect, Levels, Read, Write};
    use On::{Everything, Requests};
    use Scope::{All, Department, Own};
    &[
        g("officer", Read, Everything, All),
        g("officer", Write, Everything, All),
        g("officer", Decide, Everything, All),
        g("officer", Levels, Everything, All),
        g("officer", Inspect, Everything, All),
        g("officer", Administer, Everything, All),
        g("administrator", Read, Everything, All),
        g("administrator", Write, Everything, All),
        g("administrator", Levels, Everything, All),
        g("administrator", Inspect, Everything, All),
        g("administrator", Administer, Everything, All),
        g("risk_owner", Read, Everything, All),
        g("risk_owner", Write, RISKS, All),
        g("risk_owner", Decide, RISKS, All),
        g("risk_owner", Levels, Everything, All),
        g("risk_owner", Inspect, Everything, All),
        g("executive", Read, Everything, All),
        g("executive", Decide, Everything, All),
        g("executive", Levels, Everything, All),
        g("executive", Inspect, Everything, All),
        g("department", Read, Everything, Department),
        g("department", Write, DEPARTMENTAL, Department),
        g("department", Levels, Everything, All),
        g("employee", Read, Everything, Own),
        g("employee", Write, Requests, Own),
        g("auditor", Read, Everything, All),
        g("auditor", Levels, Everything, All),
        g("auditor", Inspect, Everything, All),
    ]
};

fn grants(role: &str, action: Action) -> impl Iterator<Item = &'static Grant> {
    GRANTS.iter().filter(move |g| g.role == role && g.action == action)
}

/// What an account that is narrowed to sites may still do. The rest concerns no single row, so a part
/// of it cannot be given; and who keeps accounts could widen their own.
pub const NARROWED: [Action; 4] = [Action::Read, Action::Write, Action::Decide, Action::Levels];

/// What a narrowed account does not write: it binds everyone, or scopes follow from it.
const UNDIVIDED: [Table; 3] = [Table::Party, Table::Rule, Table::Norm];

/// Whether the holder of an account may do it anywhere at all.
pub fn may(account: &Account, action: Action) -> bool {
    allowed(&account.role, action) && (account.sites.is_empty() || NARROWED.contains(&action))
}

/// Whether the role may do it anywhere at all. An unknown role may do nothing.
pub fn allowed(role: &str, action: Action) -> bool {
    grants(role, action).next().is_some()
}

/// How far the role may do it with rows of a table, `request` saying whether the kind is a request;
/// `None` for not at all.
pub fn scope(role: &str, action: Action, table: Table, request: bool) -> Option<Scope> {
    let holds = |on: On| match on {
        On::Everything => true,
        On::Tables(tables) => tables.contains(&table),
        On::Requests => request,
    };
    grants(role, action).filter(|g| holds(g.on)).map(|g| g.scope).max()
}

/// Whether the role sees personal fields of a kind. Who may change a row sees it whole, so that no
/// save loses what was masked.
pub fn sees_personal(role: &str, kind: &KindSpec) -> bool {
    scope(role, Action::Write, kind.table, kind.is_request()).is_some()
}

/// Who looks at rows: the holder of an account, or the house itself, as the command line on its own
/// folder.
#[derive(Clone, Debug)]
pub struct Reader {
    role: Option<String>,
    place: Place,
    /// Sites to which everything is narrowed.
    sites: Vec<Id>,
    /// What closed rows ([`model::Guard`]) are open to them; none while no row is closed.
    sight: Option<Sight>,
}

/// The role of those who look from outside: what is closed to them is so whoever holds it.
const OUTSIDE: &str = "auditor";

impl Reader {
    /// The house itself: sees everything.
    pub fn house() -> Reader {
        Reader { role: None, place: Place::default(), sites: Vec::new(), sight: None }
    }

    /// Whoever is at the machine: the house itself, but for rows that name who may see them.
    pub fn machine(store: &Store) -> Reader {
        let sight = Sight { names: Vec::new(), is_own: true, names_others: true };
        Reader { sight: store.is_guarded().then_some(sight), ..Reader::house() }
    }

    /// The holder of an account. Who is limited nowhere needs no place, and none is read.
    pub async fn of(store: &Store, account: &Account) -> Result<Reader, StoreError> {
        let limited = GRANTS.iter().any(|g| g.role == account.role && g.scope != Scope::All);
        let is_guarded = store.is_guarded();
        let needs_place = limited || is_guarded;
        let place = if needs_place { store.place(account.id).await? } else { Place::default() };
        let sight = is_guarded.then(|| sight(account, &place));
        // Who is limited nowhere reaches by role, whatever their place.
        let place = if limited { place } else { Place::default() };
        Ok(Reader { role: Some(account.role.clone()), place, sites: account.sites.clone(), sight })
    }

    /// Someone not signed in: sees nothing.
    pub fn nobody() -> Reader {
        Reader {
            role: Some(String::new()),
            place: Place::default(),
            sites: Vec::new(),
            sight: None,
        }
    }

    fn reaches(&self, action: Action, table: Table, request: bool) -> Within {
        let within = self.by_role(action, table, request);
        match &self.sight {
            Some(sight) => within.open_to(sight),
            None => within,
        }
    }

    fn by_role(&self, action: Action, table: Table, request: bool) -> Within {
        let Some(role) = &self.role else { return Within::All };
        if action == Action::Write && !self.sites.is_empty() && UNDIVIDED.contains(&table) {
            return Within::Nothing;
        }
        let within = match scope(role, action, table, request) {
            None => Within::Nothing,
            Some(Scope::All) => Within::All,
            Some(Scope::Own) => Within::Own(self.place.person),
            Some(Scope::Department) => Within::Department {
                person: self.place.person,
                department: self.place.department.clone(),
                nobodys: action == Action::Read,
            },
        };
        within.at(&self.sites)
    }

    /// Which rows of a kind the reader may do it with.
    pub fn within(&self, action: Action, kind: &KindSpec) -> Within {
        self.reaches(action, kind.table, kind.is_request())
    }

    /// Which rows of a table the reader sees.
    pub fn sees_of(&self, table: Table) -> Within {
        self.reaches(Action::Read, table, false)
    }

    /// Whether the reader may do it with any row of the kind.
    pub fn may(&self, action: Action, kind: &KindSpec) -> bool {
        self.within(action, kind) != Within::Nothing
    }

    /// Whether the reader may decide about rows of a table.
    pub fn decides(&self, table: Table) -> bool {
        self.reaches(Action::Decide, table, false) != Within::Nothing
    }

    /// Records about what the reader may write.
    pub fn bounds_of_records(&self) -> Within {
        self.reaches(Action::Write, Table::Record, false)
    }

    /// Whether the reader may hand in records.
    pub fn may_hand_in(&self) -> bool {
        self.bounds_of_records() != Within::Nothing
    }

    /// Whether the reader sees every row of every table, but for what is closed: numbers may be told, names are asked
    /// for one by one.
    pub fn sees_all(&self) -> bool {
        Table::ALL.into_iter().all(|table| self.sees_of(table).is_whole())
    }

    /// Everything but what is closed to the reader, whatever their role reaches.
    pub fn open(&self) -> Within {
        match &self.sight {
            Some(sight) => Within::All.open_to(sight),
            None => Within::All,
        }
    }

    /// Of these rows of a table, in their order, those that the reader sees.
    pub async fn seen(
        &self,
        store: &Store,
        table: Table,
        rows: Vec<Row>,
    ) -> Result<Vec<Row>, StoreError> {
        let within = self.sees_of(table);
        if within == Within::All {
            return Ok(rows);
        }
        let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
        let seen = store.reached(table, &ids, &within).await?;
        Ok(rows.into_iter().filter(|row| seen.contains(&row.id)).collect())
    }

    /// Whether the values of a field are shown.
    pub fn sees(&self, kind: &KindSpec, field: &Field) -> bool {
        !field.personal || self.role.as_deref().is_none_or(|role| sees_personal(role, kind))
    }

    /// How far the reader reaches in lists of a kind.
    pub fn reach(&self, kind: &KindSpec) -> Reach {
        let hides_personal = self.role.as_deref().is_some_and(|role| !sees_personal(role, kind));
        Reach { hides_personal, within: self.within(Action::Read, kind) }
    }

    /// The same over all kinds of a table: words of personal fields find rows only for those who see
    /// them in every kind.
    pub fn reach_in(&self, table: Table) -> Reach {
        let writes = self.reaches(Action::Write, table, false) != Within::Nothing;
        Reach { hides_personal: !writes, within: self.sees_of(table) }
    }

    /// How far the reader may write.
    pub fn bounds(&self, specs: impl Iterator<Item = &'static RoomSpec>) -> Bounds {
        let asks = specs.flat_map(crate::kinds_of).filter(|kind| kind.is_request());
        let requests: Vec<(Table, &str)> = asks.map(|kind| (kind.table, kind.id)).collect();
        let (reader, person) = (self.clone(), self.place.person);
        let within = move |table, kind: &str| {
            reader.reaches(Action::Write, table, requests.contains(&(table, kind)))
        };
        Bounds { within: Arc::new(within), person }
    }

    /// The row as JSON without what this reader may not see. A kind that is not declared any more may
    /// have had personal fields: of it only those who write its table see attributes.
    pub fn json(&self, kind: Option<&KindSpec>, row: &Row) -> Json {
        let mut json = row.to_json();
        let Some(attributes) = json["attributes"].as_object_mut() else { return json };
        let whole = !self.reach_in(row.table).hides_personal;
        attributes.retain(|name, _| match kind.and_then(|k| Some((k, k.field(name)?))) {
            Some((kind, field)) => self.sees(kind, field),
            None => whole,
        });
        json
    }
}

fn sight(account: &Account, place: &Place) -> Sight {
    let person = place.person.map(|id| id.to_string());
    Sight {
        names: [account.login.clone()].into_iter().chain(person).collect(),
        is_own: account.role != OUTSIDE,
        // Of assets, where such rows stand: those who write all of them.
        names_others: scope(&account.role, Action::Write, Table::Asset, false) == Some(Scope::All)
            && account.sites.is_empty(),
    }
}

/// How a role reads.
pub fn role_text(role: &str) -> Text {
    match role {
        "officer" => t("ISMS担当者", "ISMS officer"),
        "administrator" => t("管理者", "administrator"),
        "risk_owner" => t("リスク所有者", "risk owner"),
        "executive" => t("経営層", "executive"),
        "department" => t("部門担当者", "department"),
        "employee" => t("従業員", "employee"),
        "auditor" => t("監査員", "auditor"),
        _ => t("不明な役割", "unknown role"),
    }
}

/// What an action means, as a heading.
pub fn action_text(action: Action) -> Text {
    match action {
        Action::Read => t("台帳と記録の閲覧", "See registers and records"),
        Action::Write => t("追加・変更・記録の提出", "Add, change, hand in"),
        Action::Decide => t("承認・却下", "Approve and reject"),
        Action::Levels => t("レベルの閲覧", "See the levels"),
        Action::Inspect => t("イベント・ジョブ・証跡の閲覧", "See events, jobs and the ledger"),
        Action::Administer => t("アカウントと設定の管理", "Keep accounts and settings"),
    }
}

/// What a line of the table grants, in plain words.
pub fn grant_text(grant: &Grant) -> Text {
    match (grant.on, grant.scope) {
        (On::Everything, Scope::All) => t("すべて", "everything"),
        (On::Everything, Scope::Department) => t(
            "自部署に属するものと、どの部署にも属さないもの",
            "what belongs to the own department, and what belongs to none",
        ),
        (On::Everything, Scope::Own) => t(
            "本人に属するもの（所有・担当・申請・本人の情報）",
            "what is their own: owned, assigned, asked for, or about them",
        ),
        (On::Tables(_), Scope::All) => t("リスク、タスク、決定", "risks, tasks and decisions"),
        (On::Tables(_), _) => t(
            "自部署に属する資産、関連、リスク、決定、計画、タスク、記録",
            "assets, links, risks, decisions, plans, tasks and records of the own department",
        ),
        (On::Requests, _) => t("本人の申請", "their own requests"),
    }
}

/// What a role may do of an action, in plain words; empty for nothing.
pub fn granted(role: &str, action: Action) -> Vec<Text> {
    grants(role, action).map(grant_text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each role may do with each table and with requests, written out by hand: `*` everything,
    /// `d` of the department, `o` its own, `.` nothing.
    const READ: [(&str, &str); 7] = [
        ("officer", "************"),
        ("administrator", "************"),
        ("risk_owner", "************"),
        ("executive", "************"),
        ("department", "dddddddddddd"),
        ("employee", "oooooooooooo"),
        ("auditor", "************"),
    ];
    const WRITE: [(&str, &str); 7] = [
        ("officer", "************"),
        ("administrator", "************"),
        ("risk_owner", ".......**.*."),
        ("executive", "............"),
        ("department", ".dd...dddddd"),
        ("employee", "...........o"),
        ("auditor", "............"),
    ];
    const DECIDE: [(&str, &str); 7] = [
        ("officer", "************"),
        ("administrator", "............"),
        ("risk_owner", ".......**.*."),
        ("executive", "************"),
        ("department", "............"),
        ("employee", "............"),
        ("auditor", "............"),
    ];
    /// Levels, inspect, administer.
    const WHOLE: [(&str, &str); 7] = [
        ("officer", "***"),
        ("administrator", "***"),
        ("risk_owner", "**."),
        ("executive", "**."),
        ("department", "*.."),
        ("employee", "..."),
        ("auditor", "**."),
    ];

    fn sign(scope: Option<Scope>) -> char {
        match scope {
            None => '.',
            Some(Scope::Own) => 'o',
            Some(Scope::Department) => 'd',
            Some(Scope::All) => '*',
        }
    }

    #[test]
    fn every_cell_of_the_table_is_as_written_out() {
        for (action, expected) in
            [(Action::Read, READ), (Action::Write, WRITE), (Action::Decide, DECIDE)]
        {
            for (role, line) in expected {
                // The eleven tables in their order, and a request, which is a plan.
                let mut cells: String =
                    Table::ALL.iter().map(|t| sign(scope(role, action, *t, false))).collect();
                cells.push(sign(scope(role, action, Table::Plan, true)));
                assert_eq!(cells, line, "{role} {action:?}");
                assert_eq!(allowed(role, action), line.contains(['*', 'd', 'o']), "{role}");
            }
        }
        for (role, line) in WHOLE {
            let actions = [Action::Levels, Action::Inspect, Action::Administer];
            let cells: String =
                actions.iter().map(|a| if allowed(role, *a) { '*' } else { '.' }).collect();
            assert_eq!(cells, line, "{role}");
        }
        for action in Action::ALL {
            assert!(!allowed("root", action) && !allowed("", action));
        }
    }

    #[test]
    fn each_line_names_a_role_once_per_action_and_rows_and_has_words() {
        for (i, grant) in GRANTS.iter().enumerate() {
            assert!(ROLES.contains(&grant.role));
            let same =
                |g: &&Grant| (g.role, g.action, g.on) == (grant.role, grant.action, grant.on);
            assert_eq!(GRANTS.iter().position(|g| same(&g)), Some(i), "{grant:?}");
            let text = grant_text(grant);
            assert!(!text.ja.is_empty() && !text.en.is_empty());
        }
    }

    fn account(role: &str, sites: &[Id]) -> Account {
        Account {
            id: Id::nil(),
            login: role.to_owned(),
            role: role.to_owned(),
            password: String::new(),
            totp: None,
            totp_step: 0,
            disabled: false,
            must_change: false,
            signed_in_at: None,
            sites: sites.to_vec(),
        }
    }

    #[test]
    fn sites_narrow_every_cell_of_the_table_and_widen_none() {
        let site = [Id::nil()];
        for role in ROLES {
            for action in Action::ALL {
                let whole = matches!(action, Action::Inspect | Action::Administer);
                assert_eq!(may(&account(role, &[]), action), allowed(role, action));
                assert_eq!(may(&account(role, &site), action), allowed(role, action) && !whole);
            }
            let reader = |sites: &[Id]| Reader {
                role: Some(role.to_owned()),
                place: Place::default(),
                sites: sites.to_vec(),
                sight: None,
            };
            for (action, table, request) in [Action::Read, Action::Write, Action::Decide]
                .into_iter()
                .flat_map(|a| Table::ALL.into_iter().map(move |t| (a, t, false)))
                .chain([(Action::Write, Table::Plan, true)])
            {
                let wide = reader(&[]).reaches(action, table, request);
                let narrow = reader(&site).reaches(action, table, request);
                let undivided = matches!(table, Table::Party | Table::Rule | Table::Norm);
                let expected = match wide {
                    Within::Nothing => Within::Nothing,
                    _ if undivided && action == Action::Write => Within::Nothing,
                    of => Within::At { sites: site.to_vec(), of: Box::new(of) },
                };
                assert_eq!(narrow, expected, "{role} {action:?} {table:?}");
            }
            assert!(!reader(&site).sees_all(), "{role}");
        }
    }

    #[test]
    fn the_house_sees_everything_and_nobody_nothing() {
        for table in Table::ALL {
            assert_eq!(Reader::house().reach_in(table), Reach::default());
            assert_eq!(Reader::nobody().sees_of(table), Within::Nothing);
        }
    }
}
