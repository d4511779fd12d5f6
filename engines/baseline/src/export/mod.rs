//! How a host is built again: from facts to steps, from steps to a project for Ansible, a shell or
//! cloud-init, and how close a host rebuilt by it came.
//!
//! A plan holds only what departs from the pristine root (the same packages, freshly installed), if
//! facts of one are given; else all. What a project cannot bring back is declared beforehand as a
//! residual; any other difference between the host and its twin is a silent loss.
//!
//! Invariants: no secret is in a project, only the place it is looked up at; the order of steps depends
//! on the facts alone; a second run changes nothing, since each step looks first.
//!
//! Limits: names that are not UTF-8 become residuals, since neither YAML nor a shell script holds them.

mod accounts;
mod ansible;
mod plan;
mod score;
mod shell;
mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fact::{Facts, Layer};

pub use accounts::placeholder;
pub use score::{Loss, Rebuild, score};
pub use shell::quoted;
pub use step::{Content, Step};

/// A host to be built again.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    pub name: &'a str,
    pub facts: &'a Facts,
    /// Facts of a fresh root with the same packages.
    pub pristine: Option<&'a Facts>,
}

/// What runs the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Ansible,
    Shell,
    CloudInit,
}

impl Target {
    pub const ALL: [Target; 3] = [Target::Ansible, Target::Shell, Target::CloudInit];

    pub fn as_str(self) -> &'static str {
        match self {
            Target::Ansible => "ansible",
            Target::Shell => "shell",
            Target::CloudInit => "cloud-init",
        }
    }
}

/// Why something cannot come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is, or holds, a secret: its place is built, its value is looked up.
    Secret,
    /// The package in this version or state is no longer to be had.
    VersionUnavailable,
    /// It is data, or was not read.
    Data,
    /// It is there only while the system runs.
    NeedsPid1,
}

/// What a project declares not to bring back, by the path of its fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Residual {
    pub host: String,
    pub fact: String,
    pub reason: Reason,
}

/// Files to be written, and what they will not bring back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    pub files: BTreeMap<String, Vec<u8>>,
    pub residuals: Vec<Residual>,
    /// Places of secrets, below the folder they are looked up in, and what kind each is.
    pub secrets: BTreeMap<String, String>,
    /// Steps by host, those that all hosts share under the empty name.
    pub steps: BTreeMap<String, usize>,
}

/// Makes the project that builds these hosts.
pub fn export(hosts: &[Host<'_>], target: Target) -> Project {
    let plans: Vec<plan::Plan> = hosts.iter().map(plan::of).collect();
    let (shared, own) = plan::split(&plans);
    let mut project = Project::default();
    for (host, plan) in hosts.iter().zip(&plans) {
        let residual = |(fact, reason): (&String, &Reason)| Residual {
            host: host.name.to_owned(),
            fact: fact.clone(),
            reason: *reason,
        };
        project.residuals.extend(plan.residuals.iter().map(residual));
        project.secrets.extend(plan.secrets.clone());
        project.steps.insert(host.name.to_owned(), 0);
    }
    project.steps.insert(String::new(), shared.len());
    for (host, steps) in hosts.iter().zip(&own) {
        project.steps.insert(host.name.to_owned(), steps.len());
    }
    project.files = match target {
        Target::Ansible => ansible::files(hosts, &shared, &own),
        Target::Shell => shell::files(hosts, &shared, &own),
        Target::CloudInit => shell::cloud_init(hosts, &shared, &own),
    };
    let residuals = serde_json::to_vec_pretty(&project.residuals).unwrap_or_default();
    project.files.insert("residuals.json".to_owned(), residuals);
    project
}

/// Layers that a rebuilt host is held against.
const MANAGED: [Layer; 4] = [Layer::Base, Layer::Typed, Layer::Files, Layer::Secrets];
