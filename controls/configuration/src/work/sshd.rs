//! Effective settings of sshd. As sshd reads: the first value wins, `Include` counts where it
//! stands, `Match` lasts to the next one or the end of its file. Blocks are kept apart, since which
//! of them applies depends on who connects.
//!
//! Limits: 16 files deep, 1,000 files.

use super::parse::{Problem, lines};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DEPTH_MAX: usize = 16;
const FILES_MAX: usize = 1_000;

/// Keywords whose values add up.
const LISTS: [&str; 11] = [
    "acceptenv",
    "allowgroups",
    "allowusers",
    "denygroups",
    "denyusers",
    "hostcertificate",
    "hostkey",
    "listenaddress",
    "port",
    "setenv",
    "subsystem",
];

/// What OpenSSH does when nothing is said: sshd_config(5).
const DEFAULTS: [(&str, &str); 32] = [
    ("addressfamily", "any"),
    ("allowagentforwarding", "yes"),
    ("allowtcpforwarding", "yes"),
    ("banner", "none"),
    ("clientalivecountmax", "3"),
    ("clientaliveinterval", "0"),
    ("compression", "yes"),
    ("disableforwarding", "no"),
    ("gatewayports", "no"),
    ("gssapiauthentication", "no"),
    ("hostbasedauthentication", "no"),
    ("ignorerhosts", "yes"),
    ("kbdinteractiveauthentication", "yes"),
    ("kerberosauthentication", "no"),
    ("logingracetime", "120"),
    ("loglevel", "INFO"),
    ("maxauthtries", "6"),
    ("maxsessions", "10"),
    ("maxstartups", "10:30:100"),
    ("passwordauthentication", "yes"),
    ("permitemptypasswords", "no"),
    ("permitrootlogin", "prohibit-password"),
    ("permittunnel", "no"),
    ("permituserenvironment", "no"),
    ("port", "22"),
    ("printlastlog", "yes"),
    ("pubkeyauthentication", "yes"),
    ("strictmodes", "yes"),
    ("syslogfacility", "AUTH"),
    ("tcpkeepalive", "yes"),
    ("usepam", "no"),
    ("x11forwarding", "no"),
];

/// Gives path and text of every file an `Include` pattern names.
pub(super) trait Files {
    fn include(&mut self, pattern: &str) -> Vec<(String, String)>;
}

#[derive(Default)]
pub(super) struct Sshd {
    /// `keyword` or `match CRITERIA/keyword`.
    pub settings: BTreeMap<String, Value>,
    pub problems: Vec<(String, Problem)>,
    files: usize,
}

pub(super) fn effective(path: &str, text: &str, files: &mut dyn Files) -> Sshd {
    let mut sshd = Sshd::default();
    sshd.file(path, text, "", 0, files);
    for (keyword, value) in DEFAULTS {
        let fact = || json!({ "values": [value], "origin": ["default"] });
        sshd.settings.entry(keyword.to_owned()).or_insert_with(fact);
    }
    sshd
}

impl Sshd {
    fn file(&mut self, path: &str, text: &str, block: &str, depth: usize, files: &mut dyn Files) {
        let mut block = block.to_owned();
        self.files += 1;
        for (line, content) in lines(text) {
            let Some(words) = words(content) else {
                self.problem(path, line, "quote without end");
                continue;
            };
            let Some((keyword, values)) = words.split_first() else { continue };
            if values.is_empty() {
                self.problem(path, line, "keyword without value");
                continue;
            }
            match keyword.to_ascii_lowercase().as_str() {
                "match" => block = format!("match {}/", values.join(" ")),
                "include" if depth >= DEPTH_MAX => self.problem(path, line, "include too deep"),
                "include" => {
                    let named: Vec<_> = values.iter().flat_map(|v| files.include(v)).collect();
                    for (path, text) in named {
                        if self.files >= FILES_MAX {
                            self.problem(&path, line, "too many files included");
                            return;
                        }
                        self.file(&path, &text, &block, depth + 1, files);
                    }
                }
                name => self.set(&format!("{block}{}", current(name)), name, values, path, line),
            }
        }
    }

    fn set(&mut self, key: &str, name: &str, values: &[String], path: &str, line: usize) {
        let origin = format!("{path}:{line}");
        let Some(fact) = self.settings.get_mut(key) else {
            self.settings.insert(key.into(), json!({ "values": values, "origin": [origin] }));
            return;
        };
        if !LISTS.contains(&name) {
            return;
        }
        if let Some(list) = fact["values"].as_array_mut() {
            list.extend(values.iter().map(|value| json!(value)));
        }
        if let Some(list) = fact["origin"].as_array_mut() {
            list.push(json!(origin));
        }
    }

    fn problem(&mut self, path: &str, line: usize, reason: &'static str) {
        self.problems.push((path.to_owned(), Problem { line, reason }));
    }
}

/// Old spellings of the same setting.
fn current(name: &str) -> &str {
    match name {
        "challengeresponseauthentication" | "skeyauthentication" => "kbdinteractiveauthentication",
        "dsaauthentication" => "pubkeyauthentication",
        other => other,
    }
}

/// Words of a line, the keyword first; `=` may stand after the keyword. None for an open quote.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Some(Vec::new());
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let mut words = vec![keyword.to_owned()];
    let mut word = String::new();
    let mut quote: Option<char> = None;
    for c in rest.strip_prefix('=').unwrap_or(rest).chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '#' && word.is_empty() => break,
            None if c.is_whitespace() => flush(&mut word, &mut words),
            None => word.push(c),
        }
    }
    flush(&mut word, &mut words);
    quote.is_none().then_some(words)
}

fn flush(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Map(BTreeMap<&'static str, &'static str>);

    impl Files for Map {
        fn include(&mut self, pattern: &str) -> Vec<(String, String)> {
            let text = self.0.get(pattern).copied();
            text.map(|text| (pattern.to_owned(), text.to_owned())).into_iter().collect()
        }
    }

    fn read(text: &str) -> Sshd {
        let parts = [
            ("a", "PermitRootLogin no\nMatch User git\nX11Forwarding no\n"),
            ("self", "Include self\n"),
        ];
        effective("/main", text, &mut Map(parts.into()))
    }

    #[test]
    fn the_first_value_wins_and_an_include_counts_where_it_stands() {
        let sshd = read("Include a\nPermitRootLogin yes\nX11Forwarding=yes # c\n");
        assert_eq!(sshd.settings["permitrootlogin"]["values"], json!(["no"]));
        assert_eq!(sshd.settings["permitrootlogin"]["origin"], json!(["a:1"]));
        assert_eq!(sshd.settings["x11forwarding"]["values"], json!(["yes"]));
        assert_eq!(sshd.settings["match User git/x11forwarding"]["values"], json!(["no"]));
        assert_eq!(sshd.settings["maxauthtries"]["origin"], json!(["default"]));
    }

    #[test]
    fn a_match_block_is_kept_apart() {
        let sshd = read("Match Group \"a b\"\nPasswordAuthentication no\n");
        assert_eq!(sshd.settings["passwordauthentication"]["origin"], json!(["default"]));
        assert_eq!(sshd.settings["match Group a b/passwordauthentication"]["values"][0], "no");
    }

    #[test]
    fn lists_add_up_and_old_names_count() {
        let sshd = read("Port 22\nPort 2222\nChallengeResponseAuthentication no\n");
        assert_eq!(sshd.settings["port"]["values"], json!(["22", "2222"]));
        assert_eq!(sshd.settings["kbdinteractiveauthentication"]["values"][0], "no");
    }

    #[test]
    fn loops_and_broken_lines_are_problems() {
        let sshd = read("Include self\nPort\nBanner \"x\n");
        let reasons: Vec<_> = sshd.problems.iter().map(|(_, problem)| problem.reason).collect();
        assert_eq!(reasons, ["include too deep", "keyword without value", "quote without end"]);
    }

    #[test]
    fn defaults_are_sorted_and_unique() {
        assert!(DEFAULTS.is_sorted_by(|a, b| a.0 < b.0) && LISTS.is_sorted());
    }
}
