//! Settings of systemd's own daemons: the main file, then drop-ins by name over all folders; the
//! last value of a key counts, an empty one takes back what stood before.

use super::{Sink, Text, at, ini, val};
use crate::{
    bytes::Bytes,
    fact::{Class, Value},
};

const FILES: [&str; 8] = [
    "system.conf",
    "user.conf",
    "logind.conf",
    "journald.conf",
    "resolved.conf",
    "timesyncd.conf",
    "coredump.conf",
    "sleep.conf",
];

/// Strongest first.
const FOLDERS: [&str; 4] =
    ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

pub(crate) fn facts(sink: &mut Sink<'_>) {
    for file in FILES {
        let main = FOLDERS.iter().find_map(|folder| sink.text(&format!("{folder}/{file}")));
        let folders: Vec<String> =
            FOLDERS.iter().map(|folder| format!("{folder}/{file}.d")).collect();
        let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
        let mut texts: Vec<Text> = main.into_iter().collect();
        texts.extend(sink.layered(&folders, ".conf"));
        for text in texts {
            for (section, key, value, line) in ini(&text.text) {
                let name = format!("{file}/{section}/{key}");
                sink.set(Class::SystemdSetting, &name, val(&value), at(&text.path, line));
            }
        }
    }
    sink.facts.retain(|fact| {
        fact.class != Class::SystemdSetting || fact.value != Value::Text(Bytes::default())
    });
}
