//! What this process knows: one index over all advisories, one fleet of all assets, and what each version was judged to
//! be. Everything in it can be made anew from the parcels on disk and the records.
//!
//! Incremental: a new bill brings only subjects that no asset had yet to judgement; a changed advisory those subjects
//! that it names; told anew are only assets that have one of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, RwLock},
};

use baseline::Facts;
use model::{Id, Timestamp};
use sbom::{
    Bom,
    advisory::Advisory,
    judge::{Fleet, Index, State as Verdict3, Subject, Verdict},
};

use super::{
    document::{self, Aliases},
    sentence,
    shelf::{Account, Change, Shelved},
    told::{Part, STATES, Told, Touch},
    vex::{self, Rulings},
};
use crate::work::bill::RESTART;

/// What services and pages share.
#[derive(Default)]
pub(crate) struct Desk {
    /// Held by who changes the state, so that reading parcels needs no lock of it.
    pub gate: tokio::sync::Mutex<()>,
    pub state: RwLock<State>,
}

/// Advisories, fleet and verdicts.
#[derive(Default)]
pub(crate) struct State {
    pub shelf: BTreeMap<String, Shelved>,
    pub accounts: BTreeMap<String, Account>,
    pub index: Index,
    pub fleet: Fleet,
    pub assets: BTreeMap<Id, Asset>,
    /// By subject of the fleet: what is affected or unknown.
    judged: Vec<Option<Judged>>,
    /// Subjects that are to be judged again.
    waiting: BTreeSet<u32>,
    /// Since when the oldest of them waits.
    waiting_since: Option<Timestamp>,
    kinds: BTreeSet<(String, Option<String>)>,
    pub aliases: Aliases,
    pub rulings: Arc<Rulings>,
    /// Whether what was told before this process began is known.
    pub is_recalled: bool,
    next_number: u32,
}

/// What decides whether any advisory can speak of a subject: ecosystem, distribution, release, whether it has no CPE, and
/// whether it is nobody's part.
type Sort<'s> = (&'s str, Option<&'s str>, Option<&'s str>, [bool; 2]);

type Judged = Arc<Vec<(u32, Verdict)>>;

/// A host or software with a bill of materials.
#[derive(Debug, Default)]
pub(crate) struct Asset {
    number: u32,
    /// The record of the bill, and when it was observed.
    pub sbom: Option<(Id, Timestamp)>,
    /// Its own names in the register, as they were judged.
    pub own: String,
    pub snapshot: Option<Id>,
    subjects: Vec<u32>,
    components: usize,
    restart: Vec<String>,
    pub told: Told,
    /// When it was told, and whether what it was made of was fresh.
    pub told_at: Option<(Timestamp, bool)>,
    /// How long the last verdict took.
    pub minutes: i64,
    /// Since when something about it waits to be told.
    pub dirty_since: Option<Timestamp>,
    /// The record of a bill that cannot be read, and why; the one before it stands.
    pub broken: Option<(Id, String)>,
}

impl Asset {
    /// One of which only what was told matters.
    #[cfg(test)]
    pub fn telling(told: Told) -> Asset {
        Asset { told, ..Asset::default() }
    }

    fn numbered(next: &mut u32) -> Asset {
        *next += 1;
        Asset { number: *next, ..Asset::default() }
    }
}

/// A bill as it is taken in.
pub(crate) struct Taken {
    pub record: Id,
    pub observed: Timestamp,
    pub received: Timestamp,
    pub subjects: Vec<Subject>,
    components: usize,
    restart: Vec<String>,
}

impl Taken {
    /// What of a bill matters here, with names that the register gives the asset itself.
    pub fn new(
        record: Id,
        [observed, received]: [Timestamp; 2],
        bom: &Bom,
        own: Option<Subject>,
        aliases: &Aliases,
    ) -> Taken {
        let mut subjects = document::subjects(bom, aliases);
        subjects.extend(own);
        let held = bom.subject.iter().flat_map(|subject| &subject.properties);
        let held = held.filter(|one| one.name.as_deref() == Some(RESTART));
        let package = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
        let restart: BTreeSet<String> =
            held.filter_map(|one| one.value.as_ref()).map(package).collect();
        let components = document::parts(bom).count();
        Taken {
            record,
            observed,
            received,
            subjects,
            components,
            restart: restart.into_iter().collect(),
        }
    }
}

impl State {
    /// Notes what came of a parcel.
    pub fn note(&mut self, change: Change, now: Timestamp) {
        if !change.touched.is_empty() {
            self.waiting_since.get_or_insert(now);
            self.waiting.extend(change.touched);
        }
    }

    /// Takes a bill of an asset in.
    pub fn take(&mut self, id: Id, bill: Taken) {
        let next = &mut self.next_number;
        let asset = self.assets.entry(id).or_insert_with(|| Asset::numbered(next));
        let number = asset.number;
        self.fleet.leave(number, &asset.subjects);
        let subjects: BTreeSet<u32> =
            bill.subjects.iter().map(|subject| self.fleet.add(number, subject)).collect();
        asset.subjects = subjects.into_iter().collect();
        let is_new = asset.told.sbom != bill.record.to_string();
        asset.sbom = Some((bill.record, bill.observed));
        (asset.components, asset.restart, asset.broken) = (bill.components, bill.restart, None);
        // What was told before a restart did not come in just now.
        let since = if is_new { bill.received } else { Timestamp(i64::MAX) };
        let waits = asset.dirty_since.map_or(since, |before| before.min(since));
        asset.dirty_since = Some(waits);
    }

    /// Says what was told of an asset before this process began.
    pub fn remember(&mut self, id: Id, told: Told, told_at: (Timestamp, bool), minutes: i64) {
        let asset = Asset::numbered(&mut self.next_number);
        self.assets.insert(id, Asset { told, told_at: Some(told_at), minutes, ..asset });
    }

    /// Notes that the bill of an asset cannot be read.
    pub fn break_bill(&mut self, id: Id, record: Id, why: String) {
        let next = &mut self.next_number;
        let asset = self.assets.entry(id).or_insert_with(|| Asset::numbered(next));
        asset.broken = Some((record, why));
    }

    /// Forgets an asset that is no longer in the register.
    pub fn forget(&mut self, id: Id) {
        if let Some(asset) = self.assets.remove(&id) {
            self.fleet.leave(asset.number, &asset.subjects);
        }
    }

    /// Takes rulings over; where they are others than before, every asset is told anew.
    pub fn rule(&mut self, rulings: Rulings, now: Timestamp) {
        if rulings.mark != self.rulings.mark {
            for asset in self.assets.values_mut() {
                asset.dirty_since.get_or_insert(now);
            }
        }
        self.rulings = Arc::new(rulings);
    }

    /// Judges every subject that was not yet, or whose advisories changed. Says how many.
    pub fn judge(&mut self, now: Timestamp) -> usize {
        self.judged.resize(self.fleet.subjects(), None);
        let unjudged = (0u32..).zip(&self.judged).filter(|(_, judged)| judged.is_none());
        let mut all: BTreeSet<u32> = unjudged.map(|(number, _)| number).collect();
        let waiting = std::mem::take(&mut self.waiting);
        let since = self.waiting_since.take().unwrap_or(now);
        all.extend(&waiting);
        for number in &all {
            let Some((subject, _)) = self.fleet.subject(*number) else { continue };
            let mut verdicts = self.index.verdicts(subject);
            verdicts.retain(|(_, verdict)| verdict.state != Verdict3::NotAffected);
            self.judged[*number as usize] = Some(Arc::new(verdicts));
        }
        let hosts: BTreeSet<u32> = waiting
            .iter()
            .filter_map(|number| self.fleet.subject(*number))
            .flat_map(|(_, hosts)| hosts.iter())
            .collect();
        let kinds = self.index.kinds();
        let other_kinds = kinds != self.kinds;
        self.kinds = kinds;
        for asset in self.assets.values_mut() {
            if other_kinds || hosts.contains(&asset.number) {
                let waits = asset.dirty_since.map_or(since, |before| before.min(since));
                asset.dirty_since = Some(waits);
            }
        }
        all.len()
    }

    /// Whether every source was read and nothing of it put aside.
    fn is_whole(&self) -> bool {
        self.accounts.keys().all(|name| self.shelf.contains_key(name))
            && self.shelf.values().all(|shelved| shelved.quarantined == 0)
    }

    /// Whether a decision about one of the asset's weaknesses rests on a fact.
    pub fn rests(&self, asset: &Asset) -> bool {
        let verdicts = asset.subjects.iter().filter_map(|n| self.judged.get(*n as usize)?.as_ref());
        let mut numbers = verdicts.flat_map(|all| all.iter()).map(|(number, _)| *number);
        numbers.any(|number| self.index.get(number).is_some_and(|one| self.rulings.rests(one)))
    }

    /// What advisories mean for an asset now.
    pub fn tell(&self, asset: &Asset, facts: Option<&Facts>, now: Timestamp) -> Told {
        let mut told = Told {
            sbom: asset.sbom.map(|(record, _)| record.to_string()).unwrap_or_default(),
            components: asset.components,
            restart: asset.restart.clone(),
            ..Told::default()
        };
        let fact = |path: &str| vex::value_of(facts?, path);
        let mut covered: HashMap<Sort<'_>, bool> = HashMap::new();
        for number in &asset.subjects {
            let Some((subject, _)) = self.fleet.subject(*number) else { continue };
            let key = (
                subject.ecosystem.as_str(),
                subject.distribution.as_deref(),
                subject.release.as_deref(),
                [subject.cpes.is_empty(), subject.part_of.is_none()],
            );
            if !*covered.entry(key).or_insert_with(|| self.index.covers(subject)) {
                told.uncovered += 1;
                *told.uncovered_kinds.entry(kind_of(subject)).or_default() += 1;
            }
            let Some(Some(judged)) = self.judged.get(*number as usize) else { continue };
            for (number, verdict) in judged.iter() {
                let Some(advisory) = self.index.get(*number) else { continue };
                let mut part = part(subject, verdict);
                self.rulings.apply(&mut part, subject, advisory, now, &fact);
                touch(&mut told.touches, advisory, part);
            }
        }
        self.carry(asset, &mut told);
        told
    }

    /// What was told before and whose advisory cannot be read now stays, as unknown.
    fn carry(&self, asset: &Asset, told: &mut Told) {
        if self.is_whole() {
            return;
        }
        for (weakness, before) in &asset.told.touches {
            let is_read = self.index.find(weakness).next().is_some();
            if is_read || before.state() == "not_affected" || told.touches.contains_key(weakness) {
                continue;
            }
            let mut touch = before.clone();
            for part in &mut touch.parts {
                (part.ja, part.en) = sentence::unreadable();
                (part.state, part.fixed) = ("unknown".to_owned(), None);
            }
            told.touches.insert(weakness.clone(), touch);
        }
    }

    /// The age of the source that was not heard of for the longest time.
    pub fn age_h(&self, now: Timestamp) -> Option<i64> {
        self.accounts.values().map(|account| account.age_h(now)).max()
    }

    /// Advisories under a name or alias, with the source of each.
    pub fn find(&self, name: &str) -> Vec<Advisory> {
        self.index.find(name).cloned().collect()
    }

    /// Assets that have a component of that name, whatever version: the index of the fleet says who.
    pub fn having(&self, matches: &dyn Fn(&Subject) -> bool) -> Vec<(Id, Subject)> {
        let by_number: HashMap<u32, Id> =
            self.assets.iter().map(|(id, asset)| (asset.number, *id)).collect();
        let by_number = &by_number;
        let subjects = (0..self.fleet.subjects() as u32).filter_map(|at| self.fleet.subject(at));
        subjects
            .filter(|(subject, _)| matches(subject))
            .flat_map(|(subject, hosts)| {
                hosts.iter().filter_map(move |host| Some((*by_number.get(&host)?, subject.clone())))
            })
            .collect()
    }
}

/// The kind of a component, as people name it.
fn kind_of(subject: &Subject) -> String {
    match (&subject.distribution, &subject.release) {
        (Some(distribution), Some(release)) => format!("{distribution} {release}"),
        (Some(distribution), None) => distribution.clone(),
        (None, _) if subject.ecosystem.is_empty() => "CPE".to_owned(),
        (None, _) => subject.ecosystem.clone(),
    }
}

fn part(subject: &Subject, verdict: &Verdict) -> Part {
    let (ja, en) = verdict.reason.words();
    let package = match &subject.purl {
        Some(purl) => purl.versionless().to_string(),
        None => subject.name.clone(),
    };
    Part {
        package,
        name: subject.name.clone(),
        version: subject.version.clone(),
        state: verdict.state.name().to_owned(),
        ja,
        en,
        fixed: sentence::mend(subject, &verdict.reason, &verdict.fixed),
        ..Part::default()
    }
}

/// Adds a part to the weakness that an advisory is about. Of two that say something of one version the graver stands.
fn touch(touches: &mut BTreeMap<String, Touch>, advisory: &Advisory, part: Part) {
    let weakness = advisory.weakness().to_owned();
    let touch = touches.entry(weakness).or_default();
    let names = [&advisory.id].into_iter().chain(&advisory.aliases);
    for name in names.filter(|name| name.as_str() != advisory.weakness()) {
        if !touch.also.contains(name) {
            touch.also.push(name.clone());
        }
    }
    if touch.title.is_empty() {
        touch.title = advisory.title.clone().unwrap_or_default().chars().take(300).collect();
    }
    touch.score = touch.score.max(advisory.score());
    touch.informational = advisory.informational.clone();
    let rank = |part: &Part| STATES.iter().position(|state| *state == part.state);
    let same = |one: &Part| one.package == part.package && one.version == part.version;
    match touch.parts.iter_mut().find(|one| same(one)) {
        None => touch.parts.push(part),
        Some(known)
            if (rank(&part), part.fixed.is_none()) < (rank(known), known.fixed.is_none()) =>
        {
            *known = part;
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sbom::advisory;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn id(n: u8) -> Id {
        Id::from_parts(NOW, &[n; 10])
    }

    fn bill(n: u8, purls: &[&str]) -> Taken {
        let components: Vec<String> = purls
            .iter()
            .enumerate()
            .map(|(at, purl)| {
                format!(
                    r#"{{"type": "library", "bom-ref": "{at}", "name": "x", "purl": "{purl}"}}"#
                )
            })
            .collect();
        let text = format!(
            r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{}]}}"#,
            components.join(",")
        );
        let bom = sbom::parse(text.as_bytes()).expect("valid");
        Taken::new(id(n), [NOW, NOW], &bom, None, &Aliases::default())
    }

    fn osv(id: &str, aliases: &str, name: &str, fixed: &str) -> Advisory {
        let text = format!(
            r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "aliases": [{aliases}],
            "severity": [{{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],
            "affected": [{{"package": {{"ecosystem": "npm", "name": "{name}"}}, "ranges":
            [{{"type": "SEMVER", "events": [{{"introduced": "0"}}, {{"fixed": "{fixed}"}}]}}]}}]}}"#
        );
        let mut read = advisory::read(text.as_bytes(), &sbom::Limits::DEFAULT);
        assert_eq!(read.problems, []);
        read.advisories.remove(0)
    }

    fn told(state: &State, n: u8) -> Told {
        state.tell(&state.assets[&id(n)], None, NOW)
    }

    #[test]
    fn two_advisories_about_one_weakness_are_one_touch() {
        let mut state = State::default();
        state.index.insert(osv("GHSA-1", "\"CVE-2026-1\"", "a", "1.5.0"));
        state.index.insert(osv("CVE-2026-1", "", "a", "1.4.0"));
        state.take(id(1), bill(9, &["pkg:npm/a@1.0.0"]));
        assert_eq!(state.judge(NOW), 1);
        let told = told(&state, 1);
        assert_eq!(told.touches.keys().collect::<Vec<_>>(), ["CVE-2026-1"]);
        let touch = &told.touches["CVE-2026-1"];
        assert_eq!((touch.parts.len(), touch.score, touch.state()), (1, Some(98), "affected"));
        assert_eq!(touch.also, ["GHSA-1"]);
    }

    #[test]
    fn a_new_bill_brings_only_what_no_asset_had_to_judgement() {
        let mut state = State::default();
        state.index.insert(osv("A", "", "a", "2.0.0"));
        state.take(id(1), bill(8, &["pkg:npm/a@1.0.0", "pkg:npm/b@1.0.0"]));
        assert_eq!(state.judge(NOW), 2);
        state.take(id(2), bill(9, &["pkg:npm/a@1.0.0", "pkg:npm/c@1.0.0"]));
        assert_eq!(state.judge(NOW), 1);
        assert_eq!(told(&state, 2).count("affected"), 1);
        state.take(id(1), bill(10, &["pkg:npm/a@2.0.0"]));
        assert_eq!(state.judge(NOW), 1);
        assert_eq!((told(&state, 1).count("affected"), told(&state, 2).count("affected")), (0, 1));
    }

    #[test]
    fn a_new_advisory_touches_only_who_has_its_package() {
        let mut state = State::default();
        state.take(id(1), bill(8, &["pkg:npm/a@1.0.0"]));
        state.take(id(2), bill(9, &["pkg:npm/b@1.0.0"]));
        state.judge(NOW);
        state.index.insert(osv("B", "", "b", "2.0.0"));
        state.judge(NOW);
        state.assets.values_mut().for_each(|asset| asset.dirty_since = None);
        let advisory = osv("A", "", "a", "2.0.0");
        let touched = state.fleet.touched(&advisory);
        state.index.insert(advisory);
        state.note(Change { changed: 1, touched }, NOW);
        assert_eq!(state.judge(NOW.plus_hours(1)), 1);
        let dirty: Vec<Option<Timestamp>> = state.assets.values().map(|a| a.dirty_since).collect();
        assert_eq!(dirty, [Some(NOW), None]);
    }

    #[test]
    fn where_no_advisory_speaks_of_a_kind_silence_is_counted() {
        let mut state = State::default();
        state.index.insert(osv("A", "", "a", "2.0.0"));
        state.take(
            id(1),
            bill(8, &["pkg:npm/z@1.0.0", "pkg:pypi/z@1", "pkg:deb/debian/z@1?distro=bookworm"]),
        );
        state.judge(NOW);
        let told = told(&state, 1);
        assert_eq!((told.touches.len(), told.uncovered), (0, 2));
        let kinds: Vec<&str> = told.uncovered_kinds.keys().map(String::as_str).collect();
        assert_eq!(kinds, ["debian 12", "pypi"]);
    }

    #[test]
    fn what_cannot_be_read_any_more_is_unknown_and_not_mended() {
        let mut state = State::default();
        let number = state.index.insert(osv("A", "", "a", "2.0.0"));
        state.take(id(1), bill(8, &["pkg:npm/a@1.0.0"]));
        state.judge(NOW);
        let before = told(&state, 1);
        state.assets.get_mut(&id(1)).expect("there").told = before;
        state.index.remove(number);
        state.waiting.insert(0);
        state.judge(NOW);
        assert_eq!(told(&state, 1).touches.len(), 0, "every source is whole: it was taken back");
        state.accounts.insert("feed".to_owned(), Account::default());
        let touch = told(&state, 1).touches["A"].clone();
        assert_eq!((touch.state(), touch.parts[0].fixed.as_deref()), ("unknown", None));
    }
}
