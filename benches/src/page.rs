//! docs/performance.md: the table, the machine, the date, and how to read them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::table::Table;

/// The repository.
pub fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("benches/ stands in the repository").to_path_buf()
}

/// Where the figures go.
pub fn figures() -> PathBuf {
    repository().join("docs/performance")
}

/// Writes the page.
pub fn write(table: &Table) -> std::io::Result<()> {
    let remarks: String = table.remarks.iter().map(|it| format!("- {it}\n")).collect();
    let page = format!(
        "# Performance\n\n\
         Written by `make bench`, which takes a quarter of an hour; do not edit. Measured on {date}: {machine}.\n\n\
         Every figure is a ratio within one run, of things that took turns on the same questions, or \
         says its unit; the median of at least five rounds stands before the least and the most. \
         Budgets are of the issue that asked for them; a figure without one is there to be known.\n\n\
         What is compared:\n\n\
         - *ours* is `engine::decide_into`: from the texts of a request to the whole decision, its \
         determining statements read.\n\
         - *lower bound* is the least that any such decision must do: the uin's text to a number, the \
         action's name to a number, the principal in a map of the same size, one bit.\n\
         - *reference* is the second reading of the rules, written to be read, which the tests compare \
         every decision with.\n\
         - Peers get the caller's own policies, parsed beforehand and found by the caller, their \
         context made beforehand, and the same texts; their answers are compared with ours first. How \
         each is asked stands in `benches/src/peers/`.\n\
         - *empty handler* is a tonic server with the same messages that answers with a copy of an \
         answer; the load generator shares the machine's cores with both.\n\n\
         A *single* decision is over before the clock is read, as a caller waits for it, and the figure \
         is the median of them; otherwise it is the average of many, one right after the other, of \
         which the processor begins the next before one is over. That hides more of the lower bound, \
         which does little but wait for memory.\n\n\
         Everything is linked with thin LTO, which the program is not: that takes too long to build.\n\n\
         {table}\n\
         ## Remarks\n\n{remarks}\n\
         ## What the limits are\n\n\
         - A decision of ours reads text: the six segments of the resource, the uin and the action's \
         name are about half of its instructions at one policy. A peer that is handed one policy and \
         a parsed action reads less, so its distance is smallest there, and grows from then on.\n\
         - The instructions of a decision hardly grow from 1 to 10,000 policies (see the counts); the \
         time does where the statements of all callers no longer fit the processor's caches: each \
         decision then waits for two or three reads of memory, as the lower bound waits for one.\n\
         - A sub-account takes 128 bytes as a record, 45 in the tables from uin to policies, 20 \
         in the map of records and its name; the rest is its share of the account and its policies.\n\n\
         ## Growth\n\n\
         ![time over statements](performance/statements.svg)\n\n\
         Blue: all callers have the same statements. Red: they have one of twenty sets of so many.\n\n\
         ![time over policies](performance/policies.svg)\n",
        date = Timestamp::now().strftime("%Y-%m-%d"),
        machine = machine(),
        table = table.markdown(),
    );
    std::fs::write(repository().join("docs/performance.md"), page)
}

/// Processor, cores, memory.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
        value.unwrap_or("unknown").to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kilobytes: u64 = value(&memory, "MemTotal")
        .split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    let name = value(&cpu, "model name");
    format!("{name}, {cores} cores, {} GiB of memory, {}", kilobytes / 1_048_576, system())
}

fn system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{} {}", std::env::consts::OS, release.trim())
}
