//! Of shadow stay lock, scheme and ageing; the hash becomes a fingerprint.
//!
//! The password field becomes one of: nothing (no password asked), `*`, `!…` without hash as it is,
//! or `[!]$ume$SCHEME$FINGERPRINT`. What is no entry is left out but for its line, so that line
//! numbers stay.

use super::{Cut, FingerprintKey};

/// What a cut password begins with.
pub(crate) const SHADOW_MARK: &str = "$ume$";

pub(crate) fn cut_shadow(bytes: &[u8], key: &FingerprintKey) -> Cut {
    cut_fields(bytes, key, 9)
}

/// gshadow has four fields.
pub(crate) fn cut_gshadow(bytes: &[u8], key: &FingerprintKey) -> Cut {
    cut_fields(bytes, key, 4)
}

fn cut_fields(bytes: &[u8], key: &FingerprintKey, count: usize) -> Cut {
    let mut cut = Cut::default();
    for (number, line) in (1u32..).zip(bytes.split(|byte| *byte == b'\n')) {
        if number > 1 {
            cut.bytes.push(b'\n');
        }
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        if fields.len() < 2 {
            // Even a broken line may hold a hash.
            if !line.is_empty() {
                cut.bytes.extend_from_slice(b"?");
            }
            continue;
        }
        cut.bytes.extend_from_slice(fields[0]);
        cut.bytes.push(b':');
        let locks = fields[1].iter().take_while(|byte| **byte == b'!').count();
        let (lock, hash) = fields[1].split_at(locks);
        cut.bytes.extend_from_slice(lock);
        if hash.is_empty() || hash == b"*" || (locks > 0 && hash == b"x") {
            cut.bytes.extend_from_slice(hash);
        } else {
            let print = key.print(b"shadow", hash);
            cut.prints.push((number, print));
            let scheme = scheme(hash);
            let text = format!("{SHADOW_MARK}{scheme}${}", hex::encode(print.0));
            cut.bytes.extend_from_slice(text.as_bytes());
        }
        let plain = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
        for field in fields.iter().skip(2).take(count.saturating_sub(2)) {
            cut.bytes.push(b':');
            // Ageing is numbers; members of gshadow are names.
            if count == 4 || field.iter().all(plain) {
                cut.bytes.extend_from_slice(field);
            } else {
                cut.bytes.push(b'?');
            }
        }
    }
    cut
}

/// Answers of debconf whose question speaks of a secret; the others are cut as any text is.
pub(crate) fn cut_debconf(bytes: &[u8], key: &FingerprintKey) -> Cut {
    const WORDS: [&[u8]; 6] = [b"pass", b"secret", b"token", b"key", b"credential", b"pw"];
    let mut secret = false;
    let mut cut = Cut::default();
    for (number, whole) in (1u32..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let text = whole.strip_suffix(b"\n").unwrap_or(whole);
        if let Some(name) = text.strip_prefix(b"Name:") {
            let name = name.to_ascii_lowercase();
            secret = WORDS.iter().any(|word| super::contains(&name, word));
        }
        match text.strip_prefix(b"Value:").map(<[u8]>::trim_ascii) {
            Some(value) if secret && !matches!(value, b"" | b"true" | b"false") => {
                let print = key.print(b"value", value);
                cut.prints.push((number, print));
                cut.bytes.extend_from_slice(b"Value: ");
                cut.bytes.extend_from_slice(super::reference(&print).as_bytes());
                cut.bytes.extend_from_slice(&whole[text.len()..]);
            }
            _ => {
                let one = super::cut_text(whole, key, true, &|_| false);
                cut.prints.extend(one.prints.into_iter().map(|(_, print)| (number, print)));
                cut.bytes.extend_from_slice(&one.bytes);
            }
        }
    }
    cut
}

/// The prefix of crypt(5) by name.
fn scheme(hash: &[u8]) -> &'static str {
    const SCHEMES: [(&[u8], &str); 12] = [
        (b"$y$", "yescrypt"),
        (b"$gy$", "gost-yescrypt"),
        (b"$7$", "scrypt"),
        (b"$6$", "sha512"),
        (b"$5$", "sha256"),
        (b"$2a$", "bcrypt"),
        (b"$2b$", "bcrypt"),
        (b"$2x$", "bcrypt"),
        (b"$2y$", "bcrypt"),
        (b"$1$", "md5"),
        (b"$3$", "nthash"),
        (b"_", "bsdi"),
    ];
    let known = SCHEMES.iter().find(|(prefix, _)| hash.starts_with(prefix)).map(|(_, name)| *name);
    known.unwrap_or(if hash.len() == 13 { "des" } else { "unknown" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_becomes_a_scheme_and_a_fingerprint() {
        let key = FingerprintKey::new([9; 32]);
        let text = b"a:$y$SECRET$H:19000:0:99999:7:::\nb:!$6$SECRET$H:1:\nc:!*:1:\nd::1:\ne:!:1:\nSECRET\nf:SECRET:SECRET:\n";
        let cut = cut_shadow(text, &key);
        let out = String::from_utf8(cut.bytes).expect("UTF-8");
        assert!(!out.contains("SECRET"), "{out}");
        let lines: Vec<&str> = out.split('\n').collect();
        assert!(
            lines[0].starts_with("a:$ume$yescrypt$") && lines[0].ends_with(":19000:0:99999:7:::")
        );
        assert!(lines[1].starts_with("b:!$ume$sha512$"));
        assert_eq!(lines[2..6], ["c:!*:1:", "d::1:", "e:!:1:", "?"]);
        assert_eq!(cut.prints.len(), 3);
    }
}
