//! Times camgate beside the least that it must do and beside its peers, and writes the page.

mod accounts;
mod decide;
mod growth;
mod instructions;
mod load;
mod measure;
mod page;
mod peers;
mod table;
mod wire;
mod workload;
mod write;

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

#[derive(Debug, Clone, Subcommand)]
enum Part {
    /// Every part, and the page docs/performance.md
    All,
    /// A decision in process, beside the lower bound, the reference and the peers
    Decide,
    /// How a decision grows with statements and policies, and what a second thread adds
    Growth,
    /// From a write to its being visible, while others read
    Write,
    /// Loading accounts: time and memory
    Load,
    /// Checks over loopback, beside an empty tonic handler
    Wire {
        /// Only single checks, to see under a profiler where their time goes
        #[arg(long)]
        only_check: bool,
    },
    /// What the decision log costs a check over loopback
    Log {
        /// Where it is written; a disk that is as fast as the one of a server
        #[arg(long, default_value = "target/decision-log")]
        folder: std::path::PathBuf,
    },
    /// Instructions of a decision, counted by callgrind and compared with what was recorded
    Instructions {
        /// Writes what was counted to instructions.json
        #[arg(long)]
        record: bool,
    },
    /// What runs under callgrind
    #[command(hide = true)]
    Ask { case: usize },
    /// What loads accounts in a process of its own
    #[command(hide = true)]
    Hold { what: String, accounts: usize },
}

fn main() -> ExitCode {
    let Arguments { part, quick } = Arguments::parse();
    let mut table = Table::default();
    match part {
        Part::All => return all(&mut table, quick),
        Part::Decide => decide::run(&mut table, quick),
        Part::Growth => growth::run(&mut table, quick, None),
        Part::Write => write::run(&mut table, quick),
        Part::Load => load::run(&mut table, quick),
        Part::Wire { only_check } => wire::run(&mut table, quick, only_check),
        Part::Log { folder } => {
            if let Err(fault) = std::fs::create_dir_all(&folder) {
                eprintln!("`{}`: {fault}", folder.display());
                return ExitCode::FAILURE;
            }
            wire::logged(&mut table, quick, &folder);
        }
        Part::Instructions { record } => {
            if let Err(fault) = instructions::run(&mut table, record) {
                eprintln!("{fault}");
                return ExitCode::FAILURE;
            }
        }
        Part::Ask { case } => instructions::ask(case),
        Part::Hold { what, accounts } => load::hold(&what, accounts),
    }
    ExitCode::SUCCESS
}

/// Every part; the page, unless the figures are worth little.
fn all(table: &mut Table, quick: bool) -> ExitCode {
    let figures = page::figures();
    decide::run(table, quick);
    growth::run(table, quick, (!quick).then_some(&*figures));
    write::run(table, quick);
    wire::run(table, quick, false);
    wire::logged(table, quick, std::path::Path::new("target/decision-log"));
    load::run(table, quick);
    let counted = instructions::run(table, false);
    if !quick && let Err(fault) = page::write(table) {
        eprintln!("docs/performance.md cannot be written: {fault}");
        return ExitCode::FAILURE;
    }
    match counted {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
