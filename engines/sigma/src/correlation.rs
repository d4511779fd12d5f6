//! stub to be replaced
use crate::{document::*, error::*, limits::Limits, set::Rule};
pub struct Correlation {
    pub version: u128,
}
pub(crate) fn resolve(
    _: Vec<(CorrelationDocument, u128)>,
    _: &mut [Rule],
    _: &[Meta],
    _: &Limits,
) -> (Vec<Correlation>, Vec<(Meta, Fault)>) {
    (Vec::new(), Vec::new())
}
