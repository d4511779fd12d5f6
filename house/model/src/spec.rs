//! What a room *is*, as pure data.

use crate::{Criterion, Expr, KindSpec, Level, RecordSpec, Text};

/// A room: one of the eleven controls, or the hall. A struct literal without `..` answers every
/// question of the floor plan.
#[derive(Clone, Copy, Debug)]
pub struct RoomSpec {
    /// Folder and API name, for example `monitoring`.
    pub id: &'static str,
    /// Clause of Annex A, for example `8.16`.
    pub control: &'static str,
    pub name: Text,
    /// 規格要求事項から見た整理, in our own words.
    pub requirement: Text,
    /// 概要
    pub overview: Text,
    /// 実現したいこと
    pub aim: Text,
    /// 主な実施者
    pub actors: Text,
    /// 情報の例示
    pub examples: Text,
    /// Related controls, for example `["8.15", "5.25"]`.
    pub related: &'static [&'static str],
    /// The question the room's page answers at its top.
    pub question: Question,
    /// For 梅, 竹, 松 in this order.
    pub levels: [LevelText; 3],
    /// What each rung demands beyond the rung below; 梅, 竹, 松.
    pub ladder: [Expr; 3],
    pub criteria: &'static [Criterion],
    /// Asset kinds the room owns.
    pub kinds: &'static [KindSpec],
    /// Rule kinds the room owns.
    pub rules: &'static [KindSpec],
    /// Norm, plan and decision kinds the room adds.
    pub others: &'static [KindSpec],
    pub records: &'static [RecordSpec],
    /// Where a person mends a miss.
    pub mends: &'static [Mend],
    /// OCSF class ids consumed.
    pub consumes: &'static [u32],
    /// OCSF class ids emitted.
    pub emits: &'static [u32],
    /// Folders under the data directory the room owns.
    pub files: &'static [&'static str],
}

/// The two sentences of a level: 機能実装レベル and 実装概要.
#[derive(Clone, Copy, Debug)]
pub struct LevelText {
    pub function: Text,
    pub practice: Text,
}

/// A question and the criterion whose coverage answers it. In the answers `{passed}`, `{total}` and
/// `{missing}` are replaced by the coverage.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub text: Text,
    pub criterion: &'static str,
    /// Shown when the criterion passes.
    pub yes: Text,
    /// Shown when it fails or is stale.
    pub no: Text,
    /// Shown when nothing is known.
    pub unknown: Text,
}

/// Says what to do about a miss of a criterion.
#[derive(Clone, Copy, Debug)]
pub struct Mend {
    pub criterion: &'static str,
    pub text: Text,
}

impl RoomSpec {
    /// The criterion with this id.
    pub fn criterion(&self, id: &str) -> Option<&'static Criterion> {
        self.criteria.iter().find(|c| c.id == id)
    }

    /// Criteria of one rung.
    pub fn rung(&self, level: Level) -> impl Iterator<Item = &'static Criterion> + '_ {
        self.criteria.iter().filter(move |c| c.level == level)
    }

    /// Every contradiction inside the spec, as text for a test to print; empty when sound.
    pub fn contradictions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut say = |what: String| wrong.push(format!("{}: {what}", self.id));
        for criterion in self.criteria {
            let id = criterion.id;
            let rung = criterion.level.name();
            if !id.starts_with(&format!("{}/{rung}-", self.control)) {
                say(format!("criterion {id} does not start with {}/{rung}-", self.control));
            }
            if self.criteria.iter().filter(|c| c.id == id).count() != 1 {
                say(format!("criterion {id} stands twice"));
            }
            if criterion.by_hand.is_some() && criterion.level != Level::Ume {
                say(format!("{id}: attestation lifts nothing above 梅"));
            }
            if !self.mends.iter().any(|m| m.criterion == id) {
                say(format!("{id} has no mend"));
            }
            let index = criterion.level as usize - 1;
            if !self.ladder[index].ids().contains(&id) {
                say(format!("{id} is not on its rung of the ladder"));
            }
        }
        for id in self.ladder.iter().flat_map(|e| e.ids()) {
            if self.criterion(id).is_none() {
                say(format!("the ladder names {id}, which is no criterion"));
            }
        }
        for mend in self.mends {
            if self.criterion(mend.criterion).is_none() {
                say(format!("mend for unknown criterion {}", mend.criterion));
            }
        }
        if self.criterion(self.question.criterion).is_none() {
            say(format!("the question rests on unknown criterion {}", self.question.criterion));
        }
        for record in self.records {
            if !record.ty.starts_with(&format!("{}.", self.id)) {
                say(format!("record type {} does not start with {}.", record.ty, self.id));
            }
        }
        for (ty, field) in self.criteria.iter().flat_map(|c| c.check.fields()) {
            let Some(record) = self.records.iter().find(|r| r.ty == ty) else {
                continue; // another owner's: checked where all rooms are known
            };
            let head = field.split('/').next().unwrap_or(field);
            if !record.fields.iter().any(|f| f.name == head) {
                say(format!("a check reads {ty}.{field}, which its schema does not declare"));
            }
        }
        for kind in self.kinds.iter().chain(self.rules).chain(self.others) {
            wrong.extend(kind.contradictions());
        }
        for text in self.texts() {
            if text.ja.trim().is_empty() || text.en.trim().is_empty() {
                wrong.push(format!("{}: text without a language: {text:?}", self.id));
            }
        }
        wrong
    }

    /// Every user-visible text of the spec.
    pub fn texts(&self) -> Vec<Text> {
        let mut all = vec![self.name, self.requirement, self.overview, self.aim, self.actors];
        all.extend([self.examples, self.question.text, self.question.yes, self.question.no]);
        all.push(self.question.unknown);
        all.extend(self.levels.iter().flat_map(|l| [l.function, l.practice]));
        all.extend(self.mends.iter().map(|m| m.text));
        all.extend(self.records.iter().flat_map(RecordSpec::texts));
        for criterion in self.criteria {
            all.push(criterion.text);
            all.extend(criterion.by_hand);
        }
        for kind in self.kinds.iter().chain(self.rules).chain(self.others) {
            all.extend(kind.texts());
        }
        all
    }
}
