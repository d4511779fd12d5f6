//! Which runs of four folded bytes occur in texts, as a bitmap that may say "yes" wrongly and never "no". Pure.
//!
//! A text that holds another holds each of its grams, so a bitmap without one of them rules the text out.

/// Bytes of a gram: what is shorter cannot be ruled out.
pub(crate) const GRAM: usize = 4;
/// Bits of a block; a bitmap is some whole blocks.
pub(crate) const BLOCK_BITS: usize = 2048;
const BITS_MAX: usize = 1 << 20;
const HASH_BITS: u32 = 24;
const WORDS: usize = 1 << (HASH_BITS - 6);
/// Grams of a text that are asked for: those of a longer one add nothing.
const ASKED_MAX: usize = 24;

fn hash(gram: &[u8]) -> u32 {
    let bytes = [gram[0], gram[1], gram[2], gram[3]];
    u32::from_le_bytes(bytes).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)
}

/// Where a gram stands in a bitmap of so many bits.
fn place(hash: u32, bits: usize) -> usize {
    ((u64::from(hash) * bits as u64) >> HASH_BITS) as usize
}

/// The places that are all set where a folded text may occur; none if it is too short to say.
pub(crate) fn places(folded: &[u8], bits: usize) -> Vec<usize> {
    let grams = folded.windows(GRAM).count();
    let step = grams.div_ceil(ASKED_MAX).max(1);
    let asked = folded.windows(GRAM).step_by(step);
    asked.map(|gram| place(hash(gram), bits)).collect()
}

/// Takes texts and makes the bitmap of their grams.
pub(crate) struct Collector {
    seen: Vec<u64>,
    count: usize,
}

impl Collector {
    pub(crate) fn new() -> Collector {
        Collector { seen: vec![0; WORDS], count: 0 }
    }

    pub(crate) fn add(&mut self, folded: &[u8]) {
        for gram in folded.windows(GRAM) {
            let at = hash(gram);
            let (word, bit) = (&mut self.seen[(at >> 6) as usize], 1 << (at & 63));
            self.count += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// The bitmap, some third of it set; begins anew.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let bits = (self.count * 2).next_multiple_of(BLOCK_BITS).clamp(BLOCK_BITS, BITS_MAX);
        let mut bitmap = vec![0; bits / 8];
        for (at, word) in self.seen.iter_mut().enumerate() {
            let mut rest = std::mem::take(word);
            while rest != 0 {
                let place = place((at as u32) << 6 | rest.trailing_zeros(), bits);
                bitmap[place / 8] |= 1 << (place % 8);
                rest &= rest - 1;
            }
        }
        self.count = 0;
        bitmap
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn may_hold(bitmap: &[u8], text: &[u8]) -> bool {
        let places = places(text, bitmap.len() * 8);
        places.iter().all(|at| bitmap[at / 8] & 1 << (at % 8) != 0)
    }

    proptest! {
        // Each case empties bitmaps of megabytes.
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn no_part_of_a_text_is_ever_ruled_out(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..20),
            of: prop::sample::Index, from: prop::sample::Index, to: prop::sample::Index,
        ) {
            let mut collector = Collector::new();
            texts.iter().for_each(|text| collector.add(text));
            let bitmap = collector.take();
            let text = &texts[of.index(texts.len())];
            let (a, b) = (from.index(text.len() + 1), to.index(text.len() + 1));
            prop_assert!(may_hold(&bitmap, &text[a.min(b)..a.max(b)]));
            prop_assert!(!may_hold(&collector.take(), b"abcd"), "taking begins anew");
        }
    }

    #[test]
    fn what_never_came_is_mostly_ruled_out() {
        let mut collector = Collector::new();
        (0..20_000).for_each(|i| collector.add(format!("session {i:x} opened").as_bytes()));
        let bitmap = collector.take();
        let wrong =
            (0..1_000).filter(|i| may_hold(&bitmap, format!("{:x}qz", i * 7919).as_bytes()));
        assert!(wrong.count() < 100);
    }
}
