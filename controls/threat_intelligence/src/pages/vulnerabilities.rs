//! `/intelligence/vulnerabilities`: what is known of the vulnerabilities that concern us, the most pressing first.
//!
//! Invariant: what no list has said is shown as not known, never as "no".

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, Table, t};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Row, Store, StoreError};
use web::{
    House, Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Route},
};

use crate::work::{
    inbox::ITEM,
    news::{
        shelf::{Lists, Shelf},
        vulnerabilities::KIND,
    },
};

const SHOWN_MAX: usize = 200;
const LISTED_MAX: usize = 5_000;
const NAMES_SHOWN: usize = 3;
const QUERY_CHARS_MAX: usize = 100;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("脆弱性", "Vulnerabilities");
    let api = Api {
        tag: "threat_intelligence",
        id: "threat_intelligence_vulnerabilities".to_owned(),
        params: Vec::new(),
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/intelligence/vulnerabilities", inspect, title, show),
        Route::get("/api/v1/threat_intelligence/vulnerabilities", inspect, title, document)
            .api(api),
    ]
}

/// A vulnerability as the table shows it.
struct Line {
    row: Row,
    affected: Vec<String>,
    items: Vec<(Id, String)>,
}

impl Line {
    fn of(row: Row, items: &[(Row, Vec<String>)]) -> Line {
        let cve = text(&row, "cve").to_uppercase();
        let naming = items.iter().filter(|(_, ids)| ids.contains(&cve));
        let items = naming.map(|(item, _)| (item.id, item.name.clone())).collect();
        Line { affected: listed(&row, "affected"), items, row }
    }

    fn cve(&self) -> &str {
        text(&self.row, "cve")
    }

    /// What it is called beside its number.
    fn title(&self) -> &str {
        self.row.name.strip_prefix(self.cve()).unwrap_or(&self.row.name).trim()
    }

    fn is_exploited(&self) -> Option<bool> {
        self.row.attributes.get("exploited").and_then(Json::as_bool)
    }

    fn permille(&self) -> Option<i64> {
        self.row.attributes.get("epss_permille").and_then(Json::as_i64)
    }

    fn epss(&self) -> String {
        self.permille().map_or_else(String::new, |n| format!("{}.{} %", n / 10, n % 10))
    }

    /// The newest version of CVSS that scores it.
    fn tenths(&self) -> Option<i64> {
        let of = |name: &str| self.row.attributes.get(name).and_then(Json::as_i64);
        of("cvss4").or_else(|| of("cvss3")).or_else(|| of("cvss2"))
    }

    fn cvss(&self) -> String {
        self.tenths().map_or_else(String::new, |n| format!("{}.{}", n / 10, n % 10))
    }

    fn matters(&self) -> bool {
        self.row.attributes.get("on_exposed").and_then(Json::as_bool) == Some(true)
    }

    fn is_pressing(&self) -> bool {
        let is_likely = self.permille().is_some_and(|permille| permille >= 500);
        self.is_exploited() == Some(true) || is_likely
    }

    fn names(&self) -> String {
        self.affected.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ")
    }

    fn more(&self) -> usize {
        self.affected.len().saturating_sub(NAMES_SHOWN)
    }

    /// What presses first.
    fn rank(&self) -> (bool, bool, bool, i64, i64) {
        let is_ours = !self.affected.is_empty();
        let (pressing, epss) = (self.is_pressing(), self.permille().unwrap_or(-1));
        (
            pressing && self.matters(),
            pressing && is_ours,
            pressing,
            epss,
            self.tenths().unwrap_or(-1),
        )
    }

    fn document(&self) -> Json {
        json!({
            "id": self.row.id,
            "cve": self.cve(),
            "title": self.title(),
            "exploited": self.is_exploited(),
            "epss_permille": self.permille(),
            "cvss_tenths": self.tenths(),
            "affected": self.affected,
            "on_exposed_or_important": self.matters(),
            "items": self.items.iter().map(|(id, _)| id).collect::<Vec<_>>(),
        })
    }
}

fn text<'r>(row: &'r Row, name: &str) -> &'r str {
    row.attributes.get(name).and_then(Json::as_str).unwrap_or_default()
}

fn listed(row: &Row, name: &str) -> Vec<String> {
    let all = row.attributes.get(name).and_then(Json::as_array).into_iter().flatten();
    all.filter_map(Json::as_str).map(str::to_owned).collect()
}

async fn lines(store: &Store) -> Result<Vec<Line>, StoreError> {
    let rows = store.all(Table::Asset, &[KIND, ITEM]).await?;
    let (items, rows): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|row| row.kind == ITEM);
    let named = |item: Row| {
        let ids = listed(&item, "vulnerabilities");
        (item, ids)
    };
    let items: Vec<(Row, Vec<String>)> = items.into_iter().map(named).collect();
    let mut all: Vec<Line> = rows.into_iter().map(|row| Line::of(row, &items)).collect();
    all.sort_by(|a, b| b.rank().cmp(&a.rank()).then_with(|| a.cve().cmp(b.cve())));
    Ok(all)
}

#[derive(Template)]
#[template(path = "intelligence_vulnerabilities.html")]
struct VulnerabilitiesPage<'a> {
    cx: &'a Cx,
    lines: Vec<Line>,
    asked: String,
    all: usize,
    pressing: usize,
    has_kev: bool,
    has_epss: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    q: String,
}

async fn show(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let mut lines = lines(&house.store).await?;
    let lists = lists(&house).await;
    let asked: String = asked.q.trim().chars().take(QUERY_CHARS_MAX).collect();
    let all = lines.len();
    let pressing = lines.iter().filter(|line| line.is_pressing() && line.matters()).count();
    let wanted = asked.to_lowercase();
    lines.retain(|line| {
        let meets = |text: &str| text.to_lowercase().contains(&wanted);
        meets(&line.row.name) || meets(line.cve()) || line.affected.iter().any(|name| meets(name))
    });
    lines.truncate(SHOWN_MAX);
    let (has_kev, has_epss) = lists.map_or((false, false), |l| (l.has_kev(), l.has_epss()));
    let body = VulnerabilitiesPage { cx, lines, asked, all, pressing, has_kev, has_epss };
    page(cx, cx.t("脆弱性", "Vulnerabilities"), &body)
}

async fn lists(house: &House) -> Option<std::sync::Arc<Lists>> {
    let (data, shelf) = (house.folder().to_owned(), house.kept.get::<Shelf>());
    tokio::task::spawn_blocking(move || shelf.lists(&data).1).await.ok()
}

async fn document(State(house): State<Shared>, caller: Caller) -> Response {
    match lines(&house.store).await {
        Ok(lines) => {
            let is_cut = lines.len() > LISTED_MAX;
            let all: Vec<Json> = lines.iter().take(LISTED_MAX).map(Line::document).collect();
            Document(json!({ "vulnerabilities": all, "is_cut": is_cut })).into_response()
        }
        Err(error) => Problem::of_store(caller.cx.lang, &error).into_response(),
    }
}
