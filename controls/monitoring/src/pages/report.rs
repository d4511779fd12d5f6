//! `/monitoring/report`: whoever is signed in reports what looks odd, and it becomes a finding that is judged.
//!
//! Invariants: who reported it and what they wrote lie in the payload, for those who judge; reporting shows nothing
//! of other findings.
//!
//! Limit: [`REPORTS_DAY`] reports of a person in a day.

use askama::Template;
use axum::{
    extract::{Request, State},
    response::Response,
};
use model::{Assurance, t};
use serde_json::{Value as Json, json};
use store::RecordDraft;
use web::{
    Shared,
    access::Action,
    files,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use crate::findings::{FINDING, REASON_CHARS_MAX, REPORT};

const REPORTS_DAY: usize = 20;
const LOOKED_AT_MAX: usize = 1_000;
/// What a report may be about; anything else is something else.
const ABOUT: [&str; 3] = ["mail", "site", "login"];

pub(super) fn routes() -> Vec<Route> {
    let title = t("おかしいと感じたことを知らせる", "Report something odd");
    vec![
        Route::get("/monitoring/report", Access::Own, title, form),
        Route::post("/monitoring/report", Access::Own, title, report),
    ]
}

#[derive(Template)]
#[template(path = "report_odd.html")]
struct ReportPage<'a> {
    cx: &'a Cx,
    sent: bool,
}

async fn form(user: User) -> Answer {
    shown(&user.cx, false)
}

fn shown(cx: &Cx, sent: bool) -> Result<Response, Refusal> {
    page(
        cx,
        cx.t("おかしいと感じたことを知らせる", "Report something odd"),
        &ReportPage { cx, sent },
    )
}

async fn report(State(house): State<Shared>, user: User, request: Request) -> Answer {
    // Every role may read something, so this asks for origin and token.
    let form =
        files::read_form(&house, &user, Action::Read, request, |name| name == "file").await?;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    let (cx, store) = (&user.cx, &house.store);
    let bad = |ja: &str, en: &str| Err(Refusal::Bad(cx.t(ja, en).to_owned()));
    let what = text("what");
    let about = ABOUT.into_iter().find(|about| *about == text("about")).unwrap_or_default();
    let mut fields = json!({ "reporter": user.session.account.login });
    if !about.is_empty() {
        fields["about"] = json!(about);
    }
    // A file that they sent themselves, and no other.
    let sent = match store::is_sha256(text("file")) {
        true => store.blob(text("file")).await?,
        false => None,
    };
    if let Some(blob) = sent.filter(|blob| blob.uploaded_by == user.actor()) {
        fields["file"] = json!(blob.sha256);
    }
    if what.is_empty() || what.chars().count() > REASON_CHARS_MAX {
        return bad(
            "内容を2000文字以内で入力してください。",
            "Write what you saw, in at most 2,000 characters.",
        );
    }
    let (now, actor) = (store.now(), user.actor());
    let newest = store.records_since(&[FINDING], now.minus_hours(24), LOOKED_AT_MAX).await?;
    if newest.iter().filter(|record| record.actor == actor).count() >= REPORTS_DAY {
        return bad(
            "今日はもう20件知らせています。急ぎの場合は担当者に直接連絡してください。",
            "You have reported 20 things today: if it is urgent, call whoever is in charge.",
        );
    }
    let facts = json!({
        "severity": "low",
        "class": REPORT,
        "phase": "sign",
        "title_ja": "従業員からの報告",
        "title_en": "Reported by an employee",
    });
    let payload = json!({
        "time": now.rfc3339(),
        "arrived": now.rfc3339(),
        "source": "report",
        "message": what,
        "raw": what,
        "fields": fields,
    });
    let draft = RecordDraft {
        ty: FINDING.to_owned(),
        subject: None,
        observed_from: now,
        observed_to: now,
        source: "monitoring.report".to_owned(),
        assurance: Assurance::Attested,
        facts: facts.as_object().cloned().unwrap_or_default(),
        payload: serde_json::to_vec::<Json>(&payload).ok(),
    };
    // Their role writes no records: this one form is what they may do.
    let mut write = store.write(&actor, cx.t("報告", "reported"), "web").await?;
    write.record(draft).await?;
    write.commit().await?;
    house.wake();
    shown(cx, true)
}
