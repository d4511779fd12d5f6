//! Ids that follow from what an observable is (STIX 2.1, section 2.9).

use serde_json::{Map, Value};
use uuid::Uuid;

use super::jcs::canonical;
use super::model::MODEL;

const NAMESPACE: Uuid = Uuid::from_u128(0x00abedb4_aa42_466c_9c01_fed23315a9b7);

/// Hashes count by the first of these that is there.
const HASHES: [&str; 4] = ["MD5", "SHA-1", "SHA-256", "SHA-512"];

/// The id an observable has by its content; none if nothing of it makes an id, or it is of another type.
pub fn sco_id(object: &Value) -> Option<String> {
    let name = object.get("type")?.as_str()?;
    let key = sco_key(object)?;
    Some(format!("{name}--{}", Uuid::new_v5(&NAMESPACE, key.as_bytes())))
}

/// The text the id is made of.
pub fn sco_key(object: &Value) -> Option<String> {
    let shape = MODEL.object(object.get("type")?.as_str()?)?;
    let mut made = Map::new();
    for property in &shape.id_of {
        let Some(value) = object.get(*property) else { continue };
        let value = match *property {
            "hashes" => one_hash(value)?,
            _ => value.clone(),
        };
        made.insert((*property).to_owned(), value);
    }
    (!made.is_empty()).then(|| canonical(&Value::Object(made)))
}

fn one_hash(hashes: &Value) -> Option<Value> {
    let hashes = hashes.as_object()?;
    let first =
        HASHES.iter().find(|name| hashes.contains_key(**name)).map(|name| (*name).to_owned());
    let name = first.or_else(|| hashes.keys().min().cloned())?;
    let value = hashes[&name].clone();
    Some(Value::Object(Map::from_iter([(name, value)])))
}
