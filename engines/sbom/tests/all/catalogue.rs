//! The catalogue on roots made of bytes, and on what real programs wrote.

use std::io::Write as _;

use sbom::bom::{Aggregate, Kind};
use sbom::catalogue::{Catalogue, Options};
use sbom::{Bom, Format, parse, write};

const STATUS: &str = "Package: libc6\nStatus: install ok installed\nSource: glibc\nVersion: 2.36-9\nArchitecture: amd64\n\
    Description: C library\n more\n\n\
    Package: bsdutils\nStatus: hold ok installed\nSource: util-linux (2.38.1-5)\nVersion: 1:2.38.1-5\nArchitecture: amd64\n\
    Pre-Depends: libc6 (>= 2.34) | libc6.1, awk\n\n\
    Package: mawk\nStatus: install ok unpacked\nVersion: 1\nArchitecture: amd64\nProvides: awk\n\n\
    Package: python3-requests\nStatus: install ok installed\nSource: requests\nVersion: 2.28.1\nArchitecture: all\n\n\
    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n";

fn gathered(files: &[(&str, &[u8])]) -> (Bom, Vec<String>) {
    let mut catalogue = Catalogue::new(Options { merged_usr: true, ..Options::default() });
    for (path, bytes) in files {
        let mut bytes = *bytes;
        catalogue.look(path, path.contains("bin/"), &mut bytes);
    }
    let (bom, unread) = catalogue.finish();
    // Whatever was found is a valid document of every format.
    for format in Format::NAMES {
        let written = write(&bom, format.parse().expect("a format")).expect("written");
        parse(written.text.as_bytes()).unwrap_or_else(|problems| panic!("{format}: {problems:?}"));
    }
    (bom, unread.iter().map(ToString::to_string).collect())
}

/// Each is what its type asks for, in the one form there is.
fn purls(bom: &Bom) -> Vec<&str> {
    let all: Vec<&str> = bom.walk().filter_map(|one| one.purl.as_deref()).collect();
    for purl in &all {
        assert_eq!(sbom::purl::Purl::parse(purl).expect(purl).to_string(), *purl);
    }
    all
}

#[test]
fn a_debian_root_lists_what_is_there_with_source_packages_and_edges() {
    let wheel =
        b"Metadata-Version: 2.1\nName: Requests\nVersion: 2.28.1\nLicense: Apache 2.0\n\nprose";
    let other = b"Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6\n\n";
    let (bom, unread) = gathered(&[
        ("usr/lib/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
        ("var/lib/dpkg/status", STATUS.as_bytes()),
        (
            "var/lib/dpkg/info/python3-requests.list",
            b"/.\n/usr/lib/python3/dist-packages/requests-2.28.1.dist-info/METADATA\n",
        ),
        ("var/lib/dpkg/info/bsdutils.list", b"/bin/logger\n"),
        ("usr/lib/python3/dist-packages/requests-2.28.1.dist-info/METADATA", wheel),
        ("usr/local/lib/python3/dist-packages/Flask_Login-0.6.dist-info/METADATA", other),
        ("usr/bin/logger", b"\x7fELF but a package owns it through the merged /usr"),
    ]);
    assert_eq!(unread, Vec::<String>::new());
    assert_eq!(
        purls(&bom),
        [
            "pkg:deb/debian/bsdutils@1:2.38.1-5?arch=amd64&distro=debian-12",
            "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12",
            "pkg:deb/debian/mawk@1?arch=amd64&distro=debian-12",
            "pkg:deb/debian/python3-requests@2.28.1?arch=all&distro=debian-12",
            "pkg:pypi/flask-login@0.6",
        ]
    );
    let by = |name: &str| bom.walk().find(|one| one.name == name).expect("a component");
    let source = by("bsdutils").source_package().expect("a source");
    assert_eq!((source.name.as_str(), source.version.as_deref()), ("util-linux", Some("2.38.1-5")));
    assert_eq!(by("libc6").source_package().expect("a source").name, "glibc");
    // A wheel inside a deb is that deb.
    assert_eq!(by("python3-requests").property("ume:holds"), Some("pkg:pypi/requests@2.28.1"));
    let bsdutils = by("bsdutils").reference.as_deref().expect("a reference");
    let edge = bom.edges.iter().find(|edge| edge.from == bsdutils).expect("edges");
    let names: Vec<&str> =
        edge.to.iter().map(|to| bom.find(to).expect("known").name.as_str()).collect();
    assert_eq!(names, ["libc6", "mawk"]);
    assert!(bom.unknown_below(bsdutils));
}

#[test]
fn a_program_nobody_owns_is_a_blind_spot() {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(64, 0);
    let (bom, _) = gathered(&[("opt/tool/bin/tool", &elf), ("usr/bin/script", b"#!/bin/sh\n")]);
    let file = bom.components.first().expect("the program");
    assert_eq!((file.kind, file.name.as_str()), (Some(Kind::File), "/opt/tool/bin/tool"));
    assert_eq!(bom.components.len(), 1);
    assert!(bom.unknown_below(file.reference.as_deref().expect("a reference")));
    assert_eq!(bom.compositions[0].aggregate, Aggregate::Incomplete);
}

#[test]
fn lock_files_and_packages_of_languages() {
    let cargo = b"version = 3\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \"b 2.0.0\",\n]\n\n\
        [[package]]\nname = \"b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n\
        source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00ff\"\n";
    let npm = br#"{"lockfileVersion": 3, "packages": {"": {"name": "x"},
        "node_modules/@s/p": {"version": "1.0.0", "dependencies": {"q": "*"}, "integrity": "sha1-AP8="},
        "node_modules/q": {"version": "1.0.0"}, "node_modules/@s/p/node_modules/q": {"version": "2.0.0"}}}"#;
    let composer =
        br#"{"packages": [{"name": "v/n", "version": "1.2", "require": {"php": "*", "v/m": "*"}}],
        "packages-dev": [{"name": "v/m", "version": "2", "license": ["MIT"]}]}"#;
    let gem = b"Gem::Specification.new do |s|\n  s.name = \"rake\".freeze\n  s.version = \"13.0\"\n  s.licenses = [\"MIT\".freeze]\nend\n";
    let apk = b"P:musl\nV:1.2-r1\nA:x86_64\no:musl\nL:MIT\np:so:libc.so=1\n\nP:zlib\nV:1.3\nA:x86_64\no:zlib\nD:so:libc.so !x\n";
    let (bom, unread) = gathered(&[
        ("lib/apk/db/installed", apk),
        ("srv/a/Cargo.lock", cargo),
        ("srv/b/package-lock.json", npm),
        ("srv/c/composer.lock", composer),
        ("usr/share/gems/specifications/rake-13.0.gemspec", gem),
        ("srv/d/package-lock.json", b"{"),
    ]);
    assert_eq!(unread.len(), 1, "{unread:?}");
    assert!(unread[0].starts_with("/srv/d/package-lock.json: line 1"));
    let of = |purl: &str| bom.walk().find(|one| one.purl.as_deref() == Some(purl)).expect(purl);
    let needs = |purl: &str| -> Vec<&str> {
        let reference = of(purl).reference.as_deref().expect("a reference");
        let edge = bom.edges.iter().find(|edge| edge.from == reference);
        edge.map(|edge| edge.to.iter().map(String::as_str).collect()).unwrap_or_default()
    };
    assert_eq!(needs("pkg:cargo/a@1.0.0"), ["pkg:cargo/b@2.0.0"]);
    assert_eq!(of("pkg:cargo/b@2.0.0").hashes[0].value, "00ff");
    // As Node looks names up: the nearest folder first.
    assert_eq!(needs("pkg:npm/%40s/p@1.0.0"), ["pkg:npm/q@2.0.0"]);
    assert_eq!(of("pkg:npm/%40s/p@1.0.0").hashes[0].value, "00ff");
    assert_eq!(needs("pkg:composer/v/n@1.2"), ["pkg:composer/v/m@2"]);
    assert_eq!(of("pkg:gem/rake@13.0").licences[0].text, "MIT");
    assert_eq!(
        needs("pkg:apk/alpine/zlib@1.3?arch=x86_64"),
        ["pkg:apk/alpine/musl@1.2-r1?arch=x86_64"]
    );
}

fn jar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(bytes).expect("bytes");
    }
    zip.finish().expect("an archive").into_inner()
}

#[test]
fn archives_within_archives_are_found() {
    let inner = jar(&[(
        "META-INF/maven/g/log/pom.properties",
        b"groupId=g\nartifactId=log\nversion=2.14.1\n",
    )]);
    let middle = jar(&[
        ("BOOT-INF/lib/log-2.14.1.jar", &inner),
        ("META-INF/MANIFEST.MF", b"Implementation-Title: web\r\n\r\n"),
    ]);
    let outer = jar(&[("lib/web-1.0.jar", &middle), ("lib/broken.jar", b"no zip")]);
    let (bom, unread) = gathered(&[("opt/app/app-3.war", &outer)]);
    assert_eq!(unread, Vec::<String>::new());
    let log = bom.walk().find(|one| one.name == "log").expect("the innermost");
    assert_eq!(log.purl.as_deref(), Some("pkg:maven/g/log@2.14.1"));
    let app = bom.components.first().expect("the outermost");
    assert_eq!((app.name.as_str(), app.version.as_deref()), ("app", Some("3")));
    assert_eq!(app.components[0].components[0].name, "log");
    // One that could not be read leaves a blind spot.
    assert!(bom.unknown_below(app.reference.as_deref().expect("a reference")));
}

#[test]
fn foreign_bytes_never_panic() {
    let names = [
        "var/lib/dpkg/status",
        "var/lib/dpkg/info/x.list",
        "lib/apk/db/installed",
        "var/lib/rpm/rpmdb.sqlite",
        "a/x.dist-info/METADATA",
        "node_modules/a/package.json",
        "package-lock.json",
        "Cargo.lock",
        "composer.lock",
        "specifications/a-1.gemspec",
        "x.jar",
        "bin/x",
        "usr/share/doc/x/copyright",
    ];
    let mut seed = 7u32;
    for round in 0..400 {
        let mut noise: Vec<u8> = Vec::new();
        for head in [
            &b"\x7fELF\x02\x01\x01"[..],
            b"SQLite format 3\0\x10\x00",
            b"PK\x03\x04",
            b"{\"packages\":",
            b"Package: x\n",
        ] {
            if round % 7 == seed as usize % 5 {
                noise.extend(head);
            }
        }
        for _ in 0..round * 3 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.push((seed >> 24) as u8);
        }
        let files: Vec<(&str, &[u8])> =
            names.iter().map(|name| (*name, noise.as_slice())).collect();
        let mut catalogue = Catalogue::new(Options::default());
        for (path, bytes) in files {
            let mut bytes = bytes;
            catalogue.look(path, true, &mut bytes);
        }
        let _ = catalogue.finish();
        let _ = parse(&noise);
    }
}

#[test]
fn a_name_that_is_none_gives_a_component_without_identity() {
    let odd = b"Metadata-Version: 2.1\nName: ///\nVersion: 1.0\n\n";
    let path = "usr/local/lib/python3/dist-packages/odd-1.0.dist-info/METADATA";
    let (bom, _) = gathered(&[(path, odd)]);
    let found: Vec<_> = bom.walk().filter(|one| one.name == "///").collect();
    assert_eq!((found.len(), found[0].purl.as_deref()), (1, None));
}
