//! Which distribution a root is of: `os-release`.

/// What `os-release` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Distribution {
    pub id: String,
    pub version: String,
    pub pretty: Option<String>,
    pub cpe: Option<String>,
}

impl Distribution {
    /// Reads a file; what an earlier one said stays.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        if !self.id.is_empty() {
            return;
        }
        for line in String::from_utf8_lossy(bytes).lines() {
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches(['"', '\'']).replace("\\", "");
            match name.trim() {
                "ID" => self.id = value.to_lowercase(),
                "VERSION_ID" => self.version = value,
                "PRETTY_NAME" => self.pretty = Some(value),
                "CPE_NAME" => self.cpe = Some(value).filter(|cpe| cpe.starts_with("cpe:")),
                _ => {}
            }
        }
    }

    /// The qualifier `distro` of purls.
    pub(super) fn qualifier(&self) -> String {
        match self.version.is_empty() {
            true => self.id.clone(),
            false => format!("{}-{}", self.id, self.version),
        }
    }

    /// The namespace of purls.
    pub(super) fn namespace<'a>(&'a self, otherwise: &'a str) -> &'a str {
        if self.id.is_empty() { otherwise } else { &self.id }
    }
}
