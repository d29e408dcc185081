//! Random bytes and characters for secrets: seeded by the operating system, and never guessable.
//!
//! A system without entropy is an error, not a panic and not a weaker source.

use rand::distr::{Distribution as _, slice::Choose};
use rand::rngs::{StdRng, SysRng};
use rand::{SeedableRng as _, TryRng as _};
use thiserror::Error;
use zeroize::Zeroizing;

/// The operating system gave no random bytes.
#[derive(Debug, Error)]
#[error("the operating system gives no random bytes")]
pub struct NoEntropy(#[source] rand::rngs::SysError);

/// Random bytes of the operating system.
///
/// # Errors
/// [`NoEntropy`].
pub fn bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, NoEntropy> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng.try_fill_bytes(bytes.as_mut_slice()).map_err(NoEntropy)?;
    Ok(bytes)
}

/// `length` characters, each one equally often any of the alphabet, which must be ASCII.
///
/// # Errors
/// [`NoEntropy`].
pub(super) fn text(alphabet: &[u8], length: usize) -> Result<Zeroizing<String>, NoEntropy> {
    let mut rng = StdRng::try_from_rng(&mut SysRng).map_err(NoEntropy)?;
    // Its whole room at once: a text that grew would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(length));
    // An empty alphabet gives an empty text, which is no secret's shape.
    if let Ok(choose) = Choose::new(alphabet) {
        text.extend((0..length).map(|_| char::from(*choose.sample(&mut rng))));
    }
    Ok(text)
}
