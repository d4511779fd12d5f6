//! From text to pattern: recursive descent, `FOLLOWEDBY` loosest, then `OR`, then `AND`.

use super::ast::{
    CHAIN_MAX, Comparison, DEPTH_MAX, Expression, Literal, Operator, Order, Path, Pattern,
    PatternError, PropertyTest, REPEATS_MAX, SET_MAX, STEPS_MAX, Step, TESTS_MAX,
};
use super::lex::{self, Placed, Token};
use super::{Like, Matches, Net};

/// Reads a pattern.
pub fn parse(source: &str) -> Result<Pattern, PatternError> {
    let tokens = lex::tokens(source)?;
    let mut parser = Parser { source, tokens, at: 0, depth: 0, tests: 0 };
    let root = parser.followed_by()?;
    match parser.peek() {
        None => Ok(Pattern { root }),
        Some(_) => Err(parser.expected("the end, AND, OR, FOLLOWEDBY or a qualifier")),
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Placed>,
    at: usize,
    depth: usize,
    tests: usize,
}

type Result<T, E = PatternError> = std::result::Result<T, E>;

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.source.len(), |placed| placed.at)
    }

    fn error(&self, at: usize, what: impl Into<String>) -> PatternError {
        PatternError::new(self.source, at, what)
    }

    fn expected(&self, what: &str) -> PatternError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(_) => {
                let end = self.tokens.get(self.at + 1).map_or(self.source.len(), |next| next.at);
                let text: String = self.source[self.place()..end].trim().chars().take(40).collect();
                format!("{text:?}")
            }
        };
        self.error(self.place(), format!("expected {what}, found {found}"))
    }

    fn takes(&mut self, token: &Token) -> bool {
        let there = self.peek() == Some(token);
        self.at += usize::from(there);
        there
    }

    fn takes_mark(&mut self, mark: &'static str) -> bool {
        self.takes(&Token::Mark(mark))
    }

    fn takes_word(&mut self, keyword: &'static str) -> bool {
        self.takes(&Token::Keyword(keyword))
    }

    fn mark(&mut self, mark: &'static str) -> Result<()> {
        match self.takes_mark(mark) {
            true => Ok(()),
            false => Err(self.expected(&format!("{mark:?}"))),
        }
    }

    fn keyword(&mut self, keyword: &'static str) -> Result<()> {
        match self.takes_word(keyword) {
            true => Ok(()),
            false => Err(self.expected(keyword)),
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(self.error(self.place(), format!("brackets deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }

    fn counted(&mut self) -> Result<()> {
        self.tests += 1;
        match self.tests > TESTS_MAX {
            true => Err(self.error(self.place(), format!("more than {TESTS_MAX} tests"))),
            false => Ok(()),
        }
    }

    /// One or more parts between a keyword.
    fn chain<T>(
        &mut self,
        keyword: &'static str,
        part: fn(&mut Self) -> Result<T>,
        join: fn(Vec<T>) -> T,
    ) -> Result<T> {
        let first = part(self)?;
        if self.peek() != Some(&Token::Keyword(keyword)) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.takes_word(keyword) {
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn followed_by(&mut self) -> Result<Expression> {
        let at = self.place();
        let chain = self.chain("FOLLOWEDBY", Self::either, Expression::FollowedBy)?;
        match &chain {
            Expression::FollowedBy(parts) if parts.len() > CHAIN_MAX => {
                Err(self.error(at, format!("a chain of more than {CHAIN_MAX} parts")))
            }
            _ => Ok(chain),
        }
    }

    fn either(&mut self) -> Result<Expression> {
        self.chain("OR", Self::both, Expression::Or)
    }

    fn both(&mut self) -> Result<Expression> {
        self.chain("AND", Self::qualified, Expression::And)
    }

    fn qualified(&mut self) -> Result<Expression> {
        let mut inner = if self.takes_mark("[") {
            let comparison = self.deeper(Self::comparison)?;
            self.mark("]")?;
            Expression::Test(comparison)
        } else if self.takes_mark("(") {
            let inner = self.deeper(Self::followed_by)?;
            self.mark(")")?;
            inner
        } else {
            return Err(self.expected("\"[\" or \"(\""));
        };
        let mut seen = [false; 3];
        loop {
            let at = self.place();
            let kind = match self.peek() {
                Some(Token::Keyword("REPEATS")) => 0,
                Some(Token::Keyword("WITHIN")) => 1,
                Some(Token::Keyword("START")) => 2,
                _ => return Ok(inner),
            };
            if std::mem::replace(&mut seen[kind], true) {
                return Err(
                    self.error(at, "a qualifier that stands here already; brackets nest them")
                );
            }
            self.at += 1;
            inner = match kind {
                0 => self.repeats(inner)?,
                1 => self.within(inner)?,
                _ => self.start_stop(inner)?,
            };
        }
    }

    fn repeats(&mut self, inner: Expression) -> Result<Expression> {
        let at = self.place();
        let Some(&Token::Integer(times)) = self.peek() else {
            return Err(self.expected("how many times"));
        };
        let times = u32::try_from(times).ok().filter(|times| (1..=REPEATS_MAX).contains(times));
        let Some(times) = times else {
            return Err(self.error(at, format!("REPEATS takes 1 to {REPEATS_MAX}")));
        };
        self.at += 1;
        self.keyword("TIMES")?;
        Ok(Expression::Repeats(Box::new(inner), times))
    }

    fn within(&mut self, inner: Expression) -> Result<Expression> {
        let at = self.place();
        let micros = match self.peek() {
            Some(&Token::Integer(seconds)) => {
                seconds.clamp(0, SECONDS_MAX.into()) as i64 * 1_000_000
            }
            Some(&Token::Float(seconds)) => float_micros(seconds),
            _ => return Err(self.expected("a number of seconds")),
        };
        if micros <= 0 {
            return Err(self.error(at, "WITHIN takes more than 0 seconds"));
        }
        self.at += 1;
        self.keyword("SECONDS")?;
        Ok(Expression::Within(Box::new(inner), micros))
    }

    fn start_stop(&mut self, inner: Expression) -> Result<Expression> {
        let start = self.timestamp()?;
        self.keyword("STOP")?;
        let at = self.place();
        let stop = self.timestamp()?;
        match start < stop {
            true => Ok(Expression::StartStop(Box::new(inner), start, stop)),
            false => Err(self.error(at, "STOP must come after START")),
        }
    }

    fn timestamp(&mut self) -> Result<i64> {
        let Some(&Token::Time(time)) = self.peek() else {
            return Err(self.expected("a timestamp such as t'2026-01-31T12:00:00Z'"));
        };
        self.at += 1;
        Ok(time)
    }

    fn comparison(&mut self) -> Result<Comparison> {
        self.chain("OR", Self::comparison_and, Comparison::Or)
    }

    fn comparison_and(&mut self) -> Result<Comparison> {
        self.chain("AND", Self::property, Comparison::And)
    }

    fn property(&mut self) -> Result<Comparison> {
        if self.takes_mark("(") {
            let inner = self.deeper(Self::comparison)?;
            self.mark(")")?;
            return Ok(inner);
        }
        self.counted()?;
        let negated = self.takes_word("NOT");
        if self.takes_word("EXISTS") {
            return Ok(Comparison::Exists { path: self.path()?, negated });
        }
        if negated {
            return Err(self.expected("EXISTS (NOT stands before EXISTS or before an operator)"));
        }
        let path = self.path()?;
        let negated = self.takes_word("NOT");
        let operator = self.operator(&path)?;
        Ok(Comparison::Test(PropertyTest { path, negated, operator }))
    }

    fn path(&mut self) -> Result<Path> {
        let Some(Token::Word(object)) = self.peek().cloned() else {
            return Err(self.expected("a path such as file:name"));
        };
        self.at += 1;
        self.mark(":")?;
        let mut steps = vec![self.key()?];
        loop {
            let at = self.place();
            if self.takes_mark(".") {
                steps.push(self.key()?);
            } else if self.takes_mark("[") {
                steps.push(self.index()?);
            } else {
                return Ok(Path { object, steps });
            }
            if steps.len() > STEPS_MAX {
                return Err(self.error(at, format!("a path of more than {STEPS_MAX} steps")));
            }
        }
    }

    fn key(&mut self) -> Result<Step> {
        let key = match self.peek() {
            Some(Token::Word(word)) if !word.contains('-') => word.clone(),
            Some(Token::Text(text)) => text.clone(),
            Some(Token::Word(_)) => {
                return Err(self.expected("a name without hyphen, or quoted as 'tcp-ext'"));
            }
            _ => return Err(self.expected("the name of a property")),
        };
        self.at += 1;
        Ok(Step::Key(key))
    }

    fn index(&mut self) -> Result<Step> {
        let step = match self.peek() {
            Some(Token::Mark("*")) => Step::Any,
            Some(&Token::Integer(index)) => match i64::try_from(index) {
                Ok(index) => Step::Index(index),
                Err(_) => return Err(self.error(self.place(), "an index too large")),
            },
            _ => return Err(self.expected("an index or *")),
        };
        self.at += 1;
        self.mark("]")?;
        Ok(step)
    }

    fn operator(&mut self, path: &Path) -> Result<Operator> {
        let Some(token) = self.peek().cloned() else { return Err(self.expected("an operator")) };
        let order = match token {
            Token::Mark("=") => return self.after(|p| p.literal().map(Operator::Equal)),
            Token::Mark("!=") => return self.after(|p| p.literal().map(Operator::NotEqual)),
            Token::Keyword("IN") => return self.after(|p| p.set().map(Operator::In)),
            Token::Keyword("LIKE") => return self.after(|p| p.like()),
            Token::Keyword("MATCHES") => return self.after(|p| p.matches(path)),
            Token::Keyword("ISSUBSET") => return self.after(|p| p.net().map(Operator::Subset)),
            Token::Keyword("ISSUPERSET") => return self.after(|p| p.net().map(Operator::Superset)),
            Token::Mark("<") => Order::Less,
            Token::Mark("<=") => Order::LessOrEqual,
            Token::Mark(">") => Order::Greater,
            Token::Mark(">=") => Order::GreaterOrEqual,
            _ => return Err(self.expected("an operator")),
        };
        self.at += 1;
        if let Some(Token::Bool(_)) = self.peek() {
            return Err(self.expected("a value that has an order"));
        }
        Ok(Operator::Order(order, self.literal()?))
    }

    fn after<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.at += 1;
        inner(self)
    }

    fn literal(&mut self) -> Result<Literal> {
        let literal = match self.peek() {
            Some(Token::Integer(n)) => Literal::Integer(*n),
            Some(Token::Float(n)) => Literal::Float(*n),
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Bool(b)) => Literal::Bool(*b),
            Some(Token::Bytes(bytes)) => Literal::Bytes(bytes.clone()),
            Some(Token::Time(time)) => Literal::Time(*time),
            _ => return Err(self.expected("a value")),
        };
        self.at += 1;
        Ok(literal)
    }

    fn set(&mut self) -> Result<Vec<Literal>> {
        self.mark("(")?;
        let mut values: Vec<Literal> = Vec::new();
        if self.takes_mark(")") {
            return Ok(values);
        }
        loop {
            let at = self.place();
            let value = self.literal()?;
            if values.first().is_some_and(|first| !same_type(first, &value)) {
                return Err(self.error(at, "values of one set are of one type"));
            }
            if values.len() == SET_MAX {
                return Err(self.error(at, format!("a set of more than {SET_MAX} values")));
            }
            values.push(value);
            if self.takes_mark(")") {
                return Ok(values);
            }
            if !self.takes_mark(",") {
                return Err(self.expected("\",\" or \")\""));
            }
        }
    }

    fn quoted(&mut self) -> Result<(usize, String)> {
        let at = self.place();
        let Some(Token::Text(text)) = self.peek().cloned() else {
            return Err(self.expected("a quoted text"));
        };
        self.at += 1;
        Ok((at, text))
    }

    fn like(&mut self) -> Result<Operator> {
        Ok(Operator::Like(Like::new(&self.quoted()?.1)))
    }

    fn matches(&mut self, path: &Path) -> Result<Operator> {
        let (at, text) = self.quoted()?;
        let matches = Matches::new(&text, path.encoding()).map_err(|(inner, what)| {
            self.error(self.within_text(at, inner), format!("MATCHES: {what}"))
        })?;
        Ok(Operator::Matches(matches))
    }

    /// The place in the source of the `inner`th byte of the text that begins at `at`: backslashes count twice.
    fn within_text(&self, at: usize, inner: usize) -> usize {
        let mut place = at + 1;
        let mut seen = 0;
        let mut chars = self.source[place..].chars();
        while seen < inner {
            let Some(c) = chars.next() else { return at };
            place += c.len_utf8();
            if c == '\\' {
                place += chars.next().map_or(0, char::len_utf8);
            }
            seen += c.len_utf8();
        }
        place
    }

    fn net(&mut self) -> Result<Net> {
        let (at, text) = self.quoted()?;
        Net::parse(&text)
            .ok_or_else(|| self.error(at, "no network such as '192.0.2.0/24' or '2001:db8::/32'"))
    }
}

/// A span beyond all of time is all of time.
const SECONDS_MAX: i64 = i64::MAX / 4_000_000;

/// To the microsecond as long as a float tells microseconds apart, else to the second.
fn float_micros(seconds: f64) -> i64 {
    if seconds > 1e9 {
        return (seconds.round() as i64).min(SECONDS_MAX) * 1_000_000;
    }
    (seconds * 1e6).round() as i64
}

/// Whole and other numbers count as one type.
fn same_type(a: &Literal, b: &Literal) -> bool {
    let number = |l: &Literal| matches!(l, Literal::Integer(_) | Literal::Float(_));
    (number(a) && number(b)) || std::mem::discriminant(a) == std::mem::discriminant(b)
}
