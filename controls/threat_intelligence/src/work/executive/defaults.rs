//! The criteria that a new organisation begins with: drafts, which somebody approves or changes.

use model::{Id, Table, Text, t};
use serde_json::json;
use store::{Row, Store, StoreError};

use super::{ACTOR, ESCALATION, Horizon, criterion::Trigger};

/// Set once they were offered: who deletes them is not given them again.
const OFFERED: &str = "threat_intelligence.escalation_offered";
const SHORT_HOURS: i64 = 24;
/// Two weeks before the management review.
const LONG_HOURS: i64 = 14 * 24;

struct Default {
    trigger: Trigger,
    condition: Text,
    example: Text,
    /// Parameters beside horizon and due.
    more: &'static [(&'static str, i64)],
}

const SHORT: [Default; 5] = [
    Default {
        trigger: Trigger::OwnSighting,
        condition: t(
            "脅威の指標が自組織のログに現れ、重大度が「高」以上である",
            "An indicator of a threat is met in our own logs with severity high or above",
        ),
        example: t(
            "社内の端末が、注意喚起にある通信先へ接続した",
            "A machine of ours connected to a destination of a notice",
        ),
        more: &[],
    },
    Default {
        trigger: Trigger::Vulnerability,
        condition: t(
            "悪用が確認された、または悪用見込み（EPSS）が50%以上の脆弱性が、インターネットに公開しているか重要な資産に当たる",
            "A vulnerability that is exploited, or whose EPSS is 50 % or more, concerns an asset that faces the Internet or is important",
        ),
        example: t("公開しているVPN装置の脆弱性の悪用", "An exploited flaw of our VPN gateway"),
        more: &[("epss_permille_min", 500)],
    },
    Default {
        trigger: Trigger::NamesUs,
        condition: t(
            "通知が当組織またはブランドを名指ししている",
            "A notice names us or a brand of ours",
        ),
        example: t("攻撃者の公開サイトに社名が載った", "Our name appeared on a site of attackers"),
        more: &[],
    },
    Default {
        trigger: Trigger::SupplierAttacked,
        condition: t("取引先が攻撃を受けた", "A supplier was attacked"),
        example: t(
            "部品の仕入先がランサムウェアの被害を公表した",
            "A supplier of parts reported ransomware",
        ),
        more: &[],
    },
    Default {
        trigger: Trigger::FakeSite,
        condition: t(
            "当組織に似せたドメインやサイトが見つかった",
            "A domain or site made to look like ours was found",
        ),
        example: t("社名を含む偽のログイン画面", "A false log-in page with our name"),
        more: &[],
    },
];

const LONG: [Default; 3] = [
    Default {
        trigger: Trigger::ActorInSector,
        condition: t(
            "同じ業種を狙う攻撃主体の活動が、四半期に2回以上報告された",
            "An actor who aims at our sector was reported twice or more within a quarter",
        ),
        example: t(
            "製造業を狙う攻撃グループの注意喚起が続いた",
            "Repeated notices on a group that aims at manufacturers",
        ),
        more: &[("times_min", 2), ("window_days", 92)],
    },
    Default {
        trigger: Trigger::NewMethod,
        condition: t(
            "IPAの10大脅威（組織）の最新版に、前の版にない脅威が加わった",
            "The newest edition of IPA's ten threats to organisations has one that the edition before had not",
        ),
        example: t("AIの利用をめぐるリスクの登場", "Risks around the use of AI came up"),
        more: &[],
    },
    Default {
        trigger: Trigger::OwnTrend,
        condition: t(
            "自組織での検知（重大度「中」以上）が、前の四半期の1.5倍以上に増えた",
            "Findings of our own, of medium severity or above, grew by half or more from one quarter to the next",
        ),
        example: t("標的型メールの検知が倍増した", "Findings of targeted mail doubled"),
        more: &[("times_min", 3), ("window_days", 92), ("rise_permille_min", 1_500)],
    },
];

/// The default criteria as rows with these ids.
pub fn rows(mut new_id: impl FnMut() -> Result<Id, StoreError>) -> Result<Vec<Row>, StoreError> {
    let short = SHORT.iter().map(|one| (one, Horizon::Short, SHORT_HOURS));
    let long = LONG.iter().map(|one| (one, Horizon::Long, LONG_HOURS));
    short
        .chain(long)
        .map(|(one, horizon, due_hours)| {
            let name = both(one.trigger.text());
            let mut row = Row::new(Table::Rule, new_id()?, ESCALATION, &name);
            row.status = "draft".to_owned();
            let mut attributes = json!({
                "horizon": horizon.as_str(),
                "trigger": one.trigger.as_str(),
                "condition": both(one.condition),
                "examples": both(one.example),
                "due_hours": due_hours,
            });
            for (name, value) in one.more {
                attributes[*name] = json!(value);
            }
            match one.trigger {
                Trigger::OwnSighting => attributes["severity_min"] = json!("high"),
                Trigger::OwnTrend => attributes["severity_min"] = json!("medium"),
                _ => {}
            }
            row.attributes = attributes.as_object().cloned().unwrap_or_default();
            Ok(row)
        })
        .collect()
}

fn both(text: Text) -> String {
    format!("{} / {}", text.ja, text.en)
}

/// Puts them into a register that has none, once. Says how many.
pub async fn offer(store: &Store) -> Result<usize, StoreError> {
    if store.setting(OFFERED).await?.is_some() {
        return Ok(0);
    }
    let has_own = !store.all(Table::Rule, &[ESCALATION]).await?.is_empty();
    let rows = if has_own { Vec::new() } else { rows(|| store.new_id())? };
    let count = rows.len();
    let mut write = store.write(ACTOR, "escalation criteria to begin with", "").await?;
    for row in rows {
        write.put(row).await?;
    }
    write.set_setting(OFFERED, "1").await?;
    write.commit().await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::{
        super::criterion::{Criterion, Severity},
        *,
    };

    #[test]
    fn every_default_can_be_evaluated_and_fits_its_kind() {
        let rows = rows(|| Ok(Id::nil())).unwrap();
        let kind = crate::kinds::RULES.iter().find(|kind| kind.id == ESCALATION).unwrap();
        let mut triggers = Vec::new();
        for row in &rows {
            assert!(
                kind.validate(&row.attributes).is_empty(),
                "{:?}",
                kind.validate(&row.attributes)
            );
            triggers.push(Criterion::of(row).unwrap().trigger);
        }
        triggers.sort();
        assert_eq!(triggers, Trigger::ALL, "one of each");
        assert_eq!(Criterion::of(&rows[0]).unwrap().severity_min, Severity::High);
        let no_json = |row: &Row| row.attributes.values().all(|value| !value.is_null());
        assert!(rows.iter().all(no_json));
    }
}
