//! Times camgate beside the least that it must do and beside its peers, and writes the page.

mod decide;
mod instructions;
mod measure;
mod peers;
mod table;
mod wire;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use table::Table;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(about = "Ratios of camgate's speed, each within one run")]
struct Arguments {
    #[command(subcommand)]
    part: Part,
    /// Smaller sizes and fewer rounds, to see that it runs; its figures are worth little
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Part {
    /// Every part, and the page docs/performance.md
    All,
    /// A decision in process, beside the lower bound, the reference and the peers
    Decide,
    /// Checks over loopback, beside an empty tonic handler
    Wire,
    /// Instructions of a decision, counted by callgrind and compared with what was recorded
    Instructions {
        /// Writes what was counted to instructions.json
        #[arg(long)]
        record: bool,
    },
    /// What runs under callgrind
    #[command(hide = true)]
    Ask { case: usize },
}

fn main() -> ExitCode {
    let Arguments { part, quick } = Arguments::parse();
    let mut table = Table::default();
    match part {
        Part::All => {}
        Part::Decide => decide::run(&mut table, quick),
        Part::Wire => wire::run(&mut table, quick),
        Part::Instructions { record } => {
            if let Err(fault) = instructions::run(&mut table, record) {
                eprintln!("{fault}");
                return ExitCode::FAILURE;
            }
        }
        Part::Ask { case } => instructions::ask(case),
    }
    let _ = table.markdown();
    ExitCode::SUCCESS
}
