//! The page `/agents`: who delivers, who is silent, new tokens, revocation.

use askama::Template;
use axum::{Extension, Form, extract::State, response::IntoResponse};
use model::t;
use serde::Deserialize;
use store::{Agent, Enrolment};
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use crate::{centre::SharedCentre, check_name, protocol::Report, token::Token};

/// An agent that was not here for so long is silent: it says it is there every half minute.
pub const SILENT_MINUTES: i64 = 10;
const HOURS_MAX: i64 = 24 * 14;

/// What the page says about this centre; `None` while it takes no agents.
#[derive(Clone)]
pub struct About(pub Option<Open>);

/// A centre that takes agents.
#[derive(Clone)]
pub struct Open {
    /// Port agents connect to.
    pub port: u16,
    /// Fingerprint of the house CA.
    pub ca: String,
    /// Knows what agents last said.
    pub centre: SharedCentre,
}

/// The page's routes.
pub fn routes() -> Vec<Route> {
    let (read, run) = (Access::Action(Action::Inspect), Access::Action(Action::Administer));
    vec![
        Route::get("/agents", read, t("エージェントの一覧", "Agents"), show),
        Route::post(
            "/agents",
            run,
            t("登録トークンの発行と失効", "Make a token, or revoke"),
            change,
        ),
    ]
}

/// How an agent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Delivering,
    Silent,
    Revoked,
}

/// How the agent stands at `now`.
pub fn standing(agent: &Agent, now: model::Timestamp) -> Standing {
    let limit = SILENT_MINUTES * 60_000_000;
    match agent.last_seen {
        _ if agent.revoked_at.is_some() => Standing::Revoked,
        Some(seen) if now.0 - seen.0 <= limit => Standing::Delivering,
        _ => Standing::Silent,
    }
}

struct Line {
    agent: Agent,
    standing: Standing,
    /// What it said last since this server started.
    report: Option<Report>,
}

impl Line {
    /// Files of its rules that the host does not open, each with the reason.
    fn denied(&self, cx: &Cx) -> Vec<String> {
        let denied = self.report.iter().flat_map(|r| &r.denied);
        denied.map(|(path, why)| format!("{path} ({})", why_denied(cx, why))).collect()
    }
}

/// Why an agent does not open a file.
fn why_denied<'a>(cx: &Cx, word: &'a str) -> &'a str {
    match word {
        "outside" => cx.t("ホストの設定で許可されていない場所", "not permitted by the host"),
        "path" => cx.t("絶対パスではない", "no absolute path"),
        "special" => cx.t("通常のファイルではない", "no regular file"),
        "source" => cx.t("発生源名が不正か重複", "source name is wrong or taken"),
        "format" => cx.t("形式が不明", "unknown format"),
        "failed" => cx.t("開けない", "could not be opened"),
        "unknown" => cx.t("エージェントの版が古い", "the agent is too old for these rules"),
        other => other,
    }
}

#[derive(Template)]
#[template(path = "agents.html")]
struct AgentsPage<'a> {
    cx: &'a Cx,
    about: Option<&'a Open>,
    lines: Vec<Line>,
    silent: usize,
    open: Vec<Enrolment>,
    token: &'a str,
    name: &'a str,
    error: &'a str,
    may: bool,
}

#[derive(Deserialize)]
struct ChangeForm {
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    revoke: String,
}

async fn show(State(house): State<Shared>, about: Option<Extension<About>>, user: User) -> Answer {
    render(&house, &known(about), &user, "", "", "").await
}

/// A process without a listener for agents says nothing about it.
fn known(about: Option<Extension<About>>) -> About {
    about.map_or(About(None), |Extension(about)| about)
}

async fn change(
    State(house): State<Shared>,
    about: Option<Extension<About>>,
    user: User,
    Form(form): Form<ChangeForm>,
) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let about = known(about);
    if !form.revoke.is_empty() {
        let mut write = house.store.write(&user.actor(), "agent revoked", "").await?;
        let count = write.revoke_agent(&form.revoke).await?;
        write.commit().await?;
        house.wake();
        tracing::warn!(agent = form.revoke, count, by = user.actor(), "agent revoked");
        return Ok(axum::response::Redirect::to("/agents").into_response());
    }
    let Some(open) = &about.0 else { return Err(Refusal::NotFound) };
    let name = form.name.trim();
    let hours = form.hours.trim().parse::<i64>().ok().filter(|h| (1..=HOURS_MAX).contains(h));
    let (Some(hours), Ok(())) = (hours, check_name(name)) else {
        let text = user.cx.t(
            "ホスト名は半角英数字と . - _ の63文字以内、期限は1〜336時間で入力してください。",
            "A name has at most 63 of a-z, 0-9, '.', '-', '_'; a token lasts 1 to 336 hours.",
        );
        return render(&house, &about, &user, "", name, text).await;
    };
    let token = Token::draw(&open.ca).map_err(|e| Refusal::Bad(e.to_string()))?;
    let ends = house.store.now().plus_hours(hours);
    house.store.add_enrolment(token.secret(), name, ends, &user.actor()).await?;
    tracing::info!(name, by = user.actor(), "enrolment token made");
    render(&house, &about, &user, token.secret(), name, "").await
}

async fn render(
    house: &Shared,
    about: &About,
    user: &User,
    token: &str,
    name: &str,
    error: &str,
) -> Answer {
    let cx = &user.cx;
    let agents = house.store.agents().await?;
    let lines: Vec<Line> = agents
        .into_iter()
        .map(|agent| Line {
            standing: standing(&agent, cx.now),
            report: about.0.as_ref().and_then(|open| open.centre.report(agent.id)),
            agent,
        })
        .collect();
    let silent = lines.iter().filter(|l| l.standing == Standing::Silent).count();
    let open = house.store.open_enrolments().await?;
    let may = user.may(Action::Administer).is_ok();
    let about = about.0.as_ref();
    let body = AgentsPage { cx, about, lines, silent, open, token, name, error, may };
    page(cx, cx.t("エージェント", "Agents"), &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[test]
    fn an_agent_that_never_came_or_stays_away_is_silent() {
        let id: model::Id = "0190a000-0000-7000-8000-000000000001".parse().unwrap();
        let now = Timestamp(1_795_600_000_000_000);
        let mut agent = Agent {
            id,
            name: "a".into(),
            asset: id,
            fingerprint: "f".into(),
            previous: String::new(),
            revoked_at: None,
            created_at: now,
            expires_at: now,
            last_seen: None,
            record_sequence: 0,
        };
        assert_eq!(standing(&agent, now), Standing::Silent);
        agent.last_seen = Some(Timestamp(now.0 - 60_000_000));
        assert_eq!(standing(&agent, now), Standing::Delivering);
        agent.last_seen = Some(now.minus_hours(1));
        assert_eq!(standing(&agent, now), Standing::Silent);
        agent.revoked_at = Some(now);
        assert_eq!(standing(&agent, now), Standing::Revoked);
    }
}
