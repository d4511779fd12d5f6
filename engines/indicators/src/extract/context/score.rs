//! How likely a value is meant as an indicator.

use core::net::IpAddr;

use super::{About, Candidate, Context, Kind, Line, Whole, files, is_network};
use crate::extract::{Basis, Span, What, host, view::View};

pub(super) fn span(view: &View, whole: &Whole, candidate: &Candidate, context: &Context) -> Span {
    let is_defanged = view.is_defanged(candidate.start, candidate.end);
    // `files.example.zip` behind `fetched from` is a domain.
    let as_domain = candidate.value.to_ascii_lowercase();
    let is_domain =
        candidate.kind == Kind::FileName && context.is_network && host::is_domain(&as_domain);
    let turned = Candidate { kind: Kind::Domain, value: as_domain, ..candidate.clone() };
    let candidate = if is_domain { &turned } else { candidate };
    let (confidence, basis) = score(candidate, context, is_defanged, whole);
    Span {
        start: candidate.start,
        end: candidate.end,
        what: What::Indicator(candidate.kind),
        value: candidate.value.clone(),
        direction: context.direction.filter(|_| is_network(candidate.kind)),
        period: context.period,
        port: candidate.port,
        confidence,
        basis,
    }
}

fn score(
    candidate: &Candidate,
    context: &Context,
    is_defanged: bool,
    whole: &Whole,
) -> (u16, Basis) {
    let is_alone = whole.is_alone;
    if is_empty(candidate) {
        return (50, Basis::Private);
    }
    if candidate.kind == Kind::Ip && !is_defanged && context.is_version {
        return (100, Basis::Version);
    }
    if context.is_reference && is_network(candidate.kind) {
        return if is_defanged { (LOW, Basis::Defanged) } else { (200, Basis::Reference) };
    }
    if is_private(candidate) {
        return (300, Basis::Private);
    }
    if candidate.kind == Kind::FileName {
        return file(candidate, context, whole);
    }
    // A folder, or a share that is likelier one's own.
    let is_dull = candidate.value.ends_with('\\') || candidate.value.starts_with("\\\\");
    let says_path = matches!(context.about, Some(About::Kind(Kind::Path)));
    if candidate.kind == Kind::Path && is_dull && !says_path {
        return (300, Basis::Prose);
    }
    if is_defanged {
        return (900, Basis::Defanged);
    }
    if context.is_labelled {
        return (900, Basis::Labelled);
    }
    if candidate.is_doubtful {
        return (300, Basis::Prose);
    }
    match candidate.kind {
        Kind::Url | Kind::Domain | Kind::Email if is_alone => (700, Basis::Listed),
        Kind::Url | Kind::Domain | Kind::Email | Kind::Asn => (400, Basis::Prose),
        Kind::Ip if looks_like_version(candidate) && !is_alone => (300, Basis::Version),
        Kind::Ip | Kind::Cidr if context.direction.is_some() => (700, Basis::Prose),
        Kind::Ip | Kind::Cidr => (600, Basis::Prose),
        _ => (800, Basis::Form),
    }
}

/// What is defanged under links of the publisher: meant not to be opened, so somebody should look.
const LOW: u16 = super::super::LIKELY;

fn file(candidate: &Candidate, context: &Context, whole: &Whole) -> (u16, Basis) {
    let says_file = matches!(
        context.about,
        Some(About::Kind(Kind::FileName | Kind::Path) | About::Hash | About::Ioc | About::Malware)
    );
    if files::is_common(&candidate.value) {
        return (200, Basis::Common);
    }
    if (says_file || whole.has_hash) && !candidate.is_doubtful {
        return (900, Basis::Labelled);
    }
    match whole.is_alone && !files::is_dull(&candidate.value) {
        true => (700, Basis::Listed),
        false => (400, Basis::Prose),
    }
}

pub(super) fn is_hash(kind: Kind) -> bool {
    matches!(kind, Kind::Md5 | Kind::Sha1 | Kind::Sha256 | Kind::Sha512 | Kind::Ssdeep)
}

/// Whether a line holds values and nothing else but signs and ports.
pub(super) fn is_alone(line: &Line, text: &str, all: &[Candidate]) -> bool {
    let mut at = line.start;
    let mut rest = String::new();
    for candidate in all {
        rest.push_str(
            text.get(at.saturating_sub(line.start)..candidate.start - line.start)
                .unwrap_or_default(),
        );
        at = candidate.end.min(line.end);
    }
    rest.push_str(text.get(at.saturating_sub(line.start)..).unwrap_or_default());
    let rest = rest.replace("tcp", "").replace("udp", "").replace("TCP", "").replace("UDP", "");
    !rest.chars().any(char::is_alphabetic)
}

/// Four small numbers in prose are likelier a version.
fn looks_like_version(candidate: &Candidate) -> bool {
    let mut parts = candidate.value.split('.');
    parts.clone().count() == 4 && parts.all(|part| part.len() <= 2) && candidate.port.is_none()
}

/// Addresses that mean nothing at all.
fn is_empty(candidate: &Candidate) -> bool {
    match candidate.value.parse::<IpAddr>() {
        Ok(address) => address.is_unspecified() || address == IpAddr::from([255, 255, 255, 255]),
        Err(_) => candidate.kind == Kind::Cidr && candidate.value.ends_with("/0"),
    }
}

/// Addresses of a network of one's own.
fn is_private(candidate: &Candidate) -> bool {
    let host = candidate.value.split('/').next().unwrap_or_default();
    match (candidate.kind, host.parse::<IpAddr>()) {
        (Kind::Ip | Kind::Cidr, Ok(IpAddr::V4(address))) => {
            address.is_private() || address.is_loopback() || address.is_link_local()
        }
        (Kind::Ip | Kind::Cidr, Ok(IpAddr::V6(address))) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        _ => false,
    }
}
