//! The ordered list of the eleven rooms.

use model::{KindSpec, RoomSpec, Table};

/// The rooms in the order of Annex A.
pub const ROOMS: [&RoomSpec; 11] = [
    &threat_intelligence::SPEC,
    &cloud_services::SPEC,
    &ict_readiness::SPEC,
    &physical_monitoring::SPEC,
    &configuration::SPEC,
    &information_deletion::SPEC,
    &data_masking::SPEC,
    &leakage_prevention::SPEC,
    &monitoring::SPEC,
    &web_filtering::SPEC,
    &secure_coding::SPEC,
];

/// Personal fields of every kind that has some, as the store wants them. The name of a person is one.
pub fn personal() -> Vec<(Table, String, Vec<String>)> {
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
