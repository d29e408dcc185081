//! Service, region and account of a resource pattern: what most patterns of a set share.
//!
//! The index keeps each shape once and tests it only for what the last segment has found. It means
//! what `ResourcePattern::matches` means for these three segments, and nothing else.

use crate::lang::pattern::Glob;
use crate::lang::resource::{AccountPattern, ResourceRef, SegmentPatterns};
use crate::lang::variable::Owner;

/// Longest text that is kept in place, in bytes; services are shorter.
const SHORT_BYTES_MAX: usize = 15;

/// A pattern of everything but the last segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    service: Segment,
    region: Segment,
    account: AccountPattern,
}

/// A pattern of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Any,
    /// A fixed text, in place.
    Short {
        length: u8,
        bytes: [u8; SHORT_BYTES_MAX],
    },
    Like(Glob),
}

impl Shape {
    /// The shape of a pattern.
    pub(super) fn new(segments: &SegmentPatterns) -> Self {
        Self {
            service: Segment::new(&segments.service),
            region: Segment::new(&segments.region),
            account: segments.account,
        }
    }

    /// Whether it matches the name, as seen from `home` (rules ).
    pub(super) fn matches(&self, name: &ResourceRef<'_>, home: &Owner) -> bool {
        self.service.matches(|| name.service())
            && self.region.matches(|| name.region())
            && self.account.matches(name.account(), home)
    }
}

impl Segment {
    fn new(glob: &Glob) -> Self {
        if glob.is_any() {
            return Self::Any;
        }
        let short = glob.as_literal().and_then(|text| {
            let mut bytes = [0; SHORT_BYTES_MAX];
            bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
            Some(Self::Short { length: u8::try_from(text.len()).ok()?, bytes })
        });
        short.unwrap_or_else(|| Self::Like(glob.clone()))
    }

    #[inline]
    fn matches<'t>(&self, text: impl FnOnce() -> &'t str) -> bool {
        match self {
            Self::Any => true,
            Self::Short { length, bytes } => {
                let text = text().as_bytes();
                let pairs = text.iter().zip(bytes);
                text.len() == usize::from(*length) && pairs.into_iter().all(|(a, b)| a == b)
            }
            Self::Like(glob) => glob.matches(text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::resource::ResourcePattern;
    use crate::lang::variable::Variables;

    #[test]
    fn a_shape_means_what_its_pattern_means() {
        // rules
        let owner = Owner { uin: 12_345_678, app_id: 1_250_000_001 };
        let variables = Variables { uin: 1, owner };
        let mut tested = 0;
        for service in ["im", "i*", "", "*", "a-very-long-service-name", "trtc"] {
            for region in ["", "ap-*", "ap-guangzhou"] {
                for account in ["", "uin/", "uin/12345678", "uin/9", "uid/1250000001", "*"] {
                    let text = format!("qcs::{service}:{region}:{account}:*");
                    let pattern = ResourcePattern::parse(&text).unwrap();
                    let shape = Shape::new(pattern.segments().unwrap());
                    for name in [
                        "qcs::im:::x",
                        "qcs::im::uin/12345678:x",
                        "qcs::im:ap-guangzhou:uin/9:x",
                        "qcs::a-very-long-service-name::uid/1250000001:x",
                        "qcs::::uid/7:x",
                    ] {
                        let name = ResourceRef::parse(name).unwrap();
                        assert_eq!(shape.matches(&name, &owner), pattern.matches(name, &variables));
                        tested += 1;
                    }
                }
            }
        }
        assert_eq!(tested, 6 * 3 * 6 * 5);
    }
}
