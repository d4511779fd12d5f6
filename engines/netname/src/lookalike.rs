//! Names that look like a brand's and are not its own.
//!
//! What a reader takes for the same is told by the skeletons of UTS 39; what he overlooks by edit
//! distance; what he trusts by a brand's word on a foreign domain. A likeness is a reason to look,
//! not a verdict: short words are refused because they are found everywhere.

use unicode_security::skeleton as uts39;

use crate::{Domain, Error, Names};

/// A word of fewer letters is part of too many others.
pub const WORD_LETTERS_MIN: usize = 4;
/// Texts of which a skeleton is made.
pub const SKELETON_BYTES_MAX: usize = 4_096;

/// The skeleton of a text: texts that look the same have the same. Case does not count, since
/// names have none: UTS 39 holds `0` against `O` and `1` against `l`, so both cases go in.
pub fn skeleton(text: &str) -> String {
    let mut end = text.len().min(SKELETON_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // Folding may bring characters that have a prototype of their own. UTS 39 is idempotent, and so
    // is this after a few rounds: each brings more characters to their end.
    let mut now = fold(&text[..end]);
    for _ in 0..4 {
        let next = fold(&now);
        if next == now {
            break;
        }
        now = next;
    }
    now
}

fn fold(text: &str) -> String {
    let lower: String = text.chars().flat_map(char::to_lowercase).collect();
    uts39(&lower).flat_map(char::to_lowercase).collect()
}

/// Whether two texts look the same and are not the same.
pub fn confusable(one: &str, other: &str) -> bool {
    one != other && skeleton(one) == skeleton(other)
}

/// Optimal string alignment: letters added, left out, exchanged or swapped with the next.
pub fn distance(one: &str, other: &str) -> usize {
    strsim::osa_distance(one, other)
}

/// What is protected: a word, and the domains on which it is at home.
#[derive(Clone, Debug)]
pub struct Brand {
    word: String,
    skeleton: String,
    own: Vec<Domain>,
}

impl Brand {
    /// `word` as it stands in names, such as `example-bank`.
    pub fn new(word: &str, own: Vec<Domain>) -> Result<Brand, Error> {
        let word: String = word.trim().chars().flat_map(char::to_lowercase).collect();
        if word.chars().count() < WORD_LETTERS_MIN {
            return Err(Error::ShortWord { min: WORD_LETTERS_MIN });
        }
        // A word of another script is held against names in their Unicode form.
        let skeleton = skeleton(&word);
        Ok(Brand { word, skeleton, own })
    }

    pub fn word(&self) -> &str {
        &self.word
    }

    fn owns(&self, name: &Domain) -> bool {
        self.own.iter().any(|own| name.is_within(own))
    }
}

/// How a name is like a brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// The brand's word, registered under another suffix.
    OtherSuffix,
    /// Looks the same (UTS 39).
    Confusable,
    /// So many letters differ.
    Typo(usize),
    /// The brand's word within a label of a foreign domain.
    Word,
}

/// A name that looks like a brand's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    pub likeness: Likeness,
    /// The label in which it lies, as people read it.
    pub label: String,
}

/// Whether a name is foreign and looks like the brand's. The nearest likeness is told.
pub fn lookalike(name: &Domain, brand: &Brand, names: &Names) -> Option<Lookalike> {
    if brand.owns(name) {
        return None;
    }
    let shown = name.unicode();
    let suffix_labels = names.suffix(name.as_str()).split('.').count();
    let labels: Vec<&str> = shown.split('.').collect();
    let own = labels.len().checked_sub(suffix_labels)?;
    let (registered, below) = labels[..own].split_last()?;
    if let Some(likeness) = whole(registered, brand) {
        return Some(Lookalike { likeness, label: (*registered).to_owned() });
    }
    let within = std::iter::once(registered).chain(below);
    let label = within.into_iter().find(|label| holds(label, brand))?;
    Some(Lookalike { likeness: Likeness::Word, label: (*label).to_owned() })
}

fn whole(label: &str, brand: &Brand) -> Option<Likeness> {
    if label == brand.word {
        return Some(Likeness::OtherSuffix);
    }
    let skeleton = skeleton(label);
    if skeleton == brand.skeleton {
        return Some(Likeness::Confusable);
    }
    let letters = brand.word.chars().count();
    // One letter of a short word makes another word; of a long one two are overlooked.
    let near = match letters {
        0..=5 => 0,
        6..=9 => 1,
        _ => 2,
    };
    if label.chars().count().abs_diff(letters) > near {
        return None;
    }
    let far = distance(label, &brand.word).min(distance(&skeleton, &brand.skeleton));
    (1..=near).contains(&far).then_some(Likeness::Typo(far))
}

fn holds(label: &str, brand: &Brand) -> bool {
    label.contains(&brand.word) || skeleton(label).contains(&brand.skeleton)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(name: &str) -> Option<Likeness> {
        let own = vec![Domain::parse("example-bank.co.jp").unwrap()];
        let brand = Brand::new("example-bank", own).unwrap();
        lookalike(&Domain::parse(name).unwrap(), &brand, &Names::shipped()).map(|l| l.likeness)
    }

    #[test]
    fn a_brand_is_found_on_foreign_domains_only() {
        assert_eq!(like("www.example-bank.co.jp"), None);
        assert_eq!(like("example-bank.com"), Some(Likeness::OtherSuffix));
        assert_eq!(like("еxample-bank.com"), Some(Likeness::Confusable)); // Cyrillic е
        assert_eq!(like("exarnple-bank.com"), Some(Likeness::Confusable));
        assert_eq!(like("exampel-bank.com"), Some(Likeness::Typo(1)));
        assert_eq!(like("example-bank.login.evil.com"), Some(Likeness::Word));
        assert_eq!(like("example-bank-secure.com"), Some(Likeness::Word));
        assert_eq!(like("example.com"), None);
        assert_eq!(like("notexample-bank.co.jp"), Some(Likeness::Word));
    }

    #[test]
    fn digits_look_like_letters() {
        assert!(confusable("g00gle", "google") && confusable("PAYPA1", "paypal"));
        assert!(confusable("аррӏе", "apple"));
        assert!(!confusable("apple", "apple") && !confusable("apple", "apples"));
    }

    #[test]
    fn a_word_that_is_everywhere_is_refused() {
        assert!(matches!(Brand::new("ibm", Vec::new()), Err(Error::ShortWord { min: 4 })));
        assert!(Brand::new("梅花銀行", Vec::new()).is_ok());
    }

    #[test]
    fn a_word_of_another_script_is_found_in_a_labels() {
        let brand = Brand::new("梅花銀行", Vec::new()).unwrap();
        let name = Domain::parse("梅花銀行-ログイン.com").unwrap();
        let found = lookalike(&name, &brand, &Names::shipped()).unwrap();
        assert_eq!((found.likeness, found.label.as_str()), (Likeness::Word, "梅花銀行-ログイン"));
    }
}
