//! The tables of the files dropped, each with what it is taken for.

use model::Lang;
use reports::{Book, Sheet, SheetError, find, fold_header};
use store::ImportMapping;

use super::{Guess, Mapping, Sure, TABLES_MAX, Target, guess::Words, mapping::signature};

/// A file as read.
#[derive(Debug)]
pub struct File {
    pub name: String,
    pub sha256: String,
    pub book: Book,
}

impl File {
    /// Reads a file.
    pub fn read(name: &str, sha256: &str, bytes: &[u8]) -> Result<File, SheetError> {
        let book = reports::read(bytes)?;
        Ok(File { name: name.to_owned(), sha256: sha256.to_owned(), book })
    }
}

/// A table of one of the files.
#[derive(Debug)]
pub struct Found {
    pub file: usize,
    pub sheet: usize,
    pub table: find::Table,
    /// Hash of header and place.
    pub signature: String,
    /// Hash of the header.
    pub header: String,
    pub guess: Guess,
}

impl Found {
    /// The sheet it stands on.
    pub fn sheet<'f>(&self, files: &'f [File]) -> &'f Sheet {
        &files[self.file].book.sheets[self.sheet]
    }

    /// Where it stands: `情報資産!A4`.
    pub fn place(&self, files: &[File]) -> String {
        let sheet = self.sheet(files);
        let first = self.table.columns.first().map_or(0, |column| column.at);
        format!("{}!{}", sheet.name, sheet.address(self.table.header.start, first))
    }

    /// Takes the mapping kept for this header, if it still fits: for the same place rather than for
    /// the same header elsewhere.
    pub fn recall(&mut self, kept: &[ImportMapping], targets: &[Target]) {
        let same = |k: &&ImportMapping| k.signature == self.signature;
        let like = |k: &&ImportMapping| k.header == self.header;
        let Some(kept) = kept.iter().find(same).or_else(|| kept.iter().find(like)) else { return };
        let Ok(mapping) = serde_json::from_str::<Mapping>(&kept.mapping) else { return };
        let target = targets.iter().find(|target| target.key() == mapping.to);
        if mapping.fits(target, self.table.columns.len()) {
            self.guess.columns = mapping
                .columns
                .iter()
                .map(|c| if c.is_empty() { Sure::No } else { Sure::Kept })
                .collect();
            self.guess.mapping = mapping;
            self.guess.sure = Sure::Kept;
        }
    }
}

/// Finds every table of the files and guesses what it is.
pub fn find(files: &[File], targets: &[Target], lang: Lang) -> Vec<Found> {
    let words = Words::of(targets.to_vec());
    let mut found = Vec::new();
    for (at, file) in files.iter().enumerate() {
        for (index, sheet) in file.book.sheets.iter().enumerate() {
            for table in find::tables(sheet, &|word| words.knows(word)) {
                // One sheet alone, as of a CSV file, may be named by its file only.
                let stem = if file.book.sheets.len() == 1 { file_stem(&file.name) } else { "" };
                let place = format!("{} {} {stem}", table.title, sheet.name);
                let guess = words.guess(&table, &place, lang);
                let headers: Vec<String> =
                    table.columns.iter().map(|column| fold_header(&column.text())).collect();
                let header = signature(headers.iter().map(String::as_str));
                // Years and numbers of the place change from book to book.
                let lasting: String =
                    fold_header(&place).chars().filter(|c| !c.is_ascii_digit()).collect();
                let signature = signature([header.as_str(), lasting.as_str()]);
                found.push(Found { file: at, sheet: index, table, signature, header, guess });
            }
        }
    }
    found.truncate(TABLES_MAX);
    found
}

/// The name of a CSV file says what it is, since its sheet has none.
fn file_stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The columns of a table for a target chosen by hand.
pub(crate) fn chosen(found: &Found, targets: &[Target], key: &str, lang: Lang) -> Option<Guess> {
    Words::of(targets.to_vec()).chosen(&found.table, key, lang)
}
