//! Every route of the table under every role and method, on the real router; and OpenAPI as it is
//! checked in.

use std::{collections::BTreeSet, path::Path};

use model::Table;
use reqwest::{Method, Response, header};
use web::{
    access::{Action, ROLES, allowed, scope},
    route::{Access, Route},
};

use crate::{
    routes,
    served::{Browser, Served},
};

/// A path with its places filled; nothing need stand there, since access is judged first.
fn address(path: &str) -> String {
    path.replace("{table}", "asset")
        .replace("{kind}", "host")
        .replace("{id}", "01936b3a-0000-7000-8000-000000000000")
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Whatever the handler said, it was reached.
    Through,
    SignIn,
    Forbidden,
}

fn outcome(response: &Response) -> Outcome {
    let to = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("");
    match response.status().as_u16() {
        401 => Outcome::SignIn,
        303 if to.starts_with("/login?back=") => Outcome::SignIn,
        403 => Outcome::Forbidden,
        _ => Outcome::Through,
    }
}

/// The path of the place-holder kind names a register that only some roles write.
fn may(role: &str, action: Action, route: &Route) -> bool {
    // A body that is no multipart form is refused before anybody asks whose it is.
    let unread = route.method == Method::POST && route.path.ends_with("/import");
    // Pages about rows of one kind ask for the right to that kind.
    let of_kind = match route.path.as_str() {
        "/configuration/changes/new" => Some(Table::Plan),
        "/configuration/drift/propose" => Some(Table::Rule),
        path if path.starts_with("/api/v1/threat_intelligence/sources/{id}/") => Some(Table::Asset),
        path if path.starts_with("/register/") && !unread => Some(Table::Asset),
        _ => None,
    };
    match of_kind.filter(|_| action == Action::Write) {
        // A change is a request, which employees make too.
        Some(table) => scope(role, action, table, table == Table::Plan).is_some(),
        None => allowed(role, action),
    }
}

fn expected(route: &Route, role: Option<&str>) -> Outcome {
    match (route.access, role) {
        (Access::Public, _) | (Access::SignedIn | Access::Own, Some(_)) => Outcome::Through,
        // Nobody here shows the token of a source.
        // MISP answers a wrong key as it always does.
        (Access::Sender, _) if route.path.starts_with("/misp/") => Outcome::Forbidden,
        (_, None) | (Access::Sender, _) => Outcome::SignIn,
        (Access::Action(action), Some(role)) if may(role, action, route) => Outcome::Through,
        (Access::Action(_) | Access::Local, Some(_)) => Outcome::Forbidden,
    }
}

async fn ask(served: &Served, method: &Method, path: &str, browser: Option<&Browser>) -> Response {
    let mut request = served.request(method.clone(), &address(path));
    if let Some(browser) = browser {
        request = request.header(header::COOKIE, &browser.cookie);
        if *method != Method::GET {
            request = request
                .header("x-csrf-token", &browser.csrf)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(format!("csrf={}", browser.csrf));
        }
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn every_role_reaches_exactly_the_routes_the_permission_table_grants() {
    let served = Served::start(1_000_000).await;
    let mut people: Vec<(Option<&str>, Option<Browser>)> = vec![(None, None)];
    for role in ROLES {
        people.push((Some(role), Some(served.browser(role).await)));
    }
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for route in routes::table() {
        for (role, browser) in &mut people {
            let response = ask(&served, &route.method, &route.path, browser.as_ref()).await;
            let (found, wanted) = (outcome(&response), expected(&route, *role));
            asked += 1;
            if found != wanted {
                let (method, path) = (&route.method, &route.path);
                let status = response.status();
                wrong.push(format!(
                    "{role:?} {method} {path}: {found:?} ({status}), not {wanted:?}"
                ));
            }
            if let (true, Some(role)) = (route.path == "/logout", *role) {
                *browser = Some(served.browser(role).await);
            }
        }
    }
    assert!(asked > 800, "only {asked} requests");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_token_may_what_its_account_may() {
    let served = Served::start(1_000_000).await;
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for role in ROLES {
        let token = served.token(role).await;
        for route in routes::table().iter().filter(|r| r.api.is_some()) {
            let request = served.with(&token, route.method.clone(), &address(&route.path));
            let response = request.send().await.unwrap();
            asked += 1;
            let (found, wanted) = (outcome(&response), expected(route, Some(role)));
            if found != wanted {
                wrong.push(format!("{role} {} {}: {found:?}", route.method, route.path));
            }
        }
    }
    assert!(asked > 400, "only {asked} requests");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_token_opens_no_page_and_a_half_signed_in_session_only_its_own() {
    let served = Served::start(1_000_000).await;
    let token = served.token("officer").await;
    let account = served.account("officer").await;
    let half = served.house.store.open_session(account, "password", "test").await.unwrap();
    let guarded = |r: &&web::route::Route| matches!(r.access, Access::Own | Access::Action(_));
    for route in routes::table().iter().filter(guarded) {
        let path = address(&route.path);
        if route.api.is_none() {
            let response = served.with(&token, route.method.clone(), &path).send().await.unwrap();
            assert_eq!(outcome(&response), Outcome::SignIn, "{path}");
        }
        let request = served.request(route.method.clone(), &path);
        let response = request.header(header::COOKIE, format!("ume={half}")).send().await.unwrap();
        let refused = match route.api {
            Some(_) => response.status() == 401,
            None => response.headers()[header::LOCATION] == "/second-factor",
        };
        assert!(refused, "{path}: {}", response.status());
    }
}

#[tokio::test]
async fn a_method_that_is_not_in_the_table_is_refused_to_everyone() {
    let served = Served::start(1_000_000).await;
    let officer = served.browser("officer").await;
    let table = routes::table();
    let paths: BTreeSet<&str> = table.iter().map(|r| r.path.as_str()).collect();
    let mut asked = 0;
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            // A path without places may also be matched by one that has them.
            let known = |r: &&web::route::Route| r.path == path && r.method == method;
            if table.iter().any(|r| known(&r)) {
                continue;
            }
            let response = ask(&served, &method, path, Some(&officer)).await;
            assert_eq!(response.status(), 405, "{method} {path}");
            assert!(response.headers().contains_key(header::ALLOW), "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 150, "only {asked} requests");
}

#[test]
fn each_route_stands_once_and_says_what_it_is_in_both_languages() {
    let table = routes::table();
    let mut seen = BTreeSet::new();
    for route in &table {
        assert!(seen.insert((route.method.to_string(), &route.path)), "{} twice", route.path);
        assert!(!route.summary.ja.is_empty() && !route.summary.en.is_empty(), "{}", route.path);
        let is_api = route.path.starts_with("/api/") || route.path == "/openapi.json";
        assert_eq!(is_api, route.api.is_some(), "{}", route.path);
    }
}

/// `UME_BLESS=1` writes the file anew.
#[tokio::test]
async fn openapi_is_served_as_it_is_checked_in() {
    let served = Served::start(1_000_000).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("openapi.json");
    let request = served.request(Method::GET, "/openapi.json");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let text = response.text().await.unwrap();
    if std::env::var_os("UME_BLESS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let help = "openapi.json is not what the table says: look at it, then UME_BLESS=1 cargo test";
    assert!(kept == text, "{help}");
}
