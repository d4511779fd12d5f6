//! Hostile texts: time stays linear, ranges stay in the text, nothing panics.

// A test may look at the clock of its thread; the engine may not.
#![allow(clippy::disallowed_methods)]

use indicators::extract::{Labels, SPANS_MAX, TEXT_BYTES_MAX, extract};
use proptest::prelude::*;

/// Patterns that make careless readers look at everything again for every byte.
const PATTERNS: [&str; 18] = [
    "http://",
    "1.1.1.1-",
    "a.b.",
    "[.]",
    "hxxp[",
    "C:\\a ",
    "HKLM\\a b",
    "「",
    "\"a.exe",
    "(",
    "2023.06.14~",
    "内→",
    "a@a.",
    "::",
    "から",
    "TLP:",
    "1.2.3.4 から ",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
];

/// Time of this thread on a processor: others use the machine too.
fn on_processor() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let nanoseconds = told.split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanoseconds.expect("nanoseconds") / 1e9
}

fn seconds(text: &str) -> f64 {
    let begin = on_processor();
    let notice = extract(text, Labels::shipped());
    assert!(notice.spans.len() <= SPANS_MAX);
    on_processor() - begin
}

#[test]
fn four_times_the_text_takes_no_more_than_four_times_the_time() {
    for pattern in PATTERNS {
        let text = |bytes: usize| pattern.repeat(bytes / pattern.len());
        let (short, long) = (text(4 * 1024), text(16 * 1024));
        // The better of two; square time would be sixteen times.
        let best = |text: &str| (0..2).map(|_| seconds(text)).fold(f64::MAX, f64::min);
        let (once, four) = (best(&short), best(&long));
        assert!(four < once * 9.0 + 0.05, "{pattern:?}: {once:.4} s, then {four:.4} s");
    }
}

#[test]
fn what_goes_beyond_a_limit_is_left_out_and_said() {
    let text = "\n".repeat(TEXT_BYTES_MAX + 1);
    assert!(extract(&text, Labels::shipped()).is_cut);
    let many = "192.0.2.1\n".repeat(SPANS_MAX + 5);
    let notice = extract(&many, Labels::shipped());
    assert!(notice.is_cut && notice.spans.len() == SPANS_MAX);
}

proptest! {
    #[test]
    fn ranges_are_ascending_apart_and_on_bounds(
        text in "(https?|hxxp|://|\\[\\.\\]|[a-f0-9.:/@-]{1,9}|通信先|件名|：|→|内|外|\\n|\t|　|「|」|。|C:\\\\|2023|\\PC){0,60}"
    ) {
        let notice = extract(&text, Labels::shipped());
        let mut end = 0;
        for span in &notice.spans {
            prop_assert!(span.start >= end && span.end > span.start);
            prop_assert!(text.get(span.start..span.end).is_some());
            end = span.end;
        }
    }

    #[test]
    fn reading_is_repeatable(text in "\\PC{0,200}") {
        prop_assert_eq!(extract(&text, Labels::shipped()), extract(&text, Labels::shipped()));
    }
}
