//! Amounts of memory as people write them: `512MiB`, `2GiB`, or plain bytes.

use super::InvalidSettings;

const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
/// The least that is of use: an account of ordinary size.
const BYTES_MIN: usize = 1 << 20;

/// Reads an amount.
///
/// # Errors
/// For anything else, and for less than one mebibyte.
pub(super) fn read(key: &str, text: &str) -> Result<usize, InvalidSettings> {
    let (digits, unit) = UNITS
        .into_iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
        .unwrap_or((text, 1));
    let bytes = digits.trim().parse::<usize>().ok().and_then(|it| it.checked_mul(unit));
    bytes.filter(|bytes| *bytes >= BYTES_MIN).ok_or_else(|| {
        InvalidSettings(format!(
            "`{key}` is `{text}`, expected at least `1MiB`, such as `512MiB` or `2GiB`"
        ))
    })
}

/// The amount in the largest unit that it is a whole number of.
pub(super) fn text(bytes: usize) -> String {
    let unit = UNITS.into_iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| bytes.to_string(), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written() {
        for (written, bytes) in [("1GiB", 1 << 30), ("512MiB", 512 << 20), ("2048KiB", 2 << 20)] {
            assert_eq!(read("x", written).unwrap(), bytes);
        }
        assert_eq!(read("x", "3000001").unwrap(), 3_000_001);
        assert_eq!(read("x", "2 MiB").unwrap(), 2 << 20);
        assert_eq!((text(1 << 30), text(3 << 20)), ("1GiB".to_owned(), "3MiB".to_owned()));
        assert_eq!(text(3_000_001), "3000001");
        for wrong in ["", "1", "MiB", "-1GiB", "1GB", "1.5GiB", "99999999999999999999", "1023KiB"] {
            let told = read("memory_budget", wrong).unwrap_err().to_string();
            assert!(told.contains("memory_budget") && told.contains(wrong), "{told}");
        }
    }
}
