//! Conditions: `1 of selection* and not filter`, read into a tree over search identifiers.

use crate::{error::Reason, limits::Limits};

/// A condition whose names are indexes into the search identifiers it was read against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    Name(usize),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

/// Reads a condition over `names`.
pub(crate) fn read(text: &str, names: &[&str], limits: &Limits) -> Result<Expr, Reason> {
    if text.contains('|') {
        return Err(Reason::ConditionPipe);
    }
    let tokens = tokens(text);
    let mut reader = Reader { tokens: &tokens, at: 0, names, depth: limits.condition_depth };
    let expr = reader.or(0)?;
    match reader.peek() {
        None => Ok(expr),
        Some(token) => Err(Reason::Condition(format!("{token:?} is not expected here"))),
    }
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() || c == '(' || c == ')' {
            if let Some(start) = start.take() {
                tokens.push(&text[start..at]);
            }
            if !c.is_whitespace() {
                tokens.push(&text[at..at + 1]);
            }
        } else {
            start.get_or_insert(at);
        }
    }
    tokens.extend(start.map(|start| &text[start..]));
    tokens
}

struct Reader<'t> {
    tokens: &'t [&'t str],
    at: usize,
    names: &'t [&'t str],
    depth: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<&'t str> {
        self.tokens.get(self.at).copied()
    }

    fn eat(&mut self, token: &str) -> bool {
        let meets = self.peek() == Some(token);
        self.at += usize::from(meets);
        meets
    }

    fn or(&mut self, depth: usize) -> Result<Expr, Reason> {
        let mut parts = vec![self.and(depth)?];
        while self.eat("or") {
            parts.push(self.and(depth)?);
        }
        Ok(joined(parts, Expr::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Expr, Reason> {
        let mut parts = vec![self.not(depth)?];
        while self.eat("and") {
            parts.push(self.not(depth)?);
        }
        Ok(joined(parts, Expr::And))
    }

    fn not(&mut self, depth: usize) -> Result<Expr, Reason> {
        if depth > self.depth {
            return Err(Reason::Limit("levels in a condition", self.depth));
        }
        if self.eat("not") {
            return Ok(Expr::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.or(depth + 1)?;
            return match self.eat(")") {
                true => Ok(inner),
                false => Err(Reason::Condition("a bracket is not closed".into())),
            };
        }
        let Some(word) = self.peek() else {
            return Err(Reason::Condition("it ends where a name is expected".into()));
        };
        self.at += 1;
        let of = self.peek() == Some("of");
        match word {
            "1" | "all" if of => {
                self.at += 1;
                self.quantified(word == "all")
            }
            _ if of => {
                Err(Reason::Condition(format!("{word:?} of is not known; write 1 of or all of")))
            }
            "and" | "or" | "of" | ")" => {
                Err(Reason::Condition(format!("{word:?} is not expected here")))
            }
            "AND" | "OR" | "NOT" => Err(Reason::Condition(format!("write {word:?} in lower case"))),
            name => match self.names.iter().position(|n| *n == name) {
                Some(at) => Ok(Expr::Name(at)),
                None => Err(Reason::ConditionName(name.to_owned())),
            },
        }
    }

    fn quantified(&mut self, all: bool) -> Result<Expr, Reason> {
        let Some(pattern) = self.peek().filter(|p| *p != "(" && *p != ")") else {
            return Err(Reason::Condition("after of a pattern or them is expected".into()));
        };
        self.at += 1;
        let meets = |name: &str| match pattern {
            "them" => !name.starts_with('_'),
            // A name with `_` is left out unless the pattern asks for it.
            _ => (pattern.starts_with('_') || !name.starts_with('_')) && glob(pattern, name),
        };
        let parts: Vec<Expr> =
            (0..self.names.len()).filter(|i| meets(self.names[*i])).map(Expr::Name).collect();
        match parts.is_empty() {
            true => Err(Reason::ConditionPattern(pattern.to_owned())),
            false => Ok(joined(parts, if all { Expr::And } else { Expr::Or })),
        }
    }
}

fn joined(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

/// `*` stands for any number of characters.
fn glob(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["selection_a", "selection_b", "filter", "_hidden", "keywords"];

    fn shown(expr: &Expr) -> String {
        let all = |parts: &[Expr], op: &str| {
            format!("({})", parts.iter().map(shown).collect::<Vec<_>>().join(op))
        };
        match expr {
            Expr::Name(i) => NAMES[*i].to_owned(),
            Expr::Not(inner) => format!("!{}", shown(inner)),
            Expr::And(parts) => all(parts, "&"),
            Expr::Or(parts) => all(parts, "|"),
        }
    }

    fn read_shown(text: &str) -> String {
        read(text, &NAMES, &Limits::default()).map_or_else(|e| e.code().to_owned(), |e| shown(&e))
    }

    #[test]
    fn or_binds_least_then_and_then_not_then_of_then_brackets() {
        let cases = [
            ("filter", "filter"),
            ("filter or keywords and not selection_a", "(filter|(keywords&!selection_a))"),
            ("(filter or keywords) and selection_a", "((filter|keywords)&selection_a)"),
            ("not filter and keywords", "(!filter&keywords)"),
            ("not (filter and keywords)", "!(filter&keywords)"),
            ("not 1 of selection_*", "!(selection_a|selection_b)"),
            ("not not filter", "!!filter"),
            ("all of selection* and not 1 of filter*", "((selection_a&selection_b)&!filter)"),
        ];
        for (text, want) in cases {
            assert_eq!(read_shown(text), want, "{text}");
        }
    }

    #[test]
    fn them_leaves_out_names_with_an_underscore_and_patterns_take_stars_anywhere() {
        let cases = [
            ("1 of them", "(selection_a|selection_b|filter|keywords)"),
            ("all of them", "(selection_a&selection_b&filter&keywords)"),
            ("1 of *e*", "(selection_a|selection_b|filter|keywords)"),
            ("1 of *_b", "selection_b"),
            ("1 of s*_*", "(selection_a|selection_b)"),
            ("1 of _h*", "_hidden"),
            ("1 of filter", "filter"),
            ("_hidden", "_hidden"),
        ];
        for (text, want) in cases {
            assert_eq!(read_shown(text), want, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_condition_is_refused() {
        let cases = [
            ("", "condition"),
            ("filter and", "condition"),
            ("(filter", "condition"),
            ("filter)", "condition"),
            ("filter keywords", "condition"),
            ("2 of selection_*", "condition"),
            ("1 of", "condition"),
            ("filter AND keywords", "condition"),
            ("nothing", "condition-name"),
            ("1 of x*", "condition-pattern"),
            ("filter | count() > 5", "condition-pipe"),
        ];
        for (text, want) in cases {
            assert_eq!(read_shown(text), want, "{text}");
        }
        let deep = format!("{}filter{}", "(".repeat(100), ")".repeat(100));
        assert_eq!(read_shown(&deep), "limit");
        assert_eq!(read_shown(&format!("{}filter", "not ".repeat(100))), "limit");
    }
}
