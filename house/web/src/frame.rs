//! The page frame: who asks, in which language, and how an answer looks.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use model::{Lang, Timestamp};
use store::{Session, StoreError, Write};

use crate::{
    House, Shared,
    access::{self, Action, Reader},
};

pub(crate) const IDLE_HOURS_MAX: i64 = 8;
pub(crate) const AGE_HOURS_MAX: i64 = 24 * 7;

/// What every page knows about its request.
#[derive(Clone)]
pub struct Cx {
    pub lang: Lang,
    pub path: String,
    pub query: String,
    /// The signed-in session, if any.
    pub session: Option<Session>,
    /// The session's raw token, to end it.
    pub token: Option<String>,
    pub now: Timestamp,
    /// Notices the reader has not read.
    pub unread: i64,
    /// What the reader reaches.
    pub reader: Reader,
    /// The past moment that the page shows; set by the pages that can.
    pub past: Option<crate::when::Past>,
    /// How the organisation reads time.
    pub local: std::sync::Arc<crate::people::local::Local>,
    origin_ok: bool,
}

/// Someone fully signed in.
pub struct User {
    pub cx: Cx,
    pub session: Session,
}

/// Why a request gets no page.
#[derive(Debug)]
pub enum Refusal {
    SignIn(String),
    Enrol,
    /// The password was set by someone else.
    ChangePassword,
    /// A fresh proof of identity is needed before coming back here.
    Confirm(String),
    /// Too much at once; trying again helps.
    Busy,
    Forbidden,
    NotFound,
    /// The form was not sent by one of our own pages.
    Foreign,
    Bad(String),
    /// The named field is personal, and the role does not see it.
    Personal(&'static str),
    /// A signed decision stays as it was signed.
    Signed,
    Store(StoreError),
    Ledger(ledger::LedgerError),
    Template(askama::Error),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal::Store(error)
    }
}
impl From<ledger::LedgerError> for Refusal {
    fn from(error: ledger::LedgerError) -> Refusal {
        Refusal::Ledger(error)
    }
}
impl From<askama::Error> for Refusal {
    fn from(error: askama::Error) -> Refusal {
        Refusal::Template(error)
    }
}

/// What a page handler returns.
pub type Answer = Result<Response, Refusal>;

impl Cx {
    /// Picks the text of the reader's language. Both stand side by side in the template, so neither
    /// can be forgotten.
    pub fn t<'a>(&self, ja: &'a str, en: &'a str) -> &'a str {
        match self.lang {
            Lang::Ja => ja,
            Lang::En => en,
        }
    }

    /// One of two texts that came from content: what [`Cx::t`] is for texts of the page itself.
    pub fn either<'a>(&self, ja: &'a str, en: &'a str) -> &'a str {
        self.t(ja, en)
    }

    /// A declared text in the reader's language.
    pub fn pick(&self, text: &model::Text) -> &'static str {
        text.get(self.lang)
    }

    /// A point in time as the reader reads it.
    pub fn time(&self, time: &Timestamp) -> String {
        self.local.time(*time, self.lang)
    }

    /// Tells how long to wait after too many attempts.
    pub fn wait(&self, seconds: u64) -> String {
        let ja = format!("試行が続いたため、{seconds}秒後にやり直してください。");
        let en = format!("Too many attempts: try again in {seconds} seconds.");
        self.t(&ja, &en).to_owned()
    }

    /// The day of a point in time as the reader reads it.
    pub fn date(&self, time: &Timestamp) -> String {
        self.time(time).chars().take("2026-11-25".len()).collect()
    }

    /// The same, or a dash.
    pub fn opt_time(&self, time: &Option<Timestamp>) -> String {
        time.as_ref().map_or_else(|| "–".to_owned(), |t| self.time(t))
    }

    /// Whether this page lies under one of these paths, named with spaces between.
    pub fn is_under(&self, paths: &str) -> bool {
        let here = |path: &str| {
            self.path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        paths.split(' ').any(here)
    }

    /// The other language, this page's address in it, and its tag.
    pub fn other_lang(&self) -> (&'static str, String, &'static str) {
        let (name, tag) = match self.lang {
            Lang::Ja => ("English", "en"),
            Lang::En => ("日本語", "ja"),
        };
        let mut back = self.path.clone();
        if !self.query.is_empty() {
            back = format!("{back}?{}", self.query);
        }
        (name, format!("/language?to={tag}&back={}", urlencoding::encode(&back)), tag)
    }

    /// How a row's or a verdict's status reads; one without a word of its own stays as it is.
    pub fn status<'a>(&self, name: &'a str) -> &'a str {
        match name {
            "active" => self.t("有効", "active"),
            "open" => self.t("未完了", "open"),
            "closed" => self.t("完了", "closed"),
            "done" => self.t("完了", "done"),
            "approved" => self.t("承認", "approved"),
            "rejected" => self.t("却下", "rejected"),
            "proposed" => self.t("承認待ち", "waiting"),
            "pass" => self.t("達成", "pass"),
            "fail" => self.t("不適合", "fail"),
            "stale" => self.t("期限切れ", "stale"),
            "unknown" => self.t("不明", "unknown"),
            "excluded" => self.t("対象外", "excluded"),
            other => other,
        }
    }

    /// How a unit reads; symbols stay as they are.
    pub fn unit<'a>(&self, unit: &'a str) -> &'a str {
        match unit {
            "min" | "minutes" => self.t("分", unit),
            "h" | "hours" => self.t("時間", unit),
            "d" | "days" => self.t("日", unit),
            "months" => self.t("か月", unit),
            "years" => self.t("年", unit),
            "s" | "seconds" => self.t("秒", unit),
            other => other,
        }
    }

    /// How the assurance of a record reads.
    pub fn assurance(&self, assurance: &model::Assurance) -> &'static str {
        match assurance {
            model::Assurance::Machine => self.t("機械収集", "machine"),
            model::Assurance::Imported => self.t("文書の取込み", "imported"),
            model::Assurance::Attested => self.t("申告", "attested"),
        }
    }

    fn may(&self, action: Action) -> bool {
        self.session.as_ref().is_some_and(|s| access::may(&s.account, action))
    }

    /// Whether the reader may see registers and records, some of them at least.
    pub fn may_read(&self) -> bool {
        self.may(Action::Read)
    }

    /// Whether the reader may change some rows at least.
    pub fn may_write(&self) -> bool {
        self.may(Action::Write)
    }

    /// Whether the reader may see the levels.
    pub fn may_see_levels(&self) -> bool {
        self.may(Action::Levels)
    }

    /// Whether the reader may see events, jobs and the ledger.
    pub fn may_inspect(&self) -> bool {
        self.may(Action::Inspect)
    }

    /// The token that each form carries.
    pub fn csrf(&self) -> &str {
        self.session.as_ref().map_or("", |s| s.csrf.as_str())
    }

    /// Refuses a form that another site sent.
    pub fn own_origin(&self) -> Result<(), Refusal> {
        if self.origin_ok { Ok(()) } else { Err(Refusal::Foreign) }
    }
}

impl User {
    /// Refuses what the role may not do.
    pub fn may(&self, action: Action) -> Result<(), Refusal> {
        if access::may(&self.session.account, action) { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// What this user reaches.
    pub fn reader(&self) -> &Reader {
        &self.cx.reader
    }

    /// Begins a change that goes no further than this user may write.
    pub async fn write<'h>(&self, house: &'h House, reason: &str) -> Result<Write<'h>, StoreError> {
        let write = house.store.write(&self.actor(), reason, "web").await?;
        Ok(write.bounded(self.reader().bounds(house.specs())))
    }

    /// Guards a state change: own origin, right token, allowed.
    pub fn form(&self, csrf: &str, action: Action) -> Result<(), Refusal> {
        self.cx.own_origin()?;
        let same = subtle::ConstantTimeEq::ct_eq(csrf.as_bytes(), self.session.csrf.as_bytes());
        if !bool::from(same) {
            return Err(Refusal::Foreign);
        }
        self.may(action)
    }

    /// The actor as history and records name it.
    pub fn actor(&self) -> String {
        format!("account:{}", self.session.account.login)
    }
}

pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get_all(header::COOKIE).iter().find_map(|line| {
        line.to_str().ok()?.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    })
}

pub(crate) fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-ume" } else { "ume" }
}

pub(crate) fn language(headers: &HeaderMap) -> Lang {
    if let Some(lang) = cookie(headers, "ume_lang").and_then(|tag| Lang::parse(&tag)) {
        return lang;
    }
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or("");
    accepted.split(',').find_map(|tag| Lang::parse(tag.trim())).unwrap_or(Lang::Ja)
}

/// A browser names the origin of every cross-site POST; ours must be the host it talks to.
fn origin_ok(parts: &Parts) -> bool {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return true;
    }
    let text = |name| parts.headers.get(name).and_then(|v: &header::HeaderValue| v.to_str().ok());
    if text(header::HeaderName::from_static("sec-fetch-site")).is_some_and(|s| s == "cross-site") {
        return false;
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, h)| h == host),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

impl FromRequestParts<Shared> for Cx {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, house: &Shared) -> Result<Cx, Refusal> {
        // The guard of the route has looked it up already.
        if let Some(cx) = parts.extensions.get::<Cx>() {
            return Ok(cx.clone());
        }
        let token = cookie(&parts.headers, cookie_name(house.secure));
        let session = match &token {
            Some(token) => house.store.session(token, IDLE_HOURS_MAX, AGE_HOURS_MAX).await?,
            None => None,
        };
        let unread = match &session {
            Some(session) if session.state == "full" => session.unread,
            _ => 0,
        };
        let reader = match &session {
            Some(session) => Reader::of(&house.store, &session.account).await?,
            None => Reader::nobody(),
        };
        Ok(Cx {
            unread,
            reader,
            lang: language(&parts.headers),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            session,
            token,
            now: house.store.now(),
            past: None,
            local: house.people.local(),
            origin_ok: origin_ok(parts),
        })
    }
}

impl FromRequestParts<Shared> for User {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, house: &Shared) -> Result<User, Refusal> {
        let cx = Cx::from_request_parts(parts, house).await?;
        let back = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let Some(session) = cx.session.clone() else { return Err(Refusal::SignIn(back)) };
        if session.state != "full" {
            return Err(Refusal::Enrol);
        }
        if session.account.must_change {
            return Err(Refusal::ChangePassword);
        }
        let user = User { cx, session };
        user.may(Action::Read)?;
        Ok(user)
    }
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Frame<'a> {
    cx: &'a Cx,
    title: &'a str,
    body: &'a str,
    demo: bool,
}

/// Puts a rendered body into the frame.
pub fn page(cx: &Cx, title: &str, body: &impl Template) -> Answer {
    let body = body.render()?;
    Ok(Html(Frame { cx, title, body: &body, demo: crate::demo::shown() }.render()?).into_response())
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    ja: &'a str,
    en: &'a str,
    detail: &'a str,
    demo: bool,
}

/// The page for an address that leads nowhere.
pub async fn not_found(State(_): State<Shared>) -> Refusal {
    Refusal::NotFound
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, ja, en, detail) = match self {
            Refusal::SignIn(back) => {
                let to = format!("/login?back={}", urlencoding::encode(&back));
                return Redirect::to(&to).into_response();
            }
            Refusal::Enrol => return Redirect::to("/second-factor").into_response(),
            Refusal::ChangePassword => return Redirect::to("/people/me/password").into_response(),
            Refusal::Confirm(back) => {
                let to = format!("/people/confirm?back={}", urlencoding::encode(&back));
                return Redirect::to(&to).into_response();
            }
            Refusal::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "混み合っています。しばらくしてからやり直してください。",
                "Too busy just now. Try again in a moment.",
                String::new(),
            ),
            Refusal::Forbidden => (
                StatusCode::FORBIDDEN,
                "この操作の権限がありません。権限は管理者が付与します。",
                "Your role does not allow this. An administrator can grant it.",
                String::new(),
            ),
            Refusal::NotFound => (
                StatusCode::NOT_FOUND,
                "ページまたはデータが見つかりません。",
                "There is no such page or row.",
                String::new(),
            ),
            Refusal::Foreign => (
                StatusCode::FORBIDDEN,
                "画面を開き直してから、もう一度送信してください（送信元を確認できませんでした）。",
                "Open the page again and resend: the form's origin could not be confirmed.",
                String::new(),
            ),
            Refusal::Bad(detail) => (
                StatusCode::BAD_REQUEST,
                "入力に誤りがあります。",
                "The input is not right.",
                detail,
            ),
            Refusal::Personal(field) => (
                StatusCode::FORBIDDEN,
                "個人に関する項目です。この役割では表示・並べ替え・絞り込みに使えません。",
                "This field is personal: your role neither sees it, nor sorts or filters by it.",
                field.to_owned(),
            ),
            Refusal::Signed => (
                StatusCode::CONFLICT,
                "署名済みの決定は変更も削除もできません。新しい決定をしてください。",
                "A signed decision is neither changed nor deleted. Make a new one.",
                String::new(),
            ),
            Refusal::Store(error @ StoreError::Conflict { .. }) => (
                StatusCode::CONFLICT,
                "別の人が先に変更しました。戻って最新の内容を確認し、もう一度保存してください。何も上書きしていません。",
                "Someone else changed this first. Go back, look at the newest version and save again. Nothing was overwritten.",
                error.to_string(),
            ),
            Refusal::Store(StoreError::Absent { .. }) => (
                StatusCode::NOT_FOUND,
                "データが見つかりません。",
                "There is no such row.",
                String::new(),
            ),
            Refusal::Store(StoreError::AskedAlready(_)) => (
                StatusCode::CONFLICT,
                "承認はすでに依頼されています。",
                "An approval has been asked for already.",
                String::new(),
            ),
            Refusal::Store(StoreError::OutOfReach { .. }) => (
                StatusCode::FORBIDDEN,
                "このアカウントで書き込める範囲の外です。自部署、本人、扱える拠点の行だけを追加・変更できます。所有者、部署、拠点を確かめてください。",
                "This lies beyond what your account may write: rows of your own department, your own, or of your sites. Check owner, department and site.",
                String::new(),
            ),
            Refusal::Store(StoreError::Loosened { .. }) => (
                StatusCode::FORBIDDEN,
                "取扱区分（TLP）を下げるには、別の人の署名した決定が必要です。脅威情報の画面から引き下げてください。",
                "A marking is lowered only by the signed decision of another person: do it on the page of the item.",
                String::new(),
            ),
            Refusal::Store(StoreError::LargeFile(max)) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "ファイルが大きすぎます。1件の上限は下のとおりです。何も保存していません。",
                "The file is too large. The limit for one file stands below. Nothing was saved.",
                crate::files::size(max),
            ),
            Refusal::Store(StoreError::FileType { name, found }) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "ファイルの中身が拡張子と一致しません。何も保存していません。",
                "The file is not what its name says. Nothing was saved.",
                format!("{name}: {found}"),
            ),
            Refusal::Store(error) if error.is_away() => return away(&error),
            Refusal::Store(error) => return broken("store", &error),
            Refusal::Ledger(error) => return broken("ledger", &error),
            Refusal::Template(error) => return broken("template", &error),
        };
        refusal(status, ja, en, &detail)
    }
}

/// Seconds after which a client may try again while the database is away.
const RETRY_AFTER: &str = "5";

fn away(error: &StoreError) -> Response {
    tracing::warn!(%error, "the database is away; request refused");
    let mut response = refusal(
        StatusCode::SERVICE_UNAVAILABLE,
        "データベースに接続できません。少し待ってから再読み込みしてください。保存は行われていません。",
        "The database does not answer. Wait a moment and reload. Nothing was saved.",
        "",
    );
    let after = header::HeaderValue::from_static(RETRY_AFTER);
    response.headers_mut().insert(header::RETRY_AFTER, after);
    response
}

fn broken(part: &str, error: &dyn std::error::Error) -> Response {
    let mut id = [0u8; 4];
    let _ = getrandom::fill(&mut id);
    let id = hex::encode(id);
    tracing::error!(part, id, %error, "request failed");
    refusal(
        StatusCode::INTERNAL_SERVER_ERROR,
        "処理に失敗しました。下の番号を管理者へ伝えてください。保存は行われていません。",
        "This failed. Tell your administrator the number below. Nothing was saved.",
        &id,
    )
}

fn refusal(status: StatusCode, ja: &str, en: &str, detail: &str) -> Response {
    match (RefusalPage { ja, en, detail, demo: crate::demo::shown() }).render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => (status, format!("{ja}\n{en}\n{detail}\n")).into_response(),
    }
}
