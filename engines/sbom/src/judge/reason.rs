//! Why a verdict is what it is, in words.

use crate::vex::Status;

/// The reason of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The advisory names the version.
    Listed(String),
    /// From a version on, until another if there is one.
    Within { version: String, from: Option<String>, until: Option<String> },
    /// At or above the version that fixed it.
    Fixed { version: String, fixed: String },
    /// Below the first version that has it.
    Before { version: String, from: String },
    /// In none of the ranges, and not named.
    Outside(String),
    /// The advisory says outright that it is not affected, or fixed.
    SaidNot,
    /// It was taken back.
    Withdrawn(String),
    /// The advisory itself does not know yet.
    Open,
    /// The version cannot be compared.
    Version(String),
    /// The range cannot be read.
    Range(String),
    /// Only commits are named.
    Commits,
    /// The ecosystem has no order that is known here.
    NoOrder(String),
    /// The distribution publishes by source package, and the inventory does not name it.
    NoSource,
    /// The advisory is of a release, and the inventory does not say which it is.
    NoRelease(String),
    /// The inventory says less of the product than the advisory asks.
    Product(String),
    /// A statement decided.
    Statement { status: Status, by: String, why: String },
}

impl Reason {
    /// The reason in Japanese and in English.
    pub fn words(&self) -> (String, String) {
        use Reason::*;
        match self {
            Listed(v) => (
                format!("{v} が影響を受けるバージョンとして挙げられています"),
                format!("{v} is listed as affected"),
            ),
            Within { version, from: None, until: None } => (
                format!("すべてのバージョンが影響を受けます（{version}）"),
                format!("every version is affected ({version})"),
            ),
            Within { version, from, until } => {
                let low = from.as_deref().unwrap_or("0");
                match until {
                    Some(until) => (
                        format!("{version} は {low} 以降、{until} までの範囲にあります"),
                        format!("{version} lies between {low} and {until}"),
                    ),
                    None => (
                        format!("{version} は {low} 以降で、修正版がありません"),
                        format!("{version} is at or above {low}, and nothing fixes it"),
                    ),
                }
            }
            Fixed { version, fixed } => (
                format!("{version} は修正版 {fixed} 以降です"),
                format!("{version} is at or above {fixed}, which fixed it"),
            ),
            Before { version, from } => (
                format!("{version} は混入した {from} より前です"),
                format!("{version} is below {from}, which introduced it"),
            ),
            Outside(v) => (
                format!("{v} は影響を受ける範囲にありません"),
                format!("{v} lies in no affected range"),
            ),
            SaidNot => (
                "影響を受けない、または修正済みと明記されています".into(),
                "the advisory says that it is not affected or fixed".into(),
            ),
            Withdrawn(at) => {
                (format!("取り下げられました（{at}）"), format!("the advisory was withdrawn ({at})"))
            }
            Open => (
                "公開元がまだ調査中です".into(),
                "the publisher does not know yet".into(),
            ),
            Version(why) => (format!("バージョンを比較できません：{why}"), why.clone()),
            Range(what) => (
                format!("影響範囲を読み取れません：{what}"),
                format!("the affected range cannot be read: {what}"),
            ),
            Commits => (
                "コミットだけが示され、バージョンがありません".into(),
                "only commits are named, no versions".into(),
            ),
            NoOrder(of) => (
                format!("{of} のバージョンの順序が分かりません"),
                format!("no order of versions is known for {of}"),
            ),
            NoSource => (
                "ソースパッケージが分かりません（ディストリビューションの情報はソースパッケージ単位です）".into(),
                "the source package is not known, and the distribution publishes by source package".into(),
            ),
            NoRelease(wanted) => (
                format!("リリースが分かりません（情報は {wanted} のものです）"),
                format!("the release is not known; the advisory is for {wanted}"),
            ),
            Product(own) => (
                format!("製品名の情報が足りません：{own}"),
                format!("the inventory says too little of the product: {own}"),
            ),
            Statement { status, by, why } => (
                format!("{by} の声明：{}（{why}）", status.name()),
                format!("statement of {by}: {} ({why})", status.name()),
            ),
        }
    }
}
