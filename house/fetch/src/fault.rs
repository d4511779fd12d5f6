//! Why something did not come.

/// Why something did not come. No variant holds an address with what may be secret in it, nor a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the address: {0}")]
    Address(&'static str),
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("no answer in time")]
    Late,
    #[error("answered {0}{rest}", rest = title(.1))]
    Status(u16, String),
    /// The server asks to wait, in seconds.
    #[error("answered {status}; asks to wait {seconds} s")]
    Wait { status: u16, seconds: i64 },
    #[error("redirected too often, or away from https")]
    Redirect,
    #[error("larger than {max} bytes")]
    Large { max: u64 },
    #[error("unpacks to more than {max} bytes")]
    Unpacked { max: u64 },
    #[error("it ends early: {0}")]
    Cut(String),
    #[error("{what}: {error}")]
    File { what: String, error: String },
    /// In words of who reads the document.
    #[error("{en}")]
    Said { ja: String, en: String },
}

fn title(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Fault {
    pub fn said(ja: impl Into<String>, en: impl Into<String>) -> Fault {
        Fault::Said { ja: ja.into(), en: en.into() }
    }

    /// Whether it may go better within a minute.
    pub fn is_passing(&self) -> bool {
        match self {
            Fault::Unreachable(_) | Fault::Late | Fault::Cut(_) => true,
            Fault::Status(status, _) => *status >= 500 || matches!(status, 408 | 425 | 429),
            _ => false,
        }
    }

    /// In Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            Fault::Address(why) => format!("アドレスが正しくありません（{why}）"),
            Fault::Unreachable(why) => format!("接続できません（{why}）"),
            Fault::Late => "時間内に応答がありません".to_owned(),
            Fault::Status(status, why) => format!("サーバーの応答は{status}です{}", title(why)),
            Fault::Wait { status, seconds } => {
                format!("サーバーの応答は{status}です。{seconds}秒待つよう求められました")
            }
            Fault::Redirect => "転送が多すぎるか、https以外へ転送されました".to_owned(),
            Fault::Large { max } => format!("{max}バイトを超えています"),
            Fault::Unpacked { max } => format!("展開すると{max}バイトを超えます"),
            Fault::Cut(why) => format!("途中で切れています（{why}）"),
            Fault::File { what, error } => format!("{what}: {error}"),
            Fault::Said { ja, .. } => ja.clone(),
        };
        (ja, self.to_string())
    }
}

/// What failed, down to the innermost cause, without the address that stands beside it anyway.
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Fault {
        if error.is_timeout() {
            Fault::Late
        } else if error.is_redirect() {
            Fault::Redirect
        } else if error.is_body() || error.is_decode() {
            Fault::Cut(cause(&error))
        } else {
            Fault::Unreachable(cause(&error))
        }
    }
}
