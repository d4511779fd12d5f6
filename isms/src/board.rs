//! The board: every control with its verdicts and level, computed from the store.

use std::{collections::BTreeMap, sync::Arc};

use model::{Criterion, Level, Origin, RoomSpec, Status, Table, Text, Timestamp, t};
use store::{Row, Store, StoreError, View};

use crate::{
    evaluate::{self, Reason, Verdict},
    evidence::Evidence,
    hall::{self, Hall, Register},
    scope::{Extent, Scope},
};

/// One control at one moment.
#[derive(Clone, Debug)]
pub struct Control {
    pub spec: &'static RoomSpec,
    pub level: Level,
    pub level_by_slides: Level,
    pub target: Level,
    /// When time alone would first lower the level.
    pub valid_until: Option<Timestamp>,
    pub verdicts: Vec<Verdict>,
}

/// All controls at one moment.
#[derive(Clone, Debug)]
pub struct Board {
    pub at: Timestamp,
    pub controls: Vec<Control>,
    /// The ISMS itself, by its own level table.
    pub hall: Control,
    /// What the approved scope takes in; `None` while none is approved.
    pub scope: Option<Extent>,
    /// Gap, risks, comparison and Statement of Applicability that follow from it.
    pub view: Arc<Hall>,
}

/// Rooms and hall: whose criteria are judged, in this order.
pub(crate) fn judged(rooms: &[&'static RoomSpec]) -> impl Iterator<Item = &'static RoomSpec> {
    rooms.iter().copied().chain([&crate::SPEC])
}

/// Computes the board of these rooms from scratch.
pub async fn compute(store: &Store, rooms: &[&'static RoomSpec]) -> Result<Board, StoreError> {
    compute_in(store.present(), rooms, store.now()).await
}

/// Computes the board of `now` from what a view of the tables holds.
pub(crate) async fn compute_in(
    view: View<'_>,
    rooms: &[&'static RoomSpec],
    now: Timestamp,
) -> Result<Board, StoreError> {
    let criteria: Vec<&Criterion> = judged(rooms).flat_map(|r| r.criteria).collect();
    let evidence = Evidence::load(view, &criteria, now).await?;
    let verdicts =
        criteria.iter().map(|c| evaluate::evaluate(c, &evidence, now)).collect::<Vec<_>>();
    let register = Register::load(view, now).await?;
    assemble(view, rooms, verdicts, evidence.scope(), &register, now).await
}

/// Puts verdicts, in the order of the criteria of rooms and hall, together to a board.
pub(crate) async fn assemble(
    view: View<'_>,
    rooms: &[&'static RoomSpec],
    verdicts: Vec<Verdict>,
    scope: &Scope,
    register: &Register,
    now: Timestamp,
) -> Result<Board, StoreError> {
    let targets = targets(view).await?;
    let mut verdicts = verdicts.into_iter();
    let mut control = |spec: &'static RoomSpec| {
        let verdicts: Vec<Verdict> = verdicts.by_ref().take(spec.criteria.len()).collect();
        Control {
            spec,
            level: evaluate::level(spec, &verdicts),
            level_by_slides: evaluate::level_by_slides(spec, &verdicts),
            target: targets.get(spec.control).copied().unwrap_or(Level::None),
            valid_until: evaluate::level_valid_until(spec, &verdicts),
            verdicts,
        }
    };
    let controls: Vec<Control> = rooms.iter().map(|spec| control(spec)).collect();
    let hall = control(&crate::SPEC);
    let drawn = Arc::new(hall::draw(register, &controls, now)?);
    Ok(Board { at: now, controls, hall, scope: scope.extent(view).await?, view: drawn })
}

impl Board {
    /// The eleven controls, then the ISMS itself.
    pub fn all(&self) -> impl Iterator<Item = &Control> {
        self.controls.iter().chain([&self.hall])
    }
}

/// Kind of the decision that sets a control's target level.
pub(crate) const TARGET: &str = "target";

/// The target of each control that has one: what was decided last.
pub(crate) async fn targets(view: View<'_>) -> Result<BTreeMap<String, Level>, StoreError> {
    let mut decisions = view.all(Table::Decision, &[TARGET]).await?;
    decisions.retain(|row| row.status == "approved");
    decisions.sort_by_key(|row| (row.updated_at, row.id));
    let target = |row: &Row| {
        let level = Level::parse(hall::text_of(row, "level")?)?;
        Some((hall::text_of(row, "control")?.to_owned(), level))
    };
    Ok(decisions.iter().filter_map(target).collect())
}

/// Sets the target of controls: a decision each in the register.
pub async fn set_targets(
    store: &Store,
    actor: &str,
    rooms: &[&'static RoomSpec],
    level: Level,
) -> Result<(), StoreError> {
    let mut write = store.write(actor, "target level", "web").await?;
    for spec in rooms {
        // Control and sign, because a row's name has no second language.
        let name = format!("{} {}", spec.control, level.sign());
        let mut decision = Row::new(Table::Decision, store.new_id()?, TARGET, &name);
        decision.status = "approved".to_owned();
        decision.attributes.insert("control".into(), spec.control.into());
        decision.attributes.insert("level".into(), level.name().into());
        write.put(decision).await?;
    }
    write.commit().await
}

impl Control {
    /// The verdict of a criterion.
    pub fn verdict(&self, id: &str) -> Option<&Verdict> {
        self.verdicts.iter().find(|v| v.criterion == id)
    }

    /// What keeps the control from the next rung: its criteria that do not pass.
    pub fn to_next(&self) -> Vec<&Verdict> {
        let next = match self.level {
            Level::None => Level::Ume,
            Level::Ume => Level::Take,
            Level::Take | Level::Matsu => Level::Matsu,
        };
        let on_rung =
            |v: &&Verdict| self.spec.criterion(v.criterion).is_some_and(|c| c.level == next);
        self.verdicts.iter().filter(|v| v.status != Status::Pass).filter(on_rung).collect()
    }

    /// The verdict that answers the room's question, with the answer's text.
    pub fn answer(&self) -> (Text, Option<&Verdict>) {
        let question = &self.spec.question;
        let verdict = self.verdict(question.criterion);
        let text = match verdict.map(|v| v.status) {
            Some(Status::Pass) => question.yes,
            Some(Status::Fail | Status::Stale) => question.no,
            Some(Status::Unknown | Status::Excluded) | None => question.unknown,
        };
        (text, verdict)
    }

    /// Number of criteria that pass on a rung, and how many it has; slides' own only if asked.
    pub fn rung_count(&self, rung: Level, slides_only: bool) -> (usize, usize) {
        let on = self
            .spec
            .rung(rung)
            .filter(|c| !slides_only || c.origin == Origin::Slides)
            .map(|c| self.verdict(c.id).is_some_and(|v| v.status == Status::Pass));
        let all: Vec<bool> = on.collect();
        (all.iter().filter(|passed| **passed).count(), all.len())
    }
}

impl Reason {
    /// The reason as a text with `{name}` places, and the values for them.
    pub fn text(&self) -> (Text, Vec<(&'static str, String)>) {
        let percent = |permille: u16| format!("{}.{}", permille / 10, permille % 10);
        match self {
            Reason::Met => (t("満たしています", "met"), vec![]),
            Reason::MetByHand => (
                t("取込みまたは申告により満たしています", "met by imported or attested records"),
                vec![],
            ),
            Reason::NotCollected => (t("まだ収集されていません", "not collected yet"), vec![]),
            Reason::NoSubjects => (
                t(
                    "対象が登録されていません",
                    "nothing is registered that this could be held against",
                ),
                vec![],
            ),
            Reason::Coverage { passed, total, needed_permille } => (
                t(
                    "{total}件中{passed}件（必要な割合 {needed}%）",
                    "{passed} of {total} ({needed}% needed)",
                ),
                vec![
                    ("passed", passed.to_string()),
                    ("total", total.to_string()),
                    ("needed", percent(*needed_permille)),
                ],
            ),
            Reason::TooOld => (t("証拠が古くなっています", "the evidence is too old"), vec![]),
            Reason::Measured { value, bound, at_least } => (
                if *at_least {
                    t(
                        "実測 {value}（{bound}以上が必要）",
                        "measured {value}, at least {bound} needed",
                    )
                } else {
                    t(
                        "実測 {value}（{bound}以下が必要）",
                        "measured {value}, at most {bound} allowed",
                    )
                },
                vec![("value", value.to_string()), ("bound", bound.to_string())],
            ),
            Reason::Excluded { until } => (
                t("決定により対象外（期限 {until}）", "excluded by a decision until {until}"),
                vec![("until", until.map_or_else(String::new, Timestamp::rfc3339))],
            ),
        }
    }

    /// The reason in one language.
    pub fn render(&self, lang: model::Lang) -> String {
        let (text, values) = self.text();
        fill(text.get(lang), &values)
    }
}

/// Replaces `{name}` places by values.
pub fn fill(text: &str, values: &[(&str, String)]) -> String {
    values
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}
