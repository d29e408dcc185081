//! The program `camgate`: arguments in, an answer and an exit status out.

use std::io::{stderr, stdout};
use std::process::ExitCode;

/// Answers are made of many small texts. `benches/` builds with it and, with
/// `--no-default-features`, with the system's, to compare them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let status = camgate::cli::run(std::env::args_os(), &mut stdout(), &mut stderr());
    ExitCode::from(status.code())
}
