//! What a list shows, as the address says it:
//! `?q=words&where=os:is:debian&sort=-ram&col=os&col=ram&after=…&after_id=…`.

use jiff::tz::TimeZone;
use model::{Field, FieldType, Id, KindSpec, Lang, Table, Text, Timestamp, t};
use store::{
    By, CHANGED, CONDITIONS_MAX, Condition, ENDS, Filter, Key, Order, Reach, Row, STATUS, Test,
};

use crate::frame::{Cx, Refusal, User};

/// Columns shown until the reader chooses.
const COLUMNS_DEFAULT: usize = 4;
const COLUMNS_MAX: usize = 40;
const QUERY_CHARS_MAX: usize = 200;
const VALUE_CHARS_MAX: usize = 250;

/// How a column compares, which decides what can be asked of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Text,
    Number,
    Date,
    /// Microseconds, asked for by day.
    Instant,
    Choice(&'static [model::Choice]),
    Flag,
    /// Shown, but neither sorted nor filtered by value.
    Opaque,
}

/// A field of the kind, or one of the columns that every row has.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub name: &'static str,
    pub label: Text,
    pub shape: Shape,
    pub field: Option<&'static Field>,
}

const EVERY_ROW: [Column; 3] = [
    Column { name: STATUS, label: t("状態", "Status"), shape: Shape::Text, field: None },
    Column {
        name: ENDS,
        label: t("期限・有効期限", "Due or valid until"),
        shape: Shape::Instant,
        field: None,
    },
    Column {
        name: CHANGED, label: t("更新日時", "Changed"), shape: Shape::Instant, field: None
    },
];

impl Column {
    fn of(field: &'static Field) -> Column {
        let shape = match field.ty {
            FieldType::Number { .. } | FieldType::Money => Shape::Number,
            FieldType::Date => Shape::Date,
            FieldType::Enum(choices) => Shape::Choice(choices),
            FieldType::Boolean => Shape::Flag,
            FieldType::Text
            | FieldType::Period
            | FieldType::Zone
            | FieldType::List
            | FieldType::Reference(_)
            | FieldType::Party
            | FieldType::Time => Shape::Text,
            FieldType::Multiline
            | FieldType::TextPair
            | FieldType::Duration
            | FieldType::Table(_)
            | FieldType::Object
            | FieldType::File
            | FieldType::Hash => Shape::Opaque,
        };
        Column { name: field.name, label: field.label, shape, field: Some(field) }
    }

    /// A file or a table is changed row by row.
    pub(crate) fn may_bulk(&self) -> bool {
        self.field.is_some_and(|f| !matches!(f.ty, FieldType::File | FieldType::Table(_)))
    }

    /// The order by an id would look like no order at all.
    pub(crate) fn sortable(&self) -> bool {
        let by_id =
            self.field.is_some_and(|f| matches!(f.ty, FieldType::Reference(_) | FieldType::Party));
        !matches!(self.shape, Shape::Opaque) && !by_id
    }

    pub(crate) fn ops(&self) -> &'static [Op] {
        use Op::{AtLeast, AtMost, Is, IsNot, Set, Starts, Unset};
        match self.shape {
            Shape::Text => &[Is, IsNot, Starts, Set, Unset],
            Shape::Number => &[Is, AtLeast, AtMost, Set, Unset],
            Shape::Date => &[Is, AtLeast, AtMost, Set, Unset],
            Shape::Instant => &[AtLeast, AtMost, Set, Unset],
            Shape::Choice(_) | Shape::Flag => &[Is, IsNot, Set, Unset],
            Shape::Opaque => &[],
        }
    }

    /// The key of what was asked for; a day ends or begins in the zone of the organisation.
    fn key(&self, value: &str, end_of_day: bool, zone: &TimeZone) -> Option<Key> {
        let folded = Key::text(value);
        let Key::Text(plain) = &folded else { return None };
        match self.shape {
            Shape::Number => plain.replace(',', "").parse().ok().map(Key::Number),
            Shape::Date => plain.parse::<jiff::civil::Date>().ok().map(|_| folded),
            Shape::Instant => {
                let date: jiff::civil::Date = plain.parse().ok()?;
                let date = if end_of_day { date.tomorrow().ok()? } else { date };
                let at = zone.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
                Some(Key::Number(at.as_microsecond() - i64::from(end_of_day)))
            }
            Shape::Flag => match plain.as_str() {
                "true" | "1" => Some(Key::Number(1)),
                "false" | "0" => Some(Key::Number(0)),
                _ => None,
            },
            Shape::Choice(choices) => {
                let same = |text: &str| Key::text(text) == folded;
                let found =
                    choices.iter().find(|c| same(c.value) || same(c.label.ja) || same(c.label.en));
                found.map(|c| Key::text(c.value))
            }
            Shape::Text | Shape::Opaque => Some(folded),
        }
    }
}

/// What can be asked of a column; the name stands in the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Is,
    IsNot,
    Starts,
    AtLeast,
    AtMost,
    Set,
    Unset,
}

impl Op {
    pub(crate) const ALL: [Op; 7] =
        [Op::Is, Op::IsNot, Op::Starts, Op::AtLeast, Op::AtMost, Op::Set, Op::Unset];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Op::Is => "is",
            Op::IsNot => "not",
            Op::Starts => "starts",
            Op::AtLeast => "from",
            Op::AtMost => "to",
            Op::Set => "set",
            Op::Unset => "unset",
        }
    }

    pub(crate) fn label(self, lang: Lang) -> &'static str {
        match self {
            Op::Is => t("と等しい", "is"),
            Op::IsNot => t("と異なる", "is not"),
            Op::Starts => t("で始まる", "starts with"),
            Op::AtLeast => t("以上・以降", "at least, from"),
            Op::AtMost => t("以下・以前", "at most, until"),
            Op::Set => t("が入力済み", "is filled in"),
            Op::Unset => t("が未入力", "is empty"),
        }
        .get(lang)
    }

    fn needs_value(self) -> bool {
        !matches!(self, Op::Set | Op::Unset)
    }
}

/// One condition as the address says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Where {
    pub column: &'static str,
    pub op: Op,
    pub value: String,
}

impl Where {
    fn text(&self) -> String {
        format!("{}:{}:{}", self.column, self.op.name(), self.value)
    }
}

/// A condition that is on, and the address without it.
pub(crate) struct Chip {
    pub text: String,
    pub without: String,
}

/// The state of a list.
#[derive(Clone)]
pub(crate) struct View {
    path: String,
    kind: &'static KindSpec,
    reach: Reach,
    zone: TimeZone,
    /// Whatever the reader may see, in the order of the kind.
    pub all: Vec<Column>,
    pub q: String,
    pub wheres: Vec<Where>,
    /// A column to sort by, descending or not; `None` for the name.
    pub sort: Option<&'static str>,
    pub descending: bool,
    /// Columns chosen; empty for the usual ones.
    pub chosen: Vec<&'static str>,
    after: Option<(Key, Id)>,
}

impl View {
    /// Reads the address. What it cannot mean is refused by name, so that no list shows more than its
    /// address says.
    pub(crate) fn read(
        user: &User,
        table: Table,
        kind: &'static KindSpec,
        pairs: &[(String, String)],
    ) -> Result<View, Refusal> {
        let reader = user.reader();
        let seen = kind.fields.iter().filter(|f| reader.sees(kind, f));
        let all = seen.map(Column::of).chain(EVERY_ROW).collect();
        let mut view = View {
            path: format!("/register/{}/{}", table.name(), kind.id),
            kind,
            reach: reader.reach(kind),
            zone: user.cx.local.zone.clone(),
            all,
            q: String::new(),
            wheres: Vec::new(),
            sort: None,
            descending: false,
            chosen: Vec::new(),
            after: None,
        };
        let [mut of, mut op, mut value, mut after, mut after_id] = [const { String::new() }; 5];
        for (name, text) in pairs {
            match name.as_str() {
                "q" => view.q = text.chars().take(QUERY_CHARS_MAX).collect(),
                "where" => view.add_text(user, text)?,
                "of" => of.clone_from(text),
                "op" => op.clone_from(text),
                "value" => value.clone_from(text),
                "sort" => view.sort_by(user, text)?,
                "col" if view.chosen.len() < COLUMNS_MAX => {
                    view.chosen.push(view.column(user, text)?.name);
                }
                "after" => after.clone_from(text),
                "after_id" => after_id.clone_from(text),
                _ => {}
            }
        }
        if !of.is_empty() {
            view.add(user, &of, &op, &value)?;
        }
        if let Ok(id) = after_id.parse() {
            view.after = view.cursor(&after).map(|key| (key, id));
        }
        Ok(view)
    }

    fn column(&self, user: &User, name: &str) -> Result<Column, Refusal> {
        self.all.iter().find(|c| c.name == name).copied().ok_or_else(|| {
            if let Some(hidden) = self.kind.field(name) {
                return Refusal::Personal(hidden.label.get(user.cx.lang));
            }
            let names: Vec<&str> = self.all.iter().map(|c| c.name).collect();
            Refusal::Bad(format!(
                "{}: {name} ({})",
                user.cx.t("この台帳にない項目です", "This register has no such column"),
                names.join(", ")
            ))
        })
    }

    fn add_text(&mut self, user: &User, text: &str) -> Result<(), Refusal> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().unwrap_or("").to_owned();
        let (of, op, value) = (part(), part(), part());
        self.add(user, &of, &op, &value)
    }

    fn add(&mut self, user: &User, of: &str, op: &str, value: &str) -> Result<(), Refusal> {
        let column = self.column(user, of)?;
        let label = column.label.get(user.cx.lang);
        let wrong = |what: &str| Refusal::Bad(format!("{label}: {what}"));
        let op = column.ops().iter().copied().find(|o| o.name() == op).ok_or_else(|| {
            wrong(user.cx.t(
                "この項目では使えない条件です。",
                "This condition cannot be asked of the column.",
            ))
        })?;
        let value: String = match op.needs_value() {
            true => value.trim().chars().take(VALUE_CHARS_MAX).collect(),
            false => String::new(),
        };
        if op.needs_value() && (value.is_empty() || column.key(&value, false, &self.zone).is_none())
        {
            return Err(wrong(user.cx.t(
                "値の形式が違います。日付は2026-11-25のように入力してください。",
                "The value does not fit the column. Write a date as 2026-11-25.",
            )));
        }
        let new = Where { column: column.name, op, value };
        if self.wheres.len() >= CONDITIONS_MAX {
            return Err(wrong(user.cx.t("条件が多すぎます。", "Too many conditions.")));
        }
        if !self.wheres.contains(&new) {
            self.wheres.push(new);
        }
        Ok(())
    }

    fn sort_by(&mut self, user: &User, text: &str) -> Result<(), Refusal> {
        let name = text.strip_prefix('-').unwrap_or(text);
        self.descending = text.starts_with('-');
        self.sort = match name {
            "" | "name" => None,
            name => Some(self.column(user, name)?).filter(Column::sortable).map(|c| c.name),
        };
        Ok(())
    }

    fn sort_column(&self) -> Option<&Column> {
        self.sort.and_then(|name| self.all.iter().find(|c| c.name == name))
    }

    fn by(&self) -> Option<By> {
        let column = self.sort_column()?;
        let number = matches!(column.shape, Shape::Number | Shape::Instant | Shape::Flag);
        Some(By { name: column.name.to_owned(), number })
    }

    /// `=text`, `#number` or nothing: what the last row shown was sorted by.
    fn cursor(&self, text: &str) -> Option<Key> {
        match text.split_at_checked(1)? {
            ("=", text) => Some(Key::Text(text.to_owned())),
            ("#", n) => n.parse().ok().map(Key::Number),
            _ => Some(Key::Nothing),
        }
    }

    /// What the row is sorted by.
    pub(crate) fn key(&self, row: &Row) -> Key {
        self.sort.map_or_else(|| Key::Text(row.name.clone()), |name| Key::of_row(row, name))
    }

    /// The address of the page behind this row.
    pub(crate) fn next(&self, last: &Row) -> String {
        let after = match self.key(last) {
            Key::Text(text) => format!("={text}"),
            Key::Number(n) => format!("#{n}"),
            Key::Nothing => "-".to_owned(),
        };
        let mut pairs = self.pairs();
        pairs.extend([("after", after), ("after_id", last.id.to_string())]);
        address(&self.path, &pairs)
    }

    /// Columns the list shows.
    pub(crate) fn columns(&self) -> Vec<Column> {
        if !self.chosen.is_empty() {
            return self.all.iter().filter(|c| self.chosen.contains(&c.name)).copied().collect();
        }
        let usual =
            |c: &&Column| c.field.is_some_and(|f| !f.personal) && !matches!(c.shape, Shape::Opaque);
        let mut columns: Vec<Column> =
            self.all.iter().filter(usual).take(COLUMNS_DEFAULT).copied().collect();
        columns.push(EVERY_ROW[2]);
        columns
    }

    /// What the store is asked for.
    pub(crate) fn filter(&self, limit: usize) -> Filter {
        Filter {
            kind: Some(self.kind.id.to_owned()),
            text: self.q.clone(),
            conditions: self.wheres.iter().filter_map(|w| self.condition(w)).collect(),
            order: Order { by: self.by(), descending: self.descending },
            after: self.after.clone(),
            limit,
            reach: self.reach.clone(),
            ..Filter::default()
        }
    }

    fn condition(&self, ask: &Where) -> Option<Condition> {
        let column = self.all.iter().find(|c| c.name == ask.column)?;
        let key = || column.key(&ask.value, false, &self.zone);
        let test = match ask.op {
            Op::Is => Test::Is(key()?),
            Op::IsNot => Test::IsNot(key()?),
            Op::AtLeast => Test::AtLeast(key()?),
            Op::AtMost => Test::AtMost(column.key(&ask.value, true, &self.zone)?),
            Op::Starts => match Key::text(&ask.value) {
                Key::Text(text) => Test::Starts(text),
                _ => return None,
            },
            Op::Set => Test::Set,
            Op::Unset => Test::Unset,
        };
        Some(Condition { name: column.name.to_owned(), test })
    }

    /// The state as name and value, for an address or the hidden fields of a form.
    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if !self.q.is_empty() {
            pairs.push(("q", self.q.clone()));
        }
        pairs.extend(self.wheres.iter().map(|w| ("where", w.text())));
        if self.sort.is_some() || self.descending {
            let way = if self.descending { "-" } else { "" };
            pairs.push(("sort", format!("{way}{}", self.sort.unwrap_or("name"))));
        }
        pairs.extend(self.chosen.iter().map(|c| ("col", (*c).to_owned())));
        pairs
    }

    /// The same without some names: a form brings those itself.
    pub(crate) fn hidden(&self, without: &[&str]) -> Vec<(&'static str, String)> {
        self.pairs().into_iter().filter(|(name, _)| !without.contains(name)).collect()
    }

    pub(crate) fn url(&self) -> String {
        address(&self.path, &self.pairs())
    }

    /// The same rows in a file.
    pub(crate) fn file_url(&self, ending: &str, more: &[(&'static str, String)]) -> String {
        let mut pairs = self.pairs();
        pairs.extend_from_slice(more);
        address(&format!("{}/{ending}", self.path), &pairs)
    }

    /// The address sorted by this column, the other way round if it is already; `None` for the name.
    pub(crate) fn sorted(&self, by: Option<&'static str>) -> String {
        let descending = self.sort == by && !self.descending;
        View { sort: by, descending, ..self.clone() }.url()
    }

    /// `ascending`, `descending` or nothing.
    pub(crate) fn direction(&self, by: Option<&'static str>) -> &'static str {
        match (self.sort == by, self.descending) {
            (false, _) => "",
            (true, false) => "ascending",
            (true, true) => "descending",
        }
    }

    /// The conditions that are on.
    pub(crate) fn chips(&self, cx: &Cx) -> Vec<Chip> {
        let mut chips = Vec::new();
        for (i, ask) in self.wheres.iter().enumerate() {
            let Some(column) = self.all.iter().find(|c| c.name == ask.column) else { continue };
            let mut without = self.clone();
            without.wheres.remove(i);
            chips.push(Chip { text: describe(cx, column, ask), without: without.url() });
        }
        chips
    }

    /// Conditions one click away: the choices of the columns that have some.
    pub(crate) fn quick(&self, cx: &Cx) -> Vec<(&'static str, Vec<(String, String)>)> {
        let with = |column: &Column, value: &str| {
            let mut view = self.clone();
            let value = value.to_owned();
            view.wheres.push(Where { column: column.name, op: Op::Is, value });
            view.url()
        };
        let taken = |c: &&Column| !self.wheres.iter().any(|w| w.column == c.name);
        self.all
            .iter()
            .filter(taken)
            .filter_map(|c| {
                let choices = match c.shape {
                    Shape::Choice(choices) => choices
                        .iter()
                        .map(|o| (o.label.get(cx.lang).to_owned(), with(c, o.value)))
                        .collect(),
                    Shape::Flag => ["true", "false"]
                        .iter()
                        .map(|v| (flag(cx, v).to_owned(), with(c, v)))
                        .collect(),
                    _ => return None,
                };
                Some((c.label.get(cx.lang), choices))
            })
            .collect()
    }
}

fn flag(cx: &Cx, value: &str) -> &'static str {
    if value == "true" || value == "1" { cx.t("はい", "yes") } else { cx.t("いいえ", "no") }
}

fn describe(cx: &Cx, column: &Column, ask: &Where) -> String {
    let value = match column.shape {
        Shape::Choice(choices) => choices
            .iter()
            .find(|c| Key::text(c.value) == Key::text(&ask.value))
            .map_or(ask.value.as_str(), |c| c.label.get(cx.lang)),
        Shape::Flag => flag(cx, &ask.value),
        _ if column.name == STATUS => cx.status(&ask.value),
        _ => ask.value.as_str(),
    };
    let label = column.label.get(cx.lang);
    let says = match (ask.op, cx.lang) {
        (Op::Is, _) => format!("= {value}"),
        (Op::IsNot, _) => format!("≠ {value}"),
        (Op::AtLeast, _) => format!("≥ {value}"),
        (Op::AtMost, _) => format!("≤ {value}"),
        (Op::Starts, Lang::Ja) => format!("「{value}」で始まる"),
        (Op::Starts, Lang::En) => format!("starts with “{value}”"),
        (Op::Set | Op::Unset, _) => ask.op.label(cx.lang).to_owned(),
    };
    format!("{label} {says}")
}

fn address(path: &str, pairs: &[(&'static str, String)]) -> String {
    let said: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", urlencoding::encode(value)))
        .collect();
    if said.is_empty() { path.to_owned() } else { format!("{path}?{}", said.join("&")) }
}

/// A time as the list shows it, or nothing.
pub(crate) fn instant(cx: &Cx, time: Option<Timestamp>) -> String {
    time.map_or(String::new(), |t| cx.time(&t))
}
