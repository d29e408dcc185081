//! Part 4: the wire. The same load on the server and on a tonic server whose handler does nothing,
//! on the same cores, in turn.
//!
//! The load generator shares the cores, so it is kept cheap: requests are bytes made beforehand, and
//! answers are counted, not read; the first ones are read and checked.

mod empty;
mod load;
mod logged;
mod server;

use std::net::SocketAddr;

use crate::measure::{ROUNDS, Spread};
use crate::table::{Budget, Table};

pub use logged::logged;

use load::{Kind, Load};
use server::Server;

/// Questions of a batch.
pub const BATCH: usize = 100;

pub fn run(table: &mut Table, is_quick: bool, only_check: bool) {
    let kinds: &[Kind] = match only_check {
        true => &[Kind::Check],
        false => &[Kind::Check, Kind::Batch, Kind::Stream],
    };
    // Each has threads of its own, as programs have, on the same cores; a profiler tells them apart.
    let [of_ours, of_empty, of_load] = ["ours", "empty", "load"].map(runtime);
    let server = of_ours.block_on(Server::start());
    let answers = of_ours.block_on(server.answers());
    let empty = of_empty.block_on(empty::start(answers));
    of_load.block_on(measure(table, if is_quick { 300 } else { 2_000 }, kinds, &server, empty));
}

fn runtime(name: &str) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_name(name).enable_all().build().expect("a runtime")
}

async fn measure(
    table: &mut Table,
    round_ms: u64,
    kinds: &[Kind],
    server: &Server,
    empty: SocketAddr,
) {
    for connections in [1, 8, 64] {
        let what = format!("{connections} connections");
        let mut rates = Vec::new();
        for kind in kinds.iter().copied() {
            let ours = Load::connect(server.address, connections, kind, &server.questions).await;
            let beside = Load::connect(empty, connections, kind, &server.questions).await;
            let (mut of_ours, mut of_empty) = (Vec::new(), Vec::new());
            // The first round warms up.
            for round in 0..=ROUNDS {
                let (ours, beside) = (ours.rate(round_ms).await, beside.rate(round_ms).await);
                if round > 0 {
                    of_ours.push(ours);
                    of_empty.push(beside);
                }
            }
            let budget = match (kind, connections) {
                (Kind::Check, 64) => Budget::AtLeast(0.9),
                _ => Budget::None,
            };
            let figure = match kind {
                Kind::Check => "Check / empty handler",
                Kind::Batch => "BatchCheck(100) / empty handler",
                Kind::Stream => "StreamCheck / empty handler",
            };
            table.add("wire", &what, figure, Spread::ratio(&of_ours, &of_empty), budget);
            let rate = Spread::new(of_ours.clone()).median();
            table.remark(format!("{figure}, {what}: {rate:.0} decisions per second of ours"));
            rates.push(of_ours);
        }
        let [check, batch, stream] = &rates[..] else { continue };
        let at_64 = |limit| if connections == 64 { Budget::AtLeast(limit) } else { Budget::None };
        let ratio = Spread::ratio(batch, check);
        table.add("wire", &what, "BatchCheck(100) / Check, decisions", ratio, at_64(20.0));
        let ratio = Spread::ratio(stream, check);
        table.add("wire", &what, "StreamCheck / Check, decisions", ratio, at_64(3.0));
        if connections == 8 {
            latency(table, server, empty, check).await;
        }
    }
}

/// Open-loop latency at parts of the capacity that was just measured.
async fn latency(table: &mut Table, server: &Server, empty: SocketAddr, rates: &[f64]) {
    let capacity = Spread::new(rates.to_vec()).median();
    for part in [0.5, 0.8] {
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let ours = load::open_loop(server.address, &server.questions, capacity * part).await;
            let beside = load::open_loop(empty, &server.questions, capacity * part).await;
            p50.push(ours.0 / beside.0);
            p99.push(ours.1 / beside.1);
        }
        let what = format!("8 connections, {:.0}% of capacity", part * 100.0);
        table.add("wire", &what, "median latency / empty handler", Spread::new(p50), Budget::None);
        table.add("wire", &what, "p99 latency / empty handler", Spread::new(p99), Budget::None);
    }
}
