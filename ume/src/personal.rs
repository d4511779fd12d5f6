//! What is personal in the registers and what is a file, from the declarations of the rooms.

use model::{Field, FieldType, KindSpec, Table};

use crate::rooms::ROOMS;

fn declared() -> impl Iterator<Item = &'static KindSpec> {
    let rooms = ROOMS.into_iter().chain([&isms::SPEC]);
    rooms.flat_map(|room| room.kinds.iter().chain(room.rules).chain(room.others))
}

/// File fields of every kind and record type that has some.
pub fn files() -> store::FileFields {
    let names = |fields: &[Field]| -> Vec<String> {
        let files = fields.iter().filter(|f| matches!(f.ty, FieldType::File));
        files.map(|f| f.name.to_owned()).collect()
    };
    let kinds = declared().map(|k| ((k.table.name(), k.id.to_owned()), names(k.fields)));
    let records = ROOMS.into_iter().chain([&isms::SPEC]).flat_map(|room| room.records);
    let records = records.map(|r| ((Table::Record.name(), r.ty.to_owned()), names(r.fields)));
    kinds.chain(records).filter(|(_, names)| !names.is_empty()).collect()
}

/// Steps between the schemas of every kind that has some.
pub fn upcasts() -> store::Upcasts {
    let raised = declared().filter(|kind| !kind.upcasts.is_empty());
    raised.map(|kind| (kind.id, kind.upcasts)).collect()
}

/// Personal fields of every kind that has some, as the store wants them. The name of a person is one.
pub fn kinds() -> Vec<(Table, String, Vec<String>)> {
    declared()
        .map(|kind| (kind.table, kind.id.to_owned(), pointers(kind)))
        .filter(|(_, _, pointers)| !pointers.is_empty())
        .collect()
}

fn pointers(kind: &KindSpec) -> Vec<String> {
    let fields = kind.fields.iter().filter(|field| field.personal);
    let mut pointers: Vec<String> =
        fields.map(|field| format!("/attributes/{}", field.name)).collect();
    if (kind.table, kind.id) == (Table::Party, "person") {
        pointers.push("/name".to_owned());
    }
    pointers
}
