//! What the officer, the risk owner and the executive do with the hall during the year: risks from the
//! samples, a Statement of Applicability with its evidence, acceptances, one signed edition. Some is
//! left undone, as in any organisation.

use isms::hall;
use model::{Id, Lang, Table};
use serde_json::{Value as Json, json};
use store::Row;
use web::decide::{Ruling, Signer};

use super::{DemoError, year::Year};
use crate::CliError;

const OFFICER: &str = "account:sato";
const RISK_OWNER: &str = "account:takahashi";
const SAMPLES_DAY: i64 = 14;
const USES_DAY: i64 = 21;
const EVIDENCE_FROM: i64 = 30;
const ACCEPT_DAY: i64 = 60;
const EDITION_DAY: i64 = 180;
/// Changed after the edition was signed, so that the demonstration shows a difference.
const CHANGE_DAY: i64 = 349;
const SAMPLES_PER_CONTROL: usize = 2;
/// The company gives no development away.
const EXCLUDED: &str = "8.30";
/// One control in so many is claimed without evidence, one risk in so many not accepted.
const CLAIMED_EVERY: usize = 9;
const UNSIGNED_EVERY: usize = 7;

/// What treats the company's own risks.
const TREATED: [(&str, &[&str]); 11] = [
    ("ランサムウェアによる生産停止", &["5.30", "8.7", "8.13"]),
    ("VPN装置の脆弱性からの侵入", &["5.7", "8.8", "8.9"]),
    ("図面データの持出し", &["5.12", "8.12"]),
    ("退職者のアカウントの残存", &["5.18", "6.5"]),
    ("委託先による給与データの漏えい", &["5.19", "5.20", "8.11"]),
    ("データセンター委託先の事業終了", &["5.22", "5.23"]),
    ("基幹サーバーの故障", &["5.30", "8.14"]),
    ("バックアップから復元できない", &["5.30", "8.13"]),
    ("部品発注サイトの改ざん", &["8.16", "8.28"]),
    ("来訪者によるサーバー室への立入り", &["7.2", "7.4"]),
    ("メールの誤送信", &["5.14", "8.12"]),
];

impl Year<'_> {
    /// What the day brings for the hall.
    pub(super) async fn hall(&mut self, day: i64) -> Result<(), CliError> {
        match day {
            SAMPLES_DAY => self.take_samples().await?,
            USES_DAY => self.decide_on_controls(day).await?,
            ACCEPT_DAY => self.accept_risks().await?,
            EDITION_DAY => self.draw_edition(day).await?,
            CHANGE_DAY => self.change_a_use().await?,
            _ => {}
        }
        self.show_controls(day).await
    }

    async fn take_samples(&self) -> Result<(), CliError> {
        let store = &self.house.store;
        let mut chosen: Vec<String> = Vec::new();
        for room in crate::rooms::ROOMS {
            let of_room = hall::scenarios::all()
                .iter()
                .filter(|s| s.numbers().next() == Some(room.control))
                .take(SAMPLES_PER_CONTROL);
            chosen.extend(of_room.map(|s| s.id.clone()));
        }
        let mut write = store.write(OFFICER, "見本のシナリオを取り込み", "demo").await?;
        hall::scenarios::take_over(store, &mut write, &chosen, Lang::Ja).await?;
        write.commit().await?;
        self.treat_own_risks().await?;
        let owner = self.person("高橋 隆").await?;
        let risks = store.all(Table::Risk, &["risk"]).await?;
        let mut write = store.write(OFFICER, "リスク所有者を決定", "demo").await?;
        for mut risk in risks.into_iter().filter(|r| !r.attributes.contains_key("owner")) {
            if let Some(owner) = owner {
                risk.attributes.insert("owner".into(), owner.to_string().into());
            }
            write.put(risk).await?;
        }
        Ok(write.commit().await?)
    }

    async fn treat_own_risks(&self) -> Result<(), CliError> {
        let store = &self.house.store;
        let norms = store.all(Table::Norm, &["annex_a"]).await?;
        let risks = store.all(Table::Risk, &["risk"]).await?;
        let mut write = store.write(OFFICER, "リスクに管理策を対応付け", "demo").await?;
        for (name, numbers) in TREATED {
            let Some(risk) = risks.iter().find(|r| r.name == name) else { continue };
            for number in numbers {
                let of = |n: &&Row| n.attributes.get("number").is_some_and(|v| v == number);
                let Some(norm) = norms.iter().find(of) else { continue };
                write.put(hall::scenarios::treats(store.new_id()?, norm.id, number, risk)).await?;
            }
        }
        Ok(write.commit().await?)
    }

    async fn decide_on_controls(&mut self, day: i64) -> Result<(), CliError> {
        let store = &self.house.store;
        let officer = self.person("佐藤 美咲").await?;
        let technician = self.person("鈴木 健一").await?;
        let manager = self.person("伊藤 誠").await?;
        let mut write = store.write(OFFICER, "適用宣言書の作成", "demo").await?;
        for (i, norm) in isms::norms::annex_a().iter().enumerate() {
            let responsible = match norm.theme.as_deref() {
                Some("technological") => technician,
                Some("physical") => manager,
                _ => officer,
            };
            let mut row = Row::new(Table::Rule, store.new_id()?, "control_use", &norm.title_ja);
            row.attributes = usage(&norm.number, i, responsible);
            let row = write.put(row).await?;
            if norm.number == EXCLUDED {
                self.waiting.push((day + 2, row));
            }
        }
        Ok(write.commit().await?)
    }

    /// One control after the other gets its document, one a day.
    async fn show_controls(&self, day: i64) -> Result<(), CliError> {
        let without_room = isms::norms::annex_a()
            .iter()
            .filter(|n| !crate::rooms::ROOMS.iter().any(|r| r.control == n.number));
        let Ok(turn) = usize::try_from((day - EVIDENCE_FROM) / 2) else { return Ok(()) };
        let is_today = (day - EVIDENCE_FROM) % 2 == 0 && day >= EVIDENCE_FROM;
        let Some(norm) = without_room.skip(turn).find(|_| is_today) else { return Ok(()) };
        if turn % CLAIMED_EVERY == 4 || norm.number == EXCLUDED {
            return Ok(());
        }
        let now = self.house.store.now();
        let local = self.house.people.local();
        let (held_on, document) =
            (super::year::local_day(now, &local.zone), format!("{}規程 第2版", norm.title_ja));
        let criterion = format!("{}{}", hall::soa::BY_HAND_PREFIX, norm.number);
        let handed = isms::hand_in::HandedIn {
            criterion: &criterion,
            statement: "規程と実施記録を確認した",
            // One in three is the officer's word alone.
            document: (turn % 3 != 1).then_some(document.as_str()),
            held_on: &held_on,
            file: None,
            subject: None,
            zone: &local.zone,
            source: "demo",
        };
        let draft = isms::hand_in::draft_of(&criterion, &handed, now).map_err(DemoError::from)?;
        let mut write = self.house.store.write(OFFICER, "証拠の提出", "demo").await?;
        write.record(draft).await?;
        Ok(write.commit().await?)
    }

    /// The owner accepts what is computed that day.
    async fn accept_risks(&mut self) -> Result<(), CliError> {
        let store = &self.house.store;
        self.keeper.refresh(store).await?;
        let board = self.keeper.board(store, store.now()).await?;
        let signer = Signer { login: "takahashi", method: "simulated" };
        for (i, risk) in board.view.risks.iter().enumerate() {
            let Some(current) = risk.current.filter(|_| i % UNSIGNED_EVERY != 3) else { continue };
            let Some(row) = store.row(Table::Risk, risk.id).await? else { continue };
            let ruling = Ruling {
                hash: &risk.hash,
                outcome: "approved",
                reason: "対応計画と残留リスクを確認し受容",
                hours: web::decide::months(12),
                kind: "risk_acceptance",
                notes: vec![
                    ("residual_likelihood", Json::from(current.likelihood)),
                    ("residual_consequence", Json::from(current.consequence)),
                ],
            };
            let mut write = store.write(RISK_OWNER, ruling.reason, "demo").await?;
            ruling.sign(store, &mut write, &row, &signer).await.map_err(DemoError::from)?;
            write.commit().await?;
        }
        Ok(())
    }

    async fn draw_edition(&mut self, day: i64) -> Result<(), CliError> {
        let store = &self.house.store;
        self.keeper.refresh(store).await?;
        let board = self.keeper.board(store, store.now()).await?;
        let date = self.calendar.date(day).to_string();
        let mut write = store.write(OFFICER, "適用宣言書の版を作成", "demo").await?;
        let edition = hall::draw_edition(store, &mut write, &board.view, &date).await?;
        write.commit().await?;
        self.waiting.push((day + 3, edition));
        Ok(())
    }

    async fn change_a_use(&self) -> Result<(), CliError> {
        let store = &self.house.store;
        let uses = store.all(Table::Rule, &["control_use"]).await?;
        let of = |row: &&Row| row.attributes.get("control").is_some_and(|c| c == "6.7");
        let Some(mut row) = uses.iter().find(of).cloned() else { return Ok(()) };
        row.attributes.insert(
            "statement".into(),
            "在宅勤務は会社貸与の端末に限り、VPNと多要素認証を通す".into(),
        );
        let mut write = store.write(OFFICER, "在宅勤務規程の改定を反映", "demo").await?;
        write.put(row).await?;
        Ok(write.commit().await?)
    }
}

fn usage(number: &str, i: usize, responsible: Option<Id>) -> serde_json::Map<String, Json> {
    let source = match i % 4 {
        0 => json!([{"type": "business", "source": "情報セキュリティ方針"}]),
        1 => json!([{"type": "contract", "source": "得意先との秘密保持契約"}]),
        2 => json!([{"type": "law", "source": "個人情報の保護に関する法律"}]),
        // Left to the risks that the control treats.
        _ => json!([]),
    };
    let mut attributes = json!({
        "control": number, "applies": "yes", "drivers": source, "provision": "own",
        "declared": "done", "documents": [format!("ISMS-{:03}", i + 1)],
    });
    if let Some(id) = responsible {
        attributes["responsible"] = id.to_string().into();
    }
    if number == EXCLUDED {
        attributes["applies"] = "no".into();
        attributes["reason"] = "開発を外部に委託していないため".into();
    }
    attributes.as_object().cloned().unwrap_or_default()
}
