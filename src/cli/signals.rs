//! The signals that tell the server to end: SIGINT and SIGTERM, or Ctrl-C where there are none.
//!
//! Received from the start on and counted, so that the second one is told from the first. It must
//! never end the program itself.

use std::io;

use tokio::sync::watch;

/// How often the program was told to end.
#[derive(Debug)]
pub(super) struct Told(watch::Receiver<u32>);

impl Told {
    /// Receives signals from now on, instead of the system's default.
    ///
    /// # Errors
    /// When the system does not let it.
    pub(super) fn receive() -> io::Result<Self> {
        let (count, told) = watch::channel(0_u32);
        let mut signals = Signals::new()?;
        tokio::spawn(async move {
            loop {
                signals.next().await;
                count.send_modify(|count| *count = count.saturating_add(1));
            }
        });
        Ok(Self(told))
    }

    /// Done when it was told so often.
    pub(super) async fn times(&self, times: u32) {
        let mut told = self.0.clone();
        // The sender goes with the runtime only.
        let _ = told.wait_for(|count| *count >= times).await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // Without signals the server runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
