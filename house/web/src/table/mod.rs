//! The table component: any register as a list that can be sorted, filtered, cut to columns, edited
//! in bulk and exported as shown. Its whole state stands in the address, so that a view can be sent
//! to a colleague; every control is a plain link or form.

mod bulk;
mod export;
mod list;
mod view;

use crate::route::Route;

pub(crate) fn routes() -> Vec<Route> {
    let mut all = list::routes();
    all.extend(export::routes());
    all.extend(bulk::routes());
    all
}
