//! Sets of small numbers as bits: which actions a statement is about.
//!
//! The words that every catalog needs stand in place, so that a set is one look away from whoever
//! shares it; larger catalogs' words stand apart. A word that is not there counts as zero.

/// Bits in a word.
const WORD: usize = 64;
/// Words in place: the catalogs that ship need no more.
const NEAR: usize = 6;

/// A set of numbers from 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Bits {
    near: [u64; NEAR],
    far: Vec<u64>,
}

impl Bits {
    /// Adds a number.
    pub(super) fn insert(&mut self, number: usize) {
        let (word, bit) = (number / WORD, 1 << (number % WORD));
        if let Some(word) = self.near.get_mut(word) {
            *word |= bit;
            return;
        }
        let word = word.saturating_sub(NEAR);
        if self.far.len() <= word {
            self.far.resize(word + 1, 0);
        }
        self.far.get_mut(word).into_iter().for_each(|word| *word |= bit);
    }

    /// Adds all that are in another set.
    pub(super) fn extend(&mut self, other: &Self) {
        other.iter().for_each(|number| self.insert(number));
    }

    /// Whether the number is in it.
    #[inline]
    pub(super) fn contains(&self, number: usize) -> bool {
        let at = number / WORD;
        let word = self.near.get(at).or_else(|| self.far.get(at.checked_sub(NEAR)?));
        word.is_some_and(|word| word & (1 << (number % WORD)) != 0)
    }

    /// The numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.near
            .iter()
            .chain(&self.far)
            .enumerate()
            .flat_map(|(index, word)| ones(*word).map(move |bit| index * WORD + bit))
    }
}

fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let bit = word.trailing_zeros();
        word &= word - 1;
        usize::try_from(bit).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let numbers = [0, 3, 63, 64, 200, 383, 384, 1_000];
        let mut bits = Bits::default();
        numbers.iter().for_each(|number| bits.insert(*number));
        assert_eq!(bits.iter().collect::<Vec<_>>(), numbers);
        for number in 0..1_100 {
            assert_eq!(bits.contains(number), numbers.contains(&number), "{number}");
        }
        assert!(!bits.contains(1_000_000));
        let mut more = Bits::default();
        more.insert(1);
        more.extend(&bits);
        assert_eq!(more.iter().count(), numbers.len() + 1);
        assert_eq!(Bits::default().iter().count(), 0);
    }
}
