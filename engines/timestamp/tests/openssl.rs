//! Held against `openssl ts`, an authority that shares nothing with this crate, and against tokens that
//! no honest authority gives out, made with `openssl cms`.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use timestamp::{Anchors, Request, StampError, verify, verify_kept};

const DATA: &[u8] = b"example.com/log\n5\nroot\n";
const DAY: i64 = 86_400;

const CONFIG: &str = "
[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[not_ca]
basicConstraints = critical,CA:FALSE
[signer]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[no_usage]
basicConstraints = CA:FALSE
[uncritical]
extendedKeyUsage = timeStamping
[two]
extendedKeyUsage = critical,timeStamping,codeSigning
[unknown]
extendedKeyUsage = critical,timeStamping
1.2.3.4.5 = critical,ASN1:NULL
[dn]
";

/// A folder with a root, an authority below it, and what openssl needs.
struct Authority {
    folder: tempfile::TempDir,
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

impl Authority {
    /// None, with a word, where there is no openssl.
    fn new(algorithm: &[&str]) -> Option<Authority> {
        if Command::new("openssl").arg("version").output().is_err() {
            println!("skipped: no openssl");
            return None;
        }
        let authority = Authority { folder: tempfile::tempdir().unwrap() };
        fs::write(authority.path("config"), CONFIG).unwrap();
        fs::write(authority.path("serial"), "01\n").unwrap();
        authority.root("root", algorithm);
        authority.certificate("tsa", "root", "signer", algorithm, 1);
        Some(authority)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn openssl(&self, args: &[&str]) {
        let output =
            Command::new("openssl").args(args).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn key(&self, name: &str, algorithm: &[&str]) {
        let out = format!("{name}.key");
        self.openssl(&[&["genpkey", "-out", &out, "-algorithm"][..], algorithm].concat());
    }

    fn root(&self, name: &str, algorithm: &[&str]) {
        self.key(name, algorithm);
        let (key, out, subject) =
            (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
        self.openssl(&[
            "req",
            "-x509",
            "-config",
            "config",
            "-extensions",
            "ca",
            "-days",
            "30",
            "-key",
            &key,
            "-out",
            &out,
            "-subj",
            &subject,
        ]);
    }

    fn certificate(
        &self,
        name: &str,
        issuer: &str,
        extensions: &str,
        algorithm: &[&str],
        days: u32,
    ) {
        self.key(name, algorithm);
        let (key, request, out) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let (ca, ca_key) = (format!("{issuer}.pem"), format!("{issuer}.key"));
        let (subject, days) = (format!("/O=Example/CN={name}"), days.to_string());
        self.openssl(&[
            "req", "-new", "-config", "config", "-key", &key, "-out", &request, "-subj", &subject,
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            &days,
            "-extfile",
            "config",
            "-extensions",
            extensions,
            "-out",
            &out,
        ]);
    }

    /// The answer of `openssl ts` to a request.
    fn answer(&self, request: &Request, signer: &str, chain: &str) -> Vec<u8> {
        fs::write(self.path("query"), request.to_der()).unwrap();
        let (key, signer) = (format!("{signer}.key"), format!("{signer}.pem"));
        let chain = format!("{chain}.pem");
        self.openssl(&[
            "ts",
            "-reply",
            "-config",
            "config",
            "-section",
            "tsa1",
            "-queryfile",
            "query",
            "-signer",
            &signer,
            "-inkey",
            &key,
            "-chain",
            &chain,
            "-out",
            "reply",
        ]);
        self.read("reply")
    }

    /// An answer over a changed statement, or of a certificate that `openssl ts` would not use.
    fn forged(
        &self,
        request: &Request,
        signer: &str,
        change: impl FnOnce(Vec<u8>) -> Vec<u8>,
        more: &[&str],
    ) -> Vec<u8> {
        self.answer(request, "tsa", "root");
        self.openssl(&["ts", "-reply", "-in", "reply", "-token_out", "-out", "token"]);
        self.openssl(&[
            "cms",
            "-verify",
            "-noverify",
            "-inform",
            "DER",
            "-in",
            "token",
            "-out",
            "info",
        ]);
        fs::write(self.path("info"), change(self.read("info"))).unwrap();
        let (key, signer) = (format!("{signer}.key"), format!("{signer}.pem"));
        let sign = [
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-nosmimecap",
            "-md",
            "sha256",
            "-econtent_type",
            "1.2.840.113549.1.9.16.1.4",
            "-in",
            "info",
            "-outform",
            "DER",
            "-out",
            "signed",
            "-signer",
            &signer,
            "-inkey",
            &key,
        ];
        self.openssl(&[&sign[..], more].concat());
        wrap(&[&[0x30, 3, 2, 1, 0], &self.read("signed")])
    }

    fn anchors(&self, name: &str) -> Anchors {
        Anchors::from_pem(&fs::read_to_string(self.path(&format!("{name}.pem"))).unwrap()).unwrap()
    }
}

/// A SEQUENCE around parts of more than 255 bytes.
fn wrap(parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    let length = u16::try_from(inside.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82][..], &length, &inside].concat()
}

const RSA: &[&str] = &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const P256: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"];

fn request() -> Request {
    Request::over(DATA, 0xfeed_face_cafe_beef)
}

#[test]
fn stamps_of_rsa_and_ecdsa_authorities_verify_and_openssl_agrees() {
    for algorithm in [RSA, P256, P384] {
        let Some(authority) = Authority::new(algorithm) else { return };
        let answer = authority.answer(&request(), "tsa", "root");
        let anchors = authority.anchors("root");
        let stamp = verify(&answer, &request(), &anchors, now()).unwrap();
        assert!((stamp.time - now()).abs() < 60);
        assert_eq!(stamp.policy, "1.2.3.4.1");
        assert!(stamp.authority.contains("CN=tsa"), "{}", stamp.authority);
        assert_eq!(verify_kept(&answer, DATA, &anchors), Ok(stamp));
        fs::write(authority.path("data"), DATA).unwrap();
        authority
            .openssl(&["ts", "-verify", "-in", "reply", "-data", "data", "-CAfile", "root.pem"]);
    }
}

#[test]
fn a_stamp_of_something_else_or_for_another_request_is_refused() {
    let Some(authority) = Authority::new(P256) else { return };
    let (anchors, time) = (authority.anchors("root"), now());
    let answer = authority.answer(&request(), "tsa", "root");
    let judged = |request: &Request| verify(&answer, request, &anchors, time).map(drop);
    assert_eq!(judged(&request()), Ok(()));
    assert_eq!(judged(&Request { nonce: 1, ..request() }), Err(StampError::Nonce));
    assert_eq!(judged(&Request { imprint: [0; 32], ..request() }), Err(StampError::Imprint));
    assert_eq!(verify_kept(&answer, b"other", &anchors).map(drop), Err(StampError::Imprint));
    let off = verify(&answer, &request(), &anchors, time - 3_600);
    // An hour before, the certificate was not valid yet.
    assert!(matches!(off, Err(StampError::Expired { .. })), "{off:?}");
    let off = verify(&answer, &request(), &anchors, time + 3_600);
    assert!(matches!(off, Err(StampError::Clock { .. })), "{off:?}");
}

#[test]
fn a_certificate_must_be_valid_when_it_stamped_and_now() {
    let Some(authority) = Authority::new(P256) else { return };
    let anchors = authority.anchors("root");
    let answer = authority.answer(&request(), "tsa", "root");
    let late = verify(&answer, &request(), &anchors, now() + 2 * DAY);
    assert!(matches!(late, Err(StampError::Expired { ref subject }) if subject.contains("CN=tsa")));
    // Kept, it stays what it was.
    assert!(verify_kept(&answer, DATA, &anchors).is_ok());
    // A stamp that says it was made before the certificate was.
    let year = |info: Vec<u8>| {
        let at = info.windows(15).position(|w| w.ends_with(b"Z") && w.starts_with(b"20")).unwrap();
        [&info[..at], b"2001", &info[at + 4..]].concat()
    };
    let old = authority.forged(&request(), "tsa", year, &["-cades"]);
    assert!(matches!(verify_kept(&old, DATA, &anchors), Err(StampError::Expired { .. })));
}

#[test]
fn only_a_certificate_for_time_stamping_alone_may_sign() {
    let Some(authority) = Authority::new(P256) else { return };
    let anchors = authority.anchors("root");
    let cades = ["-cades"];
    // Made the same way by the right certificate it holds, so the refusals below are about that.
    let right = authority.forged(&request(), "tsa", |info| info, &cades);
    assert!(verify(&right, &request(), &anchors, now()).is_ok());
    for extensions in ["no_usage", "uncritical", "two"] {
        authority.certificate(extensions, "root", extensions, P256, 1);
        let answer = authority.forged(&request(), extensions, |info| info, &cades);
        let judged = verify(&answer, &request(), &anchors, now());
        assert_eq!(judged, Err(StampError::Purpose), "{extensions}");
    }
    authority.certificate("unknown", "root", "unknown", P256, 1);
    let answer = authority.forged(&request(), "unknown", |info| info, &cades);
    let judged = verify(&answer, &request(), &anchors, now());
    assert_eq!(judged, Err(StampError::Critical("1.2.3.4.5".to_owned())));
}

#[test]
fn the_token_must_name_its_certificate_and_carry_it() {
    let Some(authority) = Authority::new(P256) else { return };
    let anchors = authority.anchors("root");
    let judged = |answer: &[u8]| verify(answer, &request(), &anchors, now()).map(drop);
    let unnamed = authority.forged(&request(), "tsa", |info| info, &[]);
    assert_eq!(judged(&unnamed), Err(StampError::Attribute("signing certificate v2")));
    let bare = authority.forged(&request(), "tsa", |info| info, &["-cades", "-nocerts"]);
    assert_eq!(judged(&bare), Err(StampError::NoCertificate));
    let attributeless = authority.forged(&request(), "tsa", |info| info, &["-noattr"]);
    assert!(matches!(judged(&attributeless), Err(StampError::Malformed { .. })));
    authority.certificate("second", "root", "signer", P256, 1);
    let two = ["-cades", "-signer", "second.pem", "-inkey", "second.key"];
    let twice = authority.forged(&request(), "tsa", |info| info, &two);
    assert!(matches!(judged(&twice), Err(StampError::Malformed { .. })));
    let weak = authority.forged(&request(), "tsa", |info| info, &["-cades", "-md", "sha1"]);
    assert!(matches!(judged(&weak), Err(StampError::Algorithm { .. })), "{:?}", judged(&weak));
}

#[test]
fn a_path_must_lead_to_an_anchor_over_certificates_that_may_issue() {
    let Some(authority) = Authority::new(P256) else { return };
    authority.root("other", P256);
    let answer = authority.answer(&request(), "tsa", "root");
    // A root of the same name but another key.
    let judged = |answer: &[u8], anchor: &str| {
        verify(answer, &request(), &authority.anchors(anchor), now()).map(drop)
    };
    assert_eq!(judged(&answer, "other"), Err(StampError::Untrusted));
    // The authority's own certificate may be the anchor.
    assert_eq!(judged(&answer, "tsa"), Ok(()));
    authority.certificate("middle", "root", "ca", P256, 1);
    authority.certificate("below", "middle", "signer", P256, 1);
    let answer = authority.answer(&request(), "below", "middle");
    assert_eq!(judged(&answer, "root"), Ok(()));
    assert_eq!(judged(&answer, "middle"), Ok(()));
    assert_eq!(judged(&answer, "other"), Err(StampError::Untrusted));
    // One that is no authority issued another.
    authority.certificate("leaf", "root", "not_ca", P256, 1);
    authority.certificate("child", "leaf", "signer", P256, 1);
    let answer = authority.answer(&request(), "child", "leaf");
    assert_eq!(judged(&answer, "root"), Err(StampError::Untrusted));
    // A short-lived one in the middle ends the path with its name.
    let late = {
        let answer = authority.answer(&request(), "below", "middle");
        verify(&answer, &request(), &authority.anchors("root"), now() + 2 * DAY)
    };
    assert!(matches!(late, Err(StampError::Expired { .. })));
}

#[test]
fn no_changed_byte_of_an_answer_verifies_as_something_else() {
    let Some(authority) = Authority::new(P256) else { return };
    let (anchors, time) = (authority.anchors("root"), now());
    let answer = authority.answer(&request(), "tsa", "root");
    let whole = verify(&answer, &request(), &anchors, time).unwrap();
    let mut held = 0;
    for at in 0..answer.len() {
        for flip in [0x01, 0x80] {
            let mut changed = answer.clone();
            changed[at] ^= flip;
            // What no signature covers (status, version, other certificates) may change; the stamp not.
            if let Ok(stamp) = verify(&changed, &request(), &anchors, time) {
                assert_eq!(stamp, whole, "byte {at}");
                held += 1;
            }
        }
        assert!(verify(&answer[..at], &request(), &anchors, time).is_err());
    }
    assert!(held < answer.len() / 2, "{held} of {} changes went unnoticed", 2 * answer.len());
    let longer = [&answer[..], &[0]].concat();
    assert!(verify(&longer, &request(), &anchors, time).is_err());
}

#[test]
fn what_the_authority_refuses_is_told() {
    let Some(authority) = Authority::new(P256) else { return };
    // A request without an imprint of ours: the authority knows no such hash.
    let mut query = request().to_der();
    let at = query.windows(9).position(|w| w.starts_with(&[0x60, 0x86, 0x48])).unwrap();
    query[at + 8] = 9;
    fs::write(authority.path("query"), query).unwrap();
    authority.openssl(&[
        "ts",
        "-reply",
        "-config",
        "config",
        "-section",
        "tsa1",
        "-queryfile",
        "query",
        "-signer",
        "tsa.pem",
        "-inkey",
        "tsa.key",
        "-out",
        "reply",
    ]);
    let judged = verify(&authority.read("reply"), &request(), &authority.anchors("root"), now());
    assert!(matches!(judged, Err(StampError::Refused { status: 2, .. })), "{judged:?}");
}

proptest::proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes: Vec<u8>, size in 0usize..70_000) {
        // Any trust anchor will do, so that reading goes as far as it can.
        let pem = include_str!("anchor.pem");
        let anchors = Anchors::from_pem(pem).unwrap();
        proptest::prop_assert!(verify(&bytes, &request(), &anchors, 0).is_err());
        proptest::prop_assert!(verify_kept(&vec![0x30; size], DATA, &anchors).is_err());
    }
}
