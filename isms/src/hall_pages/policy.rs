//! `/policy`: the policy in force, for everyone to read and say so; and who has not yet.

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use model::{Id, Table, Timestamp, t};
use serde::Deserialize;
use serde_json::json;
use store::Row;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    files::Shown,
    frame::{Answer, Cx, Refusal, User, page},
    people::Me,
    route::{Access, Route},
};

use super::{document, may_write};
use crate::{
    hall::text_of,
    policy::{self, Coverage, Policy},
};

/// Missing people that the page names.
const NAMED_MAX: usize = 200;

pub(super) fn routes() -> Vec<Route> {
    let own = Access::Own;
    let title = t("情報セキュリティ方針", "Information security policy");
    let file_title = t("方針のファイル", "File of the policy");
    let read_title = t("方針を読んだことの確認", "Say that one read the policy");
    let remind_title = t("読んでいない人へのタスク", "Remind those who are missing");
    let read_state = t("方針の確認の状況", "Who read the policy");
    vec![
        Route::get("/policy", own, title, show),
        Route::get("/policy/file", own, file_title, file),
        Route::post("/policy/read", own, read_title, read),
        Route::post("/policy/remind", Access::Action(Action::Write), remind_title, remind),
        document("/api/v1/isms/policy", Access::Action(Action::Inspect), "policy", read_state, api),
    ]
}

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage<'a> {
    cx: &'a Cx,
    here: &'static str,
    policy: Option<&'a Policy>,
    summary: &'a str,
    edition: &'a str,
    file: Option<Shown>,
    /// The account belongs to a person of the register.
    is_person: bool,
    read_at: Option<Timestamp>,
    coverage: Option<&'a Coverage>,
    missing: Vec<&'a Row>,
    more: usize,
    may_remind: bool,
}

async fn show(State(house): State<Shared>, Me(user): Me) -> Answer {
    if user.session.account.must_change {
        return Err(Refusal::ChangePassword);
    }
    let cx = &user.cx;
    let current = policy::current(&house.store).await?;
    let person = house.store.place(user.session.account.id).await?.person;
    let read_at = match (&current, person) {
        (Some(policy), Some(person)) => {
            policy::has_read(&house.store, person, &policy.hash).await?
        }
        _ => None,
    };
    let coverage = match &current {
        Some(policy) if user.may(Action::Inspect).is_ok() => {
            Some(policy::coverage(&house.store, policy.clone()).await?)
        }
        _ => None,
    };
    let sha = current.as_ref().and_then(|p| text_of(&p.row, "content"));
    let file = match sha {
        Some(sha) => Some(Shown::of(sha, &house.store.blobs(&[sha]).await?)),
        None => None,
    };
    let said = |name: &str| current.as_ref().and_then(|p| text_of(&p.row, name)).unwrap_or("");
    let missing: Vec<&Row> = coverage.iter().flat_map(Coverage::missing).collect();
    let body = PolicyPage {
        cx,
        here: "/policy",
        policy: current.as_ref(),
        summary: said("summary"),
        edition: said("edition"),
        file: file.filter(|f| !f.href.is_empty()),
        is_person: person.is_some(),
        read_at,
        more: missing.len().saturating_sub(NAMED_MAX),
        missing: missing.into_iter().take(NAMED_MAX).collect(),
        may_remind: coverage.is_some() && may_write(&house, &user, Table::Task, "task"),
        coverage: coverage.as_ref(),
    };
    page(cx, cx.t("情報セキュリティ方針", "Information security policy"), &body)
}

/// The file of the policy in force: everyone may have it, also who sees no register.
async fn file(State(house): State<Shared>, Me(user): Me) -> Answer {
    if user.session.account.must_change {
        return Err(Refusal::ChangePassword);
    }
    let policy = policy::current(&house.store).await?.ok_or(Refusal::NotFound)?;
    let sha = text_of(&policy.row, "content").ok_or(Refusal::NotFound)?;
    let blob = house.store.blob(sha).await?.ok_or(Refusal::NotFound)?;
    web::files::send(&house, &blob).await.ok_or(Refusal::NotFound)
}

#[derive(Deserialize)]
struct Read {
    csrf: String,
    /// Hash of the version that was shown.
    hash: String,
}

async fn read(State(house): State<Shared>, me: Me, Form(form): Form<Read>) -> Answer {
    me.form(&form.csrf)?;
    let (cx, account) = (&me.0.cx, &me.0.session.account);
    if account.must_change {
        return Err(Refusal::ChangePassword);
    }
    let person = house.store.place(account.id).await?.person;
    let Some(person) = person else {
        let text = cx.t(
            "名簿にあなたの行がないため記録できません。ISMS事務局に、名簿の行にサインイン名を書いてもらってください。",
            "There is no person with your account in the register, so nothing can be recorded. Ask the ISMS office to enter your sign-in name in your row.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    };
    let current = policy::current(&house.store).await?.ok_or(Refusal::NotFound)?;
    if current.hash != form.hash {
        let text = cx.t(
            "画面を開いた後に方針が新しくなりました。もう一度読んでください。",
            "Another version came into force after you opened the page. Please read that one.",
        );
        return Err(Refusal::Bad(text.to_owned()));
    }
    let actor = me.0.actor();
    let mut write = house.store.write(&actor, "read the policy", "web").await?;
    policy::read(&house.store, &mut write, person, &current, cx.lang.tag()).await?;
    write.commit().await?;
    close_reminder(&house, person, &current, &actor).await?;
    house.wake();
    Ok(Redirect::to("/policy").into_response())
}

/// Closes the reminder that this reading answers.
async fn close_reminder(
    house: &Shared,
    person: Id,
    policy: &Policy,
    actor: &str,
) -> Result<(), Refusal> {
    let id = policy::reminder_id(person, policy);
    let task = house.store.row(Table::Task, id).await?;
    let Some(task) = task.filter(|t| t.status == "open" && !t.deleted) else { return Ok(()) };
    let records = house.store.newest_records(&[policy::READ], Some(person), 1).await?;
    let Some(record) = records.first() else { return Ok(()) };
    match tasks::close(&house.store, task, record, actor).await {
        Ok(_) => Ok(()),
        Err(tasks::NotClosed::Store(error)) => Err(Refusal::Store(error)),
        // It stays open, and whoever looks after tasks sees why.
        Err(error) => {
            tracing::warn!(task = %id, %error, "reminder not closed");
            Ok(())
        }
    }
}

#[derive(Deserialize)]
struct Plain {
    csrf: String,
}

async fn remind(State(house): State<Shared>, user: User, Form(form): Form<Plain>) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let policy = policy::current(&house.store).await?.ok_or(Refusal::NotFound)?;
    let coverage = policy::coverage(&house.store, policy).await?;
    let mut write = user.write(&house, user.cx.t("方針の確認の依頼", "asked to read")).await?;
    policy::remind(&house.store, &mut write, &coverage).await?;
    write.commit().await?;
    house.wake();
    Ok(Redirect::to("/policy").into_response())
}

async fn api(State(house): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    let stored = |e: store::StoreError| Problem::of_store(caller.cx.lang, &e);
    let Some(policy) = policy::current(&house.store).await.map_err(stored)? else {
        return Ok(super::json(json!({ "policy": null })));
    };
    let coverage = policy::coverage(&house.store, policy).await.map_err(stored)?;
    Ok(super::json(coverage.json()))
}
