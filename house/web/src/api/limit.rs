//! How many requests one caller may send: a token bucket per caller, in memory, bounded.
//!
//! The answer's headers follow draft-ietf-httpapi-ratelimit-headers-10.

use std::{
    collections::HashMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use axum::http::{HeaderName, HeaderValue, Response};

/// Requests per minute of one token, session or address unless told otherwise.
pub const PER_MINUTE: u32 = 600;
const WINDOW: Duration = Duration::from_secs(60);
const CALLERS_MAX: usize = 10_000;

/// Buckets of all callers seen lately.
pub struct Buckets {
    per_minute: u32,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// What a bucket said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub granted: bool,
    pub limit: u32,
    pub left: u32,
    /// Seconds until the next request is granted, or until the bucket is full again.
    pub seconds: u64,
}

impl Buckets {
    /// Buckets that each hold and refill `per_minute` requests.
    pub fn new(per_minute: u32) -> Buckets {
        Buckets { per_minute: per_minute.max(1), buckets: Mutex::new(HashMap::new()) }
    }

    /// Takes one request out of the caller's bucket.
    pub fn take(&self, caller: &str, now: Instant) -> Quota {
        self.count(caller, now, 1.0)
    }

    /// Looks whether a request would be granted, and takes none.
    pub fn look(&self, caller: &str, now: Instant) -> Quota {
        self.count(caller, now, 0.0)
    }

    fn count(&self, caller: &str, now: Instant, cost: f64) -> Quota {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let full = f64::from(self.per_minute);
        let per_second = full / WINDOW.as_secs_f64();
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(caller) {
            // A bucket untouched for a window is full again: forgetting it changes nothing.
            buckets.retain(|_, b| now.saturating_duration_since(b.at) < WINDOW);
        }
        // More callers than that at once share one bucket rather than grow the memory.
        let key =
            if buckets.len() >= CALLERS_MAX && !buckets.contains_key(caller) { "" } else { caller };
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket { left: full, at: now });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + passed * per_second).min(full);
        bucket.at = now;
        let granted = bucket.left >= 1.0;
        if granted {
            bucket.left -= cost;
        }
        let missing = if granted { full - bucket.left } else { 1.0 - bucket.left };
        Quota {
            granted,
            limit: self.per_minute,
            left: bucket.left.max(0.0) as u32,
            seconds: (missing / per_second).ceil() as u64,
        }
    }
}

impl Quota {
    /// Writes `RateLimit-Policy` and `RateLimit`.
    pub fn write<B>(&self, response: &mut Response<B>) {
        let window = WINDOW.as_secs();
        let policy = format!("\"caller\";q={};w={window}", self.limit);
        let state = format!("\"caller\";r={};t={}", self.left, self.seconds);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refuses_when_empty_and_refills_with_time() {
        let (buckets, start) = (Buckets::new(60), Instant::now());
        for left in (0..60).rev() {
            let quota = buckets.take("a", start);
            assert!(quota.granted && quota.left == left, "{quota:?}");
        }
        let refused = buckets.take("a", start);
        assert_eq!((refused.granted, refused.left, refused.seconds), (false, 0, 1));
        assert!(buckets.take("b", start).granted, "callers do not share");
        assert!(buckets.take("a", start + Duration::from_secs(1)).granted);
        assert!(!buckets.take("a", start + Duration::from_secs(1)).granted);
    }

    #[test]
    fn many_callers_do_not_grow_the_memory() {
        let (buckets, start) = (Buckets::new(2), Instant::now());
        for n in 0..CALLERS_MAX * 2 {
            buckets.take(&n.to_string(), start);
        }
        assert!(buckets.buckets.lock().unwrap().len() <= CALLERS_MAX + 1);
        // Those beyond the bound share one bucket, so a flood of names wins nothing.
        assert!(!buckets.take("one more", start).granted);
        // What has refilled is forgotten.
        assert!(buckets.take("one more", start + WINDOW).granted);
        assert!(buckets.buckets.lock().unwrap().len() <= 2);
    }
}
