//! Where in a line secrets stand.
//!
//! Names that say "secret" and what is assigned to them, user parts of addresses, hashes of crypt(5),
//! tokens that bear their issuer's prefix, options of commands. Linear in the line but for the words.

type Span = (usize, usize);
type IsPath<'a> = &'a dyn Fn(&[u8]) -> bool;

/// Parts of names whose value is a secret.
const WORDS: &[&str] = &[
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "privatekey",
    "private_key",
    "private-key",
    "presharedkey",
    "preshared",
    "psk",
    "accesskey",
    "access_key",
    "access-key",
    "authkey",
    "auth_key",
    "encryptionkey",
    "encryption_key",
    "signingkey",
    "signing_key",
    "masterkey",
    "master_key",
    "secret_key",
    "requirepass",
    "masterauth",
    "bindpw",
    "rootpw",
    "community",
    "com2sec",
    "wpa_psk",
    "passkey",
    "sessionkey",
    "cookie_key",
    "client_key",
    "storage_key",
    "sharedkey",
    "shared_key",
    "dbpass",
    "userpass",
    "kennwort",
    "passwort",
];

/// Names that are such as a whole, or end in one of these after `_`, `-` or `.`.
const WHOLE: &[&str] = &["pass", "pw", "pin", "otp", "auth", "key", "salt", "seed", "psk"];

/// Of the names above those whose value counts only if it looks random.
const WEAK: &[&str] = &["auth", "key", "salt", "seed"];

/// What comes last in names that speak of secrets without holding one.
const HARMLESS_ENDS: &[&str] = &[
    "days",
    "len",
    "length",
    "age",
    "max",
    "min",
    "warn",
    "retries",
    "tries",
    "timeout",
    "ttl",
    "expire",
    "expires",
    "expiry",
    "expired",
    "expiration",
    "size",
    "authentication",
    "policy",
    "file",
    "files",
    "path",
    "dir",
    "directory",
    "type",
    "mode",
    "enabled",
    "enable",
    "required",
    "prompt",
    "attempts",
    "history",
    "count",
    "algorithm",
    "algorithms",
    "method",
    "rounds",
    "format",
    "name",
    "lifetime",
    "interval",
    "url",
    "endpoint",
    "tokens",
    "id",
    "strength",
    "command",
    "program",
    "module",
    "backend",
    "provider",
    "store",
    "agent",
    "charset",
];

/// Values that say nothing.
const PLAIN: &[&str] = &[
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "none",
    "null",
    "nil",
    "0",
    "1",
    "*",
    "!",
    "required",
    "requisite",
    "sufficient",
    "optional",
    "include",
    "substack",
    "default",
    "enabled",
    "disabled",
    "never",
    "always",
    "files",
    "prompt",
    "ask",
];

/// What tokens of well-known issuers begin with, and how long one is at least.
const ISSUERS: &[(&str, usize)] = &[
    ("AKIA", 20),
    ("ASIA", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("gldt-", 20),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("eyJ", 30),
    ("AIza", 30),
    ("ya29.", 20),
    ("npm_", 20),
    ("hvs.", 20),
    ("hvb.", 20),
    ("dop_v1_", 20),
    ("SG.", 30),
    ("pypi-", 30),
    ("dckr_pat_", 20),
    ("shpat_", 20),
    ("AGE-SECRET-KEY-1", 30),
    ("tskey-", 16),
    ("whsec_", 16),
    ("atlasv1.", 16),
];

const HASHES: &[&str] = &[
    "$1$",
    "$2a$",
    "$2b$",
    "$2x$",
    "$2y$",
    "$5$",
    "$6$",
    "$7$",
    "$y$",
    "$gy$",
    "$apr1$",
    "$argon2",
    "$pbkdf2",
    "$scrypt$",
    "$P$",
    "$H$",
    "{SSHA",
    "{SHA",
    "{CRYPT}",
    "{SMD5}",
    "{MD5}",
    "{PBKDF2",
    "{ARGON2",
    "grub.pbkdf2.",
    "pbkdf2_sha",
];

/// Ranges of `text` that are secrets: in order, apart from each other, none empty.
pub(super) fn secrets(text: &[u8], directives: bool, is_path: IsPath) -> Vec<Span> {
    let mut found = Vec::new();
    if text.len() < 3 {
        return found;
    }
    assigned(text, directives, is_path, &mut found);
    addresses(text, &mut found);
    tokens(text, &mut found);
    options(text, is_path, &mut found);
    users(text, &mut found);
    found.sort_unstable();
    let mut apart: Vec<Span> = Vec::new();
    for (from, to) in found.into_iter().filter(|(from, to)| from < to) {
        match apart.last_mut() {
            Some(last) if from < last.1 => last.1 = last.1.max(to),
            _ => apart.push((from, to)),
        }
    }
    // What was cut before is not cut again.
    apart.retain(|(from, to)| !text[*from..*to].starts_with(super::REFERENCE.as_bytes()));
    apart
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) || byte >= 0x80
}

/// How much a name says that its value is a secret.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    Nothing,
    Perhaps,
    Secret,
}

fn says(name: &[u8]) -> Says {
    let lower = name.to_ascii_lowercase();
    let Ok(lower) = std::str::from_utf8(&lower) else { return Says::Nothing };
    let last = lower.rsplit(['_', '-', '.']).next().unwrap_or(lower);
    let ends = |end: &str| last == end || (end.len() > 3 && lower.ends_with(end));
    // Names of credentials that a service manager hands over, not their content.
    let names_one =
        (lower.starts_with("load") || lower.starts_with("import")) && lower.contains("credential");
    if names_one || HARMLESS_ENDS.iter().any(|end| ends(end)) || lower.starts_with("pam_") {
        return Says::Nothing;
    }
    let japanese = ["パスワード", "暗証", "秘密"];
    if WORDS.iter().any(|word| lower.contains(word)) || japanese.iter().any(|w| lower.contains(w)) {
        return Says::Secret;
    }
    match WHOLE.iter().find(|word| last == **word) {
        Some(word) if WEAK.contains(word) => Says::Perhaps,
        Some(_) => Says::Secret,
        None => Says::Nothing,
    }
}

/// Values assigned to names that say "secret".
fn assigned(text: &[u8], directives: bool, is_path: IsPath, found: &mut Vec<Span>) {
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let comment =
        matches!(text.get(start), Some(b'#' | b';' | b'/')) && !text[start..].starts_with(b"/etc");
    let mut at = 0;
    let mut first = true;
    while at < text.len() {
        if !is_name(text[at]) {
            at += 1;
            continue;
        }
        let from = at;
        while at < text.len() && is_name(text[at]) {
            at += 1;
        }
        let is_first = std::mem::replace(&mut first, false);
        let says = says(&text[from..at]);
        if says == Says::Nothing {
            continue;
        }
        let Some((separator, value)) = separator(text, at) else { continue };
        let quoted = matches!(text.get(value), Some(b'"' | b'\'' | b'`'));
        let whole = is_first && separator != Separator::Space && !quoted && !comment;
        let mut spans = Vec::new();
        if text[from..at].eq_ignore_ascii_case(b"createuser") {
            continue;
        }
        spans.push(if whole { rest(text, value, separator) } else { one(text, value) });
        for (from, to) in spans {
            let value = &text[from..to];
            let random = looks_random(value);
            let doubtful = match separator {
                Separator::Space => {
                    directives
                        || comment
                        || !(is_first || is_strong(&text[from.saturating_sub(20)..from]))
                }
                _ => says == Says::Perhaps,
            };
            let settings = directives && !comment && separator == Separator::Colon;
            if is_plain(value) || is_path(value) || settings || (doubtful && !random) {
                continue;
            }
            if separator == Separator::Space && directives && !comment {
                continue;
            }
            found.push((from, to));
            at = at.max(to);
        }
    }
}

/// Whether what stands before a value is one of the words that take one after a blank.
fn is_strong(before: &[u8]) -> bool {
    let before = before.trim_ascii_end().to_ascii_lowercase();
    [&b"password"[..], b"passwd", b"secret", b"passphrase", b"psk"]
        .iter()
        .any(|word| before.ends_with(word))
}

#[derive(Clone, Copy, PartialEq)]
enum Separator {
    Sign,
    Colon,
    Space,
}

/// What stands between a name that ends at `at` and its value, and where the value begins.
fn separator(text: &[u8], mut at: usize) -> Option<(Separator, usize)> {
    let end = at;
    while text.get(at).is_some_and(|byte| b"\"')]".contains(byte)) {
        at += 1;
    }
    let closed = at > end;
    let blank = at;
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    let rest = text.get(at..)?;
    let (kind, width) = match rest {
        [b'=', b'>', ..]
        | [b':', b'=', ..]
        | [b'=', b'=', ..]
        | [b'?', b'=', ..]
        | [b'+', b'=', ..] => (Separator::Sign, 2),
        [b'=', ..] => (Separator::Sign, 1),
        [b':', ..] => (Separator::Colon, 1),
        [b',', ..] if closed => (Separator::Sign, 1),
        [b'>', ..] if blank == at => (Separator::Sign, 1),
        [] => return None,
        _ if at > blank => (Separator::Space, 0),
        _ => return None,
    };
    at += width;
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    (at < text.len()).then_some((kind, at))
}

/// A value that is a quoted text or one word.
fn one(text: &[u8], at: usize) -> Span {
    if let Some(quote) = text.get(at).copied().filter(|byte| b"\"'`".contains(byte)) {
        let mut end = at + 1;
        while end < text.len() && text[end] != quote {
            end += 1 + usize::from(text[end] == b'\\');
        }
        return (at + 1, end.min(text.len()));
    }
    let stops = |byte: &u8| byte.is_ascii_whitespace() || b",;\"'`<>&|".contains(byte);
    let end = text[at..].iter().position(stops).map_or(text.len(), |n| at + n);
    // A list in brackets goes word by word; its bracket is no part of a secret.
    let from = at
        + usize::from(
            matches!(text.get(at), Some(b'[' | b'{' | b'('))
                && !text[at..].starts_with(b"{{")
                && !HASHES.iter().any(|hash| text[at..].starts_with(hash.as_bytes())),
        );
    (from.min(end), end)
}

/// The rest of a line that is one assignment.
fn rest(text: &[u8], at: usize, separator: Separator) -> Span {
    let mut end = text.trim_ascii_end().len();
    if separator != Separator::Space && text.get(end.wrapping_sub(1)) == Some(&b';') {
        end -= 1;
    }
    let xml = text[at..].iter().position(|byte| *byte == b'<').map(|n| at + n);
    (at, xml.unwrap_or(end).max(at))
}

fn is_plain(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    // Variables and templates name a secret and hold none.
    let named = value.starts_with(b"${")
        || value.starts_with(b"$(")
        || value.starts_with(b"%(")
        || value.starts_with(b"{{");
    lower.is_empty() || named || PLAIN.contains(&lower.as_str())
}

/// Not a word of prose: with a digit or sign, or with capitals inside.
fn looks_random(value: &[u8]) -> bool {
    let inner = value.strip_suffix(b".").unwrap_or(value);
    if inner.len() < 5 {
        return false;
    }
    let digit = inner.iter().any(u8::is_ascii_digit);
    let sign = inner.iter().any(|byte| b"!#%^&*+=@$~?".contains(byte));
    let capital = inner.iter().skip(1).any(u8::is_ascii_uppercase)
        && inner.iter().any(u8::is_ascii_lowercase);
    (digit && inner.iter().any(u8::is_ascii_alphabetic)) || sign || capital
}

/// `://user:SECRET@`.
fn addresses(text: &[u8], found: &mut Vec<Span>) {
    for at in memchr::memmem::find_iter(text, b"://") {
        let from = at + 3;
        let stops = |byte: &u8| byte.is_ascii_whitespace() || b"/\"'<>".contains(byte);
        let end = text[from..].iter().position(stops).map_or(text.len(), |n| from + n);
        // A password may hold a slash that was not escaped.
        let wide = text[from..]
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || b"\"'<>".contains(byte));
        let wide = wide.map_or(text.len(), |n| from + n);
        let in_authority = memchr::memrchr(b'@', &text[from..end]);
        let sign = in_authority.or_else(|| {
            let at = memchr::memchr(b'@', &text[from..wide])?;
            memchr::memchr(b':', &text[from..from + at])
                .is_some_and(|colon| {
                    text.get(from + colon + 1).is_some_and(|byte| !byte.is_ascii_digit())
                })
                .then_some(at)
        });
        let Some(sign) = sign.map(|n| from + n) else { continue };
        match memchr::memchr(b':', &text[from..sign]) {
            Some(colon) => found.push((from + colon + 1, sign)),
            // One part before the sign may be a token.
            None if sign - from >= 16 => found.push((from, sign)),
            None => {}
        }
    }
}

/// Words that bear the mark of a hash or of an issuer.
pub(super) fn tokens(text: &[u8], found: &mut Vec<Span>) {
    let breaks = |byte: u8| byte.is_ascii_whitespace() || b"\"'`,;<>&|()".contains(&byte);
    let mut from = 0;
    while from < text.len() {
        if breaks(text[from]) {
            from += 1;
            continue;
        }
        let to =
            text[from..].iter().position(|byte| breaks(*byte)).map_or(text.len(), |n| from + n);
        let word = &text[from..to];
        for hash in HASHES {
            if let Some(at) = memchr::memmem::find(word, hash.as_bytes()) {
                let tail = &word[at..];
                let end = tail.iter().position(|byte| *byte == b':').unwrap_or(tail.len());
                if end > hash.len() + 3 {
                    found.push((from + at, from + at + end));
                }
            }
        }
        for (prefix, length) in ISSUERS {
            let Some(at) = memchr::memmem::find(word, prefix.as_bytes()) else { continue };
            let stands_alone = at == 0 || !word[at - 1].is_ascii_alphanumeric();
            // Types of keys that lie in a security key: `sk-ssh-ed25519@openssh.com`.
            if word[at..].starts_with(b"sk-ssh-") || word[at..].starts_with(b"sk-ecdsa-") {
                continue;
            }
            let tail = &word[at..];
            let body = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
            let end = tail.iter().position(|byte| !body(byte)).unwrap_or(tail.len());
            if stands_alone && end >= *length {
                found.push((from + at, from + at + end));
            }
        }
        from = to;
    }
}

/// Words that follow a word of their own: `Bearer X`, `--password X`; lists of SNMP.
fn options(text: &[u8], is_path: IsPath, found: &mut Vec<Span>) {
    let words: Vec<Span> = words(text);
    let lower = |span: Span| text[span.0..span.1].to_ascii_lowercase();
    let program = |names: &[&[u8]]| {
        words.iter().any(|span| {
            let word = &text[span.0..span.1];
            let base = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
            names.contains(&base)
        })
    };
    let mysql = program(&[
        b"mysql",
        b"mysqldump",
        b"mariadb",
        b"mariadb-dump",
        b"mysqladmin",
        b"sshpass",
        b"smbclient",
        b"7z",
        b"zip",
        b"unzip",
    ]);
    let http = program(&[b"curl", b"wget", b"http", b"lftp", b"rclone"]);
    for pair in words.windows(2) {
        let (name, value) = (lower(pair[0]), pair[1]);
        let name = name.trim_ascii_start();
        let bytes = &text[value.0..value.1];
        let takes = match name {
            b"bearer" | b"basic" => bytes.len() > 2,
            _ if name.starts_with(b"-") => {
                let bare: Vec<u8> = name.iter().copied().skip_while(|byte| *byte == b'-').collect();
                !bare.contains(&b'=') && says(&bare) == Says::Secret && !bytes.starts_with(b"-")
            }
            _ => false,
        };
        if takes && !is_plain(bytes) && !is_path(bytes) {
            found.push(value);
        }
        if http
            && matches!(name, b"-u" | b"--user" | b"--proxy-user")
            && let Some(colon) = memchr::memchr(b':', bytes)
        {
            found.push((value.0 + colon + 1, value.1));
        }
        if mysql && name == b"-p" && program(&[b"sshpass"]) {
            found.push(value);
        }
    }
    for span in &words {
        let bytes = &text[span.0..span.1];
        if mysql && bytes.starts_with(b"-p") && bytes.len() > 2 && bytes[2] != b'-' {
            found.push((span.0 + 2, span.1));
        }
    }
}

/// `createUser NAME SHA "a" AES "b"` of SNMP: every second word after the name.
fn users(text: &[u8], found: &mut Vec<Span>) {
    let words = words(text);
    let Some(first) = words.first() else { return };
    if !text[first.0..first.1].eq_ignore_ascii_case(b"createuser") {
        return;
    }
    for span in words.iter().skip(3).step_by(2) {
        found.push(*span);
    }
}

/// Words of a line, without the quotes around them.
fn words(text: &[u8]) -> Vec<Span> {
    let breaks = |byte: u8| byte.is_ascii_whitespace() || b"\"'`;".contains(&byte);
    let mut spans = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if breaks(text[at]) {
            at += 1;
            continue;
        }
        let from = at;
        while at < text.len() && !breaks(text[at]) {
            at += 1;
        }
        spans.push((from, at));
    }
    spans
}
