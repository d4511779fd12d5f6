//! From the words of one format to those of another. What has no word there is told.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::bom::{
    Acknowledgement, Algorithm, Bom, Component, Edge, EdgeKind, Kind, Licence, LicenceForm,
    Problem, Rest, Rule, Source,
};
use crate::spdx::Ids;

/// A loss at a place of the model.
fn lost(losses: &mut Vec<Problem>, place: &str, member: &str, what: &str) {
    let mut pointer = String::new();
    crate::json::push(&mut pointer, place);
    crate::json::push(&mut pointer, member);
    losses.push(Problem::at(pointer, Rule::Schema, what));
}

/// The namespace of a document that has none.
const NAMESPACE: &str = "urn:ume:sbom";

/// A model in the words of SPDX 2: flat, with identifiers and relationships.
pub(crate) fn to_spdx(bom: &Bom, losses: &mut Vec<Problem>) -> Bom {
    if let Source::Spdx2(_) = bom.source {
        return bom.clone();
    }
    let mut making = Spdx { ids: Ids::default(), extracted: Vec::new(), losses };
    let mut out = Bom { source: Source::Spdx2(3), created: created(bom), ..Bom::default() };
    out.serial = Some(match &bom.serial {
        Some(serial) if serial.contains(':') => serial.split('#').next().unwrap_or_default().into(),
        _ => NAMESPACE.to_owned(),
    });
    // Those without a reference are told apart by their number, wherever they are met.
    let numbers: HashMap<*const Component, usize> =
        bom.walk().enumerate().map(|(index, one)| (std::ptr::from_ref(one), index)).collect();
    for (index, one) in bom.walk().enumerate() {
        let made = making.component(one, index);
        for part in &one.components {
            let number = numbers.get(&std::ptr::from_ref(part)).copied().unwrap_or_default();
            let to = vec![making.ids.of(&reference(part, number))];
            let from = made.reference.clone().unwrap_or_default();
            out.edges.push(Edge { kind: EdgeKind::Contains, ..Edge::depends(from, to) });
        }
        out.components.push(made);
    }
    making.edges(bom, &mut out);
    making.document(bom, &mut out);
    out
}

/// SPDX has whole seconds in UTC only; other times are told where they matter, in the comment.
fn created(bom: &Bom) -> Option<String> {
    let text = bom.created.as_deref()?;
    let plain = text.len() == 20 && text.ends_with('Z');
    let utc = text.ends_with('Z') || text.ends_with("+00:00");
    match (plain, utc) {
        (true, _) => Some(text.to_owned()),
        (false, true) => text.get(..19).map(|start| format!("{start}Z")),
        (false, false) => utc_of(text),
    }
}

/// A time with an offset as UTC, by whole seconds.
fn utc_of(text: &str) -> Option<String> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let offset = text.get(text.len().checked_sub(6)?..)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let minutes =
        offset.get(1..3)?.parse::<i64>().ok()? * 60 + offset.get(4..6)?.parse::<i64>().ok()?;
    // Days since 1 March of the year 0, as civil calendars are counted.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    let seconds = days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?
        - sign * minutes * 60;
    let (days, left) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let era = days.div_euclid(146_097);
    let within = days.rem_euclid(146_097);
    let y = (within - within / 1460 + within / 36_524 - within / 146_096) / 365;
    let of_year = within - (365 * y + y / 4 - y / 100);
    let m = (5 * of_year + 2) / 153;
    let day = of_year - (153 * m + 2) / 5 + 1;
    let (month, year) = if m < 10 { (m + 3, y + era * 400) } else { (m - 9, y + era * 400 + 1) };
    let (hour, minute, second) = (left / 3600, left / 60 % 60, left % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

fn reference(one: &Component, index: usize) -> String {
    let named = one.reference.clone().or_else(|| one.purl.clone());
    named
        .unwrap_or_else(|| format!("{}-{}-{index}", one.name, one.version.as_deref().unwrap_or("")))
}

struct Spdx<'a> {
    ids: Ids,
    /// Licences without an identifier, and their texts.
    extracted: Vec<Value>,
    losses: &'a mut Vec<Problem>,
}

/// Members of CycloneDX that are written in other words.
const SAID_ELSEWHERE: [&str; 5] =
    ["type", "evidence", "externalReferences", "supplier", "mime-type"];

impl Spdx<'_> {
    fn component(&mut self, one: &Component, index: usize) -> Component {
        let place = reference(one, index);
        let mut rest = Rest::new();
        // A file of SPDX 2 has a SHA-1; any other is a package whose purpose is to be a file.
        let sha1 = one.hashes.iter().any(|hash| hash.algorithm == Algorithm::Sha1);
        let file =
            one.kind == Some(Kind::File) && one.components.is_empty() && one.purl.is_none() && sha1;
        if !file {
            rest.insert("downloadLocation".into(), self.download(one).into());
            rest.insert("filesAnalyzed".into(), false.into());
        }
        self.urls(one, &place, &mut rest);
        let comment = comment(one);
        if !comment.is_empty() {
            rest.insert("comment".into(), comment.into());
        }
        if let Some(source) = one.source_package() {
            let version = source.version.map(|version| format!(" {version}")).unwrap_or_default();
            let text = format!("built package from: {}{version}", source.name);
            if !file {
                rest.insert("sourceInfo".into(), text.into());
            }
        }
        for name in one.rest.keys().filter(|name| !SAID_ELSEWHERE.contains(&name.as_str())) {
            if one.rest.get("downloadLocation").is_none() {
                lost(self.losses, &place, name, "SPDX has no place for this");
            }
        }
        let name = match &one.group {
            Some(group) if !file => format!("{group}/{}", one.name),
            _ => one.name.clone(),
        };
        if one.kind.is_some_and(|kind| kind.spdx2().is_none()) && !file {
            lost(self.losses, &place, "type", "SPDX 2 has no word for this kind");
        }
        let hashes = one.hashes.iter().filter(|hash| hash.algorithm.to_spdx2().is_some());
        Component {
            reference: Some(self.ids.of(&place)),
            kind: one.kind,
            name: if name.is_empty() { "unnamed".into() } else { name },
            version: one.version.clone().or_else(|| one.version_range.clone()),
            purl: one.purl.clone().filter(|_| !file),
            cpe: one.cpe.clone().filter(|_| !file),
            hashes: hashes.cloned().collect(),
            licences: self.licences(one),
            supplier: one.supplier.clone().filter(|_| !file),
            copyright: one.copyright.clone(),
            description: one.description.clone().filter(|_| !file),
            rest,
            ..Component::default()
        }
    }

    fn external<'a>(one: &'a Component, kind: &str) -> Option<&'a str> {
        let list = one.rest.get("externalReferences")?.as_array()?;
        let is = |one: &&Value| one.get("type").and_then(Value::as_str) == Some(kind);
        list.iter().find(is)?.get("url")?.as_str()
    }

    fn download(&self, one: &Component) -> String {
        let place = Self::external(one, "distribution").or_else(|| Self::external(one, "vcs"));
        let place = place.filter(|url| url.contains("://") && !url.contains(char::is_whitespace));
        place.unwrap_or("NOASSERTION").to_owned()
    }

    fn urls(&mut self, one: &Component, place: &str, rest: &mut Rest) {
        if let Some(url) = Self::external(one, "website") {
            rest.insert("homepage".into(), url.into());
        }
        let list = one.rest.get("externalReferences").and_then(Value::as_array);
        for (index, one) in list.into_iter().flatten().enumerate() {
            let kind = one.get("type").and_then(Value::as_str).unwrap_or_default();
            if !["website", "distribution", "vcs"].contains(&kind) {
                let member = format!("externalReferences/{index}");
                lost(self.losses, place, &member, "SPDX has no place for a reference of this type");
            }
        }
    }

    /// One expression declared, one concluded: several that were listed all apply.
    fn licences(&mut self, one: &Component) -> Vec<Licence> {
        let mut out = Vec::new();
        for acknowledgement in [Acknowledgement::Declared, Acknowledgement::Concluded] {
            let is = |licence: &&Licence| {
                licence.acknowledgement.unwrap_or(Acknowledgement::Declared) == acknowledgement
            };
            let all: Vec<&Licence> = one.licences.iter().filter(is).collect();
            let texts: Vec<String> = all.iter().map(|licence| self.expression(licence)).collect();
            let text = match texts.as_slice() {
                [] => continue,
                [one] => one.clone(),
                several => {
                    let closed = |text: &String| {
                        if text.contains(' ') { format!("({text})") } else { text.clone() }
                    };
                    several.iter().map(closed).collect::<Vec<_>>().join(" AND ")
                }
            };
            let (form, acknowledgement) = (LicenceForm::Expression, Some(acknowledgement));
            out.push(Licence { form, text, acknowledgement, rest: Rest::new() });
        }
        out
    }

    /// An expression; a name that is none gets an identifier and stands with its text.
    fn expression(&mut self, licence: &Licence) -> String {
        if licence.expression().is_some() {
            return licence.text.clone();
        }
        let name: String = licence
            .text
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() || char == '.' { char } else { '-' })
            .take(100)
            .collect();
        let name = name.trim_matches('-');
        let mut id = format!("LicenseRef-{}", if name.is_empty() { "unnamed" } else { name });
        let text = licence.rest.get("text").and_then(|text| text.get("content")?.as_str());
        let text = text.unwrap_or(&licence.text);
        // A name is one line.
        let wanted = licence.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let same = |one: &Value| one["name"].as_str() == Some(&wanted);
        if let Some(known) = self.extracted.iter().find(|one| same(one)) {
            return known["licenseId"].as_str().unwrap_or_default().to_owned();
        }
        while self.extracted.iter().any(|one| one["licenseId"].as_str() == Some(&id)) {
            id.push_str("-2");
        }
        self.extracted.push(json!({"licenseId": id, "name": wanted, "extractedText": text}));
        id
    }

    fn edges(&mut self, bom: &Bom, out: &mut Bom) {
        let known: HashSet<String> =
            bom.walk().enumerate().map(|(index, one)| reference(one, index)).collect();
        for edge in &bom.edges {
            let to = edge.to.iter().filter(|to| known.contains(*to));
            let to: Vec<String> = to.map(|to| self.ids.of(to)).collect();
            if !known.contains(&edge.from) || to.len() < edge.to.len() {
                lost(self.losses, &edge.from, "dependencies", "an end of the edge is no component");
            }
            if known.contains(&edge.from) && !to.is_empty() {
                let from = self.ids.of(&edge.from);
                let kind = match (&edge.kind, bom.source) {
                    // Words of SPDX 3 are not those of SPDX 2.
                    (EdgeKind::Other(_), Source::Spdx3) => EdgeKind::Other("OTHER".into()),
                    (kind, _) => kind.clone(),
                };
                out.edges.push(Edge { from, kind, to, joined: false, rest: Rest::new() });
            }
        }
        let subject = bom.subject.as_ref().map(|one| self.ids.of(&reference(one, 0)));
        let described = match subject {
            Some(subject) => vec![subject],
            None => {
                let parts = out.components.iter().filter_map(|one| one.reference.clone());
                parts.take(1).collect()
            }
        };
        // A document that describes nothing says so.
        let described = if described.is_empty() { vec!["NONE".into()] } else { described };
        let edge = Edge::depends("SPDXRef-DOCUMENT", described);
        out.edges.insert(0, Edge { kind: EdgeKind::Describes, ..edge });
    }

    fn document(&mut self, bom: &Bom, out: &mut Bom) {
        let name = bom.subject.as_ref().map_or("sbom", |one| one.name.as_str());
        let creators = json!([format!("Tool: ume-{}", env!("CARGO_PKG_VERSION"))]);
        let mut rest = Map::new();
        rest.insert("dataLicense".into(), "CC0-1.0".into());
        rest.insert("SPDXID".into(), "SPDXRef-DOCUMENT".into());
        rest.insert("name".into(), name.into());
        rest.insert("creationInfo".into(), json!({"creators": creators}));
        if out.created.is_none() {
            // A time is required; this one says that none was given.
            out.created = Some("1970-01-01T00:00:00Z".into());
            lost(self.losses, "metadata", "timestamp", "no time was given, and SPDX asks for one");
        }
        if !self.extracted.is_empty() {
            let list = Value::Array(std::mem::take(&mut self.extracted));
            rest.insert("hasExtractedLicensingInfos".into(), list);
        }
        out.rest = rest;
        if let Source::CycloneDx(_) = bom.source {
            for name in
                bom.rest.keys().filter(|name| !["metadata", "$schema"].contains(&name.as_str()))
            {
                lost(self.losses, "document", name, "SPDX 2 has no place for this");
            }
        }
        if !bom.compositions.is_empty() {
            lost(self.losses, "document", "compositions", "SPDX says nothing on completeness");
        }
        if !bom.vulnerabilities.is_empty() {
            lost(self.losses, "document", "vulnerabilities", "SPDX 2 has no place for this");
        }
    }
}

/// What a package says beside its fields, for people.
fn comment(one: &Component) -> String {
    let mut lines: Vec<String> =
        one.locations.iter().map(|place| format!("found at: {place}")).collect();
    lines.extend(one.properties.iter().map(|property| {
        let name = property.name.as_deref().unwrap_or_default();
        format!("{name}: {}", property.value.as_deref().unwrap_or_default())
    }));
    lines.join("\n")
}

/// A model in the words of CycloneDX: the described package is the subject, what is contained is
/// nested, reversed relations are turned round.
pub(crate) fn to_cyclonedx(bom: &Bom, losses: &mut Vec<Problem>) -> Bom {
    if matches!(bom.source, Source::CycloneDx(_) | Source::Made) {
        return bom.clone();
    }
    let mut parts: Vec<Component> = bom.components.iter().map(|one| plain(one, losses)).collect();
    let names: HashSet<String> = parts.iter().filter_map(|one| one.reference.clone()).collect();
    let mut needs: Vec<(String, Vec<String>)> = Vec::new();
    let mut above: HashMap<String, String> = HashMap::new();
    let mut described: Vec<String> = Vec::new();
    let listed = bom.rest.get("documentDescribes").and_then(Value::as_array);
    described.extend(listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    for edge in &bom.edges {
        for to in &edge.to {
            let (from, to) = (edge.from.clone(), to.clone());
            match relation(&edge.kind) {
                Some(Relation::Needs) => push(&mut needs, from, to),
                Some(Relation::NeededBy) => push(&mut needs, to, from),
                Some(Relation::Holds) => hold(&mut above, from, to, &names, losses),
                Some(Relation::HeldBy) => hold(&mut above, to, from, &names, losses),
                Some(Relation::Describes) => described.push(to),
                Some(Relation::Licence) => {}
                None => {
                    let kind = match &edge.kind {
                        EdgeKind::Other(kind) => kind.as_str(),
                        _ => "this relationship",
                    };
                    let what = format!("CycloneDX has no word for {kind} (to {to})");
                    lost(losses, &from, "relationships", &what);
                }
            }
        }
    }
    described.sort();
    described.dedup();
    let subject = match described.as_slice() {
        [one] if !above.contains_key(one) => Some(one.clone()),
        _ => None,
    };
    let subject = subject.and_then(|id| {
        let at = parts.iter().position(|one| one.reference.as_deref() == Some(id.as_str()))?;
        // What it holds is listed beside it: CycloneDX readers look for parts there.
        above.retain(|_, holder| *holder != id);
        Some(parts.remove(at))
    });
    needs.iter_mut().for_each(|(_, to)| to.retain(|to| names.contains(to)));
    let edges = needs.into_iter().filter(|(from, _)| names.contains(from));
    let mut out = Bom {
        source: Source::CycloneDx(7),
        serial: bom.serial.clone().filter(|serial| serial.starts_with("urn:uuid:")),
        edition: Some(1),
        created: bom.created.clone(),
        subject,
        components: nest(parts, &above, losses),
        edges: edges.map(|(from, to)| Edge::depends(from, to)).collect(),
        ..Bom::default()
    };
    document(bom, &mut out, losses);
    out
}

enum Relation {
    Needs,
    NeededBy,
    Holds,
    HeldBy,
    Describes,
    /// Read into the licences of the component already.
    Licence,
}

fn relation(kind: &EdgeKind) -> Option<Relation> {
    Some(match kind {
        EdgeKind::DependsOn => Relation::Needs,
        EdgeKind::Contains => Relation::Holds,
        EdgeKind::Describes => Relation::Describes,
        EdgeKind::Provides => return None,
        EdgeKind::Other(kind) => match kind.as_str() {
            "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" | "PREREQUISITE_FOR" => Relation::NeededBy,
            "HAS_PREREQUISITE" | "DYNAMIC_LINK" | "STATIC_LINK" | "hasPrerequisite"
            | "hasDynamicLink" | "hasStaticLink" => Relation::Needs,
            "CONTAINED_BY" => Relation::HeldBy,
            "hasDeclaredLicense" | "hasConcludedLicense" => Relation::Licence,
            _ => return None,
        },
    })
}

fn push(needs: &mut Vec<(String, Vec<String>)>, from: String, to: String) {
    match needs.iter_mut().find(|(one, _)| *one == from) {
        Some((_, all)) if all.contains(&to) => {}
        Some((_, all)) => all.push(to),
        None => needs.push((from, vec![to])),
    }
}

/// Notes who holds a part; a second holder, or a circle, is told.
fn hold(
    above: &mut HashMap<String, String>,
    holder: String,
    part: String,
    names: &HashSet<String>,
    losses: &mut Vec<Problem>,
) {
    if !names.contains(&holder) || !names.contains(&part) {
        return;
    }
    let mut at = Some(&holder);
    let mut steps = 0;
    while let Some(one) = at {
        steps += 1;
        // CycloneDX nests, and what nests has one place and an end.
        if *one == part || steps > 50 {
            return lost(losses, &holder, "contains", &format!("{part} would hold itself"));
        }
        at = above.get(one);
    }
    match above.get(&part) {
        Some(first) if *first != holder => {
            lost(losses, &holder, "contains", &format!("{part} is in {first} already"));
        }
        _ => drop(above.insert(part, holder)),
    }
}

fn nest(
    parts: Vec<Component>,
    above: &HashMap<String, String>,
    losses: &mut Vec<Problem>,
) -> Vec<Component> {
    let _ = losses;
    let mut children: HashMap<Option<String>, Vec<Component>> = HashMap::new();
    for one in parts {
        let holder = one.reference.as_ref().and_then(|id| above.get(id)).cloned();
        children.entry(holder).or_default().push(one);
    }
    fn fill(list: &mut [Component], children: &mut HashMap<Option<String>, Vec<Component>>) {
        for one in list {
            if one.reference.is_some()
                && let Some(mut below) = children.remove(&one.reference)
            {
                fill(&mut below, children);
                one.components = below;
            }
        }
    }
    let mut top = children.remove(&None).unwrap_or_default();
    fill(&mut top, &mut children);
    top
}

/// A component without words of SPDX.
fn plain(one: &Component, losses: &mut Vec<Problem>) -> Component {
    let place = one.reference.clone().unwrap_or_default();
    let mut rest = Rest::new();
    let mut external = Vec::new();
    let said = |name: &str| {
        let text = one.rest.get(name)?.as_str()?;
        (!crate::spdx::says_nothing(text)).then_some(text)
    };
    for (names, kind) in [
        (["homepage", "software_homePage"], "website"),
        (["downloadLocation", "software_downloadLocation"], "distribution"),
    ] {
        if let Some(url) = names.iter().find_map(|name| said(name)) {
            external.push(json!({"type": kind, "url": url}));
        }
    }
    if !external.is_empty() {
        rest.insert("externalReferences".into(), Value::Array(external));
    }
    const SAID: [&str; 19] = [
        "homepage",
        "software_homePage",
        "downloadLocation",
        "software_downloadLocation",
        "filesAnalyzed",
        "supplier",
        "suppliedBy",
        "externalRefs",
        "externalIdentifier",
        "software_packageUrl",
        "verifiedUsing",
        "type",
        "creationInfo",
        "software_primaryPurpose",
        "licenseConcluded",
        "licenseDeclared",
        "copyrightText",
        "checksums",
        "hasFiles",
    ];
    let mut properties = Vec::new();
    for (name, value) in one.rest.iter().filter(|(name, _)| !SAID.contains(&name.as_str())) {
        match value {
            // What is a text stays one, under its name.
            Value::String(text) if !crate::spdx::says_nothing(text) => {
                let (name, value) = (Some(format!("spdx:{name}")), Some(text.clone()));
                properties.push(crate::bom::Property { name, value });
            }
            Value::String(_) => {}
            _ => lost(losses, &place, name, "CycloneDX has no place for this"),
        }
    }
    for reference in one.rest.get("externalRefs").and_then(Value::as_array).into_iter().flatten() {
        let kind = reference.get("referenceType").and_then(Value::as_str).unwrap_or_default();
        let value = reference.get("referenceLocator").and_then(Value::as_str).unwrap_or_default();
        if Some(value) != one.purl.as_deref() && Some(value) != one.cpe.as_deref() {
            let (name, value) = (Some(format!("spdx:externalRef:{kind}")), Some(value.to_owned()));
            properties.push(crate::bom::Property { name, value });
        }
    }
    let form = |licence: &Licence| Licence {
        form: match ::spdx::license_id(&licence.text) {
            Some(_) => LicenceForm::Id,
            None => LicenceForm::Expression,
        },
        ..licence.clone()
    };
    // CycloneDX up to 1.6 has one expression or several licences, never both.
    let mut licences: Vec<Licence> = one.licences.iter().map(form).collect();
    if licences.len() > 1 && licences.iter().all(|licence| licence.text == licences[0].text) {
        licences.truncate(1);
    }
    Component { rest, properties, licences, ..one.clone() }
}

fn document(bom: &Bom, out: &mut Bom, losses: &mut Vec<Problem>) {
    let creators = bom.rest.get("creationInfo").and_then(|info| info.get("creators")?.as_array());
    let mut tools = Vec::new();
    let mut authors = Vec::new();
    for creator in creators.into_iter().flatten().filter_map(Value::as_str) {
        match creator.split_once(':') {
            Some(("Tool", name)) => {
                tools.push(json!({"type": "application", "name": name.trim()}));
            }
            Some((_, name)) => authors.push(json!({"name": name.trim()})),
            None => {}
        }
    }
    let mut metadata = Map::new();
    if !tools.is_empty() {
        metadata.insert("tools".into(), json!({"components": tools}));
    }
    if !authors.is_empty() {
        metadata.insert("authors".into(), Value::Array(authors));
    }
    if let Some(name) = bom.rest.get("name").and_then(Value::as_str) {
        metadata.insert("properties".into(), json!([{"name": "spdx:name", "value": name}]));
    }
    if !metadata.is_empty() {
        out.rest.insert("metadata".into(), Value::Object(metadata));
    }
    const SAID: [&str; 9] = [
        "dataLicense",
        "SPDXID",
        "name",
        "creationInfo",
        "documentDescribes",
        "@context",
        "@graph",
        "$schema",
        "relationships",
    ];
    for name in bom.rest.keys().filter(|name| !SAID.contains(&name.as_str())) {
        lost(losses, "document", name, "CycloneDX has no place for this");
    }
    let graph = bom.rest.get("@graph").and_then(Value::as_array);
    const KNOWN: [&str; 9] = [
        "CreationInfo",
        "SpdxDocument",
        "software_Sbom",
        "Organization",
        "Person",
        "SoftwareAgent",
        "Tool",
        "Agent",
        "simplelicensing_LicenseExpression",
    ];
    for one in graph.into_iter().flatten() {
        let kind = one.get("type").and_then(Value::as_str).unwrap_or_default();
        if !KNOWN.contains(&kind) {
            lost(losses, "document", kind, "CycloneDX has no place for this element");
        }
    }
}
