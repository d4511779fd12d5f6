//! `/soa/migration`: answers of 2013 carried to 2022, shown before anything is written, and taken back.

use askama::Template;
use axum::{
    Form, Json,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
};
use model::t;
use serde::Deserialize;
use web::{
    Shared,
    access::Action,
    api::{
        Caller,
        problem::{self, Problem},
    },
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Api, Param, Place, Route},
};

use crate::hall::migrate::{self, Draft, Gap, MigrateError};

const FROM: &str = "2013";
const TO: &str = "2022";

pub(super) fn routes() -> Vec<Route> {
    // The whole register changes at once, so not for those who may write a part of it.
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Administer));
    let title = t("2013年版からの移行", "Migration from 2013");
    let take_title = t("移行を実行", "Carry the migration out");
    let undo_title = t("移行を取り消す", "Take the migration back");
    let word = |name, ja, en| Param {
        place: Place::Query,
        name,
        schema: "Word",
        required: false,
        text: t(ja, en),
    };
    let flag = |name, ja, en| Param { schema: "Flag", ..word(name, ja, en) };
    let api = Route::post("/api/v1/isms/migration", write, title, api).api(Api {
        tag: "isms",
        id: "migrate".to_owned(),
        params: vec![
            word("from", "移行元の版。なければ2013", "Edition before, 2013 if not given"),
            word("to", "移行先の版。なければ2022", "Edition after, 2022 if not given"),
            flag("check", "trueなら確認だけ", "True: judge only, save nothing"),
            flag("undo", "trueなら直前の移行を取り消す", "True: take the last one back"),
        ],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[404, 409, 412],
    });
    vec![
        Route::get("/soa/migration", inspect, title, show),
        Route::post("/soa/migration", write, take_title, take),
        Route::post("/soa/migration/undo", write, undo_title, undo),
        api,
    ]
}

#[derive(Template)]
#[template(path = "migrate.html")]
struct MigratePage<'a> {
    cx: &'a Cx,
    here: &'static str,
    draft: &'a Draft,
    /// There is a migration that may be taken back.
    standing: bool,
    may_write: bool,
}

impl MigratePage<'_> {
    fn kind(&self, kind: &str) -> &'static str {
        let text = match kind {
            "merged" => t("統合", "merged"),
            "split" => t("分割", "split"),
            _ => t("同じ", "same"),
        };
        self.cx.pick(&text)
    }

    fn title<'g>(&self, gap: &'g Gap) -> &'g str {
        match self.cx.lang {
            model::Lang::Ja => &gap.title_ja,
            model::Lang::En => &gap.title_en,
        }
    }

    fn label(&self, field: &str) -> &'static str {
        let kind = crate::SPEC.rules.iter().find(|kind| kind.id == "control_use");
        let field = kind.and_then(|kind| kind.fields.iter().find(|f| f.name == field));
        field.map_or("", |field| self.cx.pick(&field.label))
    }
}

async fn show(State(house): State<Shared>, user: User) -> Answer {
    let draft = migrate::read(&house.store, FROM, TO).await.map_err(|e| refusal(&user.cx, e))?;
    let body = MigratePage {
        cx: &user.cx,
        here: "/soa",
        draft: &draft,
        standing: migrate::standing(&house.store).await?.is_some(),
        may_write: web::access::allowed(&user.session.account.role, Action::Administer),
    };
    page(&user.cx, user.cx.t("2013年版からの移行", "Migration from 2013"), &body)
}

fn refusal(cx: &Cx, error: MigrateError) -> Refusal {
    match error {
        MigrateError::Store(error) => error.into(),
        error => Refusal::Bad(error.text(cx.lang)),
    }
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

async fn take(State(house): State<Shared>, user: User, Form(form): Form<Plain>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let bad = |error| refusal(&user.cx, error);
    let draft = migrate::read(&house.store, FROM, TO).await.map_err(bad)?;
    let write = user.write(&house, user.cx.t("規格の移行", "migration of the standard")).await?;
    migrate::take(&house.store, &draft, write, user.cx.lang).await.map_err(bad)?;
    house.wake();
    Ok(Redirect::to("/soa/migration").into_response())
}

async fn undo(State(house): State<Shared>, user: User, Form(form): Form<Plain>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let bad = |error| refusal(&user.cx, error);
    let undo = migrate::read_undo(&house.store).await.map_err(bad)?;
    let write = user.write(&house, user.cx.t("移行の取り消し", "migration taken back")).await?;
    migrate::take_back(&house.store, undo, write).await.map_err(bad)?;
    house.wake();
    Ok(Redirect::to("/soa/migration").into_response())
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    check: bool,
    #[serde(default)]
    undo: bool,
}

async fn api(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let lang = caller.cx.lang;
    let bad = |error| match error {
        MigrateError::Store(error) => Problem::of_store(lang, &error),
        error @ (MigrateError::Edition(_) | MigrateError::Mapping(..)) => {
            Problem::saying(lang, problem::NOT_FOUND, error.text(lang))
        }
        error => Problem::saying(lang, problem::CONFLICT, error.text(lang)),
    };
    let store = &house.store;
    if asked.undo {
        let undo = migrate::read_undo(store).await.map_err(bad)?;
        let write = caller.desk(&house).write("migration taken back").await?;
        let done = migrate::take_back(store, undo, write).await.map_err(bad)?;
        house.wake();
        return Ok(Json(done).into_response());
    }
    let (from, to) = (asked.from.as_deref().unwrap_or(FROM), asked.to.as_deref().unwrap_or(TO));
    let draft = migrate::read(store, from, to).await.map_err(bad)?;
    if !asked.check {
        let write = caller.desk(&house).write("migration of the standard").await?;
        migrate::take(store, &draft, write, lang).await.map_err(bad)?;
        house.wake();
    }
    Ok(Json(draft.to_json(!asked.check)).into_response())
}
