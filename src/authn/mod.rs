//! Who is calling: signatures, secrets, sealed tokens, passwords.
//!
//! Knows no accounts and no policies: it says that a request was signed with a secret, or that a
//! token was sealed by this store, never what its holder may do. Time is an input. Whatever is not
//! proven is refused; secrets are compared in constant time, wiped when dropped, and never shown.
//! The node finds the secret that belongs to a SecretId, and keeps the vault.

pub mod password;
pub mod random;
pub mod secret;
pub mod service_token;
pub mod tc3;
pub mod vault;
