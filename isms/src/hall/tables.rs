//! The hall as documents: JSON for programs, rows of text for workbooks and the command line.

use model::{Lang, Text, t};
use serde_json::{Value as Json, json};

use super::{Hall, soa::SoaRow};

/// Columns of the statement.
const COLUMNS: [Text; 14] = [
    t("番号", "No."),
    t("管理策", "Control"),
    t("適用", "Applied"),
    t("状況", "Status"),
    t("レベル", "Level"),
    t("適用・除外の理由", "Reason"),
    t("根拠", "Drivers"),
    t("実施の内容", "How it is done"),
    t("実施主体", "Done by"),
    t("責任者", "Owner"),
    t("証拠の件数", "Evidence"),
    t("最新の証拠", "Newest evidence"),
    t("関連文書", "Documents"),
    t("承認した版との違い", "Differs from the approved edition"),
];

impl Hall {
    /// The statement with its hash and the edition it is held against.
    pub fn soa_json(&self) -> Json {
        let approved = self.approved.as_ref().map(|a| {
            json!({
                "record": a.record, "soa_hash": a.hash, "at": a.at.rfc3339(),
                "until": a.until.map(|t| t.rfc3339()),
            })
        });
        let (applicable, evidenced) = self.evidenced();
        json!({
            "at": self.at.rfc3339(),
            "soa_hash": self.soa_hash,
            "is_approved": self.is_approved(),
            "approved": approved,
            "applicable": applicable,
            "evidenced": evidenced,
            "rows": self.soa,
        })
    }

    /// Header and rows of the statement in one language.
    pub fn soa_table(&self, lang: Lang) -> (Vec<String>, Vec<Vec<String>>) {
        let head = COLUMNS.iter().map(|c| c.get(lang).to_owned()).collect();
        (head, self.soa.iter().map(|row| self.soa_cells(row, lang)).collect())
    }

    fn soa_cells(&self, row: &SoaRow, lang: Lang) -> Vec<String> {
        let pick = |text: Text| text.get(lang).to_owned();
        let drivers: Vec<&str> = row.drivers.iter().map(|d| d.text.as_str()).collect();
        let separator = if lang == Lang::Ja { "、" } else { ", " };
        vec![
            row.control.clone(),
            row.title(lang).to_owned(),
            match row.applies {
                Some(true) => pick(t("適用", "yes")),
                Some(false) => pick(t("除外", "no")),
                None => String::new(),
            },
            pick(row.status_text()),
            row.level.sign().to_owned(),
            row.reason.clone(),
            drivers.join(separator),
            row.statement.clone(),
            pick(provision_text(&row.provision)),
            self.party(&row.owner).to_owned(),
            row.evidence.count.to_string(),
            row.evidence.newest.map_or(String::new(), |t| t.rfc3339().chars().take(10).collect()),
            row.documents.join(separator),
            row.difference.as_ref().map_or(String::new(), |d| {
                let names = d.members.iter().map(|m| pick(member_text(m)));
                names.collect::<Vec<_>>().join(separator)
            }),
        ]
    }
}

/// How a member of the signed content reads.
pub fn member_text(member: &str) -> Text {
    match member {
        "applies" => t("適用の有無", "whether it applies"),
        "reason" => t("理由", "reason"),
        "statement" => t("実施の内容", "how it is done"),
        "drivers" => t("根拠", "drivers"),
        "status" => t("状況", "status"),
        "level" => t("レベル", "level"),
        "provision" => t("実施主体", "who does it"),
        "provider" => t("提供者", "provider"),
        "owner" => t("責任者", "owner"),
        "documents" => t("関連文書", "documents"),
        _ => t("新しい行", "new row"),
    }
}

/// How it reads who does a control.
pub fn provision_text(provision: &str) -> Text {
    match provision {
        "shared" => t("提供者と分担", "shared with a provider"),
        "inherited" => t("提供者から引継ぎ", "inherited from a provider"),
        "own" => t("自組織", "own"),
        _ => t("", ""),
    }
}
