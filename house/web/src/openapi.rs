//! OpenAPI 3.1 from the route table and the rooms' schemas.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension,
    http::header,
    response::{IntoResponse, Response},
};
use model::{Field, FieldType, KindSpec, Lang, RoomSpec, Rule, Table};
use serde_json::{Map, Value as Json, json};

use crate::{
    api::{COLLECTIONS, desk::PAGE_ROWS_MAX, problem},
    kinds_of,
    route::{Access, Api, Param, Place, Route},
};

/// The document as it is served.
#[derive(Clone)]
pub(crate) struct Document(pub Arc<str>);

/// `GET /openapi.json`
pub(crate) async fn serve(Extension(document): Extension<Document>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, document.0.to_string()).into_response()
}

/// The document, one line for each schema and operation: it is checked in as well, so a change must
/// be readable and the file not larger than it need be.
pub fn document(routes: &[Route], specs: &[&'static RoomSpec]) -> String {
    let mut paths: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    for route in routes {
        let Some(api) = &route.api else { continue };
        let item = paths.entry(&route.path).or_default();
        item.insert(route.method.as_str().to_ascii_lowercase(), operation(route, api));
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ume",
            "summary": "Registers, records and levels of the eleven controls",
            "description": "Refusals are problem details (RFC 9457) in the reader's language. \
                Rows carry their version as ETag; a change names it in If-Match. \
                A browser's session needs the header X-CSRF-Token for a change, a token does not.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas(specs),
            "responses": refusals(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "ume"},
            },
        },
    });
    let mut text = String::new();
    lay_out(&document, 0, &mut text);
    text.push('\n');
    text
}

const DEPTH_LAID_OUT: usize = 3;

fn lay_out(value: &Json, depth: usize, out: &mut String) {
    let members = match value {
        Json::Object(members) if depth < DEPTH_LAID_OUT && !members.is_empty() => members,
        other => return out.push_str(&other.to_string()),
    };
    let indent = "  ".repeat(depth + 1);
    for (i, (name, value)) in members.iter().enumerate() {
        out.push_str(if i == 0 { "{\n" } else { ",\n" });
        out.push_str(&format!("{indent}{}: ", Json::from(name.as_str())));
        lay_out(value, depth + 1, out);
    }
    out.push_str(&format!("\n{}}}", "  ".repeat(depth)));
}

fn schema_ref(name: &str) -> Json {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(route: &Route, api: &Api) -> Json {
    let mut common = vec![429, 500, 503];
    if route.access != Access::Public {
        common.extend([401, 403]);
    }
    // A part of the path that is no UTF-8, or a parameter of another type, is refused before any
    // handler sees it.
    if !api.params.is_empty() {
        common.push(400);
    }
    let mut responses: BTreeMap<String, Json> = BTreeMap::new();
    for status in common.iter().chain(api.refusals) {
        let name = format!("#/components/responses/{status}");
        responses.insert(status.to_string(), json!({"$ref": name}));
    }
    responses.insert(api.response.0.to_string(), success(api));
    let mut operation = json!({
        "operationId": api.id,
        "tags": [api.tag],
        "summary": route.summary.en,
        "description": route.summary.ja,
        "responses": responses,
    });
    if !api.params.is_empty() {
        operation["parameters"] = api.params.iter().map(parameter).collect();
    }
    if let Some((media, schema)) = &api.request {
        operation["requestBody"] =
            json!({"required": true, "content": {*media: {"schema": schema_ref(schema)}}});
    }
    operation["security"] = match route.access {
        Access::Public | Access::Sender | Access::Local => json!([]),
        Access::SignedIn | Access::Own | Access::Action(_) => {
            json!([{"token": []}, {"session": []}])
        }
    };
    if let Access::Action(action) = route.access {
        operation["x-action"] = format!("{action:?}").to_ascii_lowercase().into();
    }
    operation
}

fn success(api: &Api) -> Json {
    let mut response = json!({"description": "Done"});
    if let Some((media, schema)) = &api.response.1 {
        response["content"] = json!({*media: {"schema": schema_ref(schema)}});
    }
    response
}

fn parameter(param: &Param) -> Json {
    let place = match param.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    json!({
        "name": param.name,
        "in": place,
        "required": param.required,
        "description": param.text.en,
        "schema": schema_ref(param.schema),
    })
}

fn refusals() -> Json {
    let refusal = |kind: &problem::Kind| {
        let content = json!({problem::MEDIA_TYPE: {"schema": schema_ref("Problem")}});
        (kind.status.to_string(), json!({"description": kind.title.en, "content": content}))
    };
    problem::ALL.into_iter().map(refusal).collect()
}

fn schemas(specs: &[&'static RoomSpec]) -> Json {
    let mut all: BTreeMap<String, Json> = shared();
    for (table, _) in COLLECTIONS {
        let kinds: Vec<&KindSpec> =
            specs.iter().flat_map(|room| kinds_of(room)).filter(|k| k.table == table).collect();
        for kind in &kinds {
            let mut schema = fields(kind.fields);
            describe_rules(kind, &mut schema);
            schema["title"] = kind.title.en.into();
            schema["description"] = format!("{}: {}", kind.title.ja, kind.help.en).into();
            all.insert(kind_schema(kind), schema);
        }
        all.insert(format!("{}_new", table.name()), row_new(table, &kinds));
        all.insert(format!("{}_change", table.name()), row_change());
    }
    let mut types = Vec::new();
    for spec in specs.iter().flat_map(|room| room.records) {
        let name = format!("facts.{}", spec.ty);
        let mut schema = fields(spec.fields);
        schema["title"] = spec.title.en.into();
        schema["description"] = spec.title.ja.into();
        types.push(record_new(spec.ty, &name));
        all.insert(name, schema);
    }
    all.insert("record_new".to_owned(), json!({"anyOf": types}));
    json!(all)
}

/// Headings and rules of a kind: for programs, and as sentences for people.
fn describe_rules(kind: &KindSpec, schema: &mut Json) {
    if !kind.groups.is_empty() {
        let group = |g: &model::Group| json!({"title": g.title.en, "fields": g.fields});
        schema["x-groups"] = kind.groups.iter().map(group).collect();
    }
    if !kind.rules.is_empty() {
        let rule = |r: &Rule| {
            let mut json = match r {
                Rule::NotBefore { start, end } => {
                    json!({"rule": "not_before", "start": start, "end": end})
                }
                Rule::AtMost { lower, upper } => {
                    json!({"rule": "at_most", "lower": lower, "upper": upper})
                }
                Rule::RequiredIf { field, when, is } => {
                    json!({"rule": "required_if", "field": field, "when": when, "is": is})
                }
                Rule::OneOf { fields } => json!({"rule": "one_of", "fields": fields}),
            };
            json["text"] = r.text(kind, Lang::En).into();
            json
        };
        schema["x-rules"] = kind.rules.iter().map(rule).collect();
    }
}

fn kind_schema(kind: &KindSpec) -> String {
    format!("{}.{}", kind.table.name(), kind.id)
}

/// Schemas that do not depend on a room.
fn shared() -> BTreeMap<String, Json> {
    let time = json!({"type": ["string", "null"], "format": "date-time"});
    let id = json!({"type": ["string", "null"], "format": "uuid"});
    let text = json!({"type": "string"});
    let page = |item: &str, next: bool| {
        let mut page = json!({
            "type": "object",
            "required": ["items"],
            "properties": {"items": {"type": "array", "items": schema_ref(item)}},
        });
        if next {
            page["properties"]["next"] = json!({
                "type": ["string", "null"],
                "description": "Give it as after to go on; null on the last page",
            });
            page["required"] = json!(["items", "next"]);
        }
        page
    };
    let row = json!({
        "type": "object",
        "required": ["table", "id", "kind", "name", "status", "attributes", "version"],
        "properties": {
            "table": text, "id": {"type": "string", "format": "uuid"}, "kind": text, "name": text,
            "owner": id, "status": text, "subject": id, "object": id,
            "subject_hash": {"type": ["string", "null"]},
            "starts_at": time, "ends_at": time, "attributes": {"type": "object"},
            "schema_version": {"type": "integer"}, "version": {"type": "integer"},
            "created_at": time, "updated_at": time, "updated_by": text, "reason": text,
            "request": text, "deleted": {"type": "boolean"},
        },
    });
    let record = json!({
        "type": "object",
        "required": ["id", "type", "actor", "received_at", "source", "assurance", "facts"],
        "properties": {
            "id": {"type": "string", "format": "uuid"}, "type": text, "subject": id, "actor": text,
            "observed_from": time, "observed_to": time, "received_at": time, "source": text,
            "assurance": {"enum": ["machine", "imported", "attested"]},
            "facts": {"type": "object"},
            "payload_commit": {"type": ["string", "null"]},
            "leaf_index": {
                "type": ["integer", "null"],
                "description": "Place in the ledger; null while the proof is pending",
            },
        },
    });
    let problem = json!({
        "type": "object",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "code": text,
            "detail": text,
            "errors": {"type": "array", "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": text, "detail": text},
            }},
        },
    });
    let imported = json!({
        "type": "object",
        "required": ["added", "changed", "same", "ignored", "saved"],
        "properties": {
            "added": {"type": "integer"}, "changed": {"type": "integer"},
            "same": {"type": "integer"}, "saved": {"type": "boolean"},
            "ignored": {"type": "array", "items": text},
            "warnings": {"type": "array", "items": {"type": "object"}},
        },
    });
    let object = json!({"type": "object"});
    let book = json!({
        "type": "object",
        "required": ["tables", "proposed", "fault", "good", "saved"],
        "properties": {
            "tables": {"type": "array", "items": object},
            "proposed": {"type": "array", "items": object},
            "fault": {"type": ["string", "null"]},
            "good": {"type": "boolean"}, "saved": {"type": "boolean"},
        },
    });
    let limit = json!({"type": "integer", "minimum": 1, "maximum": PAGE_ROWS_MAX});
    BTreeMap::from(
        [
            ("Id", json!({"type": "string", "format": "uuid"})),
            ("Time", json!({"type": "string", "format": "date-time"})),
            ("Text", text.clone()),
            ("Word", text.clone()),
            ("Words", text.clone()),
            ("Flag", json!({"type": "boolean"})),
            ("Cursor", text.clone()),
            ("Limit", limit),
            ("Etag", json!({"type": "string", "pattern": "^\"[0-9]{1,15}\"$"})),
            ("Key", json!({"type": "string", "minLength": 1, "maxLength": 200})),
            ("Row", row),
            ("Rows", page("Row", true)),
            ("History", page("Row", false)),
            ("Record", record),
            ("Records", page("Record", true)),
            ("Problem", problem),
            ("Imported", imported),
            ("BookImported", book),
            ("Status", status()),
            ("Document", json!({"type": "object"})),
            ("Place", json!({"type": "integer", "minimum": 0})),
            ("Events", json!({"type": "string", "description": "text/event-stream"})),
            ("Act", act()),
            ("Done", json!({"type": "object"})),
            ("Sha256", json!({"type": "string", "pattern": "^[0-9a-f]{64}$"})),
            ("Binary", json!({"type": "string", "format": "binary"})),
            ("Blob", blob()),
        ]
        .map(|(name, schema)| (name.to_owned(), schema)),
    )
}

/// Members beside the name differ from act to act; the command line is the one who sends them.
fn act() -> Json {
    json!({
        "type": "object",
        "required": ["act"],
        "properties": {"act": {"enum": crate::api::local::Act::NAMES}},
    })
}

fn blob() -> Json {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["sha256", "bytes", "media_type", "name", "uploaded_by", "uploaded_at"],
        "properties": {
            "sha256": schema_ref("Sha256"), "bytes": {"type": "integer", "minimum": 0},
            "media_type": text, "name": text, "uploaded_by": text,
            "uploaded_at": {"type": "string", "format": "date-time"},
        },
    })
}

fn status() -> Json {
    json!({
        "type": "object",
        "required": ["at", "controls"],
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "controls": {"type": "array", "items": {
                "type": "object",
                "required": ["id", "room", "name", "level", "level_by_slides", "target", "failing"],
            }},
        },
    })
}

fn row_members() -> Json {
    let nullable = |format: &str| json!({"type": ["string", "null"], "format": format});
    json!({
        "name": {"type": "string", "minLength": 1, "maxLength": 300},
        "owner": nullable("uuid"), "subject": nullable("uuid"), "object": nullable("uuid"),
        "starts_at": nullable("date-time"), "ends_at": nullable("date-time"),
        "status": {"type": "string", "pattern": "^[a-z0-9_]{1,40}$"},
        "reason": {"type": ["string", "null"], "maxLength": 500},
    })
}

fn row_new(table: Table, kinds: &[&KindSpec]) -> Json {
    let shape = |kind: Json, attributes: Json, needed: &[&str]| {
        let mut properties = row_members();
        properties["kind"] = kind;
        properties["attributes"] = attributes;
        json!({
            "type": "object",
            "required": needed,
            "properties": properties,
            "additionalProperties": false,
        })
    };
    let mut shapes: Vec<Json> = kinds
        .iter()
        .map(|kind| {
            let required = kind.fields.iter().any(|f| f.required);
            let mut needed = vec!["kind", "name"];
            if required {
                needed.push("attributes");
            }
            if table == Table::Link {
                needed.extend(["subject", "object"]);
            }
            shape(json!({"const": kind.id}), schema_ref(&kind_schema(kind)), &needed)
        })
        .collect();
    if shapes.is_empty() {
        // No room declares a kind of this table yet, so every kind is refused.
        shapes.push(shape(json!({"type": "string"}), json!({"type": "object"}), &["kind", "name"]));
    }
    json!({"anyOf": shapes})
}

fn row_change() -> Json {
    let mut properties = row_members();
    properties["kind"] = json!({"type": "string", "description": "Never changes"});
    properties["attributes"] =
        json!({"type": "object", "description": "Members given are set, null removes one"});
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn record_new(ty: &str, facts: &str) -> Json {
    let time = json!({"type": ["string", "null"], "format": "date-time"});
    json!({
        "type": "object",
        "required": ["type", "source", "facts"],
        "properties": {
            "type": {"const": ty},
            "subject": {"type": ["string", "null"], "format": "uuid"},
            "observed_from": time, "observed_to": time,
            "source": {"type": "string", "minLength": 1, "maxLength": 200},
            "assurance": {"const": "imported"},
            "facts": schema_ref(facts),
            "payload": {"type": ["string", "null"], "contentEncoding": "base64"},
            "reason": {"type": ["string", "null"], "maxLength": 500},
        },
        "additionalProperties": false,
    })
}

fn fields(fields: &[Field]) -> Json {
    let properties: Map<String, Json> =
        fields.iter().map(|f| (f.name.to_owned(), field(f))).collect();
    let required: Vec<&str> = fields.iter().filter(|f| f.required).map(|f| f.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn field(field: &Field) -> Json {
    let mut schema = match field.ty {
        FieldType::Text => json!({"type": "string", "maxLength": 4_000}),
        FieldType::Multiline => json!({"type": "string", "maxLength": 100_000}),
        FieldType::TextPair => json!({
            "type": "object",
            "required": ["ja", "en"],
            "properties": {"ja": {"type": "string"}, "en": {"type": "string"}},
        }),
        FieldType::Number { unit, min, max } => {
            let mut number = json!({"type": "integer", "minimum": min, "maximum": max});
            if !unit.is_empty() {
                number["x-unit"] = unit.into();
            }
            number
        }
        FieldType::Money => json!({"type": "integer"}),
        FieldType::Date => json!({"type": "string", "format": "date"}),
        FieldType::Time => json!({"type": "string", "format": "date-time"}),
        FieldType::Period => json!({"type": "string", "format": "duration"}),
        FieldType::Zone => json!({"type": "string", "examples": ["Asia/Tokyo"]}),
        FieldType::Enum(choices) => {
            json!({"enum": choices.iter().map(|c| c.value).collect::<Vec<_>>()})
        }
        FieldType::Boolean => json!({"type": "boolean"}),
        FieldType::Reference(kind) => {
            json!({"type": "string", "format": "uuid", "x-reference": kind})
        }
        FieldType::Party => json!({"type": "string", "format": "uuid", "x-reference": "party"}),
        FieldType::File => schema_ref("Sha256"),
        FieldType::Hash => json!({"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}),
        FieldType::List => json!({"type": "array", "items": {"type": "string"}}),
        FieldType::Duration => json!({"type": "string", "pattern": "^PT[0-9HMS]+$"}),
        FieldType::Table(columns) => json!({
            "type": "array",
            "maxItems": model::table::TABLE_ROWS_MAX,
            "items": fields(columns),
        }),
        FieldType::Object => json!({"type": ["object", "array"]}),
    };
    schema["title"] = field.label.en.into();
    schema["description"] = field.label.ja.into();
    schema
}
