//! Read-only SQL over archived events: one table `events`, one SELECT at a time.
//!
//! The statement runs on DataFusion, which comes in with the feature `datafusion` alone; without it [`run`] says so.
//! DataFusion has here no file, no catalogue but the one table, no table function, no DDL, no DML, and no statement
//! that sets anything. Beside its memory pool stand what the pool does not see: functions that only grow a text are
//! left out, and whoever answers others runs this in a process of its own whose memory ends ([`Limits`]).
//!
//! Limits: [`Limits`], and a statement of [`SQL_BYTES_MAX`] bytes.

pub mod apart;
#[cfg(feature = "datafusion")]
mod engine;
#[cfg(feature = "datafusion")]
mod events;

use std::path::Path;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Whether this build can answer.
pub const BUILT: bool = cfg!(feature = "datafusion");
/// Longest statement.
pub const SQL_BYTES_MAX: usize = 16 << 10;

/// What is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ask {
    pub sql: String,
    /// Earliest time of an event in microseconds, inclusive.
    pub from: Option<i64>,
    /// Latest time, exclusive.
    pub to: Option<i64>,
    /// Events of this source only.
    pub source: Option<String>,
    #[serde(default)]
    pub limits: Limits,
}

impl Ask {
    fn query(&self) -> stream::Query {
        let (from, to) = (self.from.map(Timestamp), self.to.map(Timestamp));
        stream::Query { from, to, source: self.source.clone(), ..stream::Query::default() }
    }
}

/// What an answer may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub rows_max: usize,
    /// Bytes of the texts of an answer.
    pub bytes_max: usize,
    /// What sorting, grouping and joining may hold.
    pub memory_bytes_max: usize,
    pub seconds_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            rows_max: 10_000,
            bytes_max: 8 << 20,
            memory_bytes_max: 256 << 20,
            // A request that takes longer is answered for it by the server.
            seconds_max: 20,
        }
    }
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Json>>,
    /// There was more than the limits let through.
    pub cut: bool,
    pub scanned_segments: usize,
    pub pruned_segments: usize,
    /// Segments that could not be read; their events are missing.
    pub unreadable: Vec<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    pub kind: Kind,
    /// Line and column, from 1, where that is known.
    pub at: Option<(u64, u64)>,
    /// In the engine's own words.
    pub said: String,
}

/// What sort of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    NotBuilt,
    /// Others are being answered.
    Busy,
    TooLong,
    Syntax,
    /// Not one statement alone.
    NotOne,
    /// A statement that does not only read.
    NotRead,
    /// Names, types, functions that do not fit.
    Meaning,
    Memory,
    Time,
    /// While it ran.
    Failed,
}

impl Trouble {
    pub fn new(kind: Kind, said: impl std::fmt::Display) -> Trouble {
        Trouble { kind, at: None, said: said.to_string() }
    }

    /// What is wrong and what to do, in Japanese and English.
    pub fn texts(&self) -> (String, String) {
        let (ja, en) = match self.kind {
            Kind::NotBuilt => (
                "このビルドにはSQL検索が入っていません。`cargo build --release --features sql`で作ったumeを使ってください",
                "this build has no SQL; use an ume made by `cargo build --release --features sql`",
            ),
            Kind::Busy => (
                "ほかのSQLを実行中です。しばらくしてやり直してください",
                "other statements are being answered; try again in a while",
            ),
            Kind::TooLong => (
                "文が長すぎます（16 KiB、2,000語まで）",
                "the statement is too long (at most 16 KiB and 2,000 words)",
            ),
            Kind::Syntax => ("SQLの書き方が正しくありません", "this is no SQL"),
            Kind::NotOne => ("文は一つだけ書いてください", "write one statement"),
            Kind::NotRead => (
                "SELECTかWITHで始まる、読むだけの文を書いてください",
                "only statements that read are taken: SELECT or WITH",
            ),
            Kind::Meaning => (
                "表eventsにない名前か、使えない関数・型です。列はtime、arrived、event_time、source、class、host、app、severity、message、fields、raw。項目はfield(fields, '名前')で取り出します",
                "a name, function or type does not fit. The table events has time, arrived, event_time, source, class, host, app, severity, message, fields, raw; field(fields, 'name') gives what was read from the log",
            ),
            Kind::Memory => (
                "メモリの上限を超えました。期間を狭めるか、WHEREで絞るか、まとめる列を減らしてください",
                "it needs more memory than it may have: take a shorter span, filter with WHERE, or group by less",
            ),
            Kind::Time => (
                "時間の上限までに終わりませんでした。期間を狭めるか、WHEREで絞ってください",
                "it did not end in time: take a shorter span, or filter with WHERE",
            ),
            Kind::Failed => ("実行できませんでした", "it could not be run"),
        };
        let place = |ja: bool| match self.at {
            Some((line, column)) if ja => format!("{line}行{column}文字目: "),
            Some((line, column)) => format!("line {line}, column {column}: "),
            None => String::new(),
        };
        let said = |open: &str, close: &str| match self.said.is_empty() {
            true => String::new(),
            false => format!("{open}{}{close}", self.said),
        };
        (
            format!("{}{ja}{}", place(true), said("（", "）")),
            format!("{}{en}{}", place(false), said(" (", ")")),
        )
    }
}

/// Answers from the archive in `folder`. Blocks; ends by itself.
#[cfg(feature = "datafusion")]
pub fn run(folder: &Path, ask: &Ask) -> Result<Answer, Trouble> {
    engine::run(folder, ask)
}

/// Says that this build cannot.
#[cfg(not(feature = "datafusion"))]
pub fn run(_folder: &Path, ask: &Ask) -> Result<Answer, Trouble> {
    let _ = ask.query();
    Err(Trouble::new(Kind::NotBuilt, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_says_where_what_and_what_to_do_in_both_languages() {
        let trouble = Trouble { at: Some((2, 7)), ..Trouble::new(Kind::Syntax, "found FORM") };
        let (ja, en) = trouble.texts();
        assert_eq!(ja, "2行7文字目: SQLの書き方が正しくありません（found FORM）");
        assert_eq!(en, "line 2, column 7: this is no SQL (found FORM)");
    }

    #[cfg(not(feature = "datafusion"))]
    #[test]
    fn a_build_without_the_engine_says_how_to_get_it() {
        let trouble = run(Path::new("/"), &Ask::default()).unwrap_err();
        assert!(trouble.texts().1.contains("--features sql"));
    }
}
