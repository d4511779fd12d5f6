//! What the declarations of the rooms say about fields: which are personal, and which say to whom a
//! row belongs.

use model::{KindSpec, Table};
use store::Store;

use crate::rooms::ROOMS;

/// The store, knowing the declarations, with an index that fits them.
pub async fn settled(store: Store) -> Result<Store, store::StoreError> {
    let ties = |kind: &KindSpec| kind.ties().map(|(name, tie)| (name.to_owned(), tie)).collect();
    let ties = kinds().map(|kind| (kind.table, kind.id.to_owned(), ties(kind)));
    let store = store.with_personal(personal()).with_ties(ties);
    store.settle_index().await?;
    Ok(store)
}

fn kinds() -> impl Iterator<Item = &'static KindSpec> {
    let rooms = ROOMS.into_iter().chain([&isms::SPEC]);
    rooms.flat_map(|room| room.kinds.iter().chain(room.rules).chain(room.others))
}

/// Personal fields of every kind that has some, as the store wants them. The name of a person is one.
fn personal() -> Vec<(Table, String, Vec<String>)> {
    kinds()
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
