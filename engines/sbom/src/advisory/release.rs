//! Distributions and their releases, however they are written.

use crate::order::Ecosystem;

/// The distribution of a name, and its order.
pub(crate) fn distribution(name: &str) -> Option<(&'static str, Ecosystem)> {
    use Ecosystem::{Apk, Dpkg, Rpm};
    Some(match name.to_ascii_lowercase().as_str() {
        "debian" => ("debian", Dpkg),
        "ubuntu" => ("ubuntu", Dpkg),
        "alpine" => ("alpine", Apk),
        "wolfi" => ("wolfi", Apk),
        "chainguard" => ("chainguard", Apk),
        "red hat" | "redhat" | "rhel" => ("redhat", Rpm),
        "rocky linux" | "rocky" | "rocky-linux" => ("rocky", Rpm),
        "almalinux" | "alma" => ("almalinux", Rpm),
        "centos" => ("centos", Rpm),
        "fedora" => ("fedora", Rpm),
        "suse" => ("suse", Rpm),
        "opensuse" => ("opensuse", Rpm),
        "mageia" => ("mageia", Rpm),
        "openeuler" => ("openeuler", Rpm),
        "amazon" | "amzn" | "amazon linux" => ("amazon", Rpm),
        "oracle" | "oraclelinux" => ("oracle", Rpm),
        "azure linux" | "azurelinux" | "mariner" => ("azurelinux", Rpm),
        _ => return None,
    })
}

const DEBIAN: &[(&str, &str)] = &[
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
    ("unstable", "sid"),
];

const UBUNTU: &[(&str, &str)] = &[
    ("trusty", "14.04"),
    ("xenial", "16.04"),
    ("bionic", "18.04"),
    ("focal", "20.04"),
    ("jammy", "22.04"),
    ("mantic", "23.10"),
    ("noble", "24.04"),
    ("oracular", "24.10"),
    ("plucky", "25.04"),
    ("questing", "25.10"),
];

/// A release in the form by which releases are compared: `debian-12.7` and `bookworm` are both `12`.
pub fn release(distribution: &str, text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    // `debian-12`, `alpine:v3.18`, `pro:22.04:lts`
    let text =
        text.rsplit_once('-').filter(|(_, r)| starts_with_digit(r)).map_or(&*text, |(_, r)| r);
    let code = |table: &[(&str, &str)]| {
        table.iter().find(|(name, _)| *name == text).map(|(_, number)| (*number).to_owned())
    };
    let numbers = |count: usize| {
        let from = text.find(|c: char| c.is_ascii_digit());
        let number = from.map(|at| &text[at..]).unwrap_or(text);
        let number = number.split([':', ' ']).next().unwrap_or(number);
        number.split('.').take(count).collect::<Vec<_>>().join(".")
    };
    match distribution {
        "debian" => code(DEBIAN).unwrap_or_else(|| numbers(1)),
        "ubuntu" => code(UBUNTU).unwrap_or_else(|| numbers(2)),
        "alpine" if text == "edge" => text.to_owned(),
        "alpine" | "opensuse" => numbers(2),
        "redhat" | "rocky" | "almalinux" | "centos" | "oracle" | "fedora" => numbers(1),
        _ => text.to_owned(),
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn a_release_is_one_however_it_is_written() {
        let same = |distribution, list: &[&str], expected: &str| {
            for text in list {
                assert_eq!(release(distribution, text), expected, "{text}");
            }
        };
        same("debian", &["12", "bookworm", "debian-12", "debian-12.7", "12.1"], "12");
        same("debian", &["sid", "unstable"], "sid");
        same("ubuntu", &["22.04", "ubuntu-22.04", "22.04:LTS", "Pro:22.04:LTS", "jammy"], "22.04");
        same("alpine", &["v3.18", "alpine-3.18.4", "3.18"], "3.18");
        same("redhat", &["rhel-9.3", "enterprise_linux:9::baseos", "9"], "9");
    }
}
