//! The nightly question: does any way out show what its marking forbids?
//!
//! For each outlet of the register and each of the five levels something is planted that nobody has seen before, the
//! way out is asked as its users ask it, and the answer is searched. Lists are asked over HTTP at this very server
//! where it listens; the planted rows are in memory, for the one request that bears the secret of the probe, so no edge
//! ever gets them. What is permitted must appear: a way out that gives nothing at all proves nothing, and its level
//! counts as not probed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::HeaderMap;
use indicators::{
    Kind,
    exchange::{self, Item},
    outlet::{Form, List, Listed},
    stix::time,
    taxii::Entry,
    tlp::{Audience, Level, Marking},
};
use model::{Id, Table, Timestamp, t};
use room::{Error, Shared};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use store::{Reach, Row, Sight, Store, Within};
use subtle::ConstantTimeEq as _;

use super::storage::{Guarded, may_go};
use crate::work::{
    inbox, misp,
    outlets::{
        self, Outlet,
        render::{self, Planted},
    },
};

pub const PROBED: &str = "threat_intelligence.tlp_probed";
pub const TITLE: model::Text =
    t("TLPを超えた開示の確認", "Look for disclosures beyond the marking");
const ACTOR: &str = "system:threat_intelligence.tlp";
/// Setting of an outlet: what the last probe saw of each level.
const MATRIX: &str = "threat_intelligence.tlp_matrix:";
const HEADER: &str = "x-ume-probe";
const ANSWER_BYTES_MAX: usize = 256 << 20;
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// What is planted now, for the one request that knows the secret.
#[derive(Default)]
pub struct Probing(Mutex<Option<Under>>);

#[derive(Clone)]
struct Under {
    secret: String,
    outlet: Id,
    planted: Vec<Planted>,
}

/// What one level came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    pub level: String,
    pub is_permitted: bool,
    pub is_shown: bool,
    /// How it was asked: `http`, `in_process`; or why it was not.
    pub how: String,
}

impl Cell {
    pub fn is_leak(&self) -> bool {
        self.is_shown && !self.is_permitted
    }

    /// Whether the answer says anything: what may be shown was.
    pub fn is_probed(&self) -> bool {
        self.is_shown || !self.is_permitted && self.is_asked()
    }

    fn is_asked(&self) -> bool {
        matches!(self.how.as_str(), "http" | "in_process")
    }
}

/// What the last probe saw of an outlet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Matrix {
    pub at: String,
    pub cells: Vec<Cell>,
}

impl Matrix {
    pub fn leaks(&self) -> usize {
        self.cells.iter().filter(|cell| cell.is_leak()).count()
    }

    /// Levels that were probed. A way out that shows nothing at any level was not.
    pub fn levels(&self) -> usize {
        let is_alive = self.cells.iter().any(|cell| cell.is_shown);
        self.cells.iter().filter(|cell| is_alive && cell.is_probed()).count()
    }
}

pub async fn matrix(store: &store::Store, outlet: Id) -> Result<Option<Matrix>, store::StoreError> {
    let kept = store.setting(&format!("{MATRIX}{outlet}")).await?;
    Ok(kept.and_then(|text| serde_json::from_str(&text).ok()))
}

/// One run over all open outlets.
pub async fn run(ctx: Shared) -> Result<Json, Error> {
    let house = &ctx.house;
    let (mut probed, mut leaks) = (0, 0);
    for outlet in outlets::all(&house.store).await?.iter().filter(|one| one.is_open()) {
        let matrix = probe(house, outlet).await?;
        leaks += matrix.leaks();
        probed += 1;
        if matrix.leaks() > 0 {
            tracing::error!(outlet = %outlet.row.id, "a way out shows what its marking forbids");
        }
        write(house, outlet, &matrix).await?;
    }
    house.wake();
    Ok(json!({ "outlets": probed, "leaks": leaks }))
}

async fn write(house: &web::House, outlet: &Outlet, matrix: &Matrix) -> Result<(), Error> {
    let id = outlet.row.id;
    let facts = json!({ "levels_probed": matrix.levels(), "leaks": matrix.leaks() });
    let kept = serde_json::to_string(matrix).map_err(Error::said)?;
    let mut write = house.store.write(ACTOR, "probe", "").await?;
    write.record(room::draft(PROBED, Some(id), house.store.now(), facts)).await?;
    write.set_setting(&format!("{MATRIX}{id}"), &kept).await?;
    Ok(write.commit().await?)
}

/// Asks one way out about all levels.
pub async fn probe(house: &web::Shared, outlet: &Outlet) -> Result<Matrix, Error> {
    let mut cells = Vec::new();
    for level in Level::ALL {
        let is_permitted = super::may_leave(&outlet.exit, &Marking::level(level));
        let (is_shown, how) = match ask(house, outlet, level).await {
            Ok(answer) => answer,
            Err(error) => (false, error.to_string()),
        };
        let level = inbox::tlp_word(level).to_owned();
        cells.push(Cell { level, is_permitted, is_shown, how });
    }
    Ok(Matrix { at: house.store.now().rfc3339(), cells })
}

/// Whether the way out shows something marked so, and how it was asked.
async fn ask(house: &web::Shared, outlet: &Outlet, level: Level) -> Result<(bool, String), Error> {
    match outlet.form.as_str() {
        "taxii" | "misp" => {
            let here = "in_process".to_owned();
            Ok((over_channel(outlet, level, house.store.now())?, here))
        }
        "search" => {
            let folder = house.folder().join(intel::FOLDER);
            Ok((over_search(&folder, outlet, level).await?, "in_process".to_owned()))
        }
        _ if !outlet.parts().is_empty() => over_lists(house, outlet, level).await,
        _ => Err(Error::said("no probe asks this form yet")),
    }
}

/// A value of a kind that stands nowhere else.
fn fresh(kind: Kind) -> Result<indicators::Key, Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(Error::said)?;
    let text = hex::encode(random);
    let value = match kind {
        Kind::Domain => format!("p{text}.probe.example"),
        Kind::Url => format!("https://p{text}.probe.example/{text}"),
        // Addresses for documentation: nobody has them.
        Kind::Ip => format!("2001:db8:{}:{}::{}", &text[..4], &text[4..8], &text[8..12]),
        Kind::Cidr => format!("2001:db8:{}::/48", &text[..4]),
        Kind::Sha256 => text.repeat(2),
        Kind::Sha1 => format!("{text}{}", &text[..8]),
        _ => text,
    };
    let kind = match kind {
        Kind::Domain | Kind::Url | Kind::Ip | Kind::Cidr | Kind::Sha256 | Kind::Sha1 => kind,
        _ => Kind::Md5,
    };
    indicators::normalise(kind, &value, &netname::Names::shipped()).map_err(Error::said)
}

/// The kind that is planted into a list: the first that both form and outlet take.
fn kind(outlet: &Outlet, form: Form) -> Option<Kind> {
    let able: &[Kind] = match form {
        Form::List | Form::Csv => {
            &[Kind::Domain, Kind::Url, Kind::Ip, Kind::Cidr, Kind::Sha256, Kind::Sha1, Kind::Md5]
        }
        Form::Rpz => &[Kind::Domain, Kind::Ip, Kind::Cidr],
        Form::SquidDomains => &[Kind::Domain],
        Form::SquidUrls => &[Kind::Url],
        Form::SquidNetworks => &[Kind::Ip, Kind::Cidr],
        Form::Hsb => &[Kind::Sha256, Kind::Sha1, Kind::Md5],
    };
    able.iter().copied().find(|kind| outlet.kinds.has(*kind))
}

async fn over_lists(
    house: &web::Shared,
    outlet: &Outlet,
    level: Level,
) -> Result<(bool, String), Error> {
    let (mut is_shown, mut how) = (false, String::new());
    for (part, form) in outlet.parts() {
        let Some(kind) = kind(outlet, *form) else { continue };
        let planted = Planted { key: fresh(kind)?, level };
        let expected = lines(outlet, *form, &planted, house.store.now())?;
        let text;
        (text, how) = fetch(house, outlet, part, *form, planted).await?;
        is_shown |= expected.iter().any(|line| text.lines().any(|given| given == line));
    }
    if how.is_empty() {
        return Err(Error::said("the outlet takes no kind that its form can say"));
    }
    Ok((is_shown, how))
}

/// How the planted row would stand in the list.
fn lines(
    outlet: &Outlet,
    form: Form,
    planted: &Planted,
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let write = |rows: &[&Planted]| {
        let mut list = List::new(outlet.ask(form, now.0));
        rows.iter().for_each(|row| list.add(&Listed::key(&row.key)));
        let mut text = String::new();
        let mut push = |part: &str| {
            text.push_str(part);
            Ok(())
        };
        list.write(1, &mut push).map_err(Error::said)?;
        Ok::<_, Error>(text)
    };
    let (without, with) = (write(&[])?, write(&[planted])?);
    let is_new = |line: &&str| !without.lines().any(|known| known == *line);
    let new: Vec<String> = with.lines().filter(is_new).map(str::to_owned).collect();
    match new.is_empty() {
        true => Err(Error::said("the form cannot say what would be planted")),
        false => Ok(new),
    }
}

/// The list with the planted row, over the network where this server listens.
async fn fetch(
    house: &web::Shared,
    outlet: &Outlet,
    part: &str,
    form: Form,
    planted: Planted,
) -> Result<(String, String), Error> {
    let listening: Arc<web::Listening> = house.kept.get();
    let Some(address) = listening.address() else {
        let text = render::planted(house, outlet, form, vec![planted]).await?;
        return Ok((text, "in_process".to_owned()));
    };
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(Error::said)?;
    let secret = hex::encode(random);
    let probing: Arc<Probing> = house.kept.get();
    let under = Under { secret: secret.clone(), outlet: outlet.row.id, planted: vec![planted] };
    *probing.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(under);
    let answer = request(house, address, &outlet.row.id.to_string(), part, &secret).await;
    *probing.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    Ok((answer?, "http".to_owned()))
}

async fn request(
    house: &web::House,
    address: std::net::SocketAddr,
    name: &str,
    part: &str,
    secret: &str,
) -> Result<String, Error> {
    // To itself, with a secret that only this process knows: whose certificate it is, is no question.
    let client = reqwest::Client::builder()
        .timeout(REQUEST_MAX)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .danger_accept_invalid_certs(true)
        .build()
        .map_err(Error::said)?;
    let scheme = if house.secure { "https" } else { "http" };
    let mut url = format!("{scheme}://{address}/outlets/{name}");
    if !part.is_empty() {
        url.push_str(&format!("?part={part}"));
    }
    let said = |error: reqwest::Error| Error::said(error.without_url());
    let mut response = client.get(url).header(HEADER, secret).send().await.map_err(said)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(Error::said(format!("the outlet answered {}", response.status().as_u16())));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(said)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Error::said("the answer is too large"));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(Error::said)
}

/// The answer to a request of the probe: that of the outlet with what is planted. None for every other request.
pub async fn given(
    house: &web::House,
    name: &str,
    part: &str,
    headers: &HeaderMap,
) -> Result<Option<String>, Error> {
    let Some(secret) = headers.get(HEADER).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let probing: Arc<Probing> = house.kept.get();
    let under = probing.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let is_it = |under: &Under| {
        bool::from(under.secret.as_bytes().ct_eq(secret.as_bytes()))
            && under.outlet.to_string() == name
    };
    let Some(under) = under.filter(is_it) else { return Ok(None) };
    let Some(outlet) = outlets::named(&house.store, name).await? else { return Ok(None) };
    let form = outlet.parts().iter().find(|(known, _)| *known == part).map(|(_, form)| *form);
    let Some(form) = form else { return Ok(None) };
    render::planted(house, &outlet, form, under.planted).await.map(Some)
}

/// Whether somebody of the outlet's audience finds an item marked so by lists, search and its address: asked of a
/// database of its own, made for the question, by the declarations of the real one.
async fn over_search(folder: &Path, outlet: &Outlet, level: Level) -> Result<bool, Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(Error::said)?;
    let mark = format!("probe{}", hex::encode(random));
    let scratch = folder.join(&mark);
    std::fs::create_dir_all(&scratch).map_err(io)?;
    let found = searched(&scratch, outlet, level, &mark).await;
    std::fs::remove_dir_all(&scratch).map_err(io)?;
    found
}

async fn searched(folder: &Path, outlet: &Outlet, level: Level, mark: &str) -> Result<bool, Error> {
    let kind = crate::kinds::KINDS.iter().find(|kind| kind.id == inbox::ITEM);
    let ties = kind.into_iter().flat_map(|kind| kind.ties());
    let ties = ties.map(|(name, tie)| (name.to_owned(), tie)).collect();
    let store = Store::open(folder, store::system_clock()).await?;
    let store = store.with_ties([(Table::Asset, inbox::ITEM.to_owned(), ties)]);
    store.settle_index().await?;
    let mut row = Row::new(Table::Asset, store.new_id()?, inbox::ITEM, mark);
    row.status = "active".to_owned();
    row.attributes.insert("tlp".to_owned(), json!(inbox::tlp_word(level)));
    row.attributes.insert("named".to_owned(), json!(["somebody-else"]));
    let mut write = store.write(ACTOR, "probe", "").await?;
    let row = write.put(row).await?;
    write.commit().await?;
    // Who is of the audience, named by nothing.
    let is_own = outlet.exit.audience <= Audience::GroupCompanies;
    let sight = Sight { names: vec!["reader".to_owned()], is_own, names_others: true };
    let within = Within::All.open_to(&sight);
    let reach = Reach { hides_personal: true, within: within.clone() };
    let filter = store::Filter { reach: reach.clone(), limit: 10, ..store::Filter::default() };
    let is_listed = !store.list(Table::Asset, &filter).await?.is_empty();
    let is_found = !store.search(mark, 10, |_| reach.clone()).await?.is_empty();
    let is_opened = store.reaches(Table::Asset, row.id, &within).await?;
    store.db().close().await;
    Ok(is_listed || is_found || is_opened)
}

/// Whether a peer behind such a channel would get an object marked so, over TAXII or MISP.
fn over_channel(outlet: &Outlet, level: Level, now: Timestamp) -> Result<bool, Error> {
    use indicators::taxii::{Filter, Memory, Storage as _, Window};

    let key = fresh(Kind::Domain)?;
    let item = Item {
        kind: Kind::Domain,
        value: key.text().to_owned(),
        side: None,
        from: None,
        until: None,
        enforce: true,
        level,
        by: String::new(),
    };
    let bundle = exchange::to_stix(&[item], now.0);
    let object = bundle["objects"].as_array().and_then(|all| all.last()).cloned();
    let object = object.ok_or_else(|| Error::said("nothing was planted"))?;
    let bytes = object.to_string().into_bytes();
    let entry = Entry {
        date_added: 0,
        id: object["id"].as_str().unwrap_or_default().to_owned(),
        version: object["modified"].as_str().and_then(time::parse).unwrap_or(now.0),
        spec_version: "2.1".to_owned(),
        bytes: bytes.clone(),
    };
    if outlet.form == "misp" {
        let given = misp::events(vec![entry], &outlet.exit, &BTreeMap::new(), "probe");
        let has = |one: &misp::Given| {
            indicators::misp::write_event(&one.event).to_string().contains(key.text())
        };
        return Ok(given.iter().any(has));
    }
    let storage = Guarded {
        inner: Memory::default(),
        exit: outlet.exit.clone(),
        raised: BTreeMap::new(),
        planted: vec![entry],
    };
    let filter = Filter::default();
    let window = Window { filter: &filter, after: None, limit: 10 };
    let page = storage.page("probe", &window).map_err(Error::said)?;
    debug_assert_eq!(page.entries.is_empty(), !may_go(&outlet.exit, &bytes, None));
    Ok(page.entries.iter().any(|entry| entry.bytes == bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(form: &str, audience: &str, ceiling: &str) -> Outlet {
        let mut row = Row::new(Table::Rule, Id::nil(), outlets::OUTLET, "x");
        let facts = json!({ "form": form, "audience": audience, "tlp_ceiling": ceiling });
        row.attributes = facts.as_object().cloned().unwrap_or_default();
        row.status = "active".to_owned();
        Outlet::of(&row)
    }

    #[test]
    fn peers_get_what_the_ceiling_allows_and_the_probe_sees_it() {
        let now = Timestamp(1_795_600_000_000_000);
        for form in ["taxii", "misp"] {
            let outlet = outlet(form, "community", "green");
            let shown = Level::ALL.map(|level| over_channel(&outlet, level, now).expect("asked"));
            assert_eq!(shown, [true, true, false, false, false], "{form}");
        }
    }

    #[test]
    fn a_way_out_that_gives_nothing_is_not_probed() {
        let cell = |is_permitted, is_shown, how: &str| Cell {
            level: "clear".to_owned(),
            is_permitted,
            is_shown,
            how: how.to_owned(),
        };
        let dead = Matrix {
            at: String::new(),
            cells: vec![cell(true, false, "http"), cell(false, false, "http")],
        };
        assert_eq!((dead.levels(), dead.leaks()), (0, 0));
        let good =
            Matrix { cells: vec![cell(true, true, "http"), cell(false, false, "http")], ..dead };
        assert_eq!((good.levels(), good.leaks()), (2, 0));
        let unasked =
            Matrix { cells: vec![cell(true, true, "http"), cell(false, false, "down")], ..good };
        assert_eq!(unasked.levels(), 1);
        let leaking =
            Matrix { cells: vec![cell(true, true, "http"), cell(false, true, "http")], ..unasked };
        assert_eq!((leaking.levels(), leaking.leaks()), (2, 1));
    }

    #[tokio::test]
    async fn a_search_shows_the_house_what_is_for_it_and_who_looks_from_outside_less() {
        let folder = tempfile::tempdir().expect("folder");
        for (audience, ceiling, level, expected) in [
            ("organisation", "amber_strict", Level::AmberStrict, true),
            ("organisation", "amber_strict", Level::Red, false),
            ("clients", "amber", Level::AmberStrict, false),
            ("clients", "amber", Level::Amber, true),
        ] {
            let outlet = outlet("search", audience, ceiling);
            let shown = over_search(folder.path(), &outlet, level).await.expect("asked");
            assert_eq!(shown, expected, "{audience} {level:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
    }

    #[test]
    fn every_list_can_be_probed() {
        for form in ["list", "csv", "rpz", "squid", "hsb"] {
            let outlet = outlet(form, "organisation", "amber_strict");
            for (_, form) in outlet.parts() {
                let kind = kind(&outlet, *form).expect("kind");
                let planted = Planted { key: fresh(kind).expect("key"), level: Level::Red };
                assert!(lines(&outlet, *form, &planted, Timestamp(0)).is_ok(), "{form:?}");
            }
        }
    }
}
