//! Which column is what.

use fetch::Fault;
use indicators::{Direction, Kind, normalise::guess, tlp::Level};
use netname::Names;

/// What a column says of the value in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Kind,
    From,
    Until,
    Seen,
    Score,
    Direction,
    Tlp,
}

/// The columns of a file.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Columns of values, with their kind where it is known.
    pub values: Vec<(usize, Option<Kind>)>,
    roles: Vec<(Role, usize)>,
}

/// What a word of a header, or of the source, makes of a column.
enum Means {
    Value(Option<Kind>),
    Role(Role),
}

fn means(word: &str) -> Option<Means> {
    let plain: String = word
        .to_lowercase()
        .chars()
        .map(|c| if matches!(c, ' ' | '-' | '.') { '_' } else { c })
        .collect();
    let plain = plain.trim_matches(['_', '"', '\'']);
    let value = |kind| Some(Means::Value(Some(kind)));
    let role = |role| Some(Means::Role(role));
    match plain {
        "value" | "indicator" | "ioc" | "ioc_value" | "observable" | "entity" | "指標" | "値" => {
            Some(Means::Value(None))
        }
        "ip" | "ip_address" | "ipaddress" | "dst_ip" | "src_ip" | "dest_ip" | "ipv4" | "ipv6"
        | "address" | "ipアドレス" => value(Kind::Ip),
        "cidr" | "network" | "netblock" | "subnet" => value(Kind::Cidr),
        "domain" | "hostname" | "host" | "fqdn" | "domain_name" | "ドメイン" | "ホスト名" => {
            value(Kind::Domain)
        }
        "url" | "uri" | "link" | "phish_url" => value(Kind::Url),
        "email" | "mail" | "email_address" | "メールアドレス" => value(Kind::Email),
        "md5" | "md5_hash" | "hash_md5" => value(Kind::Md5),
        "sha1" | "sha1_hash" | "sha_1" | "hash_sha1" => value(Kind::Sha1),
        "sha256" | "sha256_hash" | "sha_256" | "hash_sha256" => value(Kind::Sha256),
        "sha512" | "sha512_hash" | "sha_512" => value(Kind::Sha512),
        "ssdeep" => value(Kind::Ssdeep),
        "file_name" | "filename" | "ファイル名" => value(Kind::FileName),
        "asn" => value(Kind::Asn),
        "type" | "kind" | "ioc_type" | "indicator_type" | "種類" => role(Role::Kind),
        "first_seen" | "first_seen_utc" | "valid_from" | "dateadded" | "date_added" | "from" => {
            role(Role::From)
        }
        "valid_until" | "expires" | "until" | "expiration" | "有効期限" => role(Role::Until),
        "last_seen" | "last_seen_utc" | "last_online" | "seen" | "最終確認" => role(Role::Seen),
        "score" | "confidence" | "confidence_level" | "確からしさ" => role(Role::Score),
        "direction" | "向き" => role(Role::Direction),
        "tlp" => role(Role::Tlp),
        _ => None,
    }
}

/// Whether what a source says of its columns can be meant.
pub fn check(told: &[String]) -> Result<(), Fault> {
    for one in told {
        let is_good = one.split_once('=').is_some_and(|(_, word)| means(word).is_some());
        if !is_good {
            return Err(Fault::said(
                format!(
                    "列の割り当て「{one}」を読めません。「列の名前か番号=url」のように書きます（value, ip, domain, url, sha256, type, first_seen, last_seen, valid_until, score, direction, tlp など）"
                ),
                format!(
                    "columns: {one:?} is not of the form \"name or number=url\" (value, ip, domain, url, sha256, type, first_seen, last_seen, valid_until, score, direction, tlp …)"
                ),
            ));
        }
    }
    Ok(())
}

impl Columns {
    /// The columns, and whether the first row is a header.
    pub fn find(
        told: &[String],
        first: &[&str],
        of_comment: &[String],
        kind: Option<Kind>,
        names: &Names,
    ) -> Result<(Columns, bool), Fault> {
        let mut columns = Columns { values: Vec::new(), roles: Vec::new() };
        let comment: Vec<&str> = of_comment.iter().map(String::as_str).collect();
        let is_value = |field: &&str| guess(field, names).is_some();
        let known = |row: &[&str]| row.iter().filter(|word| means(word).is_some()).count();
        let first_is_header = known(first) > 0 && !first.iter().any(is_value);
        let header: &[&str] = match () {
            () if first_is_header => first,
            () if known(&comment) > 0 && comment.len() == first.len() => &comment,
            () => &[],
        };
        if !told.is_empty() {
            // Names that the source gives may stand in a header that has no word of ours.
            let by_name =
                |name: &str| first.iter().position(|word| word.eq_ignore_ascii_case(name));
            let mut is_header = first_is_header;
            for one in told {
                let Some((name, word)) = one.split_once('=') else { continue };
                let at = match name.trim().parse::<usize>() {
                    Ok(number) => number.checked_sub(1),
                    Err(_) => {
                        let at = by_name(name.trim());
                        is_header |= at.is_some();
                        at.or_else(|| {
                            comment.iter().position(|word| word.eq_ignore_ascii_case(name.trim()))
                        })
                    }
                };
                let at = at.filter(|at| *at < first.len()).ok_or_else(|| {
                    Fault::said(
                        format!("列「{}」がファイルにありません", name.trim()),
                        format!("the file has no column {:?}", name.trim()),
                    )
                })?;
                columns.take(at, word);
            }
            return columns.whole().map(|columns| (columns, is_header));
        }
        for (at, word) in header.iter().enumerate() {
            columns.take(at, word);
        }
        if columns.values.is_empty() {
            // Without a word to go by, the first column that can be nothing but a value.
            let at = first.iter().position(is_value);
            let at = at.or((first.len() == 1 || kind.is_some()).then_some(0));
            columns.values.extend(at.map(|at| (at, None)));
        }
        columns.whole().map(|columns| (columns, first_is_header))
    }

    fn take(&mut self, at: usize, word: &str) {
        match means(word) {
            Some(Means::Value(kind)) => self.values.push((at, kind)),
            Some(Means::Role(role)) => self.roles.push((role, at)),
            None => {}
        }
    }

    fn whole(self) -> Result<Columns, Fault> {
        if self.values.is_empty() {
            return Err(Fault::said(
                "どの列が値か分かりません。入手先の「列の割り当て」に「url=url」のように書いてください",
                "no column of values is known: say it in the columns of the source, as in \"url=url\"",
            ));
        }
        Ok(self)
    }

    pub fn of(&self, role: Role) -> Option<usize> {
        self.roles.iter().find(|(one, _)| *one == role).map(|(_, at)| *at)
    }

    pub fn level(&self, record: &csv::StringRecord) -> Option<Level> {
        Level::parse(record.get(self.of(Role::Tlp)?)?)
    }
}

/// A kind as others write it.
pub fn kind_word(word: &str) -> Option<Kind> {
    let word = word.trim().to_lowercase();
    Some(match word.as_str() {
        "ip" | "ipv4" | "ipv6" | "ipv4-addr" | "ipv6-addr" | "ip-dst" | "ip-src" | "ip:port"
        | "address" => Kind::Ip,
        "cidr" | "network" => Kind::Cidr,
        "domain" | "hostname" | "host" | "fqdn" | "domain-name" => Kind::Domain,
        "url" | "uri" => Kind::Url,
        "email" | "email-addr" | "email-src" | "email-dst" => Kind::Email,
        "md5" | "md5_hash" | "filehash-md5" => Kind::Md5,
        "sha1" | "sha1_hash" | "filehash-sha1" => Kind::Sha1,
        "sha256" | "sha256_hash" | "filehash-sha256" => Kind::Sha256,
        "sha512" => Kind::Sha512,
        "filename" | "file_name" | "file-name" => Kind::FileName,
        other => return Kind::named(other),
    })
}

/// A time as feeds write it, in microseconds: RFC 3339, without zone as UTC, a day, or seconds since 1970.
pub fn time(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches(" UTC");
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_microsecond());
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return (text.len() >= 9).then(|| seconds.checked_mul(1_000_000)).flatten();
    }
    let time = [format!("{text}Z"), format!("{text}T00:00:00Z")];
    let time = time.iter().find_map(|text| text.parse::<jiff::Timestamp>().ok());
    time.map(|time| time.as_microsecond())
}

/// 0 to 100; shares from 0 to 1 as well.
pub fn score(text: &str) -> Option<u8> {
    let score: f64 = text.trim().trim_end_matches('%').parse().ok()?;
    let score = if text.contains('.') && score <= 1.0 { score * 100.0 } else { score };
    (0.0..=100.0).contains(&score).then_some(score as u8)
}

pub fn direction(text: &str) -> Direction {
    match text.trim().to_lowercase().as_str() {
        "source" | "src" | "in" | "inbound" | "外→内" => Direction::Source,
        "destination" | "dst" | "out" | "outbound" | "内→外" => Direction::Destination,
        _ => Direction::Both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_scores_are_read_as_feeds_write_them() {
        let at = 1_775_001_600_000_000;
        for text in [
            "2026-04-01T00:00:00Z",
            "2026-04-01 00:00:00",
            "2026-04-01 00:00:00 UTC",
            "2026-04-01",
            "1775001600",
        ] {
            assert_eq!(time(text), Some(at), "{text}");
        }
        assert_eq!((time(""), time("never"), time("20")), (None, None, None));
        assert_eq!(
            (score("75"), score("0.75"), score("101"), score("x")),
            (Some(75), Some(75), None, None)
        );
    }
}
