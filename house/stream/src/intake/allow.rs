//! Which files may be followed for somebody else: patterns over whole paths.
//!
//! Invariants: a path counts as it really is. What a pattern admits by its name only is asked again of
//! the opened file ([`Allow::admits`]), so that neither `..` nor a symbolic link leads outside, not
//! even one that is put in place later. Nothing but a regular file is ever opened.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::fd::AsRawFd,
    path::{Component, Path, PathBuf},
};

/// Patterns of whole paths: `*` stands for any characters of one name, `**` as a name for any names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(Vec<String>);

/// Why a path is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Not absolute, or with `.` or `..` in it.
    Path,
    /// No pattern admits it, or what it really is.
    Outside,
    /// There, and no regular file.
    Special,
}

impl Denied {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Denied::Path => "path",
            Denied::Outside => "outside",
            Denied::Special => "special",
        }
    }
}

impl Allow {
    /// Patterns as someone wrote them; each begins with `/`.
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Result<Allow, String> {
        let patterns: Vec<String> = patterns.into_iter().collect();
        match patterns.iter().find(|p| plain(Path::new(p)).is_none()) {
            Some(wrong) => {
                Err(format!("{wrong:?} is no pattern of whole paths, as /var/log/** is"))
            }
            None => Ok(Allow(patterns)),
        }
    }

    /// Everything below a folder.
    pub fn below(folder: &str) -> Allow {
        Allow(vec![format!("{folder}/**")])
    }

    fn covers(&self, path: &Path) -> bool {
        let Some(names) = plain(path) else { return false };
        let patterns = self.0.iter().filter_map(|p| plain(Path::new(p)));
        patterns.into_iter().any(|pattern| fits(&pattern, &names))
    }

    /// Whether the path may be followed as it is now. One that is not there yet may.
    pub fn judge(&self, path: &Path) -> Result<(), Denied> {
        plain(path).ok_or(Denied::Path)?;
        if !self.covers(path) {
            return Err(Denied::Outside);
        }
        let Ok(real) = fs::canonicalize(path) else { return Ok(()) };
        if !self.covers(&real) {
            return Err(Denied::Outside);
        }
        match fs::metadata(&real) {
            Ok(meta) if !meta.is_file() => Err(Denied::Special),
            _ => Ok(()),
        }
    }

    /// Whether the opened file is one that may be followed, wherever its name led.
    pub(super) fn admits(&self, file: &File) -> io::Result<()> {
        let real: PathBuf = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        // The kernel says so of a file that lost its name in the meantime.
        let real = real.to_string_lossy();
        let real = Path::new(real.strip_suffix(" (deleted)").unwrap_or(&real));
        if file.metadata()?.is_file() && self.covers(real) {
            return Ok(());
        }
        let text = format!("{} may not be followed here", real.display());
        Err(io::Error::new(ErrorKind::PermissionDenied, text))
    }
}

/// The names of an absolute path that says where it is.
fn plain(path: &Path) -> Option<Vec<&str>> {
    let text = path.to_str()?;
    if !text.starts_with('/') || text.split('/').any(|name| name == ".") {
        return None;
    }
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => names.push(name.to_str()?),
            _ => return None,
        }
    }
    (!names.is_empty()).then_some(names)
}

fn fits(pattern: &[&str], names: &[&str]) -> bool {
    match (pattern, names) {
        ([], []) => true,
        (["**"], rest) => !rest.is_empty(),
        (["**", after @ ..], [_, rest @ ..]) => fits(after, names) || fits(pattern, rest),
        ([first, after @ ..], [name, rest @ ..]) => wild(first, name) && fits(after, rest),
        _ => false,
    }
}

/// Whether the text fits a pattern in which `*` stands for any characters.
pub fn wild(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    // The pieces between stars are taken at their first place; only the last must stand at the end.
    let mut rest = rest;
    let mut pieces = tail.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(patterns: &[&str]) -> Allow {
        Allow::new(patterns.iter().map(|p| (*p).to_owned())).unwrap()
    }

    #[test]
    fn a_pattern_admits_names_and_not_what_merely_begins_alike() {
        let log = allow(&["/var/log/**", "/srv/*/app-*.log"]);
        for good in ["/var/log/a", "/var/log/a/b.log", "/srv/x/app-1.log"] {
            assert!(log.covers(Path::new(good)), "{good}");
        }
        for bad in [
            "/var/log",
            "/var/logs/a",
            "/var/log/../../etc/shadow",
            "/etc/shadow",
            "var/log/a",
            "/srv/x/y/app-1.log",
            "/srv/x/app-1.log2",
            "",
        ] {
            assert!(!log.covers(Path::new(bad)), "{bad}");
        }
        assert!(allow(&["/a/**/z"]).covers(Path::new("/a/b/c/z")));
        assert!(Allow::new(["var/log/**".to_owned()]).is_err());
        assert!(Allow::new(["/var/../**".to_owned()]).is_err());
        assert!(wild("a*b*c", "a-b-b-c") && !wild("a*b*c", "a-c-b") && wild("*", ""));
        assert!(!wild("ab*ba", "aba") && wild("web-*", "web-1") && !wild("web", "web-1"));
    }

    #[test]
    fn a_link_that_leads_outside_is_refused_by_name_and_again_when_it_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(folder.path()).unwrap();
        let (inside, outside) = (at.join("log"), at.join("secret"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "x").unwrap();
        fs::write(inside.join("plain"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
        std::os::unix::fs::symlink(inside.join("plain"), inside.join("good")).unwrap();
        let log = allow(&[&format!("{}/**", inside.display())]);
        assert_eq!(log.judge(&inside.join("plain")), Ok(()));
        assert_eq!(log.judge(&inside.join("good")), Ok(()));
        assert_eq!(log.judge(&inside.join("later")), Ok(()));
        assert_eq!(log.judge(&inside.join("link")), Err(Denied::Outside));
        assert_eq!(log.judge(&inside.join("../secret")), Err(Denied::Path));
        fs::create_dir(inside.join("folder")).unwrap();
        assert_eq!(log.judge(&inside.join("folder")), Err(Denied::Special));
        assert!(log.admits(&File::open(inside.join("good")).unwrap()).is_ok());
        assert!(log.admits(&File::open(inside.join("link")).unwrap()).is_err());
        let gone = File::open(inside.join("plain")).unwrap();
        fs::remove_file(inside.join("plain")).unwrap();
        assert!(log.admits(&gone).is_ok());
    }
}
