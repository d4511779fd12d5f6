//! What the declarations of the rooms say about fields: which are personal, which say to whom a row
//! belongs, which hold files; and how rows of older schemas are lifted.

use model::{Field, FieldType, KindSpec, Table};
use store::Store;

use crate::rooms::ROOMS;

/// The store, knowing the declarations.
pub fn known(store: Store) -> Store {
    let ties = |kind: &KindSpec| kind.ties().map(|(name, tie)| (name.to_owned(), tie)).collect();
    let ties = kinds().map(|kind| (kind.table, kind.id.to_owned(), ties(kind)));
    let store = store.with_personal(personal()).with_ties(ties);
    store.with_files(files()).with_upcasts(upcasts())
}

/// The same, with an index that fits the declarations.
pub async fn settled(store: Store) -> Result<Store, store::StoreError> {
    let store = known(store);
    store.settle_index().await?;
    Ok(store)
}

fn kinds() -> impl Iterator<Item = &'static KindSpec> {
    let rooms = ROOMS.into_iter().chain([&isms::SPEC]);
    rooms.flat_map(|room| room.kinds.iter().chain(room.rules).chain(room.others))
}

/// File fields of every kind and record type that has some.
fn files() -> store::FileFields {
    let names = |fields: &[Field]| -> Vec<String> {
        let files = fields.iter().filter(|f| matches!(f.ty, FieldType::File));
        files.map(|f| f.name.to_owned()).collect()
    };
    let kinds = kinds().map(|k| ((k.table.name(), k.id.to_owned()), names(k.fields)));
    let records = ROOMS.into_iter().chain([&isms::SPEC]).flat_map(|room| room.records);
    let records = records.map(|r| ((Table::Record.name(), r.ty.to_owned()), names(r.fields)));
    kinds.chain(records).filter(|(_, names)| !names.is_empty()).collect()
}

/// Steps between the schemas of every kind that has some.
fn upcasts() -> store::Upcasts {
    let raised = kinds().filter(|kind| !kind.upcasts.is_empty());
    raised.map(|kind| (kind.id, kind.upcasts)).collect()
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
