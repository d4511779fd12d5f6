//! From a request to its records: resource, scope, record, in either encoding. Pure.

use serde_json::{Value, json};

use super::{
    Coding, Fault,
    schema::{self, Message},
    wire,
};

/// The names of a signal's levels in JSON.
pub struct Levels {
    pub groups: &'static str,
    pub scopes: &'static str,
    pub records: &'static str,
}

/// Whose a record is.
#[derive(Debug)]
pub struct Origin {
    pub resource: Value,
    pub scope: Value,
}

/// A record that is not read yet.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    Wire(&'a [u8]),
    Json(&'a Value),
}

impl<'a> Raw<'a> {
    /// The record as OTLP/JSON.
    pub fn read(self, message: &'static Message) -> Result<Value, Fault> {
        match self {
            Raw::Wire(bytes) => schema::read(message, bytes),
            Raw::Json(value) if value.is_object() => {
                schema::fits(value)?;
                Ok(value.clone())
            }
            Raw::Json(_) => Err(NO_OBJECT),
        }
    }

    /// The message within it: by its number on the wire, by its name in JSON.
    pub fn inner(self, number: u32, name: &str) -> Result<Option<Raw<'a>>, Fault> {
        Ok(match self {
            Raw::Wire(bytes) => wire::last(bytes, number)?.map(Raw::Wire),
            Raw::Json(value) => value.get(name).filter(|value| !value.is_null()).map(Raw::Json),
        })
    }

    /// Calls with each message of a list in it.
    pub fn each(
        self,
        number: u32,
        name: &str,
        mut call: impl FnMut(Raw<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self {
            Raw::Wire(bytes) => wire::each(bytes, number, |bytes| call(Raw::Wire(bytes))),
            Raw::Json(value) => match value.get(name) {
                None | Some(Value::Null) => Ok(()),
                Some(Value::Array(list)) => {
                    list.iter().try_for_each(|value| call(Raw::Json(value)))
                }
                Some(_) => Err(Fault::Broken("a list of OTLP/JSON is an array")),
            },
        }
    }
}

const NO_OBJECT: Fault = Fault::Broken("a message of OTLP/JSON is an object");

/// Calls with each record of a request and whose it is.
pub fn walk(
    coding: Coding,
    request: &[u8],
    levels: &Levels,
    mut call: impl FnMut(&Origin, Raw<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let whole;
    let request = match coding {
        Coding::Protobuf => Raw::Wire(request),
        Coding::Json => {
            whole = serde_json::from_slice::<Value>(request)
                .map_err(|_| Fault::Broken("the body is no JSON"))?;
            if !whole.is_object() {
                return Err(NO_OBJECT);
            }
            Raw::Json(&whole)
        }
    };
    request.each(1, levels.groups, |group| {
        let resource = of(group.inner(1, "resource")?, &schema::RESOURCE)?;
        let mut origin = Origin { resource, scope: Value::Null };
        group.each(2, levels.scopes, |scope| {
            origin.scope = of(scope.inner(1, "scope")?, &schema::SCOPE)?;
            scope.each(2, levels.records, |record| call(&origin, record))
        })
    })
}

/// A resource or a scope. One that is too large refuses all that is its own, so the whole request.
fn of(raw: Option<Raw<'_>>, message: &'static Message) -> Result<Value, Fault> {
    match raw.map(|raw| raw.read(message)) {
        None => Ok(json!({})),
        Some(Err(Fault::Refused(_))) => {
            Err(Fault::Broken("a resource or scope has too many values or levels"))
        }
        Some(read) => read,
    }
}
