//! Which register a table is, and where its columns go: by the words of its header against the
//! aliases of every field, by the name of the sheet and the lines above.
//!
//! A word counts for less the more kinds know it: `備考` says nothing, `製造番号` says hardware.

use std::collections::HashMap;

use model::{Field, FieldType, Lang, Text, t};
use reports::{find, fold_header};

use super::{
    Target,
    mapping::{ID, Mapping, VERSION},
    soa,
};

/// Headers of the column that names a row, the surest first.
pub(crate) const NAME_HEADERS: [&str; 22] = [
    "名称",
    "name",
    "氏名",
    "名前",
    "資産名",
    "資産名称",
    "情報資産名",
    "情報資産名称",
    "機器名",
    "ホスト名",
    "品名",
    "件名",
    "会社名",
    "委託先名",
    "委託先",
    "サービス名",
    "システム名",
    "ソフトウェア名",
    "ソフト名",
    "リスク名",
    "社員名",
    "従業員名",
];
/// Endings of such headers.
const NAME_ENDINGS: [&str; 4] = ["名称", "氏名", "名", "name"];
/// Headers of a running number: the last resort for a name.
const NUMBERS: [&str; 8] = ["管理番号", "資産番号", "番号", "id", "no.", "no", "№", "項番"];
/// Alternatives shown beside the guess.
const OTHERS_MAX: usize = 3;
/// Points are hundredths, so that no score is a float.
const EXACT: u32 = 100;
const PART: u32 = 45;
const NAMED: u32 = 60;
const TITLE: u32 = 400;
const TITLE_PART: u32 = 220;

/// How much a guess is to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    No,
    Unsure,
    Likely,
    Certain,
    /// As it was mapped the last time.
    Kept,
}

impl Sure {
    /// In words.
    pub fn text(self) -> Text {
        match self {
            Sure::No => t("不明", "unknown"),
            Sure::Unsure => t("要確認", "please check"),
            Sure::Likely => t("ほぼ確実", "likely"),
            Sure::Certain => t("確実", "certain"),
            Sure::Kept => t("前回と同じ", "as last time"),
        }
    }

    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Sure::No => "unknown",
            Sure::Unsure => "unsure",
            Sure::Likely => "likely",
            Sure::Certain => "certain",
            Sure::Kept => "kept",
        }
    }
}

/// What a table is taken for.
#[derive(Clone, Debug)]
pub struct Guess {
    pub mapping: Mapping,
    pub sure: Sure,
    pub why: String,
    /// Keys of the next likeliest targets.
    pub others: Vec<String>,
    /// How sure each column is.
    pub columns: Vec<Sure>,
}

/// Every word that some header may be known by.
pub(crate) struct Words {
    targets: Vec<Target>,
    /// How many targets know a word.
    shared: HashMap<String, u32>,
    /// For each target: word → field.
    fields: Vec<HashMap<String, usize>>,
    names: Vec<String>,
}

impl Words {
    pub(crate) fn of(targets: Vec<Target>) -> Words {
        let mut shared: HashMap<String, u32> = HashMap::new();
        let mut fields = Vec::new();
        for target in &targets {
            let mut own: HashMap<String, usize> = HashMap::new();
            for (index, field) in target.fields.iter().enumerate() {
                let named = [field.name, field.label.ja, field.label.en];
                for word in named.iter().chain(field.aliases) {
                    own.entry(fold_header(word)).or_insert(index);
                }
            }
            for word in own.keys().chain(&names_of(target)) {
                *shared.entry(word.clone()).or_default() += 1;
            }
            fields.push(own);
        }
        let names = NAME_HEADERS.iter().map(|word| fold_header(word)).collect();
        Words { targets, shared, fields, names }
    }

    /// Whether some target waits for this header.
    pub(crate) fn knows(&self, word: &str) -> bool {
        word == "ume_id" || self.shared.contains_key(word) || self.names.iter().any(|n| n == word)
    }

    /// The likeliest target of a table.
    pub(crate) fn guess(&self, table: &find::Table, place: &str, lang: Lang) -> Guess {
        let headers: Vec<Vec<String>> =
            table.columns.iter().map(|column| find::spellings(&column.parts)).collect();
        let place = fold_header(place);
        let mut scored: Vec<(u32, usize, Mapped)> = (0..self.targets.len())
            .map(|index| {
                let mapped = self.map(index, &headers);
                (self.score(index, &mapped, &place), index, mapped)
            })
            .filter(|(score, ..)| *score > 0)
            .collect();
        scored.sort_by_key(|(score, index, _)| (std::cmp::Reverse(*score), *index));
        let others = scored
            .iter()
            .skip(1)
            .take(OTHERS_MAX)
            .map(|(_, i, _)| self.targets[*i].key())
            .collect();
        let second = scored.get(1).map_or(0, |(score, ..)| *score);
        let Some((score, index, mapped)) = scored.into_iter().next() else {
            return self.nothing(table, lang);
        };
        let titled = self.titled(index, &place);
        let whole = self.covers_required(index, &mapped);
        let sure = match () {
            () if titled > 0 && whole && mapped.exact() >= 2 => Sure::Certain,
            () if whole && mapped.exact() >= 2 && score * 2 >= second * 3 => Sure::Likely,
            () if mapped.found() >= 2 || titled > 0 => Sure::Unsure,
            () => return self.nothing(table, lang),
        };
        let why = self.why(index, &mapped, titled > 0, lang);
        Guess { columns: mapped.sure.clone(), mapping: mapped.mapping, sure, why, others }
    }

    /// The columns of a table for a target that somebody chose.
    pub(crate) fn chosen(&self, table: &find::Table, key: &str, lang: Lang) -> Option<Guess> {
        let index = self.targets.iter().position(|target| target.key() == key)?;
        let headers: Vec<Vec<String>> =
            table.columns.iter().map(|column| find::spellings(&column.parts)).collect();
        let mapped = self.map(index, &headers);
        let why = self.why(index, &mapped, false, lang);
        let columns = mapped.sure.clone();
        let sure = if mapped.mapping.name.is_some() { Sure::Likely } else { Sure::Unsure };
        Some(Guess { mapping: mapped.mapping, sure, why, others: Vec::new(), columns })
    }

    fn nothing(&self, table: &find::Table, lang: Lang) -> Guess {
        let why = t(
            "見出しから台帳を判断できません。",
            "The header does not tell which register this is.",
        );
        Guess {
            mapping: Mapping::skip(table.columns.len()),
            sure: Sure::No,
            why: why.get(lang).to_owned(),
            others: Vec::new(),
            columns: vec![Sure::No; table.columns.len()],
        }
    }

    fn why(&self, index: usize, mapped: &Mapped, titled: bool, lang: Lang) -> String {
        let (found, all) = (mapped.found(), mapped.sure.len());
        let title = self.targets[index].title.get(lang);
        match (lang, titled) {
            (Lang::Ja, true) => {
                format!("シート名・表題が「{title}」を表し、見出し{all}列のうち{found}列が一致")
            }
            (Lang::Ja, false) => format!("見出し{all}列のうち{found}列が「{title}」の項目と一致"),
            (Lang::En, true) => {
                format!("sheet or title says “{title}”, and {found} of {all} headers match")
            }
            (Lang::En, false) => format!("{found} of {all} headers match fields of “{title}”"),
        }
    }

    /// Points for what sheet and title say.
    fn titled(&self, index: usize, place: &str) -> u32 {
        let target = &self.targets[index];
        let names = target.known_as.iter().map(|name| fold_header(name));
        let longest = names.filter(|name| place.contains(name.as_str())).map(|n| n.chars().count());
        let title = fold_header(target.title.ja);
        let by_title = title.chars().count() > 1 && place.contains(&title);
        match longest.max() {
            // The longer the name, the more it says: `クラウドサービス台帳` beats `サービス台帳`.
            Some(chars) => TITLE + chars as u32,
            None if by_title => TITLE_PART + title.chars().count() as u32,
            None => 0,
        }
    }

    fn score(&self, index: usize, mapped: &Mapped, place: &str) -> u32 {
        let words = mapped.words.iter().map(|(word, points)| {
            let by = self.shared.get(word).copied().unwrap_or(1).max(1);
            // A word that four kinds share counts half.
            points * 2 / (1 + by.isqrt())
        });
        let mut score: u32 = words.sum();
        score += if mapped.mapping.name.is_some() { NAMED } else { 0 };
        if mapped.words.is_empty() && self.titled(index, place) == 0 {
            return 0;
        }
        score += self.titled(index, place);
        let target = &self.targets[index];
        // Rules and norms are seldom kept in Excel and share the commonest words.
        let rare =
            matches!(target.table, model::Table::Rule | model::Table::Norm | model::Table::Check);
        let score = if rare { score / 3 } else { score };
        if self.covers_required(index, mapped) { score } else { score * 6 / 10 }
    }

    fn covers_required(&self, index: usize, mapped: &Mapped) -> bool {
        let required = self.targets[index].fields.iter().filter(|f| f.required);
        let missing = |f: &&Field| mapped.mapping.column_of(f.name).is_none();
        mapped.mapping.name.is_some() && required.filter(missing).count() == 0
    }

    fn map(&self, index: usize, headers: &[Vec<String>]) -> Mapped {
        let target = &self.targets[index];
        let mut mapped = Mapped {
            mapping: Mapping {
                to: target.key(),
                columns: vec![String::new(); headers.len()],
                ..Mapping::default()
            },
            sure: vec![Sure::No; headers.len()],
            words: Vec::new(),
        };
        for (at, words) in headers.iter().enumerate() {
            let own = match words.first().map(String::as_str) {
                Some("ume_id") => ID,
                Some("version" | "ume_version")
                    if at > 0 && mapped.mapping.columns[at - 1] == ID =>
                {
                    VERSION
                }
                _ => continue,
            };
            (mapped.mapping.columns[at], mapped.sure[at]) = (own.to_owned(), Sure::Certain);
        }
        let exact = |word: &String| self.fields[index].get(word).copied();
        // Whole headers before their parts, so that `評価/影響度` does not take the place of `影響度`.
        let deepest = headers.iter().map(Vec::len).max().unwrap_or(0);
        for depth in 0..deepest {
            for (at, words) in headers.iter().enumerate() {
                let Some(word) = words.get(depth) else { continue };
                if let Some(field) = exact(word) {
                    let sure = if depth == 0 { Sure::Certain } else { Sure::Likely };
                    mapped.take(target, at, field, word, sure, EXACT);
                }
            }
        }
        self.name(index, headers, &mut mapped);
        for (at, words) in headers.iter().enumerate() {
            let free = mapped.mapping.columns[at].is_empty() && mapped.mapping.name != Some(at);
            if free && let Some((field, word)) = self.part(index, words, &mapped) {
                mapped.take(target, at, field, &word, Sure::Unsure, PART);
            }
        }
        mapped
    }

    /// The column that names the rows.
    fn name(&self, index: usize, headers: &[Vec<String>], mapped: &mut Mapped) {
        let target = &self.targets[index];
        let own = names_of(target);
        let says = |at: usize, wanted: &str| headers[at].iter().any(|word| word == wanted);
        let free = |at: &usize| ![ID, VERSION].contains(&mapped.mapping.columns[*at].as_str());
        let columns: Vec<usize> = (0..headers.len()).filter(free).collect();
        let find = |wanted: &[String]| {
            wanted.iter().find_map(|word| columns.iter().copied().find(|at| says(*at, word)))
        };
        // What a field of this kind is called names the row only where nothing else does.
        let unused = |at: &usize| mapped.mapping.columns[*at].is_empty();
        let ending = |at: &usize| {
            headers[*at].iter().any(|word| NAME_ENDINGS.iter().any(|end| word.ends_with(end)))
        };
        // A control is named by its number, so what names rows elsewhere comes second.
        let by_number = target.kind.is_none();
        let (first, second): (&[String], &[String]) =
            if by_number { (&own, &self.names) } else { (&self.names, &own) };
        let exact = find(first).or_else(|| find(second));
        let surest = exact.filter(unused);
        let required = target
            .fields
            .iter()
            .find(|f| f.required && matches!(f.ty, FieldType::Text | FieldType::Multiline));
        let numbers: Vec<String> = NUMBERS.iter().map(|word| fold_header(word)).collect();
        let name = surest
            .or_else(|| columns.iter().copied().find(|at| unused(at) && ending(at)))
            .or(exact)
            .or_else(|| required.and_then(|f| mapped.mapping.column_of(f.name)))
            .or_else(|| find(&numbers));
        if let Some(at) = name {
            mapped.mapping.name = Some(at);
            if mapped.sure[at] == Sure::No {
                mapped.sure[at] = if exact == Some(at) { Sure::Certain } else { Sure::Likely };
            }
        }
    }

    /// A field whose word stands in the header, or the other way round; the longest one.
    fn part(&self, index: usize, words: &[String], mapped: &Mapped) -> Option<(usize, String)> {
        let target = &self.targets[index];
        let free = |field: usize| mapped.mapping.column_of(target.fields[field].name).is_none();
        let meets = |word: &str, known: &str| {
            let (long, short) =
                if word.len() >= known.len() { (word, known) } else { (known, word) };
            // Two kanji say something, two letters do not.
            let weight: usize = short.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
            weight >= 4 && long.contains(short)
        };
        let candidates = self.fields[index]
            .iter()
            .filter(|(known, field)| free(**field) && words.iter().any(|word| meets(word, known)));
        candidates
            .max_by_key(|(known, field)| (known.chars().count(), std::cmp::Reverse(**field)))
            .map(|(known, field)| (*field, known.clone()))
    }
}

/// Headers that name the rows of this target and of no other.
fn names_of(target: &Target) -> Vec<String> {
    match target.kind {
        None => soa::CONTROL_HEADERS.iter().map(|word| fold_header(word)).collect(),
        Some(_) => vec![fold_header(target.title.ja), fold_header(target.title.en)],
    }
}

/// A mapping while it is made.
struct Mapped {
    mapping: Mapping,
    sure: Vec<Sure>,
    /// Words that met, and their points.
    words: Vec<(String, u32)>,
}

impl Mapped {
    fn take(
        &mut self,
        target: &Target,
        at: usize,
        field: usize,
        word: &str,
        sure: Sure,
        points: u32,
    ) {
        let name = target.fields[field].name;
        if !self.mapping.columns[at].is_empty() || self.mapping.column_of(name).is_some() {
            return;
        }
        name.clone_into(&mut self.mapping.columns[at]);
        self.sure[at] = sure;
        self.words.push((word.to_owned(), points));
    }

    fn exact(&self) -> usize {
        self.sure.iter().filter(|sure| **sure >= Sure::Likely).count()
    }

    fn found(&self) -> usize {
        self.sure.iter().filter(|sure| **sure > Sure::No).count()
    }
}
