//! How far something long is, told now and then on the error output.

use std::io::Write;
use std::time::{Duration, Instant};

use super::answer::CliError;

/// Time between two lines that tell how far it is.
const PROGRESS_PAUSE: Duration = Duration::from_secs(2);

/// Tells now and then how far something is.
pub(super) struct Progress {
    verb: &'static str,
    last: Instant,
}

impl Progress {
    pub(super) fn new(verb: &'static str) -> Self {
        Self { verb, last: Instant::now() }
    }

    pub(super) fn tell(
        &mut self,
        err: &mut dyn Write,
        done: u64,
        noun: &str,
    ) -> Result<(), CliError> {
        if self.last.elapsed() >= PROGRESS_PAUSE {
            self.last = Instant::now();
            writeln!(err, "{} {done} {noun} so far", self.verb)?;
        }
        Ok(())
    }
}
