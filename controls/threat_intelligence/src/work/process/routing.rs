//! Who is asked for what, as shipped; and how these routes become rules of the register.
//!
//! Invariant: rules are put into the register once. Whoever changes or deletes them there has the last word.

use std::sync::LazyLock;

use model::{Table, Text, t};
use serde::Deserialize;
use serde_json::json;
use store::{Row, Store, StoreError};

use crate::work::triage::{Input, ROUTING, Route};

const TEXT: &str = include_str!("../../../../../content/threats/routing.toml");
const SETTING: &str = "intel_routing_shipped";
const ACTOR: &str = "ume";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "author")]
    _author: String,
    route: Vec<Shipped>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shipped {
    input: String,
    audience: String,
    expected_ja: String,
    expected_en: String,
    closing_record: String,
    due_hours: i64,
}

static SHIPPED: LazyLock<Vec<Shipped>> = LazyLock::new(|| {
    let read = toml::from_str::<File>(TEXT).map(|file| file.route);
    read.inspect_err(|error| tracing::error!(%error, "the shipped routing does not read"))
        .unwrap_or_default()
});

/// The shipped routes of an input.
pub fn shipped(input: Input) -> Vec<Route> {
    let of = SHIPPED.iter().filter(|route| route.input == input.as_str());
    of.map(|route| Route {
        input: Some(input),
        audience: route.audience.clone(),
        expected: format!("{} / {}", route.expected_ja, route.expected_en),
        proof: route.closing_record.clone(),
        due_hours: Some(route.due_hours),
    })
    .collect()
}

/// Puts the shipped routes into the register, unless it has, or had, some; gives the number of rules written.
pub async fn seed(store: &Store) -> Result<usize, StoreError> {
    if store.setting(SETTING).await?.is_some() {
        return Ok(0);
    }
    let mut written = 0;
    if store.all(Table::Rule, &[ROUTING]).await?.is_empty() {
        let mut write = store.write(ACTOR, "routing content", "").await?;
        for route in SHIPPED.iter() {
            let input = Input::named(&route.input).map_or(route.input.as_str(), |i| i.text().ja);
            let name = format!("{input} → {}", audience_text(&route.audience).ja);
            let mut row = Row::new(Table::Rule, store.new_id()?, ROUTING, &name);
            let attributes = json!({
                "input": route.input,
                "audience": route.audience,
                "expected": format!("{} / {}", route.expected_ja, route.expected_en),
                "closing_record": route.closing_record,
                "due_hours": route.due_hours,
            });
            row.attributes = attributes.as_object().cloned().unwrap_or_default();
            write.put(row).await?;
            written += 1;
        }
        write.commit().await?;
    }
    store.set_setting(SETTING, "1").await?;
    Ok(written)
}

/// How an audience reads.
pub fn audience_text(audience: &str) -> Text {
    match audience {
        "it" => t("IT部門", "IT"),
        "executive" => t("幹部", "Executives"),
        "csirt" => t("CSIRT", "CSIRT"),
        "staff" => t("従業員", "Staff"),
        "public_relations" => t("広報", "Public relations"),
        _ => t("担当なし", "nobody named"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_input_has_routes_which_become_rules_once() {
        for input in Input::ALL {
            let routes = shipped(input);
            assert!(!routes.is_empty(), "{}", input.as_str());
            for route in routes {
                assert!(!route.proof.is_empty() && route.expected.contains(" / "));
                assert_ne!(audience_text(&route.audience).en, "nobody named");
            }
        }
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(folder.path(), store::system_clock()).await.expect("store");
        assert_eq!(seed(&store).await.expect("seeded"), SHIPPED.len());
        let rules = store.all(Table::Rule, &[ROUTING]).await.expect("rules");
        let kind = crate::SPEC.rules.iter().find(|kind| kind.id == ROUTING).expect("kind");
        for rule in &rules {
            assert_eq!(kind.validate(&rule.attributes), [], "{}", rule.name);
        }
        let mut write = store.write("someone", "test", "").await.expect("write");
        for rule in rules {
            write.delete(rule).await.expect("deleted");
        }
        write.commit().await.expect("commit");
        assert_eq!(seed(&store).await.expect("again"), 0, "what was deleted stays deleted");
    }
}
