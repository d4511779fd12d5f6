//! Whether a row holds at a time, what may be done at most, and why: a chain in which the first
//! that speaks decides.
//!
//! Own assets and what is never blocked; withdrawn by its producer; a person's decision until it
//! ends; warning lists, which lower what may be done; the producer's `valid_until`; decay of a
//! score; the default life of the kind. Every verdict carries its steps, so that each can be shown.

mod steps;

use netname::Names;

use crate::{
    Ceiling, Decision, Entry, Key, Kind, Micros, Row, Scope, Set,
    set::Damage,
    warning::{self, Listed},
};
pub use steps::{Finding, Step};

const DAY: Micros = 86_400_000_000;
/// Networks that reach farther hold more strangers than attackers.
const NET4_BITS_MIN: u8 = 8;
const NET6_BITS_MIN: u8 = 19;

/// How a score falls: `base · (1 − (t/τ)^(1/δ))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    pub tau_days: f64,
    pub delta: f64,
    /// Below it a row is over.
    pub threshold: f64,
}

impl Decay {
    /// For what moves: addresses, names, URLs.
    pub const NETWORK: Decay = Decay { tau_days: 120.0, delta: 2.0, threshold: 30.0 };

    /// The score after so long.
    pub fn score(&self, base: u8, age: Micros) -> f64 {
        let days = age.max(0) as f64 / DAY as f64;
        let share = (days / self.tau_days).min(1.0).powf(1.0 / self.delta);
        f64::from(base) * (1.0 - share)
    }

    /// How long a score stays at the threshold or above.
    pub fn life(&self, base: u8) -> Micros {
        let left = 1.0 - self.threshold / f64::from(base.max(1));
        if left <= 0.0 {
            return 0;
        }
        (self.tau_days * left.powf(self.delta) * DAY as f64) as Micros
    }
}

/// What rows are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Own domains, networks, files: never in a set, whoever lists them.
    pub own: Option<&'a Set<'a>>,
    pub warnings: Option<&'a Set<'a>>,
    pub names: &'a Names,
    pub decay: Decay,
    /// Days that a row without end and score lives: what moves, and what stays what it is.
    pub life_days: (u32, u32),
}

impl<'a> Context<'a> {
    pub fn new(names: &'a Names) -> Context<'a> {
        Context { own: None, warnings: None, names, decay: Decay::NETWORK, life_days: (180, 1_095) }
    }
}

/// How a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    NotYet,
    Expired,
    Revoked,
    /// Own, never blocked, or judged a false positive.
    Excluded,
}

impl State {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::NotYet => "not_yet",
            State::Expired => "expired",
            State::Revoked => "revoked",
            State::Excluded => "excluded",
        }
    }
}

/// How a row stands, until when that stays so, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub state: State,
    pub ceiling: Ceiling,
    pub from: Option<Micros>,
    pub until: Option<Micros>,
    pub steps: Vec<Step>,
}

/// The verdict on a row at a time. Damage is that of the sets it is judged by.
pub fn validity(row: &Row, ctx: &Context<'_>, at: Micros) -> Result<Verdict, Damage> {
    let mut steps = Vec::new();
    if let Some(finding) = never(&row.key, ctx, at)? {
        steps.push(Step::Own(finding));
        return Ok(end(State::Excluded, steps));
    }
    steps.push(Step::Own(Finding::Silent));
    steps.push(Step::Revoked(if row.revoked { Finding::Withdrawn } else { Finding::Silent }));
    if row.revoked {
        return Ok(end(State::Revoked, steps));
    }
    steps.push(Step::Decision(decided(row.decision.as_ref(), at)));
    if let Some(decision) = row.decision.as_ref().filter(|decision| at < decision.until) {
        let out = decision.ceiling == Ceiling::Nothing;
        let state = if out { State::Excluded } else { State::Active };
        let until = Some(decision.until);
        return Ok(Verdict {
            state,
            ceiling: decision.ceiling,
            from: row.valid_from,
            until,
            steps,
        });
    }
    let mut ceiling = row.ceiling;
    let listed = warned(row, ctx, at)?;
    if let Some(listed) = &listed {
        ceiling = ceiling.min(listed.ceiling);
    }
    steps.push(Step::Warning(listed.map_or(Finding::Silent, |Listed { list, value, ceiling }| {
        Finding::Listed { list, value, ceiling }
    })));
    let until = period(row, ctx, at, &mut steps);
    let state = match (row.valid_from, until) {
        (_, until) if until <= at => State::Expired,
        (Some(from), _) if at < from => State::NotYet,
        _ => State::Active,
    };
    Ok(Verdict { state, ceiling, from: row.valid_from, until: Some(until), steps })
}

/// What a set holds of a row from now on: nothing, a period, or two where a decision ends.
pub fn entries(row: &Row, ctx: &Context<'_>, at: Micros) -> Result<Vec<Entry>, Damage> {
    let mut entries = Vec::new();
    let first = validity(row, ctx, at)?;
    let decision = row.decision.as_ref().map(|decision| decision.until).filter(|end| at < *end);
    entries.extend(entry(row, &first, first.from));
    if let Some(end) = decision.filter(|_| first.until == decision) {
        let then = validity(row, ctx, end)?;
        entries.extend(entry(row, &then, then.from.max(Some(end))));
    }
    Ok(entries)
}

fn entry(row: &Row, verdict: &Verdict, from: Option<Micros>) -> Option<Entry> {
    if !matches!(verdict.state, State::Active | State::NotYet) {
        return None;
    }
    let mut entry = Entry::new(row.id, row.key.clone(), &row.source);
    entry.direction = row.direction;
    entry.ceiling = verdict.ceiling;
    (entry.from, entry.until) = (from, verdict.until);
    Some(entry)
}

fn end(state: State, steps: Vec<Step>) -> Verdict {
    Verdict { state, ceiling: Ceiling::Nothing, from: None, until: None, steps }
}

fn never(key: &Key, ctx: &Context<'_>, at: Micros) -> Result<Option<Finding>, Damage> {
    if let Some(finding) = unfit(key, ctx.names) {
        return Ok(Some(finding));
    }
    let Some(own) = ctx.own else { return Ok(None) };
    let listed = warning::listed(key, own, at)?;
    Ok(listed.map(|Listed { list, value, .. }| Finding::Own { list, value }))
}

/// What no feed can mean, whoever owns it.
fn unfit(key: &Key, names: &Names) -> Option<Finding> {
    let text = key.text().trim_matches(['[', ']']);
    match key.kind() {
        Kind::Cidr => {
            let net: ipnet::IpNet = text.parse().ok()?;
            let least = if net.max_prefix_len() == 32 { NET4_BITS_MIN } else { NET6_BITS_MIN };
            (net.prefix_len() < least).then_some(Finding::Broad { bits: net.prefix_len(), least })
        }
        Kind::Domain => names.is_public(text).then_some(Finding::Suffix),
        Kind::Url if matches!(key.scope(), Scope::Host | Scope::Subdomains) => {
            let ip: Option<core::net::IpAddr> = text.parse().ok();
            match ip {
                Some(ip) => special(ip),
                None => names.is_public(text).then_some(Finding::Suffix),
            }
        }
        Kind::Ip => special(text.parse().ok()?),
        _ => None,
    }
}

fn special(ip: core::net::IpAddr) -> Option<Finding> {
    let broadcast = ip == core::net::IpAddr::V4(core::net::Ipv4Addr::BROADCAST);
    let here = ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() || broadcast;
    here.then_some(Finding::Special)
}

fn decided(decision: Option<&Decision>, at: Micros) -> Finding {
    match decision {
        None => Finding::Silent,
        Some(decision) if at < decision.until => Finding::Decided {
            ceiling: decision.ceiling,
            until: decision.until,
            reason: decision.reason.clone(),
        },
        Some(decision) => Finding::DecisionOver { until: decision.until },
    }
}

fn warned(row: &Row, ctx: &Context<'_>, at: Micros) -> Result<Option<Listed>, Damage> {
    ctx.warnings.map_or(Ok(None), |lists| warning::listed(&row.key, lists, at))
}

/// When the row ends by the first of the three that know.
fn period(row: &Row, ctx: &Context<'_>, at: Micros, steps: &mut Vec<Step>) -> Micros {
    if let Some(until) = row.valid_until {
        steps.push(Step::ValidUntil(Finding::Until { until, over: until <= at }));
        return until;
    }
    steps.push(Step::ValidUntil(Finding::Silent));
    let heard = row.valid_from.unwrap_or(Micros::MIN);
    let heard = heard.max(row.received).max(row.sighted.unwrap_or(Micros::MIN));
    let moves = moves(row.key.kind());
    if let Some(base) = row.score.filter(|_| moves) {
        let until = heard.saturating_add(ctx.decay.life(base));
        let score = ctx.decay.score(base, at.saturating_sub(heard));
        let over = until <= at;
        let threshold = ctx.decay.threshold;
        steps.push(Step::Decay(Finding::Decayed { score, threshold, until, over }));
        return until;
    }
    steps.push(Step::Decay(Finding::Silent));
    let days = if moves { ctx.life_days.0 } else { ctx.life_days.1 };
    let until = heard.saturating_add(Micros::from(days) * DAY);
    steps.push(Step::Life(Finding::Life { days, until, over: until <= at }));
    until
}

/// Whether attackers leave the value behind while others take it.
fn moves(kind: Kind) -> bool {
    matches!(kind, Kind::Ip | Kind::Cidr | Kind::Domain | Kind::Url | Kind::Email | Kind::Asn)
}

#[cfg(test)]
mod tests;
