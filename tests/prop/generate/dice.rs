//! Where the randomness comes from: a seed, or the bytes of a fuzzer.

/// A source of choices.
#[derive(Debug, Clone)]
pub struct Dice<'a> {
    bytes: Option<&'a [u8]>,
    state: u64,
}

impl<'a> Dice<'a> {
    /// Endless choices from a seed (SplitMix64).
    pub fn from_seed(seed: u64) -> Self {
        Self { bytes: None, state: seed }
    }

    /// Choices from bytes; when they are used up, every choice is the first.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes: Some(bytes), state: 0 }
    }

    fn next(&mut self) -> u64 {
        if let Some(bytes) = self.bytes {
            let Some((first, rest)) = bytes.split_first() else { return 0 };
            self.bytes = Some(rest);
            return u64::from(*first);
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end.max(1)).unwrap_or(0)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        // The last numbers, so that used-up bytes mean no.
        self.below(100) >= 100 - percent
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}
