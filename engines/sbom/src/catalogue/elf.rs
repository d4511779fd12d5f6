//! ELF: the sections of a program, read where they are; nothing else of the file is.

use super::Source;

/// A program.
pub(super) struct Elf {
    sections: Vec<Section>,
    /// Address, offset and length of what is loaded.
    loaded: Vec<(u64, u64, u64)>,
    pub(super) big: bool,
}

/// Where a section stands.
#[derive(Clone, Debug)]
pub(super) struct Section {
    name: String,
    offset: u64,
    length: u64,
}

impl Section {
    /// Its bytes, if they are not too many.
    pub(super) fn read(&self, source: &mut dyn Source, max: u64) -> Result<Vec<u8>, String> {
        if self.length > max {
            return Err(format!("the section {} has {} bytes", self.name, self.length));
        }
        source.read_at(self.offset, usize::try_from(self.length).unwrap_or(usize::MAX))
    }
}

/// Sections and segments of one program.
const HEADERS_MAX: u64 = 10_000;

struct Reader<'a> {
    bytes: &'a [u8],
    big: bool,
    wide: bool,
}

impl Reader<'_> {
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(match self.big {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        })
    }

    /// A number that is as wide as an address: at one place in 64 bits, at another in 32.
    fn word(&self, wide: usize, narrow: usize) -> Option<u64> {
        if self.wide { self.number(wide, 8) } else { self.number(narrow, 4) }
    }
}

impl Elf {
    /// `None` of what is no ELF file.
    pub(super) fn read(source: &mut dyn Source) -> Result<Option<Elf>, String> {
        let head = source.read_at(0, 64)?;
        if !head.starts_with(b"\x7fELF") || head.len() < 52 {
            return Ok(None);
        }
        let (wide, big) = (head[4] == 2, head[5] == 2);
        Elf::headers(source, &head, wide, big).map(Some)
    }

    fn headers(source: &mut dyn Source, head: &[u8], wide: bool, big: bool) -> Result<Elf, String> {
        let broken = || "a broken ELF header".to_owned();
        let reader = Reader { bytes: head, big, wide };
        let at = |wide_at: usize, narrow: usize| if wide { wide_at } else { narrow };
        let half = |wide_at, narrow| reader.number(at(wide_at, narrow), 2).ok_or_else(broken);
        let (segments, sections) =
            (reader.word(32, 28).ok_or_else(broken)?, reader.word(40, 32).ok_or_else(broken)?);
        let mut elf = Elf { sections: Vec::new(), loaded: Vec::new(), big };
        let table = |source: &mut dyn Source, offset: u64, count: u64, size: u64| {
            if count > HEADERS_MAX || size > 1024 {
                return Err(broken());
            }
            source.read_at(offset, usize::try_from(count * size).unwrap_or(0))
        };
        let (count, size) = (half(56, 44)?, half(54, 42)?);
        let bytes = table(source, segments, count, size)?;
        for one in bytes.chunks_exact(usize::try_from(size).unwrap_or(1).max(1)) {
            let reader = Reader { bytes: one, big, wide };
            let entry = || {
                Some((
                    reader.number(0, 4)?,
                    reader.word(16, 8)?,
                    reader.word(8, 4)?,
                    reader.word(32, 16)?,
                ))
            };
            if let Some((1, address, offset, length)) = entry() {
                elf.loaded.push((address, offset, length));
            }
        }
        let (count, size, names) = (half(60, 48)?, half(58, 46)?, half(62, 50)?);
        let bytes = table(source, sections, count, size)?;
        let mut raw = Vec::new();
        for one in bytes.chunks_exact(usize::try_from(size).unwrap_or(1).max(1)) {
            let reader = Reader { bytes: one, big, wide };
            let entry = || Some((reader.number(0, 4)?, reader.word(24, 16)?, reader.word(32, 20)?));
            raw.push(entry().ok_or_else(broken)?);
        }
        let Some((_, offset, length)) = raw.get(usize::try_from(names).unwrap_or(usize::MAX))
        else {
            return Ok(elf);
        };
        let names = source.read_at(*offset, usize::try_from(*length).unwrap_or(0).min(1 << 20))?;
        for (name, offset, length) in raw {
            let rest = names.get(usize::try_from(name).unwrap_or(usize::MAX)..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            let name = String::from_utf8_lossy(&rest[..end]).into_owned();
            elf.sections.push(Section { name, offset, length });
        }
        Ok(elf)
    }

    /// A section by its name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Bytes at an address of the running program.
    pub(super) fn at_address(
        &self,
        source: &mut dyn Source,
        address: u64,
        length: usize,
    ) -> Result<Vec<u8>, String> {
        let inside =
            |(start, _, size): &&(u64, u64, u64)| address >= *start && address - start < *size;
        let (start, offset, _) =
            self.loaded.iter().find(inside).ok_or("an address that is nowhere")?;
        source.read_at(offset.saturating_add(address - start), length)
    }
}
