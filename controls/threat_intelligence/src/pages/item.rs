//! `/intelligence/{id}`: a notice with what was found in it, whether it concerns us, its verdict and what follows.
//!
//! Invariants: the text is foreign and shown as text only; it is shown to those who judge; a verdict is given once,
//! with a reason.

use std::collections::HashMap;

use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    response::{IntoResponse, Redirect},
};
use indicators::{
    Direction, Kind,
    extract::{self, Notice, Span, What},
};
use model::{Id, Table, t};
use serde_json::Value as Json;
use store::{Row, Store};
use stream::Encoding;
use web::{
    House, Shared,
    access::{Action, Reader},
    frame::{Answer, Cx, Refusal, User, page},
    route::{Access, Route},
};

use super::{confirm::Value, half, may_judge, refusal};
use crate::work::{
    actions,
    inbox::{self, InboxError, Line, Original},
    process::deeds,
    publish_patterns,
    relevance::{Known, Reason, Touch, hits},
    triage::{self, Input, Judging, TriageError, Verdict},
};

/// Bytes of the text that the page shows.
const SHOWN_BYTES_MAX: usize = 200_000;

pub(super) fn routes() -> Vec<Route> {
    let inspect = Access::Action(Action::Inspect);
    let write = Access::Action(Action::Write);
    let title = t("脅威情報の詳細", "An item of intelligence");
    let triage = t("脅威情報の判定", "Judge an item");
    let done = t("対応の完了", "Record that an action is done");
    vec![
        Route::get("/intelligence/{id}", inspect, title, show),
        Route::post("/intelligence/{id}/triage", write, triage, judge),
        Route::post("/intelligence/{id}/done", write, done, close),
    ]
}

/// A part of the text, marked or not.
struct Part {
    text: String,
    /// What it is; empty for plain text.
    said: String,
    is_likely: bool,
}

/// A task of the item.
struct Asked {
    row: Row,
    is_open: bool,
}

#[derive(Template)]
#[template(path = "intelligence_item.html")]
struct ItemPage<'a> {
    cx: &'a Cx,
    row: &'a Row,
    source: String,
    verdict: Option<Verdict>,
    may_judge: bool,
    parts: Vec<Part>,
    is_cut: bool,
    /// Why the original is not shown.
    trouble: Option<String>,
    facts: Vec<(&'static str, String)>,
    values: Vec<Value>,
    confirmed: Option<Vec<Line>>,
    /// Patterns that read, and those that do not.
    patterns: usize,
    refused: Vec<publish_patterns::Refused>,
    reasons: Vec<Reason>,
    actions: Vec<Asked>,
    inputs: Vec<(Input, bool)>,
}

impl ItemPage<'_> {
    fn asked<'t>(&self, asked: &'t Asked) -> &'t str {
        half(self.cx, &asked.row.name)
    }

    fn touch(&self, touch: &Touch) -> &'static str {
        let text = match touch {
            Touch::Brand => t("当組織やブランドの名前", "our name or brand"),
            Touch::Lookalike => t("当組織に似たドメイン", "a domain like ours"),
            Touch::Supplier => t("取引先", "a supplier"),
            Touch::Exposed => t("公開しているもの", "something we show to the Internet"),
            Touch::Asset => t("使っている製品・システム", "something we run"),
            Touch::Sector => t("業種", "our sector"),
            Touch::Region => t("地域", "our region"),
            Touch::Coveted => t("狙われやすい情報", "information that is coveted"),
        };
        self.cx.pick(&text)
    }

    fn may_be_judged(&self) -> bool {
        self.may_judge && matches!(self.verdict, None | Some(Verdict::Watch))
    }

    fn kind_said(&self, line: &Line) -> &'static str {
        Kind::named(&line.kind).map_or("", |kind| super::confirm::kind_text(self.cx, kind))
    }

    fn direction_said(&self, line: &Line) -> &'static str {
        let direction = line.direction.as_deref().and_then(Direction::named);
        direction.map_or("", |direction| super::confirm::direction_text(self.cx, direction))
    }

    /// The day alone: notices know no hour.
    fn since<'l>(&self, line: &'l Line) -> &'l str {
        let text = line.valid_from.as_deref().unwrap_or_default();
        text.split('T').next().unwrap_or_default()
    }

    fn advice(&self) -> &str {
        self.row.attributes.get("advice").and_then(Json::as_str).unwrap_or_default()
    }

    /// Whether it came of something inside, so that whoever told it waits for an answer.
    fn is_internal(&self) -> bool {
        self.row.attributes.contains_key("internal_of")
    }

    fn raw(&self) -> &str {
        self.row.attributes.get("raw").and_then(Json::as_str).unwrap_or_default()
    }
}

/// An item of the register.
pub(super) async fn item(store: &Store, id: Id) -> Result<Row, Refusal> {
    let row = store.row(Table::Asset, id).await?;
    row.filter(|row| row.kind == inbox::ITEM && !row.deleted).ok_or(Refusal::NotFound)
}

/// An item that this reader may see by its marking.
pub(super) async fn seen(house: &House, reader: &Reader, id: Id) -> Result<Row, Refusal> {
    let row = item(&house.store, id).await?;
    let rows = reader.seen(&house.store, Table::Asset, vec![row]).await?;
    rows.into_iter().next().ok_or(Refusal::NotFound)
}

/// The original of an item and what is read out of it.
pub(super) async fn read(store: &Store, row: &Row) -> Result<(Original, Notice), InboxError> {
    let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
    let Some(blob) = store.blob(text("raw")).await? else { return Err(InboxError::Gone) };
    let original = inbox::original(store, &blob, Encoding::named(text("raw_encoding"))).await?;
    let labels = inbox::labels(store).await?;
    let notice = extract::extract(&original.whole(), &labels);
    Ok((original, notice))
}

async fn show(State(house): State<Shared>, user: User, Path(id): Path<Id>) -> Answer {
    let cx = &user.cx;
    let store = &house.store;
    let row = seen(&house, user.reader(), id).await?;
    let may_judge = may_judge(&house, user.reader());
    let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
    let source = match text("source").parse::<Id>() {
        Ok(id) => store.row(Table::Asset, id).await?.map(|row| row.name).unwrap_or_default(),
        Err(_) => String::new(),
    };
    let has_original = may_judge && !text("raw").is_empty();
    let (read, trouble) = match has_original {
        true => match read(store, &row).await {
            Ok(read) => (Some(read), None),
            Err(error) => (None, Some(said(refusal(cx, error))?)),
        },
        false => (None, None),
    };
    let patterns = if may_judge { publish_patterns::read(&row) } else { Vec::new() };
    let (read_patterns, refused): (Vec<_>, Vec<_>) = patterns.into_iter().partition(Result::is_ok);
    let mut body = ItemPage {
        cx,
        patterns: read_patterns.len(),
        refused: refused.into_iter().filter_map(Result::err).collect(),
        row: &row,
        source,
        verdict: Verdict::named(text("verdict")),
        may_judge,
        parts: Vec::new(),
        is_cut: false,
        trouble,
        facts: Vec::new(),
        values: Vec::new(),
        confirmed: None,
        reasons: Vec::new(),
        actions: Vec::new(),
        inputs: Input::ALL.map(|input| (input, false)).to_vec(),
    };
    if may_judge {
        body.confirmed = inbox::confirmed(store, &row).await.map_err(|e| refusal(cx, e))?;
    }
    if let Some((original, notice)) = &read {
        let whole = original.whole();
        (body.parts, body.is_cut) = parts(cx, &whole, notice);
        body.is_cut |= original.is_cut || notice.is_cut;
        body.facts = facts(cx, original, notice);
        body.values = super::confirm::values(notice);
        body.reasons = reasons(store, &whole, notice).await?;
        let is_there = |input: Input| match input {
            Input::Indicator => !body.values.is_empty(),
            Input::Vulnerability => !notice.values(What::Vulnerability).is_empty(),
            Input::Actor => false,
            Input::Brand => {
                body.reasons.iter().any(|r| matches!(r.touch, Touch::Brand | Touch::Lookalike))
            }
            Input::Sector => body.reasons.iter().any(|r| r.touch == Touch::Sector),
            Input::Method => body.values.is_empty(),
        };
        body.inputs = Input::ALL.map(|input| (input, is_there(input))).to_vec();
    }
    body.facts.extend(told(cx, &row, may_judge));
    let tasks = actions::of_item(store, id).await?;
    body.actions =
        tasks.into_iter().map(|row| Asked { is_open: row.status != "closed", row }).collect();
    page(cx, &row.name, &body)
}

/// What the row itself says beside its original.
fn told(cx: &Cx, row: &Row, may_judge: bool) -> Vec<(&'static str, String)> {
    let text = |name: &str| row.attributes.get(name).and_then(Json::as_str).unwrap_or_default();
    let listed = |name: &str| {
        let all = row.attributes.get(name).and_then(Json::as_array).into_iter().flatten();
        let texts: Vec<&str> = all.filter_map(Json::as_str).collect();
        texts.join(cx.t("、", ", "))
    };
    let updates = row.attributes.get("updates").and_then(Json::as_i64).unwrap_or_default();
    let mut all = vec![
        (cx.t("公開ページ", "Published at"), text("link").to_owned()),
        (cx.t("該当する資産", "Affected assets"), listed("affected")),
        (cx.t("影響を受ける製品", "Affected products"), listed("products")),
    ];
    if updates > 0 {
        all.push((cx.t("届いた更新", "Updates"), updates.to_string()));
    }
    // Who sent it is a person; what it says is for those who judge.
    if may_judge {
        all.push((cx.t("送信者", "Sender"), text("sender").to_owned()));
        all.push((cx.t("添付ファイル", "Attachments"), listed("attachments")));
        let hits: Vec<&str> = hits(row).into_iter().map(|hit| cx.pick(&hit.text())).collect();
        all.push((cx.t("経営層へ上げる理由", "Reasons to escalate"), hits.join(cx.t("、", ", "))));
    }
    all.retain(|(_, text)| !text.is_empty());
    all
}

fn said(refusal: Refusal) -> Result<String, Refusal> {
    match refusal {
        Refusal::Bad(said) => Ok(said),
        other => Err(other),
    }
}

pub(super) async fn reasons(
    store: &Store,
    text: &str,
    notice: &Notice,
) -> Result<Vec<Reason>, store::StoreError> {
    let known = Known::load(store).await?;
    let domains = notice.values(What::Indicator(Kind::Domain));
    let urls = notice.values(What::Indicator(Kind::Url));
    let hosts = urls.into_iter().filter_map(|url| {
        let rest = url.split_once("://")?.1;
        rest.split(['/', ':', '?', '#']).next()
    });
    Ok(known.reasons(text, domains.into_iter().chain(hosts)))
}

/// What a span is, in words.
pub(super) fn what(cx: &Cx, what: What) -> &'static str {
    let text = match what {
        What::Subject => t("件名", "subject"),
        What::Malware => t("マルウェア", "malware"),
        What::Actor => t("攻撃主体", "actor"),
        What::Campaign => t("キャンペーン", "campaign"),
        What::Vulnerability => t("脆弱性", "vulnerability"),
        What::Marking => t("取扱区分", "marking"),
        What::Period => t("期間", "period"),
        What::Indicator(kind) => return super::confirm::kind_text(cx, kind),
    };
    cx.pick(&text)
}

fn parts(cx: &Cx, whole: &str, notice: &Notice) -> (Vec<Part>, bool) {
    let end = whole.floor_char_boundary(SHOWN_BYTES_MAX);
    let plain = |from: usize, to: usize| Part {
        text: whole[from..to].to_owned(),
        said: String::new(),
        is_likely: false,
    };
    let mut parts = Vec::new();
    let mut at = 0;
    for span in notice.spans.iter().filter(|span| span.end <= end) {
        if span.start > at {
            parts.push(plain(at, span.start));
        }
        parts.push(Part {
            text: whole[span.start..span.end].to_owned(),
            said: marked(cx, span),
            is_likely: span.confidence >= extract::LIKELY,
        });
        at = span.end;
    }
    if at < end {
        parts.push(plain(at, end));
    }
    (parts, end < whole.len())
}

fn marked(cx: &Cx, span: &Span) -> String {
    let direction = span.direction.map(|direction| super::confirm::direction_text(cx, direction));
    let mut all = vec![what(cx, span.what).to_owned(), span.value.clone()];
    all.extend(direction.map(str::to_owned));
    all.push(format!("{}‰", span.confidence));
    all.join(" · ")
}

fn facts(cx: &Cx, original: &Original, notice: &Notice) -> Vec<(&'static str, String)> {
    let joined = |what: What| notice.values(what).join(cx.t("、", ", "));
    let day =
        |date: Option<jiff::civil::Date>| date.map_or_else(String::new, |date| date.to_string());
    let marking = notice.marking.map(|marking| {
        let group = cx.t("（関連組織まで）", " (group companies too)");
        format!("{}{}", marking.level.as_str(), if marking.has_group { group } else { "" })
    });
    let period = notice.period.map(|p| format!("{} – {}", day(p.from), day(p.to)));
    let all = [
        (cx.t("取扱区分", "Marking"), marking.unwrap_or_default()),
        (cx.t("活動確認期間", "Active"), period.unwrap_or_default()),
        (cx.t("件名", "Subjects"), joined(What::Subject)),
        (cx.t("マルウェア", "Malware"), joined(What::Malware)),
        (cx.t("攻撃主体", "Actors"), joined(What::Actor)),
        (cx.t("キャンペーン", "Campaigns"), joined(What::Campaign)),
        (cx.t("脆弱性", "Vulnerabilities"), joined(What::Vulnerability)),
        (cx.t("メールの添付", "Attached to the mail"), original.attachments.join(cx.t("、", ", "))),
    ];
    // The texts are of the page's own language and live as long as the program.
    all.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

type Fields = HashMap<String, String>;

async fn judge(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Fields>,
) -> Answer {
    let cx = &user.cx;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    user.form(text("csrf"), Action::Write)?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let bad = |ja: &str, en: &str| Refusal::Bad(cx.t(ja, en).to_owned());
    let verdict = Verdict::named(text("verdict"))
        .ok_or_else(|| bad("判定を選んでください。", "Choose a verdict."))?;
    let is_long = |text: &str| text.chars().count() > triage::REASON_CHARS_MAX;
    if text("reason").is_empty() || is_long(text("reason")) || is_long(text("advice")) {
        return Err(bad(
            "理由を2000文字以内で入力してください。",
            "Give a reason of at most 2,000 characters.",
        ));
    }
    let inputs: Vec<Input> = Input::ALL
        .into_iter()
        .filter(|input| form.contains_key(&format!("input-{}", input.as_str())))
        .collect();
    if verdict == Verdict::Act && (text("advice").is_empty() || inputs.is_empty()) {
        return Err(bad(
            "「対応」には、何をするかと、情報の種類を一つ以上入れてください。",
            "To act, say what is to be done and choose at least one input.",
        ));
    }
    let row = seen(&house, user.reader(), id).await?;
    let relevance = match read(&house.store, &row).await {
        Ok((original, notice)) => reasons(&house.store, &original.whole(), &notice).await?,
        Err(InboxError::Store(error)) => return Err(error.into()),
        Err(_) => Vec::new(),
    };
    let judging = Judging {
        verdict,
        reason: text("reason"),
        advice: text("advice"),
        is_urgent: form.contains_key("urgent"),
        inputs: &inputs,
        relevance: &relevance,
    };
    let mut write = user.write(&house, cx.t("脅威情報の判定", "judged intelligence")).await?;
    // Read behind the beginning of the change: another may have judged it meanwhile.
    let row = seen(&house, user.reader(), id).await?;
    match triage::judge(&house.store, &mut write, row, &judging).await {
        Ok(_) => write.commit().await?,
        Err(TriageError::Store(error)) => return Err(error.into()),
        Err(TriageError::Judged) => {
            return Err(bad("この情報はすでに判定されています。", "This item was judged already."));
        }
    }
    house.wake();
    Ok(Redirect::to(&format!("/intelligence/{id}")).into_response())
}

async fn close(
    State(house): State<Shared>,
    user: User,
    Path(id): Path<Id>,
    Form(form): Form<Fields>,
) -> Answer {
    let cx = &user.cx;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    user.form(text("csrf"), Action::Write)?;
    if !may_judge(&house, user.reader()) {
        return Err(Refusal::NotFound);
    }
    let proof = text("proof");
    if proof.is_empty() || proof.chars().count() > actions::PROOF_CHARS_MAX {
        let said = cx.t(
            "完了を示す記録を500文字以内で入力してください。",
            "Name the record that shows it, in at most 500 characters.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    let row = seen(&house, user.reader(), id).await?;
    let task = text("task").parse::<Id>().map_err(|_| Refusal::NotFound)?;
    let task = house.store.row(Table::Task, task).await?;
    let task = task.filter(|task| task.subject == Some(id)).ok_or(Refusal::NotFound)?;
    if task.status == "closed" {
        let said = cx.t("このタスクは完了しています。", "This task is closed already.");
        return Err(Refusal::Bad(said.to_owned()));
    }
    let awaited = task.attributes.get("closes_where").is_some_and(|w| w.get("wanted").is_some());
    if awaited && !names_a_record(&house.store, proof).await? {
        let said = cx.t(
            "この対応は記録が届くと自動で完了します。手で閉じるときは、示す記録か署名済みの決定のIDを入れてください。",
            "This one closes by its record. To close it by hand, name the id of a record, or of a signed decision, that shows it.",
        );
        return Err(Refusal::Bad(said.to_owned()));
    }
    let mut write = user.write(&house, cx.t("対応の完了", "an action is done")).await?;
    let record = actions::done(&house.store, &mut write, &row, &task, proof).await?;
    write.commit().await?;
    match tasks::close::close(&house.store, task, &record, &user.actor()).await {
        Ok(_) => {}
        Err(tasks::close::NotClosed::Store(error)) => return Err(error.into()),
        Err(other) => return Err(Refusal::Bad(other.to_string())),
    }
    house.wake();
    Ok(Redirect::to(&format!("/intelligence/{id}")).into_response())
}

async fn names_a_record(store: &Store, proof: &str) -> Result<bool, Refusal> {
    let named = deeds::names_a_record(store, proof).await;
    named.map_err(|error| Refusal::Bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_whole_text_again() {
        let text = "通信先：hxxp://a[.]example/<script>alert(1)</script>\n件名：<b>x</b>";
        let notice = extract::extract(text, extract::Labels::shipped());
        assert!(!notice.spans.is_empty());
        let mut at = 0;
        for span in &notice.spans {
            assert!(span.start >= at && text.get(span.start..span.end).is_some());
            at = span.end;
        }
    }
}
