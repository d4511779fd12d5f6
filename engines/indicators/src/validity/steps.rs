//! The steps of a verdict, in words.

use crate::{Ceiling, Micros};

/// One step of the chain and what it found.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Own(Finding),
    Revoked(Finding),
    Decision(Finding),
    Warning(Finding),
    ValidUntil(Finding),
    Decay(Finding),
    Life(Finding),
}

/// What a step found.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It has nothing to say, and the next is asked.
    Silent,
    Own {
        list: String,
        value: String,
    },
    Special,
    Broad {
        bits: u8,
        least: u8,
    },
    Suffix,
    Withdrawn,
    Decided {
        ceiling: Ceiling,
        until: Micros,
        reason: String,
    },
    DecisionOver {
        until: Micros,
    },
    Listed {
        list: String,
        value: String,
        ceiling: Ceiling,
    },
    Until {
        until: Micros,
        over: bool,
    },
    Decayed {
        score: f64,
        threshold: f64,
        until: Micros,
        over: bool,
    },
    Life {
        days: u32,
        until: Micros,
        over: bool,
    },
}

impl Step {
    /// The stable word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Step::Own(_) => "own",
            Step::Revoked(_) => "revoked",
            Step::Decision(_) => "decision",
            Step::Warning(_) => "warning",
            Step::ValidUntil(_) => "valid_until",
            Step::Decay(_) => "decay",
            Step::Life(_) => "life",
        }
    }

    pub fn finding(&self) -> &Finding {
        match self {
            Step::Own(finding)
            | Step::Revoked(finding)
            | Step::Decision(finding)
            | Step::Warning(finding)
            | Step::ValidUntil(finding)
            | Step::Decay(finding)
            | Step::Life(finding) => finding,
        }
    }

    /// Which step it is, in Japanese and English.
    pub fn title(&self) -> (&'static str, &'static str) {
        match self {
            Step::Own(_) => {
                ("自組織の資産・遮断しないもの", "own assets and what is never blocked")
            }
            Step::Revoked(_) => ("提供元の取り消し", "withdrawn by its producer"),
            Step::Decision(_) => ("人の判断", "a person's decision"),
            Step::Warning(_) => ("警告リスト", "warning lists"),
            Step::ValidUntil(_) => ("提供元の有効期限", "the producer's end"),
            Step::Decay(_) => ("スコアの減衰", "decay of the score"),
            Step::Life(_) => ("種類ごとの既定の寿命", "default life of the kind"),
        }
    }

    /// What it found, in Japanese and English.
    pub fn words(&self) -> (String, String) {
        self.finding().words()
    }
}

impl Finding {
    fn words(&self) -> (String, String) {
        match self {
            Finding::Silent => ("該当なし".into(), "nothing".into()),
            Finding::Own { list, value } => (
                format!("{list}の{value}に当たるため、対象から外す"),
                format!("excluded: {value} of {list}"),
            ),
            Finding::Special => (
                "ループバックやマルチキャストなど、特定の相手を指さないアドレスのため外す".into(),
                "excluded: loopback, multicast or the like, nobody's address".into(),
            ),
            Finding::Broad { bits, least } => (
                format!("/{bits}は広すぎるため外す(/{least}より狭いものに限る)"),
                format!("excluded: /{bits} is too broad, /{least} is the broadest"),
            ),
            Finding::Suffix => (
                "公開サフィックスで、その下は他人のドメインのため外す".into(),
                "excluded: a public suffix, below which others have their domains".into(),
            ),
            Finding::Withdrawn => ("提供元が取り消した".into(), "withdrawn or deleted".into()),
            Finding::Decided { ceiling, until, reason } => (
                format!("「{}」と判断({}まで): {reason}", ceiling_ja(*ceiling), time(*until)),
                format!("decided {} until {}: {reason}", ceiling.as_str(), time(*until)),
            ),
            Finding::DecisionOver { until } => (
                format!("判断は{}で期限切れ", time(*until)),
                format!("the decision ended at {}", time(*until)),
            ),
            Finding::Listed { list, value, ceiling } => (
                format!("「{list}」の{value}に当たるため、{}", ceiling_ja(*ceiling)),
                format!("{} at most: {value} of \"{list}\"", ceiling.as_str()),
            ),
            Finding::Until { until, over } => ended(*until, *over),
            Finding::Decayed { score, threshold, until, over } => {
                let (ja, en) = ended(*until, *over);
                (
                    format!("スコア{score:.0}(しきい値{threshold:.0})。{ja}"),
                    format!("score {score:.0}, threshold {threshold:.0}; {en}"),
                )
            }
            Finding::Life { days, until, over } => {
                let (ja, en) = ended(*until, *over);
                (format!("寿命{days}日。{ja}"), format!("{days} days; {en}"))
            }
        }
    }
}

fn ended(until: Micros, over: bool) -> (String, String) {
    let time = time(until);
    match over {
        true => (format!("{time}で期限切れ"), format!("ended at {time}")),
        false => (format!("{time}まで有効"), format!("valid until {time}")),
    }
}

fn ceiling_ja(ceiling: Ceiling) -> &'static str {
    match ceiling {
        Ceiling::Nothing => "使わない",
        Ceiling::Alert => "知らせるだけ",
        Ceiling::UrlOnly => "URL単位だけ遮断可",
        Ceiling::Block => "遮断可",
    }
}

/// RFC 3339 to the second, or the number where no calendar reaches.
fn time(at: Micros) -> String {
    let second = jiff::Timestamp::from_second(at.div_euclid(1_000_000));
    second.map_or_else(|_| at.to_string(), |time| time.to_string())
}
