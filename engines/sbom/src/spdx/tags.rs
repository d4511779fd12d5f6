//! Tag-value text of SPDX 2, to its JSON form and back.
//!
//! A text of several lines stands between `<text>` and `</text>`. Files that follow a package are in
//! it, which becomes a relationship `CONTAINS`.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::bom::{Place, Problem, Rule};
use crate::limits::Limits;

/// How a value of a tag is written in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Text,
    /// One of several.
    List,
    Truth,
    Checksum,
    Code,
    Reference,
    Range,
}

/// Tag, member.
type Tag = (&'static str, &'static str, As);

const DOCUMENT: [Tag; 8] = [
    ("SPDXVersion", "spdxVersion", As::Text),
    ("DataLicense", "dataLicense", As::Text),
    ("SPDXID", "SPDXID", As::Text),
    ("DocumentName", "name", As::Text),
    ("DocumentNamespace", "documentNamespace", As::Text),
    ("DocumentComment", "comment", As::Text),
    ("ExternalDocumentRef", "externalDocumentRefs", As::Reference),
    ("DocumentDescribes", "documentDescribes", As::List),
];
const CREATION: [Tag; 4] = [
    ("LicenseListVersion", "licenseListVersion", As::Text),
    ("Creator", "creators", As::List),
    ("Created", "created", As::Text),
    ("CreatorComment", "comment", As::Text),
];
const PACKAGE: [Tag; 25] = [
    ("PackageName", "name", As::Text),
    ("SPDXID", "SPDXID", As::Text),
    ("PackageVersion", "versionInfo", As::Text),
    ("PackageFileName", "packageFileName", As::Text),
    ("PackageSupplier", "supplier", As::Text),
    ("PackageOriginator", "originator", As::Text),
    ("PackageDownloadLocation", "downloadLocation", As::Text),
    ("FilesAnalyzed", "filesAnalyzed", As::Truth),
    ("PackageVerificationCode", "packageVerificationCode", As::Code),
    ("PackageChecksum", "checksums", As::Checksum),
    ("PackageHomePage", "homepage", As::Text),
    ("PackageSourceInfo", "sourceInfo", As::Text),
    ("PackageLicenseConcluded", "licenseConcluded", As::Text),
    ("PackageLicenseInfoFromFiles", "licenseInfoFromFiles", As::List),
    ("PackageLicenseDeclared", "licenseDeclared", As::Text),
    ("PackageLicenseComments", "licenseComments", As::Text),
    ("PackageCopyrightText", "copyrightText", As::Text),
    ("PackageSummary", "summary", As::Text),
    ("PackageDescription", "description", As::Text),
    ("PackageComment", "comment", As::Text),
    ("PackageAttributionText", "attributionTexts", As::List),
    ("PrimaryPackagePurpose", "primaryPackagePurpose", As::Text),
    ("ReleaseDate", "releaseDate", As::Text),
    ("BuiltDate", "builtDate", As::Text),
    ("ValidUntilDate", "validUntilDate", As::Text),
];
const FILE: [Tag; 13] = [
    ("FileName", "fileName", As::Text),
    ("SPDXID", "SPDXID", As::Text),
    ("FileType", "fileTypes", As::List),
    ("FileChecksum", "checksums", As::Checksum),
    ("LicenseConcluded", "licenseConcluded", As::Text),
    ("LicenseInfoInFile", "licenseInfoInFiles", As::List),
    ("LicenseComments", "licenseComments", As::Text),
    ("FileCopyrightText", "copyrightText", As::Text),
    ("FileComment", "comment", As::Text),
    ("FileNotice", "noticeText", As::Text),
    ("FileContributor", "fileContributors", As::List),
    ("FileAttributionText", "attributionTexts", As::List),
    ("FileDependency", "fileDependencies", As::List),
];
const SNIPPET: [Tag; 11] = [
    ("SnippetSPDXID", "SPDXID", As::Text),
    ("SnippetFromFileSPDXID", "snippetFromFile", As::Text),
    ("SnippetByteRange", "ranges", As::Range),
    ("SnippetLineRange", "ranges", As::Range),
    ("SnippetLicenseConcluded", "licenseConcluded", As::Text),
    ("LicenseInfoInSnippet", "licenseInfoInSnippets", As::List),
    ("SnippetLicenseComments", "licenseComments", As::Text),
    ("SnippetCopyrightText", "copyrightText", As::Text),
    ("SnippetComment", "comment", As::Text),
    ("SnippetName", "name", As::Text),
    ("SnippetAttributionText", "attributionTexts", As::List),
];
const LICENCE: [Tag; 5] = [
    ("LicenseID", "licenseId", As::Text),
    ("ExtractedText", "extractedText", As::Text),
    ("LicenseName", "name", As::Text),
    ("LicenseCrossReference", "seeAlsos", As::List),
    ("LicenseComment", "comment", As::Text),
];
const ANNOTATION: [Tag; 4] = [
    ("Annotator", "annotator", As::Text),
    ("AnnotationDate", "annotationDate", As::Text),
    ("AnnotationType", "annotationType", As::Text),
    ("AnnotationComment", "comment", As::Text),
];

/// Lines of the elements of the JSON form.
pub(super) struct Places(HashMap<String, usize>);

impl Places {
    /// A problem with the line of the nearest element around it.
    pub(super) fn with_line(&self, problem: Problem) -> Problem {
        let Place::Pointer(pointer) = &problem.place else { return problem };
        let mut at = pointer.as_str();
        loop {
            if let Some(line) = self.0.get(at) {
                let place = Place::Both(*line, pointer.clone());
                return Problem { place, ..problem };
            }
            let Some((above, _)) = at.rsplit_once('/') else { return problem };
            at = above;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Document,
    Package(usize),
    File(usize),
    Snippet(usize),
    Licence(usize),
}

struct Reader {
    document: Map<String, Value>,
    section: Section,
    /// The package that the files which follow are in.
    package: Option<String>,
    relationships: Vec<Value>,
    /// Annotations and whom they are about.
    annotations: Vec<(Map<String, Value>, String)>,
    places: HashMap<String, usize>,
}

/// Reads a text.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<(Value, Places), Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        Problem::line(line, Rule::Syntax, "the text is no UTF-8")
    })?;
    let mut reader = Reader {
        document: Map::new(),
        section: Section::Document,
        package: None,
        relationships: Vec::new(),
        annotations: Vec::new(),
        places: HashMap::from([(String::new(), 1)]),
    };
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let number = number + 1;
        if number > limits.values_max {
            return Err(Problem::line(number, Rule::Limit, "more lines than are read"));
        }
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let Some((tag, value)) = line.split_once(':') else {
            return Err(Problem::line(number, Rule::Syntax, "a line without a tag"));
        };
        let mut value = value.trim().to_owned();
        if let Some(start) = value.strip_prefix("<text>") {
            let mut whole = start.to_owned();
            while !whole.contains("</text>") {
                let Some((_, line)) = lines.next() else {
                    return Err(Problem::line(number, Rule::Syntax, "<text> does not end"));
                };
                whole.push('\n');
                whole.push_str(line);
            }
            value = whole.split("</text>").next().unwrap_or_default().to_owned();
        }
        reader.tag(tag.trim(), value).map_err(|what| Problem::line(number, Rule::Syntax, what))?;
        reader.mark(number);
    }
    Ok(reader.finish())
}

fn find(tags: &[Tag], tag: &str) -> Option<Tag> {
    tags.iter().find(|(one, ..)| *one == tag).copied()
}

impl Reader {
    fn array(&mut self, name: &str) -> &mut Vec<Value> {
        let slot = self.document.entry(name).or_insert_with(|| json!([]));
        if !slot.is_array() {
            *slot = json!([]);
        }
        match slot {
            Value::Array(list) => list,
            _ => unreachable!("it was made one above"),
        }
    }

    fn begin(&mut self, name: &str) -> usize {
        let list = self.array(name);
        list.push(json!({}));
        list.len() - 1
    }

    fn mark(&mut self, line: usize) {
        let pointer = match self.section {
            Section::Document => return,
            Section::Package(at) => format!("/packages/{at}"),
            Section::File(at) => format!("/files/{at}"),
            Section::Snippet(at) => format!("/snippets/{at}"),
            Section::Licence(at) => format!("/hasExtractedLicensingInfos/{at}"),
        };
        self.places.entry(pointer).or_insert(line);
    }

    fn current(&mut self) -> &mut Map<String, Value> {
        let (name, at) = match self.section {
            Section::Document => return &mut self.document,
            Section::Package(at) => ("packages", at),
            Section::File(at) => ("files", at),
            Section::Snippet(at) => ("snippets", at),
            Section::Licence(at) => ("hasExtractedLicensingInfos", at),
        };
        match self.document.get_mut(name).and_then(|list| list.get_mut(at)) {
            Some(Value::Object(members)) => members,
            _ => unreachable!("a section begins with an object"),
        }
    }

    fn tag(&mut self, tag: &str, value: String) -> Result<(), String> {
        match tag {
            "PackageName" => self.section = Section::Package(self.begin("packages")),
            "FileName" => self.section = Section::File(self.begin("files")),
            "SnippetSPDXID" => self.section = Section::Snippet(self.begin("snippets")),
            "LicenseID" => {
                self.section = Section::Licence(self.begin("hasExtractedLicensingInfos"));
            }
            "Relationship" => return self.relationship(&value),
            "RelationshipComment" => {
                let last = self.relationships.last_mut().ok_or("a comment on no relationship")?;
                last["comment"] = value.into();
                return Ok(());
            }
            "ExternalRef" => return self.external(&value),
            "ExternalRefComment" => {
                let refs = self.current().get_mut("externalRefs").and_then(Value::as_array_mut);
                let last =
                    refs.and_then(|refs| refs.last_mut()).ok_or("a comment on no reference")?;
                last["comment"] = value.into();
                return Ok(());
            }
            "Annotator" => self.annotations.push((Map::new(), "SPDXRef-DOCUMENT".into())),
            "SPDXREF" => {
                self.annotations.last_mut().ok_or("SPDXREF without an annotation")?.1 = value;
                return Ok(());
            }
            _ => {}
        }
        if let Some(found) = find(&ANNOTATION, tag) {
            let (last, _) = self.annotations.last_mut().ok_or("no annotation has begun")?;
            return put(last, found, value);
        }
        if let Some(found) = find(&CREATION, tag) {
            let info = self.document.entry("creationInfo").or_insert_with(|| json!({}));
            return info.as_object_mut().map_or(Ok(()), |info| put(info, found, value));
        }
        let tags: &[Tag] = match self.section {
            Section::Document => &DOCUMENT,
            Section::Package(_) => &PACKAGE,
            Section::File(_) => &FILE,
            Section::Snippet(_) => &SNIPPET,
            Section::Licence(_) => &LICENCE,
        };
        let found = find(tags, tag).or_else(|| find(&DOCUMENT, tag).filter(|_| tag != "SPDXID"));
        let found = found.ok_or_else(|| format!("there is no tag {tag} here"))?;
        if tag == "SPDXID" {
            self.contained(&value);
        }
        let document = find(tags, tag).is_none();
        put(if document { &mut self.document } else { self.current() }, found, value)
    }

    /// A file that follows a package is in it.
    fn contained(&mut self, id: &str) {
        match self.section {
            Section::Package(_) => self.package = Some(id.to_owned()),
            Section::File(_) => {
                if let Some(package) = &self.package {
                    self.relationships.push(json!({
                        "spdxElementId": package,
                        "relationshipType": "CONTAINS",
                        "relatedSpdxElement": id,
                    }));
                }
            }
            _ => {}
        }
    }

    fn relationship(&mut self, value: &str) -> Result<(), String> {
        let parts: Vec<&str> = value.split_whitespace().collect();
        let [from, kind, to] = parts.as_slice() else {
            return Err("a relationship is FROM TYPE TO".into());
        };
        let made =
            json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to});
        // What the order of files said already.
        if !self.relationships.contains(&made) {
            self.relationships.push(made);
        }
        Ok(())
    }

    fn external(&mut self, value: &str) -> Result<(), String> {
        let mut parts = value.split_whitespace();
        let (Some(category), Some(kind), Some(locator)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err("an external reference is CATEGORY TYPE LOCATOR".into());
        };
        let made = json!({
            "referenceCategory": category, "referenceType": kind, "referenceLocator": locator,
        });
        let slot = self.current().entry("externalRefs").or_insert_with(|| json!([]));
        slot.as_array_mut().into_iter().for_each(|refs| refs.push(made.clone()));
        Ok(())
    }

    fn finish(mut self) -> (Value, Places) {
        for (annotation, about) in std::mem::take(&mut self.annotations) {
            let lists = ["packages", "files", "snippets"];
            let place = lists.iter().find_map(|name| {
                let list = self.document.get(*name)?.as_array()?;
                let is = |one: &Value| one.get("SPDXID").and_then(Value::as_str) == Some(&about);
                Some((*name, list.iter().position(is)?))
            });
            let target = match place {
                Some((name, at)) => self.document.get_mut(name).and_then(|list| list.get_mut(at)),
                None => None,
            };
            let target = match target {
                Some(Value::Object(members)) => members,
                _ => &mut self.document,
            };
            let slot = target.entry("annotations").or_insert_with(|| json!([]));
            slot.as_array_mut().into_iter().for_each(|list| list.push(annotation.clone().into()));
        }
        if !self.relationships.is_empty() {
            let relationships = Value::Array(std::mem::take(&mut self.relationships));
            self.document.insert("relationships".into(), relationships);
        }
        (Value::Object(self.document), Places(self.places))
    }
}

fn push(out: &mut Map<String, Value>, name: &str, value: Value) {
    let slot = out.entry(name).or_insert_with(|| json!([]));
    slot.as_array_mut().into_iter().for_each(|list| list.push(value.clone()));
}

fn put(out: &mut Map<String, Value>, (tag, member, how): Tag, value: String) -> Result<(), String> {
    match how {
        As::Text => {
            if out.insert(member.into(), value.into()).is_some() {
                return Err(format!("{tag} stands twice"));
            }
        }
        As::List => push(out, member, value.into()),
        As::Truth => {
            let truth = match value.as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(format!("{tag} is true or false")),
            };
            out.insert(member.into(), truth.into());
        }
        As::Checksum => push(out, member, checksum(&value)?),
        As::Code => {
            let (code, excluded) = value.split_once('(').unwrap_or((&value, ""));
            let mut made = json!({"packageVerificationCodeValue": code.trim()});
            let excluded = excluded.trim_end_matches(')').trim();
            if let Some(list) = excluded.strip_prefix("excludes:") {
                let names: Vec<&str> = list.split(',').map(str::trim).collect();
                made["packageVerificationCodeExcludedFiles"] = names.into();
            }
            out.insert(member.into(), made);
        }
        As::Reference => {
            let mut parts = value.splitn(3, char::is_whitespace);
            let (Some(id), Some(document), Some(sum)) = (parts.next(), parts.next(), parts.next())
            else {
                return Err(format!("{tag} is ID DOCUMENT CHECKSUM"));
            };
            let checksum = checksum(sum)?;
            let made =
                json!({"externalDocumentId": id, "spdxDocument": document, "checksum": checksum});
            push(out, member, made);
        }
        As::Range => {
            let (from, to) = value.split_once(':').ok_or_else(|| format!("{tag} is FROM:TO"))?;
            let number = |text: &str| {
                text.trim().parse::<u64>().map_err(|_| format!("{tag} is two numbers"))
            };
            let name = if tag == "SnippetByteRange" { "offset" } else { "lineNumber" };
            let file = out.get("snippetFromFile").cloned().unwrap_or_default();
            let end = |number: u64| json!({"reference": file, name: number});
            push(
                out,
                member,
                json!({"startPointer": end(number(from)?), "endPointer": end(number(to)?)}),
            );
        }
    }
    Ok(())
}

fn checksum(value: &str) -> Result<Value, String> {
    let (algorithm, sum) = value.split_once(':').ok_or("a checksum is ALGORITHM: DIGITS")?;
    Ok(json!({"algorithm": algorithm.trim(), "checksumValue": sum.trim()}))
}

struct Writer {
    out: String,
    lost: Vec<String>,
}

/// Writes the JSON form; gives pointers to what has no tag.
pub(super) fn write(value: &Value) -> (String, Vec<String>) {
    let mut writer = Writer { out: String::new(), lost: Vec::new() };
    let none = Map::new();
    let document = value.as_object().unwrap_or(&none);
    let others = [
        "creationInfo",
        "packages",
        "files",
        "snippets",
        "relationships",
        "annotations",
        "hasExtractedLicensingInfos",
        "$schema",
    ];
    writer.section(document, &DOCUMENT, &others, "");
    if let Some(info) = document.get("creationInfo").and_then(Value::as_object) {
        writer.section(info, &CREATION, &[], "/creationInfo");
    }
    let id = |one: &Value| one.get("SPDXID").and_then(Value::as_str).unwrap_or_default().to_owned();
    writer.annotations(document, "SPDXRef-DOCUMENT");
    // Files first: after a package they would be in it.
    for (name, tags) in [("files", &FILE[..]), ("packages", &PACKAGE), ("snippets", &SNIPPET)] {
        for (at, one) in list(document, name) {
            writer.out.push('\n');
            let Some(members) = one.as_object() else { continue };
            let others = ["annotations", "externalRefs", "hasFiles"];
            writer.section(members, tags, &others, &format!("/{name}/{at}"));
            writer.external(members);
            writer.annotations(members, &id(one));
        }
    }
    writer.out.push('\n');
    for (_, one) in list(document, "relationships") {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        let (from, to) = (text("spdxElementId"), text("relatedSpdxElement"));
        writer.line("Relationship", &format!("{from} {} {to}", text("relationshipType")));
        if !text("comment").is_empty() {
            writer.line("RelationshipComment", text("comment"));
        }
    }
    for (_, one) in list(document, "packages") {
        let files = one.get("hasFiles").and_then(Value::as_array).into_iter().flatten();
        for file in files.filter_map(Value::as_str) {
            writer.line("Relationship", &format!("{} CONTAINS {file}", id(one)));
        }
    }
    for (at, one) in list(document, "hasExtractedLicensingInfos") {
        writer.out.push('\n');
        if let Some(members) = one.as_object() {
            let pointer = format!("/hasExtractedLicensingInfos/{at}");
            writer.section(members, &LICENCE, &[], &pointer);
        }
    }
    (writer.out, writer.lost)
}

fn list<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (usize, &'a Value)> {
    members.get(name).and_then(Value::as_array).into_iter().flatten().enumerate()
}

impl Writer {
    fn line(&mut self, tag: &str, value: &str) {
        let several = value.contains('\n') || value.starts_with("<text>");
        self.out.push_str(tag);
        self.out.push_str(": ");
        if several {
            // The end mark within the text would end it early.
            let safe = value.replace("</text>", "&lt;/text&gt;");
            self.out.push_str(&format!("<text>{safe}</text>"));
        } else {
            self.out.push_str(value);
        }
        self.out.push('\n');
    }

    fn section(
        &mut self,
        members: &Map<String, Value>,
        tags: &[Tag],
        others: &[&str],
        pointer: &str,
    ) {
        for (tag, member, how) in tags {
            let Some(value) = members.get(*member) else { continue };
            // Ranges are of two tags.
            let lines = *tag == "SnippetLineRange";
            for text in texts(value, *how, lines) {
                self.line(tag, &text);
            }
        }
        let known = |name: &&String| tags.iter().any(|(_, member, _)| member == name);
        let lost = members.keys().filter(|name| !known(name) && !others.contains(&name.as_str()));
        self.lost.extend(lost.map(|name| format!("{pointer}/{name}")));
    }

    fn external(&mut self, members: &Map<String, Value>) {
        for (_, one) in list(members, "externalRefs") {
            let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
            let category = text("referenceCategory").replace('_', "-");
            let value =
                format!("{category} {} {}", text("referenceType"), text("referenceLocator"));
            self.line("ExternalRef", &value);
            if !text("comment").is_empty() {
                self.line("ExternalRefComment", text("comment"));
            }
        }
    }

    fn annotations(&mut self, members: &Map<String, Value>, about: &str) {
        for (_, one) in list(members, "annotations") {
            if let Some(members) = one.as_object() {
                self.section(
                    members,
                    &ANNOTATION[..1],
                    &["annotationDate", "annotationType", "comment"],
                    "",
                );
                self.section(members, &ANNOTATION[1..], &["annotator"], "");
                self.line("SPDXREF", about);
            }
        }
    }
}

fn texts(value: &Value, how: As, lines: bool) -> Vec<String> {
    let text = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let all = value.as_array().map_or(&[][..], Vec::as_slice);
    let sum = |one: &Value| format!("{}: {}", text(one, "algorithm"), text(one, "checksumValue"));
    match how {
        As::Text => value.as_str().map(str::to_owned).into_iter().collect(),
        As::Truth => vec![value.to_string()],
        As::List => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        As::Checksum => all.iter().map(sum).collect(),
        As::Code => {
            let code = text(value, "packageVerificationCodeValue");
            let excluded =
                value.get("packageVerificationCodeExcludedFiles").and_then(Value::as_array);
            let names: Vec<&str> =
                excluded.into_iter().flatten().filter_map(Value::as_str).collect();
            match names.is_empty() {
                true => vec![code],
                false => vec![format!("{code} (excludes: {})", names.join(", "))],
            }
        }
        As::Reference => all
            .iter()
            .map(|one| {
                let sum = one.get("checksum").map(sum).unwrap_or_default();
                format!("{} {} {sum}", text(one, "externalDocumentId"), text(one, "spdxDocument"))
            })
            .collect(),
        As::Range => {
            let name = if lines { "lineNumber" } else { "offset" };
            let number =
                |one: &Value, end: &str| one.get(end).and_then(|end| end.get(name)?.as_u64());
            let range = |one: &Value| {
                Some(format!("{}:{}", number(one, "startPointer")?, number(one, "endPointer")?))
            };
            all.iter().filter_map(range).collect()
        }
    }
}
