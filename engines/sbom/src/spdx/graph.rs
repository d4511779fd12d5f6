//! SPDX 3.0.1 as JSON-LD.
//!
//! Every element of the graph is kept. Packages and files become components, relationships become
//! edges; licences of a component are read off its relationships, which stay as they are. A graph is a
//! set: elements may come back in another order, with nothing else changed.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::bom::{
    Acknowledgement, Algorithm, Bom, Component, Edge, EdgeKind, Hash, Kind, Licence, LicenceForm,
    Problem, Rest, Rule, Source,
};
use crate::convert;
use crate::document::Written;
use crate::limits::Limits;

const CONTEXT: &str = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
/// Where references begin that a document out of another format makes for itself.
const OWN: &str = "urn:ume:sbom:";

/// Reads the graph of a document.
pub fn from_value(value: Value, limits: &Limits) -> Result<Bom, Vec<Problem>> {
    let problems = check(&value, limits.problems_max);
    if problems.is_empty() { Ok(read(value)) } else { Err(problems) }
}

fn elements(value: &Value) -> &[Value] {
    value.get("@graph").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn kind_of(value: &Value) -> &str {
    let named = text(value, "type");
    if named.is_empty() { text(value, "@type") } else { named }
}

fn id_of(value: &Value) -> &str {
    let named = text(value, "spdxId");
    if named.is_empty() { text(value, "@id") } else { named }
}

/// Types that are values within elements and have neither identifier nor creation information.
const NO_ELEMENTS: [&str; 3] = ["CreationInfo", "ExternalMap", "Hash"];

/// What has to hold: a context of this version, elements with type, identifier and creation
/// information, relationships with both ends, unique identifiers, nothing that dangles.
fn check(value: &Value, max: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    let context = match value.get("@context") {
        Some(Value::String(one)) => one == CONTEXT,
        Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(CONTEXT)),
        _ => false,
    };
    if !context {
        let what = format!("the context is not {CONTEXT}; only SPDX 3.0.1 is read");
        return vec![Problem::at("/@context", Rule::Format, what)];
    }
    if !value.get("@graph").is_some_and(Value::is_array) {
        return vec![Problem::at("/@graph", Rule::Schema, "@graph is missing or no list")];
    }
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (index, one) in elements(value).iter().enumerate() {
        let mut say = |name: &str, rule, what: String| {
            problems.push(Problem::at(format!("/@graph/{index}{name}"), rule, what));
        };
        if kind_of(one).is_empty() {
            say("/type", Rule::Schema, "the element has no type".into());
            continue;
        }
        let id = id_of(one);
        if id.is_empty() {
            say("/spdxId", Rule::Schema, "spdxId is missing".into());
        } else if let Some(first) = known.insert(id, index) {
            say("/spdxId", Rule::Unique, format!("{id:?} stands at /@graph/{first} already"));
        }
        for (name, what) in required(one) {
            say(&format!("/{name}"), Rule::Schema, what);
        }
    }
    problems.extend(dangling(value, &known));
    problems.truncate(max);
    problems
}

/// Members that are missing or of the wrong type.
fn required(one: &Value) -> Vec<(&'static str, String)> {
    let kind = kind_of(one);
    let mut wrong = Vec::new();
    let mut need = |name: &'static str, is: fn(&Value) -> bool, word: &str| match one.get(name) {
        None => wrong.push((name, format!("{name} is missing"))),
        Some(value) if !is(value) => wrong.push((name, format!("{name} is {word}"))),
        Some(_) => {}
    };
    let reference = |value: &Value| value.is_string() || value.is_object();
    if kind == "CreationInfo" {
        need("specVersion", |v| v.as_str().is_some_and(|v| v.starts_with("3.0")), "3.0.1");
        need("created", |v| v.as_str().is_some_and(crate::schema::date_time), "a date and time");
        need(
            "createdBy",
            |v| v.as_array().is_some_and(|list| !list.is_empty()),
            "a list that is not empty",
        );
        return wrong;
    }
    if !NO_ELEMENTS.contains(&kind) && one.get("spdxId").is_some() {
        need("creationInfo", reference, "a reference");
    }
    if kind.ends_with("Relationship") {
        need("from", reference, "a reference");
        need("to", Value::is_array, "a list");
        need("relationshipType", Value::is_string, "a text");
    }
    if matches!(kind, "software_Package" | "software_File") {
        need("name", Value::is_string, "a text");
    }
    if kind == "simplelicensing_LicenseExpression" {
        need("simplelicensing_licenseExpression", Value::is_string, "a text");
    }
    wrong
}

fn dangling(value: &Value, known: &HashMap<&str, usize>) -> Vec<Problem> {
    // What a document says it takes from elsewhere, and the individuals that SPDX defines.
    let imports = elements(value).iter().filter_map(|one| one.get("import")?.as_array()).flatten();
    let imported: HashSet<&str> = imports.map(|one| text(one, "externalSpdxId")).collect();
    let mut problems = Vec::new();
    let mut names = |id: &str, pointer: String| {
        let defined = id.starts_with("https://spdx.org/") || id.starts_with("http://spdx.org/");
        let individual = ["NoAssertionElement", "NoneElement", "SpdxOrganization"].contains(&id)
            || id.starts_with("expandedlicensing_");
        if !(known.contains_key(id) || imported.contains(id) || defined || individual) {
            let what = format!("{id:?} names nothing in this document");
            problems.push(Problem::at(pointer, Rule::Dangling, what));
        }
    };
    for (index, one) in elements(value).iter().enumerate() {
        if let Some(id) = one.get("creationInfo").and_then(Value::as_str) {
            names(id, format!("/@graph/{index}/creationInfo"));
        }
        if !kind_of(one).ends_with("Relationship") {
            continue;
        }
        if let Some(from) = one.get("from").and_then(Value::as_str) {
            names(from, format!("/@graph/{index}/from"));
        }
        let to = one.get("to").and_then(Value::as_array);
        for (at, to) in to.into_iter().flatten().enumerate() {
            if let Some(to) = to.as_str() {
                names(to, format!("/@graph/{index}/to/{at}"));
            }
        }
    }
    problems
}

fn read(value: Value) -> Bom {
    let licences = licences(&value);
    let suppliers: HashMap<String, String> = elements(&value)
        .iter()
        .filter(|one| ["Organization", "Person", "Agent", "SoftwareAgent"].contains(&kind_of(one)))
        .map(|one| (id_of(one).to_owned(), text(one, "name").to_owned()))
        .collect();
    let created = elements(&value).iter().find(|one| kind_of(one) == "CreationInfo");
    let created = created.map(|one| text(one, "created").to_owned());
    let Value::Object(mut rest) = value else { return Bom::default() };
    let graph = match rest.shift_remove("@graph") {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let mut bom = Bom { source: Source::Spdx3, created, ..Bom::default() };
    let mut others = Vec::new();
    for one in graph {
        let kind = kind_of(&one).to_owned();
        match (kind.as_str(), one) {
            ("software_Package" | "software_File", Value::Object(members)) => {
                bom.components.push(component(members, &licences, &suppliers));
            }
            (kind, Value::Object(members)) if kind.ends_with("Relationship") && plain(&members) => {
                bom.edges.push(edge(members));
            }
            (kind, one) => {
                if kind == "SpdxDocument" {
                    bom.serial = Some(id_of(&one).to_owned());
                }
                others.push(one);
            }
        }
    }
    rest.insert("@graph".into(), Value::Array(others));
    bom.rest = rest;
    bom
}

/// Whether both ends are named, not written out.
fn plain(members: &Rest) -> bool {
    let to = members.get("to").and_then(Value::as_array);
    members.get("from").is_some_and(Value::is_string)
        && to.is_some_and(|to| !to.is_empty() && to.iter().all(Value::is_string))
}

/// Expressions by the component they are declared or concluded of.
fn licences(value: &Value) -> HashMap<String, Vec<Licence>> {
    let expressions: HashMap<&str, &str> = elements(value)
        .iter()
        .filter(|one| kind_of(one) == "simplelicensing_LicenseExpression")
        .map(|one| (id_of(one), text(one, "simplelicensing_licenseExpression")))
        .collect();
    let mut all: HashMap<String, Vec<Licence>> = HashMap::new();
    for one in elements(value) {
        let acknowledgement = match text(one, "relationshipType") {
            "hasDeclaredLicense" => Acknowledgement::Declared,
            "hasConcludedLicense" => Acknowledgement::Concluded,
            _ => continue,
        };
        let to = one.get("to").and_then(Value::as_array).into_iter().flatten();
        for text in to.filter_map(|to| expressions.get(to.as_str()?)) {
            let licence = Licence {
                form: LicenceForm::Expression,
                text: (*text).to_owned(),
                acknowledgement: Some(acknowledgement),
                rest: Rest::new(),
            };
            all.entry(self::text(one, "from").to_owned()).or_default().push(licence);
        }
    }
    all
}

fn component(
    mut rest: Rest,
    licences: &HashMap<String, Vec<Licence>>,
    suppliers: &HashMap<String, String>,
) -> Component {
    let mut take = |name: &str| match rest.get(name) {
        Some(Value::String(_)) => match rest.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    };
    let reference = take("spdxId");
    let name = take("name").unwrap_or_default();
    let (version, copyright) = (take("software_packageVersion"), take("software_copyrightText"));
    let description = take("description");
    let identified = |kind: &str| {
        let list = rest.get("externalIdentifier")?.as_array()?;
        let one = list.iter().find(|one| text(one, "externalIdentifierType") == kind)?;
        Some(text(one, "identifier").to_owned())
    };
    let purl = rest.get("software_packageUrl").and_then(Value::as_str).map(str::to_owned);
    let hashes = rest.get("verifiedUsing").and_then(Value::as_array).into_iter().flatten();
    let hashes = hashes.filter(|one| kind_of(one) == "Hash").map(|one| Hash {
        algorithm: Algorithm::spdx3(text(one, "algorithm")),
        value: text(one, "hashValue").to_owned(),
    });
    let supplier = rest.get("suppliedBy").and_then(Value::as_str);
    let kind = match rest.get("type").and_then(Value::as_str) {
        Some("software_File") => Some(Kind::File),
        _ => rest.get("software_primaryPurpose").and_then(Value::as_str).and_then(Kind::of_spdx3),
    };
    Component {
        kind,
        name,
        version,
        copyright,
        description,
        purl: purl.or_else(|| identified("packageUrl")),
        cpe: identified("cpe23").or_else(|| identified("cpe22")),
        hashes: hashes.collect(),
        licences: reference.as_ref().and_then(|id| licences.get(id)).cloned().unwrap_or_default(),
        supplier: supplier.and_then(|id| suppliers.get(id)).cloned(),
        reference,
        rest,
        ..Component::default()
    }
}

fn edge(mut rest: Rest) -> Edge {
    let text = |rest: &mut Rest, name: &str| match rest.shift_remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let kind = text(&mut rest, "relationshipType");
    let kind = match kind.as_str() {
        "dependsOn" => EdgeKind::DependsOn,
        "contains" => EdgeKind::Contains,
        "describes" => EdgeKind::Describes,
        _ => EdgeKind::Other(kind),
    };
    let from = text(&mut rest, "from");
    let to = match rest.shift_remove("to") {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let to = to.into_iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
    Edge { from, kind, to, joined: false, rest }
}

/// Writes SPDX 3.0.1.
pub fn write(bom: &Bom) -> Result<Written, Problem> {
    let mut losses = Vec::new();
    let value = match bom.source {
        Source::Spdx3 => again(bom),
        _ => made(&convert::to_spdx(bom, &mut losses), &mut losses),
    };
    if let Some(problem) = check(&value, 1).pop() {
        return Err(problem);
    }
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    Ok(Written { text, losses })
}

fn put(out: &mut Rest, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.insert(name.into(), text.into());
    }
}

fn word(kind: &EdgeKind) -> &str {
    match kind {
        EdgeKind::DependsOn => "dependsOn",
        EdgeKind::Contains => "contains",
        EdgeKind::Describes => "describes",
        EdgeKind::Provides => "hasSpecification",
        EdgeKind::Other(kind) => kind,
    }
}

/// A document that came as SPDX 3.
fn again(bom: &Bom) -> Value {
    let mut out = bom.rest.clone();
    let mut graph = match out.shift_remove("@graph") {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    for one in bom.walk() {
        let mut members = one.rest.clone();
        put(&mut members, "spdxId", one.reference.as_deref());
        put(&mut members, "name", Some(&one.name));
        put(&mut members, "software_packageVersion", one.version.as_deref());
        put(&mut members, "software_copyrightText", one.copyright.as_deref());
        put(&mut members, "description", one.description.as_deref());
        graph.push(Value::Object(members));
    }
    for edge in &bom.edges {
        let mut members = edge.rest.clone();
        put(&mut members, "from", Some(&edge.from));
        members.insert("to".into(), edge.to.iter().map(String::as_str).collect());
        put(&mut members, "relationshipType", Some(word(&edge.kind)));
        graph.push(Value::Object(members));
    }
    out.insert("@graph".into(), Value::Array(graph));
    Value::Object(out)
}

/// Relations of SPDX 2 that have a word in SPDX 3, and whether they go the other way.
const WORDS: [(&str, &str, bool); 17] = [
    ("ANCESTOR_OF", "ancestorOf", false),
    ("BUILD_TOOL_OF", "usesTool", true),
    ("CONTAINED_BY", "contains", true),
    ("COPY_OF", "copiedTo", true),
    ("DEPENDENCY_OF", "dependsOn", true),
    ("DESCENDANT_OF", "ancestorOf", true),
    ("DOCUMENTATION_OF", "hasDocumentation", true),
    ("DYNAMIC_LINK", "hasDynamicLink", false),
    ("GENERATED_FROM", "generates", true),
    ("GENERATES", "generates", false),
    ("OPTIONAL_DEPENDENCY_OF", "hasOptionalDependency", true),
    ("PATCH_FOR", "patchedBy", true),
    ("PROVIDED_DEPENDENCY_OF", "hasProvidedDependency", true),
    ("RUNTIME_DEPENDENCY_OF", "dependsOn", true),
    ("SPECIFICATION_FOR", "hasSpecification", true),
    ("STATIC_LINK", "hasStaticLink", false),
    ("VARIANT_OF", "hasVariant", true),
];

/// A document out of the words of SPDX 2.
fn made(bom: &Bom, losses: &mut Vec<Problem>) -> Value {
    let base = bom.serial.clone().unwrap_or_else(|| format!("{OWN}document"));
    let mut making = Making {
        base,
        graph: Vec::new(),
        expressions: HashMap::new(),
        agents: HashMap::new(),
        texts: HashMap::new(),
        others: others(bom),
        imports: Vec::new(),
    };
    let created = bom.created.as_deref().unwrap_or("1970-01-01T00:00:00Z");
    let tool = making.id("agent-ume");
    making.graph.push(json!({
        "type": "CreationInfo", "@id": "_:creation", "specVersion": "3.0.1",
        "created": created, "createdBy": [tool],
    }));
    making.graph.push(json!({
        "type": "SoftwareAgent", "spdxId": tool, "creationInfo": "_:creation", "name": "ume",
    }));
    making.licence_texts(bom);
    let mut listed = Vec::new();
    for one in bom.walk() {
        untold(one, losses);
        listed.push(making.component(one));
    }
    let roots = making.edges(bom, losses);
    let roots = if roots.is_empty() { listed.clone() } else { roots };
    let (document, sbom) = (making.id("SPDXRef-DOCUMENT"), making.id("sbom"));
    making.graph.push(json!({
        "type": "software_Sbom", "spdxId": sbom, "creationInfo": "_:creation",
        "rootElement": roots, "element": listed,
    }));
    let mut head = json!({
        "type": "SpdxDocument", "spdxId": document, "creationInfo": "_:creation",
        "name": bom.rest.get("name").and_then(Value::as_str).unwrap_or("sbom"),
        "rootElement": [sbom],
        "profileConformance": ["core", "software", "simpleLicensing"],
    });
    if let Some(comment) = bom.rest.get("comment") {
        head["comment"] = comment.clone();
    }
    if !making.imports.is_empty() {
        head["import"] = Value::Array(std::mem::take(&mut making.imports));
    }
    making.graph.push(head);
    const SAID: [&str; 9] = [
        "dataLicense",
        "SPDXID",
        "name",
        "creationInfo",
        "documentDescribes",
        "comment",
        "hasExtractedLicensingInfos",
        "externalDocumentRefs",
        "$schema",
    ];
    for name in bom.rest.keys().filter(|name| !SAID.contains(&name.as_str())) {
        losses.push(Problem::at(format!("/{name}"), Rule::Schema, "not written in SPDX 3"));
    }
    json!({"@context": CONTEXT, "@graph": making.graph})
}

/// Members of a component in SPDX 2 that are not written.
fn untold(one: &Component, losses: &mut Vec<Problem>) {
    const SAID: [&str; 13] = [
        "downloadLocation",
        "filesAnalyzed",
        "homepage",
        "sourceInfo",
        "comment",
        "supplier",
        "externalRefs",
        "licenseConcluded",
        "licenseDeclared",
        "copyrightText",
        "checksums",
        "primaryPackagePurpose",
        "fileName",
    ];
    for (name, value) in one.rest.iter().filter(|(name, _)| !SAID.contains(&name.as_str())) {
        if value.as_str().is_some_and(super::read::says_nothing) {
            continue;
        }
        let mut pointer = String::new();
        crate::json::push(&mut pointer, one.reference.as_deref().unwrap_or_default());
        crate::json::push(&mut pointer, name);
        losses.push(Problem::at(pointer, Rule::Schema, "not written in SPDX 3"));
    }
}

/// Other documents by the name they are referred to with.
fn others(bom: &Bom) -> HashMap<String, String> {
    let list = bom.rest.get("externalDocumentRefs").and_then(Value::as_array);
    let list = list.into_iter().flatten();
    list.map(|one| (text(one, "externalDocumentId").into(), text(one, "spdxDocument").into()))
        .collect()
}

struct Making {
    base: String,
    graph: Vec<Value>,
    /// Identifiers of expressions that are there.
    expressions: HashMap<String, String>,
    /// Identifiers of suppliers that are there.
    agents: HashMap<String, String>,
    /// Identifiers of licences that are no others than their texts.
    texts: HashMap<String, String>,
    /// Other documents.
    others: HashMap<String, String>,
    /// What of them is named here.
    imports: Vec<Value>,
}

impl Making {
    /// The end of a relation: an element of this document or of another, or one of the words that
    /// stand for none.
    fn end(&mut self, name: &str) -> String {
        match name {
            "NONE" => return "https://spdx.org/rdf/3.0.1/terms/Core/NoneElement".into(),
            "NOASSERTION" => {
                return "https://spdx.org/rdf/3.0.1/terms/Core/NoAssertionElement".into();
            }
            _ => {}
        }
        let Some((document, element)) =
            name.split_once(':').filter(|_| name.starts_with("DocumentRef-"))
        else {
            return self.id(name);
        };
        let base = self.others.get(document).cloned().unwrap_or_else(|| document.to_owned());
        let id = format!("{base}#{element}");
        let import = json!({"type": "ExternalMap", "externalSpdxId": id});
        if !self.imports.contains(&import) {
            self.imports.push(import);
        }
        id
    }

    fn licence_texts(&mut self, bom: &Bom) {
        let list = bom.rest.get("hasExtractedLicensingInfos").and_then(Value::as_array);
        for one in list.into_iter().flatten() {
            let name = text(one, "licenseId");
            let id = self.id(name);
            let mut made = json!({
                "type": "simplelicensing_SimpleLicensingText", "spdxId": id,
                "creationInfo": "_:creation",
                "simplelicensing_licenseText": text(one, "extractedText"),
            });
            if let Some(name) = one.get("name") {
                made["name"] = name.clone();
            }
            self.graph.push(made);
            self.texts.insert(name.to_owned(), id);
        }
    }

    fn id(&self, name: &str) -> String {
        format!("{}#{}", self.base, name.strip_prefix("SPDXRef-").unwrap_or(name))
    }

    fn component(&mut self, one: &Component) -> String {
        let id = self.id(one.reference.as_deref().unwrap_or("element"));
        let file = one.kind == Some(Kind::File) && !one.rest.contains_key("downloadLocation");
        let mut out = Map::new();
        put(&mut out, "type", Some(if file { "software_File" } else { "software_Package" }));
        put(&mut out, "spdxId", Some(&id));
        put(&mut out, "creationInfo", Some("_:creation"));
        put(&mut out, "name", Some(&one.name));
        put(&mut out, "description", one.description.as_deref());
        put(&mut out, "comment", one.rest.get("comment").and_then(Value::as_str));
        put(&mut out, "software_copyrightText", one.copyright.as_deref());
        if !file {
            put(&mut out, "software_packageVersion", one.version.as_deref());
            put(&mut out, "software_packageUrl", one.purl.as_deref());
            put(&mut out, "software_primaryPurpose", one.kind.and_then(Kind::spdx3));
            let place = |name: &str| {
                let text = one.rest.get(name)?.as_str()?;
                (!super::read::says_nothing(text)).then_some(text)
            };
            put(&mut out, "software_downloadLocation", place("downloadLocation"));
            put(&mut out, "software_homePage", place("homepage"));
            put(&mut out, "software_sourceInfo", place("sourceInfo"));
        }
        self.hashes(one, &mut out);
        if let Some(cpe) = &one.cpe {
            let kind = if cpe.starts_with("cpe:2.3:") { "cpe23" } else { "cpe22" };
            out.insert(
                "externalIdentifier".into(),
                json!([{
                    "type": "ExternalIdentifier", "externalIdentifierType": kind, "identifier": cpe,
                }]),
            );
        }
        if let Some(supplier) = &one.supplier {
            let agent = self.agent(supplier);
            put(&mut out, "suppliedBy", Some(&agent));
        }
        self.graph.push(Value::Object(out));
        for licence in &one.licences {
            self.licence(&id, licence);
        }
        id
    }

    fn hashes(&self, one: &Component, out: &mut Rest) {
        let hashes = one.hashes.iter().filter_map(|hash| {
            let name = hash.algorithm.to_spdx3()?;
            Some(json!({"type": "Hash", "algorithm": name, "hashValue": hash.value}))
        });
        let hashes: Vec<Value> = hashes.collect();
        if !hashes.is_empty() {
            out.insert("verifiedUsing".into(), Value::Array(hashes));
        }
    }

    fn agent(&mut self, name: &str) -> String {
        if let Some(known) = self.agents.get(name) {
            return known.clone();
        }
        let id = self.id(&format!("agent-{}", self.agents.len() + 1));
        self.graph.push(json!({
            "type": "Organization", "spdxId": id, "creationInfo": "_:creation", "name": name,
        }));
        self.agents.insert(name.to_owned(), id.clone());
        id
    }

    fn licence(&mut self, from: &str, licence: &Licence) {
        let known = self.expressions.get(&licence.text).cloned();
        let expression = known.unwrap_or_else(|| {
            let id = self.id(&format!("licence-{}", self.expressions.len() + 1));
            let mut made = json!({
                "type": "simplelicensing_LicenseExpression", "spdxId": id,
                "creationInfo": "_:creation", "simplelicensing_licenseExpression": licence.text,
            });
            let words = licence.text.split(|c: char| c.is_whitespace() || "()+".contains(c));
            let texts = words.filter_map(|word| Some((word, self.texts.get(word)?)));
            let texts: Vec<Value> = texts
                .map(|(key, value)| json!({"type": "DictionaryEntry", "key": key, "value": value}))
                .collect();
            if !texts.is_empty() {
                made["simplelicensing_customIdToUri"] = Value::Array(texts);
            }
            self.graph.push(made);
            self.expressions.insert(licence.text.clone(), id.clone());
            id
        });
        let kind = match licence.acknowledgement {
            Some(Acknowledgement::Concluded) => "hasConcludedLicense",
            _ => "hasDeclaredLicense",
        };
        self.relationship(from, kind, &[expression]);
    }

    fn relationship(&mut self, from: &str, kind: &str, to: &[String]) {
        let number = self.graph.len();
        let id = self.id(&format!("relationship-{number}"));
        self.graph.push(json!({
            "type": "Relationship", "spdxId": id, "creationInfo": "_:creation",
            "from": from, "relationshipType": kind, "to": to,
        }));
    }

    /// Relationships; gives what the document describes.
    fn edges(&mut self, bom: &Bom, losses: &mut Vec<Problem>) -> Vec<String> {
        let mut roots = Vec::new();
        for edge in &bom.edges {
            let to: Vec<String> = edge.to.iter().map(|to| self.end(to)).collect();
            let from = self.end(&edge.from);
            let (kind, back) = match &edge.kind {
                EdgeKind::Describes => {
                    roots.extend(to.into_iter().filter(|to| !to.ends_with("/NoneElement")));
                    continue;
                }
                EdgeKind::Other(kind) => {
                    let known = WORDS.iter().find(|(two, ..)| two == kind);
                    match known {
                        Some((_, word, back)) => (*word, *back),
                        None => {
                            let what = format!("{kind} has no word in SPDX 3; written as other");
                            losses.push(Problem::at(format!("/{}", edge.from), Rule::Schema, what));
                            ("other", false)
                        }
                    }
                }
                kind => (word(kind), false),
            };
            if to.is_empty() {
                continue;
            }
            if back {
                to.iter().for_each(|to| self.relationship(to, kind, std::slice::from_ref(&from)));
            } else {
                self.relationship(&from, kind, &to);
            }
        }
        roots
    }
}
