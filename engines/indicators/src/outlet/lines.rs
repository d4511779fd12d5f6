//! Many short lines in one piece of memory: the text once, and four bytes a line.

/// Beyond it nothing is taken: places are 32 bits.
const BYTES_MAX: usize = 3 << 30;

#[derive(Default)]
pub(super) struct Lines {
    text: String,
    /// Where each line begins; it ends with a line feed.
    starts: Vec<u32>,
}

impl Lines {
    /// Adds a line in parts. None of them holds a line feed.
    pub(super) fn add(&mut self, parts: &[&str]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let start = self.text.len();
        if start + length >= BYTES_MAX {
            return;
        }
        self.starts.push(start as u32);
        parts.iter().for_each(|part| self.text.push_str(part));
        self.text.push('\n');
    }

    fn at(&self, start: u32) -> &str {
        let rest = &self.text[start as usize..];
        rest.split('\n').next().unwrap_or_default()
    }

    /// Brings the lines into the order of their bytes, each once.
    pub(super) fn sort(&mut self) {
        let mut starts = std::mem::take(&mut self.starts);
        starts.sort_unstable_by(|a, b| self.at(*a).cmp(self.at(*b)));
        starts.dedup_by(|a, b| self.at(*a) == self.at(*b));
        self.starts = starts;
    }

    pub(super) fn each(
        &self,
        visit: &mut dyn FnMut(&str) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        self.starts.iter().try_for_each(|start| visit(self.at(*start)))
    }
}
