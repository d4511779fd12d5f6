//! How facts, differences and checks are printed. What a host's files hold steers no terminal.

use std::io::{Result, Write};

use baseline::{CheckResult, Delta, Fact, Outcome, Verdict};
use serde_json::{Value as Json, json};

const VALUE_CHARS_MAX: usize = 100;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Format {
    Table,
    Json,
    Csv,
}

impl Format {
    pub(super) fn named(name: &str) -> Format {
        match name {
            "json" => Format::Json,
            "csv" => Format::Csv,
            _ => Format::Table,
        }
    }
}

pub(super) fn json(value: &Json, out: &mut dyn Write) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn csv(out: &mut dyn Write, cells: &[&str]) -> Result<()> {
    let cells: Vec<String> = cells.iter().map(|cell| web::csv_cell(cell)).collect();
    writeln!(out, "{}", cells.join(","))
}

fn short(text: &str) -> String {
    let shown: String = text.chars().take(VALUE_CHARS_MAX).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown}{more}").replace(char::is_control, " ")
}

pub(super) fn facts<'a>(
    facts: impl Iterator<Item = &'a Fact>,
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    if format == Format::Csv {
        csv(out, &["layer", "class", "name", "value", "origin"])?;
    }
    for fact in facts {
        let (layer, class, name) =
            (fact.layer().as_str(), fact.class.as_str(), fact.name.to_string());
        let value = fact.value.shown();
        match format {
            Format::Csv => csv(out, &[layer, class, &name, &value, &fact.origin.to_string()])?,
            _ => writeln!(out, "{layer:<9} {class:<16} {:<48} {}", short(&name), short(&value))?,
        }
    }
    Ok(())
}

pub(super) fn deltas(deltas: &[Delta], format: Format, out: &mut dyn Write) -> Result<()> {
    match format {
        Format::Json => return json(&json!(deltas), out),
        Format::Csv => csv(out, &["class", "name", "part", "before", "after", "origin"])?,
        Format::Table => {}
    }
    for delta in deltas {
        let sign = match (&delta.before, &delta.after) {
            (None, _) => '+',
            (_, None) => '-',
            _ => '~',
        };
        if format == Format::Table {
            writeln!(
                out,
                "{sign} {}  ({})",
                short(&delta.path()),
                short(&delta.origin.to_string())
            )?;
        }
        for (part, before, after) in delta.parts() {
            let (before, after) = (before.shown(), after.shown());
            let (class, name) = (delta.class.as_str(), delta.name.to_string());
            match format {
                Format::Csv => {
                    csv(out, &[class, &name, &part, &before, &after, &delta.origin.to_string()])?;
                }
                _ => writeln!(out, "    {part:<12} {} → {}", short(&before), short(&after))?,
            }
        }
    }
    Ok(())
}

/// Differences with what they are.
pub(super) fn judged(
    judged: &[(Delta, Verdict)],
    format: Format,
    out: &mut dyn Write,
) -> Result<()> {
    if format == Format::Csv {
        csv(out, &["verdict", "reason", "by", "class", "name", "origin"])?;
    }
    for (delta, verdict) in judged {
        let by = verdict.by.as_deref().unwrap_or_default();
        let (class, reason) = (verdict.class.as_str(), verdict.reason);
        if format == Format::Csv {
            let (kind, name) = (delta.class.as_str(), delta.name.to_string());
            csv(out, &[class, reason, by, kind, &name, &delta.origin.to_string()])?;
            continue;
        }
        writeln!(out, "{class:<16} {reason:<16} {}  {}", short(&delta.path()), short(by))?;
    }
    Ok(())
}

pub(super) fn checks(results: &[CheckResult], format: Format, out: &mut dyn Write) -> Result<()> {
    match format {
        Format::Json => return json(&json!(results), out),
        Format::Csv => {
            csv(out, &["family", "check", "outcome", "key", "value", "origin", "remedy"])?
        }
        Format::Table => {}
    }
    for result in results {
        let outcome = match result.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Unknown => "unknown",
            Outcome::NotApplicable => "n/a",
        };
        let family = result.family.as_str();
        if format == Format::Csv {
            let row = |key: &str, value: &str, origin: &str| {
                [family, result.id, outcome, key, value, origin, result.remedy.en]
                    .map(str::to_owned)
            };
            let mut rows = vec![];
            if result.failing.is_empty() {
                rows.push(row("", &result.reason, ""));
            }
            rows.extend(result.failing.iter().map(|f| row(&f.key, &f.value, &f.origin)));
            for row in rows {
                csv(out, &row.each_ref().map(String::as_str))?;
            }
            continue;
        }
        writeln!(
            out,
            "{outcome:<8} {:<36} {} / {} {}",
            result.id, result.title.ja, result.title.en, result.reason
        )?;
        for failing in &result.failing {
            let (key, value) = (short(&failing.key), short(&failing.value));
            writeln!(out, "           {key}  {value}  ({})", short(&failing.origin))?;
        }
        if result.outcome == Outcome::Fail {
            writeln!(out, "         → {} / {}", result.remedy.ja, result.remedy.en)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_steers_the_terminal() {
        assert!(!short("name\x1b[2J a\nb\x07").contains(char::is_control));
    }
}
