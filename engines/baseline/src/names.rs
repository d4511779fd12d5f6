//! Names of users and groups by number, as the host's own tables have them.

use std::collections::HashMap;

use crate::capture::Capture;

/// Numbers to names; of two names for a number the first one counts, as for the C library.
#[derive(Debug, Default)]
pub(crate) struct Names {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Names {
    pub(crate) fn of(capture: &Capture) -> Names {
        Names { users: table(capture, b"/etc/passwd"), groups: table(capture, b"/etc/group") }
    }

    /// The name, or the number.
    pub(crate) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    pub(crate) fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

fn table(capture: &Capture, path: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    let Some(content) = capture.content(path) else { return names };
    for line in content.bytes.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) else { continue };
        let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
        if let (Ok(name), Some(number)) = (std::str::from_utf8(name), number) {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}
