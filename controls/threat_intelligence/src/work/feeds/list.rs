//! Plain lists: one value a line, `#`, `;` and `//` begin a comment; files as `hosts`, which name domains behind an
//! address.

use std::io::{BufRead as _, Read as _};

use fetch::Fault;
use indicators::{Kind, normalise::guess};
use netname::Names;
use tokio::sync::mpsc;

use super::{
    BoxFuture, Desk, Document, Extent, FeedRow, Reader, Received, Refused, desk, rows::BATCH,
    source,
};

const LINE_BYTES_MAX: usize = 65_536;
/// Refusals that are handed over one by one.
const REFUSED_MAX: usize = super::SAMPLES_MAX;
const ENDS: [&str; 5] = [".txt", ".list", ".csv", ".hosts", ".dat"];

/// Lists.
pub struct List;

impl Reader for List {
    fn read<'a>(&'a self, desk: &'a mut Desk) -> BoxFuture<'a, Result<Received, Fault>> {
        Box::pin(async move {
            let Some(documents) = desk.documents(&ENDS).await? else {
                return Ok(Received { unchanged: true, ..Received::default() });
            };
            let mut items = 0;
            for document in documents {
                let kind = Kind::named(source::text(&desk.source.row, "value_kind"));
                let level = desk.source.level;
                items += poured(desk, document, move |document, names, now, out| {
                    lines(&document, kind, names, level, now, out)
                })
                .await?;
            }
            Ok(Received { items, extent: Extent::Whole, ..Received::default() })
        })
    }
}

/// What a thread that reads hands over.
pub(super) struct Pour {
    to: mpsc::Sender<(Vec<FeedRow>, Refused)>,
    rows: Vec<FeedRow>,
    refused: Refused,
    refused_count: usize,
}

impl Pour {
    pub fn row(&mut self, row: FeedRow) -> Result<(), Fault> {
        self.rows.push(row);
        if self.rows.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    pub fn refuse(&mut self, reason: &str, value: &str, words: impl FnOnce() -> (String, String)) {
        self.refused_count += 1;
        match self.refused_count <= REFUSED_MAX {
            true => self.refused.add(reason, value, words()),
            // Only the first are shown; the rest is counted.
            false => *self.refused.counts.entry(reason.to_owned()).or_default() += 1,
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let batch = (std::mem::take(&mut self.rows), std::mem::take(&mut self.refused));
        self.to.blocking_send(batch).map_err(|_| Fault::Cut("nobody takes the rows".to_owned()))
    }
}

/// Reads a document on a thread that may wait, and stages what it hands over; gives how many rows.
pub(super) async fn poured<F>(desk: &mut Desk, document: Document, read: F) -> Result<u64, Fault>
where
    F: FnOnce(Document, &Names, i64, &mut Pour) -> Result<(), Fault> + Send + 'static,
{
    let (to, mut from) = mpsc::channel(4);
    let (names, now) = (desk.names(), desk.now().0);
    let thread = tokio::task::spawn_blocking(move || {
        let mut pour = Pour { to, rows: Vec::new(), refused: Refused::default(), refused_count: 0 };
        read(document, &names, now, &mut pour)?;
        pour.flush()
    });
    let mut rows = 0;
    while let Some((batch, refused)) = from.recv().await {
        rows += batch.len() as u64;
        desk.rows(&batch).await?;
        for (reason, count) in refused.counts {
            *desk.refused.counts.entry(reason).or_default() += count;
        }
        let room = super::SAMPLES_MAX.saturating_sub(desk.refused.samples.len());
        desk.refused.samples.extend(refused.samples.into_iter().take(room));
    }
    thread.await.map_err(|error| desk::file_fault("feed", &error))??;
    Ok(rows)
}

fn lines(
    document: &Document,
    kind: Option<Kind>,
    names: &Names,
    level: indicators::tlp::Level,
    now: i64,
    out: &mut Pour,
) -> Result<(), Fault> {
    let mut reader = document.open()?;
    let mut line = Vec::new();
    let mut is_first = true;
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line);
        if read.map_err(Fault::of_reading)? == 0 {
            return Ok(());
        }
        if line.len() == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
            let shown = String::from_utf8_lossy(&line[..64]).into_owned();
            out.refuse("too_long", &shown, too_long);
            reader.skip_until(b'\n').map_err(Fault::of_reading)?;
            continue;
        }
        let (text, _) = stream::decode(&line);
        let text = text.trim_start_matches('\u{feff}').trim();
        if is_first && text.starts_with('<') {
            return Err(wrong_type());
        }
        is_first &= text.is_empty();
        let Some(value) = value(text) else { continue };
        one(value, kind, names, level, now, out)?;
    }
}

pub(super) fn too_long() -> (String, String) {
    (
        format!("1行が{LINE_BYTES_MAX}バイトを超えています"),
        format!("a line of more than {LINE_BYTES_MAX} bytes"),
    )
}

pub(super) fn wrong_type() -> Fault {
    Fault::said(
        "一覧ではなくWebページ（HTML・XML）が届きました。アドレスを確かめてください",
        "a web page (HTML or XML) came, no list: check the address",
    )
}

/// The value of a line: nothing of comments, the name of a line of `hosts`.
fn value(text: &str) -> Option<&str> {
    let end = [" #", "\t#", " ;", " //"].iter().filter_map(|mark| text.find(mark)).min();
    let text = text[..end.unwrap_or(text.len())].trim();
    if text.is_empty() || ["#", ";", "//", "!"].iter().any(|mark| text.starts_with(mark)) {
        return None;
    }
    let mut words = text.split_whitespace();
    let (first, second) = (words.next()?, words.next());
    match second {
        Some(name) if first.parse::<std::net::IpAddr>().is_ok() => {
            let is_own = ["localhost", "localhost.localdomain", "local", "broadcasthost"]
                .iter()
                .any(|own| name.eq_ignore_ascii_case(own))
                || name.starts_with("ip6-")
                || name == "0.0.0.0";
            (!is_own).then_some(name)
        }
        // Blocking lists of browsers name a host so.
        None => {
            let bare = text.strip_prefix("||").and_then(|text| text.strip_suffix('^'));
            Some(bare.unwrap_or(text))
        }
        Some(_) => Some(text),
    }
}

/// Undoes what keeps a value from being clicked.
pub(super) fn refanged(value: &str) -> String {
    let mut text =
        value.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":").replace("[@]", "@");
    for (from, to) in [("hxxps", "https"), ("hxxp", "http"), ("hXXps", "https"), ("hXXp", "http")] {
        if let Some(rest) = text.strip_prefix(from) {
            text = format!("{to}{rest}");
            break;
        }
    }
    text
}

/// The kind of a value: what its source says of all, or what its form says.
pub(super) fn kind_of(value: &str, told: Option<Kind>, names: &Names) -> Option<Kind> {
    match told {
        // A list of addresses may hold networks, and a list of names addresses.
        Some(Kind::Ip) if value.contains('/') => Some(Kind::Cidr),
        Some(Kind::Domain) if value.parse::<std::net::IpAddr>().is_ok() => Some(Kind::Ip),
        Some(kind) => Some(kind),
        None => guess(value, names),
    }
}

fn one(
    value: &str,
    kind: Option<Kind>,
    names: &Names,
    level: indicators::tlp::Level,
    now: i64,
    out: &mut Pour,
) -> Result<(), Fault> {
    let value = refanged(value);
    let Some(kind) = kind_of(&value, kind, names) else {
        out.refuse("unknown_kind", &value, unknown_kind);
        return Ok(());
    };
    match indicators::normalise(kind, &value, names) {
        Ok(key) => {
            let mut row = FeedRow::new(key, level);
            // To be named again is to be seen again.
            row.sighted = Some(now);
            out.row(row)
        }
        Err(reject) => {
            out.refuse(desk::word(&reject), &value, || reject.words());
            Ok(())
        }
    }
}

pub(super) fn unknown_kind() -> (String, String) {
    (
        "何の値か形からは分かりません。入手先の「値の種類」で指定できます".to_owned(),
        "its form tells no kind; the source may say it (kind of values)".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_lists_and_hosts_give_their_value_and_comments_none() {
        for (line, wanted) in [
            ("192.0.2.1 # seen", Some("192.0.2.1")),
            ("0.0.0.0 evil.example", Some("evil.example")),
            ("127.0.0.1\tlocalhost", None),
            ("# x", None),
            ("; x", None),
            ("||evil.example^", Some("evil.example")),
            ("https://h.example/a#b", Some("https://h.example/a#b")),
            ("", None),
        ] {
            assert_eq!(value(line), wanted, "{line}");
        }
        assert_eq!(refanged("hxxps://a[.]example"), "https://a.example");
    }
}
