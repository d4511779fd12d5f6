//! CEF and LEEF, in which products of many makers speak to collectors.

use super::{CLASS_FINDING, CLASS_NETWORK, Draft, Shape};

/// `CEF:0|vendor|product|version|id|name|severity|key=value …`; `false` if it is none.
pub fn read_cef(draft: &mut Draft, text: &str) -> bool {
    let Some(rest) = text.strip_prefix("CEF:") else { return false };
    let Some((head, extension)) = columns::<7>(rest) else { return false };
    for (name, value) in [
        "",
        "DeviceVendor",
        "DeviceProduct",
        "DeviceVersion",
        "DeviceEventClassID",
        "Name",
        "Severity",
    ]
    .iter()
    .zip(&head)
    .skip(1)
    {
        draft.set_some(name, value);
    }
    for (name, value) in extension_pairs(extension) {
        draft.set_some(name, &value);
    }
    draft.shape = Some(Shape::Cef);
    draft.severity = severity_of_ten(&head[6]);
    vendor(draft, text, &head[1], &head[2], &head[5]);
    true
}

/// `LEEF:1.0|vendor|product|version|id|key=value<tab>…`, LEEF 2.0 with a separator of its own.
pub fn read_leef(draft: &mut Draft, text: &str) -> bool {
    let Some(rest) = text.strip_prefix("LEEF:") else { return false };
    let Some((head, extension)) = columns::<5>(rest) else { return false };
    let (separator, extension) = match extension.split_once('|') {
        Some((sign, after)) if head[0].starts_with('2') && sign.len() <= 6 => {
            (leef_separator(sign), after)
        }
        _ => ('\t', extension),
    };
    for (name, value) in
        ["", "DeviceVendor", "DeviceProduct", "DeviceVersion", "EventID"].iter().zip(&head).skip(1)
    {
        draft.set_some(name, value);
    }
    for (name, value) in extension.split(separator).filter_map(|part| part.split_once('=')) {
        draft.set_some(name.trim(), value);
    }
    draft.shape = Some(Shape::Leef);
    draft.severity = draft.get("sev").map_or(0, severity_of_ten);
    vendor(draft, text, &head[1], &head[2], &head[4]);
    true
}

fn leef_separator(sign: &str) -> char {
    let number = sign.strip_prefix("0x").or(sign.strip_prefix('x'));
    let code = number.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
    code.or(sign.chars().next()).unwrap_or('\t')
}

fn severity_of_ten(text: &str) -> u8 {
    match text.trim().to_ascii_lowercase().as_str() {
        "0" | "1" | "2" | "3" | "low" => 2,
        "4" | "5" | "6" | "medium" => 3,
        "7" | "8" | "high" => 4,
        "9" | "10" | "very-high" => 5,
        _ => 0,
    }
}

/// What CEF and LEEF have in common.
fn vendor(draft: &mut Draft, text: &str, vendor: &str, product: &str, name: &str) {
    draft.message = Some(text.to_owned());
    draft.set("vendor", vendor);
    draft.set("product", product);
    draft.set_some("event_name", name);
    for (own, theirs) in [
        ("src_ip", "src"),
        ("dst_ip", "dst"),
        ("src_port", "spt"),
        ("src_port", "srcPort"),
        ("dst_port", "dpt"),
        ("dst_port", "dstPort"),
        ("protocol", "proto"),
        ("user", "suser"),
        ("user", "usrName"),
        ("target_user", "duser"),
        ("action", "act"),
        ("action", "action"),
        ("c-uri", "request"),
        ("Filename", "fname"),
    ] {
        draft.alias(own, theirs);
    }
    let words =
        format!("{product} {}", draft.get("event_name").unwrap_or_default()).to_ascii_lowercase();
    let is_tool = ["virus", "malware", "threat", "intrusion", "ips", "ids", "edr", "exploit"];
    draft.class = match () {
        () if is_tool.iter().any(|word| {
            words
                .split(|c: char| !c.is_alphanumeric())
                .any(|w| w.contains(word) && w.len() < word.len() + 4)
        }) =>
        {
            CLASS_FINDING
        }
        () if draft.get("src_ip").is_some() && draft.get("dst_ip").is_some() => CLASS_NETWORK,
        () => draft.class,
    };
}

/// `N` columns between bars, `\|` and `\\` resolved, and the rest.
fn columns<const N: usize>(text: &str) -> Option<([String; N], &str)> {
    let mut found: [String; N] = std::array::from_fn(|_| String::new());
    let (mut at, mut escaped) = (0, false);
    for (place, c) in text.char_indices() {
        match c {
            _ if escaped => {
                found[at].push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '|' if at + 1 == N => return Some((found, &text[place + 1..])),
            '|' => at += 1,
            c => found[at].push(c),
        }
    }
    None
}

/// CEF's extension: values may hold spaces, so a value goes up to the next ` name=`; `\=` is no such sign.
fn extension_pairs(text: &str) -> Vec<(&str, String)> {
    let mut signs: Vec<(usize, usize)> = Vec::new();
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('=') {
        if at > 0 && bytes[at - 1] == b'\\' {
            continue;
        }
        let is_name =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'[' | b']');
        let length = bytes[..at].iter().rev().take(64).take_while(|b| is_name(b)).count();
        let begin = at - length;
        if length > 0 && (begin == 0 || bytes[begin - 1] == b' ') {
            signs.push((begin, at));
        }
    }
    let mut found = Vec::with_capacity(signs.len());
    for (place, (begin, at)) in signs.iter().enumerate() {
        let end = signs.get(place + 1).map_or(text.len(), |(next, _)| next - 1).max(at + 1);
        found.push((&text[*begin..*at], unescaped(text[at + 1..end].trim_end())));
    }
    found
}

fn unescaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'r') => value.push('\n'),
                Some(other @ ('=' | '\\' | '|')) => value.push(other),
                Some(other) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            c => value.push(c),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn cef_and_leef() {
        check(
            "<134>Jan  1 10:00:00 h CEF:0|Some\\|Vendor|Fire wall|1|100|Blocked|8|src=192.0.2.7 dst=10.0.0.1 spt=5 dpt=443 msg=a b\\=c d act=blocked suser=mika request=http://x/?a\\=b",
            4001,
            &[
                ("vendor", "Some|Vendor"),
                ("src_ip", "192.0.2.7"),
                ("dst_port", "443"),
                ("msg", "a b=c d"),
                ("action", "blocked"),
                ("user", "mika"),
                ("c-uri", "http://x/?a=b"),
            ],
        );
        check(
            "CEF:0|V|Antivirus|1|1|Malware detected|10|fname=x.exe",
            2004,
            &[("Filename", "x.exe")],
        );
        check(
            "LEEF:2.0|Vendor|Product|1|login|^|src=192.0.2.7^usrName=mika^sev=9",
            0,
            &[("src_ip", "192.0.2.7"), ("user", "mika"), ("EventID", "login")],
        );
        check(
            "LEEF:1.0|V|P|1|7|src=192.0.2.7\tdst=10.0.0.1\tdstPort=22",
            4001,
            &[("dst_port", "22")],
        );
    }
}
