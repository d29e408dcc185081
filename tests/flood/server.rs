//! The server under the flood: a process of its own, and the memory that it takes.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A server; ends with its value.
pub(crate) struct Server {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    process: Child,
}

impl Server {
    /// Starts it; returns when it is ready.
    pub(crate) fn start(checks_max: Option<&str>) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_camgate"))
            .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--store", "memory"])
            .env("CAMGATE_LOG__FILTER", "error")
            // Ours, and no setting of the program.
            .env_remove("CAMGATE_FLOOD_SECONDS")
            .envs(checks_max.map(|most| ("CAMGATE_LIMITS__CHECKS_MAX", most)))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let (mut grpc, mut http, mut seen) = (None, None, String::new());
        loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the server ended:\n{seen}");
            if let Some(rest) = line.strip_prefix("camgate listens on ") {
                grpc = rest.split_once(' ').map(|(address, _)| address.parse().unwrap());
            }
            if let Some(rest) = line.strip_prefix("the CAM API is served on http://") {
                http = rest.split_once(',').map(|(address, _)| address.parse().unwrap());
            }
            if line.trim() == "ready" {
                break;
            }
            seen.push_str(&line);
        }
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { grpc: grpc.unwrap(), http: http.unwrap(), process }
    }

    /// Memory that it takes now, in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.expect("the server runs").trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() / 1_024
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
