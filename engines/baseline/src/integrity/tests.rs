//! Hosts of texts held against manifests of the same texts.

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::*;
use crate::{
    Context, DriftClass, archive::Shipped, classify, diff::changes, facts::facts, testing::host,
};

/// Path, mode and bytes; a text that begins with `-> ` is a link.
type Files<'a> = Vec<(&'a str, u32, &'a str)>;

fn version_1() -> Files<'static> {
    vec![
        ("/usr/bin/a", 0o755, "one"),
        ("/usr/bin/raised", 0o4755, "raised"),
        ("/usr/lib/a/library", 0o644, "one"),
        ("/usr/lib/a/link", 0, "-> library"),
        ("/usr/lib/systemd/system/a.service", 0o644, "[Service]\nExecStart=/usr/bin/a 1\n"),
        ("/etc/a.conf", 0o644, "level = 1\n"),
        ("/usr/share/a/old", 0o644, "old"),
    ]
}

fn version_2() -> Files<'static> {
    let mut files = version_1();
    files.retain(|file| file.0 != "/usr/share/a/old");
    files.push(("/usr/share/a/new", 0o644, "new"));
    for file in &mut files {
        file.2 = match file.2 {
            "one" => "two",
            "[Service]\nExecStart=/usr/bin/a 1\n" => "[Service]\nExecStart=/usr/bin/a 2\n",
            "level = 1\n" => "level = 2\n",
            other => other,
        };
    }
    files
}

fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

/// Tables of dpkg as they are after an untouched installation.
fn tables(version: &str, files: &Files<'_>) -> [(String, String); 3] {
    let mut list = "/.\n".to_owned();
    let mut sums = String::new();
    let mut conffiles = String::new();
    for (path, _, text) in files {
        list += &format!("{path}\n");
        match (path.starts_with("/etc/"), text.starts_with("-> ")) {
            (true, _) => conffiles += &format!(" {path} {}\n", md5(text)),
            (false, false) => sums += &format!("{}  {}\n", md5(text), &path[1..]),
            _ => {}
        }
    }
    let status = format!(
        "Package: a\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\nConffiles:\n{conffiles}"
    );
    [
        ("/var/lib/dpkg/status".into(), status),
        ("/var/lib/dpkg/info/a.list".into(), list),
        ("/var/lib/dpkg/info/a.md5sums".into(), sums),
    ]
}

fn look(files: &Files<'_>, tables: &[(String, String)]) -> Facts {
    let passwd = [
        ("/etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\n"),
        ("/etc/group", 0o644, "root:x:0:\n"),
    ];
    let tables = tables.iter().map(|(path, text)| (&path[..], 0o644, &text[..]));
    let all: Vec<(&str, u32, &[u8])> = files
        .iter()
        .copied()
        .chain(passwd)
        .chain(tables)
        .map(|(path, mode, text)| (path, mode, text.as_bytes()))
        .collect();
    facts(&host(&all))
}

fn manifest(version: &str, files: &Files<'_>) -> HashMap<String, PackageManifest> {
    let sums = &tables(version, files)[2].1;
    let shipped = files.iter().map(|(path, mode, text)| {
        let target = text.strip_prefix("-> ");
        let is_conffile = path.starts_with("/etc/");
        Shipped {
            path: (*path).into(),
            kind: if target.is_some() { Kind::Link } else { Kind::File },
            mode: *mode as u16,
            user: "root".into(),
            group: "root".into(),
            target: target.map(Into::into),
            sha256: target.is_none().then(|| Sha256::digest(text).into()),
            has_sum: target.is_none(),
            is_conffile,
        }
    });
    let manifest = PackageManifest {
        name: "a".into(),
        version: version.into(),
        architecture: "amd64".into(),
        files: shipped.collect(),
        sums: Some(Sha256::digest(sums).into()),
        ..PackageManifest::default()
    };
    HashMap::from([(manifest.key(), manifest)])
}

fn untouched(version: &str, files: &Files<'_>) -> Facts {
    look(files, &tables(version, files))
}

fn standing(integrity: &Integrity) -> Standing {
    integrity.packages["a:amd64"].standing
}

#[test]
fn a_root_computed_of_the_package_is_the_root_found_on_the_host() {
    let files = version_1();
    let integrity = Integrity::of(&untouched("1", &files), manifest("1", &files));
    assert_eq!((standing(&integrity), integrity.tally()), (Standing::Verified, (7, 7, 0)));
    assert_eq!(integrity.findings(), []);
    assert_eq!(integrity.clean(b"/usr/bin/a"), Some("a:amd64"));
    // Another version, and none at all, say nothing of it.
    for other in [manifest("2", &files), HashMap::new()] {
        let integrity = Integrity::of(&untouched("1", &files), other);
        assert_eq!((standing(&integrity), integrity.tally()), (Standing::Unknown, (7, 0, 1)));
        assert_eq!(integrity.clean(b"/usr/bin/a"), None);
    }
}

#[test]
fn what_deviates_is_named_and_the_rest_stays_verified() {
    let files = version_1();
    let tables = tables("1", &files);
    let told = |path: &str, mode: u32, text: &str| {
        let mut changed = files.clone();
        changed.retain(|file| file.0 != path);
        if text != "gone" {
            changed.push((path, mode, text));
        }
        let integrity = Integrity::of(&look(&changed, &tables), manifest("1", &files));
        assert_eq!(standing(&integrity), Standing::Verified, "{path} {mode:o} {text}");
        let deviations: Vec<(String, Why)> =
            integrity.deviations.iter().map(|(path, one)| (path.to_string(), one.why)).collect();
        assert!(deviations.iter().all(|(found, _)| found == path), "{path}: {deviations:?}");
        deviations.first().map(|(_, why)| *why)
    };
    assert_eq!(told("/usr/bin/a", 0o755, "evil"), Some(Why::Content));
    assert_eq!(told("/usr/bin/a", 0o4755, "one"), Some(Why::Attributes));
    assert_eq!(told("/usr/bin/raised", 0o755, "raised"), Some(Why::Attributes));
    assert_eq!(told("/usr/lib/a/library", 0o666, "one"), Some(Why::Attributes));
    assert_eq!(told("/usr/lib/a/library", 0, "-> /tmp/evil"), Some(Why::Kind));
    assert_eq!(told("/usr/lib/a/link", 0, "-> /tmp/evil"), Some(Why::Target));
    assert_eq!(told("/usr/lib/a/link", 0o644, "evil"), Some(Why::Kind));
    assert_eq!(told("/usr/share/a/old", 0, "gone"), Some(Why::Removed));
    assert_eq!(told("/etc/a.conf", 0o644, "level = 9\n"), Some(Why::Conffile));
    assert_eq!(told("/etc/a.conf", 0, "gone"), Some(Why::Conffile));
    assert_eq!(told("/usr/lib/a/library", 0o644, "one"), None);
}

#[test]
fn a_file_changed_together_with_its_sum_makes_its_package_unbelieved() {
    let files = version_1();
    let mut changed = files.clone();
    changed[2].2 = "evil";
    let mut hidden = tables("1", &files);
    hidden[2] = tables("1", &changed)[2].clone();
    let integrity = Integrity::of(&look(&changed, &hidden), manifest("1", &files));
    assert_eq!(standing(&integrity), Standing::Differs);
    assert_eq!(integrity.tally(), (7, 0, 0), "which file it is nobody can say");
    assert_eq!(integrity.clean(b"/usr/bin/a"), None);
    // The same with a configuration file, whose sum is in the status.
    let mut changed = files.clone();
    changed[5].2 = "level = 9\n";
    let mut hidden = tables("1", &files);
    hidden[0] = tables("1", &changed)[0].clone();
    let integrity = Integrity::of(&look(&changed, &hidden), manifest("1", &files));
    assert_eq!(standing(&integrity), Standing::Differs);
    // A table of sums that is another, over files that are right.
    let mut other = tables("1", &files);
    other[2].1 += "00000000000000000000000000000000  nothing\n";
    let integrity = Integrity::of(&look(&files, &other), manifest("1", &files));
    assert_eq!(integrity.packages["a:amd64"].records, Some("sums"));
    assert!(!integrity.is_verified("a:amd64"));
}

#[test]
fn what_dpkg_was_told_is_taken_into_account() {
    let files = version_1();
    let mut found = files.clone();
    found.retain(|file| file.0 != "/usr/share/a/old" && file.0 != "/usr/lib/a/library");
    found.push(("/usr/lib/a/library.away", 0o644, "one"));
    found.push(("/usr/lib/a/library", 0o644, "another's"));
    found[0].1 = 0o2755;
    found.push(("/etc/dpkg/dpkg.cfg.d/x", 0o644, "path-exclude=/usr/share/a/*\n"));
    let mut told = tables("1", &files).to_vec();
    told.push(("/var/lib/dpkg/statoverride".into(), "root root 2755 /usr/bin/a\n".into()));
    told.push((
        "/var/lib/dpkg/diversions".into(),
        "/usr/lib/a/library\n/usr/lib/a/library.away\nother\n".into(),
    ));
    let integrity = Integrity::of(&look(&found, &told), manifest("1", &files));
    assert_eq!(integrity.deviations, BTreeMap::new());
    assert_eq!((standing(&integrity), integrity.tally()), (Standing::Verified, (6, 6, 0)));
}

fn verdicts(old: &Facts, new: &Facts) -> BTreeMap<String, DriftClass> {
    let context = Context {
        integrity: Integrity::of(new, manifest("2", &version_2())),
        before: Integrity::of(old, manifest("1", &version_1())),
        ..Context::default()
    };
    let deltas = changes(old, new);
    let verdicts = classify(&deltas, &context);
    deltas.iter().zip(verdicts).map(|(delta, verdict)| (delta.path(), verdict.class)).collect()
}

#[test]
fn an_upgrade_is_explained_by_its_package_and_a_tampering_in_it_is_not() {
    let old = untouched("1", &version_1());
    let all = verdicts(&old, &untouched("2", &version_2()));
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.values().all(|class| *class == DriftClass::PackageManaged), "{all:?}");
    let open = |files: Files<'_>, tables: &[(String, String)]| -> Vec<String> {
        let all = verdicts(&old, &look(&files, tables)).into_iter();
        all.filter(|(_, class)| *class == DriftClass::Unauthorised).map(|(path, _)| path).collect()
    };
    let tables_2 = tables("2", &version_2());
    let mut files = version_2();
    files[0].2 = "evil";
    files.push(("/etc/systemd/system/a.service.d/x.conf", 0o644, "[Service]\nUser=root\n"));
    assert_eq!(
        open(files, &tables_2),
        [
            "file//etc/systemd",
            "file//etc/systemd/system",
            "file//etc/systemd/system/a.service.d",
            "file//etc/systemd/system/a.service.d/x.conf",
            "file//usr/bin/a",
            "unit/a.service",
        ]
    );
    let mut files = version_2();
    files[0].2 = "evil";
    let mut hidden = tables_2.clone();
    hidden[2] = tables("2", &files)[2].clone();
    assert_eq!(
        open(files, &hidden),
        ["package/a:amd64", "package_files/a:amd64", "unit/a.service"]
    );
}

#[test]
fn an_edited_configuration_file_that_is_as_packaged_again_was_decided_by_somebody() {
    let mut edited = version_1();
    edited[5].2 = "level = 9\n";
    let old = look(&edited, &tables("1", &version_1()));
    let all = verdicts(&old, &untouched("2", &version_2()));
    assert_eq!(all["file//etc/a.conf"], DriftClass::Unauthorised);
}
