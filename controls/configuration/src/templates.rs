//! Standard templates: what ships in `content/templates-configuration`, put to a system, and how far its hosts depart.
//!
//! Invariants: applying writes everything or nothing, and once per template and system; what a template says of a
//! consideration it has no value for is a reason, not an answer: that one is signed; a departure is decided by a value of
//! the host's own or by an approved exception for the design value or the host, and by nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use model::{Assurance, Id, Lang, Table, Timestamp};
use serde::Deserialize;
use serde_json::json;
use store::{End, RecordDraft, Row, Store, StoreError, Write};

use crate::{
    design::{self, APPLIES, Design, Step, Wanted},
    registers::{link, list, reference, row, text},
    sheet::Finding,
    trials::MAPS_TO,
    work::{
        decided,
        seen::{self, Seen},
    },
};

pub(crate) const KIND: &str = "template";
pub(crate) const APPLIED: &str = "configuration.template_applied";
pub(crate) const DESIGNED_IN: &str = "configuration.designed_in";
/// Classes of settings of network devices, which no fact of a Linux host answers.
pub(crate) const DEVICE: &str = "device/";

const FILES: [&str; 6] = [
    include_str!("../../../content/templates-configuration/web.toml"),
    include_str!("../../../content/templates-configuration/database.toml"),
    include_str!("../../../content/templates-configuration/directory.toml"),
    include_str!("../../../content/templates-configuration/mail.toml"),
    include_str!("../../../content/templates-configuration/bastion.toml"),
    include_str!("../../../content/templates-configuration/router.toml"),
];

/// A template as it ships.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    pub role: String,
    pub edition: String,
    #[allow(dead_code)]
    pub author: String,
    pub title_ja: String,
    pub title_en: String,
    pub about_ja: String,
    pub about_en: String,
    /// What it rests on.
    pub sources: Vec<String>,
    #[serde(default)]
    pub packages: Vec<String>,
    #[serde(default)]
    pub listening: Vec<String>,
    #[serde(rename = "requirement")]
    pub requirements: Vec<Requirement>,
    #[serde(rename = "parameter")]
    pub parameters: Vec<Parameter>,
    #[serde(default, rename = "without")]
    pub without: Vec<Without>,
}

/// What a system of this role must do, and how settings see to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirement {
    pub id: String,
    pub text_ja: String,
    pub text_en: String,
    pub spec_ja: String,
    pub spec_en: String,
}

/// A design value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameter {
    pub key: String,
    pub value: String,
    /// Where the value is words: the same in English.
    #[serde(default)]
    pub value_en: Option<String>,
    #[serde(default)]
    pub unit: String,
    pub family: String,
    pub requirement: String,
    pub reason_ja: String,
    pub reason_en: String,
}

/// A consideration that the template has no value for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Without {
    pub family: String,
    pub reason_ja: String,
    pub reason_en: String,
}

impl Template {
    pub fn title(&self, lang: Lang) -> &str {
        either(lang, &self.title_ja, &self.title_en)
    }
}

impl Parameter {
    pub fn value(&self, lang: Lang) -> &str {
        match (lang, &self.value_en) {
            (Lang::En, Some(value)) => value,
            _ => &self.value,
        }
    }
}

pub(crate) fn either<'t>(lang: Lang, ja: &'t str, en: &'t str) -> &'t str {
    match lang {
        Lang::Ja => ja,
        Lang::En => en,
    }
}

/// The templates that ship with Ume.
pub(crate) fn shipped() -> &'static [Template] {
    static SHIPPED: OnceLock<Vec<Template>> = OnceLock::new();
    // A file that is none is found by a test, not by a reader.
    SHIPPED.get_or_init(|| FILES.iter().filter_map(|text| toml::from_str(text).ok()).collect())
}

pub(crate) fn named(role: &str) -> Option<&'static Template> {
    shipped().iter().find(|template| template.role == role)
}

/// Why a template is not put to a system.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("this edition was put to the system already")]
    Already,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub template: Id,
    pub requirements: usize,
    pub parameters: usize,
}

/// Puts a template to a system: requirements, specifications, design values and tests, chained, before a host exists.
pub(crate) async fn apply(
    store: &Store,
    write: &mut Write<'_>,
    template: &Template,
    system: &Row,
    lang: Lang,
) -> Result<Made, Refused> {
    let rule = match kept(store, template).await? {
        Some(rule) if store.linked(APPLIES, rule.id, system.id).await? => {
            return Err(Refused::Already);
        }
        Some(rule) => rule,
        None => write.put(rule_of(store, template, lang)?).await?,
    };
    let name = format!("{} → {}", rule.name, system.name);
    write.put(link(store, APPLIES, rule.id, system.id, &name)?).await?;
    let specs = requirements(store, write, template, system, lang).await?;
    parameters(store, write, template, system, &specs, lang).await?;
    let now = write.now();
    let mut families: BTreeMap<&str, usize> = BTreeMap::new();
    for parameter in &template.parameters {
        *families.entry(&parameter.family).or_default() += 1;
    }
    for (family, values) in families {
        let source = "configuration.templates";
        let answer = design::answered(system.id, family, values, now, Assurance::Machine, source);
        write.record(answer).await?;
    }
    write.record(applied(system.id, &rule.name, &template.edition, 0, 0, now)).await?;
    Ok(Made {
        template: rule.id,
        requirements: template.requirements.len(),
        parameters: template.parameters.len(),
    })
}

/// The rule of the register that stands for a template as it ships.
async fn kept(store: &Store, template: &Template) -> Result<Option<Row>, StoreError> {
    let rows = store.all(Table::Rule, &[KIND]).await?;
    let is_it =
        |row: &Row| text(row, "role") == template.role && text(row, "edition") == template.edition;
    Ok(rows.into_iter().find(is_it))
}

fn rule_of(store: &Store, template: &Template, lang: Lang) -> Result<Row, StoreError> {
    let keys: Vec<&str> = template.parameters.iter().map(|one| one.key.as_str()).collect();
    let attributes = json!({
        "role": template.role, "edition": template.edition, "baselines": keys,
        "packages": template.packages, "listening": template.listening,
    });
    row(store, Table::Rule, KIND, template.title(lang), attributes)
}

/// Requirements and the specifications that meet them, by the name of the requirement.
async fn requirements<'t>(
    store: &Store,
    write: &mut Write<'_>,
    template: &'t Template,
    system: &Row,
    lang: Lang,
) -> Result<BTreeMap<&'t str, Id>, StoreError> {
    let mut specs = BTreeMap::new();
    let system_id = system.id.to_string();
    for one in &template.requirements {
        let said = either(lang, &one.text_ja, &one.text_en);
        let source = format!("{} {}", template.title(lang), template.edition);
        let attributes = json!({ "text": said, "source": source, "system": system_id });
        let name = format!("{} {}", system.name, one.id);
        let requirement =
            write.put(row(store, Table::Norm, "requirement", &name, attributes)?).await?;
        let keys: Vec<&str> = template
            .parameters
            .iter()
            .filter(|parameter| parameter.requirement == one.id)
            .map(|parameter| parameter.key.as_str())
            .collect();
        let said = either(lang, &one.spec_ja, &one.spec_en);
        let attributes = json!({ "text": said, "keys": keys, "system": system_id });
        let spec = write.put(row(store, Table::Norm, "specification", &name, attributes)?).await?;
        write.put(link(store, MAPS_TO, requirement.id, spec.id, &name)?).await?;
        specs.insert(one.id.as_str(), spec.id);
    }
    Ok(specs)
}

/// Design values of the system, each with the test that sees to it.
async fn parameters(
    store: &Store,
    write: &mut Write<'_>,
    template: &Template,
    system: &Row,
    specs: &BTreeMap<&str, Id>,
    lang: Lang,
) -> Result<(), StoreError> {
    let there = design::of(store, &[system.id]).await?;
    for one in &template.parameters {
        let wanted = Wanted {
            to: system.id,
            to_name: system.name.clone(),
            key: one.key.clone(),
            value: one.value(lang).to_owned(),
            unit: one.unit.clone(),
            family: one.family.clone(),
            reason: either(lang, &one.reason_ja, &one.reason_en).to_owned(),
        };
        // A value that somebody designed for this system before stays as it is.
        let mut steps = design::plan(&there, vec![wanted]);
        for (_, step) in &mut steps {
            if let Step::Change { id, .. } = step {
                *step = Step::Same { id: *id };
            }
        }
        let Some(rule) = design::put(store, write, &steps).await?.pop() else { continue };
        if let Some(spec) = specs.get(one.requirement.as_str()) {
            write.put(link(store, MAPS_TO, *spec, rule, &one.key)?).await?;
        }
        let test = write.put(test_of(store, one, system, lang)?).await?;
        write.put(link(store, MAPS_TO, rule, test.id, &one.key)?).await?;
    }
    Ok(())
}

fn test_of(store: &Store, one: &Parameter, system: &Row, lang: Lang) -> Result<Row, StoreError> {
    let steps = match (one.key.starts_with(DEVICE), lang) {
        (false, Lang::Ja) => format!("ホストを採取し、{}の実機値を設計値と比べる。", one.key),
        (false, Lang::En) => {
            format!("Collect the host and hold {} against the design value.", one.key)
        }
        (true, Lang::Ja) => format!("機器の設定を表示し、{}に当たる行を確かめる。", one.key),
        (true, Lang::En) => {
            format!("Show the configuration of the device and look for {}.", one.key)
        }
    };
    let expected = format!("{} = {}{}", one.key, one.value(lang), one.unit);
    let attributes = json!({ "steps": steps, "expected": expected, "check": one.key });
    row(store, Table::Norm, "test_spec", &format!("{} {}", system.name, one.key), attributes)
}

fn applied(
    system: Id,
    template: &str,
    edition: &str,
    deviations: usize,
    open: usize,
    now: Timestamp,
) -> RecordDraft {
    let facts = json!({
        "template": template, "edition": edition,
        "deviations": deviations, "deviations_open": open,
    });
    room::draft(APPLIED, Some(system), now, facts)
}

/// Where a host departs from a template.
#[derive(Clone, Debug)]
pub(crate) struct Deviation {
    pub host: Id,
    pub host_name: String,
    pub rule: Id,
    pub key: String,
    pub design: String,
    pub actual: String,
    pub finding: Finding,
    pub is_open: bool,
}

/// A template with a system it was put to.
pub(crate) struct Use {
    pub template: Row,
    pub system: Id,
    pub since: Timestamp,
    pub deviations: Vec<Deviation>,
}

/// The templates that were put to these systems, and where their hosts depart.
pub(crate) async fn uses(
    store: &Store,
    systems: &[Id],
    hosts: &[Row],
) -> Result<Vec<Use>, room::Error> {
    let links = store.links(systems, APPLIES, End::Object).await?;
    let ids: Vec<Id> = links.iter().filter_map(|link| link.subject).collect();
    let rules = store.rows_by_id(Table::Rule, &ids).await?;
    let excepted = decided::excepted(store).await?;
    let mut uses = Vec::new();
    for link in links {
        let template = rules.iter().find(|rule| Some(rule.id) == link.subject && rule.kind == KIND);
        let (Some(template), Some(system)) = (template, link.object) else { continue };
        let own: Vec<&Row> =
            hosts.iter().filter(|host| reference(host, "system") == Some(system)).collect();
        let assets: Vec<Id> = own.iter().map(|host| host.id).chain([system]).collect();
        let designs = design::of(store, &assets).await?;
        let newest = seen::newest(store, &assets[..own.len()]).await?;
        let deviations = own
            .iter()
            .flat_map(|host| {
                departures(template, system, host, &designs, newest.get(&host.id), &excepted)
            })
            .collect();
        uses.push(Use { template: template.clone(), system, since: link.created_at, deviations });
    }
    Ok(uses)
}

fn departures(
    template: &Row,
    system: Id,
    host: &Row,
    designs: &[Design],
    seen: Option<&Seen>,
    excepted: &BTreeSet<Id>,
) -> Vec<Deviation> {
    let Some(seen) = seen else { return Vec::new() };
    let mut out = Vec::new();
    let of_template = |design: &&Design| {
        design.to.contains(&system)
            && list(template, "baselines").any(|key| key.eq_ignore_ascii_case(design.key()))
            && !design.key().starts_with(DEVICE)
    };
    for design in designs.iter().filter(of_template) {
        let judged = design.held(&seen.facts);
        if judged.finding == Finding::Equal {
            continue;
        }
        let is_own = |other: &Design| {
            other.to.contains(&host.id) && other.key().eq_ignore_ascii_case(design.key())
        };
        let is_decided = designs.iter().any(is_own)
            || excepted.contains(&design.row.id)
            || excepted.contains(&host.id);
        out.push(Deviation {
            host: host.id,
            host_name: host.name.clone(),
            rule: design.row.id,
            key: design.key().to_owned(),
            design: format!("{}{}", design.value(), design.unit()),
            actual: judged.actual,
            finding: judged.finding,
            is_open: !is_decided,
        });
    }
    out
}

/// What a use comes to, as a record.
pub(crate) fn record_of(used: &Use, now: Timestamp) -> RecordDraft {
    let open = used.deviations.iter().filter(|deviation| deviation.is_open).count();
    let edition = text(&used.template, "edition");
    let deviations = used.deviations.len();
    let mut draft = applied(used.system, &used.template.name, edition, deviations, open, now);
    let list: Vec<_> = used
        .deviations
        .iter()
        .map(|d| {
            json!({
                "host": d.host.to_string(), "rule": d.rule.to_string(), "key": d.key,
                "finding": d.finding.as_str(), "open": d.is_open,
            })
        })
        .collect();
    draft.payload = serde_json::to_vec(&list).ok();
    draft
}

/// By how many whole hours template and requirements were there before the first host was seen.
pub(crate) fn designed_in(
    system: Id,
    first_seen: Timestamp,
    template: Option<Timestamp>,
    requirements: Option<Timestamp>,
    now: Timestamp,
) -> RecordDraft {
    let lead = |at: Option<Timestamp>| at.map_or(0, |at| first_seen.hours_since(at).max(0));
    let facts = json!({
        "template_lead_h": lead(template), "requirements_lead_h": lead(requirements),
    });
    room::draft(DESIGNED_IN, Some(system), now, facts)
}

#[cfg(test)]
mod tests {
    use baseline::Class;

    use super::*;
    use crate::kinds::FAMILIES;

    #[test]
    fn every_template_is_whole_in_both_languages_and_speaks_of_every_consideration() {
        let roles: Vec<&str> = shipped().iter().map(|template| template.role.as_str()).collect();
        assert_eq!(roles, ["web", "database", "directory", "mail", "bastion", "router"]);
        for (text, template) in FILES.iter().zip(shipped()) {
            let role = &template.role;
            assert!(toml::from_str::<Template>(text).is_ok(), "{role}");
            assert_eq!(template.author, "ume");
            assert!(!template.sources.is_empty(), "{role}");
            let mut keys = BTreeSet::new();
            for one in &template.parameters {
                assert!(keys.insert(one.key.to_lowercase()), "{role}: {} twice", one.key);
                let class = one.key.split('/').next().and_then(Class::named);
                assert!(class.is_some() || one.key.starts_with(DEVICE), "{role}: {}", one.key);
                assert_eq!(role == "router", one.key.starts_with(DEVICE), "{role}: {}", one.key);
                assert!(FAMILIES.iter().any(|f| f.value == one.family), "{role}: {}", one.family);
                let known = template.requirements.iter().any(|r| r.id == one.requirement);
                assert!(known, "{role}: {}", one.requirement);
                assert!(
                    !one.value.is_empty() && one.value(Lang::En).is_ascii(),
                    "{role}: {}",
                    one.key
                );
            }
            for requirement in &template.requirements {
                let met = template.parameters.iter().any(|one| one.requirement == requirement.id);
                assert!(met, "{role}: nothing meets {}", requirement.id);
            }
            for family in FAMILIES {
                let has = template.parameters.iter().any(|one| one.family == family.value);
                let says = template.without.iter().any(|one| one.family == family.value);
                assert!(has != says, "{role}: {} is answered once", family.value);
            }
            let japanese = |text: &str| text.chars().any(|c| c > '\u{3000}');
            let pairs = template
                .requirements
                .iter()
                .flat_map(|r| [(&r.text_ja, &r.text_en), (&r.spec_ja, &r.spec_en)])
                .chain(template.parameters.iter().map(|p| (&p.reason_ja, &p.reason_en)))
                .chain(template.without.iter().map(|w| (&w.reason_ja, &w.reason_en)))
                .chain([
                    (&template.title_ja, &template.title_en),
                    (&template.about_ja, &template.about_en),
                ]);
            for (ja, en) in pairs {
                assert!(japanese(ja) && en.is_ascii() && !en.is_empty(), "{role}: {ja} / {en}");
            }
        }
    }

    #[test]
    fn a_lead_is_never_negative_and_nothing_leads_by_nothing() {
        let at = |hours: i64| Timestamp(1_795_600_000_000_000).plus_hours(hours);
        let draft = designed_in(Id::nil(), at(10), Some(at(3)), Some(at(12)), at(20));
        assert_eq!(draft.facts["template_lead_h"], 7);
        assert_eq!(draft.facts["requirements_lead_h"], 0);
        let none = designed_in(Id::nil(), at(10), None, None, at(20));
        assert_eq!(none.facts["template_lead_h"], 0);
    }
}
