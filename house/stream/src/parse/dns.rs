//! Queries that name servers log: OCSF DNS Activity (4003), under the names of Sigma's category `dns`.

use super::{CLASS_DNS, Draft};

/// Reads a query of BIND, dnsmasq or Unbound; `false` if the message is none.
pub fn classify(draft: &mut Draft, message: &str) -> bool {
    let found = bind(message).or_else(|| dnsmasq(message)).or_else(|| unbound(message));
    let Some((query, kind, client)) = found else { return false };
    draft.set("query", query.trim_end_matches('.'));
    draft.set("record_type", kind);
    draft.set("src_ip", client);
    draft.class = CLASS_DNS;
    true
}

/// `client @0x7f 192.0.2.1#5353 (example.com): query: example.com IN A +E(0)K (198.51.100.1)`
fn bind(message: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = message.split_once(": query: ")?;
    let mut words = rest.split(' ');
    let (query, _class, kind) = (words.next()?, words.next()?, words.next()?);
    let (client, _) = before.split_once('#')?;
    Some((query, kind, client.rsplit(' ').next()?))
}

/// `query[A] example.com from 192.0.2.1`
fn dnsmasq(message: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = message.split_once("query[")?;
    let (kind, rest) = rest.split_once("] ")?;
    let (query, client) = rest.split_once(" from ")?;
    Some((query, kind, client.split('#').next()?))
}

/// `info: 192.0.2.1 example.com. A IN`
fn unbound(message: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = message.split_once("info: ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    match words.as_slice() {
        [client, query, kind, "IN", ..] => Some((query, kind, client)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_line;
    use crate::event::Format;

    #[test]
    fn three_servers_log_queries() {
        for line in [
            "named[1]: client @0x7f 192.0.2.1#5353 (example.com): query: example.com IN A +E(0)K (198.51.100.1)",
            "named[1]: queries: info: client @0x7f 192.0.2.1#5353 (example.com): query: example.com IN A + (198.51.100.1)",
            "dnsmasq[1]: query[A] example.com from 192.0.2.1",
            "unbound[1]: [1:0] info: 192.0.2.1 example.com. A IN",
        ] {
            let e = read_line(format!("Jan  1 01:00:00 h {line}"), Format::Auto);
            let field = |name: &str| e.fields.get(name).map_or("", String::as_str);
            assert_eq!(
                (field("query"), field("record_type"), field("src_ip")),
                ("example.com", "A", "192.0.2.1"),
                "{line}"
            );
            assert_eq!(e.class, 4003);
        }
    }
}
