//! Quantiles of exponential histograms. Pure.
//!
//! Their bounds move with their scale, so that their buckets are no series over time; their quantiles are.

use serde_json::Value;

use super::json::{double, int, list, number};

/// The quantiles that are told.
pub const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// The value below which the part `quantile` of a histogram lies: the middle of the bucket in which it is,
/// within the smallest and largest value if the histogram says them. None of an empty one.
pub fn quantile(point: &Value, quantile: f64) -> Option<f64> {
    let scale = int(point, "scale").unwrap_or(0) as f64;
    let base = (-scale).exp2();
    let side = |name: &str| {
        let buckets = point.get(name).unwrap_or(&Value::Null);
        let offset = int(buckets, "offset").unwrap_or(0) as f64;
        let counts = list(buckets, "bucketCounts").iter().map(|count| number(count).unwrap_or(0.0));
        let middle = move |at: usize| ((offset + at as f64 + 0.5) * base).exp2();
        counts.enumerate().map(move |(at, count)| (middle(at), count)).collect::<Vec<_>>()
    };
    let negative = side("negative").into_iter().rev().map(|(middle, count)| (-middle, count));
    let zero = (0.0, double(point, "zeroCount").unwrap_or(0.0));
    let all: Vec<(f64, f64)> = negative.chain([zero]).chain(side("positive")).collect();
    let count: f64 = all.iter().map(|(_, count)| count).sum();
    let rank = quantile * count;
    let mut below = 0.0;
    let (middle, _) = all.into_iter().filter(|(_, count)| *count > 0.0).find(|(_, count)| {
        below += count;
        below >= rank
    })?;
    let (min, max) = (double(point, "min"), double(point, "max"));
    let middle = min.map_or(middle, |min| middle.max(min));
    Some(max.map_or(middle, |max| middle.min(max)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantiles_lie_in_their_buckets() {
        // Scale 0: (1, 2], (2, 4], (4, 8].
        let point = json!({"positive": {"offset": 0, "bucketCounts": ["1", "2", "1"]}});
        let half = quantile(&point, 0.5).unwrap();
        assert!(half > 2.0 && half <= 4.0, "{half}");
        assert!(quantile(&point, 0.99).unwrap() > 4.0);
        let point = json!({"scale": 1, "zeroCount": "2", "min": -1.5, "max": 1.2,
            "negative": {"offset": -1, "bucketCounts": [0, "1"]}, "positive": {"bucketCounts": ["1"]}});
        assert_eq!(quantile(&point, 0.5), Some(0.0));
        assert_eq!(quantile(&point, 0.01).unwrap(), -(0.25f64.exp2()));
        assert!(quantile(&point, 1.0).unwrap() <= 1.2);
        assert_eq!(quantile(&json!({}), 0.5), None);
    }
}
