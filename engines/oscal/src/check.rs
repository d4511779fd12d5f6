//! Judges documents: what in them breaks OSCAL's rules, where, and what to do about it.

use std::collections::HashMap;

use crate::{
    document::{Document, Kind},
    model::{MODEL, Object, Ty},
    node::{Members, Node},
    pointer::{self, Step},
    references,
    scalar::{Instant, Scalar, instant},
};

/// Findings of one document after which checking it stops.
pub const FINDINGS_MAX: usize = 1_000;

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// RFC 6901 pointer into the document
    pub pointer: String,
    pub rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The document is none of the seven models
    Model,
    /// A version this crate does not know
    Version(String),
    /// A member OSCAL 1.2 does not have
    Unknown,
    /// A required member is not there
    Missing(&'static str),
    /// A list without items
    Empty,
    /// Not the JSON type that stands here
    Type(&'static str),
    /// A text that is not of its type
    Value(Scalar, String),
    /// A time without zone
    NoZone(String),
    /// A `uuid` or id that stands at another place as well
    Double(String, String),
    /// A reference whose target is in no document given
    Dangling(String),
    /// A reference whose target lies in a document that is imported and was not given
    Elsewhere(String),
}

impl Rule {
    /// Whether nothing is known to be wrong: it could not be looked up.
    pub fn is_open(&self) -> bool {
        matches!(self, Rule::Elsewhere(_))
    }

    /// A short name that stays.
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Model => "model",
            Rule::Version(_) => "version",
            Rule::Unknown => "unknown-member",
            Rule::Missing(_) => "missing-member",
            Rule::Empty => "empty-list",
            Rule::Type(_) => "type",
            Rule::Value(..) => "value",
            Rule::NoZone(_) => "no-zone",
            Rule::Double(..) => "double",
            Rule::Dangling(_) => "dangling",
            Rule::Elsewhere(_) => "elsewhere",
        }
    }

    /// What is wrong and what to do, in English.
    pub fn en(&self) -> String {
        match self {
            Rule::Model => "not one of OSCAL's seven models; kept as it is".to_owned(),
            Rule::Version(version) => {
                format!("OSCAL version {version:?} is not 1.0 to 1.2; judged by 1.2")
            }
            Rule::Unknown => {
                "OSCAL 1.2 has no such member; it is kept, others may refuse it".to_owned()
            }
            Rule::Missing(name) => format!("member {name:?} is missing; add it"),
            Rule::Empty => "the list is empty; leave the member out".to_owned(),
            Rule::Type(want) => format!("{want} belongs here"),
            Rule::Value(scalar, text) => format!("{:?} is not {}", short(text), wanted(scalar).1),
            Rule::NoZone(text) => format!("{text:?} has no time zone; add Z or +09:00"),
            Rule::Double(id, other) => {
                format!("{id:?} stands at {other} too; give one of them another id")
            }
            Rule::Dangling(id) => format!(
                "nothing with the id {:?} is in the documents given; correct it, or add its target",
                short(id)
            ),
            Rule::Elsewhere(id) => format!(
                "{:?} is not in this document; give the imported document too to look it up",
                short(id)
            ),
        }
    }

    /// The same in Japanese.
    pub fn ja(&self) -> String {
        match self {
            Rule::Model => "OSCALの七つのモデルではありません。そのまま保持します".to_owned(),
            Rule::Version(version) => {
                format!("OSCALの版「{version}」は1.0〜1.2ではありません。1.2として判定しました")
            }
            Rule::Unknown => {
                "OSCAL 1.2にないメンバーです。保持しますが、他の製品では拒否されることがあります"
                    .to_owned()
            }
            Rule::Missing(name) => format!("メンバー「{name}」がありません。追加してください"),
            Rule::Empty => "リストが空です。メンバーごと省いてください".to_owned(),
            Rule::Type(want) => format!("ここに置けるのは{}です", type_ja(want)),
            Rule::Value(scalar, text) => {
                format!("「{}」は{}ではありません", short(text), wanted(scalar).0)
            }
            Rule::NoZone(text) => {
                format!("「{text}」にタイムゾーンがありません。Zか+09:00を付けてください")
            }
            Rule::Double(id, other) => {
                format!("「{id}」は{other}にもあります。一方のIDを変えてください")
            }
            Rule::Dangling(id) => format!(
                "ID「{}」は渡された文書のどこにもありません。直すか、参照先を追加してください",
                short(id)
            ),
            Rule::Elsewhere(id) => format!(
                "「{}」はこの文書にありません。確かめるには、インポート元の文書も渡してください",
                short(id)
            ),
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What a scalar type asks for, in both languages.
fn wanted(scalar: &Scalar) -> (String, String) {
    let (ja, en) = match scalar {
        Scalar::Text => ("文字列", "a text"),
        Scalar::Line => ("空でない一行の文字列", "one line that is not empty"),
        Scalar::String => {
            ("前後に空白のない一行の文字列", "one line without white space at its ends")
        }
        Scalar::Token => (
            "識別子（文字か_で始まり、数字では始まりません。例: a.5.7）",
            "a token: it begins with a letter or _, never a digit (a.5.7)",
        ),
        Scalar::Uuid => (
            "バージョン4か5のUUID（バージョン7からはuuid_v5で導出できます）",
            "a UUID of version 4 or 5; derive a version 5 from other ids",
        ),
        Scalar::DateTime => {
            ("日時（例: 2026-11-28T09:00:00+09:00）", "a date and time (2026-11-28T09:00:00+09:00)")
        }
        Scalar::Date => ("日付（例: 2026-11-28）", "a date (2026-11-28)"),
        Scalar::Uri => ("スキーム付きのURI", "a URI with a scheme"),
        Scalar::Email => ("メールアドレス", "an e-mail address"),
        Scalar::Base64 => ("Base64", "Base64"),
        Scalar::Boolean => ("trueかfalse", "true or false"),
        Scalar::Integer { .. } => ("範囲内の整数", "a whole number in range"),
        Scalar::Enum(allowed) => {
            return (
                format!("{}のいずれか", allowed.join("、")),
                format!("one of {}", allowed.join(", ")),
            );
        }
    };
    (ja.to_owned(), en.to_owned())
}

fn type_ja(want: &str) -> &str {
    match want {
        "a list" => "リスト",
        "an object" => "オブジェクト",
        "a text" => "文字列",
        "a whole number" => "整数",
        _ => "trueかfalse",
    }
}

/// Judges a document. References are looked up in it and in `others`, the documents it imports.
pub fn check(document: &Document, others: &[&Document]) -> Vec<Finding> {
    let mut checker = Checker { path: Vec::new(), findings: Vec::new(), ids: HashMap::new() };
    checker.document(document);
    let mut findings = checker.findings;
    if findings.len() < FINDINGS_MAX {
        references::check(document, others, FINDINGS_MAX - findings.len(), &mut findings);
    }
    findings
}

struct Checker<'a> {
    path: Vec<Step<'a>>,
    findings: Vec<Finding>,
    /// Where each `uuid` and each id of its scope stood first
    ids: HashMap<(Scope, &'a str), String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    Uuid,
    Control,
    Parameter,
    Role,
}

impl<'a> Checker<'a> {
    fn found(&mut self, rule: Rule) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { pointer: pointer::of(&self.path), rule });
        }
    }

    fn document(&mut self, document: &'a Document) {
        let Some(members) = document.root.members() else {
            return self.found(Rule::Type("an object"));
        };
        let Some(kind) = document.kind() else {
            return self.found(Rule::Model);
        };
        for (name, value) in members.iter() {
            self.path.push(Step::Member(name));
            if name == kind.name() {
                self.value(value, &Ty::Object(kind.name()));
                self.version(document);
            } else if name != "$schema" {
                self.found(Rule::Unknown);
            }
            self.path.pop();
        }
    }

    fn version(&mut self, document: &'a Document) {
        let Some(version) = document.oscal_version() else {
            return;
        };
        let mut parts = version.splitn(3, '.');
        let known = parts.next() == Some("1") && matches!(parts.next(), Some("0" | "1" | "2"));
        if !known {
            self.path.extend([Step::Member("metadata"), Step::Member("oscal-version")]);
            self.found(Rule::Version(version.to_owned()));
            self.path.truncate(self.path.len() - 2);
        }
    }

    fn value(&mut self, node: &'a Node, ty: &Ty) {
        match (ty, node) {
            (Ty::Any, _) => {}
            (Ty::Scalar(scalar), node) => self.scalar(node, scalar),
            (Ty::List(_), Node::List(items)) if items.is_empty() => self.found(Rule::Empty),
            (Ty::List(ty), Node::List(items)) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(Step::Item(at));
                    self.value(item, ty);
                    self.path.pop();
                }
            }
            (Ty::List(_), _) => self.found(Rule::Type("a list")),
            (Ty::Object(name), Node::Object(members)) => {
                if let Some(object) = MODEL.object(name) {
                    self.object(members, object);
                    self.identity(name, members);
                }
            }
            (Ty::Object(_), _) => self.found(Rule::Type("an object")),
        }
    }

    fn object(&mut self, members: &'a Members, object: &'static Object) {
        for (name, value) in members.iter() {
            self.path.push(Step::Member(name));
            match object.member(name) {
                Some(member) => self.value(value, &member.ty),
                None => self.found(Rule::Unknown),
            }
            self.path.pop();
        }
        for member in object.members.iter().filter(|member| member.required) {
            if members.get(member.name).is_none() {
                self.found(Rule::Missing(member.name));
            }
        }
    }

    fn scalar(&mut self, node: &'a Node, scalar: &Scalar) {
        match (node, scalar) {
            (Node::Text(text), Scalar::DateTime) if instant(text) == Instant::WithoutZone => {
                self.found(Rule::NoZone(text.clone()));
            }
            (Node::Text(text), scalar) if scalar.is_text() => {
                if !scalar.takes(text) {
                    self.found(Rule::Value(scalar.clone(), text.clone()));
                }
            }
            (Node::Number(text), Scalar::Integer { .. }) => {
                if !scalar.takes_number(text) {
                    self.found(Rule::Value(scalar.clone(), text.clone()));
                }
            }
            (Node::Bool(_), Scalar::Boolean) => {}
            (_, Scalar::Integer { .. }) => self.found(Rule::Type("a whole number")),
            (_, Scalar::Boolean) => self.found(Rule::Type("true or false")),
            _ => self.found(Rule::Type("a text")),
        }
    }

    fn identity(&mut self, object: &str, members: &'a Members) {
        let scope = match object {
            "control" => Some(Scope::Control),
            "parameter" => Some(Scope::Parameter),
            "role" => Some(Scope::Role),
            _ => None,
        };
        let id = scope.and_then(|scope| Some(("id", scope, members.get("id")?.text()?)));
        let uuid = members.get("uuid").and_then(Node::text);
        for (name, scope, id) in id.into_iter().chain(uuid.map(|id| ("uuid", Scope::Uuid, id))) {
            self.path.push(Step::Member(name));
            let here = pointer::of(&self.path);
            match self.ids.get(&(scope, id)) {
                Some(first) => self.found(Rule::Double(id.to_owned(), first.clone())),
                None => {
                    self.ids.insert((scope, id), here);
                }
            }
            self.path.pop();
        }
    }
}

/// Whether documents of a kind import others, so that a reference may lead there.
pub(crate) fn imports(kind: Kind, body: &Node) -> bool {
    match kind {
        Kind::AssessmentPlan | Kind::AssessmentResults | Kind::Profile => true,
        Kind::ComponentDefinition => body.get("import-component-definitions").is_some(),
        Kind::PlanOfActionAndMilestones => body.get("import-ssp").is_some(),
        Kind::Catalog | Kind::SystemSecurityPlan => false,
    }
}
