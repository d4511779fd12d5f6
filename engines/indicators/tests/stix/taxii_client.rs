//! The client against our own server, and against servers that misbehave.

use indicators::taxii::{Answer, Failure, Method, Poll, PollLimits, Push, Step};
use serde_json::{Value, json};

use crate::taxii_server::{BASE, Server, note};

const COLLECTION: &str = "472c94ae-3113-4e3e-a4dd-a9f4ac7471d4";
const NOW: i64 = 1_767_225_600_000_000;

fn limits() -> PollLimits {
    PollLimits { page_objects: 2, ..PollLimits::default() }
}

/// Polls our server to the end; objects and the cursor as it would be saved.
fn pull(server: &mut Server, cursor: Option<String>) -> (Vec<Value>, Option<String>) {
    let mut poll = Poll::new(COLLECTION, cursor.clone(), limits());
    let (mut all, mut saved) = (Vec::new(), cursor);
    while let Some(ask) = poll.ask() {
        let reply = server.ask(Method::Get, &format!("{BASE}{}", ask.path), "");
        let headers: Vec<(&str, &str)> =
            reply.headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        match poll
            .receive(&Answer { status: reply.status, headers: &headers, body: &reply.body }, NOW)
        {
            Step::Objects { objects, cursor } => {
                all.extend(objects.iter().map(|o| serde_json::from_slice::<Value>(o).unwrap()));
                saved = cursor;
            }
            Step::Wait(_) | Step::Done => {}
            Step::Failed(failure) => panic!("{failure}"),
        }
    }
    (all, saved)
}

#[test]
fn all_comes_once_and_the_next_poll_brings_what_is_new() {
    let mut server = Server::new();
    server.post(&(1..=5).map(|n| note(n, 1)).collect::<Vec<_>>());
    let (all, cursor) = pull(&mut server, None);
    assert_eq!(all, (1..=5).map(|n| note(n, 1)).collect::<Vec<_>>());
    server.context.now -= 60_000_000;
    server.post(&[note(6, 1), note(2, 2)]);
    let (all, cursor) = pull(&mut server, cursor);
    assert_eq!(all, [note(6, 1), note(2, 2)], "also when the server's clock stepped back");
    assert_eq!(pull(&mut server, cursor.clone()), (vec![], cursor));
}

/// Status, headers, body.
type Canned<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);

/// Answers in turn, the last one for ever; what the client did.
fn against(answers: &[Canned<'_>], limits: PollLimits) -> (Vec<String>, Vec<Step>) {
    let mut poll = Poll::new("c", None, limits);
    let (mut asked, mut steps) = (Vec::new(), Vec::new());
    for turn in 0..50 {
        let Some(ask) = poll.ask() else { break };
        asked.push(ask.path);
        let (status, headers, body) = answers[turn.min(answers.len() - 1)];
        steps.push(poll.receive(&Answer { status, headers, body: body.as_bytes() }, NOW));
    }
    (asked, steps)
}

#[test]
fn a_server_that_refuses_its_own_next_is_asked_by_time() {
    let last = [("x-taxii-date-added-last", "2026-01-01T00:00:00.000000Z")];
    let (asked, steps) = against(
        &[
            (200, &last, r#"{"more":true,"next":"n","objects":[{"a":1},{"a":2}]}"#),
            (400, &[], "{}"),
            (200, &[], r#"{"more":false,"objects":[{"a":2},{"a":3}]}"#),
        ],
        limits(),
    );
    assert!(asked[1].contains("next=n"));
    assert!(
        asked[2].contains("added_after=2025-12-31T23%3A59%3A59.999999Z")
            && !asked[2].contains("next="),
        "{asked:?}"
    );
    let Step::Objects { objects, .. } = &steps[2] else { panic!("{steps:?}") };
    assert_eq!(objects, &[br#"{"a":3}"#.to_vec()], "what came already comes once");
}

#[test]
fn a_cursor_that_the_server_moves_itself_leads_on() {
    let (asked, steps) = against(
        &[
            (200, &[], r#"{"more":true,"next":"same","objects":[{"a":1}]}"#),
            (200, &[], r#"{"more":true,"next":"same","objects":[{"a":2}]}"#),
            (200, &[], r#"{"more":false,"objects":[{"a":3}]}"#),
        ],
        limits(),
    );
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[1].contains("next=same") && asked[2].contains("next=same"), "{asked:?}");
    assert!(matches!(steps.last(), Some(Step::Objects { .. })), "{steps:?}");
}

#[test]
fn circles_end() {
    let page = r#"{"more":true,"next":"same","objects":[{"a":1}]}"#;
    let (asked, steps) = against(&[(200, &[], page)], limits());
    assert!(asked.len() <= 4, "{asked:?}");
    assert!(matches!(steps.last(), Some(Step::Failed(Failure::Circle(_)))), "{steps:?}");
    let (asked, steps) = against(&[(200, &[], r#"{"more":true}"#)], limits());
    assert!(
        asked.len() <= 3 && matches!(steps.last(), Some(Step::Failed(Failure::Circle(_)))),
        "{steps:?}"
    );
    let last = [("X-TAXII-Date-Added-Last", "2026-01-01T00:00:00Z")];
    let (asked, _) = against(&[(200, &last, r#"{"more":true,"objects":[{"a":1}]}"#)], limits());
    assert!(asked.len() <= 4, "{asked:?}");
}

#[test]
fn retry_after_is_kept_to_within_reason() {
    let wait = |header: &str| {
        let (_, steps) =
            against(&[(503, &[("Retry-After", header)], ""), (200, &[], "{}")], limits());
        steps[0].clone()
    };
    assert_eq!(wait("7"), Step::Wait(7_000_000));
    assert_eq!(wait("Thu, 01 Jan 2026 00:00:09 GMT"), Step::Wait(9_000_000));
    assert_eq!(wait("999999999"), Step::Wait(limits().wait_max));
    assert_eq!(wait("-5"), Step::Wait(0));
    assert_eq!(wait("soon"), Step::Wait(2_000_000));
    let (asked, steps) = against(&[(429, &[], "")], limits());
    assert_eq!((asked.len(), steps.last()), (5, Some(&Step::Failed(Failure::Exhausted(429, 5)))));
}

#[test]
fn refusals_and_rubbish_end_with_their_reason() {
    let one = |status, body: &str| {
        against(&[(status, &[], body)], PollLimits { page_bytes: 100, ..limits() }).1.remove(0)
    };
    assert_eq!(
        one(401, r#"{"title":"no\u0007"}"#),
        Step::Failed(Failure::Refused(401, "no".into()))
    );
    assert!(matches!(one(200, "<html>"), Step::Failed(Failure::Unreadable(_))));
    assert!(matches!(one(200, "[]"), Step::Failed(Failure::Unreadable(_))));
    assert_eq!(one(200, &" ".repeat(101)), Step::Failed(Failure::PageBytes(100)));
    assert_eq!(one(302, ""), Step::Failed(Failure::Refused(302, String::new())));
    assert_eq!(one(200, "{}"), Step::Done);
}

#[test]
fn what_was_posted_is_asked_after_until_it_is_settled() {
    let answer = |status, body| Answer { status, headers: &[], body };
    let pending = br#"{"id":"s","status":"pending","pending_count":1}"#;
    let (mut push, settled) = Push::new(&answer(202, pending), limits()).unwrap();
    assert!(settled.is_none());
    assert_eq!(push.ask().path, "status/s/");
    assert_eq!(push.receive(&answer(200, pending), NOW), Ok(Err(2_000_000)));
    let done =
        br#"{"id":"s","status":"complete","success_count":1,"failure_count":0,"pending_count":0}"#;
    let status = push.receive(&answer(200, done), NOW).unwrap().unwrap();
    assert_eq!(status["success_count"], json!(1));
    assert!(matches!(Push::new(&answer(422, b"{}"), limits()), Err(Failure::Refused(422, _))));
    let (mut push, _) = Push::new(&answer(202, pending), limits()).unwrap();
    let ends = (0..5).map(|_| push.receive(&answer(503, b""), NOW)).last();
    assert_eq!(ends, Some(Err(Failure::Exhausted(503, 5))));
}
