//! Why a value is none of its kind.

use crate::{Kind, Scope};

/// Why a value is none of its kind. The message reads after the value and a colon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    #[error("empty")]
    Empty,
    #[error("longer than {max} bytes")]
    TooLong { max: usize },
    #[error("holds NUL or another control character")]
    Control,
    #[error(transparent)]
    Name(#[from] netname::Error),
    #[error("a network of many addresses, not one")]
    Network,
    #[error("a wildcard can stand at the left of a domain and at the end of a URL only")]
    Wildcard,
    #[error("not {want} hexadecimal digits")]
    Hex { want: usize },
    #[error("not of the form block:digest:digest")]
    Ssdeep,
    #[error("no mail address")]
    Email,
    #[error("holds a separator: a path, not a file's name")]
    Separator,
    #[error("not absolute: begins neither with a drive, a share, a variable nor /")]
    Relative,
    #[error("no registry key that begins with a hive")]
    Hive,
    #[error("no autonomous system number from 1 to 4294967295")]
    Asn,
    #[error("a {} cannot have the scope {}", kind.as_str(), scope.as_str())]
    Scope { kind: Kind, scope: Scope },
    #[error("fewer than {min} characters that are no wildcard: it would be found everywhere")]
    Broad { min: usize },
    #[error("marks and variables nested too deeply to have one form")]
    Unsettled,
    #[error("no regular expression of linear time, or one too large")]
    Regex,
}

impl Reject {
    /// The reason in Japanese and English.
    pub fn words(&self) -> (String, String) {
        let ja = match self {
            Reject::Empty => "値が空です".to_owned(),
            Reject::TooLong { max } => format!("{max}バイトを超えています"),
            Reject::Control => "NULなどの制御文字を含みます".to_owned(),
            Reject::Name(error) => error.words().0,
            Reject::Network => "一つのアドレスではなくネットワークです".to_owned(),
            Reject::Wildcard => {
                "ワイルドカードは、ドメインの左端とURLの末尾にだけ置けます".to_owned()
            }
            Reject::Hex { want } => format!("16進数{want}桁ではありません"),
            Reject::Ssdeep => "「ブロック長:要約:要約」の形ではありません".to_owned(),
            Reject::Email => "メールアドレスではありません".to_owned(),
            Reject::Separator => "区切り文字を含みます。ファイル名ではなくパスです".to_owned(),
            Reject::Relative => {
                "絶対パスではありません(ドライブ、共有、変数、/ のどれでも始まらない)".to_owned()
            }
            Reject::Hive => "ハイブで始まるレジストリキーではありません".to_owned(),
            Reject::Asn => "1から4294967295までのAS番号ではありません".to_owned(),
            Reject::Scope { kind, scope } => {
                format!("種類{}に範囲{}は指定できません", kind.as_str(), scope.as_str())
            }
            Reject::Broad { min } => {
                format!("ワイルドカード以外の文字が{min}文字未満で、どこにでも一致します")
            }
            Reject::Regex => "線形時間で処理できる正規表現ではないか、大きすぎます".to_owned(),
            Reject::Unsettled => "接頭辞や変数の入れ子が深く、形が一つに定まりません".to_owned(),
        };
        (ja, self.to_string())
    }
}
