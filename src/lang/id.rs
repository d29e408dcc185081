//! Ids as CAM writes them: decimal numbers from 1 of at most 64 bits, in their one spelling.
//!
//! Uins, APPIDs and SdkAppIds stand in every request, so their digits are read eight at a time.
//! What has a sign, a leading zero or another byte is no id.

/// Every number of so many digits has less than 64 bits.
const SURE_DIGITS: usize = 19;
/// Digits that are read at once.
const AT_ONCE: usize = 8;

/// The id that a whole text says; none for any other text.
#[inline]
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    read(text.as_bytes())
}

/// As [`parse`], from bytes.
#[inline]
pub(super) fn read(bytes: &[u8]) -> Option<u64> {
    let (id, end) = at(bytes, 0)?;
    (end == bytes.len()).then_some(id)
}

/// The id that begins at this place, and where it ends; none when there is none, or one of more
/// than 64 bits.
#[inline]
pub(super) fn at(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let digit_at = |at: usize| {
        let digit = bytes.get(at)?.wrapping_sub(b'0');
        (digit <= 9).then_some(u64::from(digit))
    };
    if bytes.get(start) == Some(&b'0') {
        return None;
    }
    let (mut value, mut at) = match eight_digits(bytes, start) {
        Some(eight) => (eight, start + AT_ONCE),
        None => (digit_at(start)?, start + 1),
    };
    while let Some(digit) = digit_at(at) {
        // So few digits are never too many.
        value = match at - start < SURE_DIGITS {
            true => value.wrapping_mul(10).wrapping_add(digit),
            false => value.checked_mul(10)?.checked_add(digit)?,
        };
        at += 1;
    }
    Some((value, at))
}

/// The number that eight decimal digits say which begin at this place; none when there are not so
/// many. All at once: as bytes, then as pairs, then as fours.
#[inline]
fn eight_digits(bytes: &[u8], start: usize) -> Option<u64> {
    const ZEROS: u64 = u64::from_ne_bytes([b'0'; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0xf0; 8]);
    const SIXES: u64 = u64::from_ne_bytes([6; 8]);
    let eight = u64::from_le_bytes(*bytes.get(start..)?.first_chunk()?);
    // A digit is 0x30 to 0x39: its high half is 3, also after 6 is added.
    if eight & HIGH != ZEROS || eight.wrapping_add(SIXES) & HIGH != ZEROS {
        return None;
    }
    let ones = eight ^ ZEROS;
    let pairs = ones.wrapping_mul(10).wrapping_add(ones >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        for id in [1, 9, 10, 12_345_678, 123_456_789, 100_000_000_001, u64::MAX - 1, u64::MAX] {
            let text = id.to_string();
            assert_eq!(parse(&text), Some(id));
            for wrong in [format!("0{text}"), format!("+{text}"), format!("{text} "), text + "x"] {
                assert_eq!(parse(&wrong), None, "{wrong}");
            }
        }
        for wrong in ["", "0", "-1", "一", "18446744073709551616", "99999999999999999999", "1e3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn eight_digits_are_read_at_once() {
        for text in ["00000000", "12345678", "99999999", "10000001", "00000009", "90000000"] {
            assert_eq!(eight_digits(text.as_bytes(), 0), text.parse().ok(), "{text}");
            assert_eq!(eight_digits(format!("x{text}9").as_bytes(), 1), text.parse().ok());
        }
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut text = *b"31415926";
                text[place] = byte;
                let plain = std::str::from_utf8(&text).ok();
                let plain = plain.filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
                let expected = plain.and_then(|it| it.parse().ok());
                assert_eq!(eight_digits(&text, 0), expected, "{byte} at {place}");
            }
        }
        assert_eq!(eight_digits(b"1234567", 0), None);
        assert_eq!(eight_digits(b"12345678", 1), None);
        assert_eq!(eight_digits(b"12345678", 9), None);
    }
}
