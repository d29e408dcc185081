//! One call, from its headers to the end of its answer: what it takes, until it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::limits::{DECODED_FACTOR, DECODED_FACTOR_ADMINISTRATION, FREE_BYTES};
use super::{Class, Peer, Port, Refused};

/// One call.
#[derive(Debug)]
pub(in crate::service) struct Call {
    peer: Arc<Peer>,
    class: Class,
    has_place: AtomicBool,
    buffered: AtomicUsize,
    is_shed: AtomicBool,
}

/// A piece of an answer: where it is counted, and as how many.
#[derive(Debug)]
pub(super) struct HandedOut {
    at: usize,
    calls: u32,
}

impl Call {
    /// Takes on a call, without a place.
    ///
    /// # Errors
    /// [`Refused::OpenCalls`]; never for a health check.
    pub(in crate::service) fn open(peer: &Arc<Peer>, class: Class) -> Result<Arc<Self>, Refused> {
        let port = &peer.port;
        let limit = port.limits.open_calls_max;
        let open = port.open.fetch_add(1, Ordering::Relaxed);
        if open >= limit {
            port.press();
            if class != Class::Health {
                port.open.fetch_sub(1, Ordering::Relaxed);
                return Err(port.shed(class, Refused::OpenCalls { limit }));
            }
        }
        peer.opened(class == Class::Stream);
        Ok(Arc::new(Self {
            peer: Arc::clone(peer),
            class,
            has_place: AtomicBool::new(false),
            buffered: AtomicUsize::new(0),
            is_shed: AtomicBool::new(false),
        }))
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(super) fn port(&self) -> &Port {
        &self.peer.port
    }

    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// Whether it was sent away.
    pub(in crate::service) fn is_shed(&self) -> bool {
        self.is_shed.load(Ordering::Relaxed)
    }

    /// Takes a place, unless it has one.
    ///
    /// # Errors
    /// [`Refused::Busy`].
    pub(in crate::service) fn enter(&self) -> Result<(), Refused> {
        if self.has_place.load(Ordering::Relaxed) {
            return Ok(());
        }
        let entered = self.port().enter(self.class, self.peer.open());
        entered.inspect_err(|_| self.is_shed.store(true, Ordering::Relaxed))?;
        self.has_place.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Gives its place back.
    pub(in crate::service) fn leave(&self) {
        if self.has_place.swap(false, Ordering::Relaxed) {
            self.port().leave(self.class);
        }
    }

    /// Its message has so many bytes.
    ///
    /// # Errors
    /// [`Refused::Buffers`].
    pub(in crate::service) fn reads(&self, bytes: usize) -> Result<(), Refused> {
        let factor = match self.class {
            Class::Administration => DECODED_FACTOR_ADMINISTRATION,
            Class::Check | Class::Batch | Class::Stream | Class::Health => DECODED_FACTOR,
        };
        match bytes.checked_sub(FREE_BYTES) {
            Some(counted) if counted > 0 => self.hold(counted.saturating_mul(factor)),
            Some(_) | None => Ok(()),
        }
    }

    /// Its answer has so many bytes.
    ///
    /// # Errors
    /// [`Refused::Buffers`].
    pub(super) fn answers(&self, bytes: usize) -> Result<(), Refused> {
        match bytes.checked_sub(FREE_BYTES) {
            Some(counted) if counted > 0 => self.hold(counted),
            Some(_) | None => Ok(()),
        }
    }

    fn hold(&self, bytes: usize) -> Result<(), Refused> {
        let port = self.port();
        let limit = port.limits.buffer_bytes_max;
        let before = port.buffered.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > limit {
            port.buffered.fetch_sub(bytes, Ordering::Relaxed);
            port.press();
            self.is_shed.store(true, Ordering::Relaxed);
            return Err(port.shed(self.class, Refused::Buffers { limit }));
        }
        self.buffered.fetch_add(bytes, Ordering::Relaxed);
        self.peer.hold(bytes);
        Ok(())
    }

    /// Its message, and its answer so far, are no longer there.
    pub(super) fn let_go(&self) {
        let bytes = self.buffered.swap(0, Ordering::Relaxed);
        if bytes > 0 {
            self.port().buffered.fetch_sub(bytes, Ordering::Relaxed);
            self.peer.let_go(bytes);
        }
    }

    /// A piece of its answer was handed out; it stands for so many calls.
    pub(super) fn handed_out(&self, calls: u32) -> HandedOut {
        if calls > 1 {
            self.port().open.fetch_add(calls as usize - 1, Ordering::Relaxed);
        }
        HandedOut { at: self.peer.handed_out(calls), calls }
    }

    /// It was read.
    pub(super) fn was_read(&self, HandedOut { at, calls }: HandedOut) {
        if calls > 1 {
            self.port().open.fetch_sub(calls as usize - 1, Ordering::Relaxed);
        }
        self.peer.was_read(at, calls);
    }

    /// It has an answer.
    pub(in crate::service) fn answered(&self) {
        self.peer.was_served();
        if self.class != Class::Stream {
            self.leave();
            self.let_go();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.leave();
        self.let_go();
        self.port().open.fetch_sub(1, Ordering::Relaxed);
        self.peer.closed(self.class == Class::Stream);
    }
}
