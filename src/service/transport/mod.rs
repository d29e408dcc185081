//! Connections of both ports: plain or TLS, from the listener to a stream of bytes with a known
//! other end.
//!
//! Certificates and authorities are files that are read again when they change; what cannot be used
//! keeps the last good ones in force and is reported. A handshake has a time limit and holds up no
//! other one. It must never let a connection through whose certificate was not verified.

mod connection;
mod expiry;
mod incoming;
mod tls;

pub use connection::PeerInfo;
pub use tls::{ClientCertificates, Tls, TlsError, TlsSettings};

pub(super) use tls::TlsVitals;

pub(super) use connection::Connection;
pub(super) use incoming::{Acceptor, incoming, listen};
