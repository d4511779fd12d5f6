//! Makes a list from the set in force and keeps it on disk until something of it changes by itself or by a change.
//!
//! A list is known by the digest of its lines: it is its entity tag, and where it changes the serial of a zone rises.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::{Compression, write::GzEncoder};
use indicators::{
    Micros, Set,
    outlet::{Ask, Form, List, Listed, Summary},
    tlp::{Exit, Level, Marking},
};
use model::{Id, Table, Timestamp};
use room::Error;
use tokio::sync::Mutex;

use super::{Outlet, seconds};
use crate::work::{
    inbox::{ITEM, SOURCE},
    tlp::{self, marks::Marks},
};

/// Folder of made lists, below that of the sets.
const FOLDER: &str = "outlets";
/// Setting of an outlet: serial and digest of its zone.
const SERIAL: &str = "threat_intelligence.outlet_serial:";
/// Setting of an outlet: how many rows of each level were kept back.
const WITHHELD: &str = "threat_intelligence.outlet_withheld:";
const ACTOR: &str = "system:threat_intelligence.outlets";
/// Setting and folder hold no more than this of outlets.
const KEPT_MAX: usize = 200;

/// A list as it lies on disk.
#[derive(Clone, Debug)]
pub struct Made {
    pub path: PathBuf,
    pub zipped: PathBuf,
    pub tag: String,
    pub summary: Summary,
    /// Rows that the marking kept back, by level.
    pub withheld: BTreeMap<&'static str, u64>,
    pub made_at: Micros,
    /// Sequence of the set; 0 where none was published.
    pub sequence: u64,
    /// What it was made of.
    made_of: Stamp,
}

impl Made {
    /// Until when it stays as it is, as far as time goes.
    pub fn next(&self) -> Option<Micros> {
        self.summary.next
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    root: String,
    items: Stamps,
    version: i64,
}

/// When the registers that a list is made of changed last.
type Stamps = Vec<(u64, Timestamp)>;

/// What this process holds: the set in force, markings, made lists.
#[derive(Default)]
pub struct Shelf(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    watch: Option<intel::Watch>,
    marks: Option<(Stamps, Arc<Marks>)>,
    made: HashMap<(Id, Form), Made>,
}

/// Something that is not in the set and is offered as if it were: what the nightly probe plants.
#[derive(Clone, Debug)]
pub struct Planted {
    pub key: indicators::Key,
    pub level: Level,
}

/// The list as it is to be given now.
pub async fn made(house: &web::House, outlet: &Outlet, form: Form) -> Result<Made, Error> {
    let shelf: Arc<Shelf> = house.kept.get();
    // One after the other: a list of a million rows is made once, and never two at a time.
    let mut inner = shelf.0.lock().await;
    let (current, marks, items) = inner.sources(house).await?;
    let now = house.store.now();
    let root = current.as_ref().map(|set| set.manifest().root()).unwrap_or_default();
    let stamp = Stamp { root, items, version: outlet.row.version };
    let place = (outlet.row.id, form);
    if let Some(made) = inner.made.get(&place)
        && made.made_of == stamp
        && made.next().is_none_or(|next| now.0 < next)
        && made.made_at <= now.0
        && made.path.exists()
    {
        return Ok(made.clone());
    }
    let folder = house.folder().join(intel::FOLDER).join(FOLDER);
    let (ask, exit) = (outlet.ask(form, now.0), outlet.exit.clone());
    let file = folder.join(format!("{}-{}", outlet.row.id, form.as_str()));
    let set = current.clone();
    let (list, digest, withheld) = room::blocking(move || {
        let set = set.as_ref().map(|set| set.set());
        let (mut list, withheld) = collect(set, &marks, ask, &exit, &[])?;
        let digest = list.digest();
        Ok::<_, Error>((list, digest, withheld))
    })
    .await??;
    let serial = match form {
        Form::Rpz => serial(house, outlet, &digest, now).await?,
        _ => 0,
    };
    let tag = format!("{}-{serial}", &digest[..32]);
    let (path, zipped) = (file.with_extension("txt"), file.with_extension("txt.gz"));
    let places = (path.clone(), zipped.clone());
    let summary = room::blocking(move || put(list, serial, &places.0, &places.1)).await??;
    tell_withheld(house, outlet, &withheld, now).await?;
    let sequence = current.map_or(0, |set| set.manifest().sequence);
    let made =
        Made { path, zipped, tag, summary, withheld, made_at: now.0, sequence, made_of: stamp };
    if inner.made.len() >= KEPT_MAX {
        inner.made.clear();
    }
    inner.made.insert(place, made.clone());
    Ok(made)
}

/// The same list as text with rows that are not in the set: the way of [`made`] but for the disk. Nothing
/// of it is kept.
pub async fn planted(
    house: &web::House,
    outlet: &Outlet,
    form: Form,
    planted: Vec<Planted>,
) -> Result<String, Error> {
    let shelf: Arc<Shelf> = house.kept.get();
    let (current, marks, _) = shelf.0.lock().await.sources(house).await?;
    let (ask, exit) = (outlet.ask(form, house.store.now().0), outlet.exit.clone());
    room::blocking(move || {
        let set = current.as_ref().map(|set| set.set());
        let (list, _) = collect(set, &marks, ask, &exit, &planted)?;
        let mut text = String::new();
        let mut push = |part: &str| {
            text.push_str(part);
            Ok(())
        };
        list.write(1, &mut push).map_err(Error::said)?;
        Ok(text)
    })
    .await?
}

type Sources = (Option<Arc<intel::Current>>, Arc<Marks>, Stamps);

impl Inner {
    /// The set in force and the markings of what it holds.
    async fn sources(&mut self, house: &web::House) -> Result<Sources, Error> {
        if self.watch.is_none() {
            let key = house.ledger.lock().await.verifier_key();
            let key = merkle::VerifierKey::parse(&key).map_err(Error::said)?;
            self.watch = Some(intel::Watch::new(house.folder().join(intel::FOLDER), vec![key]));
        }
        let mut watch = self.watch.take();
        let (watch, look) = room::blocking(move || {
            let look = watch.as_mut().map(intel::Watch::look);
            (watch, look)
        })
        .await?;
        self.watch = watch;
        if let Some(intel::Look::Refused(error)) = look {
            tracing::warn!(%error, "the set of indicators is not used by the outlets");
        }
        let current = self.watch.as_ref().and_then(intel::Watch::current).cloned();
        let items = vec![
            house.store.stamp(Table::Asset, &[ITEM]).await?,
            house.store.stamp(Table::Asset, &[SOURCE]).await?,
        ];
        let marks = match &self.marks {
            Some((stamp, marks)) if *stamp == items => marks.clone(),
            _ => Arc::new(Marks::load(&house.store).await?),
        };
        self.marks = Some((items.clone(), marks.clone()));
        Ok((current, marks, items))
    }
}

type Collected = (List, BTreeMap<&'static str, u64>);

/// Offers every row of the set, and what is planted, to the list. What may not leave never reaches it.
pub fn collect(
    set: Option<&Set<'_>>,
    marks: &Marks,
    ask: Ask,
    exit: &Exit,
    planted: &[Planted],
) -> Result<Collected, Error> {
    let mut list = List::new(ask);
    let mut withheld: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut offer = |row: &Listed<'_>, marking: &Marking| match tlp::may_leave(exit, marking) {
        true => list.add(row),
        false => *withheld.entry(crate::work::inbox::tlp_word(marking.level)).or_default() += 1,
    };
    if let Some(set) = set {
        let visit = |hit: indicators::Hit<'_>| {
            let text = hit.value();
            let marking = marks.of(hit.kind, hit.scope, &text, hit.source);
            offer(&Listed::of(&hit, &text), &marking);
        };
        set.scan(visit).map_err(Error::said)?;
    }
    for one in planted {
        offer(&Listed::key(&one.key), &Marking::level(one.level));
    }
    Ok((list, withheld))
}

/// Writes both files; whoever reads the ones before keeps them.
fn put(list: List, serial: u32, path: &Path, zipped: &Path) -> Result<Summary, Error> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
    }
    let (new, new_zipped) = (path.with_extension("new"), zipped.with_extension("new-gz"));
    let mut plain = BufWriter::new(std::fs::File::create(&new).map_err(io(&new))?);
    let file = std::fs::File::create(&new_zipped).map_err(io(&new_zipped))?;
    let mut gz = GzEncoder::new(BufWriter::new(file), Compression::fast());
    let mut both = |text: &str| {
        plain.write_all(text.as_bytes())?;
        gz.write_all(text.as_bytes())
    };
    let summary = list.write(serial, &mut both).map_err(io(&new))?;
    plain.flush().map_err(io(&new))?;
    gz.finish().and_then(|mut file| file.flush()).map_err(io(&new_zipped))?;
    std::fs::rename(&new, path).map_err(io(path))?;
    std::fs::rename(&new_zipped, zipped).map_err(io(zipped))?;
    Ok(summary)
}

/// The serial of a zone with this content: that of before while it is the same, else a higher one. Seconds since 1970,
/// so that a house that lost its settings goes on above what resolvers hold.
async fn serial(
    house: &web::House,
    outlet: &Outlet,
    digest: &str,
    now: Timestamp,
) -> Result<u32, Error> {
    let setting = format!("{SERIAL}{}", outlet.row.id);
    let kept = house.store.setting(&setting).await?.unwrap_or_default();
    let (before, of) = kept.split_once(' ').unwrap_or(("0", ""));
    let before: u32 = before.parse().unwrap_or(0);
    if of == digest && before > 0 {
        return Ok(before);
    }
    let serial = before.saturating_add(1).max(u32::try_from(seconds(now)).unwrap_or(u32::MAX));
    house.store.set_setting(&setting, &format!("{serial} {digest}")).await?;
    Ok(serial)
}

/// Records what the marking kept back, where it is more than before.
async fn tell_withheld(
    house: &web::House,
    outlet: &Outlet,
    withheld: &BTreeMap<&'static str, u64>,
    now: Timestamp,
) -> Result<(), Error> {
    let setting = format!("{WITHHELD}{}", outlet.row.id);
    let before: BTreeMap<String, u64> = house
        .store
        .setting(&setting)
        .await?
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let is_more = |(word, rows): (&&'static str, &u64)| {
        before.get(*word).is_none_or(|known| known < rows).then_some(*word)
    };
    let more: Vec<&str> = withheld.iter().filter_map(is_more).collect();
    let is_same = before.len() == withheld.len()
        && withheld.iter().all(|(word, rows)| before.get(*word) == Some(rows));
    if is_same {
        return Ok(());
    }
    let mut write = house.store.write(ACTOR, "outlet", "").await?;
    for level in more.iter().filter_map(|word| tlp::named(word)) {
        let id = outlet.row.id;
        write.record(tlp::refused(id, Some(id), level, now)).await?;
    }
    let kept = serde_json::to_string(withheld).map_err(Error::said)?;
    write.set_setting(&setting, &kept).await?;
    write.commit().await?;
    Ok(())
}
