//! What a page says of who made a difference: who, in which session, with what, when, and from where that is known.
//!
//! Pure: the actor as a verdict holds it, and the names of the people whom the reader may see.

use std::collections::BTreeMap;

use model::{Id, Timestamp};
use serde_json::Value as Json;
use web::frame::Cx;

/// The texts, each empty where nothing is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ActorTexts {
    pub who: String,
    /// Session and terminal, and through which programs.
    pub session: String,
    pub program: String,
    pub command: String,
    pub when: String,
    /// The source that says so.
    pub source: String,
}

impl ActorTexts {
    /// All of it in one line.
    pub fn line(&self) -> String {
        let what = if self.command.is_empty() { &self.program } else { &self.command };
        let parts = [&self.who, &self.session, what, &self.when, &self.source];
        let parts: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|p| !p.is_empty()).collect();
        parts.join(" · ")
    }
}

/// Ids of the people among the actors of these verdicts.
pub(super) fn people<'v>(verdicts: impl Iterator<Item = &'v Json>) -> Vec<Id> {
    let party = |verdict: &Json| verdict["actor"]["party"].as_str()?.parse().ok();
    let mut ids: Vec<Id> = verdicts.filter_map(party).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// The texts of the actor of a verdict; none if it is not known.
pub(super) fn texts(cx: &Cx, verdict: &Json, names: &BTreeMap<Id, String>) -> Option<ActorTexts> {
    let actor = verdict["actor"].as_object()?;
    let party = actor.get("party").and_then(Json::as_str)?;
    let parts = Evidence::of(actor.get("evidence").and_then(Json::as_str).unwrap_or_default());
    let at = actor.get("at").and_then(Json::as_i64);
    Some(ActorTexts {
        who: who(cx, party, names),
        session: session(cx, &parts),
        program: parts.get("program").replace('|', cx.t("か", " or ")),
        command: parts.command.to_owned(),
        when: at.map_or(String::new(), |at| cx.time(&Timestamp(at.saturating_mul(1_000_000)))),
        source: match parts.get("source").as_str() {
            "fanotify" => cx.t("カーネルの通知", "reported by the kernel").to_owned(),
            "audit" => cx.t("監査記録", "audit record").to_owned(),
            "apt" => cx.t("aptの履歴", "history of apt").to_owned(),
            other => other.to_owned(),
        },
    })
}

fn who(cx: &Cx, party: &str, names: &BTreeMap<Id, String>) -> String {
    if let Ok(id) = party.parse::<Id>() {
        let hidden = || cx.t("台帳にある人", "a person of the register").to_owned();
        return names.get(&id).cloned().unwrap_or_else(hidden);
    }
    match party.split_once(':') {
        Some(("account", name)) => format!("{} {name}", cx.t("アカウント", "account")),
        Some(("unit", name)) => format!("{} {name}", cx.t("ユニット", "unit")),
        _ => party.to_owned(),
    }
}

fn session(cx: &Cx, parts: &Evidence<'_>) -> String {
    let (session, terminal) = (parts.get("session"), parts.get("terminal"));
    let mut out = match session.is_empty() {
        true => String::new(),
        false => format!("{} {session}", cx.t("セッション", "session")),
    };
    let chain = parts.get("chain").replace('<', " ← ");
    for more in [terminal, chain].iter().filter(|more| !more.is_empty()) {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(more);
    }
    out
}

/// `name=value` apart by spaces; the command stands last and runs to the end.
struct Evidence<'e> {
    parts: BTreeMap<&'e str, &'e str>,
    command: &'e str,
}

impl<'e> Evidence<'e> {
    fn of(text: &'e str) -> Evidence<'e> {
        let (before, command) = match text.strip_prefix("command=") {
            Some(command) => ("", command),
            None => text.split_once(" command=").unwrap_or((text, "")),
        };
        let parts = before.split(' ').filter_map(|part| part.split_once('=')).collect();
        Evidence { parts, command }
    }

    fn get(&self, name: &str) -> String {
        self.parts.get(name).map_or(String::new(), |value| value.replace("\\x20", " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_comes_apart_and_a_command_stays_whole() {
        let text = "source=fanotify program=/opt/a\\x20b session=12 terminal=pts/0 \
                    chain=bash<sudo<sshd command=vim x command=y z=1";
        let parts = Evidence::of(text);
        assert_eq!(parts.get("program"), "/opt/a b");
        assert_eq!(parts.get("chain"), "bash<sudo<sshd");
        assert_eq!(parts.command, "vim x command=y z=1");
        assert_eq!(Evidence::of("").get("source"), "");
    }

    #[test]
    fn a_line_leaves_out_what_is_not_known() {
        let texts = ActorTexts {
            who: "account ann".into(),
            program: "/usr/bin/vim".into(),
            when: "10:00".into(),
            ..ActorTexts::default()
        };
        assert_eq!(texts.line(), "account ann · /usr/bin/vim · 10:00");
    }
}
