//! Statement of Applicability and risk sheet as they are handed in: on paper, with what proves them at the
//! foot of each page.
//!
//! Invariant: what is not approved says so in its title. The checkpoint at the foot covers everything that
//! was recorded when the paper was made, so a paper can be held against the ledger later.

use jiff::tz::TimeZone;
use model::{Id, Lang, Table, Text, Timestamp, t};
use reports::pdf::{Column, Paper};
use store::{Store, StoreError};

use super::{Hall, RiskView, soa::SoaRow, tables::provision_text, text_of};
use crate::welcome;

/// A state of the ledger, as its signed checkpoint says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: String,
    pub root: String,
}

impl Checkpoint {
    /// The first three lines of a signed checkpoint (c2sp.org/tlog-checkpoint).
    pub fn parse(text: &str) -> Option<Checkpoint> {
        let mut lines = text.lines().map(str::to_owned);
        Some(Checkpoint { origin: lines.next()?, size: lines.next()?, root: lines.next()? })
    }
}

/// Who approved the edition that was signed last, when and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub signer: String,
    /// The account that signed.
    pub login: String,
    pub method: String,
    pub at: String,
    pub until: String,
    /// Whether today's content is what was signed.
    pub holds: bool,
}

/// What stands around the table.
#[derive(Clone, Debug)]
pub struct Head {
    /// When the paper is made; what stands on it is of the board's moment.
    pub made_at: Timestamp,
    /// Where the organisation is.
    pub zone: TimeZone,
    pub organisation: String,
    pub scope: String,
    pub edition: String,
    pub approval: Option<Approval>,
    pub checkpoint: Option<Checkpoint>,
}

impl Head {
    /// Reads what the board does not hold, of the board's moment.
    pub async fn load(
        store: &Store,
        hall: &Hall,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Head, StoreError> {
        let view = store.as_of(hall.at);
        let now = welcome::organisation_row(store).await?;
        let then = match &now {
            Some(row) => view.rows_by_id(Table::Party, &[row.id]).await?.pop(),
            None => None,
        };
        let zone = now.as_ref().map_or_else(TimeZone::system, welcome::zone_of);
        let organisation = then.or(now).map_or(String::new(), |row| row.name);
        let scopes = view.all(Table::Asset, &["scope_statement"]).await?;
        let scope = super::newest(scopes);
        let scope = scope.as_ref().and_then(|row| text_of(row, "statement")).unwrap_or("");
        let edition = hall.edition.as_ref().map_or(String::new(), |edition| {
            let drawn = text_of(edition, "drawn_on").unwrap_or("");
            format!("{} ({drawn})", edition.version)
        });
        let (organisation, scope) = (organisation.trim().to_owned(), scope.to_owned());
        let approval = approval(store, hall, &zone).await?;
        let made_at = store.now();
        Ok(Head { made_at, zone, organisation, scope, edition, approval, checkpoint })
    }

    /// Names the signer by the account alone.
    pub fn forget_names(&mut self) {
        if let Some(approval) = &mut self.approval {
            approval.signer.clone_from(&approval.login);
        }
    }

    fn day(&self, at: Timestamp) -> String {
        day(at, &self.zone)
    }

    /// Which moment it shows, and when it was made.
    fn days(&self, hall: &Hall) -> [(Text, String); 2] {
        [(t("時点", "As of"), self.day(hall.at)), (t("作成日", "Made on"), self.day(self.made_at))]
    }
}

/// The day of a moment, where the organisation is.
fn day(at: Timestamp, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    zone.to_datetime(at).date().to_string()
}

async fn approval(
    store: &Store,
    hall: &Hall,
    zone: &TimeZone,
) -> Result<Option<Approval>, StoreError> {
    let Some(approved) = &hall.approved else { return Ok(None) };
    let record = store.record(approved.record).await?;
    let id = record.and_then(|record| super::fact(&record, "decision")?.parse::<Id>().ok());
    let decision = match id {
        Some(id) => store.row(Table::Decision, id).await?,
        None => None,
    };
    let said =
        |name: &str| decision.as_ref().and_then(|row| text_of(row, name)).unwrap_or("").to_owned();
    let login = said("signer");
    Ok(Some(Approval {
        signer: signer(store, &login).await?,
        login,
        method: said("method"),
        at: day(approved.at, zone),
        until: approved.until.map_or(String::new(), |until| day(until, zone)),
        holds: hall.is_approved(),
    }))
}

/// The name of the person behind an account, else the account.
async fn signer(store: &Store, login: &str) -> Result<String, StoreError> {
    let people = store.all(Table::Party, &["person"]).await?;
    let person = people.into_iter().find(|p| text_of(p, "account") == Some(login));
    Ok(person.map_or_else(|| login.to_owned(), |p| format!("{} ({login})", p.name)))
}

/// How a signer was identified, as people read it.
fn method_text(method: &str) -> Option<Text> {
    Some(match method {
        "passkey" => t("パスキーによる署名", "signed with a passkey"),
        "simulated" => t("模擬（デモ）", "simulated (demonstration)"),
        "password+totp" => {
            t("パスワードとワンタイムコードによる署名", "signed with password and one-time code")
        }
        _ => return None,
    })
}

const COLUMNS: [(Text, f32); 8] = [
    (t("番号", "No."), 4.0),
    (t("管理策", "Control"), 15.0),
    (t("適用", "Applied"), 5.0),
    (t("適用・除外の理由と根拠", "Why it is used or left out"), 22.0),
    (t("実施状況", "Status"), 10.0),
    (t("実施の内容・関連文書", "How it is done, documents"), 26.0),
    (t("実施主体・責任者", "Done by, owner"), 11.0),
    (t("証拠", "Evidence"), 8.0),
];

impl Hall {
    /// The statement for handing in.
    pub fn soa_paper(&self, head: &Head, lang: Lang) -> Paper {
        let pick = |text: Text| text.get(lang).to_owned();
        let approved = head.approval.as_ref().is_some_and(|a| a.holds);
        let title = match approved {
            true => t("適用宣言書", "Statement of Applicability"),
            false => t("適用宣言書（案）", "Statement of Applicability (draft)"),
        };
        let (applicable, _) = self.evidenced();
        let excluded = self.soa.iter().filter(|r| !r.is_applicable()).count();
        let counts = match lang {
            Lang::Ja => format!("{}（適用 {applicable}、除外 {excluded}）", self.soa.len()),
            Lang::En => {
                format!("{} ({applicable} applicable, {excluded} excluded)", self.soa.len())
            }
        };
        let mut facts = vec![
            (t("規格", "Standard"), "ISO/IEC 27001:2022 (JIS Q 27001:2023) 6.1.3 d)".to_owned()),
            (t("版", "Edition"), or_none(&head.edition, lang)),
            (t("管理策", "Controls"), counts),
        ];
        facts.extend(head.days(self));
        facts.extend(approval_facts(head.approval.as_ref(), lang));
        facts.push((t("内容のSHA-256", "SHA-256 of the content"), self.soa_hash.clone()));
        let mut notes = Vec::new();
        if !head.scope.is_empty() {
            notes.push(format!("{}: {}", t("適用範囲", "Scope").get(lang), head.scope));
        }
        let column = |(title, share): &(Text, f32)| Column { title: pick(*title), share: *share };
        Paper {
            title: pick(title),
            facts: facts.into_iter().map(|(name, value)| (pick(name), value)).collect(),
            notes,
            columns: COLUMNS.iter().map(column).collect(),
            rows: self.soa.iter().map(|row| self.paper_row(row, head, lang)).collect(),
            ..frame(head, &self.soa_hash, lang)
        }
    }

    fn paper_row(&self, row: &SoaRow, head: &Head, lang: Lang) -> Vec<String> {
        let pick = |text: Text| text.get(lang).to_owned();
        let mut why: Vec<String> = row.drivers.iter().map(|d| d.text.clone()).collect();
        why.push(row.reason.clone());
        if let Some(exclusion) = &row.exclusion {
            let until = exclusion.until.map_or(String::new(), |until| head.day(until));
            let label = t("除外の承認", "Exclusion approved by");
            let approver =
                exclusion.approver.strip_prefix("account:").unwrap_or(&exclusion.approver);
            why.push(format!("{}: {approver} – {until}", label.get(lang)));
        }
        let mut how = vec![row.statement.clone()];
        how.extend(row.documents.iter().map(|d| format!("[{d}]")));
        let provider = self.party(&row.provider);
        let mut who = vec![pick(provision_text(&row.provision)), provider.to_owned()];
        who.push(self.party(&row.owner).to_owned());
        let mut status = vec![pick(row.status_text())];
        status.extend(row.lacks.iter().map(|l| l.text().get(lang).to_owned()));
        let newest = row.evidence.newest.filter(|_| row.evidence.count > 0);
        let evidence = newest.map_or(String::new(), |at| {
            let day = head.day(at);
            match lang {
                Lang::Ja => format!("{}件\n最新 {day}", row.evidence.count),
                Lang::En => format!("{}\nnewest {day}", row.evidence.count),
            }
        });
        vec![
            row.control.clone(),
            row.title(lang).to_owned(),
            match row.applies {
                Some(true) => pick(t("適用", "yes")),
                Some(false) => pick(t("除外", "no")),
                None => pick(t("未決定", "open")),
            },
            lines(why),
            lines(status),
            lines(how),
            lines(who),
            evidence,
        ]
    }

    /// The risk sheet for handing in: open risks, the largest first.
    pub fn risk_paper(&self, head: &Head, lang: Lang) -> Paper {
        const COLUMNS: [(Text, f32); 8] = [
            (t("リスク", "Risk"), 30.0),
            (t("対応前", "Untreated"), 7.0),
            (t("現在", "Now"), 7.0),
            (t("目標", "Target"), 7.0),
            (t("対応", "Treatment"), 7.0),
            (t("管理策", "Controls"), 14.0),
            (t("リスク所有者", "Risk owner"), 12.0),
            (t("残留リスクの受容", "Residual risk"), 14.0),
        ];
        let pick = |text: Text| text.get(lang).to_owned();
        let mut open: Vec<&RiskView> = self.risks.iter().filter(|r| r.open).collect();
        open.sort_by_key(|r| (std::cmp::Reverse(r.current.map(|e| e.size())), r.id));
        let mut facts = vec![
            (pick(t("扱い中のリスク", "Open risks")), open.len().to_string()),
            (pick(t("受容の基準", "Accepted up to")), self.method.accept_at_most.to_string()),
        ];
        facts.extend(head.days(self).map(|(name, value)| (pick(name), value)));
        let column = |(title, share): &(Text, f32)| Column { title: pick(*title), share: *share };
        Paper {
            title: pick(t("リスクアセスメント・リスク対応表", "Risk assessment and treatment")),
            facts,
            columns: COLUMNS.iter().map(column).collect(),
            rows: open.iter().map(|risk| self.risk_row(risk, lang)).collect(),
            ..frame(head, "", lang)
        }
    }

    fn risk_row(&self, risk: &RiskView, lang: Lang) -> Vec<String> {
        let size = |e: &Option<super::method::Estimate>| {
            e.map_or("–".to_owned(), |e| {
                format!("{} ({}×{})", e.size(), e.likelihood, e.consequence)
            })
        };
        let treatment = match risk.treatment.as_str() {
            "modify" => t("低減", "modify"),
            "retain" => t("保有", "retain"),
            "avoid" => t("回避", "avoid"),
            "share" => t("共有", "share"),
            _ => t("未定", "open"),
        };
        vec![
            risk.name.clone(),
            size(&risk.inherent),
            size(&risk.current),
            size(&risk.target),
            treatment.get(lang).to_owned(),
            risk.controls.join(" "),
            self.party(&risk.owner).to_owned(),
            risk.acceptance.text().get(lang).to_owned(),
        ]
    }

    /// Lines above the table of a workbook that is handed in.
    pub fn soa_titles(&self, head: &Head, lang: Lang) -> Vec<String> {
        let paper = self.soa_paper(head, lang);
        let facts: Vec<String> =
            paper.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let title = match paper.heading.as_str() {
            "" => paper.title,
            heading => format!("{heading}　{}", paper.title),
        };
        let mut all = vec![title];
        all.extend(facts.chunks(3).map(|part| part.join("　　")));
        all.extend(paper.notes);
        all
    }
}

fn approval_facts(approval: Option<&Approval>, lang: Lang) -> Vec<(Text, String)> {
    let name = t("承認", "Approval");
    let Some(approval) = approval else {
        let none = t("承認された版はまだない", "no edition is approved yet");
        return vec![(name, none.get(lang).to_owned())];
    };
    let method = method_text(&approval.method);
    let method = method.map_or_else(|| approval.method.clone(), |text| text.get(lang).to_owned());
    let state = match approval.holds {
        true => t("この内容を承認", "this content is approved"),
        false => t(
            "承認した版から変更あり（この内容は未承認）",
            "changed since, this content is not approved",
        ),
    };
    let until = match lang {
        Lang::Ja => format!("{}（期限 {}）", approval.at, approval.until),
        Lang::En => format!("{} (until {})", approval.at, approval.until),
    };
    vec![
        (name, state.get(lang).to_owned()),
        (t("承認者", "Signer"), approval.signer.clone()),
        (t("承認日", "Signed on"), until),
        (t("承認の方法", "How"), method),
    ]
}

fn or_none(text: &str, lang: Lang) -> String {
    match text {
        "" => t("未作成", "none drawn yet").get(lang).to_owned(),
        text => text.to_owned(),
    }
}

fn lines(parts: Vec<String>) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|p| !p.trim().is_empty()).collect();
    parts.join("\n")
}

/// Heading and foot, the same on every paper.
fn frame(head: &Head, hash: &str, lang: Lang) -> Paper {
    let (language, count) = match lang {
        Lang::Ja => ("ja", "{page} / {pages} ページ"),
        Lang::En => ("en", "Page {page} of {pages}"),
    };
    let mut foot = Vec::new();
    let code = head.checkpoint.as_ref().map(|checkpoint| {
        let Checkpoint { origin, size, root } = checkpoint;
        foot.push(match lang {
            Lang::Ja => format!("証跡のチェックポイント: {origin}　葉 {size}件"),
            Lang::En => format!("Checkpoint of the ledger: {origin}, {size} leaves"),
        });
        let label = t("ルート", "Root").get(lang);
        foot.push(format!("{label}: {root}"));
        format!("{origin}\n{size}\n{root}\n{hash}").trim_end().to_owned()
    });
    if !hash.is_empty() {
        foot.push(format!("{}: {hash}", t("内容のSHA-256", "SHA-256 of the content").get(lang)));
    }
    if code.is_none() {
        foot.push(
            t("証跡のチェックポイントはまだない", "The ledger has no checkpoint yet")
                .get(lang)
                .to_owned(),
        );
    }
    Paper {
        language,
        heading: head.organisation.clone(),
        foot,
        code,
        count: count.to_owned(),
        ..Paper::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_the_signer_is_the_account() {
        let approval = Approval {
            signer: "佐藤 花子 (sato)".to_owned(),
            login: "sato".to_owned(),
            method: "passkey".to_owned(),
            at: "2026-11-28".to_owned(),
            until: String::new(),
            holds: true,
        };
        let mut head = Head {
            made_at: Timestamp(0),
            zone: TimeZone::UTC,
            organisation: String::new(),
            scope: String::new(),
            edition: String::new(),
            approval: Some(approval),
            checkpoint: None,
        };
        head.forget_names();
        let told = approval_facts(head.approval.as_ref(), Lang::Ja);
        assert!(told.iter().all(|(_, text)| !text.contains("佐藤")), "{told:?}");
        assert!(told.iter().any(|(_, text)| text.contains("sato")), "{told:?}");
    }
}
