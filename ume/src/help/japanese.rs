//! The command line in Japanese: help, usage and what is wrong with an input.
//!
//! Each English text stands in `ja.txt` with its Japanese one beneath it; a test holds that none is missing and none
//! is left over. Clap breaks lines at spaces only, so lines of Japanese are broken here.

use std::collections::HashMap;

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const TEXTS: &str = include_str!("ja.txt");
/// Columns where the terminal does not say.
const COLUMNS: usize = 100;
/// Narrower than this a text is not broken beside what it explains.
const TEXT_COLUMNS_MIN: usize = 20;
/// Signs that begin no line.
const NEVER_FIRST: &str =
    "、。，．・：；）」』】〕〉》々ーぁぃぅぇぉっゃゅょァィゥェォッャュョ)]}:;,.!?%";
/// What clap itself says, line by line.
const HEADINGS: [(&str, &str); 8] = [
    ("Usage: ", "使い方: "),
    ("Commands:", "コマンド:"),
    ("Arguments:", "引数:"),
    ("Options:", "オプション:"),
    ("Possible values:", "選べる値:"),
    ("[possible values: ", "[選べる値: "),
    ("[default: ", "[既定値: "),
    ("[env: ", "[環境変数: "),
];

/// English texts with their Japanese ones; a period at the end does not count.
fn texts() -> HashMap<&'static str, &'static str> {
    let pairs = TEXTS.split("\n\n").filter_map(|pair| pair.trim().split_once('\n'));
    pairs.map(|(english, japanese)| (key(english), japanese)).collect()
}

fn key(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

/// A text by its paragraphs; what has no translation stays as it is.
fn translated(text: &str, texts: &HashMap<&str, &str>) -> String {
    let paragraphs =
        text.split("\n\n").map(|english| texts.get(key(english)).copied().unwrap_or(english));
    paragraphs.collect::<Vec<&str>>().join("\n\n")
}

/// The command line with its help in Japanese.
pub fn help(command: Command) -> Command {
    below(command, &texts())
}

fn below(mut command: Command, texts: &HashMap<&str, &str>) -> Command {
    if let Some(about) = command.get_about().map(ToString::to_string) {
        command = command.about(translated(&about, texts));
    }
    if let Some(about) = command.get_long_about().map(ToString::to_string) {
        command = command.long_about(translated(&about, texts));
    }
    let names: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    for name in names {
        command = command.mut_arg(name, |mut arg| {
            if let Some(help) = arg.get_help().map(ToString::to_string) {
                arg = arg.help(translated(&help, texts));
            }
            match arg.get_long_help().map(ToString::to_string) {
                Some(help) => arg.long_help(translated(&help, texts)),
                None => arg,
            }
        });
    }
    let names: Vec<_> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |sub| below(sub, texts)))
}

/// What clap says, in Japanese: help as it rendered it, or what is wrong with the input.
pub fn said(error: &clap::Error) -> String {
    let columns = columns();
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion => rendered(&error.render().to_string(), columns),
        _ => wrong(error, columns),
    }
}

/// Help as clap renders it: its own words in Japanese, lines broken.
pub fn rendered(text: &str, columns: usize) -> String {
    let texts = texts();
    let mut out = String::new();
    for line in text.lines() {
        let line = HEADINGS.iter().fold(line.to_owned(), |line, (english, japanese)| {
            let is_there = line.trim_start().starts_with(english) || english.starts_with('[');
            if is_there { line.replacen(english, japanese, 1) } else { line }
        });
        for line in broken(&own_words(line, &texts), columns) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

/// The texts that clap puts in by itself, and those of values: they stand at the end of their line.
fn own_words(line: String, texts: &HashMap<&str, &str>) -> String {
    let start = line.len() - line.trim_start().len();
    let places = line.match_indices("  ").map(|(at, _)| at + 2).chain([start]);
    for place in places.chain(line.find(": ").map(|at| at + 2)).collect::<Vec<_>>() {
        let said = line[place..].trim_start();
        if let Some(japanese) = texts.get(key(said)) {
            return format!("{}{japanese}", &line[..line.len() - said.len()]);
        }
    }
    line
}

/// A line as several that are at most so wide; what follows stands beneath where its text began.
fn broken(line: &str, columns: usize) -> Vec<String> {
    if line.width() <= columns {
        return vec![line.to_owned()];
    }
    let lead = line.len() - line.trim_start().len();
    let gap = line[lead..].find("  ").map(|at| lead + at);
    let text = gap.map(|at| at + line[at..].len() - line[at..].trim_start().len());
    let hang = text.map_or(lead, |at| line[..at].width());
    let hang = if hang + TEXT_COLUMNS_MIN > columns { lead } else { hang };
    let (mut lines, mut current) = (Vec::new(), String::new());
    let mut rest = line.chars().peekable();
    while let Some(sign) = rest.next() {
        current.push(sign);
        let Some(next) = rest.peek() else { break };
        let is_full = current.width() + next.width().unwrap_or(0) > columns;
        if is_full && current.width() > hang && !NEVER_FIRST.contains(*next) {
            // A word of Latin letters is not torn.
            let word =
                current.len() - current.trim_end_matches(|c: char| c.is_ascii_graphic()).len();
            let is_torn = next.is_ascii_graphic() && current.len() - word > hang && word > 0;
            let carried =
                if is_torn { current.split_off(current.len() - word) } else { String::new() };
            lines.push(std::mem::replace(&mut current, format!("{}{carried}", " ".repeat(hang))));
        }
    }
    lines.push(current);
    lines
}

/// What is wrong with the input, and what to do.
fn wrong(error: &clap::Error, columns: usize) -> String {
    let one = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" "),
        Some(ContextValue::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let (arg, value) = (one(ContextKind::InvalidArg), one(ContextKind::InvalidValue));
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            format!("「{}」というコマンドはありません", one(ContextKind::InvalidSubcommand))
        }
        ErrorKind::MissingSubcommand => "コマンドを指定してください".to_owned(),
        ErrorKind::UnknownArgument => format!("「{arg}」という引数はありません"),
        ErrorKind::MissingRequiredArgument => format!("指定が足りません: {arg}"),
        ErrorKind::InvalidValue if value.is_empty() => format!("{arg} に値を付けてください"),
        ErrorKind::InvalidValue => format!("「{value}」は {arg} の値ではありません"),
        ErrorKind::ValueValidation => format!("「{value}」は {arg} の値として使えません: {source}"),
        ErrorKind::ArgumentConflict => {
            let prior = one(ContextKind::PriorArg);
            if prior.is_empty() || prior == arg {
                format!("{arg} を繰り返し指定することはできません")
            } else {
                format!("{arg} は {prior} と一緒には使えません")
            }
        }
        ErrorKind::NoEquals => format!("{arg} の値は = で続けてください"),
        ErrorKind::TooManyValues => format!("{arg} の値「{value}」は余分です"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{arg} の値の数が違います")
        }
        ErrorKind::InvalidUtf8 => "引数にUTF-8でない文字が含まれています".to_owned(),
        _ => return error.render().to_string(),
    };
    let mut out = format!("ume: {what}\n");
    let valid = [ContextKind::ValidValue, ContextKind::ValidSubcommand];
    for values in valid.into_iter().map(|kind| match error.get(kind) {
        Some(ContextValue::Strings(texts)) => texts.join("、"),
        _ => String::new(),
    }) {
        if !values.is_empty() {
            out.push_str(&format!("  選べるのは: {values}\n"));
        }
    }
    let near =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let near = near.into_iter().filter_map(|kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join("」か「")),
        _ => None,
    });
    for near in near {
        out.push_str(&format!("  「{near}」ではありませんか\n"));
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        out.push_str(&format!("\n{}", rendered(&usage.to_string(), columns)));
    }
    out + "\n詳しくは --help をご覧ください\n"
}

/// Columns of the terminal, as it or `COLUMNS` says.
fn columns() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse::<usize>().ok());
    let seen =
        || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| size.ws_col.into());
    said.or_else(seen)
        .filter(|columns| *columns >= TEXT_COLUMNS_MIN)
        .map_or(COLUMNS, |c| c.min(COLUMNS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every text of a command and of all below it.
    fn shown(command: &Command, out: &mut BTreeSet<String>) {
        let mut take = |text: Option<String>| {
            for paragraph in text.unwrap_or_default().split("\n\n") {
                out.insert(key(paragraph).to_owned());
            }
        };
        take(command.get_about().map(ToString::to_string));
        take(command.get_long_about().map(ToString::to_string));
        for arg in command.get_arguments() {
            take(arg.get_help().map(ToString::to_string));
            take(arg.get_long_help().map(ToString::to_string));
            for value in arg.get_possible_values() {
                take(value.get_help().map(ToString::to_string));
            }
        }
        for sub in command.get_subcommands() {
            shown(sub, out);
        }
    }

    #[test]
    fn every_text_of_the_command_line_is_there_in_japanese_and_none_is_left_over() {
        let mut command = crate::english();
        command.build();
        let mut wanted = BTreeSet::from(["Print help (see more with '--help')".to_owned()]);
        shown(&command, &mut wanted);
        wanted.remove("");
        let texts = texts();
        let there: BTreeSet<String> = texts.keys().map(|text| (*text).to_owned()).collect();
        let missing: Vec<&String> = wanted.difference(&there).collect();
        let over: Vec<&String> = there.difference(&wanted).collect();
        assert!(
            missing.is_empty() && over.is_empty(),
            "missing: {missing:#?}\nleft over: {over:#?}"
        );
        assert_eq!(TEXTS.split("\n\n").count(), texts.len(), "a text stands there twice");
        for (english, japanese) in texts {
            assert!(
                japanese.chars().any(|sign| ('ぁ'..='ん').contains(&sign) || !sign.is_ascii()),
                "{english}"
            );
        }
    }

    #[test]
    fn no_line_of_the_help_is_wider_than_the_terminal_and_nothing_of_it_is_lost() {
        for columns in [40, 60, 80, 100] {
            let line =
                format!("  serve        {}", "サーバーを始める、この機器の登録、収集。".repeat(5));
            let lines = broken(&line, columns);
            assert!(lines.iter().all(|line| line.width() <= columns + 2), "{lines:#?}");
            let joined: String = lines.iter().flat_map(|line| line.trim_start().chars()).collect();
            assert_eq!(joined, line.trim_start());
            assert!(
                lines[1..].iter().all(|line| line.starts_with("               サ")
                    || line.starts_with("               "))
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_japanese_with_what_would_be_right() {
        let said = |args: &[&str]| {
            said(&crate::command_in(model::Lang::Ja).try_get_matches_from(args).unwrap_err())
        };
        let unknown = said(&["ume", "serv"]);
        assert!(
            unknown.contains("「serv」というコマンドはありません")
                && unknown.contains("serve」ではありませんか"),
            "{unknown}"
        );
        let flag = said(&["ume", "serve", "--lisen", "x"]);
        assert!(
            flag.contains("「--lisen」という引数はありません") && flag.contains("--listen"),
            "{flag}"
        );
        let value = said(&["ume", "status", "--format", "xml"]);
        assert!(value.contains("「xml」") && value.contains("json"), "{value}");
        let address = said(&["ume", "serve", "--listen", "nowhere"]);
        assert!(address.contains("「nowhere」は"), "{address}");
        let missing = said(&["ume", "restore"]);
        assert!(
            missing.contains("指定が足りません") && missing.contains("使い方: ume restore"),
            "{missing}"
        );
        let help = said(&["ume", "serve", "--help"]);
        assert!(
            help.contains("使い方: ume serve")
                && help.contains("オプション:")
                && help.contains("[既定値: all]"),
            "{help}"
        );
        assert!(
            help.contains("すべてを担うセンター") && help.contains("ヘルプを表示する"),
            "{help}"
        );
        let version = said(&["ume", "--version"]);
        assert_eq!(version.trim(), concat!("ume ", env!("CARGO_PKG_VERSION")));
    }
}
