//! What a server takes on at a time, all in one place: the keys of `[limits]`, each with its unit.

use std::time::Duration;

/// Message bytes of one call that are not counted: most calls never have more.
pub(super) const FREE_BYTES: usize = 16 * 1024;
/// An answer is handed out in pieces of this many bytes, so that a reader's progress shows.
pub(super) const PIECE_BYTES: usize = 64 * 1024;
/// Of answers up to this length only one in [`FOLLOWED_SHARE`] is followed to its last byte.
pub(super) const SHORT_BYTES_MAX: usize = 1_024;
/// See [`SHORT_BYTES_MAX`].
pub(super) const FOLLOWED_SHARE: u32 = 16;
/// What a message of many small fields takes once it is decoded, for each of its bytes.
pub(super) const DECODED_FACTOR: usize = 16;
/// The same of administration, whose long messages are texts.
pub(super) const DECODED_FACTOR_ADMINISTRATION: usize = 2;
/// Most calls of one connection that its client may give up in one of [`LimitSettings::tick`].
pub(super) const GIVEN_UP_MAX: u32 = 1_024;
/// Fewest calls that make a connection wait for its client before it can be the greediest one.
pub(super) const GREEDY_CALLS_MIN: u32 = 16;
/// What HTTP/2 lets a client send before it was read: of one call, and of one connection.
pub(in crate::service) const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// See [`STREAM_WINDOW_BYTES`].
pub(in crate::service) const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Streams that a client opened and reset before anybody looked at them; more end the connection.
pub(in crate::service) const RESET_STREAMS_MAX: usize = 20;
/// Streams that the server reset for their client's faults; more end the connection.
pub(in crate::service) const FAULTY_STREAMS_MAX: usize = 256;
/// What a client that was sent away is told to wait.
pub(in crate::service) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Of the places of a class, one in so many is kept for connections with few calls.
pub(super) const KEPT_SHARE: usize = 4;
/// Most calls of a connection with few.
pub(super) const FEW_CALLS_MAX: usize = 4;
/// Health checks under way; they are for few, and are never sent away for others' calls.
pub(super) const HEALTH_CHECKS_MAX: usize = 1_024;

/// What a server takes on at a time; each of the two ports counts for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Most connections of the gRPC port. A further one takes the place of one that is idle.
    pub grpc_connections_max: usize,
    /// The same of the HTTP port.
    pub http_connections_max: usize,
    /// Most calls of one gRPC connection at a time.
    pub calls_per_connection_max: u32,
    /// Most single checks being worked on, those of the gate among them.
    pub checks_max: usize,
    /// Most batches, searches, explanations and simulations being worked on.
    pub batches_max: usize,
    /// Most calls of administration being worked on, those of the CAM API among them.
    pub administration_max: usize,
    /// Most long streams: watches, exports, `StreamCheck`.
    pub streams_max: usize,
    /// Most calls that are there at all: also those whose message has not come, or whose answer
    /// was not read.
    pub open_calls_max: usize,
    /// About how many bytes long messages and long answers may take together.
    pub buffer_bytes_max: usize,
    /// Longest metadata of a gRPC call, in bytes.
    pub metadata_bytes_max: u32,
    /// Longest time that a call is worked on, unless its own deadline is shorter.
    pub call_ms_max: u64,
    /// Longest wait for a call's message, or for 64 KiB more of it.
    pub message_wait_ms_max: u64,
    /// Longest time that an answer, or 64 KiB of it, may stand unread.
    pub unread_ms_max: u64,
    /// Silence after which a gRPC client is asked whether it is there.
    pub keepalive_interval_ms: u64,
    /// Longest wait for that answer.
    pub keepalive_wait_ms_max: u64,
    /// Longest TLS handshake, and longest wait for the first bytes of a gRPC connection.
    pub handshake_ms_max: u64,
    /// Longest time for the headers of a request of the HTTP port; an idle connection ends after
    /// it too.
    pub http_headers_ms_max: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            grpc_connections_max: 4_096,
            http_connections_max: 4_096,
            calls_per_connection_max: 256,
            checks_max: 1_024,
            batches_max: 128,
            administration_max: 512,
            streams_max: 1_024,
            open_calls_max: 16_384,
            buffer_bytes_max: 256 << 20,
            metadata_bytes_max: 16 * 1024,
            call_ms_max: 60_000,
            message_wait_ms_max: 15_000,
            unread_ms_max: 10_000,
            keepalive_interval_ms: 30_000,
            keepalive_wait_ms_max: 10_000,
            handshake_ms_max: 10_000,
            http_headers_ms_max: 60_000,
        }
    }
}

impl LimitSettings {
    /// How often connections are looked at: a quarter of what an answer may stand unread.
    pub(super) fn tick(&self) -> Duration {
        Duration::from_millis((self.unread_ms_max / super::TICKS_UNREAD_MAX as u64).max(1))
    }
}
