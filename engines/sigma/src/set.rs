//! The rule set: all documents read, judged, and compiled together.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use crate::{
    condition::{self, Expr},
    correlation::{self, Correlation},
    document::{
        self, CorrelationDocument, Detection, Document, FilterDocument, LogSource, Meta,
        RuleDocument,
    },
    error::{Fault, Reason, Rejected},
    index::{self, Index},
    limits::Limits,
    modifier::{self, Compiling, Tree},
    predicate::{FieldId, Logic, Pool, Predicate},
    profile::TrafficProfile,
    taxonomy, yaml,
};

/// A file with documents.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub file: &'a str,
    pub bytes: &'a [u8],
}

/// What rules need to know of where they run.
#[derive(Clone, Debug)]
pub struct Env {
    /// Values of `%name%`
    pub placeholders: BTreeMap<String, Vec<String>>,
    /// Taxonomies whose names the events here have
    pub taxonomies: BTreeSet<String>,
    /// Whether deprecated and unsupported rules are on
    pub with_off: bool,
}

impl Default for Env {
    fn default() -> Env {
        let taxonomies = ["sigma", "ecs"].map(str::to_owned).into();
        Env { placeholders: BTreeMap::new(), taxonomies, with_off: false }
    }
}

/// A detection rule of a set, by its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// A detection rule.
#[derive(Clone, Debug)]
pub struct Rule {
    pub meta: Meta,
    pub logsource: LogSource,
    /// How the source must be set up, in the author's words
    pub definition: Option<String>,
    /// Whether its own matches are findings; not so if only correlations use it
    pub standalone: bool,
    /// Changes with every change of the rule or its filters
    pub version: u128,
    /// Titles of the filters laid over it
    pub filters: Vec<String>,
    pub(crate) group: u16,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) logic: Logic,
}

/// A condition over named selections; the first is the rule's, the others are filters that must not hold.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub title: String,
    pub condition: String,
    pub selections: Vec<(String, Logic)>,
    pub logic: Logic,
}

/// Compiled rules, filters and correlations. Cheap to clone.
#[derive(Clone)]
pub struct RuleSet {
    pub(crate) core: Arc<Core>,
    pub(crate) index: Arc<Index>,
}

pub(crate) struct Core {
    pub rules: Vec<Rule>,
    pub correlations: Vec<Correlation>,
    /// Fields that correlations ask of events
    pub slots: Vec<String>,
    pub off: Vec<Meta>,
    pub filters: Vec<Meta>,
    pub predicates: Vec<Predicate>,
    pub fields: Vec<String>,
    /// hash of a name → field; the name decides
    pub field_of: rustc_hash::FxHashMap<u64, FieldId>,
    pub groups: Vec<LogSource>,
    /// Of each log source of the taxonomy, the groups it meets
    pub of_source: Vec<Bits>,
    pub hash: u128,
}

/// A set of small numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bits(pub Vec<u64>);

impl Bits {
    pub fn of(count: usize) -> Bits {
        Bits(vec![0; count.div_ceil(64)])
    }

    pub fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    pub fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }

    /// Sets it; whether it was not.
    pub fn put(&mut self, at: usize) -> bool {
        let (word, bit) = (&mut self.0[at / 64], 1 << (at % 64));
        let fresh = *word & bit == 0;
        *word |= bit;
        fresh
    }

    pub fn clear(&mut self, at: usize) {
        self.0[at / 64] &= !(1 << (at % 64));
    }

    pub fn fill(&mut self) {
        self.0.fill(u64::MAX);
    }

    pub fn add(&mut self, other: &Bits) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
}

/// FNV-1a with 128 bits: for versions and ids, the same for ever on every machine.
pub(crate) fn fnv(bytes: &[u8], seed: u128) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(seed, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

pub(crate) const FNV_SEED: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;

/// Reads and compiles documents. What is refused does not touch the others.
pub fn load(sources: &[Source<'_>], env: &Env, limits: &Limits) -> (RuleSet, Vec<Rejected>) {
    let mut loader = Loader { env, limits, rejected: Vec::new(), off: Vec::new() };
    let documents = loader.documents(sources);
    let set = loader.compile(documents);
    let mut rejected = loader.rejected;
    rejected.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    (set, rejected)
}

struct Loader<'a> {
    env: &'a Env,
    limits: &'a Limits,
    rejected: Vec<Rejected>,
    off: Vec<Meta>,
}

/// A document with the version of its text.
struct Read {
    document: Document,
    version: u128,
}

/// A rule on its way: its conditions as trees.
struct Draft {
    rule: RuleDocument,
    version: u128,
    clauses: Vec<DraftClause>,
    filters: Vec<String>,
}

struct DraftClause {
    title: String,
    condition: String,
    selections: Vec<(String, Tree)>,
    expr: Expr,
}

impl Loader<'_> {
    fn reject(&mut self, file: &str, title: &str, id: Option<&String>, fault: Fault) {
        let Fault { line, column, reason } = fault;
        let (file, title, id) = (file.to_owned(), title.to_owned(), id.cloned());
        self.rejected.push(Rejected { file, line, column, title, id, reason });
    }

    fn refuse(&mut self, document: &Document, reason: Reason) {
        let meta = document.meta();
        self.reject(&meta.file, &meta.title, meta.id.as_ref(), Fault::at(document.place(), reason));
    }

    /// Reads all files; of two documents with one id or name the later is refused.
    fn documents(&mut self, sources: &[Source<'_>]) -> Vec<Read> {
        let mut documents: Vec<Read> = Vec::new();
        let mut ids: HashMap<String, String> = HashMap::new();
        let mut names: HashMap<String, String> = HashMap::new();
        for source in sources {
            for node in yaml::read(source.bytes, self.limits) {
                let node = match node {
                    Ok(node) => node,
                    Err(fault) => {
                        self.reject(source.file, "", None, fault);
                        continue;
                    }
                };
                let document = match document::read(source.file, &node, self.limits) {
                    Ok(document) => document,
                    Err(fault) => {
                        let text =
                            |key: &str| node.get(key).and_then(|n| n.text()).map(str::to_owned);
                        let (title, id) = (text("title").unwrap_or_default(), text("id"));
                        self.reject(source.file, &title, id.as_ref(), fault);
                        continue;
                    }
                };
                if documents.len() >= self.limits.documents {
                    self.refuse(
                        &document,
                        Reason::Limit("documents in a set", self.limits.documents),
                    );
                    continue;
                }
                let meta = document.meta();
                let here = format!("{}:{}", meta.file, meta.line);
                let fault = match (&meta.id, &meta.name, &meta.taxonomy) {
                    (Some(id), _, _) if ids.contains_key(&id.to_lowercase()) => {
                        Some(Reason::DoubleId(id.clone(), ids[&id.to_lowercase()].clone()))
                    }
                    (_, Some(name), _) if names.contains_key(name) => {
                        Some(Reason::DoubleName(name.clone(), names[name].clone()))
                    }
                    (_, _, Some(taxonomy)) if !self.env.taxonomies.contains(taxonomy) => {
                        Some(Reason::Taxonomy(taxonomy.clone()))
                    }
                    _ => None,
                };
                if let Some(reason) = fault {
                    self.refuse(&document, reason);
                    continue;
                }
                ids.extend(meta.id.as_ref().map(|id| (id.to_lowercase(), here.clone())));
                names.extend(meta.name.clone().map(|name| (name, here)));
                if meta.status.is_some_and(|s| s.is_off()) && !self.env.with_off {
                    self.off.push(meta.clone());
                    continue;
                }
                let version = fnv(document::json(&node).to_string().as_bytes(), FNV_SEED);
                documents.push(Read { document, version });
            }
        }
        documents
    }

    fn compile(&mut self, documents: Vec<Read>) -> RuleSet {
        let mut drafts = Vec::new();
        let mut filters = Vec::new();
        let mut correlations = Vec::new();
        for Read { document, version } in documents {
            match document {
                Document::Rule(rule) => match self.clause(&rule.meta.title, &rule.detection) {
                    Ok(clause) => {
                        drafts.push(Draft {
                            rule,
                            version,
                            clauses: vec![clause],
                            filters: Vec::new(),
                        });
                    }
                    Err(fault) => {
                        self.reject(&rule.meta.file, &rule.meta.title, rule.meta.id.as_ref(), fault)
                    }
                },
                Document::Filter(filter) => filters.push((filter, version)),
                Document::Correlation(correlation) => correlations.push((correlation, version)),
            }
        }
        let mut applied = Vec::new();
        for (filter, version) in filters {
            match self.filter(&filter, version, &mut drafts, &correlations) {
                Ok(()) => applied.push(filter.meta),
                Err(fault) => {
                    self.reject(
                        &filter.meta.file,
                        &filter.meta.title,
                        filter.meta.id.as_ref(),
                        fault,
                    );
                }
            }
        }
        self.assemble(drafts, applied, correlations)
    }

    /// The conditions of a detection; several are joined with or.
    fn clause(&self, title: &str, detection: &Detection) -> Result<DraftClause, Fault> {
        let mut cx = Compiling {
            placeholders: &self.env.placeholders,
            limits: self.limits,
            left: self.limits.predicates,
        };
        let mut selections = Vec::new();
        for (name, _, node) in &detection.selections {
            selections.push((name.clone(), modifier::selection(name, node, &mut cx)?));
        }
        let names: Vec<&str> = selections.iter().map(|(name, _)| name.as_str()).collect();
        let mut exprs = Vec::new();
        for (text, place) in &detection.conditions {
            let fault = |reason| Fault::at(*place, reason);
            let expr = condition::read(text, &names, self.limits).map_err(fault)?;
            let size = expr_size(&expr, &selections);
            if size > self.limits.predicates * 4 {
                return Err(fault(Reason::Limit(
                    "predicates in a condition",
                    self.limits.predicates * 4,
                )));
            }
            exprs.push(expr);
        }
        let texts: Vec<&str> = detection.conditions.iter().map(|(text, _)| text.as_str()).collect();
        let condition = texts.join(" / ");
        let expr = if exprs.len() == 1 { exprs.remove(0) } else { Expr::Or(exprs) };
        Ok(DraftClause { title: title.to_owned(), condition, selections, expr })
    }

    fn filter(
        &self,
        filter: &FilterDocument,
        version: u128,
        drafts: &mut [Draft],
        correlations: &[(CorrelationDocument, u128)],
    ) -> Result<(), Fault> {
        // Its own faults first: they are faults whatever rules there are.
        self.clause(&filter.meta.title, &filter.detection)?;
        let mut named = Vec::new();
        for (name, place) in &filter.rules {
            let fault = |reason| Err(Fault::at(*place, reason));
            match drafts.iter().position(|draft| is_named(&draft.rule.meta, name)) {
                Some(at) if filter.logsource.holds_for(&drafts[at].rule.logsource) => {
                    named.push(at)
                }
                Some(_) => return fault(Reason::FilterLogsource(name.clone())),
                None if self.off.iter().any(|meta| is_named(meta, name)) => {}
                None if correlations.iter().any(|(c, _)| is_named(&c.meta, name)) => {
                    return fault(Reason::FilterTarget(name.clone()));
                }
                None => return fault(Reason::Reference(name.clone())),
            }
        }
        for at in named {
            let clause = self.clause(&filter.meta.title, &filter.detection)?;
            drafts[at].clauses.push(clause);
            drafts[at].filters.push(filter.meta.title.clone());
            drafts[at].version = fnv(&version.to_le_bytes(), drafts[at].version);
        }
        Ok(())
    }

    fn assemble(
        &mut self,
        drafts: Vec<Draft>,
        filters: Vec<Meta>,
        correlations: Vec<(CorrelationDocument, u128)>,
    ) -> RuleSet {
        let mut pool = Pool::default();
        let mut groups: Vec<LogSource> = Vec::new();
        let mut rules: Vec<Rule> = Vec::new();
        for draft in drafts {
            let Draft { rule, version, clauses, filters } = draft;
            let group = groups.iter().position(|g| *g == rule.logsource).unwrap_or_else(|| {
                groups.push(rule.logsource.clone());
                groups.len() - 1
            });
            let clauses: Vec<Clause> = clauses
                .into_iter()
                .map(|c| compiled(c, &mut pool, self.limits.regex_bytes))
                .collect();
            let logic = whole(&clauses);
            rules.push(Rule {
                meta: rule.meta,
                logsource: rule.logsource,
                definition: rule.definition,
                standalone: true,
                version,
                filters,
                group: group as u16,
                clauses,
                logic,
            });
        }
        let resolved = correlation::resolve(correlations, &mut rules, &self.off, self.limits);
        let correlation::Resolved { correlations, slots, refused } = resolved;
        for (meta, fault) in refused {
            self.reject(&meta.file, &meta.title, meta.id.as_ref(), fault);
        }
        let versions =
            rules.iter().map(|r| r.version).chain(correlations.iter().map(|c| c.version));
        let hash = versions.fold(FNV_SEED, |hash, version| fnv(&version.to_le_bytes(), hash));
        let of_source =
            taxonomy::sources().iter().map(|source| groups_of(&groups, source)).collect();
        let Pool { predicates, fields, .. } = pool;
        let field_of = fields
            .iter()
            .enumerate()
            .map(|(id, name)| (crate::arena::name_hash(name), id as FieldId))
            .collect();
        let off = std::mem::take(&mut self.off);
        let core = Arc::new(Core {
            rules,
            correlations,
            slots,
            off,
            filters,
            predicates,
            fields,
            field_of,
            groups,
            of_source,
            hash,
        });
        let index = Arc::new(core.index(None));
        RuleSet { core, index }
    }
}

pub(crate) fn is_named(meta: &Meta, name: &str) -> bool {
    meta.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(name))
        || meta.name.as_deref() == Some(name)
}

fn tree_size(tree: &Tree) -> usize {
    match tree {
        Tree::Test(..) => 1,
        Tree::Not(inner) => tree_size(inner),
        Tree::And(parts) | Tree::Or(parts) => parts.iter().map(tree_size).sum(),
    }
}

fn expr_size(expr: &Expr, selections: &[(String, Tree)]) -> usize {
    match expr {
        Expr::Name(at) => tree_size(&selections[*at].1),
        Expr::Not(inner) => expr_size(inner, selections),
        Expr::And(parts) | Expr::Or(parts) => {
            parts.iter().fold(0usize, |sum, part| sum.saturating_add(expr_size(part, selections)))
        }
    }
}

fn compiled(draft: DraftClause, pool: &mut Pool, regex_bytes: usize) -> Clause {
    let DraftClause { title, condition, selections, expr } = draft;
    let selections: Vec<(String, Logic)> =
        selections.into_iter().map(|(name, tree)| (name, pool.logic(&tree, regex_bytes))).collect();
    let logic = inlined(&expr, &selections);
    Clause { title, condition, selections, logic }
}

fn inlined(expr: &Expr, selections: &[(String, Logic)]) -> Logic {
    match expr {
        Expr::Name(at) => selections[*at].1.clone(),
        Expr::Not(inner) => Logic::Not(Box::new(inlined(inner, selections))),
        Expr::And(parts) => {
            Logic::And(parts.iter().map(|part| inlined(part, selections)).collect())
        }
        Expr::Or(parts) => Logic::Or(parts.iter().map(|part| inlined(part, selections)).collect()),
    }
}

/// The rule's own condition and none of the filters.
fn whole(clauses: &[Clause]) -> Logic {
    let own = clauses[0].logic.clone();
    if clauses.len() == 1 {
        return own;
    }
    let filters = clauses[1..].iter().map(|c| Logic::Not(Box::new(c.logic.clone())));
    Logic::And(std::iter::once(own).chain(filters).collect())
}

/// The groups of rules an event of `source` is for.
pub(crate) fn groups_of(groups: &[LogSource], source: &LogSource) -> Bits {
    let mut bits = Bits::of(groups.len());
    for (at, group) in groups.iter().enumerate() {
        if group.holds_for(source) {
            bits.set(at);
        }
    }
    bits
}

impl Core {
    fn index(&self, profile: Option<&TrafficProfile>) -> Index {
        let logics: Vec<&Logic> = self.rules.iter().map(|rule| &rule.logic).collect();
        index::build(&self.predicates, self.fields.len(), &logics, profile)
    }
}

impl RuleSet {
    /// The same rules, waiting for what is rare in this traffic. Results do not change.
    pub fn tuned(&self, profile: &TrafficProfile) -> RuleSet {
        RuleSet { core: self.core.clone(), index: Arc::new(self.core.index(Some(profile))) }
    }

    pub fn rules(&self) -> &[Rule] {
        &self.core.rules
    }

    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.core.rules.get(id.0 as usize)
    }

    /// Folded texts ([`crate::folded`]) of which every event that meets the rule has at least one in one of its
    /// values; `None` if there are none of four bytes or more. Events without one need not be looked at.
    pub fn necessary(&self, id: RuleId) -> Option<Vec<Vec<u8>>> {
        index::necessary(&self.rule(id)?.logic, false, &self.core.predicates)
    }

    /// By id or name.
    pub fn find(&self, name: &str) -> Option<RuleId> {
        self.core
            .rules
            .iter()
            .position(|rule| is_named(&rule.meta, name))
            .map(|at| RuleId(at as u32))
    }

    pub fn correlations(&self) -> &[Correlation] {
        &self.core.correlations
    }

    /// Rules that are deprecated or unsupported, and so off.
    pub fn off(&self) -> &[Meta] {
        &self.core.off
    }

    /// Filters that are laid over rules.
    pub fn filters(&self) -> &[Meta] {
        &self.core.filters
    }

    /// Changes with every change of any rule, filter or correlation.
    pub fn hash(&self) -> u128 {
        self.core.hash
    }

    /// Predicates after equal ones became one.
    pub fn predicates(&self) -> usize {
        self.core.predicates.len()
    }

    /// Rules without a necessary witness: they are tried on every event of their log source.
    pub fn unwitnessed(&self) -> impl Iterator<Item = &Rule> {
        self.index.always.iter().map(|at| &self.core.rules[*at as usize])
    }
}
