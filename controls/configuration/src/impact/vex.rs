//! Decisions of ours and statements of suppliers about weaknesses: which of them speaks for a component of an asset,
//! and documents of them.
//!
//! A decision is a signed row of kind `vex_statement`: by package URL without version, so upgrades leave it standing; it
//! ends with the row, and it reopens on each asset where the fact it rests on is another. Our own decisions go before
//! statements of suppliers; of those the latest counts.

use std::collections::{BTreeSet, HashMap};

use baseline::{Class, Facts};
use model::{Id, Lang, Table, Text, Timestamp, t};
use room::Error;
use sbom::{
    Limits,
    advisory::Advisory,
    judge::{State, Subject},
    purl::Purl,
    vex::{self, Decision, Document, Form, Product, Standing, Statement, Status},
};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Record, RecordDraft, Row, Store};

use super::{
    document,
    told::{Decided, Part},
};

/// Kind of the decision.
pub(crate) const KIND: &str = "vex_statement";
pub(crate) const RECORD: &str = "configuration.vex_received";
/// What joins a fact and its value where a decision rests on one.
const IS: &str = " = ";
/// Value of a fact that a host does not have.
pub(crate) const ABSENT: &str = "absent";
const RECEIVED_MAX: usize = 1_000;
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// A decision of ours.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub id: Id,
    pub decision: Decision,
    pub justification: Option<String>,
    pub by: String,
    /// What the signer wrote.
    pub words: String,
    pub at: Timestamp,
    pub ends: Option<Timestamp>,
    /// The fact as it stands in the decision.
    pub fact: String,
}

/// All that speaks about weaknesses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rulings {
    own: Vec<Own>,
    theirs: Vec<Statement>,
    own_by: HashMap<String, Vec<usize>>,
    theirs_by: HashMap<String, Vec<usize>>,
    /// Changes with what is in it, and when one ends.
    pub mark: String,
}

/// The justifications, as people read them.
pub(crate) const JUSTIFICATIONS: [(&str, Text); 5] = [
    ("component_not_present", t("部品がない", "the component is not there")),
    (
        "vulnerable_code_not_present",
        t("ぜい弱なコードが含まれない", "the vulnerable code is not in it"),
    ),
    (
        "vulnerable_code_not_in_execute_path",
        t("ぜい弱なコードが実行されない", "the vulnerable code is never run"),
    ),
    (
        "vulnerable_code_cannot_be_controlled_by_adversary",
        t("攻撃者が到達・操作できない", "no adversary can reach it"),
    ),
    (
        "inline_mitigations_already_exist",
        t("緩和策がすでにある", "a mitigation is in place already"),
    ),
];

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default().trim()
}

/// Class, name and value of a fact, if a decision rests on one that machines can look up.
pub(crate) fn fact_of(text: &str) -> Option<(&str, &str)> {
    let (path, value) = text.split_once(IS)?;
    let (class, name) = path.split_once('/')?;
    (Class::named(class).is_some() && !name.is_empty()).then_some((path, value))
}

/// A fact and its value as a decision names them.
pub(crate) fn fact_text(path: &str, value: &str) -> String {
    format!("{path}{IS}{value}")
}

/// The value of a fact of a host.
pub(crate) fn value_of(facts: &Facts, path: &str) -> Option<String> {
    let (class, name) = path.split_once('/')?;
    let class = Class::named(class)?;
    let found = facts.get(class, name.as_bytes());
    Some(found.map_or_else(|| ABSENT.to_owned(), |fact| fact.value.shown()))
}

/// A decision, if the row is one that holds.
fn own(row: &Row, now: Timestamp) -> Option<Own> {
    if row.status != "approved" || row.deleted || row.ends_at.is_some_and(|ends| ends <= now) {
        return None;
    }
    let status = match text(row, "status") {
        "affected" => Status::Affected,
        "not_affected" => Status::NotAffected,
        _ => Status::UnderInvestigation,
    };
    let fact = text(row, "fact").to_owned();
    let facts = fact_of(&fact).map(|(path, value)| (path.to_owned(), value.to_owned()));
    let signed = web::decide::signatures(row);
    let words = signed.first().map(|one| one.statement.reason.clone()).unwrap_or_default();
    let decision = Decision {
        purl: Purl::parse_lenient(text(row, "purl")).ok()?.versionless(),
        advisory: text(row, "advisory").to_owned(),
        reason: words.clone(),
        status,
        expires: row.ends_at.map(|ends| ends.0.div_euclid(1_000_000)),
        facts: facts.into_iter().collect(),
    };
    Some(Own {
        id: row.id,
        decision,
        justification: Some(text(row, "justification").to_owned()).filter(|j| !j.is_empty()),
        by: text(row, "signer").to_owned(),
        words,
        at: row.updated_at,
        ends: row.ends_at,
        fact,
    })
}

impl Rulings {
    /// Everything that is decided and stated now.
    pub async fn load(store: &Store) -> Result<Rulings, Error> {
        let now = store.now();
        let rows = store.all(Table::Decision, &[KIND]).await?;
        let own: Vec<Own> = rows.iter().filter_map(|row| own(row, now)).collect();
        let received = store.newest_records(&[RECORD], None, RECEIVED_MAX).await?;
        let ids: Vec<Id> = received.iter().map(|record| record.id).collect();
        let mut payloads = store.payloads(&ids).await?;
        let mut theirs = Vec::new();
        // The latest last: of statements without a time the last counts.
        for record in received.iter().rev() {
            let payload = payloads.remove(&record.id).unwrap_or_default();
            let document = document::unpack(&payload).unwrap_or_default();
            theirs.extend(vex::read(&document, &Limits::DEFAULT).statements);
        }
        Ok(Rulings::new(own, theirs, &received))
    }

    fn new(own: Vec<Own>, theirs: Vec<Statement>, received: &[Record]) -> Rulings {
        let mut mark = Sha256::new();
        for one in &own {
            mark.update(format!("{} {}\n", one.id, one.at.0));
        }
        for record in received {
            mark.update(format!("{}\n", record.id));
        }
        let mut rulings = Rulings { own, theirs, ..Rulings::default() };
        rulings.mark = hex::encode(mark.finalize());
        for (at, one) in rulings.own.iter().enumerate() {
            rulings.own_by.entry(one.decision.advisory.clone()).or_default().push(at);
        }
        for (at, one) in rulings.theirs.iter().enumerate() {
            rulings.theirs_by.entry(one.advisory.clone()).or_default().push(at);
        }
        rulings
    }

    /// Our decisions, the newest first.
    pub fn own(&self) -> Vec<&Own> {
        let mut all: Vec<&Own> = self.own.iter().collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.at));
        all
    }

    fn named<'b>(by: &'b HashMap<String, Vec<usize>>, advisory: &Advisory) -> BTreeSet<&'b usize> {
        let names = [&advisory.id].into_iter().chain(&advisory.aliases);
        names.filter_map(|name| by.get(name)).flatten().collect()
    }

    /// Whether a decision about the advisory rests on a fact of the asset.
    pub fn rests(&self, advisory: &Advisory) -> bool {
        Rulings::named(&self.own_by, advisory)
            .into_iter()
            .any(|at| !self.own[*at].decision.facts.is_empty())
    }

    /// Lets what was decided about component and advisory speak.
    pub fn apply(
        &self,
        part: &mut Part,
        subject: &Subject,
        advisory: &Advisory,
        now: Timestamp,
        fact: &dyn Fn(&str) -> Option<String>,
    ) {
        let seconds = now.0.div_euclid(1_000_000);
        let mut ours: Vec<&Own> =
            Rulings::named(&self.own_by, advisory).into_iter().map(|at| &self.own[*at]).collect();
        ours.sort_by_key(|one| std::cmp::Reverse((one.at, one.id)));
        for one in ours {
            match vex::standing(&one.decision, subject, advisory, seconds, fact) {
                Standing::Stands => {
                    let why = one.justification.clone().unwrap_or_else(|| one.words.clone());
                    part.reopened = None;
                    return decide(part, one.decision.status, &one.by, one.id.to_string(), why);
                }
                Standing::Reopened { fact, then, now } => {
                    let now_ja = now.clone().unwrap_or_else(|| "不明".to_owned());
                    let now_en = now.unwrap_or_else(|| "not known".to_owned());
                    part.reopened.get_or_insert((
                        format!("根拠の {fact} が「{then}」から「{now_ja}」に変わりました"),
                        format!("{fact}, on which the decision rests, was {then} and is {now_en}"),
                    ));
                }
                Standing::Elsewhere | Standing::Expired(_) => {}
            }
        }
        let theirs =
            Rulings::named(&self.theirs_by, advisory).into_iter().map(|at| &self.theirs[*at]);
        let mut said: Option<&Statement> = None;
        for one in theirs.filter(|one| one.product.is(subject)) {
            if said.is_none_or(|said| said.at <= one.at) {
                said = Some(one);
            }
        }
        if let Some(one) = said {
            decide(part, one.status, &one.author, String::new(), one.reason_text());
        }
    }
}

fn decide(part: &mut Part, status: Status, by: &str, decision: String, why: String) {
    part.state = status.state().name().to_owned();
    let (status, by) = (status.name().to_owned(), by.to_owned());
    part.decided = Some(Decided { decision, by, status, why });
}

/// Forms of documents, by the names in addresses.
pub(crate) const FORMS: [(&str, Form); 4] = [
    ("openvex", Form::OpenVex),
    ("cyclonedx", Form::CycloneDx),
    ("csaf-2.0", Form::Csaf20),
    ("csaf-2.1", Form::Csaf21),
];

/// Our decisions as a document for others.
pub(crate) fn export(rulings: &Rulings, form: Form, house: &House<'_>) -> Json {
    let statement = |one: &&Own| Statement {
        advisory: one.decision.advisory.clone(),
        product: Product::Purl(one.decision.purl.clone()),
        status: one.decision.status,
        original: one.decision.status.name().to_owned(),
        justification: one.justification.clone(),
        impact: Some(one.words.clone()).filter(|words| !words.is_empty()),
        action: None,
        author: house.author.to_owned(),
        at: Some(one.at.rfc3339()),
    };
    let mut all = rulings.own();
    all.reverse();
    let statements: Vec<Statement> = all.iter().map(statement).collect();
    let digest = Sha256::digest(rulings.mark.as_bytes());
    let uuid = uuid_of(&digest[..16]);
    let id = match form {
        Form::OpenVex => format!("{}/vex/{uuid}", house.namespace.trim_end_matches('/')),
        Form::CycloneDx => uuid,
        Form::Csaf20 | Form::Csaf21 => format!("ume-vex-{uuid}"),
    };
    let document = Document {
        id,
        author: house.author.to_owned(),
        namespace: house.namespace.to_owned(),
        at: house.now.rfc3339(),
        edition: 1,
        title: "VEX".to_owned(),
    };
    vex::write(&document, &statements, form)
}

/// RFC 9562, version 8: the same decisions, the same name.
fn uuid_of(digest: &[u8]) -> String {
    let mut bytes = digest.to_vec();
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// Who makes statements.
pub(crate) struct House<'h> {
    pub author: &'h str,
    /// An IRI.
    pub namespace: &'h str,
    pub now: Timestamp,
}

/// Why a document of statements was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub Vec<String>);

/// The record of a document of somebody else. One of which nothing can be read is refused with the places.
pub(crate) fn received(
    document: &[u8],
    subject: Option<Id>,
    source: &str,
    now: Timestamp,
) -> Result<RecordDraft, Refused> {
    let read = vex::read(document, &Limits::DEFAULT);
    if read.statements.is_empty() {
        let mut problems: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
        if problems.is_empty() {
            problems.push("there is no statement in it".to_owned());
        }
        return Err(Refused(problems));
    }
    let author = read.statements.first().map(|one| one.author.clone()).unwrap_or_default();
    let author: String = author.chars().filter(|c| !c.is_control()).take(200).collect();
    let facts = json!({
        "author": if author.is_empty() { "-".to_owned() } else { author },
        "statements": read.statements.len(),
        "problems": read.problems.len(),
    });
    let packed = document::pack(document).map_err(|why| Refused(vec![why]))?;
    let mut draft = room::draft(RECORD, subject, now, facts);
    draft.source = source.to_owned();
    draft.assurance = model::Assurance::Imported;
    draft.payload = Some(packed);
    Ok(draft)
}

/// How a justification reads.
pub(crate) fn justification_text(word: &str, lang: Lang) -> String {
    let known = JUSTIFICATIONS.iter().find(|(name, _)| *name == word);
    known.map_or_else(|| word.to_owned(), |(_, text)| text.get(lang).to_owned())
}

/// What a decision says beside its name, as its signers are shown it.
pub(crate) fn notes(
    advisory: &str,
    purl: &str,
    status: State,
    justification: &str,
    fact: &str,
) -> Vec<(&'static str, Json)> {
    let mut notes = vec![
        ("advisory", advisory.into()),
        ("purl", purl.into()),
        ("status", status.name().into()),
        ("fact", fact.into()),
    ];
    if !justification.is_empty() {
        notes.push(("justification", justification.into()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000_000);

    fn decision(fact: &str, days: i64) -> Row {
        let id = Id::from_parts(NOW, &[7; 10]);
        let mut row = Row::new(Table::Decision, id, KIND, "CVE-1 pkg:deb/debian/linux");
        row.status = "approved".to_owned();
        row.ends_at = Some(NOW.plus_hours(24 * days));
        for (name, value) in [
            ("advisory", "CVE-1"),
            ("purl", "pkg:deb/debian/linux"),
            ("status", "not_affected"),
            ("justification", "vulnerable_code_not_in_execute_path"),
            ("fact", fact),
            ("signer", "officer"),
        ] {
            row.attributes.insert(name.to_owned(), value.into());
        }
        row
    }

    fn rulings(rows: &[Row], now: Timestamp) -> Rulings {
        Rulings::new(rows.iter().filter_map(|row| own(row, now)).collect(), Vec::new(), &[])
    }

    fn judged(rulings: &Rulings, now: Timestamp, value: Option<&str>) -> Part {
        let subject = Subject::of(&Purl::parse("pkg:deb/debian/linux@6.1.2").expect("a purl"));
        let advisory = Advisory {
            id: "DSA-1".to_owned(),
            aliases: vec!["CVE-1".to_owned()],
            ..Advisory::default()
        };
        let mut part = Part { state: "affected".to_owned(), ..Part::default() };
        rulings.apply(&mut part, &subject, &advisory, now, &|_| value.map(str::to_owned));
        part
    }

    #[test]
    fn a_decision_stands_by_alias_and_whatever_the_version_until_it_ends() {
        let rows = [decision("reviewed by hand", 1)];
        let part = judged(&rulings(&rows, NOW), NOW, None);
        assert_eq!(part.state, "not_affected");
        assert_eq!(part.decided.expect("decided").by, "officer");
        let later = NOW.plus_hours(24);
        assert_eq!(judged(&rulings(&rows, later), later, None).state, "affected");
        assert_ne!(rulings(&rows, NOW).mark, rulings(&rows, later).mark);
    }

    #[test]
    fn a_decision_reopens_where_its_fact_is_another_or_unknown() {
        let rows = [decision("module/sctp = absent", 30)];
        let rulings = rulings(&rows, NOW);
        assert_eq!(judged(&rulings, NOW, Some("absent")).state, "not_affected");
        for value in [Some("{load: true}"), None] {
            let part = judged(&rulings, NOW, value);
            assert_eq!(part.state, "affected");
            assert!(part.reopened.expect("said").1.contains("module/sctp"));
        }
    }

    #[test]
    fn an_unsigned_or_rejected_decision_says_nothing() {
        for status in ["proposed", "rejected"] {
            let mut row = decision("x", 1);
            row.status = status.to_owned();
            assert_eq!(judged(&rulings(&[row], NOW), NOW, None).state, "affected");
        }
    }

    #[test]
    fn only_places_in_known_classes_are_facts() {
        assert_eq!(fact_of("module/sctp = absent"), Some(("module/sctp", "absent")));
        for words in ["module/sctp", "nothing/x = 1", "module/ = 1", "we never call it"] {
            assert_eq!(fact_of(words), None, "{words}");
        }
    }

    #[test]
    fn what_is_exported_is_read_again_and_says_the_same() {
        let rulings = rulings(&[decision("x", 30)], NOW);
        let house = House { author: "Ume", namespace: "https://ume.example", now: NOW };
        for (name, form) in FORMS {
            let text = export(&rulings, form, &house).to_string();
            let read = vex::read(text.as_bytes(), &Limits::DEFAULT);
            assert_eq!(read.problems, [], "{name}");
            assert_eq!(read.statements.len(), 1, "{name}");
            let one = &read.statements[0];
            assert_eq!((one.advisory.as_str(), one.status), ("CVE-1", Status::NotAffected));
            let taken = received(text.as_bytes(), None, "test", NOW).expect("taken");
            assert_eq!(taken.facts["statements"], 1);
        }
        assert!(received(b"{}", None, "test", NOW).is_err());
    }
}
