//! Passwords (argon2id, RFC 9106) and one-time codes (TOTP, RFC 6238).

use std::sync::{Mutex, PoisonError};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
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

/// Work memory of past hashes. Each hash needs 19 MiB; left to the allocator, every thread that ever
/// computed one would keep as much.
static SPARE: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());
const SPARE_MAX: usize = 2;
const SALT_BYTES: usize = 16;

fn argon2_into(argon2: &Argon2, password: &str, salt: &[u8], out: &mut [u8]) -> Option<()> {
    let spare = || SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut memory = spare().pop().unwrap_or_default();
    memory.resize(argon2.params().block_count(), Block::default());
    let done =
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut memory[..]);
    let mut spare = spare();
    if spare.len() < SPARE_MAX {
        spare.push(memory);
    }
    done.ok()
}

/// Hashes a password; takes tens of milliseconds on purpose, so call it off the async threads.
pub fn hash_password(password: &str) -> Option<String> {
    let (mut salt, mut out) = ([0u8; SALT_BYTES], [0u8; Params::DEFAULT_OUTPUT_LEN]);
    getrandom::fill(&mut salt).ok()?;
    let argon2 = Argon2::default();
    argon2_into(&argon2, password, &salt, &mut out)?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).ok()?,
        salt: Some(Salt::new(&salt).ok()?),
        hash: Some(Output::new(&out).ok()?),
    };
    Some(hash.to_string())
}

fn fits(password: &str, hash: &str) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm: Algorithm = hash.algorithm.as_str().parse().ok()?;
    let version = Version::try_from(hash.version?).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
    let (salt, expected) = (hash.salt?, hash.hash?);
    let mut out = [0u8; Output::MAX_LENGTH];
    let out = out.get_mut(..expected.len())?;
    argon2_into(&argon2, password, &salt, out)?;
    // `Output` compares in constant time.
    Some(Output::new(out).ok()? == expected)
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
    fits(password, hash).unwrap_or(false)
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
    fn hashes_are_those_of_the_library_whatever_the_memory_held_before() {
        use argon2::password_hash::{PasswordHasher, PasswordVerifier};
        let theirs = Argon2::default().hash_password(b"plum blossoms in march").expect("hash");
        for _ in 0..2 {
            let ours = hash_password("plum blossoms in march").expect("hash");
            let ours = PasswordHash::new(&ours).expect("hash");
            let argon2 = Argon2::default();
            assert!(argon2.verify_password(b"plum blossoms in march", &ours).is_ok());
            assert!(verify_password("plum blossoms in march", Some(&theirs.to_string())));
        }
        assert!(!verify_password("plum blossoms in march", Some("!")));
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
