//! The wizard `/import`: drop files, see what was found, see every row, commit.
//!
//! What is chosen stands in a draft of the store, so that each step is a plain form, survives a
//! restart and belongs to one person for a day. The files are blobs; a commit names them in its
//! records, otherwise they go with the draft.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use askama::Template;
use axum::{
    Form, RequestExt,
    extract::{DefaultBodyLimit, Multipart, Path, Query, Request, State},
    response::{IntoResponse, Redirect},
};
use model::{Id, RoomSpec, Table, t};
use serde::{Deserialize, Serialize};

use super::{
    Asking, Books, Clash, FILES_MAX, File, Line, Mapping, Plan, Sure, Target, Verdict, commit,
    find,
    mapping::{ID, VERSION},
    plan, targets,
    typed::{Meanings, Read, Reading},
};
use crate::{
    House, Shared,
    access::Action,
    files,
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

const LINES_SHOWN: usize = 100;
const EXAMPLES_SHOWN: usize = 3;
const EXAMPLE_CHARS_MAX: usize = 40;
const PROPOSED_SHOWN: usize = 200;
/// Words of a table that wait for a meaning.
const WORDS_SHOWN: usize = 60;
/// How long the page waits for a commit before it says that one is under way.
const COMMIT_WAIT: Duration = Duration::from_secs(15);

/// Tells the commits of this process from those of one that ended.
static BOOT: LazyLock<String> = LazyLock::new(|| {
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{}-{}", std::process::id(), at.map_or(0, |d| d.as_nanos()))
});

pub(crate) fn routes() -> Vec<Route> {
    let write = Access::Action(Action::Write);
    let one = "/import/{id}";
    vec![
        Route::get("/import", write, t("ブックの取込み", "Import workbooks"), start),
        Route::post("/import", write, t("取り込むファイルの送信", "Send files to import"), upload),
        Route::get(one, write, t("見つかった表", "Tables found"), found),
        Route::post(one, write, t("列の対応の変更", "Change where columns go"), choose),
        Route::get("/import/{id}/check", write, t("全行の確認", "Every row judged"), check),
        Route::post(
            "/import/{id}/clash",
            write,
            t("競合の扱い", "How conflicts are settled"),
            clash,
        ),
        Route::post("/import/{id}/commit", write, t("すべて取り込む", "Import everything"), run),
        Route::post("/import/{id}/drop", write, t("取込みをやめる", "Give an import up"), give_up),
    ]
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Draft {
    files: Vec<DraftFile>,
    /// By table, once they were chosen; until then the guess counts.
    choices: Vec<Mapping>,
    #[serde(default)]
    clash: String,
    #[serde(default)]
    state: Step,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct DraftFile {
    name: String,
    sha256: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
enum Step {
    #[default]
    Open,
    /// Under way in the process of this boot.
    Running(String),
    Done(Counts),
    Failed(String),
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counts {
    added: usize,
    changed: usize,
    same: usize,
    proposed: usize,
}

impl Draft {
    fn clash(&self) -> Clash {
        Clash::parse(&self.clash).unwrap_or_default()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn broken(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::Bad(error.to_string())
}

async fn load(house: &House, user: &User, id: &str) -> Result<(Id, Draft), Refusal> {
    let id: Id = id.parse().map_err(|_| Refusal::NotFound)?;
    let draft = house.store.import(id, &user.actor()).await?.ok_or(Refusal::NotFound)?;
    Ok((id, serde_json::from_str(&draft.content).map_err(|e| broken(&e))?))
}

async fn save(house: &House, user: &User, id: Id, draft: &Draft) -> Result<(), Refusal> {
    match house.store.set_import(id, &user.actor(), &draft.text()).await? {
        true => Ok(()),
        false => Err(Refusal::NotFound),
    }
}

/// Reads the files of a draft, finds their tables and puts the choices on them.
async fn books(
    house: &House,
    user: &User,
    draft: &Draft,
) -> Result<(Arc<Books>, Vec<Mapping>, Vec<Target>), Refusal> {
    let specs: Vec<&'static RoomSpec> = house.specs().collect();
    let all = targets(&specs, user.reader());
    let lang = user.cx.lang;
    let mut sources = Vec::new();
    let hashes: Vec<&str> = draft.files.iter().map(|file| file.sha256.as_str()).collect();
    let blobs = house.store.blobs(&hashes).await?;
    for file in &draft.files {
        let bytes = match blobs.get(&file.sha256) {
            Some(blob) => house.store.whole_blob(blob).await?,
            None => None,
        };
        sources.push((file.name.clone(), file.sha256.clone(), bytes));
    }
    let wanted = all.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        for (name, sha256, bytes) in sources {
            let bytes = bytes.ok_or_else(|| Unread::Gone(name.clone()))?;
            let file = File::read(&name, &sha256, &bytes);
            read.push(file.map_err(|error| Unread::Sheet(name, error))?);
        }
        let found = find(&read, &wanted, lang);
        Ok::<Books, Unread>(Books { files: read, found })
    });
    let mut books = match read.await {
        Ok(Ok(books)) => books,
        Ok(Err(unread)) => return Err(unread.refusal(&user.cx)),
        Err(error) => return Err(broken(&error)),
    };
    let headers: Vec<String> = books.found.iter().map(|found| found.header.clone()).collect();
    let kept = house.store.import_mappings(&headers).await?;
    for found in &mut books.found {
        found.recall(&kept, &all);
    }
    let mut choices = Vec::with_capacity(books.found.len());
    for (at, found) in books.found.iter().enumerate() {
        let chosen = draft.choices.get(at).filter(|mapping| {
            let target = all.iter().find(|target| target.key() == mapping.to);
            mapping.fits(target, found.table.columns.len())
        });
        choices.push(match chosen {
            Some(chosen) => chosen.clone(),
            // What is doubtful waits for a person.
            None if found.guess.sure < Sure::Unsure => Mapping::skip(found.table.columns.len()),
            None => found.guess.mapping.clone(),
        });
    }
    Ok((Arc::new(books), choices, all))
}

enum Unread {
    Gone(String),
    Sheet(String, reports::SheetError),
}

impl Unread {
    fn refusal(self, cx: &Cx) -> Refusal {
        Refusal::Bad(match self {
            Unread::Gone(name) => {
                let why = cx.t(
                    "ファイルがありません。もう一度送ってください。",
                    "The file is gone. Send it again.",
                );
                format!("{name}: {why}")
            }
            Unread::Sheet(name, error) => format!("{name}: {}", error.text(cx.lang)),
        })
    }
}

async fn judged(
    house: &House,
    user: &User,
    draft: &Draft,
    books: &Arc<Books>,
    choices: &[Mapping],
) -> Result<Plan, Refusal> {
    let specs: Vec<&'static RoomSpec> = house.specs().collect();
    let asking = Asking {
        store: &house.store,
        specs: &specs,
        reader: user.reader(),
        lang: user.cx.lang,
        zone: user.cx.local.zone.clone(),
        clash: draft.clash(),
    };
    Ok(plan(&asking, books.clone(), choices.to_vec()).await?)
}

#[derive(Template)]
#[template(path = "import_start.html")]
struct StartPage<'a> {
    cx: &'a Cx,
}

async fn start(user: User) -> Answer {
    user.may(Action::Write)?;
    page(&user.cx, user.cx.t("ブックの取込み", "Import workbooks"), &StartPage { cx: &user.cx })
}

async fn upload(State(house): State<Shared>, user: User, mut request: Request) -> Answer {
    // Each part is bounded below, and nothing is kept before the token was seen.
    DefaultBodyLimit::disable().apply(&mut request);
    let mut parts: Multipart = request
        .extract()
        .await
        .map_err(|e: axum::extract::multipart::MultipartRejection| Refusal::Bad(e.body_text()))?;
    let (mut known, mut draft) = (false, Draft::default());
    let bad = |e: axum::extract::multipart::MultipartError| Refusal::Bad(e.body_text());
    while let Some(mut part) = parts.next_field().await.map_err(bad)? {
        let name = part.file_name().map(str::to_owned);
        match (part.name(), name) {
            (Some("csrf"), None) => {
                let text = files::short_text(&mut part).await?;
                user.form(&text, Action::Write)?;
                known = true;
            }
            (Some("file"), Some(name)) if known => {
                if name.is_empty() {
                    continue;
                }
                if draft.files.len() == FILES_MAX {
                    let text = user.cx.t("一度に8ファイルまでです。", "At most 8 files at once.");
                    return Err(Refusal::Bad(text.to_owned()));
                }
                let blob = files::receive(&house, &user, &mut part, &name).await?;
                draft.files.push(DraftFile { name: blob.name, sha256: blob.sha256 });
            }
            _ => return Err(Refusal::Foreign),
        }
    }
    if !known {
        return Err(Refusal::Foreign);
    }
    if draft.files.is_empty() {
        let text = user.cx.t("ファイルを選んでください。", "Choose a file.");
        return Err(Refusal::Bad(text.to_owned()));
    }
    // What cannot be read is refused at once, with the file's name.
    books(&house, &user, &draft).await?;
    let id = house.store.add_import(&user.actor(), &draft.text()).await?;
    Ok(Redirect::to(&format!("/import/{id}")).into_response())
}

/// An option of a list.
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

/// Targets of one table, for the list.
struct Group {
    label: String,
    options: Vec<Choice>,
}

struct ColumnLine {
    at: usize,
    header: String,
    examples: String,
    sure: &'static str,
    doubtful: bool,
    options: Vec<Choice>,
}

struct TableLine {
    at: usize,
    place: String,
    title: String,
    rows: usize,
    notes: usize,
    hidden: bool,
    sure: &'static str,
    doubtful: bool,
    why: String,
    skipped: bool,
    groups: Vec<Group>,
    names: Vec<Choice>,
    columns: Vec<ColumnLine>,
    /// Required fields that no column fills, and what they hold instead.
    fixed: Vec<Fixed>,
    /// Labels of those that nothing fills.
    missing: String,
    words: Vec<Word>,
}

/// A word of the sheet that is none of a field's choices.
struct Word {
    /// `field.word`, for the form.
    key: String,
    label: &'static str,
    text: String,
    options: Vec<Choice>,
}

struct Fixed {
    name: &'static str,
    label: &'static str,
    value: String,
    /// Empty where any text goes.
    options: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "import_found.html")]
struct FoundPage<'a> {
    cx: &'a Cx,
    id: Id,
    files: &'a [DraftFile],
    tables: Vec<TableLine>,
    taken: usize,
}

#[derive(Template)]
#[template(path = "import_done.html")]
struct DonePage<'a> {
    cx: &'a Cx,
    id: Id,
    running: bool,
    counts: Counts,
    failed: &'a str,
}

async fn found(State(house): State<Shared>, user: User, Path(id): Path<String>) -> Answer {
    user.may(Action::Write)?;
    let (id, draft) = load(&house, &user, &id).await?;
    if let Some(answer) = ended(&user, id, &draft) {
        return answer;
    }
    show_found(&house, &user, id, &draft).await
}

/// The page of an import that is over or under way.
fn ended(user: &User, id: Id, draft: &Draft) -> Option<Answer> {
    let cx = &user.cx;
    let title = cx.t("ブックの取込み", "Import workbooks");
    let none = Counts::default();
    let show = |running, counts, failed: &str| {
        page(cx, title, &DonePage { cx, id, running, counts, failed })
    };
    match &draft.state {
        Step::Running(boot) if *boot == *BOOT => Some(show(true, none, "")),
        Step::Running(_) => Some(show(
            false,
            none,
            cx.t(
                "途中で終了したため、何も取り込んでいません。",
                "It was interrupted; nothing was imported.",
            ),
        )),
        Step::Done(counts) => Some(show(false, *counts, "")),
        Step::Failed(why) => Some(show(false, none, why)),
        Step::Open => None,
    }
}

async fn show_found(house: &House, user: &User, id: Id, draft: &Draft) -> Answer {
    let cx = &user.cx;
    let (books, choices, all) = books(house, user, draft).await?;
    let lines = books.found.iter().zip(&choices).enumerate();
    let tables: Vec<TableLine> =
        lines.map(|(at, (found, mapping))| line(cx, &books, at, found, mapping, &all)).collect();
    let taken = tables.iter().filter(|table| !table.skipped).count();
    let body = FoundPage { cx, id, files: &draft.files, tables, taken };
    page(cx, cx.t("ブックの取込み", "Import workbooks"), &body)
}

fn line(
    cx: &Cx,
    books: &Books,
    at: usize,
    found: &super::Found,
    mapping: &Mapping,
    all: &[Target],
) -> TableLine {
    let target = all.iter().find(|target| target.key() == mapping.to);
    let names = found.table.columns.iter().enumerate().map(|(column, header)| Choice {
        value: column.to_string(),
        label: header.text(),
        chosen: mapping.name == Some(column),
    });
    let missing: Vec<&str> = target
        .iter()
        .flat_map(|target| target.fields)
        .filter(|field| field.required && mapping.column_of(field.name).is_none())
        .filter(|field| mapping.fixed.get(field.name).is_none_or(String::is_empty))
        .map(|field| field.label.get(cx.lang))
        .collect();
    let sheet = found.sheet(&books.files);
    TableLine {
        at,
        place: match books.files.len() {
            1 => found.place(&books.files),
            _ => format!("{} › {}", books.files[found.file].name, found.place(&books.files)),
        },
        title: found.table.title.clone(),
        rows: found.table.rows.len(),
        notes: found.table.notes.len(),
        hidden: sheet.hidden,
        sure: found.guess.sure.text().get(cx.lang),
        doubtful: found.guess.sure < Sure::Likely,
        why: found.guess.why.clone(),
        skipped: target.is_none(),
        groups: groups(cx, found, mapping, all),
        names: names.collect(),
        columns: columns(cx, books, found, mapping, target),
        fixed: fixed(cx, mapping, target),
        words: words(cx, books, found, mapping, target),
        missing: missing.join(if cx.lang == model::Lang::Ja { "、" } else { ", " }),
    }
}

/// The words of choice columns that need a meaning, each once.
fn words(
    cx: &Cx,
    books: &Books,
    found: &super::Found,
    mapping: &Mapping,
    target: Option<&Target>,
) -> Vec<Word> {
    let nothing = Meanings::new();
    let zone = &cx.local.zone;
    let reading = Reading { meanings: &nothing, lang: cx.lang, since_1904: false, zone };
    let fields = target.iter().flat_map(|target| target.fields);
    let columns: Vec<_> = fields
        .filter_map(|field| match field.ty {
            model::FieldType::Enum(choices) => {
                Some((field, choices, mapping.column_of(field.name)?))
            }
            _ => None,
        })
        .collect();
    let mut out: Vec<Word> = Vec::new();
    if columns.is_empty() {
        return out;
    }
    let mut seen = std::collections::HashSet::new();
    for (_, cells) in found.table.records(found.sheet(&books.files)) {
        for (field, choices, at) in &columns {
            let text = cells.get(*at).map_or("", |cell| cell.text.as_ref());
            let word = reports::fold(text);
            if out.len() == WORDS_SHOWN
                || text.is_empty()
                || !seen.insert((field.name, word.clone()))
            {
                continue;
            }
            if !matches!(reading.read(field, text).0, Read::Bad(_)) {
                continue;
            }
            let now = mapping.meanings.get(field.name).and_then(|words| words.get(&word));
            let option = |value: &str, label: &str| Choice {
                value: value.to_owned(),
                label: label.to_owned(),
                chosen: now.is_some_and(|now| now == value),
            };
            let options = std::iter::once(option("", "–"));
            let options =
                options.chain(choices.iter().map(|c| option(c.value, c.label.get(cx.lang))));
            out.push(Word {
                key: format!("{}.{word}", field.name),
                label: field.label.get(cx.lang),
                text: text.chars().take(EXAMPLE_CHARS_MAX).collect(),
                options: options.collect(),
            });
        }
    }
    out
}

fn fixed(cx: &Cx, mapping: &Mapping, target: Option<&Target>) -> Vec<Fixed> {
    let fields = target.iter().flat_map(|target| target.fields);
    let open = fields.filter(|f| f.required && mapping.column_of(f.name).is_none());
    open.map(|field| {
        let value = mapping.fixed.get(field.name).cloned().unwrap_or_default();
        let option = |text: &str, label: &str| Choice {
            value: text.to_owned(),
            label: label.to_owned(),
            chosen: text == value,
        };
        let options = match field.ty {
            model::FieldType::Enum(choices) => std::iter::once(option("", "–"))
                .chain(choices.iter().map(|c| option(c.value, c.label.get(cx.lang))))
                .collect(),
            _ => Vec::new(),
        };
        Fixed { name: field.name, label: field.label.get(cx.lang), value, options }
    })
    .collect()
}

fn groups(cx: &Cx, found: &super::Found, mapping: &Mapping, all: &[Target]) -> Vec<Group> {
    let option = |target: &Target| Choice {
        value: target.key(),
        label: target.title.get(cx.lang).to_owned(),
        chosen: target.key() == mapping.to,
    };
    let likely = |target: &&Target| {
        let key = target.key();
        key == mapping.to || key == found.guess.mapping.to || found.guess.others.contains(&key)
    };
    let of = |tables: &[Table]| {
        let wanted = |target: &&Target| tables.contains(&target.table) && !likely(target);
        all.iter().filter(wanted).map(option).collect::<Vec<_>>()
    };
    let groups = [
        (cx.t("候補", "Likely"), all.iter().filter(likely).map(option).collect()),
        (cx.t("資産", "Assets"), of(&[Table::Asset])),
        (
            cx.t("人・組織・リスク", "Parties and risks"),
            of(&[Table::Party, Table::Risk, Table::Record]),
        ),
        (
            cx.t("その他", "Others"),
            of(&[Table::Task, Table::Plan, Table::Rule, Table::Norm, Table::Check]),
        ),
    ];
    let group = |(label, options): (&str, Vec<Choice>)| Group { label: label.to_owned(), options };
    groups.into_iter().filter(|(_, options)| !options.is_empty()).map(group).collect()
}

fn columns(
    cx: &Cx,
    books: &Books,
    found: &super::Found,
    mapping: &Mapping,
    target: Option<&Target>,
) -> Vec<ColumnLine> {
    let sheet = found.sheet(&books.files);
    let first: Vec<_> = found.table.records(sheet).take(20).map(|(_, cells)| cells).collect();
    let examples = |at: usize| {
        let texts = first.iter().filter_map(|cells| cells.get(at)).map(|cell| cell.text.as_ref());
        let short = |text: &str| text.chars().take(EXAMPLE_CHARS_MAX).collect::<String>();
        let some = texts.filter(|text| !text.is_empty()).take(EXAMPLES_SHOWN).map(short);
        some.collect::<Vec<_>>().join(" / ")
    };
    let columns = found.table.columns.iter().enumerate();
    columns
        .map(|(at, column)| {
            let now = mapping.columns.get(at).map_or("", String::as_str);
            let option = |value: &str, label: &str| Choice {
                value: value.to_owned(),
                label: label.to_owned(),
                chosen: value == now,
            };
            let mut options = vec![option("", cx.t("（使わない）", "(not used)"))];
            options.push(option(ID, cx.t("行の番号（ume_id）", "id of the row (ume_id)")));
            options.push(option(VERSION, cx.t("行の版（version）", "version of the row")));
            let fields = target.iter().flat_map(|target| target.fields);
            options.extend(fields.map(|field| {
                let label = field.label.get(cx.lang);
                let must = if field.required { cx.t("（必須）", " (required)") } else { "" };
                option(field.name, &format!("{label}{must}"))
            }));
            let sure = found.guess.columns.get(at).copied().unwrap_or(Sure::No);
            let used = !now.is_empty() || mapping.name == Some(at);
            ColumnLine {
                at,
                header: column.text(),
                examples: examples(at),
                sure: if used { sure.text().get(cx.lang) } else { "" },
                doubtful: used && sure < Sure::Likely,
                options,
            }
        })
        .collect()
}

/// A form by name, in the order sent.
struct Sent(Vec<(String, String)>);

impl Sent {
    /// What words of a table mean.
    fn meanings(&self, at: usize) -> Meanings {
        let prefix = format!("t{at}.w.");
        let mut out = Meanings::new();
        for (name, value) in self.0.iter().filter(|(_, value)| !value.is_empty()) {
            if let Some((field, word)) = name.strip_prefix(&prefix).and_then(|n| n.split_once('.'))
            {
                out.entry(field.to_owned()).or_default().insert(word.to_owned(), value.clone());
            }
        }
        out
    }

    /// What required fields of a table hold without a column.
    fn fixed(&self, at: usize) -> std::collections::BTreeMap<String, String> {
        let prefix = format!("t{at}.f.");
        let own =
            self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, value)));
        let filled = own.filter(|(_, value)| !value.trim().is_empty());
        filled.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }
}

async fn choose(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Answer {
    let sent = Sent(form);
    user.form(sent.get("csrf"), Action::Write)?;
    let (id, mut draft) = load(&house, &user, &id).await?;
    if !matches!(draft.state, Step::Open) {
        return Ok(Redirect::to(&format!("/import/{id}")).into_response());
    }
    let (books, mut choices, all) = books(&house, &user, &draft).await?;
    let mut again = sent.get("step") != "check";
    for (at, (found, choice)) in books.found.iter().zip(&mut choices).enumerate() {
        let to = sent.get(&format!("t{at}.to"));
        let columns = found.table.columns.len();
        if to == choice.to && !to.is_empty() {
            let column = |c| sent.get(&format!("t{at}.c{c}")).to_owned();
            choice.columns = (0..columns).map(column).collect();
            choice.name = sent.get(&format!("t{at}.name")).parse().ok();
            choice.fixed = sent.fixed(at);
            choice.meanings = sent.meanings(at);
        } else if to != choice.to {
            // The columns on the form were those of another register.
            again |= !to.is_empty();
            *choice = match super::chosen(found, &all, to, user.cx.lang) {
                Some(guess) => guess.mapping,
                None => Mapping::skip(columns),
            };
        }
        let target = all.iter().find(|target| target.key() == choice.to);
        if !choice.fits(target, columns) {
            let place = found.place(&books.files);
            let why = user.cx.t(
                "同じ項目を二つの列に割り当てることはできません。",
                "One field cannot take two columns.",
            );
            return Err(Refusal::Bad(format!("{place}: {why}")));
        }
    }
    draft.choices = choices;
    save(&house, &user, id, &draft).await?;
    let next = if again { format!("/import/{id}") } else { format!("/import/{id}/check") };
    Ok(Redirect::to(&next).into_response())
}

#[derive(Deserialize)]
struct CheckQuery {
    #[serde(default)]
    page: usize,
    #[serde(default)]
    only: String,
}

/// A row as the page shows it.
struct Shown<'p> {
    place: &'p str,
    line: &'p Line,
}

struct TableCount {
    place: String,
    target: &'static str,
    judged: super::Judged,
}

#[derive(Template)]
#[template(path = "import_check.html")]
struct CheckPage<'a> {
    cx: &'a Cx,
    id: Id,
    counts: Vec<TableCount>,
    plan: &'a Plan,
    good: bool,
    lines: Vec<Shown<'a>>,
    only: &'a str,
    page: usize,
    pages: usize,
    proposed: Vec<(&'static str, &'a str, &'a str)>,
    proposed_all: usize,
    clashes: usize,
    clash: &'static str,
    fault: &'a str,
}

impl CheckPage<'_> {
    fn sum(&self, of: &str) -> usize {
        match of {
            "added" => self.plan.sum(|t| t.added),
            "changed" => self.plan.sum(|t| t.changed),
            "same" => self.plan.sum(|t| t.same),
            "refused" => self.plan.sum(|t| t.refused),
            "warned" => self.plan.sum(|t| t.warned),
            _ => self.plan.sum(|t| t.lines.len()),
        }
    }

    fn filters(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("", self.cx.t("すべて", "all")),
            ("refused", self.cx.t("取り込めない", "refused")),
            ("warned", self.cx.t("要確認", "warnings")),
            ("added", self.cx.t("追加", "added")),
            ("changed", self.cx.t("変更", "changed")),
            ("same", self.cx.t("変更なし", "unchanged")),
        ]
    }

    fn is_only(&self, word: &str) -> bool {
        self.only == word
    }

    fn verdict(&self, line: &Line) -> (&'static str, &str) {
        match line.verdict {
            Verdict::Refused => ("fail", self.cx.t("取り込めない", "refused")),
            _ if line.warned() => ("unknown", self.cx.t("要確認", "warning")),
            Verdict::Added => ("pass", self.cx.t("追加", "added")),
            Verdict::Changed => ("pass", self.cx.t("変更", "changed")),
            Verdict::Same => ("excluded", self.cx.t("変更なし", "unchanged")),
        }
    }
}

fn wanted(only: &str, line: &Line) -> bool {
    match only {
        "refused" => line.verdict == Verdict::Refused,
        "warned" => line.warned(),
        "added" => line.verdict == Verdict::Added,
        "changed" => line.verdict == Verdict::Changed,
        "same" => line.verdict == Verdict::Same,
        _ => true,
    }
}

async fn check(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Query(query): Query<CheckQuery>,
) -> Answer {
    user.may(Action::Write)?;
    let (id, draft) = load(&house, &user, &id).await?;
    if let Some(answer) = ended(&user, id, &draft) {
        return answer;
    }
    let (books, choices, all) = books(&house, &user, &draft).await?;
    let plan = judged(&house, &user, &draft, &books, &choices).await?;
    let cx = &user.cx;
    let title = |key: &str| {
        all.iter().find(|target| target.key() == key).map_or("", |target| target.title.get(cx.lang))
    };
    let mut counts = Vec::new();
    for ((found, mapping), judged) in books.found.iter().zip(&choices).zip(&plan.tables) {
        if !mapping.to.is_empty() {
            let judged = super::Judged { lines: Vec::new(), ..judged.clone() };
            let place = found.place(&books.files);
            counts.push(TableCount { place, target: title(&mapping.to), judged });
        }
    }
    let places: Vec<String> = books.found.iter().map(|found| found.place(&books.files)).collect();
    let all_lines = plan
        .tables
        .iter()
        .zip(&places)
        .flat_map(|(table, place)| table.lines.iter().map(move |line| Shown { place, line }));
    let chosen: Vec<Shown<'_>> =
        all_lines.filter(|shown| wanted(&query.only, shown.line)).collect();
    let pages = chosen.len().div_ceil(LINES_SHOWN).max(1);
    let at = query.page.clamp(1, pages);
    let lines = chosen.into_iter().skip((at - 1) * LINES_SHOWN).take(LINES_SHOWN).collect();
    let kind = |id: &str| title(&format!("party/{id}"));
    let proposed = plan.proposed.iter().take(PROPOSED_SHOWN);
    let proposed = proposed.map(|p| (kind(p.kind), p.name.as_str(), p.cell.as_str())).collect();
    let body = CheckPage {
        cx,
        id,
        good: plan.is_good() && !counts.is_empty(),
        counts,
        plan: &plan,
        lines,
        only: if wanted_word(&query.only) { &query.only } else { "" },
        page: at,
        pages,
        proposed,
        proposed_all: plan.proposed.len(),
        clashes: plan.sum(|table| table.clashes),
        clash: draft.clash().name(),
        fault: plan.fault.as_deref().unwrap_or_default(),
    };
    page(cx, cx.t("取込みの確認", "Check the import"), &body)
}

fn wanted_word(only: &str) -> bool {
    ["refused", "warned", "added", "changed", "same"].contains(&only)
}

#[derive(Deserialize)]
struct ClashForm {
    csrf: String,
    clash: String,
}

async fn clash(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<ClashForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let (id, mut draft) = load(&house, &user, &id).await?;
    let chosen = Clash::parse(&form.clash).ok_or_else(|| Refusal::Bad(form.clash.clone()))?;
    chosen.name().clone_into(&mut draft.clash);
    if matches!(draft.state, Step::Open) {
        save(&house, &user, id, &draft).await?;
    }
    Ok(Redirect::to(&format!("/import/{id}/check")).into_response())
}

#[derive(Deserialize)]
struct CsrfForm {
    csrf: String,
}

async fn run(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<CsrfForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let (id, mut draft) = load(&house, &user, &id).await?;
    if !matches!(draft.state, Step::Open) {
        return Ok(Redirect::to(&format!("/import/{id}")).into_response());
    }
    let (books, choices, _) = books(&house, &user, &draft).await?;
    let plan = judged(&house, &user, &draft, &books, &choices).await?;
    if !plan.is_good() || choices.iter().all(|mapping| mapping.to.is_empty()) {
        return Ok(Redirect::to(&format!("/import/{id}/check?only=refused")).into_response());
    }
    // One commit only, however often the button is pressed.
    let before = draft.text();
    draft.choices = choices.clone();
    draft.state = Step::Running(BOOT.clone());
    if !house.store.claim_import(id, &user.actor(), &before, &draft.text()).await? {
        return Ok(Redirect::to(&format!("/import/{id}")).into_response());
    }
    let counts = Counts {
        added: plan.sum(|t| t.added),
        changed: plan.sum(|t| t.changed),
        same: plan.sum(|t| t.same),
        proposed: plan.proposed.len(),
    };
    // A large import goes on when the browser does not wait for it.
    let work = tokio::spawn(async move {
        let done = write(&house, &user, plan, &books, &choices).await;
        draft.state = match done {
            Ok(()) => Step::Done(counts),
            Err(error) => Step::Failed(error.to_string()),
        };
        house.wake();
        if let Err(error) = house.store.set_import(id, &user.actor(), &draft.text()).await {
            tracing::warn!(%error, "the state of an import was not saved");
        }
    });
    let _ = tokio::time::timeout(COMMIT_WAIT, work).await;
    Ok(Redirect::to(&format!("/import/{id}")).into_response())
}

async fn write(
    house: &House,
    user: &User,
    plan: Plan,
    books: &Books,
    choices: &[Mapping],
) -> Result<(), store::StoreError> {
    let write = user.write(house, "import").await?;
    commit::commit(write, plan, books, choices, true).await
}

async fn give_up(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<String>,
    Form(form): Form<CsrfForm>,
) -> Answer {
    user.form(&form.csrf, Action::Write)?;
    let (id, _) = load(&house, &user, &id).await?;
    house.store.drop_import(id, &user.actor()).await?;
    Ok(Redirect::to("/import").into_response())
}
