//! CVSS: base scores of versions 2.0, 3.0 and 3.1, from their vectors.
//!
//! # Source
//! FIRST, Common Vulnerability Scoring System, sections "Base Metrics Equations".

use std::collections::HashMap;

/// A vector that was read.
pub(crate) struct Vector<'a> {
    /// `2.0`, `3.0`, `3.1`
    pub version: &'a str,
    pub metrics: HashMap<&'a str, &'a str>,
}

/// Reads a vector; nothing if it is none, or names a metric twice.
pub(crate) fn vector(text: &str) -> Option<Vector<'_>> {
    let (version, rest) = match text.strip_prefix("CVSS:") {
        Some(rest) => rest.split_once('/')?,
        None => ("2.0", text),
    };
    if !matches!(version, "2.0" | "3.0" | "3.1") {
        return None;
    }
    let mut metrics = HashMap::new();
    for part in rest.split('/') {
        let (name, value) = part.split_once(':')?;
        if metrics.insert(name, value).is_some() {
            return None;
        }
    }
    Some(Vector { version, metrics })
}

impl Vector<'_> {
    fn one(&self, name: &str, values: &[(&str, f64)]) -> Option<f64> {
        let own = self.metrics.get(name)?;
        values.iter().find(|(value, _)| value == own).map(|(_, weight)| *weight)
    }

    /// The base score; nothing where a base metric is missing or has no such value.
    pub(crate) fn base(&self) -> Option<f64> {
        if self.version == "2.0" { self.base_2() } else { self.base_3() }
    }

    fn base_2(&self) -> Option<f64> {
        let impact = |name| self.one(name, &[("N", 0.0), ("P", 0.275), ("C", 0.660)]);
        let (c, i, a) = (impact("C")?, impact("I")?, impact("A")?);
        let vector = self.one("AV", &[("L", 0.395), ("A", 0.646), ("N", 1.0)])?;
        let complexity = self.one("AC", &[("H", 0.35), ("M", 0.61), ("L", 0.71)])?;
        let authentication = self.one("Au", &[("M", 0.45), ("S", 0.56), ("N", 0.704)])?;
        let impact = 10.41 * (1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a));
        let exploitability = 20.0 * vector * complexity * authentication;
        let factor = if impact == 0.0 { 0.0 } else { 1.176 };
        let score = (0.6 * impact + 0.4 * exploitability - 1.5) * factor;
        Some((score * 10.0).round() / 10.0)
    }

    fn base_3(&self) -> Option<f64> {
        let changed = self.one("S", &[("U", 0.0), ("C", 1.0)])? == 1.0;
        let impact = |name| self.one(name, &[("N", 0.0), ("L", 0.22), ("H", 0.56)]);
        let (c, i, a) = (impact("C")?, impact("I")?, impact("A")?);
        let vector = self.one("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?;
        let complexity = self.one("AC", &[("L", 0.77), ("H", 0.44)])?;
        let privileges = match changed {
            true => self.one("PR", &[("N", 0.85), ("L", 0.68), ("H", 0.5)])?,
            false => self.one("PR", &[("N", 0.85), ("L", 0.62), ("H", 0.27)])?,
        };
        let interaction = self.one("UI", &[("N", 0.85), ("R", 0.62)])?;
        let base = 1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a);
        let impact = match changed {
            true => 7.52 * (base - 0.029) - 3.25 * (base - 0.02).powi(15),
            false => 6.42 * base,
        };
        if impact <= 0.0 {
            return Some(0.0);
        }
        let exploitability = 8.22 * vector * complexity * privileges * interaction;
        let sum = if changed { 1.08 * (impact + exploitability) } else { impact + exploitability };
        Some(round_up(sum.min(10.0)))
    }
}

/// Up to one decimal, on whole numbers as version 3.1 says: binary fractions would round wrongly.
fn round_up(value: f64) -> f64 {
    let scaled = (value * 100_000.0).round() as i64;
    if scaled % 10_000 == 0 {
        return scaled as f64 / 100_000.0;
    }
    ((scaled / 10_000) + 1) as f64 / 10.0
}

/// The word for a score of version 3.
pub(crate) fn severity(score: f64) -> &'static str {
    match score {
        s if s <= 0.0 => "NONE",
        s if s < 4.0 => "LOW",
        s if s < 7.0 => "MEDIUM",
        s if s < 9.0 => "HIGH",
        _ => "CRITICAL",
    }
}

#[cfg(test)]
mod tests {
    use super::vector;

    #[test]
    fn scores_are_those_of_the_specifications_examples() {
        let score = |text| vector(text).unwrap().base().unwrap();
        assert_eq!(score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), 9.8);
        assert_eq!(score("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), 6.1);
        assert_eq!(score("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N"), 6.4);
        assert_eq!(score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"), 0.0);
        assert_eq!(score("AV:N/AC:L/Au:N/C:N/I:N/A:C"), 7.8);
        assert_eq!(score("AV:L/AC:H/Au:N/C:C/I:C/A:C"), 6.2);
    }
}
