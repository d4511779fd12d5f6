//! What an earlier line of the same file said about its columns: W3C extended logs and Zeek's tables.

use serde::{Deserialize, Serialize};

use super::{Draft, ids, web};

/// Columns that are remembered; a line that names more is not taken.
const COLUMNS_MAX: usize = 200;

/// Remembered by whoever reads a file, one per file; pure otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    columns: Vec<String>,
    /// Zeek's table; without it the columns are W3C's.
    zeek: Option<String>,
}

impl Header {
    /// Takes note of a header line; `false` if the line is none.
    pub fn learn(&mut self, line: &str) -> bool {
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some(names) = line.strip_prefix("#Fields:") {
            let names: Vec<String> = names.split_ascii_whitespace().map(web::w3c_name).collect();
            self.zeek = None;
            return self.take(names);
        }
        if let Some(path) = line.strip_prefix("#path\t") {
            self.columns.clear();
            self.zeek = Some(path.to_owned());
            return true;
        }
        match line.strip_prefix("#fields\t") {
            Some(names) => {
                self.zeek.get_or_insert_default();
                self.take(names.split('\t').map(str::to_owned).collect())
            }
            None => false,
        }
    }

    fn take(&mut self, names: Vec<String>) -> bool {
        self.columns = if names.len() <= COLUMNS_MAX { names } else { Vec::new() };
        true
    }

    /// Reads a line by the columns; `false` if it does not have as many.
    pub(super) fn read(&self, draft: &mut Draft, text: &str) -> bool {
        if self.columns.is_empty() || text.starts_with('#') {
            return false;
        }
        let separator = if self.zeek.is_some() { '\t' } else { ' ' };
        let values: Vec<&str> = text.split(separator).take(COLUMNS_MAX + 1).collect();
        if values.len() != self.columns.len() {
            return false;
        }
        match &self.zeek {
            Some(path) => ids::read_zeek_table(draft, path, &self.columns, &values),
            None => web::read_w3c(draft, &self.columns, &values),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{at, read_after},
        *,
    };

    #[test]
    fn w3c_lines_are_read_by_the_columns_named_before() {
        let mut header = Header::default();
        assert!(!header.learn("#Software: Microsoft Internet Information Services 10.0"));
        let named = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
                     cs(User-Agent) cs(Referer) sc-status time-taken";
        assert!(header.learn(named));
        let line = "2026-01-01 00:00:01 10.0.0.1 GET /a.aspx id=1 443 - 192.0.2.7 Mozilla/5.0+(X) - 500 12";
        let e = read_after(line, &header);
        assert_eq!(e.event_time, Some(at("2026-01-01T00:00:01Z")));
        let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
        assert_eq!(
            (field("cs-uri-stem"), field("cs-uri-query"), field("c-ip")),
            ("/a.aspx", "id=1", "192.0.2.7")
        );
        assert_eq!(
            (field("cs-user-agent"), field("cs-referer"), field("src_ip")),
            ("Mozilla/5.0 (X)", "", "192.0.2.7")
        );
        assert_eq!((field("cs-uri"), e.class), ("/a.aspx?id=1", 4002));
        let e = read_after("2026-01-01 00:00:01 10.0.0.1", &header);
        assert_eq!(e.class, 0, "a line of other columns is not guessed at");
    }

    #[test]
    fn zeek_tables_are_read_by_the_columns_named_before() {
        let mut header = Header::default();
        for line in [
            "#separator \\x09",
            "#path\tdns",
            "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tquery\tqtype_name\tanswers",
        ] {
            header.learn(line);
        }
        let e = read_after(
            "1767225600.500000\tC1\t10.0.0.9\t5353\t192.0.2.53\t53\tevil.example\tTXT\t-",
            &header,
        );
        let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
        assert_eq!(
            (field("query"), field("record_type"), field("answers")),
            ("evil.example", "TXT", "")
        );
        assert_eq!(
            (field("src_ip"), field("dst_port"), field("zeek.path"), e.class),
            ("10.0.0.9", "53", "dns", 4003)
        );
        assert_eq!(e.event_time, Some(at("2026-01-01T00:00:00.5Z")));
    }
}
