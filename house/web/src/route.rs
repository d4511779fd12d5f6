//! The one route table: router, permission test and OpenAPI are made from it, so that no route
//! stands outside of it and none is reachable without its guard.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Request, State},
    handler::Handler,
    http::Method,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use model::Text;

use crate::{
    Shared,
    access::{self, Action},
    api,
    frame::{Cx, Refusal},
};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone, signed in or not.
    Public,
    /// Every program that shows the token of its source; the handler holds it against the
    /// configuration, and sessions count for nothing.
    Sender,
    /// Everyone with a session, be it one that still lacks its second factor.
    SignedIn,
    /// Everyone who has shown both factors, whatever the role: what belongs to oneself.
    Own,
    /// Every role that [`access::allowed`] grants the action.
    Action(Action),
    /// Whoever comes through the socket of the data folder, and no account.
    Local,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Query,
    Header,
}

/// A parameter as OpenAPI describes it.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub place: Place,
    pub name: &'static str,
    /// Name of a schema of the document.
    pub schema: &'static str,
    pub required: bool,
    pub text: Text,
}

/// What OpenAPI says about a route of the API.
#[derive(Clone, Debug)]
pub struct Api {
    pub tag: &'static str,
    pub id: String,
    pub params: Vec<Param>,
    /// Media type and schema of the body.
    pub request: Option<(&'static str, String)>,
    /// Status, media type and schema of success; no media type where there is no body.
    pub response: (u16, Option<(&'static str, String)>),
    /// Statuses of its refusals beside those that every route of the API may answer.
    pub refusals: &'static [u16],
}

/// One method of one path.
pub struct Route {
    pub method: Method,
    pub path: String,
    pub access: Access,
    pub summary: Text,
    /// Set on routes of the API.
    pub api: Option<Api>,
    handler: MethodRouter<Shared>,
}

impl Route {
    /// A page that is shown.
    pub fn get<H, T>(path: &str, access: Access, summary: Text, handler: H) -> Route
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        Route::new(Method::GET, path, access, summary, handler)
    }

    /// A form that is sent.
    pub fn post<H, T>(path: &str, access: Access, summary: Text, handler: H) -> Route
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        Route::new(Method::POST, path, access, summary, handler)
    }

    /// Any method.
    pub fn new<H, T>(method: Method, path: &str, access: Access, summary: Text, handler: H) -> Route
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        // The table knows no method beyond HTTP's own, so this cannot fail for a route of ours.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let handler = on(filter, handler);
        Route { method, path: path.to_owned(), access, summary, api: None, handler }
    }

    /// The same route with another limit for its body.
    pub fn body_max(self, bytes: usize) -> Route {
        Route { handler: self.handler.layer(DefaultBodyLimit::max(bytes)), ..self }
    }

    /// The same route as part of the API.
    pub fn api(self, api: Api) -> Route {
        Route { api: Some(api), ..self }
    }
}

/// Makes the router of a table; each route stands behind its guard.
pub(crate) fn router(routes: Vec<Route>, house: &Shared) -> Router<Shared> {
    let mut router = Router::new();
    for route in routes {
        let rule = Rule { house: house.clone(), access: route.access, api: route.api.is_some() };
        let guarded = route.handler.route_layer(from_fn_with_state(Arc::new(rule), guard));
        router = router.route(&route.path, guarded);
    }
    router
}

struct Rule {
    house: Shared,
    access: Access,
    api: bool,
}

async fn guard(State(rule): State<Arc<Rule>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let cx = match Cx::from_request_parts(&mut parts, &rule.house).await {
        Ok(cx) => cx,
        Err(refusal) => return refusal.into_response(),
    };
    if rule.api {
        return api::guard(&rule.house, rule.access, cx, Request::from_parts(parts, body), next)
            .await;
    }
    if let Err(refusal) = admit(rule.access, &cx) {
        return refusal.into_response();
    }
    parts.extensions.insert(cx);
    next.run(Request::from_parts(parts, body)).await
}

fn admit(access: Access, cx: &Cx) -> Result<(), Refusal> {
    let back = || {
        let query = if cx.query.is_empty() { String::new() } else { format!("?{}", cx.query) };
        Refusal::SignIn(format!("{}{query}", cx.path))
    };
    let action = match access {
        Access::Public | Access::Sender => return Ok(()),
        Access::SignedIn => return cx.session.as_ref().map(drop).ok_or_else(back),
        Access::Own => None,
        Access::Action(action) => Some(action),
        // Pages have no local caller: the socket is for the API.
        Access::Local => return Err(Refusal::Forbidden),
    };
    let session = cx.session.as_ref().ok_or_else(back)?;
    if session.state != "full" {
        return Err(Refusal::Enrol);
    }
    let Some(action) = action else { return Ok(()) };
    if session.account.must_change {
        return Err(Refusal::ChangePassword);
    }
    if access::may(&session.account, action) { Ok(()) } else { Err(Refusal::Forbidden) }
}
