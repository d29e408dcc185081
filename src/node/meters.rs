//! How long calls took, and how they ended, by protocol and method.
//!
//! Measuring must never cost what is measured: a call that succeeds is three relaxed additions, in
//! a line of the processor's cache that few threads share. Only what fails is looked up by name.
//! It must never hold anything of what is asked: names of methods, codes and reasons, and no more.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Upper bounds of the buckets of durations, in microseconds; beyond the last one is one more.
pub const BOUNDS_US: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];
/// Counters of one meter that threads spread over.
const SHARDS: usize = 8;
/// Most kinds of endings that one method tells apart.
const ENDINGS_MAX: usize = 64;

/// Whose matter the end of a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallResult {
    /// It was answered.
    Ok,
    /// It was refused, for what it asked or for who asked.
    Refused,
    /// The server could not answer.
    Failed,
}

impl CallResult {
    /// Its stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// How a call ended that was not answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ending {
    /// Whose matter it is.
    pub result: CallResult,
    /// The protocol's own code.
    pub code: Cow<'static, str>,
    /// Our stable reason, where the protocol has one beside the code.
    pub reason: &'static str,
}

/// Durations in buckets.
#[derive(Debug, Default)]
pub(super) struct Durations {
    shards: [Shard; SHARDS],
}

/// Two lines of the cache of its own, so that neighbours do not wait for each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_ns: AtomicU64,
    /// Calls that were answered.
    ok: AtomicU64,
}

thread_local! {
    static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
}
static NEXT_PLACE: AtomicUsize = AtomicUsize::new(0);

/// The shard of this thread.
fn place() -> usize {
    PLACE.get().unwrap_or_else(|| {
        let place = NEXT_PLACE.fetch_add(1, Ordering::Relaxed) % SHARDS;
        PLACE.set(Some(place));
        place
    })
}

/// A count that many threads add to.
#[derive(Debug, Default)]
pub(super) struct Count {
    shards: [CountShard; SHARDS],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct CountShard(AtomicU64);

impl Count {
    /// One more.
    pub(super) fn add(&self) {
        if let Some(CountShard(count)) = self.shards.get(place()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there are.
    pub(super) fn get(&self) -> u64 {
        self.shards.iter().map(|CountShard(count)| count.load(Ordering::Relaxed)).sum()
    }
}

/// How often a cache had what was looked for.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    hits: Count,
    misses: Count,
}

impl Lookups {
    /// Counts one.
    pub(super) fn count(&self, is_hit: bool) {
        if is_hit { self.hits.add() } else { self.misses.add() }
    }

    /// Those it had, and those it had not.
    pub(super) fn get(&self) -> (u64, u64) {
        (self.hits.get(), self.misses.get())
    }
}

impl Durations {
    fn shard(&self) -> Option<&Shard> {
        self.shards.get(place())
    }

    /// One more.
    pub(super) fn add(&self, took: Duration) {
        let Some(shard) = self.shard() else { return };
        shard.add(took);
    }

    /// What was added so far.
    #[must_use]
    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for shard in &self.shards {
            for (sum, bucket) in counts.buckets.iter_mut().zip(&shard.buckets) {
                *sum += bucket.load(Ordering::Relaxed);
            }
            counts.sum_ns = counts.sum_ns.wrapping_add(shard.sum_ns.load(Ordering::Relaxed));
        }
        counts
    }
}

impl Shard {
    fn add(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // A bound belongs to its bucket.
        let at = BOUNDS_US.partition_point(|bound| bound * 1_000 < ns);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }
}

/// Durations that were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// How many fell between a bound and the one before; the last ones are beyond all bounds.
    pub buckets: [u64; BOUNDS_US.len() + 1],
    /// All of them together, in nanoseconds.
    pub sum_ns: u64,
}

impl Counts {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// The calls of one method of one protocol.
#[derive(Debug)]
pub struct Meter {
    surface: &'static str,
    method: Cow<'static, str>,
    durations: Durations,
    endings: RwLock<BTreeMap<Ending, AtomicU64>>,
    /// Streams of it that are open.
    open: AtomicUsize,
}

/// A stream that is open, until this is dropped.
#[derive(Debug)]
pub struct OpenStream {
    meter: Arc<Meter>,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.meter.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a meter shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// How long calls took that were timed, whatever their ends.
    pub durations: Counts,
    /// How many were answered.
    pub ok: u64,
    /// How many were not, by their ends.
    pub endings: Vec<(Ending, u64)>,
    /// Streams that are open.
    pub open: usize,
}

impl Meter {
    fn new(surface: &'static str, method: Cow<'static, str>) -> Self {
        Self {
            surface,
            method,
            durations: Durations::default(),
            endings: RwLock::default(),
            open: AtomicUsize::new(0),
        }
    }

    /// The protocol.
    #[must_use]
    pub fn surface(&self) -> &'static str {
        self.surface
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// A call has ended, after this time if it was timed; without an ending it was answered.
    pub fn ended(&self, took: Option<Duration>, ending: Option<Ending>) {
        let Some(shard) = self.durations.shard() else { return };
        if let Some(took) = took {
            shard.add(took);
        }
        match ending {
            None => _ = shard.ok.fetch_add(1, Ordering::Relaxed),
            Some(ending) => self.count(ending),
        }
    }

    fn count(&self, ending: Ending) {
        {
            let endings = self.endings.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = endings.get(&ending) {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let mut endings = self.endings.write().unwrap_or_else(PoisonError::into_inner);
        let is_full = endings.len() >= ENDINGS_MAX && !endings.contains_key(&ending);
        let ending = match is_full {
            true => Ending { result: ending.result, code: "other".into(), reason: "" },
            false => ending,
        };
        endings.entry(ending).or_default().fetch_add(1, Ordering::Relaxed);
    }

    /// A stream begins.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> OpenStream {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenStream { meter: Arc::clone(self) }
    }

    /// What it shows now.
    #[must_use]
    pub fn read(&self) -> Reading {
        let endings = self.endings.read().unwrap_or_else(PoisonError::into_inner);
        let endings = endings.iter().map(|(it, count)| (it.clone(), count.load(Ordering::Relaxed)));
        Reading {
            endings: endings.collect(),
            ok: self.durations.shards.iter().map(|it| it.ok.load(Ordering::Relaxed)).sum(),
            durations: self.durations.counts(),
            open: self.open.load(Ordering::Relaxed),
        }
    }
}

/// A protocol and one of its methods.
type MeterKey = (&'static str, Cow<'static, str>);

/// The meters of all methods, as they are asked for.
#[derive(Debug, Default)]
pub struct Meters {
    all: RwLock<HashMap<MeterKey, Arc<Meter>>>,
}

impl Meters {
    /// The meter of a method. What is called often keeps it. The names must be few: of methods that
    /// there are, never what a client sends.
    pub fn of(&self, surface: &'static str, method: impl Into<Cow<'static, str>>) -> Arc<Meter> {
        let key = (surface, method.into());
        {
            let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(meter) = all.get(&key) {
                return Arc::clone(meter);
            }
        }
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Meter::new(key.0, key.1.clone()));
        Arc::clone(all.entry(key.clone()).or_insert_with(new))
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Meter>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let mut meters: Vec<Arc<Meter>> = all.values().cloned().collect();
        meters.sort_by(|a, b| (a.surface, &a.method).cmp(&(b.surface, &b.method)));
        meters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets() {
        let meter = Meter::new("grpc", "Check".into());
        let us = Duration::from_micros;
        for took in [us(0), us(50), Duration::from_nanos(50_001), us(10_000_000), us(10_000_001)] {
            meter.ended(Some(took), None);
        }
        let Reading { durations, ok, endings, open } = meter.read();
        assert_eq!((ok, endings.len(), open, durations.count()), (5, 0, 0, 5));
        let filled: Vec<_> =
            durations.buckets.iter().enumerate().filter(|(_, count)| **count > 0).collect();
        assert_eq!(filled, [(0, &2), (1, &1), (16, &1), (17, &1)]);
        assert_eq!(durations.sum_ns, (50 + 50 + 10_000_000 + 10_000_001) * 1_000 + 1);
    }

    #[test]
    fn every_thread_is_counted() {
        let meter = Meter::new("grpc", "Check".into());
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| (0..1_000).for_each(|_| meter.ended(Some(Duration::ZERO), None)));
            }
        });
        let reading = meter.read();
        let all = 2 * SHARDS as u64 * 1_000;
        assert_eq!((reading.ok, reading.durations.count()), (all, all));
    }

    #[test]
    fn endings_are_told_apart_up_to_a_limit() {
        let meters = Meters::default();
        let meter = meters.of("cam_api", "GetUser".to_owned());
        for at in 0..ENDINGS_MAX + 10 {
            let code = format!("Code{at}").into();
            let ending = Ending { result: CallResult::Refused, code, reason: "" };
            meter.ended(Some(Duration::ZERO), Some(ending.clone()));
            meter.ended(None, Some(ending));
        }
        let reading = meters.of("cam_api", "GetUser").read();
        assert_eq!((reading.ok, reading.endings.len()), (0, ENDINGS_MAX + 1));
        let other = reading.endings.iter().find(|(it, _)| it.code == "other").unwrap();
        assert_eq!(other.1, 20);
        assert_eq!(reading.durations.count(), ENDINGS_MAX as u64 + 10);
    }

    #[test]
    fn open_streams_end_when_they_are_dropped() {
        let meter = Meters::default().of("grpc", "Watch");
        let (one, two) = (meter.open(), meter.open());
        assert_eq!(meter.read().open, 2);
        drop(one);
        assert_eq!(meter.read().open, 1);
        drop(two);
        assert_eq!(meter.read().open, 0);
    }
}
