//! What each source says. Pure: rows and records in, lines in both languages out.

use model::{Id, Level, Table, Timestamp};
use serde_json::Value as Json;
use store::{Record, Row};

use super::{
    Line,
    gather::{ControlLine, Gathered},
};
use crate::{
    audit::findings::{self, Standing},
    changes,
    context::REVIEW_DAYS,
    days,
    hall::{fact, soa::SoaStatus, text_of},
};

/// What ends within this many days is reported.
const SOON_DAYS: i64 = 90;
const YEAR_DAYS: i64 = 365;

fn line(ja: String, en: String, href: String) -> Line {
    Line { ja, en, href }
}

fn row_of(row: &Row) -> String {
    format!("/row/{}/{}", row.table.name(), row.id)
}

/// The lines of a source; an unknown one says nothing.
pub(super) fn lines(source: &str, g: &Gathered, now: Timestamp) -> Vec<Line> {
    match source {
        "open_instructions" => open_instructions(g, now),
        "context_changes" => context_changes(g, now),
        "long_term_threats" => threats(g),
        "scope_changes" => scope_changes(g),
        "party_need_changes" => party_needs(g),
        "nonconformities" => nonconformities(g, now),
        "levels_coverage" => g.controls.iter().map(level).collect(),
        "incidents" => incidents(g),
        "audit_results" => audit_results(g),
        "objectives" => objectives(g),
        "party_feedback" => feedback(g),
        "training_state" => training(g),
        "risk_status" => risks(g),
        "treatment_plan" => treatment(g, now),
        "soa_state" => soa(g, now),
        "opportunities" => opportunities(g),
        "resources_due" => resources(g, now),
        _ => Vec::new(),
    }
}

fn assets<'g>(g: &'g Gathered, kind: &'g str) -> impl Iterator<Item = &'g Row> {
    g.assets.iter().filter(move |row| row.kind == kind)
}

fn records<'g>(g: &'g Gathered, ty: &'g str) -> impl Iterator<Item = &'g Record> {
    g.records.iter().filter(move |record| record.ty == ty)
}

/// The task that an instruction or order became.
fn task_of<'g>(g: &'g Gathered, order: &Row) -> Option<&'g Row> {
    let named: Option<Id> = text_of(order, "task").and_then(|id| id.parse().ok());
    g.tasks.iter().find(|task| Some(task.id) == named || task.subject == Some(order.id))
}

fn open_instructions(g: &Gathered, now: Timestamp) -> Vec<Line> {
    let (mut open, mut done) = (Vec::new(), 0);
    for order in &g.instructions {
        let task = task_of(g, order);
        if task.is_some_and(|task| task.status == "closed") {
            done += 1;
            continue;
        }
        let due = text_of(order, "due").unwrap_or("–");
        let late = days::begin(due).map_or(0, |t| now.hours_since(t) / 24 - 1).max(0);
        let text = text_of(order, "order").unwrap_or(&order.name);
        let who = g.party(order, "assignee");
        let (mut ja, mut en) =
            (format!("{text}（担当 {who}、期限 {due}"), format!("{text} ({who}, due {due}"));
        if late > 0 {
            ja += &format!("、{late}日遅れ");
            en += &format!(", {late} days late");
        }
        if task.is_none() {
            ja += "、タスクなし";
            en += ", no task";
        }
        open.push((std::cmp::Reverse(late), line(ja + "）", en + ")", row_of(order))));
    }
    open.sort_by_key(|(late, _)| *late);
    let mut lines: Vec<Line> = open.into_iter().map(|(_, line)| line).collect();
    if done > 0 {
        lines.push(line(
            format!("完了した指示：{done}件"),
            format!("Instructions done: {done}"),
            String::new(),
        ));
    }
    lines
}

/// Rows that came or changed since the last review.
fn changed<'g>(g: &'g Gathered, kind: &'g str) -> impl Iterator<Item = (&'g Row, bool)> {
    assets(g, kind)
        .filter(move |row| row.updated_at >= g.since)
        .map(|row| (row, row.created_at >= g.since))
}

fn changed_line(row: &Row, new: bool, note: &str) -> Line {
    let day = days::of(row.updated_at);
    let (ja, en) = if new { ("追加", "new") } else { ("変更", "changed") };
    line(
        format!("{}（{ja} {day}）{note}", row.name),
        format!("{} ({en} {day}){note}", row.name),
        row_of(row),
    )
}

fn context_changes(g: &Gathered, now: Timestamp) -> Vec<Line> {
    let climate = |row: &Row| row.attributes.get("climate") == Some(&Json::Bool(true));
    let mut lines: Vec<Line> = changed(g, "context_issue")
        .map(|(row, new)| changed_line(row, new, if climate(row) { " 🌏" } else { "" }))
        .collect();
    let overdue = assets(g, "context_issue").filter(|row| {
        let at = days::field(row, "reviewed_on").unwrap_or(row.created_at);
        now.hours_since(at) > REVIEW_DAYS * 24
    });
    for row in overdue {
        lines.push(line(
            format!("{}：1年以上見直していない", row.name),
            format!("{}: not reviewed for more than a year", row.name),
            row_of(row),
        ));
    }
    lines
}

/// What bears on strategy waited for this review; what was urgent went out at once and is listed with
/// its date.
fn threats(g: &Gathered) -> Vec<Line> {
    let briefs: Vec<&Record> = records(g, "threat_intelligence.brief_issued").collect();
    let of = |horizon: &str| -> Vec<&Record> {
        briefs.iter().copied().filter(|r| fact(r, "horizon") == Some(horizon)).collect()
    };
    let mut lines = Vec::new();
    for brief in of("long_term") {
        let day = days::of(brief.observed_to);
        lines.push(line(
            format!("中長期の脅威の要約（{day}）"),
            format!("Brief on a mid or long-term threat ({day})"),
            format!("/records/{}", brief.id),
        ));
    }
    for item in assets(g, "intel_item") {
        let new = item.created_at >= g.since && text_of(item, "verdict") == Some("brief");
        if new {
            lines.push(changed_line(item, true, ""));
        }
    }
    for brief in of("short_term") {
        let day = days::of(brief.observed_to);
        lines.push(line(
            format!("短期の脅威：{day}に報告済み"),
            format!("Short-term threat, told on {day}"),
            format!("/records/{}", brief.id),
        ));
    }
    lines
}

fn scope_changes(g: &Gathered) -> Vec<Line> {
    let mut lines: Vec<Line> = changed(g, "scope_statement")
        .chain(changed(g, "interface"))
        .map(|(row, new)| changed_line(row, new, ""))
        .collect();
    for record in records(g, changes::JUDGED) {
        let Some(what) = fact(record, "what").and_then(changes::What::parse) else { continue };
        let (day, text) = (days::of(record.observed_to), what.text());
        let (ja, en) = match changes::is_finding(record) {
            true => ("事前に署名した計画がない", "no plan was signed beforehand"),
            false => {
                ("計画どおり、または計画の要らない変更", "planned, or too small to want a plan")
            }
        };
        lines.push(line(
            format!("{}の変更（{day}）：{ja}", text.ja),
            format!("{} changed ({day}): {en}", text.en),
            "/changes".to_owned(),
        ));
    }
    lines
}

fn party_needs(g: &Gathered) -> Vec<Line> {
    let mut rows: Vec<(&Row, bool)> = changed(g, "party_need").collect();
    // Undecided ones come first.
    rows.sort_by_key(|(row, _)| row.attributes.contains_key("met_by_isms"));
    let note = |row: &Row| match (row.attributes.get("met_by_isms"), text_of(row, "source")) {
        (None, _) => " ?".to_owned(),
        (_, Some(source)) => format!(" – {source}"),
        _ => String::new(),
    };
    rows.into_iter().map(|(row, new)| changed_line(row, new, &note(row))).collect()
}

fn nonconformities(g: &Gathered, now: Timestamp) -> Vec<Line> {
    let recent = |row: &&Row| {
        !matches!(findings::standing(row, now), Standing::Verified) || row.updated_at >= g.since
    };
    let one = |row: &Row| {
        let text = findings::standing(row, now).text();
        let due = text_of(row, "due").unwrap_or("–");
        let what: String =
            text_of(row, "description").unwrap_or(&row.name).chars().take(80).collect();
        let number = text_of(row, "control").unwrap_or("");
        line(
            format!("{number} {what}：{}（期限 {due}）", text.ja),
            format!("{number} {what}: {} (due {due})", text.en),
            row_of(row),
        )
    };
    assets(g, "audit_finding").filter(recent).map(one).collect()
}

fn level(c: &ControlLine) -> Line {
    let (passed, total) = c.coverage;
    let (mut ja, mut en) = (
        format!("{} {}：{}", c.number, c.ja, c.level),
        format!("{} {}: {}", c.number, c.en, c.level),
    );
    if let Some(target) = c.target {
        ja += &format!("（目標 {target}）");
        en += &format!(" (target {target})");
    }
    ja += &format!(" 網羅 {passed}/{total}、期限切れ {}、不明 {}", c.stale, c.unknown);
    en += &format!(", coverage {passed}/{total}, stale {}, unknown {}", c.stale, c.unknown);
    line(ja, en, String::new())
}

fn tally(g: &Gathered, of: &[(&'static str, &'static str, &'static str)]) -> Vec<Line> {
    let counted = of.iter().map(|(ty, ja, en)| (records(g, ty).count(), ja, en));
    counted
        .filter(|(count, ..)| *count > 0)
        .map(|(count, ja, en)| {
            line(format!("{ja}：{count}件"), format!("{en}: {count}"), String::new())
        })
        .collect()
}

fn incidents(g: &Gathered) -> Vec<Line> {
    tally(
        g,
        &[
            ("leakage_prevention.leak", "情報漏えい", "Leaks"),
            ("monitoring.finding", "監視の検知", "Findings of monitoring"),
            ("ict_readiness.activation", "事業継続計画の発動", "Continuity activations"),
            ("physical_monitoring.alarm", "物理的な警報", "Physical alarms"),
        ],
    )
}

fn audit_results(g: &Gathered) -> Vec<Line> {
    let sampled: Vec<&Record> = records(g, crate::audit::SAMPLED).collect();
    let bad = sampled.iter().filter(|r| fact(r, "result").is_some_and(|x| x != "conform")).count();
    let (never, new) = g.unaudited;
    let mut lines = Vec::new();
    if !sampled.is_empty() {
        let all = sampled.len();
        lines.push(line(
            format!("内部監査の抜き取り：{all}件、うち所見 {bad}件"),
            format!("Audit samples: {all}, of which findings {bad}"),
            "/audit".to_owned(),
        ));
    }
    lines.push(line(
        format!("36か月監査していない管理策：{never}、12か月監査していない新しい管理策：{new}"),
        format!(
            "Controls not audited for 36 months: {never}; new ones not within 12 months: {new}"
        ),
        "/audit".to_owned(),
    ));
    lines
}

fn objectives(g: &Gathered) -> Vec<Line> {
    let mut rows: Vec<&Row> = assets(g, "objective").collect();
    rows.sort_by_key(|row| text_of(row, "result").is_some());
    let said = |row: &Row, name: &str| text_of(row, name).unwrap_or("–").to_owned();
    let one = |row: &Row| {
        let (measure, target) = (said(row, "measure"), said(row, "target"));
        let (due, result) = (said(row, "due"), said(row, "result"));
        line(
            format!("{}：{measure} 目標 {target}（期限 {due}）結果 {result}", row.name),
            format!("{}: {measure}, target {target} (due {due}), result {result}", row.name),
            row_of(row),
        )
    };
    rows.into_iter().map(one).collect()
}

/// What else was heard, people write beside it: nothing here collects it.
fn feedback(g: &Gathered) -> Vec<Line> {
    tally(g, &[("leakage_prevention.near_miss", "ヒヤリハットの報告", "Near misses reported")])
}

fn training(g: &Gathered) -> Vec<Line> {
    let mut lines = tally(
        g,
        &[
            ("isms.training_completed", "教育の修了", "Trainings completed"),
            ("leakage_prevention.education_result", "漏えい防止の教育", "Trainings on leakage"),
        ],
    );
    if let Some((people, read)) = g.acknowledged {
        lines.push(line(
            format!("方針の現行版を確認した人：{read} / {people}"),
            format!("People who read the current policy: {read} of {people}"),
            "/policy".to_owned(),
        ));
    }
    lines
}

/// Never empty: without risks it still says when and how they were assessed.
fn risks(g: &Gathered) -> Vec<Line> {
    let hall = &g.hall;
    let open: Vec<_> = hall.risks.iter().filter(|r| r.open).collect();
    let above = open.iter().filter(|r| r.current.is_some_and(|c| !hall.method.accepts(c))).count();
    let unowned = open.iter().filter(|r| r.owner.is_none()).count();
    let unsigned = open.iter().filter(|r| !r.acceptance.holds()).count();
    let risen = open.iter().filter(|r| r.acceptance == crate::hall::Acceptance::Risen).count();
    let (count, accept, day) = (open.len(), hall.method.accept_at_most, days::of(hall.at));
    let mut lines = vec![line(
        format!(
            "扱い中のリスク {count}件（{day}に計算、受容できる大きさ {accept}まで）：基準超え {above}、所有者なし {unowned}、受容の署名なし {unsigned}、レベル低下による再上昇 {risen}"
        ),
        format!(
            "Open risks: {count} (computed {day}, accepted up to {accept}); above it {above}, without owner {unowned}, not accepted by signature {unsigned}, risen again by a falling level {risen}"
        ),
        "/risks".to_owned(),
    )];
    let mut large: Vec<_> =
        open.into_iter().filter(|r| r.current.is_some_and(|c| !hall.method.accepts(c))).collect();
    large.sort_by_key(|r| std::cmp::Reverse(r.current.map(crate::hall::method::Estimate::size)));
    for risk in large {
        let size = |e: Option<crate::hall::method::Estimate>| {
            e.map_or_else(|| "–".to_owned(), |e| e.size().to_string())
        };
        let way = [size(risk.inherent), size(risk.current), size(risk.target)].join(" → ");
        let text = format!("{}：{way}", risk.name);
        lines.push(line(text.clone(), text.replace('：', ": "), format!("/risks/{}", risk.id)));
    }
    lines
}

fn treatment(g: &Gathered, now: Timestamp) -> Vec<Line> {
    let risks: Vec<Id> = g.hall.risks.iter().map(|r| r.id).collect();
    let of_risks: Vec<&Row> =
        g.tasks.iter().filter(|t| t.subject.is_some_and(|id| risks.contains(&id))).collect();
    if of_risks.is_empty() {
        return Vec::new();
    }
    let is_late = |t: &Row| t.status != "closed" && t.ends_at.is_some_and(|due| due < now);
    let done = of_risks.iter().filter(|t| t.status == "closed").count();
    let late: Vec<&&Row> = of_risks.iter().filter(|t| is_late(t)).collect();
    let on_time = of_risks.len() - done - late.len();
    let late_count = late.len();
    let mut lines = vec![line(
        format!("リスク対応のタスク：完了 {done}、予定どおり {on_time}、遅れ {late_count}"),
        format!("Tasks of the treatment plan: done {done}, on time {on_time}, late {late_count}"),
        "/tasks".to_owned(),
    )];
    for task in late {
        let (who, due) = (g.party(task, "assignee"), text_of(task, "due").unwrap_or("–"));
        lines.push(line(
            format!("遅れ：{}（担当 {who}、期限 {due}）", task.name),
            format!("Late: {} ({who}, due {due})", task.name),
            row_of(task),
        ));
    }
    lines
}

fn soa(g: &Gathered, now: Timestamp) -> Vec<Line> {
    let hall = &g.hall;
    let differing = hall.soa.iter().filter(|r| r.difference.is_some()).count();
    let claimed = hall.soa.iter().filter(|r| r.status == SoaStatus::Claimed).count();
    let (applicable, shown) = hall.evidenced();
    let state = match (&hall.approved, hall.is_approved()) {
        (_, true) => ("承認した版と一致", "as approved".to_owned()),
        (Some(_), false) => {
            ("承認した版と違う", format!("{differing} rows differ from the approved"))
        }
        (None, false) => ("承認した版がない", "never approved".to_owned()),
    };
    let mut lines = vec![line(
        format!(
            "適用宣言書：{}、証拠のある管理策 {shown}/{applicable}、自己申告のみ {claimed}",
            state.0
        ),
        format!(
            "Statement: {}, evidenced {shown} of {applicable}, only claimed {claimed}",
            state.1
        ),
        "/soa".to_owned(),
    )];
    let soon = now.plus_hours(24 * SOON_DAYS);
    for row in &hall.soa {
        let exclusion = row.exclusion.iter().filter_map(|e| Some((e.decision, e.until?)));
        let exceptions = row.exceptions.iter().filter_map(|(id, until)| Some((*id, (*until)?)));
        for (decision, until) in exclusion.chain(exceptions).filter(|(_, until)| *until <= soon) {
            let (number, day) = (&row.control, days::of(until));
            lines.push(line(
                format!("{number}の除外・例外は{day}に期限"),
                format!("Exclusion or exception of {number} ends on {day}"),
                format!("/row/decision/{decision}"),
            ));
        }
    }
    lines
}

/// What lifts a control for the least effort comes first.
fn opportunities(g: &Gathered) -> Vec<Line> {
    let mut rows: Vec<_> =
        g.hall.gap.iter().filter(|r| r.room.is_some() && r.level < Level::Matsu).collect();
    rows.sort_by_key(|r| (r.hours, r.misses));
    let one = |r: &&crate::hall::gap::GapRow| {
        let (misses, hours, level) = (r.misses, r.hours, r.level.sign());
        line(
            format!("{} {}：{level}の次まで基準 {misses}件、約{hours}時間", r.control, r.title_ja),
            format!(
                "{} {}: {misses} criteria beyond {level}, about {hours} hours",
                r.control, r.title_en
            ),
            format!("/rooms/{}", r.room.unwrap_or("")),
        )
    };
    rows.iter().map(one).collect()
}

fn resources(g: &Gathered, now: Timestamp) -> Vec<Line> {
    let late = g
        .tasks
        .iter()
        .filter(|t| t.status != "closed" && t.ends_at.is_some_and(|due| due < now))
        .count();
    let mut lines = Vec::new();
    if late > 0 {
        lines.push(line(
            format!("期限を過ぎたタスク：{late}件"),
            format!("Tasks overdue: {late}"),
            "/tasks".to_owned(),
        ));
    }
    let year = now.plus_hours(24 * YEAR_DAYS);
    let ends = |row: &Row| match row.table {
        Table::Party => days::field(row, "ends_on"),
        _ => days::field(row, "expires_on"),
    };
    let mut ending: Vec<(Timestamp, &Row)> = g
        .suppliers
        .iter()
        .chain(assets(g, "licence"))
        .filter_map(|row| Some((ends(row)?, row)))
        .filter(|(end, _)| *end >= now && *end <= year)
        .collect();
    ending.sort_by_key(|(end, row)| (*end, row.id));
    for (end, row) in ending {
        let day = days::of(end);
        lines.push(line(
            format!("{}：{day}に契約・使用許諾が終わる", row.name),
            format!("{}: contract or licence ends on {day}", row.name),
            row_of(row),
        ));
    }
    lines
}
