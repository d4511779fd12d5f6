//! `/templates`: policies, procedures and forms to start from.

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use model::{Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::Row;
use web::{
    Shared,
    access::Action,
    api::Caller,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{document, may_write};
use crate::templates::{self, Template as Shipped};

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("ひな形", "Templates");
    let adopt_title = t("ひな形から文書の下書きを作る", "Adopt a template as a draft");
    let file_title = t("ひな形のダウンロード", "Download a template");
    vec![
        Route::get("/templates", inspect, title, list),
        Route::get("/templates/{id}", inspect, t("ひな形の表示", "Show a template"), one),
        Route::get("/templates/{id}/file", inspect, file_title, file),
        Route::post("/templates/{id}/adopt", Access::Action(Action::Write), adopt_title, adopt),
        document("/api/v1/isms/templates", inspect, "templates", title, api),
    ]
}

#[derive(Template)]
#[template(path = "templates.html")]
struct ListPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    /// Heading, and those below it.
    parts: Vec<(&'a str, Vec<&'static Shipped>)>,
}

async fn list(user: User) -> Answer {
    let cx = &user.cx;
    let of = |kind: &str| -> Vec<&'static Shipped> {
        templates::in_language(cx.lang).filter(|t| t.head.kind == kind).collect()
    };
    let body = ListPage {
        cx,
        here: "/templates",
        parts: vec![
            (cx.t("方針・規程", "Policies and rules"), of("policy")),
            (cx.t("手順書", "Procedures"), of("procedure")),
            (cx.t("様式", "Forms"), of("form")),
        ],
    };
    page(cx, cx.t("ひな形", "Templates"), &body)
}

#[derive(Template)]
#[template(path = "template.html")]
struct OnePage<'a> {
    cx: &'a Cx,
    here: &'static str,
    template: &'static Shipped,
    html: String,
    /// Placeholders that nobody can fill in but the reader.
    open: Vec<&'static str>,
    may_write: bool,
}

fn found(cx: &Cx, id: &str) -> Result<&'static Shipped, Refusal> {
    templates::find(id, cx.lang).ok_or(Refusal::NotFound)
}

async fn one(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let cx = &user.cx;
    let template = found(cx, &id)?;
    let known = templates::known(&house.store).await?;
    let is_known = |name: &str| known.iter().any(|(n, value)| *n == name && !value.is_empty());
    let open = template.head.placeholders.iter().map(String::as_str).filter(|n| !is_known(n));
    let body = OnePage {
        cx,
        here: "/templates",
        open: open.collect(),
        html: templates::render(template, &known),
        may_write: may_write(&house, &user, Table::Asset, "document"),
        template,
    };
    page(cx, &template.head.title, &body)
}

fn file_name(template: &Shipped) -> String {
    format!("{}.{}.md", template.head.id, template.head.lang)
}

async fn file(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    let template = found(&user.cx, &id)?;
    let known = templates::known(&house.store).await?;
    let disposition = format!("attachment; filename=\"{}\"", file_name(template));
    let headers = [
        (header::CONTENT_TYPE, "text/markdown; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, templates::markdown(template, &known)).into_response())
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

/// Keeps the text as a file and makes a document of it, as a draft: nothing is in force before it is
/// signed.
async fn adopt(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Plain>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let cx = &user.cx;
    let template = found(cx, &id)?;
    let text = templates::markdown(template, &templates::known(&house.store).await?);
    let mut upload = house.store.upload().await?;
    upload.write(text.as_bytes()).await?;
    let blob = house.store.keep(upload, &file_name(template), &user.actor()).await?;
    let id = house.store.new_id()?;
    let mut row = Row::new(Table::Asset, id, "document", &template.head.title);
    let draft = cx.t("下書き", "draft");
    let attributes = json!({
        "rank": template.head.kind, "edition": draft, "content": blob.sha256,
        "summary": format!("{} {}", cx.t("もとにしたひな形：", "From the template"), template.head.id),
    });
    row.attributes = attributes.as_object().cloned().unwrap_or_default();
    let mut write = user.write(&house, cx.t("ひな形から作成", "from a template")).await?;
    let row = write.put(row).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/row/asset/{}", row.id)).into_response())
}

async fn api(caller: Caller) -> Response {
    let one = |t: &'static Shipped| {
        json!({
            "id": t.head.id, "title": t.head.title, "kind": t.head.kind, "norms": t.head.norms,
            "placeholders": t.head.placeholders, "version": t.head.version, "text": t.text,
        })
    };
    let all: Vec<Json> = templates::in_language(caller.cx.lang).map(one).collect();
    super::json(json!({ "templates": all }))
}
