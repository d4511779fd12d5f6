//! A document against a compiled schema. Content models of XML Schema are deterministic, so the next
//! element says which way to go and nothing has to be tried twice.

use super::schema::{Base, Complex, Content, Declared, Particle, Schema, Simple, Type};
use super::tree::Element;
use crate::bom::{Problem, Rule};

/// Everything that breaks the schema, with lines.
pub(crate) fn check(schema: &Schema, root: &Element, problems_max: usize) -> Vec<Problem> {
    let mut check = Check { schema, problems: Vec::new(), max: problems_max };
    if root.space != schema.space || root.name != schema.root.name {
        check.say(root.line, format!("{} is not the root of this format", root.name));
    } else {
        check.element(root, schema.root.holds);
    }
    check.problems
}

struct Check<'a> {
    schema: &'a Schema,
    problems: Vec<Problem>,
    max: usize,
}

/// What a content model misses.
struct Misfit(String);

impl<'a> Check<'a> {
    fn say(&mut self, line: usize, what: String) {
        if self.problems.len() < self.max {
            self.problems.push(Problem::line(line, Rule::Schema, what));
        }
    }

    fn element(&mut self, element: &Element, holds: Type) {
        if self.problems.len() >= self.max {
            return;
        }
        let schema = self.schema;
        match holds {
            Type::Simple(index) => {
                if let Some(child) = element.children.first() {
                    let what = format!("{} holds a text, no element {}", element.name, child.name);
                    self.say(child.line, what);
                }
                for attribute in element.attributes.iter().filter(|one| one.space.is_empty()) {
                    let what = format!("{} has no attribute {}", element.name, attribute.name);
                    self.say(element.line, what);
                }
                self.text(element, &element.name, index, &element.text);
            }
            Type::Complex(index) => self.complex(element, &schema.complex[index]),
        }
    }

    fn complex(&mut self, element: &Element, complex: &'a Complex) {
        self.attributes(element, complex);
        let content = match &complex.content {
            Content::Text(index) => {
                if let Some(child) = element.children.first() {
                    let what = format!("{} holds a text, no element {}", element.name, child.name);
                    self.say(child.line, what);
                }
                return self.text(element, &element.name, *index, &element.text);
            }
            Content::Nothing => None,
            Content::Elements(particle) => Some(particle),
            Content::Mixed(particle) => Some(particle),
        };
        let mixed = matches!(complex.content, Content::Mixed(_));
        if !mixed && !element.text.trim().is_empty() {
            self.say(element.line, format!("{} holds elements, no text", element.name));
        }
        let mut matched = Vec::new();
        let fit = content.map_or(Ok(0), |particle| {
            fit(particle, &element.children, 0, &self.schema.space, &mut matched)
        });
        match fit {
            Ok(end) => {
                if let Some(child) = element.children.get(end) {
                    let what = format!("{} may not stand here in {}", child.name, element.name);
                    self.say(child.line, what);
                }
            }
            Err(Misfit(what)) => self.say(element.line, format!("{}: {what}", element.name)),
        }
        for (index, declared) in matched {
            self.element(&element.children[index], declared.holds);
        }
    }

    fn attributes(&mut self, element: &Element, complex: &Complex) {
        for (name, holds, required) in &complex.attributes {
            match element.attribute(name) {
                Some(value) => self.text(element, name, *holds, value),
                None if *required => {
                    self.say(element.line, format!("{} lacks its {name}", element.name));
                }
                None => {}
            }
        }
        for attribute in &element.attributes {
            let known = complex.attributes.iter().any(|(name, ..)| *name == attribute.name);
            let allowed = match attribute.space.is_empty() {
                true => known || complex.any_attributes,
                // Where no wildcard stands, there are the attributes of XML and of instances only.
                false => {
                    complex.other_attributes || attribute.space.starts_with("http://www.w3.org/")
                }
            };
            if !allowed {
                let what = format!("{} has no attribute {}", element.name, attribute.name);
                self.say(element.line, what);
            }
        }
    }

    fn text(&mut self, element: &Element, name: &str, index: usize, text: &str) {
        if let Err(what) = simple(self.schema, index, text) {
            let shown: String = text.chars().take(60).collect();
            self.say(element.line, format!("{name} {shown:?}: {what}"));
        }
    }
}

fn is(child: Option<&Element>, name: &str, space: &str) -> bool {
    child.is_some_and(|child| child.name == name && child.space == space)
}

/// Whether a child can be the first that a particle takes.
fn starts(particle: &Particle, child: Option<&Element>, space: &str) -> bool {
    match particle {
        Particle::Element(one) => is(child, &one.name, space),
        Particle::Other => child.is_some_and(|child| child.space != space),
        Particle::Choice(all, ..) => all.iter().any(|one| starts(one, child, space)),
        Particle::Sequence(all, ..) => {
            for one in all {
                if starts(one, child, space) {
                    return true;
                }
                if !can_be_empty(one) {
                    return false;
                }
            }
            false
        }
    }
}

fn can_be_empty(particle: &Particle) -> bool {
    match particle {
        Particle::Element(one) => one.min == 0,
        Particle::Other => true,
        Particle::Sequence(all, min, _) => *min == 0 || all.iter().all(can_be_empty),
        Particle::Choice(all, min, _) => *min == 0 || all.iter().any(can_be_empty),
    }
}

fn expected(particle: &Particle) -> String {
    match particle {
        Particle::Element(one) => one.name.clone(),
        Particle::Other => "an element of another namespace".into(),
        Particle::Sequence(all, ..) => all.first().map(expected).unwrap_or_default(),
        Particle::Choice(all, ..) => {
            let names: Vec<String> = all.iter().map(expected).collect();
            names.join(" or ")
        }
    }
}

/// Takes as many children as the particle can; gives where it stopped.
fn fit<'a>(
    particle: &'a Particle,
    children: &[Element],
    from: usize,
    space: &str,
    matched: &mut Vec<(usize, &'a Declared)>,
) -> Result<usize, Misfit> {
    let mut at = from;
    match particle {
        Particle::Other => {
            while children.get(at).is_some_and(|child| child.space != space) {
                at += 1;
            }
        }
        Particle::Element(one) => {
            let mut count = 0;
            while count < one.max && is(children.get(at), &one.name, space) {
                matched.push((at, one));
                at += 1;
                count += 1;
            }
            if count < one.min {
                return Err(Misfit(format!("{} is missing or out of order", one.name)));
            }
        }
        Particle::Sequence(all, min, max) => {
            let mut count = 0;
            while count < *max && (count < *min || starts(particle, children.get(at), space)) {
                let before = at;
                for one in all {
                    at = fit(one, children, at, space, matched)?;
                }
                count += 1;
                if at == before {
                    break;
                }
            }
        }
        Particle::Choice(all, min, max) => {
            let mut count = 0;
            while count < *max {
                let Some(one) = all.iter().find(|one| starts(one, children.get(at), space)) else {
                    break;
                };
                at = fit(one, children, at, space, matched)?;
                count += 1;
            }
            if count < *min && !all.iter().any(can_be_empty) {
                return Err(Misfit(format!("{} is missing or out of order", expected(particle))));
            }
        }
    }
    Ok(at)
}

/// White space as a type that collapses it means it.
pub(crate) fn collapsed(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn simple(schema: &Schema, index: usize, text: &str) -> Result<(), String> {
    let one = &schema.simple[index];
    let collapsed_text;
    let text = if one.collapse {
        collapsed_text = collapsed(text);
        collapsed_text.as_str()
    } else {
        text
    };
    if !one.union.is_empty() {
        let mut misfits = one.union.iter().map(|index| simple(schema, *index, text));
        return match misfits.any(|misfit| misfit.is_ok()) {
            true => Ok(()),
            false => Err("none of the possible forms fits".into()),
        };
    }
    if let Some(parent) = one.parent {
        simple(schema, parent, text)?;
    }
    if let Some(base) = one.base {
        base_of(base, text)?;
    }
    facets(one, text)
}

fn facets(one: &Simple, text: &str) -> Result<(), String> {
    if !one.values.is_empty() && !one.values.iter().any(|value| value == text) {
        let some: Vec<&str> = one.values.iter().take(12).map(String::as_str).collect();
        return Err(format!("is none of {}", some.join(", ")));
    }
    if !one.patterns.is_empty() && !one.patterns.iter().any(|pattern| pattern.is_match(text)) {
        return Err(format!("does not match {}", one.patterns[0].as_str()));
    }
    let length = text.chars().count();
    if one.length_min.is_some_and(|min| length < min) {
        return Err("is too short".into());
    }
    if one.length_max.is_some_and(|max| length > max) {
        return Err("is too long".into());
    }
    if one.minimum.is_some() || one.maximum.is_some() {
        let number: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
        if one.minimum.is_some_and(|min| number < min)
            || one.maximum.is_some_and(|max| number > max)
        {
            return Err("is outside of its bounds".into());
        }
    }
    Ok(())
}

fn base_of(base: Base, text: &str) -> Result<(), String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let good = match base {
        Base::Text => true,
        // Nearly everything is one; white space within is not, since it has been collapsed.
        Base::Uri => !text.contains(|c: char| c.is_whitespace() || "<>\"{}|\\^`".contains(c)),
        Base::Truth => matches!(text, "true" | "false" | "1" | "0"),
        Base::Integer => digits(unsigned),
        Base::Decimal => {
            let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
            (digits(whole) || whole.is_empty())
                && (digits(part) || part.is_empty())
                && !(whole.is_empty() && part.is_empty())
        }
        // A zone is no duty in XML Schema.
        Base::Time => {
            crate::schema::date_time(text) || crate::schema::date_time(&format!("{text}Z"))
        }
        Base::Date => {
            crate::schema::date_time(&format!("{}T00:00:00Z", text.trim_end_matches('Z')))
        }
        Base::Licence => spdx::license_id(text).is_some() || spdx::exception_id(text).is_some(),
    };
    let name = match base {
        Base::Text => "text",
        Base::Uri => "URI",
        Base::Truth => "truth value",
        Base::Integer => "integer",
        Base::Decimal => "decimal",
        Base::Time => "date and time",
        Base::Date => "date",
        Base::Licence => "identifier of the SPDX list",
    };
    if good { Ok(()) } else { Err(format!("is no {name}")) }
}
