//! The first hour: who we are, how far we want to go, then home.
//!
//! Shown once, after the first sign-in of someone who administers, and can be put off. The
//! organisation is a row like any other and can be changed in its register at any time.

use std::sync::atomic::Ordering;

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect},
};
use jiff::tz::TimeZone;
use model::{Choice, Field, FieldType, Id, KindSpec, Lang, Level, Table, t};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use store::{Row, Store, StoreError};
use web::{
    House, Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    people::local::Local,
    route::{Access, Route},
};

/// Id of the organisation's row, or `later`.
const SETTING: &str = "organisation";
const LATER: &str = "later";
const NAME_CHARS_MAX: usize = 200;
const SITES_MAX: usize = 200;

const fn choice(value: &'static str, ja: &'static str, en: &'static str) -> Choice {
    Choice { value, label: t(ja, en) }
}

/// The sections of the Japan Standard Industrial Classification (日本標準産業分類, 2023), in our
/// own short words.
const SECTORS: &[Choice] = &[
    choice("agriculture", "農業・林業・漁業", "agriculture, forestry, fishing"),
    choice("mining", "鉱業・採石業", "mining"),
    choice("construction", "建設業", "construction"),
    choice("manufacturing", "製造業", "manufacturing"),
    choice("utilities", "電気・ガス・熱供給・水道業", "electricity, gas, heat, water"),
    choice("information", "情報通信業", "information and communications"),
    choice("transport", "運輸業・郵便業", "transport and post"),
    choice("trade", "卸売業・小売業", "wholesale and retail"),
    choice("finance", "金融業・保険業", "finance and insurance"),
    choice("real_estate", "不動産業・物品賃貸業", "real estate and leasing"),
    choice("professional", "学術研究・専門・技術サービス業", "research, professional services"),
    choice("hospitality", "宿泊業・飲食サービス業", "hotels and restaurants"),
    choice("personal_services", "生活関連サービス業・娯楽業", "personal services, amusement"),
    choice("education", "教育・学習支援業", "education"),
    choice("medical", "医療・福祉", "medical and welfare"),
    choice("cooperative", "複合サービス事業", "cooperative services"),
    choice("services", "その他のサービス業", "other services"),
    choice("public", "公務", "public administration"),
    choice("other", "その他", "other"),
];

const MONTHS: &[Choice] = &[
    choice("1", "1月末", "end of January"),
    choice("2", "2月末", "end of February"),
    choice("3", "3月末", "end of March"),
    choice("4", "4月末", "end of April"),
    choice("5", "5月末", "end of May"),
    choice("6", "6月末", "end of June"),
    choice("7", "7月末", "end of July"),
    choice("8", "8月末", "end of August"),
    choice("9", "9月末", "end of September"),
    choice("10", "10月末", "end of October"),
    choice("11", "11月末", "end of November"),
    choice("12", "12月末", "end of December"),
];

const LANGUAGES: &[Choice] = &[choice("ja", "日本語", "Japanese"), choice("en", "英語", "English")];

/// Our own organisation.
pub(crate) const ORGANISATION: KindSpec = KindSpec {
    id: "organisation",
    table: Table::Party,
    title: t("組織", "Organisation"),
    help: t("このISMSを運用する組織。", "The organisation that runs this ISMS."),
    fields: &[
        Field::new("sector", t("業種", "Sector"), FieldType::Enum(SECTORS)).required(),
        Field::new(
            "people",
            t("人数", "People"),
            FieldType::Number { unit: "", min: 1, max: 10_000_000 },
        )
        .required(),
        Field::new("sites", t("拠点", "Sites"), FieldType::List),
        Field::new(
            "fiscal_year_end",
            t("事業年度の終わり", "Fiscal year ends"),
            FieldType::Enum(MONTHS),
        ),
        Field::new("time_zone", t("タイムゾーン", "Time zone"), FieldType::Text).required(),
        Field::new("language", t("言語", "Language"), FieldType::Enum(LANGUAGES)).required(),
        Field::new("era", t("和暦で表示する", "Years by Japanese era"), FieldType::Boolean),
    ],
    ..KindSpec::BASE
};

/// Routes of the first hour.
pub(crate) fn routes() -> Vec<Route> {
    let administer = Access::Action(Action::Administer);
    let ours = t("組織の情報", "The organisation");
    let levels = t("目標レベル", "Target levels");
    let put_off = t("初回の案内を後回しにする", "Put off the first hour");
    vec![
        Route::get("/welcome", administer, ours, organisation_page),
        Route::post("/welcome", administer, ours, organisation),
        Route::get("/welcome/targets", administer, levels, targets_page),
        Route::post("/welcome/targets", administer, levels, targets),
        Route::post("/welcome/later", administer, put_off, later),
    ]
}

/// Whether this person should be led through the first hour.
pub async fn due(house: &House, user: &User) -> Result<bool, StoreError> {
    if user.may(Action::Administer).is_err() {
        return Ok(false);
    }
    if house.people.welcomed.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let over = house.store.setting(SETTING).await?.is_some();
    house.people.welcomed.store(over, Ordering::Relaxed);
    Ok(!over)
}

/// Takes zone and calendar from the organisation's row, wherever it was edited.
pub async fn refresh_local(house: &House) -> Result<(), StoreError> {
    let Some(row) = organisation_row(&house.store).await?.filter(|row| !row.deleted) else {
        return Ok(());
    };
    let zone = zone_of(&row);
    let era = row.attributes.get("era").and_then(Json::as_bool).unwrap_or(false);
    house.people.set_local(Local { zone, era });
    Ok(())
}

/// The zone of a row of an organisation; the system's where it is not known.
pub(crate) fn zone_of(row: &Row) -> TimeZone {
    let name = row.attributes.get("time_zone").and_then(Json::as_str).unwrap_or("");
    TimeZone::get(name).unwrap_or_else(|error| {
        tracing::warn!(%error, "the organisation's time zone is not known; the system's counts");
        TimeZone::system()
    })
}

/// The zone in which the organisation's days begin.
pub async fn zone(store: &Store) -> Result<TimeZone, StoreError> {
    let row = organisation_row(store).await?.filter(|row| !row.deleted);
    Ok(row.as_ref().map_or_else(TimeZone::system, zone_of))
}

/// Makes this row the organisation's own.
pub async fn adopt(house: &House, row: Id) -> Result<(), StoreError> {
    house.store.set_setting(SETTING, &row.to_string()).await?;
    refresh_local(house).await
}

/// Our own organisation's row, once there is one.
pub(crate) async fn organisation_row(store: &Store) -> Result<Option<Row>, StoreError> {
    let id = store.setting(SETTING).await?.and_then(|text| text.parse().ok());
    match id {
        Some(id) => store.row(Table::Party, id).await,
        None => Ok(None),
    }
}

#[derive(Clone, Default, Deserialize)]
struct OrganisationForm {
    csrf: String,
    name: String,
    sector: String,
    people: String,
    #[serde(default)]
    sites: String,
    fiscal_year_end: String,
    time_zone: String,
    language: String,
    #[serde(default)]
    era: String,
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct OrganisationPage<'a> {
    cx: &'a Cx,
    form: &'a OrganisationForm,
    errors: Vec<&'a str>,
    sectors: &'static [Choice],
    months: &'static [Choice],
    languages: &'static [Choice],
    zones: Vec<String>,
}

async fn organisation_page(State(house): State<Shared>, user: User) -> Answer {
    user.may(Action::Administer)?;
    let form = match organisation_row(&house.store).await? {
        Some(row) => of_row(&row),
        None => OrganisationForm {
            fiscal_year_end: "3".to_owned(),
            time_zone: likely_zone(user.cx.lang),
            language: user.cx.lang.tag().to_owned(),
            ..OrganisationForm::default()
        },
    };
    show_organisation(&user.cx, &form, Vec::new())
}

/// The machine's zone, unless it is UTC, which most servers keep and few people live in.
fn likely_zone(lang: Lang) -> String {
    let system = TimeZone::system().iana_name().unwrap_or("UTC").to_owned();
    match (system.as_str(), lang) {
        ("UTC" | "Etc/UTC", Lang::Ja) => "Asia/Tokyo".to_owned(),
        _ => system,
    }
}

fn of_row(row: &Row) -> OrganisationForm {
    let text = |name: &str| match row.attributes.get(name) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(list)) => {
            list.iter().filter_map(Json::as_str).collect::<Vec<_>>().join("\n")
        }
        Some(Json::Bool(true)) => "yes".to_owned(),
        Some(Json::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    OrganisationForm {
        csrf: String::new(),
        name: row.name.clone(),
        sector: text("sector"),
        people: text("people"),
        sites: text("sites"),
        fiscal_year_end: text("fiscal_year_end"),
        time_zone: text("time_zone"),
        language: text("language"),
        era: text("era"),
    }
}

fn show_organisation(cx: &Cx, form: &OrganisationForm, errors: Vec<&str>) -> Answer {
    let mut zones: Vec<String> = jiff::tz::db().available().map(|z| z.to_string()).collect();
    if zones.is_empty() {
        zones.push("UTC".to_owned());
    }
    zones.sort_unstable();
    let body = OrganisationPage {
        cx,
        form,
        errors,
        sectors: SECTORS,
        months: MONTHS,
        languages: LANGUAGES,
        zones,
    };
    page(cx, cx.t("組織", "Organisation"), &body)
}

/// The attributes of a form, or what is wrong with it.
fn attributes<'a>(cx: &Cx, form: &OrganisationForm) -> Result<Map<String, Json>, Vec<&'a str>> {
    let mut errors = Vec::new();
    let mut wrong = |ja: &'a str, en: &'a str| {
        errors.push(match cx.lang {
            Lang::Ja => ja,
            Lang::En => en,
        });
    };
    let among = |choices: &[Choice], value: &str| choices.iter().any(|c| c.value == value);
    let name = form.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        wrong("組織名を200文字以内で入力してください。", "Give a name of at most 200 characters.");
    }
    if !among(SECTORS, &form.sector) {
        wrong("業種を選んでください。", "Choose a sector.");
    }
    let people = form.people.trim().parse::<i64>().ok().filter(|n| (1..=10_000_000).contains(n));
    if people.is_none() {
        wrong("人数を1以上の整数で入力してください。", "Give the number of people, at least 1.");
    }
    if !among(MONTHS, &form.fiscal_year_end) {
        wrong("事業年度の終わりを選んでください。", "Choose when the fiscal year ends.");
    }
    if TimeZone::get(&form.time_zone).is_err() {
        wrong("タイムゾーンを選んでください。", "Choose a time zone.");
    }
    if !among(LANGUAGES, &form.language) {
        wrong("言語を選んでください。", "Choose a language.");
    }
    let sites: Vec<&str> = form.sites.lines().map(str::trim).filter(|s| !s.is_empty()).collect();
    if sites.len() > SITES_MAX {
        wrong("拠点は200までです。", "At most 200 sites.");
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let all = json!({
        "sector": form.sector,
        "people": people,
        "sites": sites,
        "fiscal_year_end": form.fiscal_year_end,
        "time_zone": form.time_zone,
        "language": form.language,
        "era": !form.era.is_empty(),
    });
    Ok(all.as_object().cloned().unwrap_or_default())
}

async fn organisation(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<OrganisationForm>,
) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let attributes = match attributes(&user.cx, &form) {
        Ok(attributes) => attributes,
        Err(errors) => return show_organisation(&user.cx, &form, errors),
    };
    let name = form.name.trim();
    let mut organisation = match organisation_row(&house.store).await?.filter(|row| !row.deleted) {
        Some(row) => row,
        None => Row::new(Table::Party, house.store.new_id()?, ORGANISATION.id, name),
    };
    organisation.name = name.to_owned();
    organisation.attributes = attributes;
    let mut write = house.store.write(&user.actor(), "organisation", "web").await?;
    let saved = write.put(organisation).await?;
    write.commit().await?;
    adopt(&house, saved.id).await?;
    house.wake();
    Ok(Redirect::to("/welcome/targets").into_response())
}

/// How a sector reads.
pub(crate) fn sector_name(sector: &str, lang: model::Lang) -> &'static str {
    let choice = SECTORS.iter().find(|c| c.value == sector);
    choice.map_or("–", |c| c.label.get(lang))
}

#[derive(Template)]
#[template(path = "targets.html")]
struct TargetsPage<'a> {
    cx: &'a Cx,
    rooms: Vec<(&'static str, &'static str)>,
}

async fn targets_page(State(house): State<Shared>, user: User) -> Answer {
    user.may(Action::Administer)?;
    let rooms = house.rooms.iter().map(|r| (r.control, r.name.get(user.cx.lang))).collect();
    let body = TargetsPage { cx: &user.cx, rooms };
    page(&user.cx, user.cx.t("目標レベル", "Target levels"), &body)
}

#[derive(Deserialize)]
struct TargetsForm {
    csrf: String,
    level: String,
}

async fn targets(State(house): State<Shared>, user: User, Form(form): Form<TargetsForm>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let level = Level::parse(&form.level).filter(|l| *l != Level::None);
    let level = level.ok_or_else(|| Refusal::Bad(form.level.clone()))?;
    crate::board::set_targets(&house.store, &user.actor(), &house.rooms, level).await?;
    house.wake();
    Ok(Redirect::to("/").into_response())
}

#[derive(Deserialize)]
struct LaterForm {
    csrf: String,
}

async fn later(State(house): State<Shared>, user: User, Form(form): Form<LaterForm>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    if house.store.setting(SETTING).await?.is_none() {
        house.store.set_setting(SETTING, LATER).await?;
    }
    Ok(Redirect::to("/").into_response())
}
