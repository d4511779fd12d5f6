//! Paths, registry keys and names of files: what may hold blanks and other letters.
//!
//! Invariants: a path never leaves its line; looking ahead for the rest of a path is bounded.

use crate::Kind;

use super::scan::Candidate;

/// How far behind a blank a path is looked for.
const AHEAD_BYTES: usize = 48;
const PATH_BYTES_MAX: usize = 1_024;
const NAME_BYTES_MAX: usize = 255;

/// Endings by which a name is that of a file.
const ENDINGS: [&str; 66] = [
    "exe", "dll", "scr", "bat", "cmd", "ps1", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk",
    "msi", "iso", "img", "vhd", "vhdx", "zip", "rar", "7z", "gz", "tgz", "tar", "lzh", "cab",
    "doc", "docx", "docm", "xls", "xlsx", "xlsm", "xlsb", "ppt", "pptx", "pptm", "pdf", "rtf",
    "html", "htm", "svg", "one", "chm", "jar", "py", "sh", "apk", "elf", "so", "bin", "dat", "tmp",
    "sys", "ocx", "cpl", "pif", "txt", "csv", "xml", "json", "php", "aspx", "jsp", "eml", "wll",
    "xll",
];
/// Endings that say little by themselves.
const DULL: [&str; 11] =
    ["txt", "csv", "xml", "json", "php", "aspx", "jsp", "html", "htm", "docx", "xlsx"];
/// Programs of the system that attackers use and everyone has.
const COMMON: [&str; 14] = [
    "powershell.exe",
    "cmd.exe",
    "rundll32.exe",
    "regsvr32.exe",
    "wscript.exe",
    "cscript.exe",
    "mshta.exe",
    "svchost.exe",
    "explorer.exe",
    "lsass.exe",
    "schtasks.exe",
    "certutil.exe",
    "msiexec.exe",
    "winword.exe",
];
const ROOTS: [&str; 12] = [
    "tmp", "var", "usr", "etc", "opt", "home", "root", "dev", "bin", "Library", "Users", "private",
];
const HIVES: [&str; 11] = [
    "HKEY_LOCAL_MACHINE",
    "HKEY_CURRENT_USER",
    "HKEY_CLASSES_ROOT",
    "HKEY_USERS",
    "HKEY_CURRENT_CONFIG",
    "HKLM",
    "HKCU",
    "HKCR",
    "HKCC",
    "HKU",
    "REGISTRY",
];

/// Whether a text ends as the name of a file does.
pub(super) fn ending(name: &str) -> Option<&str> {
    let (before, ending) = name.rsplit_once('.')?;
    let is_known = ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known));
    (is_known && !before.is_empty()).then_some(ending)
}

/// Whether what stands before a place ends as the name of a file does.
fn ends_as_file(text: &str, start: usize, at: usize) -> bool {
    ending(&text[text.ceil_char_boundary(start.max(at.saturating_sub(16)))..at]).is_some()
}

pub(super) fn is_dull(name: &str) -> bool {
    let ending = ending(name).unwrap_or_default();
    DULL.iter().any(|dull| ending.eq_ignore_ascii_case(dull))
}

pub(super) fn is_common(name: &str) -> bool {
    COMMON.iter().any(|common| name.eq_ignore_ascii_case(common))
}

/// Paths and keys of one line that begins at `base`.
pub(super) fn paths(text: &str, base: usize, taken: &mut [bool]) -> Vec<Candidate> {
    let mut all = Vec::new();
    let mut at = 0;
    let mut before = None;
    while let Some(sign) = text[at..].chars().next() {
        let Some(kind) = begins(text, at, before).filter(|_| !taken[at]) else {
            before = Some(sign);
            at += sign.len_utf8();
            continue;
        };
        let end = path_end(text, at, before, kind);
        let value = &text[at..end];
        if value.len() <= PATH_BYTES_MAX && is_path(value, kind) {
            taken[at..end].fill(true);
            all.push(Candidate::new(base + at, base + end, kind, value.to_owned()));
        }
        at = end.max(at + sign.len_utf8());
        before = text[..at].chars().next_back();
    }
    all
}

fn is_path(value: &str, kind: Kind) -> bool {
    let least = if kind == Kind::RegistryKey || !value.starts_with('/') { 1 } else { 2 };
    let cuts = value.matches(['\\', '/']).take(3).count();
    cuts >= least && value.len() > 3
}

fn begins(text: &str, at: usize, before: Option<char>) -> Option<Kind> {
    if before.is_some_and(|sign| sign.is_ascii_alphanumeric() || "\\/%._-".contains(sign)) {
        return None;
    }
    let rest = &text.as_bytes()[at..];
    match rest {
        [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic() => Some(Kind::Path),
        [b'\\', b'\\', next, ..] if next.is_ascii_alphanumeric() => Some(Kind::Path),
        [b'%', ..] => {
            let name =
                rest[1..].iter().take(24).take_while(|b| b.is_ascii_alphabetic() || **b == b'_');
            let count = name.count();
            (count > 2 && rest[1 + count..].starts_with(b"%\\")).then_some(Kind::Path)
        }
        [b'/', ..] => {
            let is_root = |root: &str| {
                rest[1..].starts_with(root.as_bytes()) && rest.get(1 + root.len()) == Some(&b'/')
            };
            ROOTS.iter().any(|root| is_root(root)).then_some(Kind::Path)
        }
        [b'H' | b'h' | b'R', ..] => {
            let is_hive = |hive: &str| {
                rest.get(..hive.len())
                    .is_some_and(|found| found.eq_ignore_ascii_case(hive.as_bytes()))
                    && matches!(rest.get(hive.len()), Some(b'\\'))
            };
            HIVES.iter().any(|hive| is_hive(hive)).then_some(Kind::RegistryKey)
        }
        _ => None,
    }
}

/// Where the path that begins at `start` ends.
fn path_end(text: &str, start: usize, before: Option<char>, kind: Kind) -> usize {
    if let Some(close) = before.and_then(closing)
        && let Some(length) = near(text, start, PATH_BYTES_MAX).find(close)
    {
        return start + length;
    }
    let is_unix = text[start..].starts_with('/');
    let mut at = start;
    let mut last = ' ';
    while let Some(sign) = text[at..].chars().next() {
        let goes_on = match sign {
            '\t' | '\u{3000}' | '"' | '<' | '>' | '|' | '?' | ',' | ';' | '、' | '。' | '「'
            | '」' | '『' | '』' | '“' | '”' | '‘' | '’' | '`' | ']' | ')' => false,
            '(' => text[at..].starts_with("(x86)"),
            ' ' if is_unix => false,
            ' ' => last != ' ' && joins(text, start, at),
            sign if sign.is_ascii() => !sign.is_control(),
            sign => letter_goes_on(text, start, at, sign, last, kind),
        };
        if !goes_on || at - start > PATH_BYTES_MAX {
            break;
        }
        let step = if sign == '(' { "(x86)".len() } else { sign.len_utf8() };
        at += step;
        last = sign;
    }
    start + text[start..at].trim_end_matches(['.', ' ', ':', '\'', '*']).len()
}

/// The text from a place on, for so many bytes.
fn near(text: &str, from: usize, bytes_max: usize) -> &str {
    &text[from..text.floor_char_boundary((from + bytes_max).min(text.len()))]
}

/// Letters of other scripts stand in names of folders; prose that follows begins with hiragana.
fn letter_goes_on(text: &str, start: usize, at: usize, sign: char, last: char, kind: Kind) -> bool {
    if kind == Kind::RegistryKey || ends_as_file(text, start, at) || !sign.is_alphanumeric() {
        return false;
    }
    let is_hiragana = ('\u{3041}'..='\u{309f}').contains(&sign);
    !(is_hiragana && (last.is_ascii() || !near(text, at, AHEAD_BYTES).contains('\\')))
}

/// Whether a blank is part of the path: another part of it follows soon.
fn joins(text: &str, start: usize, at: usize) -> bool {
    if ends_as_file(text, start, at) {
        return false;
    }
    let mut end = (at + AHEAD_BYTES).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let ahead = &text[at + 1..end];
    let stop = ahead.find(['\t', '\u{3000}', '"', '<', '>', '|', ',', ';', '、', '。', '%']);
    let ahead = &ahead[..stop.unwrap_or(ahead.len())];
    let Some(cut) = ahead.find('\\') else {
        // `My Invoice.exe`: one word more, with an ending.
        let word = ahead.split(' ').next().unwrap_or_default();
        return ending(word).is_some() && word.is_ascii();
    };
    // Another path begins there, or prose stands between.
    let between = &ahead[..cut];
    !between.contains(':')
        && between.is_ascii()
        && between.matches(' ').count() <= 2
        && !HIVES.iter().any(|hive| between.ends_with(hive))
        && !between.ends_with(' ')
}

fn closing(open: char) -> Option<char> {
    Some(match open {
        '「' => '」',
        '『' => '』',
        '"' => '"',
        '“' => '”',
        '`' => '`',
        _ => return None,
    })
}

/// Names of files that stand alone or in quotes.
pub(super) fn names(text: &str, base: usize, taken: &mut [bool]) -> Vec<Candidate> {
    let mut all = quoted(text, base, taken);
    let mut at = 0;
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || "._-~+()[]{}#@!".contains(sign);
    for word in text.split(|sign: char| !is_part(sign)) {
        let start = at;
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
        let inner = word.trim_start_matches(['.', '-', '(', '[', '{']);
        let start = start + word.len() - inner.len();
        let inner = cut_ending(inner);
        // A part of a path or a URL is no name.
        let is_part = text[..start].ends_with(['\\', '/']) || taken.get(start) == Some(&true);
        if is_part || inner.len() > NAME_BYTES_MAX || ending(inner).is_none() || inner.contains('@')
        {
            continue;
        }
        let end = start + inner.len();
        let (start, is_prose) = with_letters(text, start);
        let mut candidate =
            Candidate::new(base + start, base + end, Kind::FileName, text[start..end].to_owned());
        candidate.is_doubtful = is_prose;
        taken[start..end].fill(true);
        all.push(candidate);
    }
    all
}

/// Where a name begins that has letters of other scripts in front; whether prose may be glued to it.
fn with_letters(text: &str, start: usize) -> (usize, bool) {
    let is_letter = |sign: &char| {
        !sign.is_ascii() && sign.is_alphanumeric() && !('\u{3041}'..='\u{309f}').contains(sign)
    };
    let letters = text[..start].chars().rev().take(NAME_BYTES_MAX / 4).take_while(is_letter);
    let from = start - letters.map(char::len_utf8).sum::<usize>();
    let before = text[..from].chars().next_back();
    let is_free = before.is_none_or(|sign| !sign.is_alphanumeric());
    if is_free { (from, false) } else { (start, from < start) }
}

/// Without what follows the ending: `a.exe)`.
fn cut_ending(word: &str) -> &str {
    word.trim_end_matches(['.', '-', ')', ']', '}', '(', '[', '{', '!', '#', '+', '~'])
}

fn quoted(text: &str, base: usize, taken: &mut [bool]) -> Vec<Candidate> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(sign) = text[at..].chars().next() {
        let from = at + sign.len_utf8();
        let length = closing(sign).and_then(|close| near(text, from, NAME_BYTES_MAX).find(close));
        let Some(length) = length else {
            at = from;
            continue;
        };
        let inner = &text[from..from + length];
        let is_name = ending(inner).is_some() && !inner.contains(['\\', '/', ',', '、']);
        if is_name && !taken[from] {
            taken[from..from + length].fill(true);
            let end = base + from + length;
            all.push(Candidate::new(base + from, end, Kind::FileName, inner.to_owned()));
        }
        at = from + length;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> (Kind, String) {
        let mut taken = vec![false; text.len()];
        let mut all = paths(text, 0, &mut taken);
        all.extend(names(text, 0, &mut taken));
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        (all[0].kind, all[0].value.clone())
    }

    #[test]
    fn a_path_ends_where_prose_begins() {
        for (text, path) in [
            (r"C:\Temp\a.exe を作成", r"C:\Temp\a.exe"),
            (r"C:\Temp\a.exeを作成", r"C:\Temp\a.exe"),
            (r"C:\Program Files (x86)\A B\c.dll.", r"C:\Program Files (x86)\A B\c.dll"),
            (r"「C:\Users\公開 用\請求書.exe」が", r"C:\Users\公開 用\請求書.exe"),
            (r"%APPDATA%\Micro soft\x.dat and", r"%APPDATA%\Micro soft\x.dat"),
            (r"C:\ProgramData\ に設置", r"C:\ProgramData\"),
            (r"C:\ProgramData\に設置", r"C:\ProgramData\"),
            (r"written to C:\Users\Public\run.vbs and", r"C:\Users\Public\run.vbs"),
            (r"\\192.0.2.1\share\a.exe", r"\\192.0.2.1\share\a.exe"),
            ("/tmp/.x/agent (mode 755)", "/tmp/.x/agent"),
        ] {
            assert_eq!(one(text), (Kind::Path, path.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_registry_key_may_hold_blanks() {
        let key = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon";
        assert_eq!(one(&format!("{key} を変更")), (Kind::RegistryKey, key.to_owned()));
        assert_eq!(one(&format!("{key}, then")), (Kind::RegistryKey, key.to_owned()));
    }

    #[test]
    fn a_name_in_quotes_may_hold_other_letters() {
        assert_eq!(
            one("ファイル「請求書 6月.zip」を"),
            (Kind::FileName, "請求書 6月.zip".to_owned())
        );
        assert_eq!(one("run setup_v2.exe now"), (Kind::FileName, "setup_v2.exe".to_owned()));
        assert_eq!(one("(invoice.pdf.js)."), (Kind::FileName, "invoice.pdf.js".to_owned()));
    }
}
