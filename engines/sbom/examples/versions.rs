//! Pairs of versions and how they stand to each other, for the differential run `tests/versions/run`:
//! `versions generate ECOSYSTEM COUNT SEED` prints pairs, `versions compare ECOSYSTEM` reads pairs from its
//! input and prints `<`, `=`, `>` or `?` a line, `versions time ECOSYSTEM` says what a comparison costs.

// A program beside the engine reads its input and the clock.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::{
    cmp::Ordering,
    io::{self, BufRead, BufWriter, Write},
    time::Instant,
};

use sbom::order::{Ecosystem, Key, order};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str).unwrap_or_default();
    let Some(ecosystem) = Ecosystem::named(argument(2)) else {
        panic!("usage: versions generate|compare|time ECOSYSTEM [COUNT SEED]");
    };
    match argument(1) {
        "generate" => {
            let count = argument(3).parse().expect("COUNT is a number");
            generate(ecosystem, count, argument(4).parse().expect("SEED is a number"))
        }
        "compare" => compare(ecosystem),
        "time" => time(ecosystem),
        other => panic!("{other:?} is none of generate, compare, time"),
    }
}

fn pairs() -> impl Iterator<Item = (String, String)> {
    let lines = io::stdin().lock().lines().map(|l| l.expect("UTF-8"));
    lines.filter_map(|l| l.split_once('\t').map(|(a, b)| (a.to_owned(), b.to_owned())))
}

fn compare(ecosystem: Ecosystem) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (a, b) in pairs() {
        let sign = match order(ecosystem, &a, &b) {
            Ok(Ordering::Less) => "<",
            Ok(Ordering::Equal) => "=",
            Ok(Ordering::Greater) => ">",
            Err(_) => "?",
        };
        writeln!(out, "{sign}")?;
    }
    out.flush()
}

fn time(ecosystem: Ecosystem) -> io::Result<()> {
    let versions: Vec<String> = pairs().flat_map(|(a, b)| [a, b]).collect();
    let start = Instant::now();
    let keys: Vec<Key> = versions.iter().filter_map(|v| ecosystem.key(v).ok()).collect();
    let made = start.elapsed();
    let start = Instant::now();
    let less = keys.windows(2).filter(|w| w[0].compare(&w[1]) == Some(Ordering::Less)).count();
    let compared = start.elapsed();
    let each = |t: std::time::Duration| t.as_nanos() / keys.len().max(1) as u128;
    println!("{ecosystem}: key {} ns, comparison {} ns ({less} less)", each(made), each(compared));
    Ok(())
}

/// splitmix64: the same pairs for the same seed, for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn number(&mut self) -> String {
        match self.roll(12) {
            0..=4 => self.roll(4).to_string(),
            5..=7 => self.roll(20).to_string(),
            8 => (2000 + self.roll(30)).to_string(),
            9 => (20_200_000 + self.roll(100_000)).to_string(),
            10 => "0".to_owned(),
            _ => self.roll(1000).to_string(),
        }
    }

    /// A number, sometimes with zeros in front.
    fn padded(&mut self) -> String {
        let zeros = ["", "", "", "", "", "0", "00"];
        format!("{}{}", self.pick(&zeros), self.number())
    }

    fn numbers(&mut self, most: usize, padded: bool) -> String {
        let count = 1 + self.roll(most);
        let part = |dice: &mut Dice| if padded { dice.padded() } else { dice.number() };
        (0..count).map(|_| part(self)).collect::<Vec<_>>().join(".")
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

fn generate(ecosystem: Ecosystem, count: usize, seed: u64) -> io::Result<()> {
    let mut dice = Dice(seed);
    let mut out = BufWriter::new(io::stdout().lock());
    for _ in 0..count {
        let a = version(ecosystem, &mut dice);
        // Neighbours are where mistakes show; strangers differ in the first number.
        let b = if dice.one_in(4) {
            version(ecosystem, &mut dice)
        } else {
            neighbour(ecosystem, &a, &mut dice)
        };
        writeln!(out, "{a}\t{b}")?;
    }
    out.flush()
}

fn version(ecosystem: Ecosystem, dice: &mut Dice) -> String {
    match ecosystem {
        Ecosystem::Dpkg => dpkg(dice),
        Ecosystem::Rpm => rpm(dice),
        Ecosystem::Apk => apk(dice),
        Ecosystem::Npm
        | Ecosystem::Cargo
        | Ecosystem::Go
        | Ecosystem::Hex
        | Ecosystem::Semver
        | Ecosystem::Pub => semver(dice, ""),
        Ecosystem::Pypi => python(dice),
        Ecosystem::Maven => maven(dice),
        Ecosystem::Nuget => {
            let fourth = if dice.one_in(3) { format!(".{}", dice.number()) } else { String::new() };
            semver(dice, &fourth)
        }
        Ecosystem::Rubygems => gem(dice),
        Ecosystem::Composer => composer(dice),
        Ecosystem::Cran => {
            let mut text = dice.numbers(4, true);
            if dice.one_in(2) {
                text = format!("{text}{}{}", dice.pick(&["-", "."]), dice.padded());
            }
            text
        }
        Ecosystem::Hackage => dice.numbers(5, false),
    }
}

/// A version beside another: a piece taken away, doubled, or put in, from the alphabet of its ecosystem.
fn neighbour(ecosystem: Ecosystem, text: &str, dice: &mut Dice) -> String {
    let mut out = text.to_owned();
    let pieces = pieces(ecosystem);
    for _ in 0..1 + dice.roll(2) {
        let ends: Vec<usize> = (0..=out.len()).filter(|at| out.is_char_boundary(*at)).collect();
        let at = ends[dice.roll(ends.len())];
        match dice.roll(4) {
            0 if at < out.len() && out.len() > 1 => {
                out.remove(at);
            }
            1 => out.truncate(at.max(1)),
            2 => out.insert_str(at, dice.pick(pieces)),
            _ => out.push_str(dice.pick(pieces)),
        }
    }
    out
}

fn pieces(ecosystem: Ecosystem) -> &'static [&'static str] {
    match ecosystem {
        Ecosystem::Dpkg => &[
            "~", "+", ".", "-", "0", "1", "9", "a", "z", "Z", "~rc1", "+b1", "-1", "+deb12u1", "1:",
        ],
        Ecosystem::Rpm => &[
            "~", "^", ".", "-", "_", "+", "0", "1", "9", "a", "z", "Z", "~rc1", "^git1", ".el9",
            "-1", "1:",
        ],
        Ecosystem::Apk => &[
            ".0",
            ".1",
            ".01",
            "a",
            "z",
            "_alpha",
            "_rc1",
            "_p1",
            "_git20200101",
            "-r0",
            "-r1",
            "-r10",
            "0",
            "1",
            "~ab12",
        ],
        Ecosystem::Maven => &[
            ".0",
            ".1",
            "-1",
            "-0",
            "-alpha",
            "-beta-1",
            "-rc1",
            "-SNAPSHOT",
            ".Final",
            "-ga",
            "-sp",
            ".RELEASE",
            "-foo",
            "a1",
            "b2",
            "m3",
            ".x",
            "-",
            ".",
            "0",
        ],
        Ecosystem::Pypi => &[
            ".0", ".1", "a1", "b2", "rc1", ".dev0", ".dev1", ".post1", "-1", "+local.1", "+ab",
            "1!", ".0.0", "c1", "-alpha", "_beta", "preview2", "r3",
        ],
        Ecosystem::Rubygems => {
            &[".0", ".1", ".a", ".rc1", ".pre", "-1", ".b.2", "0", "1", ".A", ".0.0", "-rc.1", "a"]
        }
        Ecosystem::Composer => &[
            ".0", ".1", "-dev", "-alpha", "-alpha1", "-beta.2", "RC1", "-rc3", "-patch1", "pl2",
            "p1", "v", "+build", "@dev", "-stable", "b2", ".x-dev", "-", ".",
        ],
        Ecosystem::Cran => &[".0", ".1", "-1", "0", "-0", "9"],
        Ecosystem::Hackage => &[".0", ".1", "0", "9"],
        _ => &[
            "-alpha", "-0", "-1", ".1", ".a", ".beta", "-rc.1", "+build", "-", "0", "1", ".0",
            "-A", "-x-y",
        ],
    }
}

fn dpkg(dice: &mut Dice) -> String {
    let mut text = if dice.one_in(5) { format!("{}:", dice.roll(4)) } else { String::new() };
    text += &dice.numbers(4, true);
    for _ in 0..dice.roll(3) {
        text += dice.pick(&[
            "~rc", "~beta", "+dfsg", "+git", "a", "rc", "~", "+", ".z", "Z", "~~", "-pre",
            "+really",
        ]);
        if dice.one_in(2) {
            text += &dice.padded();
        }
    }
    if dice.one_in(2) {
        text += "-";
        text += &dice.padded();
        text += dice
            .pick(&["", "", "ubuntu1", "+deb12u3", "~bpo11+1", "+b2", ".1", "~", "build1", "el"]);
    }
    text
}

fn rpm(dice: &mut Dice) -> String {
    let mut text = if dice.one_in(5) { format!("{}:", dice.roll(4)) } else { String::new() };
    text += &dice.numbers(4, true);
    for _ in 0..dice.roll(3) {
        text += dice.pick(&[
            "~rc", "~beta", "^git", "a", "rc", "~", "^", "_p", "Z", "..", "+", "^^", "~~", "alpha",
            "_",
        ]);
        if dice.one_in(2) {
            text += &dice.padded();
        }
    }
    if dice.one_in(2) {
        text += "-";
        text += &dice.padded();
        text += dice.pick(&[
            "",
            "",
            ".el9",
            ".el9_2",
            ".fc40",
            "^1",
            "~rc1",
            ".1",
            "_3",
            ".module+el8",
        ]);
    }
    text
}

fn apk(dice: &mut Dice) -> String {
    let mut text = dice.numbers(4, true);
    if dice.one_in(5) {
        text += dice.pick(&["a", "b", "z"]);
    }
    for _ in 0..dice.roll(3) {
        text += dice.pick(&["_alpha", "_beta", "_pre", "_rc", "_cvs", "_svn", "_git", "_hg", "_p"]);
        if dice.one_in(2) {
            text += &dice.number();
        }
    }
    if dice.one_in(2) {
        text += &format!("-r{}", dice.roll(12));
    }
    text
}

fn semver(dice: &mut Dice, fourth: &str) -> String {
    let mut text = format!("{}.{}.{}{fourth}", dice.number(), dice.number(), dice.number());
    if dice.one_in(2) {
        text += "-";
        let identifier = |dice: &mut Dice| match dice.roll(3) {
            0 => dice.number(),
            _ => dice
                .pick(&[
                    "alpha", "beta", "rc", "RC", "a", "b-1", "0a", "x", "dev", "-", "1-2", "alpha1",
                ])
                .to_owned(),
        };
        let count = 1 + dice.roll(3);
        text += &(0..count).map(|_| identifier(dice)).collect::<Vec<_>>().join(".");
    }
    if dice.one_in(6) {
        text += dice.pick(&["+1", "+build", "+20130313144700", "+a.b", "+exp.sha.5114f85"]);
    }
    text
}

fn python(dice: &mut Dice) -> String {
    let mut text = dice.pick(&["", "", "", "", "", "1!", "v"]).to_owned();
    text += &dice.numbers(5, true);
    if dice.one_in(3) {
        text += dice
            .pick(&["a", "b", "rc", "c", ".alpha", "-beta", "_preview", "pre", "-rc.", "A", "RC"]);
        if !dice.one_in(4) || text.ends_with('.') {
            text += &dice.number();
        }
    }
    if dice.one_in(4) {
        text += dice.pick(&[".post", "-", "rev", "-r", ".post-", "post"]);
        text += &dice.number();
    }
    if dice.one_in(4) {
        text += dice.pick(&[".dev", "dev", "-dev", "_dev_"]);
        text += &dice.number();
    }
    if dice.one_in(6) {
        text += dice.pick(&["+local", "+1", "+ab.1", "+1.ab", "+deb-1", "+0.0", "+ubuntu_2"]);
    }
    text
}

fn maven(dice: &mut Dice) -> String {
    let mut text = dice.numbers(4, true);
    for _ in 0..dice.roll(3) {
        text += dice.pick(&["-", ".", "", "-", "-"]);
        text += dice.pick(&[
            "alpha",
            "beta",
            "milestone",
            "rc",
            "cr",
            "SNAPSHOT",
            "ga",
            "final",
            "RELEASE",
            "sp",
            "a",
            "b",
            "m",
            "foo",
            "jre",
            "android",
            "x",
            "incubating",
            "1",
            "0",
            "Final",
            "pre",
        ]);
        if dice.one_in(2) {
            text += dice.pick(&["-", ".", ""]);
            text += &dice.number();
        }
    }
    text
}

fn gem(dice: &mut Dice) -> String {
    let mut text = dice.numbers(4, true);
    for _ in 0..dice.roll(3) {
        text += dice
            .pick(&[".a", ".b", ".rc", ".pre", ".beta", ".A", "-", ".rc1", ".0", ".b2c", ".alpha"]);
        if text.ends_with('-') || dice.one_in(2) {
            text += &dice.number();
        }
    }
    text
}

fn composer(dice: &mut Dice) -> String {
    let mut text = dice.pick(&["", "", "", "v"]).to_owned();
    if dice.one_in(20) {
        return dice
            .pick(&[
                "dev-main",
                "dev-master",
                "1.x-dev",
                "2.1.x-dev",
                "dev-feature",
                "20230115",
                "2010.01.02",
                "2010-01-02-10",
                "v3.*-dev",
            ])
            .to_owned();
    }
    text += &dice.numbers(4, false);
    if dice.one_in(2) {
        text += dice.pick(&["-", "", ".", "_"]);
        text += dice
            .pick(&["alpha", "beta", "RC", "rc", "a", "b", "patch", "pl", "p", "stable", "dev"]);
        if dice.one_in(2) {
            text += dice.pick(&["", ".", "-"]);
            text += &dice.number();
        }
    }
    if dice.one_in(8) {
        text += dice.pick(&["-dev", ".dev", "+build5", "@beta", "+a"]);
    }
    text
}
