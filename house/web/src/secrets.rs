//! Passwords (argon2id, RFC 9106) and one-time codes (TOTP, RFC 6238).

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use totp_rs::{Builder, Secret, Totp};

const PASSWORD_CHARS_MIN: usize = 12;
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weak {
    Short,
    Long,
    Leaked,
    LikeLogin,
}

/// Holds a new password against the rules.
pub fn judge_password(password: &str, login: &str) -> Result<(), Weak> {
    let folded = password.to_lowercase();
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(Weak::Long);
    }
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(Weak::Short);
    }
    if crate::words::is_common(password) {
        return Err(Weak::Leaked);
    }
    if !login.is_empty() && folded.contains(&login.to_lowercase()) {
        return Err(Weak::LikeLogin);
    }
    Ok(())
}

/// Hashes a password; takes tens of milliseconds on purpose, so call it off the async threads.
pub fn hash_password(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Whether the password fits the hash. With no hash it does the same work and says no, so that time
/// does not tell whether an account exists.
pub fn verify_password(password: &str, hash: Option<&str>) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let Some(hash) = hash else {
        let _ = hash_password(password);
        return false;
    };
    PasswordHash::new(hash)
        .is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok())
}

/// So many random bytes as words of four base32 letters, for people to read and type.
pub fn random_words<const N: usize>() -> Option<String> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).ok()?;
    let letters = Secret::from(bytes.to_vec()).to_base32();
    let letters: Vec<char> = letters.chars().filter(|c| *c != '=').collect();
    let words: Vec<String> = letters.chunks(4).map(|word| word.iter().collect()).collect();
    Some(words.join("-"))
}

/// A new TOTP secret in base32.
pub fn new_totp_secret() -> Option<String> {
    let mut bytes = [0u8; 20];
    getrandom::fill(&mut bytes).ok()?;
    Some(Secret::from(bytes.to_vec()).to_base32())
}

fn totp(secret: &str, login: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(secret).ok()?;
    Builder::new()
        .with_secret(secret)
        .with_issuer(Some("Ume"))
        .with_account_name(login)
        .build()
        .ok()
}

/// The `otpauth://` address an authenticator takes.
pub fn totp_url(secret: &str, login: &str) -> Option<String> {
    totp(secret, login)?.to_url().ok()
}

/// The time step a code belongs to, if it is right within one step of `unix_seconds`.
pub fn totp_step(secret: &str, login: &str, code: &str, unix_seconds: u64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let step = totp(secret, login)?.check(&code, unix_seconds)?;
    i64::try_from(step).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_refused_with_the_rule_it_breaks() {
        assert_eq!(judge_password("short", "a"), Err(Weak::Short));
        assert_eq!(judge_password("Passwordpassword", "a"), Err(Weak::Leaked));
        assert_eq!(judge_password("my-umeko-secret", "umeko"), Err(Weak::LikeLogin));
        assert_eq!(judge_password(&"x".repeat(2_000), "a"), Err(Weak::Long));
        assert_eq!(judge_password("梅の花が咲いた春の日よ", "umeko"), Err(Weak::Short));
        assert_eq!(judge_password("plum blossoms in march", "umeko"), Ok(()));
    }

    #[test]
    fn random_words_hold_every_bit_and_differ() {
        let code = random_words::<10>().expect("random");
        assert_eq!((code.len(), code.matches('-').count()), (19, 3));
        assert_ne!(Some(code), random_words::<10>());
        assert_eq!(random_words::<15>().map(|w| w.len()), Some(29));
    }

    #[test]
    fn a_hash_fits_its_own_password_only() {
        let hash = hash_password("plum blossoms in march").expect("hash");
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password("plum blossoms in march", Some(&hash)));
        assert!(!verify_password("plum blossoms in april", Some(&hash)));
        assert!(!verify_password("plum blossoms in march", None));
    }

    #[test]
    fn a_code_belongs_to_its_step_and_old_codes_fail() {
        // RFC 6238 appendix B, SHA-1, secret "12345678901234567890": T=59 gives 94287082.
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let step = totp_step(secret, "umeko", "287082", 59);
        assert!(step.is_some());
        assert_eq!(totp_step(secret, "umeko", "287 082", 59), step);
        assert_eq!(totp_step(secret, "umeko", "287082", 590), None);
    }
}
