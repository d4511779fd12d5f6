//! Refusals of the API as problem details (RFC 9457), in the reader's language.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{Lang, Text, t};
use serde_json::{Value as Json, json};
use store::StoreError;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong in general: status, a code for programs, a title for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub status: u16,
    pub code: &'static str,
    pub title: Text,
}

const fn kind(status: u16, code: &'static str, ja: &'static str, en: &'static str) -> Kind {
    Kind { status, code, title: t(ja, en) }
}

pub const BAD_REQUEST: &Kind =
    &kind(400, "bad_request", "要求を読み取れません", "The request cannot be read");
pub const UNAUTHORIZED: &Kind =
    &kind(401, "unauthorized", "サインインが必要です", "Sign in or send a token");
pub const FORBIDDEN: &Kind =
    &kind(403, "forbidden", "この操作の権限がありません", "Your role does not allow this");
pub const NOT_FOUND: &Kind = &kind(404, "not_found", "見つかりません", "There is no such thing");
pub const METHOD: &Kind =
    &kind(405, "method_not_allowed", "この操作はできません", "This address has no such method");
pub const TIMEOUT: &Kind = &kind(408, "timeout", "時間切れです", "The request took too long");
pub const CONFLICT: &Kind =
    &kind(409, "conflict", "いまの状態ではできません", "The present state does not allow this");
pub const STALE: &Kind = &kind(
    412,
    "stale",
    "別の人が先に変更しました。何も上書きしていません",
    "Someone else changed this first; nothing was overwritten",
);
pub const LARGE: &Kind = &kind(413, "too_large", "大きすぎます", "The body is too large");
pub const MEDIA: &Kind =
    &kind(415, "media_type", "この形式は受け付けません", "This media type is not taken");
pub const INVALID: &Kind =
    &kind(422, "invalid", "入力に誤りがあります。保存していません", "Not valid; nothing was saved");
pub const VERSION: &Kind = &kind(
    428,
    "version_required",
    "見ていた版をIf-Matchで示してください",
    "Name the version you saw in If-Match",
);
pub const TOO_MANY: &Kind = &kind(429, "too_many", "要求が多すぎます", "Too many requests");
pub const BROKEN: &Kind = &kind(500, "broken", "処理に失敗しました", "This failed");
pub const AWAY: &Kind =
    &kind(503, "away", "データベースが応答しません", "The database does not answer");
pub const STARTING: &Kind =
    &kind(503, "starting", "起動処理中です", "The server is still starting");

pub(crate) const ALL: [&Kind; 15] = [
    BAD_REQUEST,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD,
    TIMEOUT,
    CONFLICT,
    STALE,
    LARGE,
    MEDIA,
    INVALID,
    VERSION,
    TOO_MANY,
    BROKEN,
    AWAY,
];

/// Why a record of this type is not taken, in ja and en.
pub(crate) fn not_theirs(ty: &str) -> (String, String) {
    (
        format!(
            "「{ty}」はUme（またはそのエージェント）だけが書く記録です。外からは受け付けません。文書で示すときは「isms.imported」を使ってください。"
        ),
        format!(
            "{ty} is written by Ume (or its agents) alone and not taken from outside. To show a document, use isms.imported."
        ),
    )
}

/// One member at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer (RFC 6901) into the body, or the name of a parameter.
    pub pointer: String,
    pub detail: String,
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Problem {
    pub kind: &'static Kind,
    pub status: u16,
    pub lang: Lang,
    pub detail: String,
    pub errors: Vec<Fault>,
    /// Headers that belong to it, such as `Retry-After`.
    pub headers: Vec<(HeaderName, String)>,
}

impl Problem {
    /// A refusal with what to do about it.
    pub fn new(lang: Lang, kind: &'static Kind, detail: Text) -> Problem {
        Problem::saying(lang, kind, detail.get(lang).to_owned())
    }

    /// The same with a text made at run time.
    pub fn saying(lang: Lang, kind: &'static Kind, detail: String) -> Problem {
        Problem { kind, status: kind.status, lang, detail, errors: Vec::new(), headers: Vec::new() }
    }

    /// Members that are not right.
    pub fn invalid(lang: Lang, errors: Vec<Fault>) -> Problem {
        let detail = t("errorsの項目を直してください。", "Correct what errors names.");
        Problem { errors, ..Problem::new(lang, INVALID, detail) }
    }

    /// The refusal of a status for which no handler gave its own.
    pub(crate) fn of_status(lang: Lang, status: StatusCode) -> Problem {
        let known = ALL.into_iter().find(|k| k.status == status.as_u16());
        let fallback = if status.is_server_error() { BROKEN } else { BAD_REQUEST };
        let problem = Problem::saying(lang, known.unwrap_or(fallback), String::new());
        Problem { status: status.as_u16(), ..problem }
    }

    /// What the store's refusal means to a caller.
    pub fn of_store(lang: Lang, error: &StoreError) -> Problem {
        let (kind, detail) = match error {
            StoreError::Conflict { current, .. } => {
                let header = (header::ETAG, format!("\"{current}\""));
                let text =
                    t("最新の版を読み直してください。", "Read the newest version and try again.");
                return Problem { headers: vec![header], ..Problem::new(lang, STALE, text) };
            }
            StoreError::LargeFile(max) => {
                let max = crate::files::size(*max);
                let detail = match lang {
                    Lang::Ja => format!("1件のファイルの上限は{max}です。何も保存していません。"),
                    Lang::En => format!("A file has at most {max}. Nothing was saved."),
                };
                (LARGE, detail)
            }
            StoreError::FileType { .. } => (MEDIA, error.to_string()),
            StoreError::Absent { .. } => (NOT_FOUND, error.to_string()),
            StoreError::Canonical(_)
            | StoreError::Nul(_)
            | StoreError::LongName(..)
            | StoreError::LargeLeaf(..)
            | StoreError::TooMany(..) => (INVALID, error.to_string()),
            StoreError::AskedAlready(_) => (CONFLICT, error.to_string()),
            StoreError::NotTheirs(ty) => {
                let (ja, en) = not_theirs(ty);
                (INVALID, if lang == Lang::Ja { ja } else { en })
            }
            StoreError::OutOfReach { .. } => {
                let text = t(
                    "このアカウントで書き込める範囲の外です。自部署、本人、扱える拠点の行だけを書き込めます。",
                    "This lies beyond what your account may write: rows of your own department, your own, or of your sites.",
                );
                return Problem::new(lang, FORBIDDEN, text);
            }
            StoreError::Loosened { .. } => {
                let text = t(
                    "取扱区分（TLP）を下げるには、別の人の署名した決定が必要です。脅威情報の画面から引き下げてください。",
                    "A marking is lowered only by the signed decision of another person: do it on the page of the item.",
                );
                return Problem::new(lang, FORBIDDEN, text);
            }
            error if error.is_away() => (AWAY, String::new()),
            error => return Problem::broken(lang, error),
        };
        let mut problem = Problem::saying(lang, kind, detail);
        if kind == AWAY {
            problem.headers.push((header::RETRY_AFTER, "5".to_owned()));
        }
        problem
    }

    /// A fault of our own: the log gets the cause, the caller a number.
    pub fn broken(lang: Lang, error: &dyn std::error::Error) -> Problem {
        let mut id = [0u8; 4];
        let _ = getrandom::fill(&mut id);
        let id = hex::encode(id);
        tracing::error!(id, %error, "API request failed");
        let detail = match lang {
            Lang::Ja => format!("番号{id}を管理者へ伝えてください。保存は行われていません。"),
            Lang::En => format!("Tell your administrator the number {id}. Nothing was saved."),
        };
        Problem::saying(lang, BROKEN, detail)
    }

    /// The document.
    pub fn to_json(&self) -> Json {
        let mut json = json!({
            "type": "about:blank",
            "title": self.kind.title.get(self.lang),
            "status": self.status,
            "code": self.kind.code,
        });
        if !self.detail.is_empty() {
            json["detail"] = self.detail.as_str().into();
        }
        if !self.errors.is_empty() {
            let fault = |f: &Fault| json!({"pointer": f.pointer, "detail": f.detail});
            json["errors"] = self.errors.iter().map(fault).collect();
        }
        json
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind.title.get(self.lang))?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        for fault in &self.errors {
            write!(f, "\n  {}: {}", fault.pointer, fault.detail)?;
        }
        Ok(())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let own = [
            (header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
            (header::CONTENT_LANGUAGE, HeaderValue::from_static(self.lang.tag())),
        ];
        let mut response = (status, own, self.to_json().to_string()).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
