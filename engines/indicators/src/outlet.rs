//! Lists that other makers' edges load: resolvers (RPZ), proxies (Squid), virus scanners (ClamAV), firewalls.
//!
//! - Only what may be blocked now goes out: a row that is only told of, is over or means the other direction stays.
//! - A row that means a URL never becomes a rule over its host.
//! - What a form cannot say is left out and counted with its reason, never said wider.
//!
//! Rows are taken one by one and kept once, as lines; the text is written line by line.

mod hosts;
mod lines;
mod rpz;
mod squid;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{Ceiling, Direction, Hit, Key, Kind, Kinds, Micros, Scope};
use lines::Lines;

/// Zone that an RPZ is written for unless another is named.
pub const ZONE: &str = "rpz.ume";
/// A line longer than this is read by no edge that we know of.
const LINE_BYTES_MAX: usize = 2_000;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// A value a line.
    List,
    /// Rows with kind, direction and period.
    Csv,
    /// A BIND response policy zone.
    Rpz,
    /// `acl … dstdomain`: hosts, none below another.
    SquidDomains,
    /// `acl … url_regex`: URLs.
    SquidUrls,
    /// `acl … dst`: addresses and networks, none within another.
    SquidNetworks,
    /// ClamAV signatures of whole files (`.hsb`).
    Hsb,
}

impl Form {
    pub const ALL: &[Form] = &[
        Form::List,
        Form::Csv,
        Form::Rpz,
        Form::SquidDomains,
        Form::SquidUrls,
        Form::SquidNetworks,
        Form::Hsb,
    ];

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::List => "list",
            Form::Csv => "csv",
            Form::Rpz => "rpz",
            Form::SquidDomains => "squid",
            Form::SquidUrls => "squid-urls",
            Form::SquidNetworks => "squid-networks",
            Form::Hsb => "hsb",
        }
    }

    pub fn named(word: &str) -> Option<Form> {
        Form::ALL.iter().copied().find(|form| form.as_str() == word)
    }

    /// Kinds that the form can say at all.
    fn says(self, kind: Kind) -> bool {
        use Kind::{Cidr, Domain, Ip, Md5, Sha1, Sha256, Url};
        match self {
            Form::List | Form::Csv => true,
            Form::Rpz => matches!(kind, Domain | Ip | Cidr | Url),
            Form::SquidDomains => matches!(kind, Domain | Ip | Url),
            Form::SquidNetworks => matches!(kind, Ip | Cidr | Url),
            Form::SquidUrls => kind == Url,
            Form::Hsb => matches!(kind, Md5 | Sha1 | Sha256),
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub form: Form,
    /// The side of a connection that the edge looks at.
    pub direction: Direction,
    pub kinds: Kinds,
    pub at: Micros,
    /// Of an RPZ: its zone, without a dot at the end.
    pub zone: String,
    /// Rows beyond are left out and counted.
    pub rows_max: usize,
}

impl Ask {
    pub fn new(form: Form, at: Micros) -> Ask {
        Ask {
            form,
            direction: Direction::Destination,
            kinds: Kinds::ALL,
            at,
            zone: ZONE.to_owned(),
            rows_max: 5_000_000,
        }
    }
}

/// A row as a list takes it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    pub kind: Kind,
    pub scope: Scope,
    pub text: &'a str,
    pub direction: Direction,
    pub ceiling: Ceiling,
    pub from: Option<Micros>,
    pub until: Option<Micros>,
}

impl<'a> Listed<'a> {
    /// A row of a set; `text` is its value.
    pub fn of(hit: &Hit<'_>, text: &'a str) -> Listed<'a> {
        let Hit { kind, scope, direction, ceiling, from, until, .. } = *hit;
        Listed { kind, scope, text, direction, ceiling, from, until }
    }

    /// A value on its own.
    pub fn key(key: &'a Key) -> Listed<'a> {
        Listed {
            kind: key.kind(),
            scope: key.scope(),
            text: key.text(),
            direction: Direction::Both,
            ceiling: Ceiling::Block,
            from: None,
            until: None,
        }
    }

    /// A URL that stands for its host.
    fn is_host(&self) -> bool {
        matches!(self.scope, Scope::Host | Scope::Subdomains)
    }
}

/// Why a row is not in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// It may be told of, not blocked.
    AlertOnly,
    NotNow,
    OtherDirection,
    OtherKind,
    /// It means a URL, and the form knows hosts only; or it reaches as the form cannot say.
    Reach,
    Long,
    /// More rows than the list takes.
    Full,
}

impl Left {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Left::AlertOnly => "alert_only",
            Left::NotNow => "not_now",
            Left::OtherDirection => "other_direction",
            Left::OtherKind => "other_kind",
            Left::Reach => "reach",
            Left::Long => "long",
            Left::Full => "full",
        }
    }
}

/// What became of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that the list says.
    pub rows: u64,
    pub left: BTreeMap<Left, u64>,
    /// When a row begins or ends by itself: until then the same rows give the same list.
    pub next: Option<Micros>,
}

/// A list while its rows come.
pub struct List {
    ask: Ask,
    lines: Lines,
    summary: Summary,
}

impl List {
    pub fn new(ask: Ask) -> List {
        List { ask, lines: Lines::default(), summary: Summary::default() }
    }

    /// Takes a row, or counts why not.
    pub fn add(&mut self, row: &Listed<'_>) {
        if self.is_bound_to_time(row) {
            let moments = [row.from, row.until].into_iter().flatten();
            let next = moments.filter(|moment| *moment > self.ask.at);
            self.summary.next = next.chain(self.summary.next).min();
        }
        match self.line(row) {
            Ok(()) => self.summary.rows += 1,
            Err(left) => *self.summary.left.entry(left).or_default() += 1,
        }
    }

    /// What the list would say of the row at another time.
    fn is_bound_to_time(&self, row: &Listed<'_>) -> bool {
        row.ceiling >= Ceiling::UrlOnly
            && row.direction.meets(self.ask.direction)
            && self.ask.kinds.has(row.kind)
            && self.ask.form.says(row.kind)
    }

    fn line(&mut self, row: &Listed<'_>) -> Result<(), Left> {
        let Ask { form, direction, kinds, at, rows_max, .. } = &self.ask;
        if row.ceiling < Ceiling::UrlOnly {
            return Err(Left::AlertOnly);
        }
        if !form.says(row.kind) || !kinds.has(row.kind) {
            return Err(Left::OtherKind);
        }
        if !row.direction.meets(*direction) {
            return Err(Left::OtherDirection);
        }
        if row.from.is_some_and(|from| *at < from) || row.until.is_some_and(|until| until <= *at) {
            return Err(Left::NotNow);
        }
        // What may be blocked as a URL only stands for no host, whatever it reaches.
        if row.ceiling == Ceiling::UrlOnly && (row.kind != Kind::Url || row.is_host()) {
            return Err(Left::Reach);
        }
        if self.summary.rows >= *rows_max as u64 {
            return Err(Left::Full);
        }
        if row.text.len() > LINE_BYTES_MAX || row.text.chars().any(char::is_control) {
            return Err(Left::Long);
        }
        let lines = &mut self.lines;
        match form {
            Form::List => plain(row, lines),
            Form::Csv => csv(row, lines),
            Form::Rpz => rpz::add(row, &self.ask.zone, lines),
            Form::SquidDomains => hosts::add(row, lines),
            Form::SquidUrls => squid::url(row, lines),
            Form::SquidNetworks => squid::network(row, lines),
            Form::Hsb => hsb(row, lines),
        }
    }

    /// What the lines say, in hex: equal rows in whatever order give the same, and a zone's serial is no part of it.
    pub fn digest(&mut self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{} {}\n", self.ask.form.as_str(), self.ask.zone));
        self.lines.sort();
        self.lines
            .each(&mut |line| {
                hash.update(line.as_bytes());
                hash.update([b'\n']);
                Ok(())
            })
            .ok();
        hex::encode(hash.finalize())
    }

    /// What was taken and what was left so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Writes the list: equal rows, in whatever order they came, give the same text. `serial` is that of an RPZ.
    pub fn write(
        mut self,
        serial: u32,
        out: &mut dyn FnMut(&str) -> std::io::Result<()>,
    ) -> std::io::Result<Summary> {
        self.lines.sort();
        match self.ask.form {
            Form::Csv => {
                out("kind,value,scope,direction,from,until\n")?;
                self.lines.each(&mut |line| out(&format!("{line}\n")))?;
            }
            Form::Rpz => {
                out(&rpz::head(&self.ask.zone, serial))?;
                self.lines.each(&mut |name| out(&format!("{name} CNAME .\n")))?;
            }
            Form::SquidDomains => hosts::write(&self.lines, out)?,
            Form::SquidNetworks => squid::write_networks(&self.lines, out)?,
            Form::List | Form::SquidUrls | Form::Hsb => {
                self.lines.each(&mut |line| out(&format!("{line}\n")))?;
            }
        }
        Ok(self.summary)
    }
}

/// A value a line; what reaches below a name is the name and `*.name`, below a URL `url/*`.
fn plain(row: &Listed<'_>, lines: &mut Lines) -> Result<(), Left> {
    // A line that begins so is a comment to whoever reads lists.
    if row.text.starts_with(['#', ';']) {
        return Err(Left::Reach);
    }
    match (row.kind, row.scope) {
        (_, Scope::Exact) | (Kind::Url, Scope::Host) => lines.add(&[row.text]),
        (Kind::Domain | Kind::Url, Scope::Subdomains) => {
            lines.add(&[row.text]);
            if row.text.parse::<core::net::IpAddr>().is_err() && !row.text.starts_with('[') {
                lines.add(&["*.", row.text]);
            }
        }
        (Kind::Url, Scope::Prefix) => {
            lines.add(&[row.text]);
            lines.add(&[row.text, "/*"]);
        }
        _ => return Err(Left::Reach),
    }
    Ok(())
}

fn csv(row: &Listed<'_>, lines: &mut Lines) -> Result<(), Left> {
    let cell = |text: &str| {
        // A spreadsheet takes these for a formula.
        let guard = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
        match text.contains([',', '"', ' ']) {
            true => format!("\"{guard}{}\"", text.replace('"', "\"\"")),
            false => format!("{guard}{text}"),
        }
    };
    let moment = |at: Option<Micros>| at.map(crate::stix::time::print).unwrap_or_default();
    lines.add(&[
        row.kind.as_str(),
        ",",
        &cell(row.text),
        ",",
        row.scope.as_str(),
        ",",
        row.direction.as_str(),
        ",",
        &moment(row.from),
        ",",
        &moment(row.until),
    ]);
    Ok(())
}

/// Any size; ClamAV takes that from functionality level 73 on.
fn hsb(row: &Listed<'_>, lines: &mut Lines) -> Result<(), Left> {
    const NAME_CHARS: usize = 12;
    let is_hash = row.text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = row.text.get(..NAME_CHARS).filter(|_| is_hash && row.scope == Scope::Exact);
    let name = name.ok_or(Left::Reach)?;
    lines.add(&[row.text, ":*:Ume.Indicator.", name, ":73"]);
    Ok(())
}

#[cfg(test)]
mod tests;
