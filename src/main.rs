//! The program `camgate`: arguments in, an answer and an exit status out.

use std::io::{stderr, stdout};
use std::process::ExitCode;

/// Answers are made of many small texts; docs/performance.md has the measurement.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let status = camgate::cli::run(std::env::args_os(), &mut stdout(), &mut stderr());
    ExitCode::from(status.code())
}
