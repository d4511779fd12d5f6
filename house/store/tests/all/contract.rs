//! One contract, held by both databases: each rule is written once and runs on SQLite and, where
//! `UME_TEST_POSTGRES` names a server on which databases may be created, on PostgreSQL.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

use model::{Assurance, Closed, Guard, Id, Table, Tie, Timestamp};
use serde_json::{Map, Value as Json, json};
use store::{
    AccountChange, Bounds, By, Clock, Condition, Db, Filter, Key, OidcFlow, Order, Place, Reach,
    Record, RecordDraft, RecordFilter, Row, Sight, Store, StoreError, Test, Val, Within,
};
use tempfile::TempDir;

const HOUR: i64 = 3_600_000_000;
const START: i64 = 1_795_600_000_000_000;

/// A fresh store whose clock advances one millisecond per look.
struct Fixture {
    store: Store,
    time: Arc<AtomicI64>,
    clock: Clock,
    folder: TempDir,
    /// Address of the database on PostgreSQL.
    url: Option<String>,
}

impl Fixture {
    async fn sqlite() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let (time, clock) = ticking();
        let store = Store::open(folder.path(), clock.clone()).await.unwrap();
        Fixture { store, time, clock, folder, url: None }
    }

    async fn postgres() -> Option<Fixture> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var("UME_TEST_POSTGRES") else {
            println!("skipped: no PostgreSQL");
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ume_test_{}_{number}", std::process::id());
        on_server(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        on_server(&server, &format!("CREATE DATABASE {name}")).await;
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = base.rsplit_once('/').unwrap();
        let url = format!("{host}/{name}?{query}");
        let (time, clock) = ticking();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::connect(&url, clock.clone()).await.unwrap();
        let store = store.with_keys(folder.path()).await.unwrap();
        Some(Fixture { store, time, clock, folder, url: Some(url) })
    }

    async fn reopen(&self) -> Result<Store, StoreError> {
        match &self.url {
            None => Store::open(self.folder.path(), self.clock.clone()).await,
            Some(url) => {
                Store::connect(url, self.clock.clone()).await?.with_keys(self.folder.path()).await
            }
        }
    }

    async fn end(self) {
        self.store.db().close().await;
        if let (Some(url), Ok(server)) = (self.url, std::env::var("UME_TEST_POSTGRES")) {
            let name = url.split('?').next().and_then(|u| u.rsplit('/').next()).unwrap();
            on_server(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    fn pass_hours(&self, hours: i64) {
        self.time.fetch_add(hours * HOUR, Ordering::Relaxed);
    }
}

fn ticking() -> (Arc<AtomicI64>, Clock) {
    let time = Arc::new(AtomicI64::new(START));
    let shared = time.clone();
    (time, Arc::new(move || Timestamp(shared.fetch_add(1_000, Ordering::Relaxed))))
}

async fn on_server(url: &str, sql: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

macro_rules! contract {
    ($($rule:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $rule() {
                let fixture = super::Fixture::sqlite().await;
                super::$rule(&fixture).await;
                fixture.end().await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $rule() {
                let Some(fixture) = super::Fixture::postgres().await else { return };
                super::$rule(&fixture).await;
                fixture.end().await;
            })*
        }
    };
}

contract! {
    a_change_keeps_the_old_version_with_who_and_why
    every_table_takes_inserts_changes_and_deletions
    every_optional_column_comes_back_as_it_went_in
    as_of_shows_the_row_that_stood_at_that_time
    a_view_of_the_past_shows_what_the_present_showed_then
    a_record_received_later_is_not_in_the_past_whenever_it_was_observed
    the_first_entry_is_the_first_row_or_record
    the_size_of_the_ledger_at_a_moment_is_that_of_its_newest_record
    a_stale_save_is_a_conflict_and_changes_nothing
    an_uncommitted_change_leaves_no_trace
    of_eight_writers_exactly_one_wins_each_version
    of_eight_inserts_of_one_id_exactly_one_wins
    pages_follow_byte_order_without_gap_or_repeat
    filters_narrow_a_list
    search_finds_two_characters_width_case_and_kana
    a_change_replaces_the_words_and_attributes_of_a_row
    attributes_are_typed_for_search_and_sort
    every_order_and_condition_lists_what_a_plain_scan_would
    a_data_folder_with_the_old_index_gets_the_new_one_at_start
    lists_show_what_the_rule_of_belonging_says_of_each_row
    a_closed_row_and_what_is_about_it_are_there_for_the_named_alone
    nothing_is_written_beyond_the_bounds
    an_account_follows_the_person_who_names_it
    who_is_narrowed_to_sites_writes_there_and_nowhere_else
    an_account_keeps_the_sites_it_is_narrowed_to_and_an_officer_has_none
    of_eight_who_ask_for_an_approval_at_once_exactly_one_asks
    words_of_personal_fields_are_found_only_by_those_who_see_them
    a_field_that_becomes_personal_is_hidden_in_the_rows_there_are
    a_very_long_attribute_is_stored_whole_and_indexed_in_part
    nul_in_a_text_is_refused_by_name
    what_the_ledger_or_an_index_cannot_hold_is_refused_at_the_door
    records_come_newest_oldest_and_latest_per_subject
    no_types_means_no_records_where_types_choose
    payloads_match_their_commitment
    the_outbox_holds_each_change_until_it_is_settled
    records_are_read_in_the_order_of_their_places_and_listeners_hear_of_them
    who_only_looks_keeps_no_session_or_token_alive
    sessions_end_by_idleness_age_and_logout
    a_totp_step_counts_once
    every_change_of_an_account_leaves_a_record_without_its_name
    a_change_that_matters_ends_every_session
    the_last_officer_stays
    a_recovery_code_counts_once
    a_sign_in_at_a_provider_is_finished_once_and_in_time
    settings_are_overwritten
    a_secret_setting_is_sealed_also_where_an_older_version_left_it_plain
    a_newer_schema_is_refused
    opening_again_migrates_nothing
    counts_and_verifier_pages_cover_everything
    statements_prepare_without_running
}

async fn save(store: &Store, row: Row) -> Row {
    let mut write = store.write("tester", "why", "req-1").await.unwrap();
    let row = write.put(row).await.unwrap();
    write.commit().await.unwrap();
    row
}

fn asset(store: &Store, name: &str) -> Row {
    Row::new(Table::Asset, store.new_id().unwrap(), "server", name)
}

fn changed(mut row: Row, change: impl FnOnce(&mut Row)) -> Row {
    change(&mut row);
    row
}

fn object(value: Json) -> Map<String, Json> {
    value.as_object().unwrap().clone()
}

fn draft(ty: &str, subject: Option<Id>, at: i64) -> RecordDraft {
    RecordDraft {
        ty: ty.to_owned(),
        subject,
        observed_from: Timestamp(at),
        observed_to: Timestamp(at),
        source: "test".to_owned(),
        assurance: Assurance::Attested,
        facts: object(json!({"count": 3, "ok": true})),
        payload: None,
    }
}

async fn put_record(store: &Store, draft: RecordDraft) -> Record {
    let mut write = store.write("tester", "why", "").await.unwrap();
    let record = write.record(draft).await.unwrap();
    write.commit().await.unwrap();
    record
}

fn names(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|r| r.name.as_str()).collect()
}

async fn found(store: &Store, text: &str) -> Vec<String> {
    let filter = Filter { text: text.to_owned(), limit: 50, ..Filter::default() };
    let rows = store.list(Table::Asset, &filter).await.unwrap();
    rows.into_iter().map(|r| r.name).collect()
}

async fn a_change_keeps_the_old_version_with_who_and_why(f: &Fixture) {
    let store = &f.store;
    let one = save(store, asset(store, "web-1")).await;
    assert_eq!((one.version, one.updated_by.as_str()), (1, "tester"));
    assert_eq!((one.reason.as_str(), one.request.as_str()), ("why", "req-1"));
    let mut two = one.clone();
    two.name = "web-2".to_owned();
    let two = save(store, two).await;
    assert_eq!((two.version, two.created_at), (2, one.created_at));
    assert!(two.updated_at > one.updated_at);
    let mut write = store.write("other", "gone", "").await.unwrap();
    let three = write.delete(two.clone()).await.unwrap();
    write.commit().await.unwrap();
    assert!(three.deleted && three.version == 3);
    assert_eq!(store.row(Table::Asset, one.id).await.unwrap(), Some(three.clone()));
    assert_eq!(store.history(Table::Asset, one.id).await.unwrap(), [three, two, one]);
    assert!(found(store, "").await.is_empty());
}

async fn every_table_takes_inserts_changes_and_deletions(f: &Fixture) {
    for table in Table::ALL.into_iter().filter(|t| *t != Table::Record) {
        let row = Row::new(table, f.store.new_id().unwrap(), "kind", "name");
        let row = save(&f.store, row).await;
        let row = save(&f.store, row).await;
        let mut write = f.store.write("tester", "", "").await.unwrap();
        let row = write.delete(row).await.unwrap();
        write.commit().await.unwrap();
        assert_eq!(f.store.history(table, row.id).await.unwrap().len(), 3, "{}", table.name());
    }
}

async fn every_optional_column_comes_back_as_it_went_in(f: &Fixture) {
    let id = || f.store.new_id().unwrap();
    let mut row = asset(&f.store, "梅");
    let bare = save(&f.store, asset(&f.store, "bare")).await;
    assert_eq!(f.store.row(Table::Asset, bare.id).await.unwrap(), Some(bare));
    row.owner = Some(id());
    row.subject = Some(id());
    row.object = Some(id());
    row.subject_hash = Some("ab".to_owned());
    row.starts_at = Some(Timestamp(-1));
    row.ends_at = Some(Timestamp(i64::MAX));
    row.attributes = object(json!({
        "text": "é\u{1f600}\"\\\n", "number": i64::MIN, "list": ["a", 1, null], "flag": false,
    }));
    let mut row = save(&f.store, row).await;
    row.owner = None;
    row.ends_at = None;
    let row = save(&f.store, row).await;
    let read = f.store.row(Table::Asset, row.id).await.unwrap().unwrap();
    assert_eq!(read.content_hash().unwrap(), row.content_hash().unwrap());
    assert_eq!(store::row_leaf(&read).unwrap(), store::row_leaf(&row).unwrap());
    let first = f.store.history(Table::Asset, row.id).await.unwrap().remove(1);
    assert_eq!(first.ends_at, Some(Timestamp(i64::MAX)));
}

async fn as_of_shows_the_row_that_stood_at_that_time(f: &Fixture) {
    let one = save(&f.store, asset(&f.store, "a")).await;
    f.pass_hours(1);
    let two = save(&f.store, one.clone()).await;
    // Many changes while the clock stands still must keep an order.
    f.time.store(two.updated_at.0 - 5_000, Ordering::Relaxed);
    let three = save(&f.store, two.clone()).await;
    assert!(three.updated_at > two.updated_at);
    let version = async |at: i64| {
        let row = f.store.row_as_of(Table::Asset, one.id, Timestamp(at)).await.unwrap();
        row.map(|r| r.version)
    };
    assert_eq!(version(one.updated_at.0 - 1).await, None);
    assert_eq!(version(one.updated_at.0).await, Some(1));
    assert_eq!(version(two.updated_at.0 - 1).await, Some(1));
    assert_eq!(version(two.updated_at.0).await, Some(2));
    assert_eq!(version(three.updated_at.0).await, Some(3));
    assert_eq!(version(i64::MAX).await, Some(3));
}

/// Everything a view can say, as one text.
async fn said(view: store::View<'_>, ids: &[Id]) -> String {
    let mut rows = Vec::new();
    for table in [Table::Asset, Table::Decision, Table::Link] {
        let all = view.all(table, &[]).await.unwrap();
        let some = view.all(table, &["server", "owns"]).await.unwrap();
        let by_id = view.rows_by_id(table, ids).await.unwrap();
        let about = view.rows_about(table, ids).await.unwrap();
        let names = ["server", "host", "owns"].map(|kind| format!("{}/{kind}", table.name()));
        let mut counts = view.counts(&names).await.unwrap();
        counts.retain(|(_, n)| *n > 0);
        counts.sort();
        let active = view.count_active(table, "host").await.unwrap();
        rows.push(format!("{:?}", (all, some, by_id, about, counts, active)));
    }
    let types = ["room.x", "room.y"];
    let mut records = vec![
        view.newest_records(&types, None, 50).await.unwrap(),
        view.newest_records(&[], ids.first().copied(), 1).await.unwrap(),
        view.records_since(&types, Timestamp(20), 50).await.unwrap(),
        view.latest_per_subject(&types).await.unwrap(),
        view.records_of_the_whole(&types).await.unwrap(),
    ];
    records.push(view.records_about("room.x", ids, Timestamp(25)).await.unwrap());
    // Where the statement says no order there is none to compare.
    records.iter_mut().skip(4).for_each(|list| list.sort_by_key(|r| r.id));
    format!("{rows:?} {records:?}")
}

async fn a_view_of_the_past_shows_what_the_present_showed_then(f: &Fixture) {
    let store = &f.store;
    let mut dice = Dice(7);
    let mut ids: Vec<Id> = Vec::new();
    let mut seen = Vec::new();
    for step in 0..60 {
        let any = |dice: &mut Dice| ids.get(dice.below(ids.len().max(1))).copied();
        match dice.below(6) {
            0 => {
                let kind = ["server", "host"][dice.below(2)];
                let id =
                    save(store, changed(asset(store, "a"), |r| r.kind = kind.to_owned())).await;
                ids.push(id.id);
            }
            1 | 2 => {
                let Some(id) = any(&mut dice) else { continue };
                let row = store.row(Table::Asset, id).await.unwrap().unwrap();
                let what = dice.below(3);
                let change = |row: &mut Row| match what {
                    0 => row.deleted = !row.deleted,
                    1 => row.status = ["active", "retired"][step % 2].to_owned(),
                    _ => row.name = format!("a{step}"),
                };
                save(store, changed(row, change)).await;
            }
            3 => {
                let table = [Table::Decision, Table::Link][dice.below(2)];
                let mut row = Row::new(table, store.new_id().unwrap(), "owns", "about");
                (row.subject, row.object) = (any(&mut dice), any(&mut dice));
                save(store, row).await;
            }
            _ => {
                let ty = ["room.x", "room.y"][dice.below(2)];
                put_record(store, draft(ty, any(&mut dice), dice.below(50) as i64)).await;
            }
        }
        seen.push((store.now(), ids.clone(), said(store.present(), &ids).await));
    }
    assert!(ids.len() > 5);
    for (at, ids, then) in seen {
        assert_eq!(said(store.as_of(at), &ids).await, then, "{at:?}");
    }
}

async fn a_record_received_later_is_not_in_the_past_whenever_it_was_observed(f: &Fixture) {
    let store = &f.store;
    put_record(store, draft("room.x", None, 10)).await;
    let then = store.now();
    f.pass_hours(1);
    put_record(store, draft("room.x", None, 5)).await;
    put_record(store, draft("room.x", None, 10)).await;
    let past = store.as_of(then);
    assert_eq!(past.newest_records(&["room.x"], None, 9).await.unwrap().len(), 1);
    assert_eq!(past.records_since(&["room.x"], Timestamp(0), 9).await.unwrap().len(), 1);
    let latest = past.latest_per_subject(&["room.x"]).await.unwrap();
    assert!(latest.len() == 1 && latest[0].received_at <= then);
    assert_eq!(store.present().newest_records(&["room.x"], None, 9).await.unwrap().len(), 3);
}

async fn the_first_entry_is_the_first_row_or_record(f: &Fixture) {
    let store = &f.store;
    assert_eq!(store.first_entry().await.unwrap(), None);
    let record = put_record(store, draft("room.x", None, 10)).await;
    assert_eq!(store.first_entry().await.unwrap(), Some(record.received_at));
    f.pass_hours(1);
    save(store, asset(store, "a")).await;
    assert_eq!(store.first_entry().await.unwrap(), Some(record.received_at));
}

async fn the_size_of_the_ledger_at_a_moment_is_that_of_its_newest_record(f: &Fixture) {
    let store = &f.store;
    let mut moments = vec![store.now()];
    for n in 1..=150 {
        put_record(store, draft("room.x", None, n)).await;
        moments.push(store.now());
    }
    assert_eq!(store.ledger_sizes(&moments).await.unwrap(), vec![0; 151], "none is settled");
    let pending = store.pending(1_000).await.unwrap();
    let settled: Vec<_> =
        pending.into_iter().zip(0..).map(|((seq, key, _), index)| (seq, key, index)).collect();
    store.settle(&settled).await.unwrap();
    let sizes: Vec<u64> = (0..=150).collect();
    assert_eq!(store.ledger_sizes(&moments).await.unwrap(), sizes);
    assert!(store.ledger_sizes(&[]).await.unwrap().is_empty());
}

async fn a_stale_save_is_a_conflict_and_changes_nothing(f: &Fixture) {
    let one = save(&f.store, asset(&f.store, "a")).await;
    let two = save(&f.store, one.clone()).await;
    let mut write = f.store.write("tester", "", "").await.unwrap();
    let stale = write.put(one.clone()).await;
    assert!(matches!(stale, Err(StoreError::Conflict { saw: 1, current: 2, .. })), "{stale:?}");
    let again = write.put(Row::new(Table::Asset, one.id, "server", "a")).await;
    assert!(matches!(again, Err(StoreError::Conflict { saw: 0, current: 2, .. })), "{again:?}");
    let mut absent = one.clone();
    absent.id = f.store.new_id().unwrap();
    assert!(matches!(write.put(absent).await, Err(StoreError::Absent { .. })));
    write.commit().await.unwrap();
    assert_eq!(f.store.row(Table::Asset, one.id).await.unwrap(), Some(two));
    assert_eq!(f.store.pending(10).await.unwrap().len(), 2);
}

async fn an_uncommitted_change_leaves_no_trace(f: &Fixture) {
    let mut write = f.store.write("tester", "", "").await.unwrap();
    write.put(asset(&f.store, "ghost")).await.unwrap();
    write.record(draft("house.note", None, START)).await.unwrap();
    drop(write);
    assert!(found(&f.store, "").await.is_empty());
    assert!(f.store.pending(10).await.unwrap().is_empty());
    assert!(f.store.newest_records(&[], None, 10).await.unwrap().is_empty());
}

/// Runs eight saves at once and returns how many won; every loser must see a conflict.
async fn race(store: &Store, rows: Vec<Row>) -> usize {
    let mut tasks = tokio::task::JoinSet::new();
    for row in rows {
        let store = store.clone();
        tasks.spawn(async move {
            let mut write = store.write("tester", "", "").await?;
            write.put(row).await?;
            write.commit().await
        });
    }
    let mut won = 0;
    while let Some(result) = tasks.join_next().await {
        match result.unwrap() {
            Ok(()) => won += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    won
}

async fn of_eight_writers_exactly_one_wins_each_version(f: &Fixture) {
    let mut row = save(&f.store, asset(&f.store, "a")).await;
    for version in 2..=6 {
        let rows =
            (0..8).map(|i| changed(row.clone(), |r| r.name = format!("writer {i}"))).collect();
        assert_eq!(race(&f.store, rows).await, 1);
        row = f.store.row(Table::Asset, row.id).await.unwrap().unwrap();
        assert_eq!(row.version, version);
    }
    let history = f.store.history(Table::Asset, row.id).await.unwrap();
    let versions: Vec<i64> = history.iter().map(|r| r.version).collect();
    assert_eq!(versions, [6, 5, 4, 3, 2, 1]);
    assert_eq!(f.store.pending(100).await.unwrap().len(), 6);
    assert_eq!(found(&f.store, "writer").await.len(), 1);
}

async fn of_eight_inserts_of_one_id_exactly_one_wins(f: &Fixture) {
    for _ in 0..5 {
        let row = asset(&f.store, "a");
        assert_eq!(race(&f.store, vec![row; 8]).await, 1);
    }
    assert_eq!(f.store.pending(100).await.unwrap().len(), 5);
}

async fn pages_follow_byte_order_without_gap_or_repeat(f: &Fixture) {
    let mut expected = [
        "b",
        "B",
        "a",
        "A",
        "_",
        "-x",
        "ア",
        "あ",
        "亜",
        "ｱ",
        "Ａ",
        "é",
        "z",
        "一",
        "山 田",
        "山田",
        "a b",
        "ab",
        "",
        "\u{1f600}",
        "あ",
        "ー",
        "漢字",
        "10",
        "9",
    ];
    for name in expected {
        save(&f.store, asset(&f.store, name)).await;
    }
    expected.sort_unstable();
    let mut paged: Vec<Row> = Vec::new();
    loop {
        let after = paged.last().map(|r| (Key::Text(r.name.clone()), r.id));
        let filter = Filter { after, limit: 2, ..Filter::default() };
        let page = f.store.list(Table::Asset, &filter).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    assert_eq!(names(&paged), expected);
    assert_eq!(names(&f.store.all(Table::Asset, &[]).await.unwrap()), expected);
}

async fn filters_narrow_a_list(f: &Fixture) {
    let store = &f.store;
    let subject = store.new_id().unwrap();
    save(store, changed(asset(store, "one"), |r| r.subject = Some(subject))).await;
    save(store, changed(asset(store, "two"), |r| r.status = "retired".to_owned())).await;
    save(store, changed(asset(store, "three"), |r| r.kind = "laptop".to_owned())).await;
    let list = async |filter: Filter| {
        let rows = store.list(Table::Asset, &Filter { limit: 10, ..filter }).await.unwrap();
        rows.into_iter().map(|r| r.name).collect::<Vec<_>>()
    };
    let subject = Some(subject);
    assert_eq!(list(Filter { subject, ..Filter::default() }).await, ["one"]);
    let status = Some("retired".to_owned());
    assert_eq!(list(Filter { status, ..Filter::default() }).await, ["two"]);
    let kind = Some("laptop".to_owned());
    assert_eq!(list(Filter { kind: kind.clone(), ..Filter::default() }).await, ["three"]);
    let all = Filter {
        kind,
        subject,
        status: Some("active".to_owned()),
        text: "three one".to_owned(),
        after: Some((Key::Text("a".to_owned()), store.new_id().unwrap())),
        limit: 10,
        ..Filter::default()
    };
    assert!(list(all).await.is_empty());
    assert_eq!(names(&store.all(Table::Asset, &["laptop", "none"]).await.unwrap()), ["three"]);
}

async fn search_finds_two_characters_width_case_and_kana(f: &Fixture) {
    let mut row = asset(&f.store, "東京都庁サーバ ＷＥＢ-01");
    row.attributes = object(json!({"note": "Backup at ｵｵｻｶ", "tags": ["Straße", "㈱梅"]}));
    save(&f.store, row).await;
    save(&f.store, asset(&f.store, "名古屋")).await;
    for text in [
        "京都",
        "庁サ",
        "サーバ",
        "さーば",
        "ｻｰﾊﾞ",
        "web",
        "ＷＥＢ",
        "Web",
        "eb",
        "01",
        "東",
        "オオサカ",
        "おおさか",
        "ﾞ",
        "BACKUP",
        "株",
        "straße",
        "web 京都",
        "web　都庁",
    ] {
        let expected = usize::from(text != "ﾞ");
        let hits = found(&f.store, text).await.into_iter().filter(|n| n.starts_with('東')).count();
        assert!(hits >= expected, "{text}");
    }
    assert_eq!(found(&f.store, "古屋").await, ["名古屋"]);
    for text in ["京東", "web 名古屋", "xyz"] {
        assert!(found(&f.store, text).await.is_empty(), "{text}");
    }
    let whole = |_| Reach::default();
    let hits = f.store.search("サーバ", 10, whole).await.unwrap();
    assert_eq!(names(&hits), ["東京都庁サーバ ＷＥＢ-01"]);
    assert!(f.store.search("", 10, whole).await.unwrap().is_empty());
    assert!(f.store.search("サーバ", 0, whole).await.unwrap().is_empty());
}

async fn a_change_replaces_the_words_and_attributes_of_a_row(f: &Fixture) {
    let mut row = asset(&f.store, "old");
    row.attributes = object(json!({"site": "osaka", "seats": 3}));
    let mut row = save(&f.store, row).await;
    row.name = "new".to_owned();
    row.attributes = object(json!({"site": "kobe"}));
    let row = save(&f.store, row).await;
    assert!(found(&f.store, "old").await.is_empty());
    assert!(found(&f.store, "osaka").await.is_empty());
    assert_eq!(found(&f.store, "kobe").await, ["new"]);
    assert_eq!(attributes(f).await, [("site".to_owned(), Val::from("kobe"), Val::Null)]);
    let mut write = f.store.write("tester", "", "").await.unwrap();
    write.delete(row).await.unwrap();
    write.commit().await.unwrap();
    let left = f.store.db().fetch("SELECT COUNT(*) FROM token", &[]).await.unwrap();
    assert_eq!(left[0][0], Val::Int(0));
    assert!(attributes(f).await.is_empty());
    let left = f.store.db().fetch("SELECT COUNT(*) FROM attribute", &[]).await.unwrap();
    assert_eq!(left[0][0], Val::Int(0));
}

async fn attributes(f: &Fixture) -> Vec<(String, Val, Val)> {
    let sql = "SELECT name, text, number FROM attribute WHERE name NOT LIKE '@%' ORDER BY name";
    let rows = f.store.db().fetch(sql, &[]).await.unwrap();
    rows.iter().map(|r| (r[0].text().unwrap().to_owned(), r[1].clone(), r[2].clone())).collect()
}

async fn attributes_are_typed_for_search_and_sort(f: &Fixture) {
    let mut row = asset(&f.store, "a");
    row.attributes =
        object(json!({"a": "ＡＢ", "b": -7, "c": true, "d": null, "e": ["x"], "f": {"g": 1}}));
    save(&f.store, row).await;
    let expected = [
        ("a", Val::from("ab"), Val::Null),
        ("b", Val::Null, Val::Int(-7)),
        ("c", Val::Null, Val::Int(1)),
        ("e", Val::from("x"), Val::Null),
    ];
    assert_eq!(attributes(f).await, expected.map(|(n, t, i)| (n.to_owned(), t, i)));
}

async fn a_very_long_attribute_is_stored_whole_and_indexed_in_part(f: &Fixture) {
    // Not compressible, so that an index could not hold it by luck.
    let text: String = (0..20_000u32)
        .map(|i| char::from_u32(0x4e00 + i.wrapping_mul(2_654_435_761) % 20_000).unwrap())
        .collect();
    let mut row = asset(&f.store, "long");
    row.attributes = object(json!({"note": text}));
    let row = save(&f.store, row).await;
    assert_eq!(f.store.row(Table::Asset, row.id).await.unwrap(), Some(row));
    let beginning: String = text.chars().take(4).collect();
    assert_eq!(found(&f.store, &beginning).await, ["long"]);
}

async fn nul_in_a_text_is_refused_by_name(f: &Fixture) {
    let mut write = f.store.write("tester", "", "").await.unwrap();
    let name = write.put(asset(&f.store, "a\0b")).await.unwrap_err();
    assert!(name.to_string().contains("NUL") && name.to_string().contains("/name"), "{name}");
    let mut row = asset(&f.store, "a");
    row.attributes = object(json!({"note": "\0"}));
    let note = write.put(row).await.unwrap_err();
    assert!(note.to_string().contains("/attributes/note"), "{note}");
    let mut facts = draft("house.note", None, START);
    facts.facts = object(json!({"why": "\0"}));
    assert!(write.record(facts).await.unwrap_err().to_string().contains("/facts/why"));
    write.commit().await.unwrap();
    assert!(f.store.pending(10).await.unwrap().is_empty());
    for result in [
        f.store.setting("\0").await.map(drop),
        f.store.set_setting("a", "\0").await,
        f.store.account("\0").await.map(drop),
        f.store
            .list(Table::Asset, &Filter { kind: Some("\0".into()), ..Filter::default() })
            .await
            .map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::Nul(_))), "{result:?}");
    }
    assert!(found(&f.store, "a\0").await.is_empty());
}

async fn what_the_ledger_or_an_index_cannot_hold_is_refused_at_the_door(f: &Fixture) {
    let mut write = f.store.write("tester", "", "").await.unwrap();
    let long = write.put(asset(&f.store, &"梅".repeat(1_000))).await;
    assert!(matches!(long, Err(StoreError::LongName(3_000, 2_000))), "{long:?}");
    drop(write);
    let mut write = f.store.write("tester", "", "").await.unwrap();
    let mut large = draft("house.note", None, START);
    large.facts = object(json!({"text": "x".repeat(66_000)}));
    assert!(matches!(write.record(large).await, Err(StoreError::LargeLeaf(..))));
    drop(write);
    // The longest name whose index entry must still fit.
    let name: String =
        (0..666u32).map(|i| char::from_u32(0x4e00 + i * 7_919 % 20_000).unwrap()).collect();
    let kind = "k".repeat(60);
    save(&f.store, changed(asset(&f.store, &name), |r| r.kind = kind)).await;
}

async fn records_come_newest_oldest_and_latest_per_subject(f: &Fixture) {
    let store = &f.store;
    let (a, b) = (store.new_id().unwrap(), store.new_id().unwrap());
    let mut ids = Vec::new();
    for (ty, subject, at) in [
        ("room.x", Some(a), 10),
        ("room.x", Some(a), 30),
        ("room.x", Some(b), 20),
        ("room.y", Some(a), 40),
        ("room.x", None, 5),
        ("room.x", Some(b), 20),
    ] {
        ids.push(put_record(store, draft(ty, subject, at)).await.id);
    }
    let pick = |records: Vec<Record>| -> Vec<usize> {
        records.iter().map(|r| ids.iter().position(|id| *id == r.id).unwrap()).collect()
    };
    assert_eq!(pick(store.newest_records(&[], None, 10).await.unwrap()), [3, 1, 5, 2, 0, 4]);
    assert_eq!(pick(store.newest_records(&["room.x"], Some(a), 1).await.unwrap()), [1]);
    let since = store.records_since(&["room.x", "room.y"], Timestamp(20), 3).await.unwrap();
    assert_eq!(pick(since), [2, 5, 1]);
    let mut latest = pick(store.latest_per_subject(&["room.x", "room.y"]).await.unwrap());
    latest.sort_unstable();
    assert_eq!(latest, [1, 3, 4, 5]);
    let read = store.record(ids[0]).await.unwrap().unwrap();
    assert_eq!(
        (read.ty.as_str(), read.subject, read.actor.as_str()),
        ("room.x", Some(a), "tester")
    );
    assert_eq!(read.facts, object(json!({"count": 3, "ok": true})));
    assert_eq!(store.record(a).await.unwrap(), None);
    let counts = store.count_by_type().await.unwrap();
    assert_eq!(counts, [("room.x".to_owned(), 5), ("room.y".to_owned(), 1)]);
    let behind = store.records_after(Some(ids[3]), 10).await.unwrap();
    assert_eq!(pick(behind), [4, 5]);
    assert_eq!(store.records_after(None, 10).await.unwrap().len(), 6);
}

async fn no_types_means_no_records_where_types_choose(f: &Fixture) {
    put_record(&f.store, draft("room.x", None, 1)).await;
    assert!(f.store.latest_per_subject(&[]).await.unwrap().is_empty());
    assert!(f.store.records_since(&[], Timestamp(0), 10).await.unwrap().is_empty());
}

async fn payloads_match_their_commitment(f: &Fixture) {
    let payload = Some(vec![0, 255, 1, 0]);
    let record = put_record(&f.store, RecordDraft { payload, ..draft("room.x", None, 1) }).await;
    assert_eq!(f.store.payload(record.id).await.unwrap(), Some(vec![0, 255, 1, 0]));
    assert_eq!(f.store.payload_matches(&record).await.unwrap(), Some(true));
    let other = Record { payload_commit: Some("00".to_owned()), ..record };
    assert_eq!(f.store.payload_matches(&other).await.unwrap(), Some(false));
    let bare = put_record(&f.store, draft("room.x", None, 1)).await;
    assert_eq!(f.store.payload(bare.id).await.unwrap(), None);
    assert_eq!(f.store.payload_matches(&bare).await.unwrap(), None);
}

async fn the_outbox_holds_each_change_until_it_is_settled(f: &Fixture) {
    let store = &f.store;
    let row = save(store, asset(store, "a")).await;
    let record = put_record(store, draft("room.x", None, 1)).await;
    let pending = store.pending(10).await.unwrap();
    let keys: Vec<&str> = pending.iter().map(|(_, key, _)| key.as_str()).collect();
    assert_eq!(keys, [format!("asset/{}/1", row.id), format!("record/{}", record.id)]);
    assert_eq!(pending[0].2, store::row_leaf(&row).unwrap());
    assert_eq!(pending[1].2, store::record_leaf(&record).unwrap());
    assert_eq!(store.pending(1).await.unwrap().len(), 1);
    let settled: Vec<_> =
        (40..).zip(&pending).map(|(i, (seq, key, _))| (*seq, key.clone(), i)).collect();
    store.settle(&settled).await.unwrap();
    assert!(store.pending(10).await.unwrap().is_empty());
    assert_eq!(store.leaf_index(keys[0]).await.unwrap(), Some(40));
    assert_eq!(store.leaf_index("asset/none/1").await.unwrap(), None);
    assert_eq!(store.record(record.id).await.unwrap().unwrap().leaf_index, Some(41));
    // Settling again changes nothing.
    store.settle(&settled).await.unwrap();
    assert_eq!(store.leaf_index(keys[1]).await.unwrap(), Some(41));
}

async fn records_are_read_in_the_order_of_their_places_and_listeners_hear_of_them(f: &Fixture) {
    let store = &f.store;
    let mut heard = store.settled();
    assert_eq!(store.leaves().await.unwrap(), 0);
    assert_eq!(store.records_from_leaf("room.x", 0, 10).await.unwrap(), (Vec::new(), 0));
    let mut wanted = Vec::new();
    for n in 0..10 {
        let ty = if n % 2 == 0 { "room.x" } else { "room.y" };
        save(store, asset(store, "a")).await;
        wanted.push(put_record(store, draft(ty, None, n)).await);
    }
    assert_eq!(store.records_from_leaf("room.x", 0, 100).await.unwrap(), (Vec::new(), 0));
    assert!(!heard.has_changed().unwrap());
    // The later half finds its place first, as the writers of two connections may.
    let pending = store.pending(100).await.unwrap();
    let turned = pending[10..].iter().chain(&pending[..10]);
    let settled: Vec<_> =
        turned.zip(0..).map(|((seq, key, _), index)| (*seq, key.clone(), index)).collect();
    store.settle(&settled).await.unwrap();
    assert!(heard.has_changed().unwrap());
    assert_eq!((*heard.borrow_and_update(), store.leaves().await.unwrap()), (20, 20));
    wanted.rotate_left(5);
    let wanted: Vec<_> = wanted.iter().filter(|r| r.ty == "room.x").map(|r| r.id).collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < 20 {
        let (records, next) = store.records_from_leaf("room.x", at, 3).await.unwrap();
        let within = |r: &Record| r.leaf_index.is_some_and(|leaf| (at..next).contains(&leaf));
        assert!(next - at <= 3 && records.iter().all(within));
        found.extend(records.into_iter().map(|r| r.id));
        at = next;
    }
    assert_eq!(found, wanted);
    assert_eq!(store.records_from_leaf("room.x", 99, 3).await.unwrap(), (Vec::new(), 99));
    // What is settled again is no news.
    store.settle(&settled).await.unwrap();
    assert!(!heard.has_changed().unwrap());
}

async fn who_only_looks_keeps_no_session_or_token_alive(f: &Fixture) {
    let store = &f.store;
    let account = store.add_account("ume", "officer", "$argon2id$x").await.unwrap();
    let half = store.open_session(account, "password", "x").await.unwrap();
    assert!(store.session_account(&half, 8, 168).await.unwrap().is_none());
    let token = store.open_session(account, "full", "x").await.unwrap();
    let (id, _) = store.add_api_token(account, "test", 1).await.unwrap();
    for _ in 0..7 {
        f.pass_hours(1);
        assert_eq!(store.session_account(&token, 8, 168).await.unwrap().unwrap().id, account);
        assert_eq!(store.api_token_account(id).await.unwrap().unwrap().id, account);
    }
    f.pass_hours(2);
    assert!(store.session_account(&token, 8, 168).await.unwrap().is_none());
    assert!(store.api_tokens().await.unwrap()[0].used_at.is_none());
    f.pass_hours(20);
    assert!(store.api_token_account(id).await.unwrap().is_none());
    let (id, _) = store.add_api_token(account, "test", 1).await.unwrap();
    assert!(store.revoke_api_token(id).await.unwrap());
    assert!(store.api_token_account(id).await.unwrap().is_none());
}

async fn sessions_end_by_idleness_age_and_logout(f: &Fixture) {
    let store = &f.store;
    let account = store.add_account("ume", "officer", "$argon2id$x").await.unwrap();
    assert_eq!(store.account_count().await.unwrap(), 1);
    assert_eq!(store.accounts().await.unwrap()[0].login, "ume");
    assert!(store.account("nobody").await.unwrap().is_none());
    let token = store.open_session(account, "password", "127.0.0.1").await.unwrap();
    let session = store.session(&token, 2, 12).await.unwrap().unwrap();
    assert_eq!((session.account.id, session.state.as_str()), (account, "password"));
    assert!(store.session("other", 2, 12).await.unwrap().is_none());
    // Use keeps a session alive, but not beyond its age.
    for _ in 0..11 {
        f.pass_hours(1);
        assert!(store.session(&token, 2, 12).await.unwrap().is_some());
    }
    f.pass_hours(1);
    assert!(store.session(&token, 2, 12).await.unwrap().is_none());
    let idle = store.open_session(account, "full", "").await.unwrap();
    f.pass_hours(3);
    assert!(store.session(&idle, 2, 12).await.unwrap().is_none());
    let ended = store.open_session(account, "full", "").await.unwrap();
    store.end_session(&ended).await.unwrap();
    assert!(store.session(&ended, 2, 12).await.unwrap().is_none());

    let live = store.open_session(account, "full", "").await.unwrap();
    let rows = store
        .db()
        .fetch("SELECT token_hash, csrf, state, address FROM session", &[])
        .await
        .unwrap();
    assert!(!rows.iter().flatten().any(|v| v.text().unwrap().contains(&live)));
    if f.url.is_none() {
        for name in ["ume.db", "ume.db-wal"] {
            let bytes = std::fs::read(f.folder.path().join(name)).unwrap();
            assert!(!bytes.windows(live.len()).any(|w| w == live.as_bytes()), "{name}");
        }
    }
    let mut tx = store.db().begin().await.unwrap();
    tx.execute("UPDATE account SET disabled = 1", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.session(&live, 2, 12).await.unwrap().is_none());
}

async fn a_totp_step_counts_once(f: &Fixture) {
    let account = f.store.add_account("ume", "officer", "x").await.unwrap();
    let before = f.store.account("ume").await.unwrap().unwrap();
    let change = AccountChange::Totp { secret: "SECRET", step: 100 };
    assert!(f.store.change_account("test", &before, change).await.unwrap());
    assert!(!f.store.use_totp_step(account, 100).await.unwrap());
    assert!(f.store.use_totp_step(account, 102).await.unwrap());
    assert!(!f.store.use_totp_step(account, 102).await.unwrap());
    assert!(!f.store.use_totp_step(account, 101).await.unwrap());
    let read = f.store.account("ume").await.unwrap().unwrap();
    assert_eq!((read.totp.as_deref(), read.totp_step), (Some("SECRET"), 102));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = f.store.clone();
        tasks.spawn(async move { store.use_totp_step(account, 200).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|used| *used).count(), 1);
}

async fn every_change_of_an_account_leaves_a_record_without_its_name(f: &Fixture) {
    let store = &f.store;
    let id = store.create_account("test", "umeko", "auditor", "x", true).await.unwrap();
    let account = store.account("umeko").await.unwrap().unwrap();
    assert!(account.must_change && account.signed_in_at.is_none());
    let codes = ["ABCD".to_owned()];
    let changes = [
        AccountChange::Role("executive"),
        AccountChange::Disable,
        AccountChange::Enable,
        AccountChange::Password { hash: "y", must_change: false },
        AccountChange::Totp { secret: "S", step: 1 },
        AccountChange::RecoveryCodes(&codes),
        AccountChange::PasskeyAdded { id: "k", name: "key", credential: "{}" },
        AccountChange::PasskeyRemoved { id: "k" },
        AccountChange::Linked { issuer: "https://i", subject: "s" },
        AccountChange::ResetFactor,
    ];
    for change in changes {
        assert!(store.change_account("test", &account, change).await.unwrap(), "{change:?}");
    }
    let gone = AccountChange::PasskeyRemoved { id: "k" };
    assert!(!store.change_account("test", &account, gone).await.unwrap());
    assert_eq!(store.account_of("https://i", "s").await.unwrap().unwrap().id, id);
    store.sign_in(id, "password+totp", "::1").await.unwrap();
    store.record_refused(Some(id), 3, 2, store.now()).await.unwrap();
    let records = store.newest_records(&[], None, 50).await.unwrap();
    assert_eq!(records.len(), 1 + changes.len() + 2);
    for record in &records {
        assert_eq!(record.facts["account_id"], json!(id));
        assert!(!store::record_leaf(record).unwrap().contains("umeko"));
    }
    let after = store.account("umeko").await.unwrap().unwrap();
    assert_eq!((after.role.as_str(), after.totp, after.must_change), ("executive", None, false));
    assert!(after.signed_in_at.is_some());
}

async fn a_change_that_matters_ends_every_session(f: &Fixture) {
    let store = &f.store;
    store.add_account("first", "officer", "x").await.unwrap();
    let id = store.add_account("ume", "officer", "x").await.unwrap();
    let account = store.account("ume").await.unwrap().unwrap();
    let other = store.account("first").await.unwrap().unwrap();
    let kept = store.sign_in(other.id, "password+totp", "").await.unwrap();
    let ending = [
        AccountChange::Password { hash: "y", must_change: false },
        AccountChange::Role("officer"),
        AccountChange::ResetFactor,
        AccountChange::Disable,
    ];
    for change in ending {
        let token = store.sign_in(id, "password+totp", "").await.unwrap();
        store.open_session(id, "password", "").await.unwrap();
        assert_eq!(store.sessions_of(id).await.unwrap().len(), 2);
        store.change_account("test", &account, change).await.unwrap();
        assert!(store.sessions_of(id).await.unwrap().is_empty(), "{change:?}");
        assert!(store.session(&token, 8, 168).await.unwrap().is_none());
    }
    assert!(store.session(&kept, 8, 168).await.unwrap().is_some());
    let session = store::Store::session_id(&kept);
    assert!(!store.revoke_session(id, &session).await.unwrap(), "someone else's");
    assert!(store.revoke_session(other.id, &session).await.unwrap());
    assert!(store.session(&kept, 8, 168).await.unwrap().is_none());
}

async fn the_last_officer_stays(f: &Fixture) {
    let store = &f.store;
    for login in ["a", "b"] {
        store.add_account(login, "officer", "x").await.unwrap();
    }
    let accounts = store.accounts().await.unwrap();
    // Both at once: exactly one may go.
    let (one, two) = tokio::join!(
        store.change_account("test", &accounts[0], AccountChange::Disable),
        store.change_account("test", &accounts[1], AccountChange::Role("auditor")),
    );
    let refused = [&one, &two].into_iter().filter(|r| matches!(r, Err(StoreError::LastOfficer)));
    assert_eq!(refused.count(), 1, "{one:?} {two:?}");
    let left = store.accounts().await.unwrap();
    assert_eq!(left.iter().filter(|a| a.role == "officer" && !a.disabled).count(), 1);
}

async fn a_recovery_code_counts_once(f: &Fixture) {
    let store = &f.store;
    for login in ["ume", "take"] {
        store.add_account(login, "auditor", "x").await.unwrap();
    }
    let account = store.account("ume").await.unwrap().unwrap();
    let other = store.account("take").await.unwrap().unwrap();
    let codes = ["ABCD-EFGH".to_owned(), "IJKL-MNOP".to_owned()];
    let change = AccountChange::RecoveryCodes(&codes);
    store.change_account("test", &account, change).await.unwrap();
    assert!(!store.use_recovery_code(&other, "ABCD-EFGH").await.unwrap());
    assert!(store.use_recovery_code(&account, "abcd efgh").await.unwrap());
    assert!(!store.use_recovery_code(&account, "ABCD-EFGH").await.unwrap());
    assert_eq!(store.recovery_codes_left(account.id).await.unwrap(), 1);
    store.change_account("test", &account, change).await.unwrap();
    assert_eq!(store.recovery_codes_left(account.id).await.unwrap(), 2);
}

async fn a_sign_in_at_a_provider_is_finished_once_and_in_time(f: &Fixture) {
    let store = &f.store;
    let flow = OidcFlow { nonce: "n".into(), verifier: "v".into(), back: "/tasks".into() };
    store.begin_flow("state", &flow).await.unwrap();
    assert!(store.take_flow("other").await.unwrap().is_none());
    assert_eq!(store.take_flow("state").await.unwrap().unwrap().back, "/tasks");
    assert!(store.take_flow("state").await.unwrap().is_none());
    store.begin_flow("late", &flow).await.unwrap();
    f.pass_hours(1);
    assert!(store.take_flow("late").await.unwrap().is_none());
    store.sweep_sessions(168).await.unwrap();
}

async fn settings_are_overwritten(f: &Fixture) {
    assert_eq!(f.store.setting("name").await.unwrap(), None);
    f.store.set_setting("name", "one").await.unwrap();
    f.store.set_setting("name", "二").await.unwrap();
    assert_eq!(f.store.setting("name").await.unwrap().as_deref(), Some("二"));
}

async fn a_secret_setting_is_sealed_also_where_an_older_version_left_it_plain(f: &Fixture) {
    let name = store::SECRET_SETTINGS[0];
    f.store.set_setting(name, "open sesame").await.unwrap();
    assert_eq!(f.store.secret_setting(name).await.unwrap().as_deref(), Some("open sesame"));
    let again = f.reopen().await.unwrap();
    let stands = again.setting(name).await.unwrap().unwrap();
    assert!(stands.starts_with("sealed:v1:") && !stands.contains("sesame"), "{stands}");
    for store in [&again, &f.store] {
        assert_eq!(store.secret_setting(name).await.unwrap().as_deref(), Some("open sesame"));
    }
    again.set_secret_setting(name, "two").await.unwrap();
    assert_eq!(again.secret_setting(name).await.unwrap().as_deref(), Some("two"));
    again.db().close().await;
}

async fn a_newer_schema_is_refused(f: &Fixture) {
    let mut tx = f.store.db().begin().await.unwrap();
    tx.execute("INSERT INTO migration (number) VALUES ($1)", &[Val::Int(999)]).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(f.reopen().await.err(), Some(StoreError::Newer { found: 999, .. })));
    if f.url.is_none() {
        let read_only = Store::open_read_only(f.folder.path(), f.clock.clone()).await;
        assert!(matches!(read_only.err(), Some(StoreError::Newer { found: 999, .. })));
    }
}

async fn opening_again_migrates_nothing(f: &Fixture) {
    let row = save(&f.store, asset(&f.store, "a")).await;
    let again = f.reopen().await.unwrap();
    assert_eq!(again.row(Table::Asset, row.id).await.unwrap(), Some(row.clone()));
    again.db().close().await;
    if f.url.is_none() {
        let reader = Store::open_read_only(f.folder.path(), f.clock.clone()).await.unwrap();
        assert_eq!(reader.row(Table::Asset, row.id).await.unwrap(), Some(row));
        assert!(reader.set_setting("a", "b").await.is_err());
    }
}

async fn counts_and_verifier_pages_cover_everything(f: &Fixture) {
    let store = &f.store;
    let mut stored = Vec::new();
    for name in ["a", "b", "c"] {
        let one = save(store, asset(store, name)).await;
        stored.push(one.clone());
        stored.push(save(store, one).await);
    }
    stored.sort_by_key(|r| (r.id, r.version));
    assert_eq!(store.count_by_kind(Table::Asset).await.unwrap(), [("server".to_owned(), 3)]);
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.versions(Table::Asset, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.id, last.version));
        pages.extend(page);
    }
    assert_eq!(pages, stored);
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = store.stored_versions(Table::Asset, after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.id.clone(), last.version));
        pages.extend(page);
    }
    assert_eq!(pages[0].replaced_at, Some(stored[1].updated_at));
    assert_eq!(pages[1].replaced_at, None);
    let rows: Vec<Row> = pages.into_iter().map(|v| v.row.unwrap()).collect();
    assert_eq!(rows, stored);
    let record = put_record(store, draft("room.x", None, 1)).await;
    let page = store.stored_records(None, 10).await.unwrap();
    assert_eq!(page[0].record.as_ref().unwrap(), &record);
    assert!(store.stored_records(Some(&page[0].id), 10).await.unwrap().is_empty());
    assert!(store.orphan_payloads().await.unwrap().is_empty());
}

async fn statements_prepare_without_running(f: &Fixture) {
    let sql = "SELECT id, name FROM asset WHERE (name, id) > ($1, $2) ORDER BY name, id";
    assert_eq!(f.store.db().prepare(sql).await.unwrap(), 2);
    assert!(f.store.db().prepare("SELECT nothing FROM nowhere").await.is_err());
}

#[tokio::test]
async fn both_databases_have_equal_tables_columns_and_indexes() {
    let Some(postgres) = Fixture::postgres().await else { return };
    let sqlite = Fixture::sqlite().await;
    let on_sqlite = "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_master m \
                     JOIN pragma_table_info(m.name) c WHERE m.type = 'table' \
                     AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid";
    let on_postgres = "SELECT table_name::text, column_name::text, data_type::text, \
                       CASE is_nullable WHEN 'NO' THEN 1 ELSE 0 END FROM information_schema.columns \
                       WHERE table_schema = 'public' ORDER BY table_name::text COLLATE \"C\", ordinal_position";
    let columns = async |db: &Db, sql: &str| {
        let rows = db.fetch(sql, &[]).await.unwrap();
        rows.iter().map(|r| column(r)).collect::<Vec<_>>()
    };
    assert_eq!(
        columns(sqlite.store.db(), on_sqlite).await,
        columns(postgres.store.db(), on_postgres).await
    );
    let indexes = async |db: &Db, sql: &str| {
        let rows = db.fetch(sql, &[]).await.unwrap();
        rows.iter().map(|r| r[0].text().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let on_sqlite =
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name";
    let on_postgres = "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' \
                       AND indexname LIKE '%\\_by\\_%' ORDER BY indexname::text COLLATE \"C\"";
    let (a, b) = (
        indexes(sqlite.store.db(), on_sqlite).await,
        indexes(postgres.store.db(), on_postgres).await,
    );
    assert!(a.len() > 40);
    assert_eq!(a, b);
    sqlite.end().await;
    postgres.end().await;
}

/// Table, column, type in the words of SQLite, whether NULL is refused.
fn column(row: &[Val]) -> (String, String, String, i64) {
    let text = |i: usize| row[i].text().unwrap().to_owned();
    let ty = match row[2].text().unwrap() {
        "bigint" | "BIGINT" => "INTEGER",
        "bytea" => "BLOB",
        "text" => "TEXT",
        other => other,
    };
    // SQLite does not mark its row id alias, which can never be NULL either.
    let required = if text(1) == "seq" { 1 } else { row[3].int().unwrap() };
    (text(0), text(1), ty.to_owned(), required)
}

/// Rows with every mixture of present, absent and equal values, in one kind and a stranger's.
async fn mixed_rows(store: &Store) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut write = store.write("tester", "", "").await.unwrap();
    for i in 0..60_i64 {
        let mut row = asset(store, &format!("n{:02}", (i * 37) % 60));
        row.kind = if i % 10 == 9 { "other" } else { "host" }.to_owned();
        row.status = if i % 3 == 0 { "retired" } else { "active" }.to_owned();
        row.ends_at = (i % 4 == 0).then_some(Timestamp(START + (i % 8) * HOUR));
        let mut attributes = Map::new();
        if i % 5 != 0 {
            attributes
                .insert("os".into(), ["Debian 12", "Ｄｅｂｉａｎ 11", "窓"][i as usize % 3].into());
        }
        if i % 7 != 0 {
            attributes.insert("ram".into(), ((i * 11) % 13 - 3).into());
        }
        attributes.insert("on".into(), (i % 2 == 0).into());
        attributes.insert("tags".into(), json!([format!("t{}", i % 4), "all"]));
        row.attributes = attributes;
        rows.push(write.put(row).await.unwrap());
    }
    write.commit().await.unwrap();
    rows
}

fn holds(row: &Row, condition: &store::Condition) -> bool {
    use store::Test::{AtLeast, AtMost, Is, IsNot, Set, Starts, Unset};
    let keys: Vec<Key> = match row.attributes.get(&condition.name) {
        Some(Json::Array(items)) => items.iter().filter_map(Key::of).collect(),
        _ => vec![Key::of_row(row, &condition.name)],
    };
    let rank = |key: &Key| match key {
        Key::Text(text) => Some((0, 0, text.clone())),
        Key::Number(n) => Some((1, *n, String::new())),
        Key::Nothing => None,
    };
    let compare = |key: &Key, other: &Key| {
        rank(key).zip(rank(other)).filter(|(a, b)| a.0 == b.0).map(|(a, b)| a.cmp(&b))
    };
    let any = |test: &dyn Fn(&Key) -> bool| keys.iter().any(test);
    match &condition.test {
        Is(key) => any(&|k| k == key),
        IsNot(key) => !any(&|k| k == key),
        AtLeast(key) => any(&|k| compare(k, key).is_some_and(|o| o.is_ge())),
        AtMost(key) => any(&|k| compare(k, key).is_some_and(|o| o.is_le())),
        Starts(text) => any(&|k| matches!(k, Key::Text(t) if t.starts_with(text.as_str()))),
        Set => any(&|k| *k != Key::Nothing),
        Unset => !any(&|k| *k != Key::Nothing),
    }
}

/// The order a list promises: by value, rows without one last, equal ones by id.
fn sorted(mut rows: Vec<&Row>, order: &store::Order) -> Vec<String> {
    let place = |row: &Row| match &order.by {
        None => (0, 0, row.name.clone()),
        Some(by) => match Key::of_row(row, &by.name) {
            Key::Number(n) => (0, n, String::new()),
            Key::Text(text) => (0, 0, text),
            Key::Nothing => (1, 0, String::new()),
        },
    };
    rows.sort_by(|a, b| {
        let (x, y) = (place(a), place(b));
        let by_value = (&x.1, &x.2, a.id).cmp(&(&y.1, &y.2, b.id));
        x.0.cmp(&y.0).then(if order.descending { by_value.reverse() } else { by_value })
    });
    rows.into_iter().map(|r| r.name.clone()).collect()
}

async fn every_order_and_condition_lists_what_a_plain_scan_would(f: &Fixture) {
    let rows = mixed_rows(&f.store).await;
    let when = |name: &str, test| Condition { name: name.to_owned(), test };
    let conditions: Vec<Vec<Condition>> = vec![
        vec![],
        vec![when("os", Test::Is(Key::text("debian 12")))],
        vec![when("os", Test::Starts("debian".into())), when("on", Test::Is(Key::Number(1)))],
        vec![when("os", Test::IsNot(Key::text("窓")))],
        vec![when("ram", Test::AtLeast(Key::Number(2))), when("ram", Test::AtMost(Key::Number(6)))],
        vec![when("ram", Test::Unset)],
        vec![when("os", Test::Set), when("tags", Test::Is(Key::text("T3")))],
        vec![when(store::STATUS, Test::Is(Key::text("retired")))],
        vec![when(store::ENDS, Test::AtLeast(Key::Number(START + HOUR)))],
        vec![when("os", Test::Is(Key::text("no such"))), when("on", Test::Set)],
    ];
    let by = |name: &str, number| Some(By { name: name.to_owned(), number });
    let orders = [
        None,
        by("os", false),
        by("ram", true),
        by("on", true),
        by(store::ENDS, true),
        by("none", false),
    ];
    for conditions in &conditions {
        for (by, descending) in orders.iter().flat_map(|by| [(by, false), (by, true)]) {
            let order = Order { by: by.clone(), descending };
            let wanted = rows
                .iter()
                .filter(|r| r.kind == "host" && conditions.iter().all(|c| holds(r, c)))
                .collect();
            let mut filter = Filter {
                kind: Some("host".to_owned()),
                conditions: conditions.clone(),
                order: order.clone(),
                limit: 7,
                ..Filter::default()
            };
            let mut found: Vec<String> = Vec::new();
            loop {
                let page = f.store.list(Table::Asset, &filter).await.unwrap();
                found.extend(page.iter().map(|r| r.name.clone()));
                let Some(last) = page.last().filter(|_| page.len() == 7) else { break };
                let key = match &order.by {
                    None => Key::Text(last.name.clone()),
                    Some(by) => Key::of_row(last, &by.name),
                };
                filter.after = Some((key, last.id));
            }
            assert_eq!(found, sorted(wanted, &order), "{conditions:?} {order:?}");
        }
    }
}

type Ties = Vec<(String, Tie)>;

fn ties() -> [(Table, String, Ties); 5] {
    let of = |names: &[&str]| {
        let tie = |n: &&str| {
            let tie = match *n {
                "department" => Tie::Department,
                "site" | "zone" => Tie::Place,
                _ => Tie::Party,
            };
            ((*n).to_owned(), tie)
        };
        names.iter().map(tie).collect::<Vec<_>>()
    };
    [
        (Table::Party, "person".to_owned(), of(&["department", "site"])),
        (Table::Asset, "server".to_owned(), of(&["department", "admin", "zone"])),
        (Table::Asset, "zone".to_owned(), of(&["site"])),
        (Table::Task, "task".to_owned(), of(&["assignee"])),
        (Table::Decision, "approval".to_owned(), Vec::new()),
    ]
}

/// A world of random rows, kept in memory beside the store.
struct World {
    rows: Vec<Row>,
    persons: Vec<Id>,
    sites: Vec<Id>,
}

/// Numbers by a fixed rule: a failure comes again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    fn some<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let at = self.below(of.len() + 2);
        of.get(at).cloned()
    }
}

const DEPARTMENTS: [&str; 3] = ["設計部", "ＳＡＬＥＳ", "sales"];

async fn world(store: &Store, dice: &mut Dice) -> World {
    let mut rows = Vec::new();
    let new =
        |table, kind: &str, name: String| Row::new(table, store.new_id().unwrap(), kind, &name);
    let mut write = store.write("tester", "", "").await.unwrap();
    let mut parties = Vec::new();
    let mut persons = Vec::new();
    for i in 0..8 {
        let mut row = new(Table::Party, "person", format!("p{i}"));
        if let Some(d) = dice.some(&DEPARTMENTS) {
            row.attributes.insert("department".into(), d.into());
        }
        persons.push(row.id);
        parties.push(row.id);
        rows.push(row);
    }
    for d in DEPARTMENTS {
        let row = new(Table::Party, "team", d.to_owned());
        parties.push(row.id);
        rows.push(row);
    }
    let supplier = new(Table::Party, "supplier", "設計部".to_owned());
    parties.push(supplier.id);
    rows.push(supplier);
    let sites: Vec<Row> =
        ["z-east", "z-west"].map(|name| new(Table::Asset, "site", name.to_owned())).into();
    let mut zones = Vec::new();
    for i in 0..4 {
        let mut zone = new(Table::Asset, "zone", format!("z{i}"));
        // The last two name no site: one says it by a link, one not at all.
        if let Some(site) = sites.get(i) {
            zone.attributes.insert("site".into(), site.id.to_string().into());
        }
        zones.push(zone);
    }
    for person in rows.iter_mut().take(8) {
        if let Some(site) = dice.some(&sites) {
            person.attributes.insert("site".into(), site.id.to_string().into());
        }
    }
    let mut assets: Vec<Id> = sites.iter().chain(&zones).map(|row| row.id).collect();
    let mut inside = new(Table::Link, "located_in", "i-zone".to_owned());
    (inside.subject, inside.object) = (Some(zones[2].id), Some(sites[1].id));
    rows.push(inside);
    for i in 0..40 {
        let mut row = new(Table::Asset, "server", format!("a{i:02}"));
        if let Some(zone) = dice.some(&zones) {
            row.attributes.insert("zone".into(), zone.id.to_string().into());
        }
        row.owner = dice.some(&parties);
        if let Some(d) = dice.some(&DEPARTMENTS) {
            row.attributes.insert("department".into(), d.into());
        }
        if let Some(id) = dice.some(&parties) {
            row.attributes.insert("admin".into(), id.to_string().into());
        }
        // Says nothing of belonging: no field of this name is declared to.
        row.attributes.insert("note".into(), parties[0].to_string().into());
        row.deleted = dice.below(8) == 0;
        assets.push(row.id);
        rows.push(row);
    }
    // Chains and loops of things in things; some links were taken back.
    for i in 0..30 {
        let mut link = new(Table::Link, "located_in", format!("i{i:02}"));
        link.subject = Some(assets[dice.below(assets.len())]);
        link.object = Some(assets[dice.below(assets.len())]);
        link.deleted = i % 5 == 0;
        rows.push(link);
    }
    let places = sites.iter().map(|row| row.id).collect();
    rows.extend(sites.into_iter().chain(zones));
    for i in 0..30 {
        let mut task = new(Table::Task, "task", format!("t{i:02}"));
        task.subject = dice.some(&assets);
        task.object = if dice.below(3) == 0 { dice.some(&parties) } else { None };
        if dice.below(3) == 0 {
            let id = parties[dice.below(parties.len())];
            task.attributes.insert("assignee".into(), id.to_string().into());
        }
        rows.push(task);
        let mut decision = new(Table::Decision, "approval", format!("d{i:02}"));
        decision.subject = dice.some(&assets);
        decision.owner = if dice.below(3) == 0 { dice.some(&parties) } else { None };
        rows.push(decision);
        let mut link = new(Table::Link, "about", format!("l{i:02}"));
        link.subject = Some(assets[dice.below(assets.len())]);
        link.object = Some(parties[dice.below(parties.len())]);
        rows.push(link);
    }
    for row in &mut rows {
        *row = write.put(row.clone()).await.unwrap();
    }
    write.commit().await.unwrap();
    World { rows, persons, sites: places }
}

impl World {
    fn row(&self, id: Id) -> Option<&Row> {
        self.rows.iter().find(|row| row.id == id)
    }

    fn named(row: &Row) -> Vec<Id> {
        let field = |n: &str| row.attributes.get(n).and_then(Json::as_str)?.parse().ok();
        let mut all: Vec<Id> = row.owner.into_iter().collect();
        match row.table {
            Table::Party => all.push(row.id),
            Table::Task => all.extend(row.object.into_iter().chain(field("assignee"))),
            Table::Asset => all.extend(field("admin")),
            _ => {}
        }
        all
    }

    /// The departments of a row, folded by hand.
    fn departments(&self, row: &Row) -> Vec<&'static str> {
        let fold = |d: &str| if d == "設計部" { "設計部" } else { "sales" };
        let said = |row: &Row| row.attributes.get("department").and_then(Json::as_str).map(fold);
        let mut all: Vec<&str> = said(row).into_iter().collect();
        for party in Self::named(row).into_iter().filter_map(|id| self.row(id)) {
            all.extend(said(party));
            all.extend(Some(fold(&party.name)).filter(|_| party.kind == "team"));
        }
        all
    }

    /// The sites where a row is: every step from it, until there is no new one.
    fn sites_of(&self, row: Option<&Row>) -> Vec<Id> {
        let mut known: Vec<Id> = row.map(|row| row.id).into_iter().collect();
        let mut next = 0;
        while let Some(id) = known.get(next).copied() {
            next += 1;
            let Some(row) = self.row(id) else { continue };
            let said = |name: &str| row.attributes.get(name).and_then(Json::as_str)?.parse().ok();
            let mut steps: Vec<Id> = match row.kind.as_str() {
                "server" => said("zone").into_iter().collect(),
                "zone" | "person" => said("site").into_iter().collect(),
                _ => Vec::new(),
            };
            steps.extend(row.subject.filter(|_| row.table != Table::Link));
            let links = self.rows.iter().filter(|l| l.kind == "located_in" && !l.deleted);
            steps.extend(links.filter(|l| l.subject == Some(id)).filter_map(|l| l.object));
            for step in steps {
                if !known.contains(&step) {
                    known.push(step);
                }
            }
        }
        known.retain(|id| self.sites.contains(id));
        known
    }

    fn is_at(&self, row: &Row, sites: &[Id]) -> bool {
        let here = |row: Option<&Row>| {
            let known = self.sites_of(row);
            known.is_empty() || known.iter().any(|site| sites.contains(site))
        };
        let end = |id: Option<Id>| here(id.and_then(|id| self.row(id)));
        if row.table == Table::Link { end(row.subject) && end(row.object) } else { here(Some(row)) }
    }

    /// The rule, in plain words: see the module `within` of the store.
    fn admits(&self, within: &Within, row: &Row) -> bool {
        if let Within::At { sites, of } = within {
            return self.admits(of, row) && self.is_at(row, sites);
        }
        let (person, department, nobodys) = match within {
            Within::All => return true,
            Within::Nothing | Within::At { .. } | Within::Open { .. } => return false,
            Within::Own(person) => (person, None, None),
            Within::Department { person, department, nobodys } => {
                (person, department.as_deref(), Some(*nobodys))
            }
        };
        let theirs = |row: &Row| {
            person.is_some_and(|p| Self::named(row).contains(&p))
                || department.is_some_and(|d| self.departments(row).contains(&d))
        };
        let end = |id: Option<Id>| id.and_then(|id| self.row(id));
        let Some(nobodys) = nobodys else {
            let (subject, object) = (end(row.subject), end(row.object));
            return match row.table {
                Table::Link => subject.is_some_and(theirs) && object.is_some_and(theirs),
                Table::Decision => theirs(row) || subject.is_some_and(theirs),
                _ => theirs(row),
            };
        };
        let open = |row: Option<&Row>, nobodys: bool| match row {
            Some(row) => theirs(row) || (nobodys && self.departments(row).is_empty()),
            None => nobodys,
        };
        if row.table == Table::Link {
            return open(end(row.subject), nobodys) && open(end(row.object), true);
        }
        theirs(row) || (self.departments(row).is_empty() && open(end(row.subject), nobodys))
    }
}

async fn a_closed_row_and_what_is_about_it_are_there_for_the_named_alone(f: &Fixture) {
    static GUARD: Guard = Guard {
        field: "tlp",
        order: &["green", "strict", "red"],
        loosened_by: "lowered",
        closes: &[("strict", Closed::Outside), ("red", Closed::Unnamed)],
        named: "named",
    };
    let ties = vec![("tlp".to_owned(), Tie::Closes(&GUARD)), ("named".to_owned(), Tie::Names)];
    let store = f.store.clone().with_ties([(Table::Asset, "server".to_owned(), ties)]);
    store.settle_index().await.unwrap();
    assert!(!store.is_guarded(), "nothing is closed yet");
    let owner =
        save(&store, Row::new(Table::Party, store.new_id().unwrap(), "person", "佐藤")).await;
    let closed = |name: &str, tlp: &str, named: &[&str], by: Option<Id>| {
        let mut row = Row::new(Table::Asset, store.new_id().unwrap(), "server", name);
        row.attributes.insert("tlp".into(), json!(tlp));
        row.attributes.insert("named".into(), json!(named));
        row.owner = by;
        row
    };
    let open = save(&store, closed("open", "green", &[], None)).await;
    let strict = save(&store, closed("strict", "strict", &[], None)).await;
    let nobodys = save(&store, closed("nobody's", "red", &[], None)).await;
    let red = save(&store, closed("crimson", "red", &["Hanako"], Some(owner.id))).await;
    assert!(store.is_guarded());
    let mut task = Row::new(Table::Task, store.new_id().unwrap(), "task", "about red");
    task.subject = Some(red.id);
    let task = save(&store, task).await;
    let mut link = Row::new(Table::Link, store.new_id().unwrap(), "about", "");
    (link.subject, link.object) = (Some(open.id), Some(red.id));
    let link = save(&store, link).await;
    let sight = |names: &[&str], is_own, names_others| Sight {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        is_own,
        names_others,
    };
    let ids = [open.id, strict.id, nobodys.id, red.id];
    let owner_id = owner.id.to_string();
    for (to, wanted) in [
        (sight(&[], true, false), [true, true, false, false]),
        (sight(&["taro"], false, false), [true, false, false, false]),
        (sight(&["taro"], true, true), [true, true, true, false]),
        (sight(&["x", "hanako"], true, false), [true, true, false, true]),
        (sight(&[&owner_id], true, false), [true, true, false, true]),
    ] {
        let within = Within::All.open_to(&to);
        let found = store.reached(Table::Asset, &ids, &within).await.unwrap();
        assert_eq!(ids.map(|id| found.contains(&id)), wanted, "{to:?}");
        let reach = Reach { hides_personal: false, within: within.clone() };
        let filter = Filter { limit: 50, reach, ..Filter::default() };
        let listed = store.list(Table::Asset, &filter).await.unwrap();
        assert_eq!(listed.len(), wanted.iter().filter(|is_seen| **is_seen).count());
        let hits = store.search("crimson", 10, |_| filter.reach.clone()).await.unwrap();
        assert_eq!(!hits.is_empty(), wanted[3], "{to:?}");
        assert_eq!(store.reaches(Table::Task, task.id, &within).await.unwrap(), wanted[3]);
        assert_eq!(store.reaches(Table::Link, link.id, &within).await.unwrap(), wanted[3]);
    }
    // Nobody lowers it alone, and a decision holds for the version that was shown.
    let lowered = |row: &Row| {
        let mut row = row.clone();
        row.attributes.insert("tlp".into(), json!("green"));
        row
    };
    let decided = |of: &Row, signed: bool| {
        let mut row = Row::new(Table::Decision, store.new_id().unwrap(), "lowered", "x");
        row.status = "approved".into();
        (row.subject, row.subject_hash) = (Some(of.id), Some(of.content_hash().unwrap()));
        row.attributes.insert("from".into(), json!("red"));
        row.attributes.insert("to".into(), json!("green"));
        if signed {
            row.attributes.insert("signatures".into(), json!([{"who": "hanako"}]));
        }
        row
    };
    let try_to = async |row: Row| store.write("taro", "", "").await.unwrap().put(row).await;
    save(&store, decided(&red, false)).await;
    assert!(matches!(try_to(lowered(&red)).await, Err(StoreError::Loosened { .. })));
    save(&store, decided(&red, true)).await;
    assert!(try_to(lowered(&red)).await.is_ok());
    let mut red = red;
    red.attributes.insert("note".into(), json!("changed since"));
    let red = save(&store, red).await;
    assert!(matches!(try_to(lowered(&red)).await, Err(StoreError::Loosened { .. })));
    // Deleted, it is closed as it was; opened, it is everyone's.
    let unnamed = Within::All.open_to(&sight(&["taro"], true, true));
    let mut gone = store.row(Table::Asset, red.id).await.unwrap().unwrap();
    gone.deleted = true;
    let gone = save(&store, gone).await;
    assert!(!store.reaches(Table::Asset, gone.id, &unnamed).await.unwrap());
    save(&store, decided(&gone, true)).await;
    let mut opened = gone;
    opened.deleted = false;
    opened.attributes.insert("tlp".into(), json!("green"));
    save(&store, opened).await;
    assert!(store.reaches(Table::Asset, red.id, &unnamed).await.unwrap());
    // Who is not named writes nothing of it either.
    let within = unnamed.clone();
    let bounds = Bounds { within: Arc::new(move |_, _| within.clone()), person: None };
    let mut write = store.write("taro", "", "").await.unwrap().bounded(bounds);
    let mut row = store.row(Table::Asset, red.id).await.unwrap().unwrap();
    row.attributes.insert("tlp".into(), json!("red"));
    let refused = write.put(row).await;
    assert!(matches!(refused, Err(StoreError::OutOfReach { .. })), "{refused:?}");
}

async fn lists_show_what_the_rule_of_belonging_says_of_each_row(f: &Fixture) {
    let store = f.store.clone().with_ties(ties());
    let mut dice = Dice(7);
    let world = world(&store, &mut dice).await;
    let mut readers = vec![Within::All, Within::Nothing, Within::Own(None)];
    for person in [None, Some(world.persons[0]), Some(world.persons[5])] {
        readers.push(Within::Own(person));
        for department in [None, Some("設計部"), Some("sales"), Some("none such")] {
            for nobodys in [true, false] {
                let department = department.map(str::to_owned);
                readers.push(Within::Department { person, department, nobodys });
            }
        }
    }
    let one = Within::Department {
        person: Some(world.persons[0]),
        department: Some("sales".to_owned()),
        nobodys: true,
    };
    for of in [Within::All, one, Within::Own(Some(world.persons[0]))] {
        for sites in [&world.sites[..1], &world.sites[1..], &world.sites[..]] {
            readers.push(of.clone().at(sites));
        }
    }
    assert!(world.rows.iter().any(|row| world.sites_of(Some(row)).len() == 2));
    let mut shown = [0; 2];
    for within in &readers {
        for table in [Table::Party, Table::Asset, Table::Task, Table::Decision, Table::Link] {
            let of_table: Vec<&Row> = world.rows.iter().filter(|r| r.table == table).collect();
            let mut wanted: Vec<&Row> = of_table
                .iter()
                .copied()
                .filter(|r| !r.deleted && world.admits(within, r))
                .collect();
            wanted.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
            let reach = Reach { hides_personal: false, within: within.clone() };
            let mut filter = Filter { limit: 7, reach, ..Filter::default() };
            let mut found: Vec<Row> = Vec::new();
            loop {
                let page = store.list(table, &filter).await.unwrap();
                let full = page.len() == 7;
                found.extend(page);
                let Some(last) = found.last().filter(|_| full) else { break };
                filter.after = Some((Key::Text(last.name.clone()), last.id));
            }
            assert_eq!(
                names(&found),
                wanted.iter().map(|r| &r.name).collect::<Vec<_>>(),
                "{table:?} {within:?}"
            );
            shown[usize::from(wanted.len() < of_table.len())] += wanted.len();
            filter.after = None;
            filter.limit = 200;
            for kind in ["person", "server", "task", "approval", "about"] {
                let asked = Filter { kind: Some(kind.to_owned()), ..filter.clone() };
                let rows = store.list(table, &asked).await.unwrap();
                let of_kind: Vec<&str> =
                    wanted.iter().filter(|r| r.kind == kind).map(|r| r.name.as_str()).collect();
                assert_eq!(names(&rows), of_kind, "{kind}: {within:?}");
            }
            let past = store.list_as_of(table, &filter, store.now()).await.unwrap();
            assert_eq!(names(&past), names(&found), "as of: {table:?} {within:?}");
            // Rows one by one, deleted ones included.
            let ids: Vec<Id> = of_table.iter().map(|row| row.id).collect();
            let reached = store.reached(table, &ids, within).await.unwrap();
            for row in of_table {
                let wanted = world.admits(within, row);
                assert_eq!(reached.contains(&row.id), wanted, "{} {within:?}", row.name);
            }
        }
    }
    assert!(shown[0] > 50 && shown[1] > 1000, "{shown:?}");
}

async fn nothing_is_written_beyond_the_bounds(f: &Fixture) {
    let store = f.store.clone().with_ties(ties());
    let person = {
        let mut row = Row::new(Table::Party, store.new_id().unwrap(), "person", "Ito");
        row.attributes.insert("department".into(), "設計部".into());
        save(&store, row).await.id
    };
    let within = Within::Department {
        person: Some(person),
        department: Some("設計部".to_owned()),
        nobodys: false,
    };
    let bounds = Bounds {
        within: Arc::new(move |table, _: &str| match table {
            Table::Asset | Table::Record => within.clone(),
            _ => Within::Nothing,
        }),
        person: Some(person),
    };
    let of = |department: &str| {
        let mut row = asset(&store, department);
        row.attributes.insert("department".into(), department.into());
        row
    };
    let (mine, theirs) = (save(&store, of("設計部")).await, save(&store, of("営業部")).await);
    let nobodys = save(&store, asset(&store, "free")).await;
    let begin = || async { store.write("ito", "", "").await.unwrap().bounded(bounds.clone()) };
    let change = |row: &Row, department: &str| {
        let mut row = row.clone();
        row.attributes.insert("department".into(), department.into());
        row
    };
    for (row, good) in [
        (of("設計部"), true),
        (of("営業部"), true),
        (asset(&store, "unsaid"), true),
        (change(&mine, "設計部"), true),
        (change(&mine, "営業部"), false),
        (change(&theirs, "設計部"), false),
        (change(&nobodys, "設計部"), false),
        (Row::new(Table::Party, store.new_id().unwrap(), "person", "x"), false),
        (Row::new(Table::Rule, store.new_id().unwrap(), "x", "x"), false),
    ] {
        let name = format!("{} v{}", row.name, row.version);
        let put = begin().await.put(row).await;
        // What someone adds is their own, wherever they say it belongs.
        let added = put.iter().find(|row| row.version == 1);
        assert!(added.is_none_or(|row| row.owner == Some(person)), "{name}");
        match good {
            true => assert!(put.is_ok(), "{name}: {put:?}"),
            false => assert!(matches!(put, Err(StoreError::OutOfReach { .. })), "{name}: {put:?}"),
        }
    }
    let record = |subject| RecordDraft {
        ty: "a.b".to_owned(),
        subject,
        observed_from: Timestamp(START),
        observed_to: Timestamp(START),
        source: "test".to_owned(),
        assurance: Assurance::Attested,
        facts: Map::new(),
        payload: None,
    };
    for (subject, good) in
        [(Some(mine.id), true), (Some(theirs.id), false), (Some(nobodys.id), false), (None, false)]
    {
        let written = begin().await.record(record(subject)).await;
        assert_eq!(written.is_ok(), good, "{written:?}");
    }
    // What one reads of records follows their subjects.
    let mut write = store.write("tester", "", "").await.unwrap();
    for subject in [Some(mine.id), Some(theirs.id), Some(nobodys.id), None] {
        write.record(record(subject)).await.unwrap();
    }
    write.commit().await.unwrap();
    for (nobodys, expected) in [(true, 3), (false, 1)] {
        let within =
            Within::Department { person: None, department: Some("設計部".to_owned()), nobodys };
        let filter = RecordFilter { limit: 9, within, ..RecordFilter::default() };
        assert_eq!(store.list_records(&filter).await.unwrap().len(), expected);
    }
}

async fn who_is_narrowed_to_sites_writes_there_and_nowhere_else(f: &Fixture) {
    let store = f.store.clone().with_ties(ties());
    let site = |name: &str| Row::new(Table::Asset, store.new_id().unwrap(), "site", name);
    let (here, there) = (save(&store, site("here")).await, save(&store, site("there")).await);
    let server = |zone: &Row, name: &str| {
        let mut row = Row::new(Table::Asset, store.new_id().unwrap(), "server", name);
        row.attributes.insert("zone".into(), zone.id.to_string().into());
        row
    };
    let mine = save(&store, server(&here, "mine")).await;
    let theirs = save(&store, server(&there, "theirs")).await;
    let free = save(&store, asset(&store, "free")).await;
    let within = Within::All.at(&[here.id]);
    let reads = within.clone();
    let bounds = Bounds { within: Arc::new(move |_, _: &str| within.clone()), person: None };
    let begin = || async { store.write("ito", "", "").await.unwrap().bounded(bounds.clone()) };
    let moved = |row: &Row, to: &Row| {
        let mut row = row.clone();
        row.attributes.insert("zone".into(), to.id.to_string().into());
        row
    };
    let link = |subject: &Row, object: &Row| {
        let id = store.new_id().unwrap();
        let mut row = Row::new(Table::Link, id, "located_in", "in");
        (row.subject, row.object) = (Some(subject.id), Some(object.id));
        row
    };
    for (row, good) in [
        (server(&here, "new"), true),
        (server(&there, "new"), false),
        (moved(&mine, &here), true),
        (moved(&mine, &there), false),
        (moved(&theirs, &here), false),
        (moved(&free, &here), true),
        (link(&free, &here), true),
        (link(&free, &there), false),
        (link(&theirs, &here), false),
        (site("another"), false),
    ] {
        let name = format!("{} {} v{}", row.kind, row.name, row.version);
        let put = begin().await.put(row).await;
        match good {
            true => assert!(put.is_ok_and(|row| row.owner.is_none()), "{name}"),
            false => assert!(matches!(put, Err(StoreError::OutOfReach { .. })), "{name}: {put:?}"),
        }
    }
    let record = |subject| RecordDraft {
        ty: "a.b".to_owned(),
        subject,
        observed_from: Timestamp(START),
        observed_to: Timestamp(START),
        source: "test".to_owned(),
        assurance: Assurance::Attested,
        facts: Map::new(),
        payload: None,
    };
    for (subject, good) in
        [(Some(mine.id), true), (Some(theirs.id), false), (Some(free.id), true), (None, true)]
    {
        let written = begin().await.record(record(subject)).await;
        assert_eq!(written.is_ok(), good, "{written:?}");
        let mut write = store.write("tester", "", "").await.unwrap();
        write.record(record(subject)).await.unwrap();
        write.commit().await.unwrap();
    }
    let filter = RecordFilter { limit: 9, within: reads, ..RecordFilter::default() };
    assert_eq!(store.list_records(&filter).await.unwrap().len(), 3);
    // What a link takes elsewhere is reached no longer.
    let mut write = store.write("tester", "", "").await.unwrap();
    write.put(link(&free, &there)).await.unwrap();
    write.commit().await.unwrap();
    assert!(begin().await.put(free.clone()).await.is_err());
}

async fn of_eight_who_ask_for_an_approval_at_once_exactly_one_asks(f: &Fixture) {
    let row = save(&f.store, asset(&f.store, "asked")).await;
    let ask = |name: String| {
        let (store, about) = (f.store.clone(), row.id);
        tokio::spawn(async move {
            let mut request = Row::new(Table::Decision, store.new_id().unwrap(), "approval", &name);
            (request.status, request.subject) = ("proposed".to_owned(), Some(about));
            let mut write = store.write("x", "", "").await.unwrap();
            let put = write.put(request).await?;
            // Whoever is second must wait here, not look past an open transaction.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            write.commit().await.map(|()| put)
        })
    };
    let asked: Vec<_> = (0..8).map(|i| ask(i.to_string())).collect();
    let mut made = Vec::new();
    for task in asked {
        match task.await.unwrap() {
            Ok(row) => made.push(row),
            Err(StoreError::AskedAlready(id)) => assert_eq!(id, row.id),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(made.len(), 1);
    // It may be changed, and once it is answered another may be made.
    let first = save(&f.store, made.remove(0)).await;
    save(&f.store, changed(first, |r| r.status = "approved".to_owned())).await;
    assert!(ask("again".to_owned()).await.unwrap().is_ok());
}

async fn an_account_keeps_the_sites_it_is_narrowed_to_and_an_officer_has_none(f: &Fixture) {
    let store = &f.store;
    let sites = [store.new_id().unwrap(), store.new_id().unwrap()];
    store.create_account("x", "ito", "auditor", "-", false).await.unwrap();
    let account = || async { store.account("ito").await.unwrap().unwrap() };
    let change =
        |account, change| async move { store.change_account("x", &account, change).await.unwrap() };
    assert!(account().await.sites.is_empty());
    let token = store.sign_in(account().await.id, "x", "").await.unwrap();
    assert!(change(account().await, AccountChange::Sites(&sites)).await);
    assert_eq!(account().await.sites, sites);
    // The narrowing holds for open sessions and tokens at once.
    let session = store.session(&token, 1, 1).await.unwrap().unwrap();
    assert_eq!((session.account.sites, session.method.as_str()), (sites.to_vec(), "x"));
    let filter = RecordFilter { limit: 1, ..RecordFilter::default() };
    let newest = store.list_records(&filter).await.unwrap().remove(0);
    assert_eq!(newest.facts["sites"], json!(sites));
    assert!(change(account().await, AccountChange::Role("officer")).await);
    assert!(account().await.sites.is_empty());
    assert!(!change(account().await, AccountChange::Sites(&sites)).await);
    assert!(account().await.sites.is_empty());
}

async fn an_account_follows_the_person_who_names_it(f: &Fixture) {
    let store = f.store.clone().with_ties(ties());
    let ito = store.create_account("x", "ito", "department", "-", false).await.unwrap();
    let person = |account: &str, department: &str| {
        let mut row = Row::new(Table::Party, store.new_id().unwrap(), "person", "P");
        row.attributes = object(json!({"account": account, "department": department}));
        row
    };
    assert_eq!(store.place(ito).await.unwrap(), Place::default());
    let first = save(&store, person("ito", "設計部")).await;
    let place = store.place(ito).await.unwrap();
    assert_eq!((place.person, place.department.as_deref()), (Some(first.id), Some("設計部")));
    // The department follows the row, and an account made later finds its person; folding joins none.
    let first = save(
        &store,
        changed(first, |r| drop(r.attributes.insert("department".into(), "ＳＡＬＥＳ".into()))),
    )
    .await;
    assert_eq!(store.place(ito).await.unwrap().department.as_deref(), Some("sales"));
    let second = save(&store, person("Mori", "設計部")).await;
    let lower = store.create_account("x", "mori", "employee", "-", false).await.unwrap();
    let upper = store.create_account("x", "Mori", "employee", "-", false).await.unwrap();
    assert_eq!(store.place(lower).await.unwrap().person, None);
    assert_eq!(store.place(upper).await.unwrap().person, Some(second.id));
    // A person who names nobody any more, or is gone, frees the account.
    save(&store, changed(first, |r| drop(r.attributes.shift_remove("account")))).await;
    assert_eq!(store.place(ito).await.unwrap(), Place::default());
    let mut write = store.write("x", "", "").await.unwrap();
    write.delete(second).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(store.place(upper).await.unwrap(), Place::default());
    // An older folder, where the column was never kept.
    save(&store, person("ito", "設計部")).await;
    let mut tx = store.db().begin().await.unwrap();
    tx.execute("UPDATE account SET party = NULL", &[]).await.unwrap();
    tx.execute("UPDATE index_version SET number = 0", &[]).await.unwrap();
    tx.commit().await.unwrap();
    store.settle_index().await.unwrap();
    assert!(store.place(ito).await.unwrap().person.is_some());
}

fn personal() -> [(Table, String, Vec<String>); 1] {
    let pointers = ["/attributes/phone", "/attributes/aliases", "/name"].map(str::to_owned);
    [(Table::Asset, "phone".to_owned(), pointers.to_vec())]
}

fn phone(store: &Store) -> Row {
    let mut row = asset(store, "inoue");
    row.kind = "phone".to_owned();
    row.attributes =
        object(json!({"phone": "090-1234-5678", "aliases": ["sakura"], "note": "desk sakurai"}));
    row
}

/// What a list finds for someone from whom personal fields are hidden, and for someone else.
async fn both(store: &Store, text: &str) -> [usize; 2] {
    let mut found = [0; 2];
    for (count, hides_personal) in found.iter_mut().zip([true, false]) {
        let reach = Reach { hides_personal, ..Reach::default() };
        let filter =
            Filter { text: text.to_owned(), limit: 9, reach: reach.clone(), ..Filter::default() };
        *count = store.list(Table::Asset, &filter).await.unwrap().len();
        let hits = store.search(text, 9, |_| reach.clone()).await.unwrap();
        assert_eq!(hits.len(), *count, "{text}");
    }
    found
}

async fn words_of_personal_fields_are_found_only_by_those_who_see_them(f: &Fixture) {
    let store = f.store.clone().with_personal(personal());
    let saved = save(&store, phone(&store)).await;
    // The name can be shredded, but is shown to everyone. What stands in an open field as well is
    // found by its words there.
    for (text, found) in [
        ("1234", [0, 1]),
        ("090", [0, 1]),
        ("desk", [1, 1]),
        ("sakurai", [1, 1]),
        ("sakura", [1, 1]),
        ("inoue", [1, 1]),
        ("inoue 5678", [0, 1]),
        ("xyz", [0, 0]),
    ] {
        assert_eq!(both(&store, text).await, found, "{text}");
    }
    let mut changed = saved.clone();
    changed.attributes.insert("note".to_owned(), "1234".into());
    save(&store, changed).await;
    assert_eq!(both(&store, "1234").await, [1, 1]);

    let hides = Filter {
        kind: Some("phone".to_owned()),
        limit: 9,
        reach: Reach { hides_personal: true, ..Reach::default() },
        ..Filter::default()
    };
    let by = |name: &str| Some(By { name: name.to_owned(), number: false });
    let is = |name: &str| Condition { name: name.to_owned(), test: Test::Set };
    let ordered =
        |name| Filter { order: Order { by: by(name), descending: false }, ..hides.clone() };
    let asked = |name| Filter { conditions: vec![is(name)], ..hides.clone() };
    for filter in [ordered("phone"), asked("phone"), asked("aliases")] {
        let refused = store.list(Table::Asset, &filter).await;
        assert!(matches!(refused, Err(StoreError::Hidden(_))), "{refused:?}");
    }
    for filter in [ordered("note"), asked("note"), ordered("@changed")] {
        assert_eq!(store.list(Table::Asset, &filter).await.unwrap().len(), 1);
    }
}

async fn a_field_that_becomes_personal_is_hidden_in_the_rows_there_are(f: &Fixture) {
    f.store.settle_index().await.unwrap();
    save(&f.store, phone(&f.store)).await;
    assert_eq!(both(&f.store, "1234").await, [1, 1]);
    let now = f.store.clone().with_personal(personal());
    now.settle_index().await.unwrap();
    assert_eq!(both(&now, "1234").await, [0, 1]);
    // Nothing to do the next time: a mark put beside the index stays.
    let mut tx = now.db().begin().await.unwrap();
    tx.execute("DELETE FROM token", &[]).await.unwrap();
    tx.commit().await.unwrap();
    now.settle_index().await.unwrap();
    assert_eq!(both(&now, "1234").await, [0, 0]);
}

async fn a_data_folder_with_the_old_index_gets_the_new_one_at_start(f: &Fixture) {
    let mut row = asset(&f.store, "old");
    row.attributes = object(json!({"os": "x"}));
    save(&f.store, row).await;
    let before = attributes(f).await;
    let mut tx = f.store.db().begin().await.unwrap();
    for spoil in
        ["DELETE FROM attribute", "DELETE FROM token", "UPDATE index_version SET number = 0"]
    {
        tx.execute(spoil, &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let again = f.reopen().await.unwrap();
    again.settle_index().await.unwrap();
    again.db().close().await;
    assert_eq!(attributes(f).await, before);
    assert_eq!(found(&f.store, "old").await, ["old"]);
}
