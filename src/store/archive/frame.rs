//! Frames: how an archive's messages follow each other. Bytes in, bytes out.

use std::io::{self, Read};

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::store::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// What every archive begins with.
pub(super) const MAGIC: &[u8; 16] = b"CAMGATE-ARCHIVE\n";
/// The format that is written and read.
pub(super) const FORMAT: u32 = 1;
/// A frame of entries ends with the entry that brings it to this many bytes.
pub(super) const FRAME_BYTES: usize = 256 * 1024;
/// Longest message that is read: a full frame and the longest entry, and what stands around them.
pub(super) const FRAME_BYTES_MAX: usize = 2 * (FRAME_BYTES + KEY_BYTES_MAX + VALUE_BYTES_MAX);

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Header,
    Entries,
    Trailer,
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Self::Header => b'H',
            Self::Entries => b'E',
            Self::Trailer => b'T',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        [Self::Header, Self::Entries, Self::Trailer].into_iter().find(|it| it.letter() == letter)
    }
}

/// A message as a frame.
pub(super) fn encode(kind: Kind, message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    // Frames are far below four gigabytes; one that is not would be refused when it is read.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut frame = vec![kind.letter()];
    frame.extend(length.to_be_bytes());
    frame.extend(body);
    frame
}

/// Why there is no next frame.
#[derive(Debug)]
pub(super) enum FrameFault {
    /// The input ends here or within the frame.
    Ended,
    /// The bytes are no frame.
    Damaged(String),
    /// The input fails.
    Input(io::Error),
}

impl From<io::Error> for FrameFault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Ended } else { Self::Input(error) }
    }
}

/// Reads the next frame: its kind, and its message still encoded. What is before the last frame is
/// hashed too.
pub(super) fn read(
    input: &mut impl Read,
    checksum: &mut Sha256,
) -> Result<(Kind, Vec<u8>), FrameFault> {
    let mut head = [0; 5];
    input.read_exact(&mut head)?;
    let [letter, length @ ..] = head;
    let Some(kind) = Kind::of(letter) else {
        return Err(FrameFault::Damaged(format!("a frame begins with the byte {letter}")));
    };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX {
        let text = format!("a frame has {length} bytes, the limit is {FRAME_BYTES_MAX}");
        return Err(FrameFault::Damaged(text));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    if kind != Kind::Trailer {
        checksum.update(head);
        checksum.update(&body);
    }
    Ok((kind, body))
}
