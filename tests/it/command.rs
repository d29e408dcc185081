//! Runs the built program: single commands, and a server on a free port in a folder of its own.
//!
//! The environment's own settings never reach the program under test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

/// The program that cargo has built for this test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_camgate");

/// What one command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The answer of a command that ran with `--output json`.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The program with arguments, in a folder.
pub(crate) fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CAMGATE_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs one command that needs no server.
pub(crate) fn offline(folder: &Path, args: &[&str]) -> Ran {
    ran(command(folder, args).output().unwrap())
}

/// A server with the trial account, over a sled store in a folder.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
    /// What it said until it was ready.
    pub(crate) said: Vec<String>,
    /// What it says later.
    saying: Option<JoinHandle<Vec<String>>>,
}

impl Served {
    /// Starts a server and waits until it says that it is ready.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        let mut all = vec!["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        all.extend(args);
        let mut child = command(folder, &all).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut address, mut said) = (String::new(), Vec::new());
        loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("the server ended before it was ready: {said:?}"))
                .unwrap();
            if let Some(rest) = line.strip_prefix("camgate listens on ") {
                address = rest.split(' ').next().unwrap().to_owned();
            }
            let is_ready = line == "ready";
            said.push(line);
            if is_ready {
                break;
            }
        }
        // What it says later must not fill the pipe.
        let saying = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        Self { child, address, said, saying: Some(saying) }
    }

    /// The server's address as clients take it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it serves HTTP.
    pub(crate) fn http(&self) -> SocketAddr {
        http_address(self.said.iter().map(String::as_str))
    }

    /// Runs one command against the server.
    pub(crate) fn run(&self, folder: &Path, args: &[&str]) -> Ran {
        ran(command(folder, args).env("CAMGATE_SERVER", self.url()).output().unwrap())
    }

    /// The most memory that it has held at any time, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory_kib_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to end, as `kill` does.
    #[cfg(unix)]
    pub(crate) fn signal(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    }

    /// Waits for its end; gives its exit status and what it said since it was ready.
    pub(crate) fn wait(mut self) -> (Option<i32>, Vec<String>) {
        let status = self.child.wait().unwrap().code();
        (status, self.saying.take().unwrap().join().unwrap())
    }

    /// Ends it, as `kill` does, and gives its exit status.
    #[cfg(unix)]
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal();
        self.wait().0
    }
}

/// The address of HTTP, from what a server says when it starts.
pub(crate) fn http_address<'a>(said: impl IntoIterator<Item = &'a str>) -> SocketAddr {
    let mut found = said.into_iter().filter_map(|line| {
        let rest = line.strip_prefix("the CAM API is served on http://")?;
        rest.split(',').next()?.parse().ok()
    });
    found.next().unwrap()
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
