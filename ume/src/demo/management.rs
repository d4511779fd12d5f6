//! How the company runs its ISMS during the year: its context from the samples, the policy that people
//! read, two management reviews, an internal audit whose finding is mended and looked at again, a change
//! of the scope by a plan that was signed before. Some people have not read the policy, as in any
//! organisation.

use isms::{
    audit::{self, run},
    changes, context, policy,
    review::{self, Gathered, hold},
};
use model::{Id, Lang, Table};
use serde_json::{Value as Json, json};
use store::Row;
use web::decide::Signer;

use super::{DemoError, year::Year};
use crate::CliError;

const OFFICER: &str = "account:sato";
const EXECUTIVE: &str = "account:tanaka";
const CONTEXT_DAY: i64 = 12;
/// One sample in so many fits the company.
const FITS_EVERY: usize = 2;
/// The policy is read from this day on, by so many people a day.
const READ_FROM: i64 = 16;
const READ_A_DAY: usize = 3;
/// One person in so many has not read it.
const UNREAD_EVERY: usize = 12;
/// One to set out with, one a year's work later.
const REVIEW_DAYS: [i64; 2] = [22, 330];
const AUDITOR: &str = "account:yamamoto";
const AUDIT_DAY: i64 = 200;
const AUDIT_SAMPLES: usize = 12;
/// The answer that does not conform.
const FAULT: usize = 3;
/// When the finding was mended, and when the auditor saw that it helped.
const MENDED_DAY: i64 = 224;
const EFFECTIVE_DAY: i64 = 300;
const PLAN_DAY: i64 = 236;
/// From the plan to the change; the signature falls between.
const CHANGE_DAY: i64 = PLAN_DAY + 9;

impl Year<'_> {
    /// What the day brings for the ISMS itself.
    pub(super) async fn manage(&mut self, day: i64) -> Result<(), CliError> {
        if day == CONTEXT_DAY {
            self.describe_context().await?;
        }
        if day >= READ_FROM {
            self.read_policy(day).await?;
        }
        if REVIEW_DAYS.contains(&day) {
            self.review(day).await?;
        }
        match day {
            AUDIT_DAY => self.audit(day).await?,
            MENDED_DAY => self.mend(day).await?,
            EFFECTIVE_DAY => self.see_effect(day).await?,
            PLAN_DAY => self.plan_change(day).await?,
            CHANGE_DAY => self.change_scope(day).await?,
            _ => {}
        }
        Ok(())
    }

    /// Draws an audit and answers its samples.
    async fn audit(&mut self, day: i64) -> Result<(), CliError> {
        let store = &self.house.store;
        let Some(auditor) = self.person("山本 武").await? else { return Ok(()) };
        self.keeper.refresh(store).await?;
        let board = self.keeper.board(store, store.now()).await?;
        let loaded = audit::load(store, &board).await?;
        let today = self.calendar.date(day).to_string();
        let samples = audit::draw(&loaded.state, &today, AUDIT_SAMPLES, auditor);
        let name = format!("内部監査 / Internal audit {today}");
        let drawn = run::row(store.new_id()?, &name, &today, auditor, board.at, &samples);
        let mut write = store.write(OFFICER, "監査の抜き取り", "demo").await?;
        let mut row = write.put(drawn).await?;
        write.commit().await?;
        for (sample, drawn) in samples.iter().enumerate() {
            let Some(item) = loaded.state.items.iter().find(|i| i.number == drawn.item) else {
                continue;
            };
            let (result, note) = match sample {
                FAULT => (
                    "minor",
                    "手順書の版が古く、現場の運用と異なる。旧版が共有フォルダーに残っていた",
                ),
                _ => ("conform", "記録と現物を確認した。手順のとおり行われていた"),
            };
            let answer = run::Answer { sample, result, note, by: auditor };
            let mut write = store.write(AUDITOR, "監査の回答", "demo").await?;
            let answered = run::answer(store, &mut write, row, item, &answer).await;
            row = answered.map_err(|error| DemoError::Company(error.to_string()))?;
            write.commit().await?;
        }
        Ok(())
    }

    async fn mend(&self, day: i64) -> Result<(), CliError> {
        let said = json!({
            "correction": "旧版を回収し、共有フォルダーには現行版だけを置いた",
            "cause": "改定の際に配布先の一覧を見直していなかった",
            "similar": "ほかの手順書21件の配布先を確認した",
            "similar_cases": 2,
            "action": "改定の手順に配布先の確認を加えた",
            "closed_on": self.calendar.date(day).to_string(),
        });
        self.add_to_finding(OFFICER, "是正の完了", said).await
    }

    async fn see_effect(&self, day: i64) -> Result<(), CliError> {
        let said = json!({
            "effectiveness": "是正の後に改定した手順書4件の配布先を確認し、旧版は残っていなかった",
            "effective_on": self.calendar.date(day).to_string(),
            "verified_by": self.person("山本 武").await?,
        });
        self.add_to_finding(AUDITOR, "有効性の確認", said).await
    }

    async fn add_to_finding(&self, actor: &str, reason: &str, said: Json) -> Result<(), CliError> {
        let store = &self.house.store;
        let found = store.all(Table::Asset, &["audit_finding"]).await?;
        let Some(mut finding) = found.into_iter().next() else { return Ok(()) };
        finding.attributes.extend(said.as_object().cloned().unwrap_or_default());
        let mut write = store.write(actor, reason, "demo").await?;
        write.put(finding).await?;
        Ok(write.commit().await?)
    }

    async fn plan_change(&mut self, day: i64) -> Result<(), CliError> {
        let store = &self.house.store;
        let id = store.new_id()?;
        let mut row = Row::new(Table::Plan, id, changes::PLAN_KIND, "適用範囲への倉庫業務の追加");
        let plan = json!({
            "purpose": "新しい倉庫で得意先の図面を扱うため、倉庫業務を適用範囲に加える",
            "consequences": "対象の資産と人が増え、入退室の記録と教育が要る",
            "resources": "入退室の機器2台、教育の時間20人分",
            "responsibilities": "計画はISMS事務局、機器は情報システム部、教育は各部門長",
            "scope": true,
            "starts_on": self.calendar.date(day).to_string(),
            "ends_on": self.calendar.date(day + 30).to_string(),
            "responsible": self.person("佐藤 美咲").await?,
        });
        row.attributes = plan.as_object().cloned().unwrap_or_default();
        let mut write = store.write(OFFICER, "変更の計画", "demo").await?;
        let row = write.put(row).await?;
        write.commit().await?;
        self.waiting.push((day + 2, row));
        Ok(())
    }

    async fn change_scope(&mut self, day: i64) -> Result<(), CliError> {
        let store = &self.house.store;
        let statements = store.all(Table::Asset, &["scope_statement"]).await?;
        let Some(mut row) = statements.into_iter().next() else { return Ok(()) };
        let said = "本社、工場、倉庫における製造、設計、倉庫の業務と、それを支える情報システム";
        row.attributes.insert("statement".into(), said.into());
        let mut write = store.write(OFFICER, "倉庫業務を適用範囲に追加", "demo").await?;
        let row = write.put(row).await?;
        write.commit().await?;
        self.waiting.push((day + 1, row));
        Ok(())
    }

    async fn describe_context(&self) -> Result<(), CliError> {
        let store = &self.house.store;
        let ids: Vec<&str> =
            context::samples::all().iter().step_by(FITS_EVERY).map(|s| s.id.as_str()).collect();
        let mut write = store.write(OFFICER, "組織の状況を見本から記入", "demo").await?;
        context::take(store, &mut write, &ids, Lang::Ja).await?;
        Ok(write.commit().await?)
    }

    /// Each reads for themselves, so each is the actor of their own record.
    async fn read_policy(&self, day: i64) -> Result<(), CliError> {
        let store = &self.house.store;
        let Some(current) = policy::current(store).await? else { return Ok(()) };
        let people = store.all(Table::Party, &["person"]).await?;
        let before = usize::try_from(day - READ_FROM).unwrap_or(0) * READ_A_DAY;
        for (i, person) in people.iter().enumerate().skip(before).take(READ_A_DAY) {
            if i % UNREAD_EVERY == UNREAD_EVERY - 1 {
                continue;
            }
            let mut write = store.write("system:demo", "方針の確認", "demo").await?;
            policy::read(store, &mut write, person.id, &current, "ja").await?;
            write.commit().await?;
        }
        Ok(())
    }

    async fn review(&mut self, day: i64) -> Result<(), CliError> {
        let store = &self.house.store;
        self.keeper.refresh(store).await?;
        let board = self.keeper.board(store, store.now()).await?;
        let gathered = Gathered::load(store, &board).await?;
        let mut inputs = review::draw(&gathered, store.now());
        for input in inputs.iter_mut().filter(|input| !input.has_content()) {
            input.reason = "期間中に該当する記録がなかった".to_owned();
        }
        let technician = self.person("鈴木 健一").await?;
        let name = format!("マネジメントレビュー {}", self.calendar.date(day));
        let mut row = Row::new(Table::Plan, store.new_id()?, review::REVIEW_KIND, &name);
        row.attributes = json!({
            "held_on": self.calendar.date(day).to_string(),
            "drawn_at": store.now().rfc3339(),
            "inputs": inputs,
            "instructions": self.instructions(day, technician),
            "conclusion": "ISMSは適切かつ有効である。台帳の抜けを優先して埋める。",
        })
        .as_object()
        .cloned()
        .unwrap_or_default();
        let mut write = store.write(OFFICER, "レビューの準備", "demo").await?;
        let row = write.put(row).await?;
        write.commit().await?;
        let hash = row.content_hash()?;
        // Nobody typed a password here, and the record says so.
        let signer = Signer { login: "tanaka", method: "simulated" };
        let signing = hold::Signing { hash: &hash, reason: "内容を確認した", signer };
        let mut write = store.write(EXECUTIVE, "内容を確認した", "demo").await?;
        let signed = hold::sign(store, &mut write, &row, &signing).await;
        signed.map_err(|error| DemoError::Company(error.to_string()))?;
        Ok(write.commit().await?)
    }

    fn instructions(&self, day: i64, owner: Option<Id>) -> Json {
        let owner = owner.map(|id| id.to_string());
        let one = |text: &str, days: i64| json!({"text": text, "owner": owner, "due": self.calendar.date(day + days).to_string()});
        json!([
            one("機器台帳のうち設定の記録がないものを洗い出し、月内に採取する", 30),
            one("復元試験の対象に基幹サーバーを加える", 60),
        ])
    }
}
