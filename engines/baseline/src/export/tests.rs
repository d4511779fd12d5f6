//! Tests of the export: what becomes a task, what is declared beforehand, what a twin scores.

use super::*;
use crate::{
    bytes::Bytes,
    fact::{Class, Fact, Fingerprint, Origin, Unit, Value},
};

fn fact(class: Class, name: &str, value: Value) -> Fact {
    Fact { class, name: Bytes::from(name), value, origin: Origin::Default }
}

fn text(text: &str) -> Value {
    Value::text(text)
}

fn user(password: &str, locked: bool, shell: &str) -> Fact {
    let value = Value::map([
        ("uid", Value::Int(1001)),
        ("gid", Value::Int(100)),
        ("gecos", text("A B")),
        ("home", text("/home/ann")),
        ("shell", text(shell)),
        ("password", text(password)),
        ("locked", Value::Bool(locked)),
        ("scheme", text("sha512")),
        ("changed", Value::Quantity(19_000, Unit::Days)),
    ]);
    fact(Class::User, "ann", value)
}

fn file(change: &str, content: Option<&str>) -> (Fact, BTreeMap<[u8; 32], Vec<u8>>) {
    let mut blobs = BTreeMap::new();
    let mut map = BTreeMap::from([
        ("change".to_owned(), text(change)),
        ("kind".to_owned(), text("file")),
        ("mode".to_owned(), Value::Mode(0o640)),
        ("user".to_owned(), text("root")),
        ("group".to_owned(), text("adm")),
    ]);
    if let Some(content) = content {
        let name = step::name(content.as_bytes());
        let mut hash = [0; 32];
        hex::decode_to_slice(&name, &mut hash).expect("hex");
        blobs.insert(hash, content.as_bytes().to_vec());
        map.insert("content".to_owned(), text(&name));
        map.insert("keyed".to_owned(), Value::Secret(Fingerprint([1; 16])));
    }
    (fact(Class::File, "/etc/app.conf", Value::Map(map)), blobs)
}

fn facts(all: Vec<Fact>) -> Facts {
    Facts::new(all)
}

fn project(real: &Facts, pristine: &Facts, target: Target) -> Project {
    export(&[Host { name: "web1", facts: real, pristine: Some(pristine) }], target)
}

fn script(project: &Project) -> String {
    String::from_utf8(project.files["web1.sh"].clone()).expect("UTF-8")
}

#[test]
fn what_the_pristine_root_has_already_is_no_step_and_what_the_host_lacks_goes() {
    let same = fact(Class::Group, "adm", Value::map([("gid", Value::Int(4))]));
    let gone = fact(Class::Group, "games", Value::map([("gid", Value::Int(60))]));
    let real = facts(vec![same.clone()]);
    let pristine = facts(vec![same, gone]);
    let project = project(&real, &pristine, Target::Shell);
    let script = script(&project);
    assert!(script.contains("groupdel -f games") && !script.contains("adm"), "{script}");
    assert_eq!(project.steps["web1"], 1);
}

#[test]
fn a_group_outlives_the_account_of_its_name() {
    let group = fact(Class::Group, "games", Value::map([("gid", Value::Int(60))]));
    let real = facts(vec![group.clone()]);
    let account = Fact { name: "games".into(), ..user("locked", true, "/bin/sh") };
    let pristine = facts(vec![group, account]);
    let script = script(&project(&real, &pristine, Target::Shell));
    let gone = script.find("userdel -f games").expect("the account goes");
    assert!(script[gone..].contains("groupadd -o -g 60 games"), "{script}");
}

#[test]
fn a_password_is_looked_up_and_a_lock_and_the_days_are_kept() {
    let real = facts(vec![user("locked", true, "/bin/sh")]);
    let made = project(&real, &Facts::default(), Target::Shell);
    let script = script(&made);
    assert!(script.contains("\"!$(cat \"$UME_SECRETS\"/shadow/ann)\""), "{script}");
    assert!(script.contains("chage -d 19000 -m -1 -M -1 -W -1 -I -1 -E -1 ann"), "{script}");
    assert_eq!(made.secrets["shadow/ann"], "crypt:sha512");
    assert!(placeholder("crypt:sha512", "shadow/ann").starts_with("$6$"));
    let ansible = project(&real, &Facts::default(), Target::Ansible);
    let tasks = String::from_utf8_lossy(&ansible.files["roles/ume/tasks/main.yml"]).into_owned();
    let own = String::from_utf8_lossy(&ansible.files["inventory/host_vars/web1.yml"]).into_owned();
    assert!(
        tasks.contains("no_log: true") && own.contains("secret: \"shadow/ann\", locked: true"),
        "{own}"
    );
}

#[test]
fn equal_resources_of_two_hosts_lie_in_the_role_and_differences_with_the_host() {
    let group = |gid| fact(Class::Group, "ops", Value::map([("gid", Value::Int(gid))]));
    let shared = fact(Class::Group, "dev", Value::map([("gid", Value::Int(2000))]));
    let (one, two) = (facts(vec![shared.clone(), group(2001)]), facts(vec![shared, group(2002)]));
    let hosts =
        [("a", &one), ("b", &two)].map(|(name, facts)| Host { name, facts, pristine: None });
    let project = export(&hosts, Target::Ansible);
    let at = |name: &str| String::from_utf8_lossy(&project.files[name]).into_owned();
    let role = at("roles/ume/vars/main.yml");
    assert!(role.contains("name: \"dev\", gid: 2000") && !role.contains("name: \"ops\""), "{role}");
    assert!(at("inventory/host_vars/a.yml").contains("gid: 2001"));
    assert!(at("inventory/host_vars/b.yml").contains("gid: 2002"));
}

#[test]
fn no_secret_and_no_expression_of_a_file_is_in_a_project() {
    let (app, blobs) = file("added", Some("pw={{ume-secret:00ff}}\n{{ lookup('pipe','id') }}\n"));
    let mut real = facts(vec![app]);
    real.blobs = blobs;
    let project = project(&real, &Facts::default(), Target::Ansible);
    let template = project.files.iter().find(|(name, _)| name.starts_with("roles/ume/templates/"));
    let text = String::from_utf8_lossy(template.expect("a template").1).into_owned();
    assert!(
        text.contains(
            "pw=[%%ume lookup('ansible.builtin.file', ume_secrets ~ '/values/00ff') ume%%]"
        ),
        "{text}"
    );
    assert!(text.starts_with("#jinja2: variable_start_string:'[%%ume'"));
    assert_eq!(project.residuals[0].reason, Reason::Secret);
}

#[test]
fn only_what_was_declared_is_a_residual() {
    let (left, blobs) = file("added", Some("pw={{ume-secret:00ff}}\nport=1\n"));
    let mut real = facts(vec![left, user("set", false, "/bin/sh")]);
    real.blobs = blobs;
    let declared = project(&real, &Facts::default(), Target::Shell);
    let twin = |content: &str, shell: &str| {
        let (mut other, blobs) = file("added", Some(content));
        if let Value::Map(map) = &mut other.value {
            map.insert("keyed".to_owned(), Value::Secret(Fingerprint([2; 16])));
        }
        let mut twin = facts(vec![other, user("set", false, shell)]);
        twin.blobs = blobs;
        twin
    };
    let good =
        score("web1", &real, &twin("pw={{ume-secret:aaaa}}\nport=1\n", "/bin/sh"), &declared);
    assert_eq!((good.equal, good.managed, good.residuals.len(), good.silent.len()), (1, 2, 1, 0));
    let other_text =
        score("web1", &real, &twin("pw={{ume-secret:aaaa}}\nport=2\n", "/bin/sh"), &declared);
    assert_eq!(other_text.silent.len(), 1);
    let other_shell =
        score("web1", &real, &twin("pw={{ume-secret:aaaa}}\nport=1\n", "/bin/bash"), &declared);
    assert_eq!(other_shell.silent[0].fact, "user/ann");
    let nothing = score("web1", &real, &Facts::default(), &declared);
    assert_eq!((nothing.equal, nothing.silent.len()), (0, 2));
    let more = score("web1", &Facts::default(), &real, &declared);
    assert!(!more.holds() && more.silent.iter().all(|loss| loss.real.is_none()));
}
