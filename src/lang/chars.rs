//! Which bytes may stand where, as one table: names are read on every request.
//!
//! Knows bytes only; what they mean is for `action` and `resource` to say.

/// A service's abbreviation: lower-case letters, digits, `-` and `_` (rule A-06).
pub(super) const SERVICE: u8 = 1;
/// An action's name: letters, digits, `_`, `-` and `.` (rule A-04).
pub(super) const NAME: u8 = 2;
/// A region: lower-case letters, digits and `-`.
pub(super) const REGION: u8 = 4;

/// The kinds of every byte.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut rest: &mut [u8] = &mut kinds;
    let mut byte: u8 = 0;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = kinds_of(byte);
        rest = others;
        byte = byte.wrapping_add(1);
    }
    kinds
};

const fn kinds_of(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' => SERVICE | NAME | REGION,
        b'_' => SERVICE | NAME,
        b'A'..=b'Z' | b'.' => NAME,
        _ => 0,
    }
}

/// Whether a byte is of this kind.
#[inline]
pub(super) fn is(byte: u8, kind: u8) -> bool {
    KINDS.get(usize::from(byte)).is_some_and(|kinds| kinds & kind != 0)
}

/// Where the bytes of this kind end that begin at this place.
#[inline]
pub(super) fn end(bytes: &[u8], start: usize, kind: u8) -> usize {
    let mut at = start;
    while bytes.get(at).is_some_and(|byte| is(*byte, kind)) {
        at += 1;
    }
    at
}

/// Whether all bytes are of this kind.
#[inline]
pub(super) fn all(bytes: &[u8], kind: u8) -> bool {
    bytes.iter().all(|byte| is(*byte, kind))
}

/// Whether all bytes are printable ASCII, which needs no further look (rule R-12). Eight at a time:
/// a byte is too low when taking a space from it borrows, and too high when adding one carries.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    let (eights, rest) = bytes.as_chunks::<8>();
    let unlike = eights.iter().fold(0, |unlike, eight| {
        let eight = u64::from_ne_bytes(*eight);
        unlike | eight | eight.wrapping_sub(SPACES) | eight.wrapping_add(ONES)
    });
    unlike & HIGH == 0 && rest.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_what_can_be_printed() {
        for byte in 0..=u8::MAX {
            for length in [1, 7, 8, 9, 16, 23] {
                for place in 0..length {
                    let mut text = vec![b'a'; length];
                    text.splice(place..=place, [byte]);
                    let expected = byte == b' ' || byte.is_ascii_graphic();
                    assert_eq!(is_plain(&text), expected, "{byte} at {place} of {length}");
                }
            }
        }
        assert!(is_plain(b""));
    }

    #[test]
    fn kinds_are_what_they_are_called() {
        for byte in 0..=u8::MAX {
            let lower = byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            assert_eq!(is(byte, REGION), lower, "{byte}");
            assert_eq!(is(byte, SERVICE), lower || byte == b'_', "{byte}");
            let name = byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            assert_eq!(is(byte, NAME), name, "{byte}");
        }
        assert_eq!(end(b"qcs::im:", 5, SERVICE), 7);
        assert_eq!(end(b"im", 0, SERVICE), 2);
        assert!(all(b"im_1", SERVICE) && !all(b"im_1", REGION));
    }
}
