//! The ISMS as OSCAL documents, and OSCAL documents as drafts of our rows.
//!
//! Invariants: an export is a pure function of board, register and language, and passes the engine's
//! rules or is not made; ids derive from the ledger's origin and our own ids, so they stay the same in
//! every export of one Ume and differ from everybody else's. What an imported document says beyond what
//! we model is kept: the file itself is, and later exports of its model are laid over it.

mod assessment;
mod controls;
mod import;
mod source;
mod statement;

use model::{Lang, Text, t};
use oscal::{
    Document,
    export::{About, Refused, Tongue, Words},
};
use store::{Store, StoreError};

pub use import::{Change, Draft, ImportError, Line, ROWS_MAX, draft, keep, read, take};
pub use source::Source;

use crate::Board;

/// Namespace of our property names. `.invalid` is reserved and nobody can register it: the URI names and
/// never leads anywhere.
pub const VOCABULARY: &str = "https://ume.invalid/oscal";

/// The seven documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    Catalog,
    Profile,
    ComponentDefinition,
    Statement,
    AssessmentPlan,
    AssessmentResults,
    PlanOfAction,
}

impl Model {
    pub const ALL: [Model; 7] = [
        Model::Catalog,
        Model::Profile,
        Model::ComponentDefinition,
        Model::Statement,
        Model::AssessmentPlan,
        Model::AssessmentResults,
        Model::PlanOfAction,
    ];

    /// Its short name, on the command line and in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Model::Catalog => "catalog",
            Model::Profile => "profile",
            Model::ComponentDefinition => "component-definition",
            Model::Statement => "ssp",
            Model::AssessmentPlan => "assessment-plan",
            Model::AssessmentResults => "assessment-results",
            Model::PlanOfAction => "poam",
        }
    }

    pub fn parse(name: &str) -> Option<Model> {
        Model::ALL.into_iter().find(|model| model.name() == name)
    }

    /// The engine's word for it.
    pub fn kind(self) -> oscal::Kind {
        match self {
            Model::Catalog => oscal::Kind::Catalog,
            Model::Profile => oscal::Kind::Profile,
            Model::ComponentDefinition => oscal::Kind::ComponentDefinition,
            Model::Statement => oscal::Kind::SystemSecurityPlan,
            Model::AssessmentPlan => oscal::Kind::AssessmentPlan,
            Model::AssessmentResults => oscal::Kind::AssessmentResults,
            Model::PlanOfAction => oscal::Kind::PlanOfActionAndMilestones,
        }
    }

    /// Under what the documents refer to each other: files of one folder.
    fn href(self) -> String {
        format!("{}.json", self.name())
    }

    fn title(self) -> Text {
        match self {
            Model::Catalog => t("管理策と箇条の目録", "Catalogue of controls and clauses"),
            Model::Profile => t("適用する管理策", "Controls that apply"),
            Model::ComponentDefinition => {
                t("Umeが管理策に対して行うこと", "What Ume does for each control")
            }
            Model::Statement => t("適用宣言書", "Statement of Applicability"),
            Model::AssessmentPlan => t("基準による評価の計画", "Plan of assessment by criteria"),
            Model::AssessmentResults => t("基準の判定結果", "Verdicts on the criteria"),
            Model::PlanOfAction => t("未達・リスク・タスクの計画", "Plan of gaps, risks and tasks"),
        }
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("this ledger has no name yet: start `ume serve` once")]
    NoOrigin,
    #[error("nothing is below its target and no task or risk is open, and OSCAL has no empty plan")]
    NothingOpen,
    #[error("the export is not sound: {0}")]
    Refused(#[from] Refused),
    #[error("the file imported before cannot be read: {0}")]
    Earlier(String),
}

impl ExportError {
    /// What a user reads.
    pub fn text(&self, lang: Lang) -> String {
        let ja = match self {
            ExportError::NoOrigin => {
                "この証跡にはまだ名前がありません。一度 ume serve を起動してください".to_owned()
            }
            ExportError::NothingOpen => {
                "目標に届かない管理策も、未了のタスクやリスクもありません。OSCALでは空の計画を書けません".to_owned()
            }
            ExportError::Refused(refused) => match refused.0.first() {
                Some(finding) => format!("書き出しに誤りがあります: {} {}", finding.pointer, finding.rule.ja()),
                None => refused.to_string(),
            },
            ExportError::Earlier(why) => {
                format!("以前に取り込んだファイルを読めません: {why}。--plain で重ねずに書き出せます")
            }
            ExportError::Store(error) => error.to_string(),
        };
        if lang == Lang::Ja { ja } else { self.to_string() }
    }
}

/// The document of a model as things stand, over nothing.
pub fn export(
    board: &Board,
    source: &Source,
    model: Model,
    lang: Lang,
) -> Result<Document, ExportError> {
    let about = about(board, source, model, lang);
    match model {
        Model::Catalog => controls::catalog(&about, board),
        Model::Profile => controls::profile(&about, board),
        Model::ComponentDefinition => controls::components(&about, board),
        Model::Statement => statement::statement(&about, board, source),
        Model::AssessmentPlan => assessment::plan(&about, board),
        Model::AssessmentResults => assessment::results(&about, board, source),
        Model::PlanOfAction => assessment::plan_of_action(&about, board, source),
    }
}

/// The same, laid over the file of this model that was imported last, if there is one and `plain` is not
/// asked for: what it says beyond our model is said again.
pub async fn export_over(
    store: &Store,
    board: &Board,
    model: Model,
    lang: Lang,
    plain: bool,
) -> Result<Document, ExportError> {
    let source = Source::load(store, board).await?;
    let fresh = export(board, &source, model, lang)?;
    if plain {
        return Ok(fresh);
    }
    match import::earlier(store, model).await? {
        None => Ok(fresh),
        Some(earlier) => Ok(oscal::overlay(&earlier, &fresh).document),
    }
}

fn about(board: &Board, source: &Source, model: Model, lang: Lang) -> About {
    let (title, name) = (model.title(), source.organisation_name());
    About {
        namespace: source.namespace,
        vocabulary: VOCABULARY.to_owned(),
        tongue: if lang == Lang::Ja { Tongue::Ja } else { Tongue::En },
        title: match name {
            "" => words(title),
            name => Words::new(format!("{name} {}", title.ja), format!("{name}: {}", title.en)),
        },
        version: board.at.rfc3339().chars().take(10).collect(),
        last_modified: board.at.rfc3339(),
        publisher: source::ORGANISATION.to_owned(),
        parties: source.parties(board),
    }
}

/// A text of ours.
fn words(text: Text) -> Words {
    Words::new(text.ja, text.en)
}

/// A text of a register, which has one language.
fn told(text: &str) -> Words {
    Words::new(text, text)
}

/// Id of a control in the documents: that of the norm, or a token for one of the organisation's own.
fn control_id(number: &str) -> String {
    if let Some(norm) = crate::norms::annex_a().iter().find(|n| n.number == number) {
        return norm.id.clone();
    }
    let token: String = number
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' })
        .collect();
    if token == number {
        return format!("own.{token}");
    }
    // Two numbers may become the same token, so what was replaced still tells them apart.
    use sha2::{Digest, Sha256};
    format!("own.{token}.{}", &hex::encode(Sha256::digest(number))[..8])
}
