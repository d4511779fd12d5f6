//! What is personal in the registers, from the declarations of the rooms.

use model::{KindSpec, Table};

use crate::rooms::ROOMS;

/// Personal fields of every kind that has some, as the store wants them. The name of a person is one.
pub fn kinds() -> Vec<(Table, String, Vec<String>)> {
    let kinds = ROOMS
        .into_iter()
        .chain([&isms::SPEC])
        .flat_map(|room| room.kinds.iter().chain(room.rules).chain(room.others));
    kinds
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
