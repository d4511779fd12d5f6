//! `ume isms context|changes|review|audit|policy|template`: how the ISMS itself is run.

use isms::{
    Board, audit, changes, context,
    policy::{self, Coverage},
    review, templates,
};
use model::{Id, Lang, Timestamp};
use serde_json::{Value as Json, json};
use store::Store;

use crate::{
    CliError,
    hall_cmd::{Found, names},
    say,
};

pub async fn context(store: &Store) -> Result<Found, CliError> {
    let context = context::load(store).await?;
    let rows = context.entries().map(|e| {
        json!({
            "kind": e.row.kind, "reviewed_on": e.reviewed, "overdue": e.overdue,
            "name": e.row.name,
        })
    });
    Ok(Found {
        columns: names(&["kind", "reviewed_on", "overdue", "name"]),
        rows: rows.collect(),
        document: context.json(),
        is_open: context.entries().any(|e| e.overdue),
    })
}

pub async fn changes(store: &Store, lang: Lang) -> Result<Found, CliError> {
    let overview = changes::overview(store).await?;
    let rows = overview.judged.iter().map(|r| {
        let what = r.facts.get("what").and_then(Json::as_str).and_then(changes::What::parse);
        json!({
            "at": r.observed_to.rfc3339(),
            "what": what.map_or("", |what| what.text().get(lang)),
            "wants_plan": r.facts.get("above_threshold"),
            "planned": r.facts.get("plan_signed_before"),
            "change": r.facts.get("change"),
        })
    });
    Ok(Found {
        columns: names(&["at", "what", "wants_plan", "planned", "change"]),
        rows: rows.collect(),
        document: overview.json(),
        is_open: overview.findings().count() > 0,
    })
}

pub async fn pack(store: &Store, board: &Board, lang: Lang) -> Result<Found, CliError> {
    let gathered = review::Gathered::load(store, board).await?;
    let inputs = review::draw(&gathered, store.now());
    let mut rows = Vec::new();
    for input in &inputs {
        for section in &input.sections {
            let lines = section.lines.iter().map(|line| {
                json!({"input": input.letter, "source": section.source, "text": line.get(lang)})
            });
            rows.extend(lines);
        }
        if !input.has_content() {
            let text = say("（該当なし。理由が要ります）", "(nothing: a reason is needed)");
            rows.push(json!({"input": input.letter, "source": "", "text": text}));
        }
    }
    Ok(Found {
        columns: names(&["input", "source", "text"]),
        rows,
        is_open: !inputs.iter().all(review::Input::has_content),
        document: json!({ "since": gathered.since.rfc3339(), "inputs": inputs }),
    })
}

pub async fn audit(store: &Store, board: &Board, lang: Lang) -> Result<Found, CliError> {
    let loaded = audit::load(store, board).await?;
    let coverage = audit::coverage(&loaded.state);
    let now = store.now();
    let controls = loaded.state.items.iter().filter(|i| i.applicable);
    let rows = controls.map(|i| {
        let why = i.why(now).into_iter().map(|w| w.text().get(lang)).collect::<Vec<_>>();
        json!({
            "item": i.number, "last": i.last().map(Timestamp::rfc3339), "owned": i.owner.is_some(),
            "findings": i.findings, "why": why.join(", "),
        })
    });
    let verified = |row| audit::findings::standing(row, now) == audit::findings::Standing::Verified;
    Ok(Found {
        columns: names(&["item", "last", "owned", "findings", "why"]),
        rows: rows.collect(),
        document: loaded.json(now),
        is_open: !coverage.unaudited.is_empty()
            || coverage.new_audited < coverage.new_all
            || !loaded.findings.iter().all(verified),
    })
}

pub async fn sample(
    store: &Store,
    board: &Board,
    lang: Lang,
    seed: &str,
    count: usize,
    auditor: Option<Id>,
) -> Result<Found, CliError> {
    let loaded = audit::load(store, board).await?;
    // Somebody who owns nothing: the samples are those of an auditor from outside.
    let auditor = auditor.unwrap_or_else(|| Id::from_parts(Timestamp(0), &[0; 10]));
    let samples = audit::draw(&loaded.state, seed.trim(), count, auditor);
    let rows = samples.iter().map(|s| {
        let why = s.why.iter().map(|w| w.text().get(lang)).collect::<Vec<_>>().join(", ");
        let text = if lang == Lang::Ja { &s.question.ja } else { &s.question.en };
        json!({
            "item": s.item, "question": s.question.id, "flagged": s.is_flagged(), "why": why,
            "text": text,
        })
    });
    Ok(Found {
        columns: names(&["item", "question", "flagged", "why", "text"]),
        rows: rows.collect(),
        document: json!({ "seed": seed.trim(), "at": board.at.rfc3339(), "samples": samples }),
        is_open: false,
    })
}

pub async fn policy(store: &Store) -> Result<Found, CliError> {
    let Some(current) = policy::current(store).await? else {
        return Err(CliError::Usage(say(
            "承認された方針がありません。文書の台帳の種別「方針」の文書に、承認の署名をもらってください。",
            "no policy is in force: have a document of type policy approved",
        )));
    };
    let coverage = policy::coverage(store, current).await?;
    let rows = coverage.missing().map(|p| json!({"missing": p.id, "name": p.name}));
    Ok(Found {
        columns: names(&["missing", "name"]),
        rows: rows.collect(),
        document: Coverage::json(&coverage),
        is_open: coverage.missing().next().is_some(),
    })
}

pub fn templates(lang: Lang) -> Found {
    let rows: Vec<Json> = templates::in_language(lang)
        .map(|t| {
            json!({
                "id": t.head.id, "kind": t.head.kind, "norms": t.head.norms.join(" "),
                "title": t.head.title,
            })
        })
        .collect();
    Found {
        columns: names(&["id", "kind", "norms", "title"]),
        document: json!(rows),
        rows,
        is_open: false,
    }
}

pub async fn template(store: &Store, id: &str, lang: Lang) -> Result<String, CliError> {
    let Some(template) = templates::find(id, lang) else {
        return Err(CliError::Usage(say(
            &format!("ひな形 {id} はありません。ume isms template で一覧を確かめてください。"),
            &format!("there is no template {id}: see ume isms template"),
        )));
    };
    Ok(templates::markdown(template, &templates::known(store).await?))
}
