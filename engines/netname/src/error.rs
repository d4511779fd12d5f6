//! Why a text is no name.

/// Why a text is no name. The message is a fragment that reads after the text and a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("empty")]
    Empty,
    #[error("longer than {max} bytes")]
    TooLong { max: usize },
    #[error("a label is empty")]
    EmptyLabel,
    #[error("a label is longer than 63 bytes")]
    LongLabel,
    #[error("character U+{:04X} is not allowed in a host", *.0 as u32)]
    Character(char),
    #[error("not valid as an internationalised name (UTS 46)")]
    Idna,
    #[error("an address, not a domain")]
    Address,
    #[error("ends in a number and is no IPv4 address")]
    Number,
    #[error("no IP address")]
    Ip,
    #[error("no network in CIDR form")]
    Net,
    #[error("no URL with a scheme")]
    Url,
    #[error("a URL without a host")]
    NoHost,
    #[error("no valid port")]
    Port,
    #[error("a word of fewer than {min} letters cannot be told from chance")]
    ShortWord { min: usize },
}

impl Error {
    /// The reason in Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            Error::Empty => "値が空です".to_owned(),
            Error::TooLong { max } => format!("{max}バイトを超えています"),
            Error::EmptyLabel => "空のラベルがあります".to_owned(),
            Error::LongLabel => "63バイトを超えるラベルがあります".to_owned(),
            Error::Character(ch) => {
                format!("ホスト名に使えない文字U+{:04X}があります", u32::from(*ch))
            }
            Error::Idna => "国際化ドメイン名(UTS 46)として正しくありません".to_owned(),
            Error::Address => "ドメインではなくIPアドレスです".to_owned(),
            Error::Number => "数字で終わりますが、IPv4アドレスではありません".to_owned(),
            Error::Ip => "IPアドレスではありません".to_owned(),
            Error::Net => "CIDR表記のネットワークではありません".to_owned(),
            Error::Url => "スキーム付きのURLではありません".to_owned(),
            Error::NoHost => "URLにホストがありません".to_owned(),
            Error::Port => "ポート番号が正しくありません".to_owned(),
            Error::ShortWord { min } => {
                format!("{min}文字未満の語は、偶然の一致と区別できません")
            }
        };
        (ja, self.to_string())
    }
}
