//! Ways out for what may be blocked: lists that resolvers, proxies, scanners and firewalls of other makers fetch.
//!
//! Invariants: a list holds rows of the signed set in force and nothing else, of these what may be blocked now
//! (`indicators::outlet`) and may leave by this way out (`tlp::may_leave`); a row that is over drops out at that moment,
//! whether a new set was published or not; of a token only its hash is kept.
//!
//! Limits: `ROWS_MAX` rows of a list; lists lie on disk and are sent from there, one is made at a time.

pub mod render;

use indicators::{
    Direction, Kind, Kinds, Micros,
    outlet::{Ask, Form, ZONE},
    tlp::{Audience, Exit},
};
use model::{Id, Table, Timestamp};
use room::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use store::{Row, Store, StoreError};
use subtle::ConstantTimeEq as _;

use super::tlp;

pub const OUTLET: &str = "intel_outlet";
pub const TOKEN_CHANGED: &str = "threat_intelligence.outlet_token_changed";
/// Setting of an outlet: hash of what opens it, and when it was made.
const TOKEN: &str = "threat_intelligence.outlet_token:";
/// Setting of an outlet: who fetched last.
const FETCHED: &str = "threat_intelligence.outlet_fetched:";
const TOKEN_BYTES: usize = 32;
const ROWS_MAX: usize = 5_000_000;
const ZONE_BYTES_MAX: usize = 100;

/// A way out as the register configures it.
#[derive(Clone)]
pub struct Outlet {
    pub row: Row,
    /// `list`, `csv`, `rpz`, `squid` or `hsb`; others are no lists.
    pub form: String,
    pub exit: Exit,
    pub direction: Direction,
    pub kinds: Kinds,
    pub zone: String,
    pub needs_token: bool,
}

impl Outlet {
    pub fn of(row: &Row) -> Outlet {
        let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
        let kinds = row.attributes.get("kinds").and_then(Json::as_array);
        let kinds: Vec<Kind> = kinds
            .into_iter()
            .flatten()
            .filter_map(|word| Kind::named(word.as_str()?.trim()))
            .collect();
        let zone = text("zone").trim().trim_end_matches('.').to_ascii_lowercase();
        Outlet {
            form: text("form").to_owned(),
            exit: tlp::exit(audience(text("audience")), tlp::level(row, "tlp_ceiling")),
            direction: Direction::named(text("direction")).unwrap_or(Direction::Destination),
            kinds: match kinds.is_empty() {
                true => Kinds::ALL,
                false => kinds.into_iter().fold(Kinds::NONE, Kinds::with),
            },
            zone: if is_zone(&zone) { zone } else { ZONE.to_owned() },
            needs_token: row.attributes.get("token_required") != Some(&Json::Bool(false)),
            row: row.clone(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.row.kind == OUTLET && !self.row.deleted && self.row.status == "active"
    }

    /// The lists that it gives: name of the part in the address, and form. The first is given without a part.
    pub fn parts(&self) -> &'static [(&'static str, Form)] {
        match self.form.as_str() {
            "list" => &[("", Form::List)],
            "csv" => &[("", Form::Csv)],
            "rpz" => &[("", Form::Rpz)],
            "squid" => &[
                ("", Form::SquidDomains),
                ("urls", Form::SquidUrls),
                ("networks", Form::SquidNetworks),
            ],
            "hsb" => &[("", Form::Hsb)],
            _ => &[],
        }
    }

    pub fn ask(&self, form: Form, at: Micros) -> Ask {
        Ask {
            form,
            direction: self.direction,
            kinds: self.kinds,
            at,
            zone: self.zone.clone(),
            rows_max: ROWS_MAX,
        }
    }
}

/// What a zone file and the configuration of a resolver can name.
fn is_zone(zone: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    zone.len() <= ZONE_BYTES_MAX && zone.split('.').all(is_label)
}

/// An audience by its word; what is none reaches everyone, and so gets the least.
fn audience(word: &str) -> Audience {
    match word {
        "persons" => Audience::Persons,
        "organisation" => Audience::Organisation,
        "group" => Audience::GroupCompanies,
        "clients" => Audience::Clients,
        "community" => Audience::Community,
        _ => Audience::Public,
    }
}

/// All ways out that the register has, by name.
pub async fn all(store: &Store) -> Result<Vec<Outlet>, StoreError> {
    let mut rows = store.all(Table::Rule, &[OUTLET]).await?;
    rows.retain(|row| !row.deleted);
    rows.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    Ok(rows.iter().map(Outlet::of).collect())
}

/// The open way out with this name or id.
pub async fn named(store: &Store, name: &str) -> Result<Option<Outlet>, StoreError> {
    let open = all(store).await?.into_iter().filter(Outlet::is_open);
    let mut found: Vec<Outlet> =
        open.filter(|one| one.row.name == name || one.row.id.to_string() == name).collect();
    // Two of one name are no name.
    Ok(if found.len() == 1 { found.pop() } else { None })
}

/// What opens a way out, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    pub hash: String,
    pub made_at: String,
    pub made_by: String,
}

pub async fn token(store: &Store, outlet: Id) -> Result<Option<Token>, StoreError> {
    let kept = store.setting(&format!("{TOKEN}{outlet}")).await?;
    Ok(kept.and_then(|text| serde_json::from_str::<Token>(&text).ok()))
}

/// Makes what opens a way out; it is shown once, and the one before opens nothing any more.
pub async fn renew_token(store: &Store, outlet: &Row, actor: &str) -> Result<String, Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(Error::said)?;
    let secret = hex::encode(bytes);
    let now = store.now();
    let kept = Token { hash: hash(&secret), made_at: now.rfc3339(), made_by: actor.to_owned() };
    let kept = serde_json::to_string(&kept).map_err(Error::said)?;
    change_token(store, outlet, actor, &kept, "made").await?;
    Ok(secret)
}

/// Takes it away.
pub async fn revoke_token(store: &Store, outlet: &Row, actor: &str) -> Result<(), Error> {
    change_token(store, outlet, actor, "", "revoked").await
}

async fn change_token(
    store: &Store,
    outlet: &Row,
    actor: &str,
    kept: &str,
    change: &str,
) -> Result<(), Error> {
    let mut write = store.write(actor, "token", "").await?;
    write.set_setting(&format!("{TOKEN}{}", outlet.id), kept).await?;
    let facts = json!({ "outlet": outlet.id, "change": change });
    write.record(room::draft(TOKEN_CHANGED, Some(outlet.id), store.now(), facts)).await?;
    write.commit().await?;
    Ok(())
}

/// Whether the token opens the way out.
pub async fn opens(store: &Store, outlet: &Outlet, secret: &str) -> Result<bool, StoreError> {
    let Some(kept) = token(store, outlet.row.id).await? else { return Ok(false) };
    Ok(bool::from(kept.hash.as_bytes().ct_eq(hash(secret).as_bytes())))
}

pub(super) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Who fetched last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    pub at: String,
    /// Network address of who asked.
    pub from: String,
    /// `token`, with the first digits of its hash, or `loopback`.
    pub by: String,
    /// Whether they had the newest already.
    pub is_unchanged: bool,
}

pub async fn fetched(store: &Store, outlet: Id) -> Result<Option<Fetched>, StoreError> {
    let kept = store.setting(&format!("{FETCHED}{outlet}")).await?;
    Ok(kept.and_then(|text| serde_json::from_str(&text).ok()))
}

pub async fn note_fetch(store: &Store, outlet: Id, fetched: &Fetched) -> Result<(), StoreError> {
    let text = serde_json::to_string(fetched).unwrap_or_default();
    store.set_setting(&format!("{FETCHED}{outlet}"), &text).await
}

/// The moment as files and headers say it, seconds since 1970.
pub(super) fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use indicators::tlp::{Level, Marking};

    use super::*;

    fn outlet(facts: Json) -> Outlet {
        let mut row = Row::new(Table::Rule, Id::nil(), OUTLET, "dns");
        row.attributes = facts.as_object().cloned().unwrap_or_default();
        Outlet::of(&row)
    }

    #[test]
    fn what_the_register_leaves_out_narrows_and_never_widens() {
        let bare = outlet(json!({ "form": "rpz" }));
        assert!(bare.needs_token);
        assert_eq!((bare.direction, bare.zone.as_str()), (Direction::Destination, "rpz.ume"));
        let allowed =
            |one: &Outlet| Level::ALL.map(|l| tlp::may_leave(&one.exit, &Marking::level(l)));
        assert_eq!(allowed(&bare), [true, false, false, false, false]);
        let own = outlet(json!({
            "form": "list", "audience": "organisation", "tlp_ceiling": "amber_strict",
            "kinds": ["ip", "nonsense"], "zone": "x y\n", "direction": "source",
        }));
        assert_eq!(allowed(&own), [true, true, true, true, false]);
        assert!(own.kinds.has(Kind::Ip) && !own.kinds.has(Kind::Domain));
        assert_eq!((own.direction, own.zone.as_str()), (Direction::Source, "rpz.ume"));
        let strange = outlet(json!({ "audience": "everybody I know", "tlp_ceiling": "red" }));
        assert_eq!(allowed(&strange), [true, false, false, false, false]);
    }

    #[test]
    fn a_zone_is_a_name_that_a_zone_file_takes() {
        for (zone, is_one) in [
            ("rpz.example", true),
            ("_rpz", true),
            ("", false),
            ("a..b", false),
            ("a;b", false),
            ("a\"b", false),
        ] {
            assert_eq!(is_zone(zone), is_one, "{zone}");
        }
    }
}
