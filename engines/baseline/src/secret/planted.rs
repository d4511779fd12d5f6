//! Secrets planted all over a host come out nowhere: not in the capture, the facts, the document,
//! the contents kept, the chunks, differences, or checks.

use crate::{ChunkIndex, FingerprintKey, RuleSet, changes, check, facts, seal, testing};

/// Formats in which secrets stand; `@` is the secret. Path and mode of the file come first.
const FORMATS: &[(&str, u32, &str)] = &[
    ("/etc/app/@N.ini", 0o644, "[db]\nuser = app\npassword = @\nport = 5432\n"),
    ("/etc/app/@N.yml", 0o644, "database:\n  host: db\n  password: \"@\"\n"),
    ("/etc/app/@N.json", 0o644, "{\"name\": \"x\", \"client_secret\": \"@\", \"port\": 1}\n"),
    ("/etc/app/@N.xml", 0o644, "<server><username>u</username><password>@</password></server>\n"),
    ("/etc/app/@N.xml2", 0o644, "<connection user=\"u\" password=\"@\" host=\"h\"/>\n"),
    ("/etc/app/@N.env", 0o644, "DEBUG=1\nexport API_TOKEN='@'\n"),
    ("/etc/app/@N.php", 0o644, "<?php\n$dbpass = '@';\ndefine('DB_PASSWORD', '@');\n"),
    ("/etc/app/@N.properties", 0o644, "spring.datasource.password=@\n"),
    ("/etc/app/@N.toml", 0o644, "[auth]\nsecret_key = \"@\"\n"),
    ("/etc/app/@N.url", 0o644, "DATABASE_URL=postgres://app:@@db.example:5432/app\n"),
    ("/etc/app/@N.conf", 0o640, "anything at all @ here\n"),
    ("/etc/app/@N.key", 0o644, "@\n"),
    ("/etc/cron.d/job@N", 0o644, "5 4 * * * root mysqldump -u root -p@ all > /dev/null\n"),
    ("/etc/cron.d/curl@N", 0o644, "5 4 * * * root curl -u admin:@ https://h.example/\n"),
    (
        "/etc/systemd/system/app@N.service",
        0o644,
        "[Service]\nEnvironment=\"SECRET_TOKEN=@\"\nExecStart=/bin/true\n",
    ),
    (
        "/etc/systemd/system/b@N.service",
        0o644,
        "[Service]\nExecStart=/usr/bin/app --password @ --verbose\n",
    ),
    ("/etc/apt/auth.conf.d/@N.conf", 0o644, "machine h.example login u password @\n"),
    (
        "/etc/apt/sources.list.d/@N.list",
        0o644,
        "deb https://user:@@repo.example/debian stable main\n",
    ),
    ("/etc/ppp/@N-secrets", 0o644, "client * @ *\n"),
    ("/etc/wpa/@N.conf", 0o644, "network={\n  ssid=\"x\"\n  psk=\"@\"\n}\n"),
    ("/etc/wireguard/wg@N.conf", 0o644, "[Interface]\nPrivateKey = @\nAddress = 10.0.0.1/24\n"),
    ("/etc/redis/@N.conf", 0o644, "port 6379\nrequirepass @\n"),
    ("/etc/ldap/@N.conf", 0o644, "base dc=x\nbindpw @\n"),
    ("/etc/snmp/@N.conf", 0o644, "createUser u SHA \"@\" AES \"@\"\nrocommunity @ 10.0.0.0/8\n"),
    ("/etc/profile.d/@N.sh", 0o644, "export AWS_SECRET_ACCESS_KEY=@\n"),
    ("/etc/nginx/@N.conf", 0o644, "proxy_set_header Authorization \"Bearer @\";\n"),
    ("/etc/nginx/ht@N", 0o644, "admin:$apr1$@\n"),
    ("/etc/comment/@N.conf", 0o644, "# old password: @\nx = 1\n"),
    ("/etc/ssh/sshd_config.d/@N.conf", 0o644, "# password @\nPort 22\n"),
    (
        "/etc/pki/@N.pem",
        0o644,
        "-----BEGIN RSA PRIVATE KEY-----\n@\n-----END RSA PRIVATE KEY-----\n",
    ),
    ("/usr/local/bin/run@N", 0o755, "#!/bin/sh\nTOKEN=\"@\" exec app\n"),
    ("/opt/app/@N.cfg", 0o644, "smtp_pass: '@'\n"),
    ("/etc/default/app@N", 0o644, "OPTIONS=\"--api-key=@ --fast\"\n"),
];

/// Mixed letters and digits, the same in every run.
fn secret(mut seed: u64) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut out = String::new();
    for _ in 0..16 + seed % 7 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push(char::from(LETTERS[(seed >> 33) as usize % LETTERS.len()]));
    }
    out
}

fn host(salt: u64) -> (Vec<String>, crate::Capture) {
    let mut secrets = Vec::new();
    let mut files: Vec<(String, u32, String)> = Vec::new();
    for round in 0..8 {
        for (number, (path, mode, text)) in FORMATS.iter().enumerate() {
            let secret = secret(salt + round * 1_000 + number as u64);
            // An address ends its user part with a sign of its own.
            let text = text.replace("@@", "\u{1}").replace('@', &secret);
            let text = text.replace('\u{1}', &format!("{secret}@"));
            files.push((path.replace("@N", &format!("n{round}")), *mode, text));
            secrets.push(secret);
        }
    }
    let hash = secret(salt + 99);
    let text = format!("root:$6$salt${hash}:1::::::\nann:!$y$j9T${hash}:1::::::\n");
    files.push(("/etc/shadow".into(), 0o640, text));
    files.push((
        "/etc/passwd".into(),
        0o644,
        "root:x:0:0::/root:/bin/sh\nann:x:1:1::/:/bin/sh\n".into(),
    ));
    let answer = secret(salt + 98);
    let text = format!("Name: app/admin-password\nTemplate: t\nValue: {answer}\nOwners: app\n\n");
    files.push(("/var/cache/debconf/config.dat".into(), 0o644, text));
    secrets.extend([hash, answer]);
    let files: Vec<(&str, u32, &[u8])> =
        files.iter().map(|(path, mode, text)| (path.as_str(), *mode, text.as_bytes())).collect();
    (secrets, testing::host(&files))
}

#[test]
fn two_hundred_planted_secrets_come_out_nowhere() {
    let ((mut secrets, old), (more, new)) = (host(1), host(500_000));
    secrets.extend(more);
    assert!(secrets.len() >= 400);
    let (one, two) = (facts(&old), facts(&new));
    let rules = RuleSet::standard(None, &FingerprintKey::new([5; 32]));
    let (_, chunks) = seal(&two, &ChunkIndex::default());
    let mut all = format!(
        "{old:?} {new:?} {one:?} {two:?} {:?} {:?}",
        changes(&one, &two),
        check(&two, &rules)
    );
    all.push_str(&one.to_document().to_string());
    for bytes in old.contents.values().map(|content| &content.bytes) {
        all.push_str(&String::from_utf8_lossy(bytes));
    }
    for bytes in one.blobs.values().chain(two.blobs.values()).chain(chunks.iter().map(|c| &c.bytes))
    {
        all.push_str(&String::from_utf8_lossy(bytes));
    }
    let leaked: Vec<&String> = secrets.iter().filter(|secret| all.contains(*secret)).collect();
    assert!(
        leaked.is_empty(),
        "{} of {} leaked, as {:?}",
        leaked.len(),
        secrets.len(),
        &leaked[..leaked.len().min(9)]
    );
    // They are fingerprints, not forgotten, and each change of one is a difference.
    assert!(one.class(crate::Class::Secret).len() >= 200);
    assert!(changes(&one, &two).len() >= 200);
}
