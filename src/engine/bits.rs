//! Sets of small numbers as bits, for the index: which statements, which actions.
//!
//! A word that is not there counts as zero, so sets of different length go together.

/// Bits in a word.
const WORD: usize = 64;

/// A set of numbers from 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Adds a number.
    pub(super) fn insert(&mut self, number: usize) {
        let word = number / WORD;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (number % WORD);
        }
    }

    /// Whether the number is in it.
    pub(super) fn contains(&self, number: usize) -> bool {
        self.word(number / WORD) & (1 << (number % WORD)) != 0
    }

    /// The numbers that are in this set and in `one` or `other`, ascending.
    pub(super) fn and_either<'a>(
        &'a self,
        one: &'a Self,
        other: Option<&'a Self>,
    ) -> impl Iterator<Item = usize> + 'a {
        self.words.iter().enumerate().flat_map(move |(index, word)| {
            let either = one.word(index) | other.map_or(0, |other| other.word(index));
            ones(word & either).map(move |bit| index * WORD + bit)
        })
    }

    /// The numbers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(|(index, word)| ones(*word).map(move |bit| index * WORD + bit))
    }

    fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
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
    fn bits_of_different_length_go_together() {
        let of = |numbers: &[usize]| {
            let mut bits = Bits::default();
            numbers.iter().for_each(|number| bits.insert(*number));
            bits
        };
        let (rows, wild, literal) = (of(&[0, 3, 63, 64, 200]), of(&[3, 4, 64]), of(&[200, 999]));
        assert_eq!(rows.and_either(&wild, None).collect::<Vec<_>>(), [3, 64]);
        assert_eq!(rows.and_either(&wild, Some(&literal)).collect::<Vec<_>>(), [3, 64, 200]);
        assert_eq!(rows.iter().collect::<Vec<_>>(), [0, 3, 63, 64, 200]);
        assert!(rows.contains(63) && !rows.contains(62) && !rows.contains(1_000_000));
        assert_eq!(Bits::default().iter().count(), 0);
    }
}
