//! The simulated year, day by day.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::{Criterion, FieldType, KindSpec, Level, RoomSpec, Table, Timestamp};
use serde_json::{Value as Json, json};
use store::{Row, Write};
use stream::Stream;
use web::{
    Shared,
    decide::{Ruling, Signer},
};

use super::{
    DemoError,
    chance::Chance,
    habits, lines,
    people::{self, ACCOUNTS},
    registers,
    time::{Calendar, SimClock},
};
use crate::{CliError, rooms::ROOMS};

const OFFICER: &str = "account:sato";
const ADMINISTRATOR: &str = "account:suzuki";
/// Log collection began when 8.16 was taken up; doors reported before.
const LOGS_FROM: i64 = 205;
const DOORS_FROM: i64 = 33;
/// Kinds of which each new row is put before the executive.
const APPROVED: [&str; 6] =
    ["document", "process", "cloud_criteria", "continuity_plan", "change", "masking_policy"];
const LEDGER_EVERY_DAYS: i64 = 7;
/// Levels are computed on every fourth evening; the trends of the pages show no less.
const JUDGE_EVERY_DAYS: i64 = 4;

/// The state of the simulation.
pub struct Year<'h> {
    pub(super) house: &'h Shared,
    stream: Stream,
    pub(super) calendar: Calendar,
    clock: SimClock,
    chance: Chance,
    rows: BTreeMap<i64, Vec<Row>>,
    /// Rows that wait for a signature, with the day on which it comes.
    pub(super) waiting: Vec<(i64, Row)>,
    tasks: Vec<(i64, Row)>,
    /// Assets whose logs are collected.
    watched: Vec<Row>,
    handed_in: HashMap<&'static str, i64>,
    pub(super) keeper: isms::Keeper,
}

impl<'h> Year<'h> {
    /// Accounts, norms and what is going to happen.
    pub async fn begin(
        house: &'h Shared,
        calendar: Calendar,
        clock: SimClock,
        seed: u64,
    ) -> Result<Year<'h>, CliError> {
        isms::norms::load(&house.store).await?;
        threat_intelligence::work::load_content(&house.store).await?;
        for (login, role, ..) in ACCOUNTS {
            // Nobody knows these passwords: the accounts open by links only.
            let secret = web::secrets::new_totp_secret().ok_or(CliError::Random)?;
            let hash = web::secrets::hash_password(&secret).ok_or(CliError::Random)?;
            house.store.create_account("system:demo", login, role, &hash, false).await?;
        }
        let mut chance = Chance::new(seed);
        let rooms = || house.specs();
        let kinds: HashMap<&'static str, &'static KindSpec> =
            rooms().flat_map(web::kinds_of).map(|k| (k.id, k)).collect();
        let ordered: Vec<(&'static KindSpec, i64)> = rooms()
            .flat_map(|room| web::kinds_of(room).map(move |k| (k, habits::taken_up(room))))
            .collect();
        let mut seeds = people::persons(&mut chance);
        seeds.extend(people::machines(&mut chance));
        seeds.extend(registers::company()?);
        let rest = registers::rest(&seeds, &ordered, &mut chance);
        seeds.extend(rest);
        let rows = registers::rows(&seeds, &kinds, &calendar, &mut chance)?;
        let stream = Stream::open(&house.archive, stream::Limits::default())?;
        Ok(Year {
            house,
            stream,
            calendar,
            clock,
            chance,
            rows,
            waiting: Vec::new(),
            tasks: Vec::new(),
            watched: Vec::new(),
            handed_in: HashMap::new(),
            keeper: isms::Keeper::open(&house.store, &ROOMS).await?,
        })
    }

    /// One day, from morning to evening.
    pub async fn day(&mut self, day: i64) -> Result<(), CliError> {
        self.clock.set(self.calendar.at(day, 9, 0));
        if day == 7 {
            self.targets().await?;
        }
        self.enter_rows(day).await?;
        if self.calendar.works(day) {
            self.clock.set(self.calendar.at(day, 11, 0));
            self.maintain(day).await?;
            self.new_tasks(day).await?;
        }
        self.clock.set(self.calendar.at(day, 14, 0));
        self.attest(day).await?;
        self.hall(day).await?;
        self.manage(day).await?;
        self.clock.set(self.calendar.at(day, 16, 0));
        self.sign(day).await?;
        self.close_tasks(day).await?;
        self.clock.set(self.calendar.at(day, 18, 30));
        self.logs(day).await?;
        self.clock.set(self.calendar.at(day, 19, 0));
        if day % JUDGE_EVERY_DAYS == 0 {
            self.judge().await?;
        }
        if day % LEDGER_EVERY_DAYS == 0 {
            self.drain().await?;
        }
        Ok(())
    }

    /// What the employee has yet to do, the last leaves and the checkpoint.
    pub async fn end(&mut self, day: i64) -> Result<(), CliError> {
        let employee = ACCOUNTS.iter().find(|account| account.1 == "employee");
        for (due_in, work) in [(3, "教育の受講"), (9, "持出用USBメモリの返却")] {
            if let Some((.., name, _)) = employee {
                self.give(day, due_in, work, name).await?;
            }
        }
        self.judge().await?;
        self.drain().await?;
        self.house.ledger.lock().await.checkpoint()?;
        Ok(())
    }

    async fn drain(&self) -> Result<(), CliError> {
        let mut ledger = self.house.ledger.lock().await;
        while ledger::drain(&self.house.store, &mut ledger).await? > 0 {}
        Ok(())
    }

    async fn targets(&self) -> Result<(), CliError> {
        for room in ROOMS {
            let level = match room.control {
                "8.9" | "8.16" | "5.30" => Level::Take,
                _ => Level::Ume,
            };
            isms::set_targets(&self.house.store, OFFICER, &[room], level).await?;
        }
        Ok(())
    }

    async fn enter_rows(&mut self, day: i64) -> Result<(), CliError> {
        let Some(mut rows) = self.rows.remove(&day) else { return Ok(()) };
        for row in &mut rows {
            self.attach(row).await?;
        }
        let mut write = self.house.store.write(OFFICER, "台帳へ登録", "demo").await?;
        let organisation = rows.iter().find(|r| r.kind == "organisation").map(|r| r.id);
        for row in rows {
            let row = write.put(row).await?;
            if APPROVED.contains(&row.kind.as_str()) {
                self.waiting.push((day + 1, row.clone()));
            }
            if matches!(row.kind.as_str(), "host" | "network_device" | "database") {
                self.watched.push(row);
            }
        }
        write.commit().await?;
        if let Some(id) = organisation {
            isms::welcome::adopt(self.house, id).await?;
        }
        Ok(())
    }

    /// Sends a file for each field of the row that needs one.
    async fn attach(&self, row: &mut Row) -> Result<(), CliError> {
        let Some((_, kind)) = self.house.kind(row.table, &row.kind) else { return Ok(()) };
        for field in kind.fields.iter().filter(|f| matches!(f.ty, FieldType::File)) {
            if !row.attributes.contains_key(field.name) {
                continue;
            }
            let text = format!("{},{}\r\n1,{}\r\n", "番号", field.label.ja, row.name);
            let mut upload = self.house.store.upload().await?;
            upload.write(text.as_bytes()).await?;
            let name = format!("{}.csv", row.name);
            let blob = self.house.store.keep(upload, &name, OFFICER).await?;
            row.attributes.insert(field.name.to_owned(), blob.sha256.into());
        }
        Ok(())
    }

    /// Machines change: versions go up, memory is added; the register follows.
    async fn maintain(&mut self, day: i64) -> Result<(), CliError> {
        if self.watched.is_empty() || day % 3 != 0 {
            return Ok(());
        }
        let at = self.chance.below(self.watched.len());
        let mut row = self.watched[at].clone();
        let reason = match row.kind.as_str() {
            "host" => {
                let memory = row.attributes.get("memory_mib").and_then(Json::as_i64).unwrap_or(0);
                row.attributes.insert("memory_mib".into(), (memory + 8_192).into());
                "メモリを増設"
            }
            "network_device" => {
                let n = self.chance.below(20);
                row.attributes.insert("firmware".into(), format!("7.5.{n}").into());
                "ファームウェアを更新"
            }
            _ => {
                let n = 9 + self.chance.below(6);
                row.attributes.insert("product_version".into(), format!("15.{n}").into());
                "パッチを適用"
            }
        };
        let mut write = self.house.store.write(ADMINISTRATOR, reason, "demo").await?;
        self.watched[at] = write.put(row).await?;
        Ok(write.commit().await?)
    }

    async fn new_tasks(&mut self, day: i64) -> Result<(), CliError> {
        const WORK: [&str; 9] = [
            "アクセス権の棚卸し",
            "バックアップ復元の確認",
            "入退室ログの見直し",
            "脆弱性情報の仕分け",
            "クラウド契約の見直し",
            "退職者アカウントの削除",
            "教育の未受講者への連絡",
            "是正処置の確認",
            "媒体の廃棄立会い",
        ];
        if !self.chance.happens(420) {
            return Ok(());
        }
        let (work, due_in) = (*self.chance.pick(&WORK), 5 + self.chance.below(16) as i64);
        // Everyone but the auditor, who audits and is given nothing to do.
        let person = ACCOUNTS[self.chance.below(ACCOUNTS.len() - 1)].2;
        let task = self.give(day, due_in, work, person).await?;
        // Most are done in time, some late.
        let late = if self.chance.happens(150) { 9 } else { -(self.chance.below(4) as i64) };
        self.tasks.push((day + due_in + late, task));
        Ok(())
    }

    async fn give(
        &mut self,
        day: i64,
        due_in: i64,
        work: &str,
        person: &str,
    ) -> Result<Row, CliError> {
        let due = self.calendar.date(day + due_in);
        let name = format!("{work}（{}年{}月）", due.year(), due.month());
        let id = registers::new_id(self.calendar.at(day, 11, 0), &mut self.chance);
        let mut task = Row::new(Table::Task, id, "task", &name);
        task.status = "open".to_owned();
        task.ends_at = Some(self.calendar.at(day + due_in, 23, 59));
        task.schema_version = 2;
        let attributes = json!({"due": due.to_string(), "zone": "Asia/Tokyo", "description": work});
        task.attributes = attributes.as_object().cloned().unwrap_or_default();
        if let Some(person) = self.person(person).await? {
            task.attributes.insert("assignee".to_owned(), person.to_string().into());
        }
        let mut write = self.house.store.write(OFFICER, "タスクを作成", "demo").await?;
        let task = write.put(task).await?;
        write.commit().await?;
        Ok(task)
    }

    /// The person of the register with this name.
    pub(super) async fn person(&self, name: &str) -> Result<Option<model::Id>, CliError> {
        let filter = store::Filter {
            kind: Some("person".to_owned()),
            text: name.to_owned(),
            limit: 10,
            ..store::Filter::default()
        };
        let found = self.house.store.list(Table::Party, &filter).await?;
        Ok(found.into_iter().find(|row| row.name == name).map(|row| row.id))
    }

    async fn close_tasks(&mut self, day: i64) -> Result<(), CliError> {
        let (done, open) = std::mem::take(&mut self.tasks).into_iter().partition(|t| t.0 <= day);
        self.tasks = open;
        for (_, mut task) in done as Vec<(i64, Row)> {
            task.status = "closed".to_owned();
            let mut write = self.house.store.write(ADMINISTRATOR, "完了を確認", "demo").await?;
            write.put(task).await?;
            write.commit().await?;
        }
        Ok(())
    }

    /// What people hand in by hand today.
    async fn attest(&mut self, day: i64) -> Result<(), CliError> {
        let works = self.calendar.works(day);
        let mut due: Vec<(&'static RoomSpec, &'static Criterion)> = Vec::new();
        for room in ROOMS {
            for criterion in room.criteria {
                let last = self.handed_in.get(criterion.id).copied();
                if habits::due(room, criterion, day, last, works) {
                    due.push((room, criterion));
                }
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let now = self.house.store.now();
        let mut write = self.house.store.write(OFFICER, "handed in", "demo").await?;
        for (room, criterion) in due {
            self.hand_in(&mut write, room, criterion, now).await?;
            self.handed_in.insert(criterion.id, day);
        }
        Ok(write.commit().await?)
    }

    async fn hand_in(
        &self,
        write: &mut Write<'_>,
        room: &RoomSpec,
        criterion: &Criterion,
        now: Timestamp,
    ) -> Result<(), CliError> {
        const YEAR_HOURS: u32 = 8_000;
        let yearly = criterion.check.fresh_hours() >= YEAR_HOURS;
        let document = format!("{} 点検記録 {}", room.name.ja, criterion.id);
        let statement =
            format!("{}ことを点検し、確認した。", criterion.text.ja.trim_end_matches('。'));
        let zone = &self.house.people.local().zone;
        let day = local_day(now, zone);
        let handed = isms::hand_in::HandedIn {
            criterion: criterion.id,
            statement: &statement,
            document: yearly.then_some(document.as_str()),
            held_on: &day,
            file: None,
            subject: None,
            zone,
            source: "demo",
        };
        let (_, draft) =
            isms::hand_in::draft(&self.house.rooms, &handed, now).map_err(DemoError::from)?;
        write.record(draft).await?;
        Ok(())
    }

    /// The executive signs what was put before her, and now and then says no first.
    async fn sign(&mut self, day: i64) -> Result<(), CliError> {
        let (due, later) = std::mem::take(&mut self.waiting).into_iter().partition(|w| w.0 <= day);
        self.waiting = later;
        for (_, row) in due as Vec<(i64, Row)> {
            let reject = row.kind == "change" && row.name.contains("メモリ") && row.version == 1;
            let hash = row.content_hash()?;
            let ruling = Ruling {
                hash: &hash,
                outcome: if reject { "rejected" } else { "approved" },
                reason: if reject {
                    "戻し手順に所要時間を書くこと"
                } else {
                    "内容を確認し承認"
                },
                hours: web::decide::months(12),
                kind: "approval",
                notes: Vec::new(),
            };
            // Nobody typed a password here, and the record says so.
            let signer = Signer { login: "tanaka", method: "simulated" };
            let store = &self.house.store;
            let mut write = store.write("account:tanaka", ruling.reason, "demo").await?;
            ruling.sign(store, &mut write, &row, &signer).await.map_err(DemoError::from)?;
            write.commit().await?;
            if reject {
                self.amend(day, row).await?;
            }
        }
        Ok(())
    }

    async fn amend(&mut self, day: i64, mut row: Row) -> Result<(), CliError> {
        row.attributes.insert("undo".into(), "取り外す（30分）".into());
        let mut write = self.house.store.write(ADMINISTRATOR, "戻し手順を追記", "demo").await?;
        let row = write.put(row).await?;
        write.commit().await?;
        self.waiting.push((day + 2, row));
        Ok(())
    }

    /// Lines into the real intake, segments into the archive, counts into records.
    async fn logs(&mut self, day: i64) -> Result<(), CliError> {
        if day < DOORS_FROM {
            return Ok(());
        }
        let (start, now) = (self.calendar.at(day, 8, 0), self.house.store.now());
        let doors = lines::doors(start, &mut self.chance);
        self.stream.ingest("door-ome-01", doors, now)?;
        if let Some((source, lines)) = lines::incident(day, start) {
            self.stream.ingest(source, lines, now)?;
        }
        if day >= LOGS_FROM {
            for (i, row) in self.watched.iter().enumerate() {
                // All of them on the first day, then each every third day.
                if day == LOGS_FROM || (day + i as i64) % 3 == 0 {
                    let lines = lines::ordinary(&row.name, start, &mut self.chance);
                    self.stream.ingest(&row.name, lines, now)?;
                }
            }
        }
        let ctx = Arc::new(room::Ctx { house: (*self.house).clone(), stream: self.stream.clone() });
        monitoring::work::live::round(ctx).await?;
        monitoring::work::archive_once(&self.house.store, &self.stream, now).await?;
        if day >= LOGS_FROM {
            self.report_sources(now).await?;
        }
        Ok(())
    }

    async fn report_sources(&self, now: Timestamp) -> Result<(), CliError> {
        let counters = self.stream.counters();
        let progress = self.house.kept.get::<monitoring::work::live::Live>().take_progress(now);
        let store = &self.house.store;
        let mut write = store.write("system:monitoring.status", "work", "").await?;
        for row in &self.watched {
            let own = counters.get(&row.name).cloned().unwrap_or_default();
            let facts =
                monitoring::work::sums(&BTreeMap::from([(row.name.clone(), own)]), &progress);
            let mut draft = room::draft("monitoring.source_status", Some(row.id), now, facts);
            draft.source = row.name.clone();
            write.record(draft).await?;
        }
        Ok(write.commit().await?)
    }

    async fn judge(&mut self) -> Result<(), CliError> {
        let store = &self.house.store;
        self.keeper.refresh(store).await?;
        let board = self.keeper.board(store, store.now()).await?;
        isms::work::record_levels(store, &board).await?;
        isms::drops::answer(store).await?;
        isms::hall::record_states(store, &board).await?;
        isms::review::record_states(store).await?;
        isms::policy::record_states(store).await?;
        isms::audit::record_states(store, &board).await?;
        isms::changes::record(store).await?;
        Ok(())
    }
}

/// The day as the form of the page would send it: in the zone that reads it again.
pub(super) fn local_day(now: Timestamp, zone: &jiff::tz::TimeZone) -> String {
    jiff::Timestamp::from_microsecond(now.0)
        .map_or_else(|_| String::new(), |t| t.to_zoned_datetime(zone.clone()).date().to_string())
}
