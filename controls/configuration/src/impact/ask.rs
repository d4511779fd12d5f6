//! What a supplier is asked when a bill of materials does not reach to the bottom.

use model::{Id, Table};
use sbom::Bom;
use serde_json::json;
use store::{Record, Row, Store, StoreError, Write};

use super::{
    ASKED,
    document::{self, Aliases, Counts},
};

/// Days within which an answer is looked for.
const ANSWER_DAYS: i64 = 14;
/// Components that a letter names.
const NAMED_MAX: usize = 30;

/// What is missing, by name.
pub(crate) struct Missing {
    pub counts: Counts,
    blind: Vec<String>,
    unidentified: Vec<String>,
}

impl Missing {
    /// What a document leaves open.
    pub fn of(bom: &Bom, aliases: &Aliases) -> Missing {
        let name = |one: &sbom::Component| match &one.version {
            Some(version) => format!("{} {version}", one.name),
            None => one.name.clone(),
        };
        let all = || bom.subject.iter().chain(document::parts(bom));
        let named = |one: &&sbom::Component| one.purl.is_none() && one.cpe.is_none();
        Missing {
            counts: document::count(bom, aliases),
            blind: all()
                .filter(|one| document::is_blind(bom, one))
                .map(name)
                .take(NAMED_MAX)
                .collect(),
            unidentified: document::parts(bom).filter(named).map(name).take(NAMED_MAX).collect(),
        }
    }

    fn unidentified(&self) -> usize {
        self.counts.components - self.counts.identified
    }

    /// Whether there is anything to ask for.
    pub fn is_nothing(&self) -> bool {
        self.counts.blind == 0 && self.unidentified() == 0
    }

    /// The letter, in both languages.
    pub fn letter(&self, software: &str) -> (String, String) {
        let list = |names: &[String]| names.iter().map(|n| format!("- {n}\n")).collect::<String>();
        let (blind, nameless) = (self.counts.blind, self.unidentified());
        let ja = format!(
            "{software}の部品表（SBOM）について\n\nご提供の部品表には、下位の部品が分からない箇所が{blind}件、識別子（purl・CPE・SWID）のない部品が{nameless}件あります。ぜい弱性の影響を判定するため、末端までの部品と識別子を含む部品表（CycloneDX 1.4以降、またはSPDX 2.3・3.0.1）のご提供をお願いします。提供できない場合は、その理由と、ぜい弱性情報の通知方法（VEXなど）をお知らせください。\n\n下位が不明な部品：\n{}\n識別子のない部品：\n{}",
            list(&self.blind),
            list(&self.unidentified)
        );
        let en = format!(
            "Bill of materials (SBOM) of {software}\n\nIn the bill of materials that you supplied, {blind} components do not say what is below them, and {nameless} have no identifier (purl, CPE or SWID). To judge what vulnerabilities mean for us we ask for a bill that reaches to the bottom and identifies each component (CycloneDX 1.4 or later, SPDX 2.3 or 3.0.1). If that is not possible, please tell us why, and how you will tell us about vulnerabilities (for example by VEX).\n\nUnknown below:\n{}\nWithout identifier:\n{}",
            list(&self.blind),
            list(&self.unidentified)
        );
        (ja, en)
    }
}

/// Writes down that the supplier was asked: the letter as a record, the bill once more with that said, and a task that
/// the next bill which reaches to the bottom closes.
pub(crate) async fn ask(
    store: &Store,
    write: &mut Write<'_>,
    asset: &Row,
    bill: &Record,
    payload: Vec<u8>,
    missing: &Missing,
) -> Result<(), StoreError> {
    let now = store.now();
    let (ja, en) = missing.letter(&asset.name);
    let facts = json!({
        "sbom": bill.id.to_string(),
        "unknown_below": missing.counts.blind,
        "unidentified": missing.unidentified(),
    });
    let mut asked = room::draft(ASKED.ty, Some(asset.id), now, facts);
    (asked.source, asked.assurance) = ("web".to_owned(), model::Assurance::Attested);
    asked.payload = Some(format!("{ja}\n\n----\n\n{en}").into_bytes());
    write.record(asked).await?;
    let mut again = bill.facts.clone();
    again.insert("supplier_asked".to_owned(), true.into());
    let mut draft = room::draft(document::RECORD, Some(asset.id), bill.observed_to, json!(again));
    (draft.source, draft.assurance) = (bill.source.clone(), bill.assurance);
    draft.observed_from = bill.observed_from;
    draft.payload = Some(payload);
    write.record(draft).await?;
    write.put(task(store.new_id()?, asset, &(ja, en), store)).await?;
    Ok(())
}

fn task(id: Id, asset: &Row, (ja, en): &(String, String), store: &Store) -> Row {
    let due = store.now().plus_hours(24 * ANSWER_DAYS);
    let name = format!("部品表の照会への回答 / Answer about the SBOM: {}", asset.name);
    let mut task = Row::new(Table::Task, id, "task", &name.chars().take(200).collect::<String>());
    task.status = "open".to_owned();
    task.schema_version = 2;
    task.subject = Some(asset.id);
    task.ends_at = Some(due);
    let mut attributes = json!({
        "due": due.rfc3339().chars().take(10).collect::<String>(),
        "zone": "UTC",
        "description": format!("{ja}\n\n----\n\n{en}\n\n/configuration/sbom/{}", asset.id),
        "remind_days": 3,
        "closes_with": document::RECORD,
        "closes_where": { "depth_complete": true },
    });
    match asset.owner {
        Some(owner) => attributes["assignee"] = owner.to_string().into(),
        None => attributes["role"] = "administrator".into(),
    }
    task.attributes = attributes.as_object().cloned().unwrap_or_default();
    task
}

/// Whether the supplier was asked about a bill that is as open as this one.
pub(crate) async fn was_asked(
    store: &Store,
    asset: Id,
    counts: Counts,
) -> Result<bool, StoreError> {
    let asked = store.newest_records(&[ASKED.ty], Some(asset), 1).await?;
    let number = |record: &Record, name: &str| {
        record.facts.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0) as usize
    };
    Ok(asked.first().is_some_and(|record| {
        number(record, "unknown_below") >= counts.blind
            && number(record, "unidentified") >= counts.components - counts.identified
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_names_what_is_missing() {
        let bom = sbom::parse(
            br#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
                {"type": "library", "bom-ref": "a", "name": "alpha", "version": "1"}]}"#,
        );
        let missing = Missing::of(&bom.expect("valid"), &Aliases::default());
        assert!(!missing.is_nothing());
        let (ja, en) = missing.letter("Product");
        assert!(ja.contains("- alpha 1") && ja.contains("1件"), "{ja}");
        assert!(en.contains("- alpha 1") && en.contains("Product"), "{en}");
    }
}
