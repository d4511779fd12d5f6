//! Settings, and hosts that do not answer; a real one is collected by `tests/ssh/run`.

use super::*;
use crate::impact::settings::Settings;

fn read(text: &str) -> Result<Vec<Host>, String> {
    let settings: Result<Settings, _> = toml::from_str(text);
    settings.map(|all| all.ssh.0).map_err(|error| error.message().to_owned())
}

#[test]
fn a_host_is_named_once_and_no_option_of_ssh() {
    let good =
        read("[[ssh]]\nto = \"ume@web1\"\n[[ssh]]\nto = \"10.0.0.7\"\nname = \"db1\"\n").unwrap();
    let names: Vec<&str> = good.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["web1", "db1"]);
    assert_eq!(good[0].every_hours, 24);
    for (keys, words) in [
        ("", "missing field"),
        ("to = \"-oProxyCommand=x\"", "as ssh takes it"),
        ("to = \"a b\"", "as ssh takes it"),
        ("to = \"a\"\nevery_hours = 0", "every_hours"),
        ("to = \"a\"\nconfig = \"x\"", "from / on"),
        ("to = \"a\"\nname = \"\"", "name is"),
        ("to = \"a\"\npassword = \"x\"", "unknown field"),
        ("to = \"a\"\n[[ssh]]\nto = \"b@a\"", "twice"),
    ] {
        let wrong = read(&format!("[[ssh]]\n{keys}\n")).expect_err(keys);
        assert!(wrong.contains(words), "{keys}: {wrong}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_told_of_once_and_not_after_it_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), store::system_clock()).await.unwrap();
    let row = registered(&store, "web1").await.unwrap();
    assert_eq!(registered(&store, "web1").await.unwrap().id, row.id);
    unreached(&store, row.id, "ssh: connection refused").await.unwrap();
    unreached(&store, row.id, "ssh: connection refused").await.unwrap();
    let said = store.newest_records(&[UNREACHED], Some(row.id), 9).await.unwrap();
    assert_eq!(said.len(), 1);
    let silent_now = silent(&store).await.unwrap();
    assert_eq!(silent_now.len(), 1);
    assert_eq!(silent_now[0].1, "ssh: connection refused");

    let facts =
        collect::collect(folder.path(), false, false, &baseline::FingerprintKey::new([1; 32]));
    keep(&store, row.clone(), store.now(), &facts.unwrap()).await.unwrap();
    assert_eq!(silent(&store).await.unwrap(), Vec::new());
    let reached = Reached::default();
    let host = |every_hours| Host {
        to: "web1".to_owned(),
        name: "web1".to_owned(),
        every_hours,
        sudo: false,
        config: None,
    };
    assert!(!is_due(&store, &reached, &host(1), row.id).await.unwrap());
    unreached(&store, row.id, "ssh: host key").await.unwrap();
    assert_eq!(silent(&store).await.unwrap()[0].1, "ssh: host key");
}
