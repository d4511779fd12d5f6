//! Policies, procedures and forms to start from: read, filled with what is known of the organisation,
//! shown, adopted as a draft.
//!
//! Invariants: a template is text, never code: raw HTML in it, or in what is filled in, is shown and not
//! run, and a link leads to the web or within the house only. What is filled in stands in the text alone
//! and cannot make markup.

mod files;

use std::sync::LazyLock;

use model::Lang;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, TextMergeStream, html};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Store, StoreError};

/// A template in one language.
#[derive(Clone, Debug)]
pub struct Template {
    pub head: Head,
    /// The Markdown below the front matter.
    pub text: &'static str,
}

/// Its front matter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub id: String,
    pub lang: String,
    pub title: String,
    /// `policy`, `procedure`, `form`.
    pub kind: String,
    /// The main one first.
    pub norms: Vec<String>,
    pub placeholders: Vec<String>,
    pub version: String,
    pub author: String,
}

impl Head {
    /// Numbers of the clauses and controls it serves, as people write them.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.norms.iter().map(|id| id.split_once('.').map_or(id.as_str(), |(_, number)| number))
    }
}

/// All of them, in the order of their ids, both languages.
pub fn all() -> &'static [Template] {
    static ALL: LazyLock<Vec<Template>> = LazyLock::new(|| {
        files::FILES.iter().filter_map(|(name, text)| parse(name, text)).collect()
    });
    &ALL
}

/// Those in one language.
pub fn in_language(lang: Lang) -> impl Iterator<Item = &'static Template> {
    all().iter().filter(move |t| t.head.lang == lang.tag())
}

/// One by its id.
pub fn find(id: &str, lang: Lang) -> Option<&'static Template> {
    in_language(lang).find(|t| t.head.id == id)
}

fn parse(name: &str, file: &'static str) -> Option<Template> {
    const FENCE: &str = "+++\n";
    let (head, text) = file.strip_prefix(FENCE)?.split_once(FENCE)?;
    Some(Template { head: crate::shipped::read(name, head)?, text: text.trim_start() })
}

/// What is known to fill in: placeholder and text.
pub type Known = [(&'static str, String)];

/// What the register knows of our own organisation.
pub async fn known(store: &Store) -> Result<Vec<(&'static str, String)>, StoreError> {
    let Some(row) = crate::welcome::organisation_row(store).await?.filter(|r| !r.deleted) else {
        return Ok(Vec::new());
    };
    let sites = row.attributes.get("sites").and_then(Json::as_array);
    let sites: Vec<&str> = sites.into_iter().flatten().filter_map(Json::as_str).collect();
    let sites = sites.join(if row.name.is_ascii() { ", " } else { "、" });
    Ok(vec![("organisation", row.name), ("sites", sites)])
}

/// Replaces the placeholders that are known; the others stay to be seen.
fn filled(text: &str, known: &Known) -> String {
    known
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{{{name}}}}}"), value)
        })
}

/// The Markdown with what is known filled in, for a file. What is filled in stands on one line and its
/// signs of Markdown are escaped.
pub fn markdown(template: &Template, known: &Known) -> String {
    let escaped: Vec<(&'static str, String)> =
        known.iter().map(|(name, value)| (*name, escape(value))).collect();
    filled(template.text, &escaped)
}

fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// The template as safe HTML, with what is known filled in.
pub fn render(template: &Template, known: &Known) -> String {
    let events = TextMergeStream::new(Parser::new_ext(template.text, Options::ENABLE_TABLES));
    let mut out = String::new();
    html::push_html(&mut out, events.map(|event| safe(event, known)));
    out
}

fn safe<'e>(event: Event<'e>, known: &Known) -> Event<'e> {
    match event {
        Event::Text(text) => Event::Text(CowStr::from(filled(&text, known))),
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if is_safe(&dest_url) { dest_url } else { CowStr::from("") };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        // A picture would be fetched by whoever reads.
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        other => other,
    }
}

fn is_safe(address: &str) -> bool {
    let address = address.trim();
    let inside =
        address.starts_with('#') || (address.starts_with('/') && !address.starts_with("//"));
    inside || ["https://", "http://", "mailto:"].iter().any(|scheme| address.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn made(text: &'static str) -> Template {
        let head = Head {
            id: "t".to_owned(),
            lang: "en".to_owned(),
            title: "T".to_owned(),
            kind: "form".to_owned(),
            norms: Vec::new(),
            placeholders: Vec::new(),
            version: "1".to_owned(),
            author: "ume".to_owned(),
        };
        Template { head, text }
    }

    #[test]
    fn every_file_reads_and_stands_in_both_languages() {
        let ids =
            |lang| -> BTreeSet<&str> { in_language(lang).map(|t| t.head.id.as_str()).collect() };
        assert_eq!(ids(Lang::Ja), ids(Lang::En));
        assert_eq!(ids(Lang::Ja).len() * 2, files::FILES.len());
        assert_eq!(all().len(), files::FILES.len());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../content/templates");
        let there = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
        let there = there.filter(|f| f.file_name() != "README.md").count();
        assert_eq!(there, files::FILES.len(), "a file that is not carried");
        for template in all() {
            let html = render(template, &[]);
            assert!(html.contains("<h1>"), "{}", template.head.id);
            for name in &template.head.placeholders {
                assert!(html.contains(&format!("{{{{{name}}}}}")), "{} {name}", template.head.id);
            }
        }
    }

    #[test]
    fn what_is_filled_in_makes_no_markup() {
        let template = made("# {{organisation}}\n\n| a |\n|---|\n| {{organisation}} |\n");
        let known = [("organisation", "<b>*梅* | 商事</b>".to_owned())];
        let html = render(&template, &known);
        assert!(html.contains("<h1>&lt;b&gt;*梅* | 商事&lt;/b&gt;</h1>"), "{html}");
        assert_eq!(html.matches("<td>").count(), 1, "{html}");
        let again = markdown(&template, &known).leak();
        assert_eq!(render(&made(again), &[]), html, "the file reads as the page does");
    }

    #[test]
    fn markup_that_runs_or_leads_astray_is_shown_as_text() {
        let html = render(
            &made(
                "<script>x</script>\n\na <i onclick=x>b</i> [c](javascript:x) [d](//e) ![p](http://x/y)\n",
            ),
            &[],
        );
        assert!(!html.contains("<script") && !html.contains("<i "), "{html}");
        assert!(!html.contains("javascript:") && !html.contains("href=\"//"), "{html}");
        assert!(!html.contains("<img"), "{html}");
    }
}
