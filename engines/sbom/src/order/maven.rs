//! Maven: `ComparableVersion`, items in nested lists, shorter ones filled with nothing.
//!
//! Maven's own comparison knows circles (`1-alpha < 1 < 1.sp < 1-alpha`), which is why keys of this
//! ecosystem must not be sorted: they are compared in pairs, as Maven does.

use std::cmp::Ordering;

use super::number::Number;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Number(Number),
    Word(Qualifier),
    List(Vec<Item>),
}

/// Known words by their rank, others behind them by the alphabet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Qualifier {
    Known(u8),
    Other(String),
}

const KNOWN: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: Qualifier = Qualifier::Known(5);
/// How deep lists lie in each other at most.
const DEPTH_MAX: usize = 64;

pub(super) fn key(text: &str) -> Result<Vec<Item>, &'static str> {
    let text = text.to_lowercase();
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return Err("it is empty or holds white space");
    }
    let mut reader = Reader { open: vec![Vec::new()], part: String::new(), digits: false };
    for c in text.chars() {
        reader.take(c);
    }
    reader.end()
}

struct Reader {
    /// The lists that are open, the innermost last.
    open: Vec<Vec<Item>>,
    part: String,
    digits: bool,
}

impl Reader {
    fn take(&mut self, c: char) {
        match c {
            '.' => self.separate(),
            '-' => {
                self.separate();
                self.open.push(Vec::new());
            }
            c if c.is_ascii_digit() != self.digits && !self.part.is_empty() => {
                if c.is_ascii_digit() {
                    self.nest();
                }
                self.close(c.is_ascii_digit());
                self.open.push(Vec::new());
                self.part.push(c);
                self.digits = c.is_ascii_digit();
            }
            c => {
                self.part.push(c);
                self.digits = c.is_ascii_digit();
            }
        }
    }

    /// At a separator: the part before it, or a zero where there is none.
    fn separate(&mut self) {
        match self.part.is_empty() {
            true => self.push(Item::Number(Number::ZERO)),
            false => self.close(false),
        }
    }

    /// Puts the part that was read into the innermost list.
    fn close(&mut self, digit_follows: bool) {
        let part = std::mem::take(&mut self.part);
        self.push(match self.digits {
            true => Item::Number(Number::of(&part)),
            false => Item::Word(qualifier(&part, digit_follows)),
        });
    }

    fn push(&mut self, item: Item) {
        if let Some(list) = self.open.last_mut() {
            list.push(item);
        }
    }

    /// A word without separator behind it begins a list, unless it is at the beginning of one.
    fn nest(&mut self) {
        if self.open.last().is_some_and(|list| !list.is_empty()) {
            self.open.push(Vec::new());
        }
    }

    fn end(mut self) -> Result<Vec<Item>, &'static str> {
        if !self.part.is_empty() {
            if !self.digits {
                self.nest();
            }
            self.close(false);
        }
        if self.open.len() > DEPTH_MAX {
            return Err("it has too many parts");
        }
        let mut inner: Option<Vec<Item>> = None;
        while let Some(mut list) = self.open.pop() {
            list.extend(inner.map(Item::List));
            trim(&mut list);
            inner = Some(list);
        }
        Ok(inner.unwrap_or_default())
    }
}

fn qualifier(word: &str, digit_follows: bool) -> Qualifier {
    let word = match word {
        "a" if digit_follows => "alpha",
        "b" if digit_follows => "beta",
        "m" if digit_follows => "milestone",
        "ga" | "final" | "release" => "",
        "cr" => "rc",
        word => word,
    };
    match KNOWN.iter().position(|k| *k == word) {
        Some(rank) => Qualifier::Known(rank as u8),
        None => Qualifier::Other(word.to_owned()),
    }
}

/// Takes away what says nothing at the end of a list and in front of its inner lists.
fn trim(list: &mut Vec<Item>) {
    for at in (0..list.len()).rev() {
        if is_nothing(&list[at]) {
            list.remove(at);
        } else if !matches!(list[at], Item::List(_)) {
            break;
        }
    }
}

fn is_nothing(item: &Item) -> bool {
    match item {
        Item::Number(number) => number.is_zero(),
        Item::Word(word) => *word == RELEASE,
        Item::List(list) => list.is_empty(),
    }
}

pub(super) fn compare(a: &[Item], b: &[Item]) -> Ordering {
    for at in 0..a.len().max(b.len()) {
        let order = match (a.get(at), b.get(at)) {
            (Some(a), Some(b)) => items(a, b),
            (Some(a), None) => with_nothing(a),
            (None, Some(b)) => with_nothing(b).reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn items(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => a.cmp(b),
        (Item::Word(a), Item::Word(b)) => a.cmp(b),
        (Item::List(a), Item::List(b)) => compare(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// `1.any < 1-1 < 1.1`
fn rank(item: &Item) -> u8 {
    match item {
        Item::Word(_) => 0,
        Item::List(_) => 1,
        Item::Number(_) => 2,
    }
}

fn with_nothing(item: &Item) -> Ordering {
    match item {
        Item::Number(number) => number.cmp(&Number::ZERO),
        Item::Word(word) => word.cmp(&RELEASE),
        Item::List(list) => {
            list.iter().map(with_nothing).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        }
    }
}
