//! What the register, the newest snapshots and bills of materials say of products, licences and maintenance.
//!
//! A product is installed on a host if a link joins the two, if a package of the host has its purl or its name, or if the
//! newest bill of materials about the host names its purl.
//!
//! Limits: packages of [`HOSTS_MAX`](crate::work::seen::HOSTS_MAX) hosts at once; a bill of materials of [`SBOM_BYTES_MAX`].

use std::collections::{BTreeMap, BTreeSet};

use baseline::{Class, Facts};
use model::{Id, Table, Timestamp};
use room::blocking;
use sbom::purl::Purl;
use serde_json::{Value as Json, json};
use store::{End, Row, Store, StoreError, Within};

use super::{
    RECORD,
    count::{Count, Licence, Machine, Metric, Product, Uncounted, count},
    policy::{Policy, Said},
};
use crate::{
    registers::{fact, list, reference, text},
    work::{decided, life, seen},
};

const SBOM: &str = "configuration.sbom";
const SBOM_BYTES_MAX: u64 = 20 << 20;
/// Links that say that a host or a person uses a product.
const USES: [&str; 3] = ["depends_on", "processes", "stores"];

/// A product or device with what was counted.
pub(crate) struct Line {
    pub row: Row,
    pub licence: Option<Row>,
    pub said: Option<Said>,
    pub hosts: usize,
    pub count: Result<Count, Uncounted>,
}

/// A time in which something is maintained or supported.
pub(crate) struct Span {
    pub row: Row,
    pub from: Option<String>,
    pub to: Option<String>,
    /// The supplier and the note of the contract.
    pub contract: Option<(String, String)>,
    pub is_decided: bool,
}

/// All of it.
pub(crate) struct Licences {
    pub lines: Vec<Line>,
    pub spans: Vec<Span>,
    pub warn_days: i64,
}

/// Reads and counts.
pub(crate) async fn load(store: &Store, today: &str) -> Result<Licences, room::Error> {
    let kinds = vec!["software", "hardware", "licence", "host", "network_device"];
    let wanted = [(Table::Asset, kinds), (Table::Rule, vec!["licence_policy"])];
    let mut rows = store.all_in(&wanted).await?;
    rows.retain(|row| row.status == "active");
    let of = |kind: &str| rows.iter().filter(|row| row.kind == kind).collect::<Vec<_>>();
    let policies = of("licence_policy");
    let licences: Vec<Licence> =
        of("licence").into_iter().map(|row| licence(row, &policies, today)).collect();
    let excepted = decided::excepted(store).await?;
    let software = of("software");
    let installed = installed(store, &software).await?;
    let machines = of("host").into_iter().map(|row| (row.id, machine(row))).collect();
    let product = |row: &&Row| Product {
        is_own: text(row, "type") == "own_product",
        licence: reference(row, "licence"),
        hosts: installed.hosts.get(&row.id).cloned().unwrap_or_default(),
        people: installed.people.get(&row.id).cloned().unwrap_or_default(),
        support_end: date(row, "support_end"),
        is_decided: excepted.contains(&row.id),
    };
    let products: Vec<Product> = software.iter().map(product).collect();
    let mut lines = Vec::new();
    for (row, product) in software.iter().zip(&products) {
        let own = product.licence;
        let licence_row = rows.iter().find(|row| Some(row.id) == own && row.kind == "licence");
        lines.push(Line {
            row: (*row).clone(),
            licence: licence_row.cloned(),
            said: licences.iter().find(|one| Some(one.id) == own).and_then(|one| one.said.clone()),
            hosts: product.hosts.len(),
            count: count(product, &products, &licences, &machines, today),
        });
    }
    for row in of("hardware") {
        let device = Product {
            is_own: true,
            support_end: date(row, "maintenance_end"),
            is_decided: excepted.contains(&row.id),
            ..Product::default()
        };
        let count = count(&device, &[], &[], &machines, today);
        lines.push(Line { row: row.clone(), licence: None, said: None, hosts: 0, count });
    }
    let spans = spans(store, &rows, &excepted).await?;
    let days = policies.iter().filter_map(|row| row.attributes.get("warn_days")?.as_i64()).max();
    Ok(Licences { lines, spans, warn_days: days.unwrap_or(90) })
}

fn date(row: &Row, name: &str) -> Option<String> {
    Some(text(row, name)).filter(|date| !date.is_empty()).map(str::to_owned)
}

fn licence(row: &Row, policies: &[&Row], today: &str) -> Licence {
    let expression = text(row, "spdx");
    let all =
        |name: &str| policies.iter().flat_map(|row| list(row, name)).map(str::to_owned).collect();
    let policy = Policy { allowed: all("allowed"), refused: all("refused") };
    // Without a policy nothing is held against one.
    let is_asked = !expression.is_empty() && !policies.is_empty();
    Licence {
        id: row.id,
        metric: Metric::named(text(row, "metric")),
        quantity: row.attributes.get("quantity").and_then(Json::as_u64).unwrap_or(0),
        is_expired: date(row, "expires_on").is_some_and(|end| end.as_str() < today),
        said: is_asked.then(|| policy.say(expression)),
    }
}

fn machine(row: &Row) -> Machine {
    Machine {
        cores: row.attributes.get("cpu").and_then(Json::as_u64).filter(|cores| *cores > 0),
        place: date(row, "location"),
    }
}

/// Who and what uses each product.
#[derive(Default)]
struct Installed {
    hosts: BTreeMap<Id, BTreeSet<Id>>,
    people: BTreeMap<Id, BTreeSet<Id>>,
}

async fn installed(store: &Store, software: &[&Row]) -> Result<Installed, room::Error> {
    let mut found = Installed::default();
    let hosts = seen::hosts(store, &Within::All).await?;
    linked(store, software, &hosts, &mut found).await?;
    let wanted: Vec<(Id, Names)> = software.iter().map(|row| (row.id, Names::of(row))).collect();
    for some in hosts.chunks(seen::HOSTS_MAX) {
        let ids: Vec<Id> = some.iter().map(|host| host.id).collect();
        for (host, seen) in seen::newest(store, &ids).await? {
            let packages = packages(&seen.facts);
            for (product, names) in &wanted {
                if packages.iter().any(|name| names.is_package(name)) {
                    found.hosts.entry(*product).or_default().insert(host);
                }
            }
        }
    }
    let ids: BTreeSet<Id> = hosts.iter().map(|host| host.id).collect();
    for record in store.latest_per_subject(&[SBOM]).await? {
        let Some(host) = record.subject.filter(|host| ids.contains(host)) else { continue };
        for purl in purls(store, fact(&record, "file")).await? {
            for (product, _) in wanted.iter().filter(|(_, names)| names.is_purl(&purl)) {
                found.hosts.entry(*product).or_default().insert(host);
            }
        }
    }
    Ok(found)
}

async fn linked(
    store: &Store,
    software: &[&Row],
    hosts: &[Row],
    found: &mut Installed,
) -> Result<(), StoreError> {
    let ids: Vec<Id> = software.iter().map(|row| row.id).collect();
    let hosts: BTreeSet<Id> = hosts.iter().map(|host| host.id).collect();
    let mut others: Vec<(Id, Id)> = Vec::new();
    for kind in USES {
        for link in store.links(&ids, kind, End::Object).await? {
            let (Some(user), Some(product)) = (link.subject, link.object) else { continue };
            if hosts.contains(&user) {
                found.hosts.entry(product).or_default().insert(user);
            } else {
                others.push((user, product));
            }
        }
    }
    let users: Vec<Id> = others.iter().map(|(user, _)| *user).collect();
    let people = store.rows_by_id(Table::Party, &users).await?;
    let people: BTreeSet<Id> =
        people.into_iter().filter(|row| row.kind == "person").map(|row| row.id).collect();
    for (user, product) in others.into_iter().filter(|(user, _)| people.contains(user)) {
        found.people.entry(product).or_default().insert(user);
    }
    Ok(())
}

/// By what a product is known.
struct Names {
    name: String,
    purl: Option<Purl>,
}

impl Names {
    fn of(row: &Row) -> Names {
        Names {
            name: row.name.trim().to_lowercase(),
            purl: Purl::parse(text(row, "purl").trim()).ok().map(|purl| purl.versionless()),
        }
    }

    /// A purl of a Debian package names it; without a purl the name of the product is that of the package.
    fn is_package(&self, package: &str) -> bool {
        match &self.purl {
            Some(purl) => purl.kind == "deb" && purl.name == package,
            None => self.name == package,
        }
    }

    fn is_purl(&self, other: &Purl) -> bool {
        self.purl.as_ref().is_some_and(|purl| {
            (&purl.kind, &purl.namespace, &purl.name)
                == (&other.kind, &other.namespace, &other.name)
        })
    }
}

/// Names of the packages that are on a host, without their architecture.
fn packages(facts: &Facts) -> BTreeSet<String> {
    let is_there = |state: Option<&str>| state.is_none_or(|state| state.contains("installed"));
    facts
        .class(Class::Package)
        .iter()
        .filter(|fact| is_there(fact.attribute("state")))
        .map(|fact| fact.name.to_string().split(':').next().unwrap_or_default().to_owned())
        .collect()
}

async fn purls(store: &Store, file: &str) -> Result<Vec<Purl>, room::Error> {
    let Some(blob) = store.blob(file).await? else { return Ok(Vec::new()) };
    if blob.bytes > SBOM_BYTES_MAX {
        return Ok(Vec::new());
    }
    let Some(bytes) = store.whole_blob(&blob).await? else { return Ok(Vec::new()) };
    let read = move || {
        let Ok(bom) = sbom::parse(&bytes) else { return Vec::new() };
        let purls = bom.walk().filter_map(|one| Purl::parse(one.purl.as_deref()?).ok());
        purls.collect::<Vec<Purl>>()
    };
    blocking(read).await
}

/// Maintenance and support of everything that has an end, and contracts along links to suppliers.
async fn spans(
    store: &Store,
    rows: &[Row],
    excepted: &BTreeSet<Id>,
) -> Result<Vec<Span>, StoreError> {
    let end_of = |row: &Row| match row.kind.as_str() {
        "hardware" => date(row, "maintenance_end"),
        "licence" => date(row, "expires_on"),
        _ => date(row, "support_end"),
    };
    let kept: Vec<&Row> = rows.iter().filter(|row| row.table == Table::Asset).collect();
    let ids: Vec<Id> = kept.iter().map(|row| row.id).collect();
    let contracts = store.links(&ids, "supplied_by", End::Subject).await?;
    let suppliers: Vec<Id> = contracts.iter().filter_map(|link| link.object).collect();
    let suppliers = store.rows_by_id(Table::Party, &suppliers).await?;
    let mut spans = Vec::new();
    for row in kept {
        let is_decided = excepted.contains(&row.id);
        if let Some(end) = end_of(row) {
            spans.push(Span {
                row: row.clone(),
                from: date(row, "introduced_on"),
                to: Some(end),
                contract: None,
                is_decided,
            });
        }
        for link in contracts.iter().filter(|link| link.subject == Some(row.id)) {
            let supplier = suppliers.iter().find(|party| Some(party.id) == link.object);
            let day = |at: Option<Timestamp>| at.map(|at| at.rfc3339().chars().take(10).collect());
            spans.push(Span {
                row: row.clone(),
                from: day(link.starts_at),
                to: day(link.ends_at),
                contract: Some((
                    supplier.map(|party| party.name.clone()).unwrap_or_default(),
                    text(link, "note").to_owned(),
                )),
                is_decided,
            });
        }
    }
    spans.sort_by(|a, b| (&a.to, &a.row.name).cmp(&(&b.to, &b.row.name)));
    Ok(spans)
}

/// Counts and writes down what changed.
pub(crate) async fn run(ctx: room::Shared) -> Result<Json, room::Error> {
    let store = ctx.store();
    let now = store.now();
    let today: String = now.plus_hours(9).rfc3339().chars().take(10).collect();
    let all = load(store, &today).await?;
    let (mut written, mut uncounted) = (0, BTreeMap::<&str, u64>::new());
    let mut write = store.write("system:configuration.licences", "work", "").await?;
    for line in &all.lines {
        let count = match &line.count {
            Ok(count) => count,
            Err(why) => {
                *uncounted.entry(why.as_str()).or_default() += 1;
                continue;
            }
        };
        let facts = json!({
            "used": count.used, "entitled": count.entitled,
            "support_end_known": count.support_end_known,
            "past_end_undecided": count.past_end_undecided,
        });
        let draft = room::draft(RECORD, Some(line.row.id), now, facts);
        written += u64::from(life::tell(store, &mut write, draft).await?);
    }
    write.commit().await?;
    if written > 0 {
        ctx.house.wake();
    }
    Ok(json!({ "counted": all.lines.len(), "uncounted": uncounted, "written": written }))
}
