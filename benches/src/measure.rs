//! Timing: batches of fresh questions, contestants in turn, and medians of rounds.
//!
//! Criterion measures one thing at a time and remembers it between runs; what is wanted here are
//! ratios within one run, of things that take turns on the same questions, on a machine whose speed
//! changes from minute to minute. So contestants are interleaved batch by batch.

use std::time::Instant;

/// Rounds of which the median is taken.
pub const ROUNDS: usize = 5;

/// The figure of each round, ascending.
#[derive(Debug, Clone)]
pub struct Spread(Vec<f64>);

impl Spread {
    pub fn new(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }

    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    pub fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    pub fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// Round by round, one over the other.
    pub fn ratio(over: &[f64], under: &[f64]) -> Self {
        Self::new(over.iter().zip(under).map(|(over, under)| over / under).collect())
    }
}

/// Nanoseconds that each call takes on average.
pub fn nanoseconds(calls: usize, work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_nanos() as f64 / calls as f64
}

/// How long single calls take, each over before the clock is read. The clock may tick in steps of ten
/// nanoseconds, so there is no more in it than that.
#[derive(Default)]
pub struct Singles {
    calls: Vec<u64>,
    /// How long it takes to read the clock.
    nothing: Vec<u64>,
}

impl Singles {
    pub fn time(&mut self, work: impl FnOnce()) {
        let started = Instant::now();
        self.nothing.push(started.elapsed().as_nanos() as u64);
        let started = Instant::now();
        work();
        self.calls.push(started.elapsed().as_nanos() as u64);
    }

    /// The median, without what reading the clock takes, in nanoseconds.
    pub fn median(mut self) -> f64 {
        let median = |of: &mut Vec<u64>| {
            let at = of.len() / 2;
            *of.select_nth_unstable(at).1
        };
        median(&mut self.calls).saturating_sub(median(&mut self.nothing)) as f64
    }
}

/// Nanoseconds of one call, for things whose cost is not known beforehand: calls until a tenth of a
/// second is over.
pub fn until_enough(mut call: impl FnMut(usize)) -> f64 {
    let started = Instant::now();
    let mut calls = 0;
    while started.elapsed().as_millis() < 100 {
        for _ in 0..20 {
            call(calls);
            calls += 1;
        }
    }
    started.elapsed().as_nanos() as f64 / calls as f64
}
