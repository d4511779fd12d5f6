//! A row among its links, as a picture: what leads to it on the left, what it leads to on the right.
//!
//! Invariants: pure layout, drawn by the server, so it works without script and prints; colours and
//! fonts come from the style sheet; the table of links below it holds everything the picture shows.

use askama::Template;

use crate::{frame::Cx, links::Line};

/// Boxes drawn on each side; the table has the rest.
const SIDE_MAX: usize = 10;
/// Half-width columns of text that fit into a box.
const NAME_COLUMNS_MAX: usize = 32;
const KIND_COLUMNS_MAX: usize = 22;
const BOX_WIDTH: i64 = 250;
const BOX_HEIGHT: i64 = 30;
const STEP: i64 = 44;
const TOP: i64 = 20;
const WIDTH: i64 = 900;

struct Node {
    x: i64,
    y: i64,
    name: String,
    whole: String,
    href: String,
}

struct Edge {
    path: String,
    text_x: i64,
    text_y: i64,
    kind: String,
}

#[derive(Template)]
#[template(path = "graph.html")]
struct Graph<'a> {
    cx: &'a Cx,
    height: i64,
    centre: Node,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// Links that the picture leaves out.
    left_out: usize,
}

/// The picture of a row called `name`, or nothing where there is no link.
pub(crate) fn draw(cx: &Cx, name: &str, lines: &[Line]) -> askama::Result<String> {
    if lines.is_empty() {
        return Ok(String::new());
    }
    let side = |out: bool| lines.iter().filter(move |line| line.outgoing == out);
    let shown = |out: bool| side(out).count().min(SIDE_MAX);
    let rows = shown(true).max(shown(false)).max(1) as i64;
    let height = TOP * 2 + STEP * (rows - 1) + BOX_HEIGHT;
    let middle = height / 2;
    let centre_x = (WIDTH - BOX_WIDTH) / 2;
    let (mut nodes, mut edges) = (Vec::new(), Vec::new());
    for out in [false, true] {
        let first = middle - STEP * (shown(out) as i64 - 1) / 2;
        for (i, line) in side(out).take(SIDE_MAX).enumerate() {
            let y = first + STEP * i as i64;
            let x = if out { WIDTH - BOX_WIDTH } else { 0 };
            let (from, to) = match out {
                true => ((centre_x + BOX_WIDTH, middle), (x, y)),
                false => ((x + BOX_WIDTH, y), (centre_x, middle)),
            };
            edges.push(edge(from, to, y, out, &line.kind));
            nodes.push(node(x, y, &line.name, &line.href));
        }
    }
    let left_out = lines.len() - nodes.len();
    let centre = node(centre_x, middle, name, "");
    Graph { cx, height, centre, nodes, edges, left_out }.render()
}

fn node(x: i64, middle: i64, name: &str, href: &str) -> Node {
    let (whole, href) = (name.to_owned(), href.to_owned());
    Node { x, y: middle - BOX_HEIGHT / 2, name: cut(name, NAME_COLUMNS_MAX), whole, href }
}

/// A curve that leaves and arrives level; its kind stands above the level piece at the far box.
fn edge(from: (i64, i64), to: (i64, i64), far_y: i64, out: bool, kind: &str) -> Edge {
    let bend = (from.0 + to.0) / 2;
    let path =
        format!("M{} {}C{bend} {} {bend} {} {} {}", from.0, from.1, from.1, to.1, to.0, to.1);
    let text_x = if out { to.0 } else { from.0 };
    Edge { path, text_x, text_y: far_y - BOX_HEIGHT / 2 - 3, kind: cut(kind, KIND_COLUMNS_MAX) }
}

/// At most so many half-width columns of a text.
fn cut(text: &str, columns_max: usize) -> String {
    let mut columns = 0;
    let mut out = String::new();
    for c in text.chars() {
        columns += if c.is_ascii() || matches!(c, '\u{ff61}'..='\u{ff9f}') { 1 } else { 2 };
        if columns > columns_max {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_its_width_not_its_letters() {
        assert_eq!(cut("受注管理システム", 8), "受注管理…");
        assert_eq!(cut("ordering", 8), "ordering");
        assert_eq!(cut("", 8), "");
    }

    #[test]
    fn an_edge_begins_and_ends_at_its_boxes() {
        let edge = edge((575, 100), (650, 20), 20, true, "depends on");
        assert_eq!(edge.path, "M575 100C612 100 612 20 650 20");
        assert_eq!((edge.text_x, edge.text_y), (650, 2));
    }
}
