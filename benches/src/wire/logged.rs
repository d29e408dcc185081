//! What the decision log costs: the same server with it and without, in turn.

use std::path::Path;

use camgate::audit::decision_log::{DecisionLogSettings, LogMode};

use super::load::{Kind, Load};
use super::runtime;
use super::server::Server;
use crate::measure::{ROUNDS, Spread};
use crate::table::{Budget, Table};

/// `Check` with the log in each of its modes beside `Check` without. The log is written into
/// `folder`, with everything that belongs to it: files are put aside and compressed meanwhile.
pub fn logged(table: &mut Table, is_quick: bool, folder: &Path) {
    let round_ms = if is_quick { 300 } else { 2_000 };
    let [of_plain, of_load] = ["plain", "load"].map(runtime);
    let plain = of_plain.block_on(Server::start());
    for mode in [LogMode::NeverDrop, LogMode::BestEffort] {
        let file = folder.join(format!("{}.jsonl", mode.as_str()));
        let settings = DecisionLogSettings { mode, ..DecisionLogSettings::new(file) };
        let of_logged = runtime("logged");
        let server = of_logged.block_on(Server::start_logged(settings));
        of_load.block_on(measure(table, round_ms, mode, &plain, &server));
    }
}

async fn measure(table: &mut Table, round_ms: u64, mode: LogMode, plain: &Server, logged: &Server) {
    for connections in [1, 8, 64] {
        let what = format!("{connections} connections");
        let without =
            Load::connect(plain.address, connections, Kind::Check, &plain.questions).await;
        let with = Load::connect(logged.address, connections, Kind::Check, &logged.questions).await;
        let (mut of_with, mut of_without) = (Vec::new(), Vec::new());
        // The first round warms up.
        for round in 0..=ROUNDS {
            let (with, without) = (with.rate(round_ms).await, without.rate(round_ms).await);
            if round > 0 {
                of_with.push(with);
                of_without.push(without);
            }
        }
        let budget = if connections == 64 { Budget::AtLeast(0.75) } else { Budget::None };
        let figure = match mode {
            LogMode::NeverDrop => "Check with the decision log, never_drop / without",
            LogMode::BestEffort => "Check with the decision log, best_effort / without",
        };
        table.add("log", &what, figure, Spread::ratio(&of_with, &of_without), budget);
        let rate = Spread::new(of_with).median();
        table.remark(format!("{figure}, {what}: {rate:.0} decisions per second with it"));
    }
}
