//! `/configuration/templates`: the templates that ship, and a new system from one of them before its first host exists.
//!
//! Invariant: everything that a template brings is shown before it is put to a system, and comes in one change.

use askama::Template as Page;
use axum::{
    Form, Json as Document,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::Row;
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

use super::sheets::may_rule;
use crate::{
    design,
    registers::row,
    systems,
    templates::{self, Refused, Template},
    trials,
};

const NAME_CHARS_MAX: usize = 200;

pub(super) fn routes() -> Vec<Route> {
    let (inspect, write) = (Access::Action(Action::Inspect), Access::Action(Action::Write));
    let title = t("標準テンプレート", "Templates");
    let put = t("テンプレートの適用", "Put a template to a system");
    let role = Param {
        place: Place::Path,
        name: "id",
        schema: "Text",
        required: true,
        text: t("役割", "Role"),
    };
    let listed = Api {
        tag: "configuration",
        id: "configuration_templates".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    let applied = Api {
        id: "configuration_template_apply".to_owned(),
        params: vec![role],
        request: Some(("application/json", "Document".to_owned())),
        response: (201, Some(("application/json", "Document".to_owned()))),
        refusals: &[400, 404, 409, 415, 422],
        ..listed.clone()
    };
    vec![
        Route::get("/configuration/templates", inspect, title, show),
        Route::get("/configuration/templates/{id}", inspect, title, show_one),
        Route::post("/configuration/templates/{id}", write, put, put_to),
        Route::get("/api/v1/configuration/templates", inspect, title, list_api).api(listed),
        Route::post("/api/v1/configuration/templates/{id}", write, put, put_api).api(applied),
    ]
}

#[derive(Page)]
#[template(path = "conf_templates.html")]
struct TemplatesPage<'a> {
    cx: &'a Cx,
    all: Vec<(&'a str, &'a str, &'a str, &'a str, usize, usize)>,
}

async fn show(user: User) -> Answer {
    let cx = &user.cx;
    let one = |template: &'static Template| {
        (
            template.role.as_str(),
            template.title(cx.lang),
            templates::either(cx.lang, &template.about_ja, &template.about_en),
            template.edition.as_str(),
            template.requirements.len(),
            template.parameters.len(),
        )
    };
    let body = TemplatesPage { cx, all: templates::shipped().iter().map(one).collect() };
    page(cx, cx.t("標準テンプレート", "Templates"), &body)
}

struct ParameterShown<'a> {
    key: &'a str,
    value: String,
    family: &'static str,
    reason: &'a str,
}

struct RequirementShown<'a> {
    text: &'a str,
    spec: &'a str,
    parameters: Vec<ParameterShown<'a>>,
}

#[derive(Page)]
#[template(path = "conf_template.html")]
struct TemplatePage<'a> {
    cx: &'a Cx,
    role: &'a str,
    title: &'a str,
    about: &'a str,
    edition: &'a str,
    sources: String,
    packages: String,
    listening: String,
    requirements: Vec<RequirementShown<'a>>,
    /// Considerations without a value, and why.
    without: Vec<(&'static str, &'a str)>,
    systems: Vec<(Id, String)>,
    may_apply: bool,
    fault: &'a str,
}

async fn show_one(State(house): State<Shared>, user: User, Path(role): Path<String>) -> Answer {
    let template = templates::named(&role).ok_or(Refusal::NotFound)?;
    shown(&house, &user, template, "").await
}

async fn shown(house: &Shared, user: &User, template: &'static Template, fault: &str) -> Answer {
    let cx = &user.cx;
    let lang = cx.lang;
    let all = systems::all(&house.store, &user.reader().sees_of(Table::Asset)).await?;
    let parameter = |one: &'static templates::Parameter| ParameterShown {
        key: &one.key,
        value: format!("{}{}", one.value(lang), one.unit),
        family: trials::family_text(&one.family, lang),
        reason: templates::either(lang, &one.reason_ja, &one.reason_en),
    };
    let requirement = |one: &'static templates::Requirement| RequirementShown {
        text: templates::either(lang, &one.text_ja, &one.text_en),
        spec: templates::either(lang, &one.spec_ja, &one.spec_en),
        parameters: template
            .parameters
            .iter()
            .filter(|parameter| parameter.requirement == one.id)
            .map(parameter)
            .collect(),
    };
    let comma = cx.t("、", ", ");
    let body = TemplatePage {
        cx,
        role: &template.role,
        title: template.title(lang),
        about: templates::either(lang, &template.about_ja, &template.about_en),
        edition: &template.edition,
        sources: template.sources.join("; "),
        packages: template.packages.join(comma),
        listening: template.listening.join(comma),
        requirements: template.requirements.iter().map(requirement).collect(),
        without: template
            .without
            .iter()
            .map(|one| {
                let reason = templates::either(lang, &one.reason_ja, &one.reason_en);
                (trials::family_text(&one.family, lang), reason)
            })
            .collect(),
        systems: all.into_iter().map(|system| (system.row.id, system.row.name)).collect(),
        may_apply: may_rule(house, user, design::KIND),
        fault,
    };
    page(cx, template.title(lang), &body)
}

#[derive(Deserialize)]
struct Put {
    csrf: String,
    /// A system of the register; empty for a new one.
    #[serde(default)]
    system: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    purpose: String,
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= NAME_CHARS_MAX && !text.contains('\0')
}

async fn put_to(
    State(house): State<Shared>,
    user: User,
    Path(role): Path<String>,
    Form(form): Form<Put>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let template = templates::named(&role).ok_or(Refusal::NotFound)?;
    let cx = &user.cx;
    let (name, purpose) = (form.name.trim(), form.purpose.trim());
    let store = &house.store;
    let mut write =
        user.write(&house, cx.t("テンプレートの適用", "template put to a system")).await?;
    let system = if form.system.is_empty() {
        if !is_text(name) || !is_text(purpose) {
            let text = cx.t(
                "新しいシステムの名称と用途を、それぞれ200文字以内で入力してください。",
                "Give name and purpose of the new system, of at most 200 characters each.",
            );
            return shown(&house, &user, template, text).await;
        }
        write.put(planned(store, name, purpose)?).await?
    } else {
        let id: Id = form.system.parse().map_err(|_| Refusal::NotFound)?;
        let within = user.reader().sees_of(Table::Asset);
        systems::one(store, id, &within).await?.ok_or(Refusal::NotFound)?.row
    };
    match templates::apply(store, &mut write, template, &system, cx.lang).await {
        Ok(_) => {}
        Err(Refused::Store(error)) => return Err(error.into()),
        Err(Refused::Already) => {
            drop(write);
            let text = cx.t(
                "この版は、このシステムに適用済みです。",
                "This edition was put to this system already.",
            );
            return shown(&house, &user, template, text).await;
        }
    }
    write.commit().await?;
    house.wake();
    Ok(Redirect::to(&format!("/configuration/system/{}", system.id)).into_response())
}

/// A system that is not there yet.
fn planned(store: &store::Store, name: &str, purpose: &str) -> Result<Row, store::StoreError> {
    let attributes = json!({ "purpose": purpose, "stage": "planned" });
    row(store, Table::Asset, "system", name, attributes)
}

async fn list_api(_: State<Shared>, caller: Caller) -> Response {
    let lang = caller.cx.lang;
    let parameter = |one: &templates::Parameter| {
        json!({
            "key": one.key, "value": one.value(lang), "unit": one.unit, "family": one.family,
            "requirement": one.requirement,
        })
    };
    let one = |template: &Template| {
        json!({
            "role": template.role, "edition": template.edition, "title": template.title(lang),
            "packages": template.packages, "listening": template.listening,
            "parameters": template.parameters.iter().map(parameter).collect::<Vec<_>>(),
        })
    };
    let all: Vec<Json> = templates::shipped().iter().map(one).collect();
    Document(json!({ "templates": all })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    system: Id,
}

async fn put_api(
    State(house): State<Shared>,
    caller: Caller,
    Path(role): Path<String>,
    Document(asked): Document<Asked>,
) -> Response {
    let lang = caller.cx.lang;
    let store = &house.store;
    let absent = |what| Problem::new(lang, problem::NOT_FOUND, what).into_response();
    let Some(template) = templates::named(&role) else {
        return absent(t("このテンプレートはありません。", "There is no such template."));
    };
    let made = async {
        let within = caller.reader.sees_of(Table::Asset);
        let Some(system) = systems::one(store, asked.system, &within).await? else {
            return Ok(None);
        };
        let write = store.write(&caller.actor(), "template", "api").await?;
        let mut write = write.bounded(caller.reader.bounds(house.specs()));
        let made = templates::apply(store, &mut write, template, &system.row, lang).await?;
        write.commit().await?;
        Ok::<_, Refused>(Some(made))
    };
    match made.await {
        Ok(Some(made)) => {
            house.wake();
            let told = json!({
                "template": made.template.to_string(), "requirements": made.requirements,
                "parameters": made.parameters,
            });
            (axum::http::StatusCode::CREATED, Document(told)).into_response()
        }
        Ok(None) => absent(t("このシステムはありません。", "There is no such system.")),
        Err(Refused::Already) => {
            let what = t(
                "この版は、このシステムに適用済みです。",
                "This edition was put to this system already.",
            );
            Problem::new(lang, problem::CONFLICT, what).into_response()
        }
        Err(Refused::Store(error)) => Problem::of_store(lang, &error).into_response(),
    }
}
