//! The proof that a host can be built again: a pristine root from its base, the project applied to it,
//! what came of it held against the host.
//!
//! Invariants: everything happens below one working folder, in a mount namespace of its own; secrets of
//! the host are nowhere, stand-ins take their place; a proof that could not be brought to its end is a
//! failed proof with its log, never a good one.
//!
//! Limits: Debian and its like (`mmdebstrap`, which must run as root); a step may take half an hour.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use baseline::{
    Class, Facts, FingerprintKey, Plan, Value,
    export::{self, Host, Project, Reason, Rebuild, Residual, Target},
};
use sha2::{Digest as _, Sha256};

use super::driver::{RootDriver, collect};

const CONNECTION: &str = include_str!("twin/ume_chroot.py");
const SECONDS_MAX: &str = "1800";

/// Why a proof did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{what} is not installed: {source}")]
    Missing { what: String, source: io::Error },
    #[error("{what} failed; its last lines:\n{log}")]
    Failed { what: String, log: String },
    #[error("the facts name no release or no packages: capture the host with its package tables")]
    NoBase,
    #[error("apt of this machine knows no archive of {0}")]
    NoArchive(String),
}

/// What a proof needs.
pub struct Asked<'a> {
    pub name: &'a str,
    pub real: &'a Facts,
    pub key: FingerprintKey,
    pub target: Target,
    /// Holds pristine roots and twins.
    pub folder: &'a Path,
    /// A pristine root made before; without one it is made and kept.
    pub pristine: Option<&'a Path>,
    /// Whether all files of packages were held against their manifests.
    pub full: bool,
}

/// What a proof gave.
pub struct Proof {
    pub rebuild: Rebuild,
    pub project: Project,
    /// Changes of the first and of the second run.
    pub changes: [u64; 2],
    pub log: String,
}

impl Proof {
    /// Enough is equal, nothing was lost silently, and a second run had nothing to do.
    pub fn holds(&self) -> bool {
        self.rebuild.holds() && self.changes[1] == 0
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> TwinError + '_ {
    move |source| TwinError::Io { path: path.to_owned(), source }
}

/// Builds the twin of a host and holds it against the host.
pub fn prove(asked: &Asked<'_>) -> Result<Proof, TwinError> {
    fs::create_dir_all(asked.folder).map_err(io_at(asked.folder))?;
    let (pristine_root, missing) = match asked.pristine {
        Some(root) => (root.to_owned(), Vec::new()),
        None => Base::of(asked.real)?.root(asked.folder)?,
    };
    let pristine = facts_of(&pristine_root, asked)?;
    let host = Host { name: asked.name, facts: asked.real, pristine: Some(&pristine) };
    let mut project = export::export(&[host], asked.target);
    project.residuals.extend(missing.into_iter().map(|fact| Residual {
        host: asked.name.to_owned(),
        fact,
        reason: Reason::VersionUnavailable,
    }));
    // Ansible runs in the folder of the project, so the place has to be said whole.
    let folder = asked.folder.canonicalize().map_err(io_at(asked.folder))?;
    let work = folder.join(format!("twin-{}", std::process::id()));
    let twin = Twin::new(&work, &pristine_root)?;
    write_project(&project, &work)?;
    let mut log = String::new();
    let mut changes = [0; 2];
    for run in &mut changes {
        *run = twin.apply(asked, &mut log)?;
    }
    let facts = facts_of(&twin.root, asked)?;
    let rebuild = export::score(asked.name, asked.real, &facts, &project);
    Ok(Proof { rebuild, project, changes, log })
}

fn facts_of(root: &Path, asked: &Asked<'_>) -> Result<Facts, TwinError> {
    let mut driver = RootDriver::open(root, false).map_err(io_at(root))?;
    let plan = Plan { live: false, full: asked.full, key: asked.key.clone() };
    Ok(baseline::facts(&collect(&mut driver, plan)))
}

fn write_project(project: &Project, work: &Path) -> Result<(), TwinError> {
    let put = |path: PathBuf, bytes: &[u8]| {
        let folder = path.parent().unwrap_or(work);
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes)).map_err(io_at(&path))
    };
    for (name, bytes) in &project.files {
        put(work.join("project").join(name), bytes)?;
    }
    // What opens nothing takes the place of what opens something.
    for (place, kind) in &project.secrets {
        put(work.join("secrets").join(place), export::placeholder(kind, place).as_bytes())?;
    }
    put(work.join("project/connection_plugins/ume_chroot.py"), CONNECTION.as_bytes())
}

/// The pristine root that facts ask for.
struct Base {
    suite: String,
    /// Package to version.
    packages: BTreeMap<String, String>,
    facts: BTreeMap<String, String>,
    excludes: Vec<String>,
    has_apt: bool,
}

impl Base {
    fn of(real: &Facts) -> Result<Base, TwinError> {
        let suite = real.get(Class::Release, b"VERSION_CODENAME").map(|fact| fact.value.shown());
        let suite = suite.ok_or(TwinError::NoBase)?;
        let native =
            real.class(Class::Package).iter().find(|fact| fact.attribute("name") == Some("dpkg"));
        let native =
            native.and_then(|fact| fact.attribute("architecture")).unwrap_or("").to_owned();
        let (mut packages, mut facts) = (BTreeMap::new(), BTreeMap::new());
        for fact in real.class(Class::Package) {
            let text = |name| fact.attribute(name).unwrap_or("").to_owned();
            if !matches!(
                text("state").as_str(),
                "installed" | "triggers-pending" | "triggers-awaited"
            ) {
                continue;
            }
            let name = match text("architecture") {
                a if a == native || a == "all" => text("name"),
                a => format!("{}:{a}", text("name")),
            };
            facts.insert(name.clone(), fact.path());
            packages.insert(name, text("version"));
        }
        if packages.is_empty() {
            return Err(TwinError::NoBase);
        }
        let has_apt = packages.contains_key("apt");
        Ok(Base { suite, packages, facts, excludes: excludes(real), has_apt })
    }

    /// The root, and the facts of packages whose version is not to be had.
    fn root(&self, folder: &Path) -> Result<(PathBuf, Vec<String>), TwinError> {
        let sources = sources(&self.suite)?;
        let known = versions(&self.packages)?;
        let mut includes = Vec::new();
        let mut missing = Vec::new();
        for (name, version) in &self.packages {
            match known.get(name) {
                Some(all) if all.contains(version) => includes.push(format!("{name}={version}")),
                Some(_) => {
                    includes.push(name.clone());
                    missing.extend(self.facts.get(name).cloned());
                }
                None => missing.extend(self.facts.get(name).cloned()),
            }
        }
        let key =
            Sha256::digest(format!("{} {includes:?} {:?} {sources}", self.suite, self.excludes));
        let root = folder.join(format!("pristine-{}", &hex::encode(key)[..16]));
        if !root.join("etc/debian_version").exists() {
            self.build(&root, &includes, &sources)?;
        }
        Ok((root, missing))
    }

    fn build(&self, root: &Path, includes: &[String], sources: &str) -> Result<(), TwinError> {
        let made = root.with_extension("new");
        let _ = fs::remove_dir_all(&made);
        let mut command = Command::new("mmdebstrap");
        command.args(["--mode=root", "--format=directory", "--quiet"]);
        command.arg(if self.has_apt { "--variant=apt" } else { "--variant=essential" });
        command.arg("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr");
        command.args(self.excludes.iter().map(|line| format!("--dpkgopt={line}")));
        command.arg(format!("--include={}", includes.join(",")));
        command.arg(&self.suite).arg(&made).arg("-");
        run(command, "mmdebstrap", sources, &mut String::new())?;
        fs::rename(&made, root).map_err(io_at(root))
    }
}

/// What dpkg was told not to unpack.
fn excludes(real: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    for fact in real.class(Class::File) {
        let path = fact.name.to_string();
        if !path.starts_with("/etc/dpkg/dpkg.cfg") {
            continue;
        }
        let blob = fact.attribute("content").and_then(|text| {
            let mut hash = [0; 32];
            hex::decode_to_slice(text, &mut hash).ok()?;
            real.blobs.get(&hash)
        });
        let text =
            blob.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let wanted =
            |line: &&str| line.starts_with("path-exclude") || line.starts_with("path-include");
        lines.extend(text.lines().map(str::trim).filter(wanted).map(str::to_owned));
    }
    lines
}

/// The archives that apt of this machine uses, for this release.
fn sources(suite: &str) -> Result<String, TwinError> {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--format",
        "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    ]);
    let text = output(command, "apt-get")?;
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| line.split(' ').nth(2).is_some_and(|release| release.starts_with(suite)))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    match lines.is_empty() {
        true => Err(TwinError::NoArchive(suite.to_owned())),
        false => Ok(lines.join("\n") + "\n"),
    }
}

/// Versions that are to be had, by package.
fn versions(
    packages: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Vec<String>>, TwinError> {
    let mut command = Command::new("apt-cache");
    command.arg("madison").args(packages.keys());
    let text = output(command, "apt-cache")?;
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('|').map(str::trim);
        if let (Some(name), Some(version)) = (fields.next(), fields.next()) {
            known.entry(name.to_owned()).or_default().push(version.to_owned());
        }
    }
    Ok(known)
}

fn output(mut command: Command, what: &str) -> Result<String, TwinError> {
    let done =
        command.output().map_err(|source| TwinError::Missing { what: what.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Runs a command with this input; what it says goes to the log.
fn run(command: Command, what: &str, input: &str, log: &mut String) -> Result<String, TwinError> {
    let missing = |source| TwinError::Missing { what: what.to_owned(), source };
    let mut bounded = Command::new("timeout");
    bounded.arg(SECONDS_MAX).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        bounded.env(name, value.unwrap_or_default());
    }
    bounded.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = bounded.spawn().map_err(missing)?;
    if let Some(mut stdin) = child.stdin.take() {
        // What does not read its input is no fault of the input.
        let _ = stdin.write_all(input.as_bytes());
    }
    let done = child.wait_with_output().map_err(missing)?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    log.push_str(&said);
    if done.status.success() {
        return Ok(said);
    }
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(30)..].join("\n");
    Err(TwinError::Failed { what: what.to_owned(), log: last })
}

/// A copy of the pristine root that goes when this goes.
struct Twin {
    work: PathBuf,
    root: PathBuf,
}

impl Drop for Twin {
    fn drop(&mut self) {
        if std::env::var_os("UME_KEEP_TWIN").is_none() {
            // Files nobody may change would stay.
            let _ = Command::new("chattr").args(["-R", "-f", "-i", "-a"]).arg(&self.root).output();
            let _ = fs::remove_dir_all(&self.work);
        }
    }
}

impl Twin {
    fn new(work: &Path, pristine: &Path) -> Result<Twin, TwinError> {
        let _ = fs::remove_dir_all(work);
        fs::create_dir_all(work).map_err(io_at(work))?;
        let root = work.join("root");
        let twin = Twin { work: work.to_owned(), root: root.clone() };
        let mut copy = Command::new("cp");
        copy.args(["-a", "--reflink=auto"]).arg(pristine).arg(&root);
        run(copy, "cp", "", &mut String::new())?;
        Ok(twin)
    }

    /// Applies the project and says how much it changed.
    fn apply(&self, asked: &Asked<'_>, log: &mut String) -> Result<u64, TwinError> {
        let (script, what) = match asked.target {
            Target::Ansible => (ANSIBLE, "ansible-playbook"),
            _ => (SHELL, "sh"),
        };
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-eu", "-c", script]);
        command.env("UME_TWIN", &self.root).env("UME_WORK", &self.work).env("UME_HOST", asked.name);
        let said = run(command, what, "", log)?;
        let changed = |line: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix("changed="))?;
            word.parse().ok()
        };
        let counted = said.lines().rev().find_map(changed);
        counted.ok_or_else(|| TwinError::Failed { what: what.to_owned(), log: said })
    }
}

/// Mounts are those of the namespace, and go with it.
const SHELL: &str = r#"
mount -t proc proc "$UME_TWIN/proc"
mount -t tmpfs run "$UME_TWIN/run"
mount --bind /dev "$UME_TWIN/dev"
mkdir -p "$UME_TWIN/run/sshd"
cp -a "$UME_WORK/project" "$UME_TWIN/run/ume-project"
cp -a "$UME_WORK/secrets" "$UME_TWIN/run/ume-secrets" 2>/dev/null || mkdir -p "$UME_TWIN/run/ume-secrets"
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root UME_SECRETS=/run/ume-secrets chroot "$UME_TWIN" sh "/run/ume-project/$UME_HOST.sh"
"#;

const ANSIBLE: &str = r#"
mount -t proc proc "$UME_TWIN/proc"
mount -t tmpfs run "$UME_TWIN/run"
mount --bind /dev "$UME_TWIN/dev"
mkdir -p "$UME_WORK/secrets" "$UME_WORK/ansible"
cd "$UME_WORK/project"
export ANSIBLE_CONFIG="$PWD/ansible.cfg" ANSIBLE_CONNECTION_PLUGINS="$PWD/connection_plugins" ANSIBLE_HOME="$UME_WORK/ansible" ANSIBLE_LOCAL_TEMP="$UME_WORK/ansible" ANSIBLE_REMOTE_TEMP=/run/ume-ansible ANSIBLE_PIPELINING=True ANSIBLE_NOCOLOR=1 PYTHONDONTWRITEBYTECODE=1 UME_SECRETS="$UME_WORK/secrets" LC_ALL=C.UTF-8
ansible-playbook site.yml --limit "$UME_HOST" -c ume_chroot -e ume_become=false -e ansible_python_interpreter=/usr/bin/python3
"#;

/// Members of a record of a proof.
pub fn facts(proof: &Proof, base_current: bool) -> Value {
    let count = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    Value::map([
        ("equal", count(proof.rebuild.equal)),
        ("managed", count(proof.rebuild.managed)),
        ("equal_permille", count(proof.rebuild.permille())),
        ("residuals", Value::texts(proof.rebuild.residuals.iter().map(|r| r.fact.clone()))),
        ("silent_losses", count(proof.rebuild.silent.len() as u64)),
        ("base_current", Value::Bool(base_current)),
    ])
}
