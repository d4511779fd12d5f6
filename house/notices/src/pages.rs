//! The pages: what I was told and how I want to be told, and the settings of mail and webhook.

use askama::Template;
use axum::{
    Form,
    extract::State,
    response::{IntoResponse, Redirect},
};
use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use model::{Assurance, Lang, Timestamp, t};
use serde::Deserialize;
use serde_json::json;
use store::{Notice, NoticeState, Preference, QueueState, RecordDraft, StoreError};
use web::{
    Shared,
    access::Action,
    frame::{Answer, Cx, User, page},
    people::Me,
    route::{Access, Route},
};

use crate::{
    event::{Audience, Event, readers, tell},
    quiet,
    settings::{self, Secrets, Security, Settings, Wrong},
    text,
};

const SHOWN_MAX: usize = 100;
const TEXT_CHARS_MAX: usize = 500;

/// Routes of the notices.
pub fn routes() -> Vec<Route> {
    // Everyone who signs in may be told something, whatever the role.
    let (own, administer) = (Access::Own, Access::Action(Action::Administer));
    let settings = t("お知らせの設定", "Settings of notices");
    vec![
        Route::get("/notices", own, t("お知らせ", "Notices"), list),
        Route::post("/notices/read", own, t("お知らせを既読にする", "Mark as read"), read),
        Route::post(
            "/notices/preferences",
            own,
            t("お知らせの受け取り方", "How one is told"),
            prefer,
        ),
        Route::get("/settings/notices", administer, settings, settings_page),
        Route::post("/settings/notices", administer, settings, save_settings),
        Route::post(
            "/settings/notices/test",
            administer,
            t("お知らせのテスト", "Test the notices"),
            test,
        ),
        Route::post(
            "/settings/notices/retry",
            administer,
            t("断念したお知らせの再送", "Try again what was given up"),
            retry,
        ),
    ]
}

struct Line {
    text: String,
    path: String,
    at: Timestamp,
    unread: bool,
}

#[derive(Template)]
#[template(path = "notices.html")]
struct NoticesPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    upto: i64,
    preference: Preference,
    quiet_from: String,
    quiet_to: String,
    has_mail: bool,
    may_administer: bool,
    error: String,
}

fn line(notice: &Notice, lang: Lang, zone: &TimeZone) -> Line {
    // Only addresses of our own pages are linked.
    let path = notice.facts.get("path").and_then(|p| p.as_str()).unwrap_or("/");
    let path = if path.starts_with('/') && !path.starts_with("//") { path } else { "/" };
    Line {
        text: text::sentence(&notice.kind, &notice.facts, lang, zone),
        path: path.to_owned(),
        at: notice.created_at,
        unread: notice.state == NoticeState::Unread,
    }
}

fn clock(minutes: Option<i64>) -> String {
    minutes.map_or_else(String::new, |m| format!("{:02}:{:02}", m / 60, m % 60))
}

fn minutes(text: &str) -> Option<i64> {
    let time: jiff::civil::Time = text.trim().parse().ok()?;
    Some(i64::from(time.hour()) * 60 + i64::from(time.minute()))
}

async fn show(house: &Shared, user: &User, preference: Preference, error: &str) -> Answer {
    let account = user.session.account.id;
    let zone = match preference.zone.as_str() {
        "" => house.people.local().zone.clone(),
        _ => quiet::zone(&preference),
    };
    let notices = house.store.notices_of(account, SHOWN_MAX).await?;
    let (settings, _) = settings::load(&house.store).await?;
    let body = NoticesPage {
        cx: &user.cx,
        upto: notices.first().map_or(0, |n| n.created_at.0),
        lines: notices.iter().map(|n| line(n, user.cx.lang, &zone)).collect(),
        quiet_from: clock(preference.quiet.map(|q| q.0)),
        quiet_to: clock(preference.quiet.map(|q| q.1)),
        preference,
        has_mail: settings.has_mail(),
        may_administer: user.may(Action::Administer).is_ok(),
        error: error.to_owned(),
    };
    page(&user.cx, user.cx.t("お知らせ", "Notices"), &body)
}

async fn list(State(house): State<Shared>, Me(user): Me) -> Answer {
    let reader = house.store.reader(user.session.account.id).await?;
    let mut preference = reader.map(|r| r.preference).unwrap_or_default();
    if preference.mail.is_empty() {
        user.cx.lang.tag().clone_into(&mut preference.lang);
    }
    show(&house, &user, preference, "").await
}

#[derive(Deserialize)]
struct ReadForm {
    csrf: String,
    upto: i64,
}

async fn read(State(house): State<Shared>, me: Me, Form(form): Form<ReadForm>) -> Answer {
    me.form(&form.csrf)?;
    house.store.read_notices(me.0.session.account.id, Timestamp(form.upto)).await?;
    Ok(Redirect::to("/notices").into_response())
}

#[derive(Deserialize)]
struct PreferenceForm {
    csrf: String,
    #[serde(default)]
    mail: String,
    lang: String,
    digest: String,
    #[serde(default)]
    quiet_from: String,
    #[serde(default)]
    quiet_to: String,
    #[serde(default)]
    zone: String,
}

async fn prefer(State(house): State<Shared>, me: Me, Form(form): Form<PreferenceForm>) -> Answer {
    me.form(&form.csrf)?;
    let user = &me.0;
    let cx = &user.cx;
    let (from, to) = (minutes(&form.quiet_from), minutes(&form.quiet_to));
    let preference = Preference {
        mail: form.mail.trim().to_owned(),
        lang: Lang::parse(&form.lang).unwrap_or(Lang::Ja).tag().to_owned(),
        digest: if form.digest == "daily" { "daily" } else { "each" }.to_owned(),
        quiet: from.zip(to),
        zone: form.zone.trim().to_owned(),
    };
    let mail = &preference.mail;
    let wrong = if !mail.is_empty()
        && (mail.parse::<Mailbox>().is_err() || mail.chars().count() > TEXT_CHARS_MAX)
    {
        cx.t("メールアドレスが正しくありません。", "This is no mail address.")
    } else if !preference.zone.is_empty() && TimeZone::get(&preference.zone).is_err() {
        cx.t(
            "タイムゾーンが正しくありません（例 Asia/Tokyo）。",
            "No such time zone (try Asia/Tokyo).",
        )
    } else if (form.quiet_from.trim().is_empty() && form.quiet_to.trim().is_empty())
        || preference.quiet.is_some()
    {
        house.store.set_preference(user.session.account.id, &preference).await?;
        return Ok(Redirect::to("/notices").into_response());
    } else {
        cx.t(
            "送らない時間は始めと終わりの両方を入力してください。",
            "Quiet hours need a start and an end.",
        )
    };
    show(&house, user, preference, wrong).await
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage<'a> {
    cx: &'a Cx,
    settings: Settings,
    security: &'static str,
    has_password: bool,
    has_secret: bool,
    queue: Vec<QueueState>,
    error: String,
}

async fn show_settings(house: &Shared, user: &User, settings: Settings, error: String) -> Answer {
    let (_, secrets) = settings::load(&house.store).await?;
    let body = SettingsPage {
        cx: &user.cx,
        security: match settings.smtp_security {
            Security::StartTls => "starttls",
            Security::Tls => "tls",
            Security::None => "none",
        },
        settings,
        has_password: !secrets.smtp_password.is_empty(),
        has_secret: !secrets.webhook_secret.is_empty(),
        queue: house.store.notice_queue().await?,
        error,
    };
    page(&user.cx, user.cx.t("お知らせの設定", "Settings of notices"), &body)
}

async fn settings_page(State(house): State<Shared>, user: User) -> Answer {
    user.may(Action::Administer)?;
    let (settings, _) = settings::load(&house.store).await?;
    show_settings(&house, &user, settings, String::new()).await
}

#[derive(Deserialize)]
struct SettingsForm {
    csrf: String,
    smtp_host: String,
    smtp_port: String,
    smtp_security: String,
    smtp_user: String,
    /// Empty keeps what is there.
    smtp_password: String,
    ca_file: String,
    from: String,
    base_url: String,
    webhook_url: String,
    /// Empty keeps what is there.
    webhook_secret: String,
    #[serde(default)]
    webhook_private: String,
    /// Forgets both secrets.
    #[serde(default)]
    forget: String,
}

async fn save_settings(
    State(house): State<Shared>,
    user: User,
    Form(form): Form<SettingsForm>,
) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let (old, mut secrets) = settings::load(&house.store).await?;
    let cut = |text: &str| text.trim().chars().take(TEXT_CHARS_MAX).collect::<String>();
    let new = Settings {
        smtp_host: cut(&form.smtp_host),
        smtp_port: form.smtp_port.trim().parse().unwrap_or(587),
        smtp_security: match form.smtp_security.as_str() {
            "tls" => Security::Tls,
            "none" => Security::None,
            _ => Security::StartTls,
        },
        smtp_user: cut(&form.smtp_user),
        ca_file: cut(&form.ca_file),
        from: cut(&form.from),
        base_url: cut(&form.base_url),
        webhook_url: cut(&form.webhook_url),
        webhook_private: form.webhook_private == "1",
    };
    if form.forget == "1" {
        secrets = Secrets::default();
    }
    // A secret belongs to its server: under another name it is asked for again.
    if (&new.smtp_host, new.smtp_port) != (&old.smtp_host, old.smtp_port) {
        secrets.smtp_password.clear();
    }
    if new.webhook_url != old.webhook_url {
        secrets.webhook_secret.clear();
    }
    if !form.smtp_password.is_empty() {
        secrets.smtp_password = cut(&form.smtp_password);
    }
    if !form.webhook_secret.is_empty() {
        secrets.webhook_secret = cut(&form.webhook_secret);
    }
    if let Err(wrong) = new.check(&secrets) {
        let error = wrong_text(&user.cx, &wrong);
        return show_settings(&house, &user, new, error).await;
    }
    settings::save(&house.store, &new, &secrets).await?;
    note_change(&house, &user).await?;
    Ok(Redirect::to("/settings/notices").into_response())
}

/// Who changed where notices go stands in the ledger; what it was changed to does not.
async fn note_change(house: &Shared, user: &User) -> Result<(), StoreError> {
    let now = house.store.now();
    let facts = json!({"area": "notices"});
    let mut write = house.store.write(&user.actor(), "settings", "web").await?;
    write
        .record(RecordDraft {
            ty: "house.settings_changed".to_owned(),
            subject: None,
            observed_from: now,
            observed_to: now,
            source: "web".to_owned(),
            assurance: Assurance::Machine,
            facts: facts.as_object().cloned().unwrap_or_default(),
            payload: None,
        })
        .await?;
    write.commit().await?;
    house.wake();
    Ok(())
}

fn wrong_text(cx: &Cx, wrong: &Wrong) -> String {
    let text = match wrong {
        Wrong::From => cx.t("差出人のアドレスが正しくありません。", "The sender is no mail address."),
        Wrong::Plain => cx.t(
            "暗号化なしは、このマシンのメールサーバーに、ユーザー名なしでのみ使えます。",
            "Without encryption only to a mail server on this machine, and without a user name.",
        ),
        Wrong::Authority(why) => {
            let head = cx.t("認証局のファイルを読めません", "The authority's file cannot be read");
            return format!("{head}: {why}");
        }
        Wrong::Url => cx.t(
            "Webhookの宛先はhttpsで指定してください（httpは社内のアドレスを許したときのみ）。ユーザー名は含められません。",
            "The webhook needs an https address (http only where private addresses are allowed) without a user name.",
        ),
        Wrong::Secret => cx.t(
            "Webhookには16文字以上の共有鍵が必要です。宛先を変えたときは入力し直してください。",
            "The webhook needs a secret of 16 characters or more; enter it again when the address changes.",
        ),
        Wrong::Base => {
            cx.t("この画面のアドレスが正しくありません。", "The address of these pages is not right.")
        }
    };
    text.to_owned()
}

#[derive(Deserialize)]
struct CsrfForm {
    csrf: String,
}

/// Sends a notice to oneself over every channel.
async fn test(State(house): State<Shared>, user: User, Form(form): Form<CsrfForm>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    let (settings, _) = settings::load(&house.store).await?;
    let readers = readers(&house.store, &house.people.local().zone).await?;
    let audience = Audience::Accounts(vec![user.session.account.id]);
    let key = format!("test/{}", house.store.new_id()?);
    let event = Event::new("test", key, audience, json!({}), "/notices");
    tell(&house.store, &settings, &readers, &event).await?;
    Ok(Redirect::to("/settings/notices").into_response())
}

async fn retry(State(house): State<Shared>, user: User, Form(form): Form<CsrfForm>) -> Answer {
    user.form(&form.csrf, Action::Administer)?;
    house.store.retry_notices().await?;
    Ok(Redirect::to("/settings/notices").into_response())
}

impl SettingsPage<'_> {
    fn channel<'a>(&'a self, name: &'a str) -> &'a str {
        match name {
            "mail" => self.cx.t("メール", "mail"),
            other => other,
        }
    }

    fn state<'a>(&'a self, name: &'a str) -> &'a str {
        match name {
            "queued" => self.cx.t("送信待ち", "waiting"),
            "sent" => self.cx.t("送信済み", "sent"),
            "failed" => self.cx.t("断念", "given up"),
            other => other,
        }
    }
}
