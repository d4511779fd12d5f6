//! `/configuration/components`: where a component is installed, over all assets, in which versions.

use askama::Template;
use axum::{
    Json as Document,
    extract::{Query, State},
    response::{IntoResponse, Response},
};
use model::{Id, Table, t};
use sbom::{judge::Subject, order::order};
use serde::Deserialize;
use serde_json::json;
use store::StoreError;
use web::{
    Shared,
    access::Action,
    api::{Caller, problem::Problem},
    frame::{Answer, Cx, User, page},
    route::{Access, Api, Param, Place, Route},
};

use crate::impact::{run::read, sentence::ecosystem, state::Desk};

const SHOWN_MAX: usize = 500;
const CHARS_MAX: usize = 200;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let title = t("部品の検索", "Find a component");
    let param =
        |name, required, text| Param { place: Place::Query, name, schema: "Text", required, text };
    let api = Api {
        tag: "configuration",
        id: "configuration_components".to_owned(),
        params: vec![
            param("name", true, t("名前かpurl", "Name or purl")),
            param("below", false, t("この版より前", "Older than this version")),
        ],
        request: None,
        response: (200, Some(("application/json", "Document".to_owned()))),
        refusals: &[],
    };
    vec![
        Route::get("/configuration/components", inspect, title, show),
        Route::get("/api/v1/configuration/components", inspect, title, document).api(api),
    ]
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    name: String,
    #[serde(default)]
    below: String,
}

/// A component of an asset.
struct Hit {
    asset: Id,
    name: String,
    component: String,
    version: String,
    /// The version that counts where a distribution publishes by source package.
    source: String,
    /// None where the versions cannot be compared.
    is_below: Option<bool>,
}

/// Whether a subject bears the name: its own, that of its source package, or its purl's beginning.
fn is_named(subject: &Subject, wanted: &str) -> bool {
    let same = |name: &str| name.eq_ignore_ascii_case(wanted);
    let last = subject.name.rsplit(['/', ':']).next().unwrap_or_default();
    same(&subject.name)
        || same(last)
        || subject.source_name.as_deref().is_some_and(same)
        || subject.purl.as_ref().is_some_and(|purl| same(&purl.versionless().to_string()))
}

fn is_below(subject: &Subject, below: &str) -> Option<bool> {
    let version = subject.source_version.as_ref().unwrap_or(&subject.version);
    order(ecosystem(subject)?, version, below).ok().map(std::cmp::Ordering::is_lt)
}

async fn hits(house: &Shared, asked: &Asked) -> Result<Vec<Hit>, StoreError> {
    let (name, below) = (asked.name.trim(), asked.below.trim());
    if name.is_empty() || name.chars().count() > CHARS_MAX || below.chars().count() > CHARS_MAX {
        return Ok(Vec::new());
    }
    let found = {
        let desk = house.kept.get::<Desk>();
        let state = read(&desk);
        state.having(&|subject| is_named(subject, name))
    };
    let ids: Vec<Id> = found.iter().map(|(id, _)| *id).collect();
    let rows = house.store.rows_by_id(Table::Asset, &ids).await?;
    let names: std::collections::HashMap<Id, String> =
        rows.into_iter().map(|row| (row.id, row.name)).collect();
    let hit = |(asset, subject): (Id, Subject)| Hit {
        asset,
        name: names.get(&asset).cloned().unwrap_or_default(),
        component: subject
            .purl
            .as_ref()
            .map_or_else(|| subject.name.clone(), |purl| purl.versionless().to_string()),
        is_below: if below.is_empty() { Some(true) } else { is_below(&subject, below) },
        version: subject.version.clone(),
        source: match (&subject.source_name, &subject.source_version) {
            (Some(name), Some(version)) => format!("{name} {version}"),
            (Some(name), None) => name.clone(),
            _ => String::new(),
        },
    };
    let mut hits: Vec<Hit> = found.into_iter().map(hit).collect();
    // What cannot be compared is shown: it is not known to be newer.
    hits.retain(|hit| hit.is_below != Some(false));
    hits.sort_by(|a, b| {
        (&a.name, &a.component, &a.version).cmp(&(&b.name, &b.component, &b.version))
    });
    Ok(hits)
}

#[derive(Template)]
#[template(path = "components.html")]
struct ComponentsPage<'a> {
    cx: &'a Cx,
    name: &'a str,
    below: &'a str,
    assets: usize,
    unknown: usize,
    hits: Vec<Hit>,
    more: usize,
    looked_at: usize,
}

async fn show(State(house): State<Shared>, user: User, Query(asked): Query<Asked>) -> Answer {
    let cx = &user.cx;
    let mut hits = hits(&house, &asked).await?;
    let assets: std::collections::BTreeSet<Id> = hits.iter().map(|hit| hit.asset).collect();
    let more = hits.len().saturating_sub(SHOWN_MAX);
    let unknown = hits.iter().filter(|hit| hit.is_below.is_none()).count();
    hits.truncate(SHOWN_MAX);
    let looked_at =
        read(&house.kept.get::<Desk>()).assets.values().filter(|a| a.sbom.is_some()).count();
    let body = ComponentsPage {
        cx,
        name: &asked.name,
        below: &asked.below,
        assets: assets.len(),
        unknown,
        hits,
        more,
        looked_at,
    };
    page(cx, cx.t("部品の検索", "Find a component"), &body)
}

async fn document(
    State(house): State<Shared>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Response {
    let hits = match hits(&house, &asked).await {
        Ok(hits) => hits,
        Err(error) => return Problem::of_store(caller.cx.lang, &error).into_response(),
    };
    let one = |hit: &Hit| {
        json!({
            "asset": hit.asset.to_string(), "name": hit.name, "component": hit.component,
            "version": hit.version, "source": hit.source, "older": hit.is_below,
        })
    };
    Document(json!({ "components": hits.iter().map(one).collect::<Vec<_>>() })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sbom::purl::Purl;

    #[test]
    fn a_component_is_found_by_its_name_its_source_and_its_purl() {
        let purl = "pkg:deb/debian/libssl3@3.0.13-1?distro=bookworm&upstream=openssl";
        let subject = Subject::of(&Purl::parse(purl).expect("a purl"));
        for name in ["libssl3", "openssl", "OpenSSL", "pkg:deb/debian/libssl3"] {
            assert!(is_named(&subject, name), "{name}");
        }
        assert!(!is_named(&subject, "ssl"));
        assert_eq!(is_below(&subject, "3.0.14"), Some(true));
        assert_eq!(is_below(&subject, "3.0.13-1"), Some(false));
        let odd = Subject { ecosystem: "nowhere".to_owned(), ..Subject::default() };
        assert_eq!(is_below(&odd, "1"), None);
    }
}
