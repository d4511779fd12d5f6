//! Parameter sheets: the workbook in which an organisation wrote how its hosts should be set, held
//! against how they are, and filled.
//!
//! Purpose: 設計値／実機値／差分／判定／確認日／根拠 in the workbook people already have. The steps are pure:
//! [`map::propose`] says which column holds what, [`compare::compare`] holds rows against facts,
//! [`fill::pages`] says which cells get which value; `reports::fill` writes them.
//!
//! Invariants: a row that is not understood, or whose source was not read, is never equal; a workbook
//! that is not laid out as its kept map says is refused with the cell that differs; cells of rows that
//! could not be judged are left as people wrote them.
//!
//! Limits: those of `reports`, and 64 hosts and 200 columns a table.

pub mod catalogue;
pub mod choose;
pub mod compare;
pub mod fill;
pub mod hosts;
pub mod map;
pub mod value;

use model::{Text, t};

/// What came of one row of one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// As designed.
    Equal,
    /// Set otherwise.
    Differs,
    /// The host does not have it.
    NotSet,
    /// Its source could not be read on the host.
    Unread,
    /// No setting of a host has this name.
    UnknownItem,
    /// The design value cannot be held against what the host has.
    Unclear,
    /// Nothing is designed, or the row does not apply.
    NoDesign,
}

impl Finding {
    pub const ALL: [Finding; 7] = [
        Finding::Equal,
        Finding::Differs,
        Finding::NotSet,
        Finding::Unread,
        Finding::UnknownItem,
        Finding::Unclear,
        Finding::NoDesign,
    ];

    /// The name in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Finding::Equal => "equal",
            Finding::Differs => "differs",
            Finding::NotSet => "not_set",
            Finding::Unread => "unread",
            Finding::UnknownItem => "unknown_item",
            Finding::Unclear => "unclear",
            Finding::NoDesign => "no_design",
        }
    }

    /// What stands in the column 判定.
    pub fn text(self) -> Text {
        match self {
            Finding::Equal => t("一致", "match"),
            Finding::Differs => t("不一致", "differs"),
            Finding::NotSet => t("未設定", "not set"),
            Finding::Unread => t("未確認（読取不可）", "not read"),
            Finding::UnknownItem => t("未確認（項目不明）", "item not known"),
            Finding::Unclear => t("要確認", "to be checked"),
            Finding::NoDesign => t("対象外", "no design value"),
        }
    }

    /// Whether host and design were held against each other.
    pub fn is_judged(self) -> bool {
        matches!(self, Finding::Equal | Finding::Differs | Finding::NotSet)
    }
}
