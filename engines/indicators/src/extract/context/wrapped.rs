//! Values that a mail or a page cut in two.

use super::{Candidate, Kind, Line};

/// A line that is shorter was not wrapped.
const WRAPPED_BYTES_MIN: usize = 60;

/// Joins URLs and hashes whose rest stands alone on the next line.
pub(in crate::extract) fn join_wrapped(text: &str, lines: &[Line], found: &mut [Vec<Candidate>]) {
    for at in 1..lines.len() {
        let (above, below) = (&lines[at - 1], &lines[at]);
        if above.is_blank() || below.is_blank() || below.is_decorated {
            continue;
        }
        let rest = &text[below.start..below.end];
        let is_plain =
            rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"|".contains(&byte));
        if !is_plain {
            continue;
        }
        let last = found[at - 1].last().cloned();
        let joined = match last {
            Some(last) if last.end == above.end && last.kind == Kind::Url => {
                url(text, above, last, rest, &found[at])
            }
            None | Some(_) => hash(text, above, rest, &found[at - 1]),
        };
        if let Some(mut candidate) = joined {
            candidate.end = below.end;
            found[at - 1].retain(|other| other.end <= candidate.start);
            found[at - 1].push(candidate);
            found[at].clear();
        }
    }
}

fn url(
    text: &str,
    above: &Line,
    last: Candidate,
    rest: &str,
    next: &[Candidate],
) -> Option<Candidate> {
    let is_long = above.end - above.start >= WRAPPED_BYTES_MIN;
    let is_value = next.iter().any(|candidate| candidate.kind != Kind::FileName);
    let goes_on = text[last.start..last.end].ends_with(['/', '-', '_', '=', '&', '?', '%', '+'])
        || rest.starts_with(['/', '?', '&', '=', '%', '-', '_', '.'])
        || rest.contains(['/', '=', '&']);
    if !is_long || is_value || !goes_on || rest.contains("://") {
        return None;
    }
    Some(Candidate { value: format!("{}{rest}", last.value), ..last })
}

/// Two halves of a hash, of which the first is none by itself or the line says a longer one.
fn hash(text: &str, above: &Line, rest: &str, found: &[Candidate]) -> Option<Candidate> {
    let content = &text[above.start..above.end];
    let digits = content.bytes().rev().take(128).take_while(u8::is_ascii_hexdigit).count();
    let is_hex = rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kind = match digits + rest.len() {
        64 => Kind::Sha256,
        128 => Kind::Sha512,
        40 => Kind::Sha1,
        _ => return None,
    };
    let start = above.end - digits;
    let says = |word: &str| content.to_ascii_uppercase().replace('-', "").contains(word);
    let is_whole = found.last().is_some_and(|last| last.start == start);
    let is_said =
        (kind == Kind::Sha256 && says("SHA256")) || (kind == Kind::Sha512 && says("SHA512"));
    if !is_hex || digits < 8 || (is_whole && !is_said) {
        return None;
    }
    let value = format!("{}{rest}", &content[content.len() - digits..]).to_ascii_lowercase();
    Some(Candidate::new(start, above.end, kind, value))
}
