//! A camgate node as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use camgate::service::proto::administration_service_client::AdministrationServiceClient;
use camgate::service::proto::authorization_service_client::AuthorizationServiceClient;
use tonic::transport::{Channel, Endpoint};

/// A node; ends with its value.
pub(crate) struct Server {
    pub(crate) url: String,
    process: Child,
}

impl Server {
    /// Starts a node on the members of a cluster; returns when it is ready.
    pub(crate) fn start(members: &[String], master_key: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_camgate"))
            .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--store", &format!("etcd:{}", members.join(","))])
            .arg("--master-key-file")
            .arg(master_key)
            .env("CAMGATE_LOG__FILTER", "error")
            // Ours, and no setting of the program.
            .env_remove("CAMGATE_CLUSTER_SECONDS")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let (mut url, mut seen) = (None, String::new());
        loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the node ended:\n{seen}");
            if let Some(rest) = line.strip_prefix("camgate listens on ") {
                url = rest.split_once(' ').map(|(address, _)| format!("http://{address}"));
            }
            if line.trim() == "ready" {
                break;
            }
            seen.push_str(&line);
        }
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { url: url.unwrap(), process }
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn channel(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy()
}

pub(crate) fn administration(url: &str) -> AdministrationServiceClient<Channel> {
    AdministrationServiceClient::new(channel(url))
}

pub(crate) fn authorization(url: &str) -> AuthorizationServiceClient<Channel> {
    AuthorizationServiceClient::new(channel(url))
}
