//! Hashes, by the names of each format.

/// A hash function. Names that no format of ours knows are kept in [`Algorithm::Other`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// RFC 1319.
    Md2,
    /// RFC 1320.
    Md4,
    /// RFC 1321.
    Md5,
    /// MD6.
    Md6,
    /// FIPS 180.
    Sha1,
    /// FIPS 180.
    Sha224,
    /// FIPS 180.
    Sha256,
    /// FIPS 180.
    Sha384,
    /// FIPS 180.
    Sha512,
    /// FIPS 202.
    Sha3_256,
    /// FIPS 202.
    Sha3_384,
    /// FIPS 202.
    Sha3_512,
    /// RFC 7693.
    Blake2b256,
    /// RFC 7693.
    Blake2b384,
    /// RFC 7693.
    Blake2b512,
    /// BLAKE3.
    Blake3,
    /// RFC 1950.
    Adler32,
    /// GOST R 34.11-2012, 256 bits.
    Streebog256,
    /// GOST R 34.11-2012, 512 bits.
    Streebog512,
    /// As it was written.
    Other(String),
}

use Algorithm as A;

/// Algorithm, name in CycloneDX, in SPDX 2, in SPDX 3, hexadecimal digits (0: any).
const NAMES: [(Algorithm, &str, &str, &str, usize); 19] = [
    (A::Md2, "", "MD2", "md2", 32),
    (A::Md4, "", "MD4", "md4", 32),
    (A::Md5, "MD5", "MD5", "md5", 32),
    (A::Md6, "", "MD6", "md6", 0),
    (A::Sha1, "SHA-1", "SHA1", "sha1", 40),
    (A::Sha224, "", "SHA224", "sha224", 56),
    (A::Sha256, "SHA-256", "SHA256", "sha256", 64),
    (A::Sha384, "SHA-384", "SHA384", "sha384", 96),
    (A::Sha512, "SHA-512", "SHA512", "sha512", 128),
    (A::Sha3_256, "SHA3-256", "SHA3-256", "sha3_256", 64),
    (A::Sha3_384, "SHA3-384", "SHA3-384", "sha3_384", 96),
    (A::Sha3_512, "SHA3-512", "SHA3-512", "sha3_512", 128),
    (A::Blake2b256, "BLAKE2b-256", "BLAKE2b-256", "blake2b256", 64),
    (A::Blake2b384, "BLAKE2b-384", "BLAKE2b-384", "blake2b384", 96),
    (A::Blake2b512, "BLAKE2b-512", "BLAKE2b-512", "blake2b512", 128),
    (A::Blake3, "BLAKE3", "BLAKE3", "blake3", 0),
    (A::Adler32, "", "ADLER32", "adler32", 8),
    (A::Streebog256, "Streebog-256", "", "", 64),
    (A::Streebog512, "Streebog-512", "", "", 128),
];

impl Algorithm {
    fn row(&self) -> Option<&'static (Algorithm, &'static str, &'static str, &'static str, usize)> {
        NAMES.iter().find(|row| row.0 == *self)
    }

    /// By its name in CycloneDX.
    pub fn cyclonedx(name: &str) -> Algorithm {
        by(|row| row.1 == name, name)
    }

    /// By its name in SPDX 2.
    pub fn spdx2(name: &str) -> Algorithm {
        by(|row| row.2 == name, name)
    }

    /// By its name in SPDX 3.
    pub fn spdx3(name: &str) -> Algorithm {
        by(|row| row.3 == name, name)
    }

    /// The name in CycloneDX; `None` where it has none.
    pub fn to_cyclonedx(&self) -> Option<&str> {
        self.name(|row| row.1)
    }

    /// The name in SPDX 2; `None` where it has none.
    pub fn to_spdx2(&self) -> Option<&str> {
        self.name(|row| row.2)
    }

    /// The name in SPDX 3; `None` where it has none.
    pub fn to_spdx3(&self) -> Option<&str> {
        self.name(|row| row.3)
    }

    /// How many hexadecimal digits a value has; `None` where several lengths are possible.
    pub fn digits(&self) -> Option<usize> {
        self.row().map(|row| row.4).filter(|digits| *digits > 0)
    }

    fn name(
        &self,
        of: fn(&(Algorithm, &'static str, &'static str, &'static str, usize)) -> &'static str,
    ) -> Option<&str> {
        match self {
            A::Other(name) => Some(name),
            known => known.row().map(of).filter(|name| !name.is_empty()),
        }
    }
}

fn by(
    is: impl Fn(&(Algorithm, &'static str, &'static str, &'static str, usize)) -> bool,
    name: &str,
) -> Algorithm {
    if name.is_empty() {
        return A::Other(String::new());
    }
    NAMES.iter().find(|row| is(row)).map_or_else(|| A::Other(name.into()), |row| row.0.clone())
}

/// A hash of a component.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash {
    /// The function.
    pub algorithm: Algorithm,
    /// Hexadecimal digits as written.
    pub value: String,
}
