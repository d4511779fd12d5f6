//! The chain of a system as a picture: a column for each step, curves between them.
//!
//! Invariant: pure layout, drawn by the server; the table below it holds what the picture shows.

use std::collections::BTreeMap;

use model::Id;
use store::Row;
use web::frame::Cx;

use crate::{
    registers::text,
    trace::{self, Rank},
    trials::Verdict,
};

/// Boxes of one column of the picture.
const DRAWN_MAX: usize = 40;
const BOX: (i64, i64) = (190, 26);
const GAP: (i64, i64) = (40, 8);

pub(super) struct Node {
    pub x: i64,
    pub y: i64,
    pub name: String,
    pub whole: String,
    pub href: String,
    pub class: &'static str,
}

/// The chain as a picture.
#[derive(Default)]
pub(super) struct Picture {
    pub width: i64,
    pub height: i64,
    pub nodes: Vec<Node>,
    pub edges: Vec<String>,
    pub left_out: usize,
}

/// Columns by rank; what does not fit stands in the table.
pub(super) fn picture(cx: &Cx, graph: &trace::Graph) -> Picture {
    let mut picture = Picture::default();
    let mut places: BTreeMap<Id, (i64, i64)> = BTreeMap::new();
    for (column, rank) in Rank::ALL.iter().enumerate() {
        let x = column as i64 * (BOX.0 + GAP.0);
        let source = if *rank == Rank::Result { Rank::Test } else { *rank };
        let rows = graph.rows.get(&source).map_or(&[][..], Vec::as_slice);
        picture.left_out += rows.len().saturating_sub(DRAWN_MAX);
        for (line, row) in rows.iter().take(DRAWN_MAX).enumerate() {
            let y = 24 + line as i64 * (BOX.1 + GAP.1);
            picture.height = picture.height.max(y + BOX.1 + GAP.1);
            picture.nodes.push(node(cx, graph, *rank, row, (x, y)));
            if *rank == Rank::Result {
                picture.edges.push(edge((x - GAP.0, y), (x, y)));
            } else {
                places.insert(row.id, (x, y));
            }
        }
        picture.width = x + BOX.0;
    }
    for (from, to) in &graph.edges {
        let Some(from) = places.get(from) else { continue };
        for to in to.iter().filter_map(|to| places.get(to)) {
            picture.edges.push(edge((from.0 + BOX.0, from.1), *to));
        }
    }
    picture
}

fn edge(from: (i64, i64), to: (i64, i64)) -> String {
    let (a, b) = (from.1 + BOX.1 / 2, to.1 + BOX.1 / 2);
    let bend = (from.0 + to.0) / 2;
    format!("M{} {a}C{bend} {a} {bend} {b} {} {b}", from.0, to.0)
}

fn node(cx: &Cx, graph: &trace::Graph, rank: Rank, row: &Row, at: (i64, i64)) -> Node {
    let done = graph.done.get(&row.id).map_or(Verdict::Open, |done| done.verdict);
    let whole = match rank {
        Rank::Requirement | Rank::Specification => text(row, "text").to_owned(),
        Rank::Parameter => {
            format!("{} = {}{}", text(row, "key"), text(row, "value"), text(row, "unit"))
        }
        Rank::Test => text(row, "expected").to_owned(),
        Rank::Result => cx.pick(&done.text()).to_owned(),
    };
    let wide = |c: char| if c.is_ascii() { 1 } else { 2 };
    let mut room = 24;
    let fits = |c: &char| {
        room -= wide(*c);
        room >= 0
    };
    let mut name: String = whole.chars().take_while(fits).collect();
    if name.len() < whole.len() {
        name.push('…');
    }
    let (table, class) = match rank {
        Rank::Result => ("", done.class()),
        _ => (row.table.name(), ""),
    };
    let href = if table.is_empty() { String::new() } else { format!("/row/{table}/{}", row.id) };
    Node { x: at.0, y: at.1, name, whole, href, class }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_leaves_one_box_and_reaches_the_next() {
        assert_eq!(edge((190, 24), (230, 58)), "M190 37C210 37 210 71 230 71");
    }
}
