//! "Does this vulnerability touch us?": bills of materials of hosts and software, advisories of many sources, verdicts,
//! and what is to be done about them.
//!
//! A bill of materials is the payload of a record `configuration.sbom` ([`document`]); advisories lie as they came below
//! `DATA/configuration/advisories` ([`shelf`], [`parcel`], [`fetch`]). [`state`] holds one index over all advisories and
//! one fleet; [`run`] judges what changed and writes down what came of it ([`told`]); [`deeds`] makes tasks of what can
//! be mended, and closes them by the record that shows that it was; [`vex`] lets decisions and statements of suppliers
//! speak.
//!
//! Invariants: silence of a source is never "not affected": a component of whose kind no advisory speaks is counted as
//! uncovered, and what cannot be compared stays unknown with its reason. What was told last stands in the payload of the
//! newest `configuration.impact_run` of each asset, so a restart tells nothing twice. Pages read records, not this
//! process's memory.

pub(crate) mod ask;
mod bring;
#[cfg(test)]
mod corpora;
pub(crate) mod deeds;
pub(crate) mod document;
pub(crate) mod fetch;
#[cfg(test)]
#[path = "impact/flow_tests.rs"]
mod flow;
pub(crate) mod parcel;
pub(crate) mod run;
pub(crate) mod sentence;
pub mod settings;
pub(crate) mod shelf;
pub(crate) mod state;
pub(crate) mod told;
pub(crate) mod vex;

use model::{Field, FieldType, RecordSpec, Writer, t};

const fn n(unit: &'static str) -> FieldType {
    FieldType::Number { unit, min: 0, max: 1_000_000_000_000 }
}

/// A task about an advisory is done: no host that it named is affected any more.
pub(crate) const REMEDIED: RecordSpec = RecordSpec {
    ty: "configuration.remedied",
    writer: Writer::Ume,
    title: t("ぜい弱性への対応の完了", "Vulnerability remedied"),
    fields: &[
        Field::new("advisory", t("勧告番号", "Advisory"), FieldType::Text).required(),
        Field::new("owner", t("担当", "Owner"), FieldType::Text).required(),
        Field::new("task", t("タスク", "Task"), FieldType::Text).required(),
        Field::new("fixed", t("版が上がった資産", "Assets with a fixed version"), n("")).required(),
        Field::new("decided", t("VEXで決定した資産", "Assets decided by VEX"), n("")).required(),
        Field::new("gone", t("対象から外れた資産", "Assets that are gone"), n("")).required(),
        Field::new("moved", t("担当が変わった資産", "Assets of another owner now"), n(""))
            .required(),
    ],
};

/// What is missing in a bill of materials was asked of its supplier.
pub(crate) const ASKED: RecordSpec = RecordSpec {
    ty: "configuration.supplier_asked",
    writer: Writer::Anyone,
    title: t("提供元への照会", "Supplier asked"),
    fields: &[
        Field::new("sbom", t("部品表の記録", "Record of the bill"), FieldType::Text).required(),
        Field::new("unknown_below", t("下が不明な部品", "Components unknown below"), n(""))
            .required(),
        Field::new("unidentified", t("識別できない部品", "Components without identity"), n(""))
            .required(),
    ],
};

/// Statements of somebody else about vulnerabilities.
pub(crate) const STATEMENTS: RecordSpec = RecordSpec {
    ty: "configuration.vex_received",
    writer: Writer::Anyone,
    title: t("VEXの受領", "VEX received"),
    fields: &[
        Field::new("author", t("作成者", "Author"), FieldType::Text).required(),
        Field::new("statements", t("声明の数", "Statements"), n("")).required(),
        Field::new("problems", t("読めなかった箇所", "Places that were not read"), n(""))
            .required(),
    ],
};

/// A source of advisories holds something else than before.
pub(crate) const READ: RecordSpec = RecordSpec {
    ty: "configuration.advisories_read",
    writer: Writer::Ume,
    title: t("勧告の取込み", "Advisories read"),
    fields: &[
        Field::new("source", t("情報源", "Source"), FieldType::Text).required(),
        Field::new("advisories", t("勧告の数", "Advisories"), n("")).required(),
        Field::new("changed", t("変わった勧告", "Advisories changed"), n("")).required(),
        Field::new("quarantined", t("読めずに隔離した文書", "Documents quarantined"), n(""))
            .required(),
        Field::new("root", t("内容の要約値", "Digest of the content"), FieldType::Hash).required(),
    ],
};
