//! Signatures about rows: which one speaks about the row as it stands.

use model::Timestamp;
use store::{Row, StoreError};

/// The newest signed decision of these kinds about exactly this content of the row.
pub(crate) fn newest<'d>(
    decisions: &'d [Row],
    row: &Row,
    kinds: &[&str],
) -> Result<Option<&'d Row>, StoreError> {
    let hash = row.content_hash()?;
    let about = decisions.iter().filter(|d| {
        d.subject == Some(row.id)
            && kinds.contains(&d.kind.as_str())
            && web::decide::is_signed(d)
            && d.subject_hash.as_deref() == Some(hash.as_str())
    });
    Ok(about.max_by_key(|d| (d.updated_at, d.id)))
}

/// The approval of the row as it stands, if it holds at `at`.
pub(crate) fn approval<'d>(
    decisions: &'d [Row],
    row: &Row,
    at: Timestamp,
) -> Result<Option<&'d Row>, StoreError> {
    Ok(newest(decisions, row, &["approval"])?.filter(|d| holds(d, at)))
}

/// Whether a decision approves and has neither ended nor begun later.
pub(crate) fn holds(decision: &Row, at: Timestamp) -> bool {
    decision.status == "approved"
        && decision.updated_at <= at
        && decision.ends_at.is_none_or(|end| end > at)
}
