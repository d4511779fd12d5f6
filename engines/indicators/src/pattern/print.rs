//! From pattern to text.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{
    Comparison, Expression, Literal, Operator, Order, Path, Pattern, PropertyTest, Step,
};
use crate::stix::time;

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

/// How tightly a form binds; a looser one within a tighter one stands in brackets.
fn binding(expression: &Expression) -> u8 {
    match expression {
        Expression::FollowedBy(_) => 0,
        Expression::Or(_) => 1,
        Expression::And(_) => 2,
        Expression::Repeats(..) | Expression::Within(..) | Expression::StartStop(..) => 3,
        Expression::Test(_) => 4,
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Test(comparison) => write!(f, "[{comparison}]"),
            Expression::And(parts) => joined(f, parts, " AND ", 2),
            Expression::Or(parts) => joined(f, parts, " OR ", 1),
            Expression::FollowedBy(parts) => joined(f, parts, " FOLLOWEDBY ", 0),
            Expression::Repeats(inner, times) => {
                qualified(f, self, inner)?;
                write!(f, " REPEATS {times} TIMES")
            }
            Expression::Within(inner, micros) => {
                qualified(f, self, inner)?;
                write!(f, " WITHIN {} SECONDS", seconds(*micros))
            }
            Expression::StartStop(inner, start, stop) => {
                qualified(f, self, inner)?;
                write!(f, " START t'{}' STOP t'{}'", time::print(*start), time::print(*stop))
            }
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Expression], between: &str, own: u8) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        // A part of the same kind was in brackets, else it had been one of the parts.
        bracketed(f, part, binding(part) <= own)?;
    }
    Ok(())
}

fn bracketed(f: &mut Formatter<'_>, part: &dyn Display, brackets: bool) -> fmt::Result {
    match brackets {
        true => write!(f, "({part})"),
        false => part.fmt(f),
    }
}

/// The inner of a qualifier: qualifiers follow each other unless one of them is of the same kind.
fn qualified(f: &mut Formatter<'_>, outer: &Expression, inner: &Expression) -> fmt::Result {
    let mut kinds = vec![std::mem::discriminant(outer)];
    let mut at = inner;
    while let Expression::Repeats(next, _)
    | Expression::Within(next, _)
    | Expression::StartStop(next, ..) = at
    {
        if kinds.contains(&std::mem::discriminant(at)) {
            return bracketed(f, inner, true);
        }
        kinds.push(std::mem::discriminant(at));
        at = next;
    }
    bracketed(f, inner, binding(inner) < 3)
}

fn seconds(micros: i64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    match part {
        0 => whole.to_string(),
        _ => format!("{whole}.{part:06}").trim_end_matches('0').to_owned(),
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (parts, between, and) = match self {
            Comparison::And(parts) => (parts, " AND ", true),
            Comparison::Or(parts) => (parts, " OR ", false),
            Comparison::Test(test) => return test.fmt(f),
            Comparison::Exists { path, negated } => {
                return write!(f, "{}EXISTS {path}", if *negated { "NOT " } else { "" });
            }
        };
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                f.write_str(between)?;
            }
            let brackets = match part {
                Comparison::Or(_) => true,
                Comparison::And(_) => and,
                _ => false,
            };
            bracketed(f, part, brackets)?;
        }
        Ok(())
    }
}

impl Display for PropertyTest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.path, if self.negated { "NOT " } else { "" }, self.operator)
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Operator::Equal(value) => write!(f, "= {value}"),
            Operator::NotEqual(value) => write!(f, "!= {value}"),
            Operator::Order(order, value) => write!(f, "{} {value}", order.as_str()),
            Operator::In(values) => {
                f.write_str("IN (")?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_char(')')
            }
            Operator::Like(like) => write!(f, "LIKE {}", Quoted(like.source())),
            Operator::Matches(matches) => write!(f, "MATCHES {}", Quoted(matches.source())),
            Operator::Subset(net) => write!(f, "ISSUBSET '{net}'"),
            Operator::Superset(net) => write!(f, "ISSUPERSET '{net}'"),
        }
    }
}

impl Order {
    fn as_str(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Integer(n) => write!(f, "{n}"),
            Literal::Float(n) => {
                let text = n.to_string();
                write!(f, "{text}{}", if text.contains('.') { "" } else { ".0" })
            }
            Literal::Text(text) => Quoted(text).fmt(f),
            Literal::Bool(b) => write!(f, "{b}"),
            Literal::Bytes(bytes) => write!(f, "h'{}'", hex::encode(bytes)),
            Literal::Time(micros) => write!(f, "t'{}'", time::print(*micros)),
        }
    }
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        for c in self.0.chars() {
            if matches!(c, '\'' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        f.write_char('\'')
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.object)?;
        for (at, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    f.write_str(if at > 0 { "." } else { "" })?;
                    match is_plain(key) {
                        true => f.write_str(key)?,
                        false => Quoted(key).fmt(f)?,
                    }
                }
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Any => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}

/// Whether a name needs no quotes: all capitals may be a keyword, so they get quotes.
fn is_plain(key: &str) -> bool {
    let word = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let starts = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let keyword = key == "true" || key == "false" || key.chars().all(|c| c.is_ascii_uppercase());
    word && starts && !keyword
}
