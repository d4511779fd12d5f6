//! Secrets are cut where they are read: what leaves is a fingerprint under the key of the house.
//!
//! A file that is one secret (by name, or because others may not read it and nothing says what it
//! holds) gives no bytes at all; in other files the secret parts are replaced by a reference
//! `{{ume-secret:FINGERPRINT}}`. Cutting too much costs a value that is looked up later; cutting too
//! little cannot be taken back, so doubt cuts.

mod line;
mod names;
#[cfg(test)]
mod planted;
mod shadow;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::fact::Fingerprint;

pub(crate) use names::{Holds, holds};
pub(crate) use shadow::{SHADOW_MARK, cut_debconf, cut_gshadow, cut_shadow};

/// Key of the fingerprints. Captures made under different keys are not comparable in layer 5.
#[derive(Clone)]
pub struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Names the key without telling it.
    pub fn id(&self) -> String {
        hex::encode(&self.print(b"id", b"").0[..8])
    }

    /// Of a secret. `purpose` keeps equal bytes of different use apart.
    pub fn print(&self, purpose: &[u8], secret: &[u8]) -> Fingerprint {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!("any length"));
        mac.update(purpose);
        mac.update(&[0]);
        mac.update(secret);
        let bytes = mac.finalize().into_bytes();
        let mut print = [0; 16];
        print.copy_from_slice(&bytes[..16]);
        Fingerprint(print)
    }
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FingerprintKey({})", self.id())
    }
}

/// As far as it is looked whether bytes are text.
const BINARY_LOOKED_AT: usize = 8_000;
/// Shortest line of base64 that counts as one of a private key.
const KEY_LINE_MIN: usize = 40;

/// What a reference to a secret begins with.
pub const REFERENCE: &str = "{{ume-secret:";

/// The text that stands for a secret.
pub fn reference(print: &Fingerprint) -> String {
    format!("{REFERENCE}{}}}}}", hex::encode(print.0))
}

/// A text without its secrets, and their fingerprints with the line of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub bytes: Vec<u8>,
    pub prints: Vec<(u32, Fingerprint)>,
}

/// Cuts secrets out of a text. `directives` says that in this file words after a keyword are
/// settings, not secrets (`PasswordAuthentication yes`); `is_path` knows what is a path on the host.
pub(crate) fn cut_text(
    bytes: &[u8],
    key: &FingerprintKey,
    directives: bool,
    is_path: &dyn Fn(&[u8]) -> bool,
) -> Cut {
    let mut cut = Cut { bytes: Vec::with_capacity(bytes.len()), prints: Vec::new() };
    // Begin of a private key that is being left out, and its line.
    let mut block: Option<(Vec<u8>, u32)> = None;
    let mut public = false;
    for (number, whole) in (1u32..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let text = whole.strip_suffix(b"\n").unwrap_or(whole);
        if let Some((held, from)) = &mut block {
            held.extend_from_slice(whole);
            if contains(text, b"-----END ") {
                let print = key.print(b"value", held);
                cut.prints.push((*from, print));
                cut.bytes.extend_from_slice(reference(&print).as_bytes());
                cut.bytes.extend_from_slice(&whole[text.len()..]);
                block = None;
            }
            continue;
        }
        if contains(text, b"-----BEGIN ") && contains(text, b"PRIVATE KEY") {
            if !contains(text, b"-----END ") {
                block = Some((whole.to_vec(), number));
                continue;
            }
            let print = key.print(b"value", text);
            cut.prints.push((number, print));
            cut.bytes.extend_from_slice(reference(&print).as_bytes());
            cut.bytes.extend_from_slice(&whole[text.len()..]);
            continue;
        }
        // Certificates and public keys are long and random, and no secret.
        public |= contains(text, b"-----BEGIN ");
        public &= !contains(text, b"-----END ");
        if public {
            cut.bytes.extend_from_slice(whole);
            continue;
        }
        let mut at = 0;
        for (from, to) in line::secrets(text, directives, is_path) {
            let print = key.print(b"value", &text[from..to]);
            cut.prints.push((number, print));
            cut.bytes.extend_from_slice(&text[at..from]);
            cut.bytes.extend_from_slice(reference(&print).as_bytes());
            at = to;
        }
        cut.bytes.extend_from_slice(&whole[at..]);
    }
    // A key without end is still a key.
    if let Some((held, from)) = block {
        let print = key.print(b"value", &held);
        cut.prints.push((from, print));
        cut.bytes.extend_from_slice(reference(&print).as_bytes());
    }
    cut
}

/// Bytes that text rules would tear apart, so nothing could be built again from what they leave.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(BINARY_LOOKED_AT)].contains(&0)
}

/// Whether a binary holds a secret. A program is full of words that only speak of secrets, so there
/// a whole key or a token of a known issuer counts; in other binaries, all that counts in a text.
pub(crate) fn binary_holds_secret(bytes: &[u8], key: &FingerprintKey) -> bool {
    if !bytes.starts_with(b"\x7fELF") {
        return !cut_text(bytes, key, false, &|_| false).prints.is_empty();
    }
    let begins = memchr::memmem::find_iter(bytes, b"PRIVATE KEY-----");
    if begins.into_iter().any(|at| holds_base64(&bytes[at + 16..])) {
        return true;
    }
    bytes.split(|byte| !byte.is_ascii_graphic()).any(|word| {
        let mut found = Vec::new();
        line::tokens(word, &mut found);
        !found.is_empty()
    })
}

/// Whether a line of a key follows, which a program that only knows the words does not hold.
fn holds_base64(rest: &[u8]) -> bool {
    let line = rest.iter().skip_while(|byte| byte.is_ascii_whitespace());
    line.take_while(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)).count() >= KEY_LINE_MIN
}

pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str) -> String {
        let key = FingerprintKey::new([1; 32]);
        let cut = cut_text(text.as_bytes(), &key, false, &|path| path == b"/etc/ssl/x.key");
        let text = String::from_utf8(cut.bytes).expect("UTF-8");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(REFERENCE) {
            out.push_str(before);
            out.push('§');
            rest = &after[34..];
        }
        out + rest
    }

    #[test]
    fn secrets_are_cut_in_the_formats_of_the_field() {
        for (given, expected) in [
            ("password = hunter two", "password = §"),
            ("  \"api_key\": \"abc\", \"x\": 1", "  \"api_key\": \"§\", \"x\": 1"),
            ("export DB_PASSWORD='a b'; run", "export DB_PASSWORD='§'; run"),
            ("$dbpass = 'geheim';", "$dbpass = '§';"),
            ("define('DB_PASSWORD', 'x1');", "define('DB_PASSWORD', '§');"),
            ("<password>x</password>", "<password>§</password>"),
            ("machine h login u password p", "machine h login u password §"),
            ("curl https://u:p@h/x", "curl https://u:§@h/x"),
            ("x --password hunter2 -v", "x --password § -v"),
            ("x --password=hunter2 -v", "x --password=§ -v"),
            ("mysql -uroot -pgeheim db", "mysql -uroot -p§ db"),
            ("curl -u me:geheim h", "curl -u me:§ h"),
            ("-H 'Authorization: Bearer abc.d'", "-H 'Authorization: Bearer §'"),
            ("admin:$apr1$abc$def", "admin:§"),
            ("requirepass foobared", "requirepass §"),
            ("rootpw {SSHA}abcdef", "rootpw §"),
            ("PrivateKey = aGVsbG8=", "PrivateKey = §"),
            ("psk=\"my wlan\"", "psk=\"§\""),
            ("rocommunity public 10.0.0.0/8", "rocommunity § 10.0.0.0/8"),
            ("createUser u SHA \"authpass\" AES \"privpass\"", "createUser u SHA \"§\" AES \"§\""),
            ("see AKIAIOSFODNN7EXAMPLE there", "see § there"),
            ("x ghp_0123456789abcdefghijABCDEFGHIJ012345", "x §"),
            (
                "//s/x /m cifs rw,password=geheim,nosuid 0 0",
                "//s/x /m cifs rw,password=§,nosuid 0 0",
            ),
            ("Environment=\"TOKEN=abc\" \"A=b\"", "Environment=\"TOKEN=§\" \"A=b\""),
            ("# password: hunter2", "# password: §"),
        ] {
            assert_eq!(cut(given), expected, "{given}");
        }
    }

    #[test]
    fn what_only_speaks_of_secrets_stays() {
        for given in [
            "PASS_MAX_DAYS 99999",
            "PasswordAuthentication yes",
            "ssl_certificate_key /etc/ssl/x.key;",
            "# Set a password for the database before use",
            "passwd: files systemd",
            "server_tokens off;",
            "password required pam_unix.so obscure",
            "run-parts /etc/cron.daily",
            "AuthorizedKeysFile .ssh/authorized_keys",
            "HostKeyAlgorithms sk-ssh-ed25519-cert-v01@openssh.com",
        ] {
            let key = FingerprintKey::new([1; 32]);
            let cut = cut_text(given.as_bytes(), &key, true, &|path| path == b"/etc/ssl/x.key");
            assert_eq!(String::from_utf8_lossy(&cut.bytes), given);
        }
    }

    #[test]
    fn a_program_is_kept_whole_unless_it_holds_a_key_beyond_doubt() {
        let key = FingerprintKey::new([1; 32]);
        let holds = |rest: &[u8]| binary_holds_secret(&[b"\x7fELF\0\0", rest].concat(), &key);
        assert!(!holds(b"password=%s\0-----BEGIN RSA PRIVATE KEY-----\n\0Bearer x\0"));
        let line = [b'A'; 64];
        assert!(holds(&[b"\0-----BEGIN RSA PRIVATE KEY-----\n", &line[..], b"\n"].concat()));
        assert!(holds(b"\0ghp_0123456789abcdefghijABCDEFGHIJ012345\0"));
        assert!(binary_holds_secret(b"SQLite\0\npassword = hunter2\n\0", &key));
        assert!(!binary_holds_secret(b"SQLite\0\nname = hunter2\n\0", &key));
    }

    #[test]
    fn private_keys_go_whole_and_certificates_stay() {
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n";
        assert_eq!(cut(&format!("a\n{key}b\n")), "a\n§\nb\n");
        assert_eq!(cut("-----BEGIN RSA PRIVATE KEY-----\nabc"), "§");
        let certificate = "-----BEGIN CERTIFICATE-----\npassword=x\n-----END CERTIFICATE-----\n";
        assert_eq!(cut(certificate), certificate);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let key = FingerprintKey::new([1; 32]);
            let cut = cut_text(&bytes, &key, false, &|_| false);
            if cut.prints.is_empty() {
                prop_assert_eq!(cut.bytes, bytes);
            }
        }

        #[test]
        fn an_assigned_secret_never_comes_out(
            name in "(db_|SMTP-|)(password|passwd|secret|token|api_key|psk)",
            separator in "( = |=|: |:|=> )",
            secret in "[A-Za-z0-9!#%+*-]{9,40}",
        ) {
            let key = FingerprintKey::new([1; 32]);
            let line = format!("{name}{separator}{secret}\n");
            let cut = cut_text(line.as_bytes(), &key, false, &|_| false);
            prop_assert!(!contains(&cut.bytes, secret.as_bytes()), "{line}");
        }
    }
}
