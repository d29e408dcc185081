//! A damaged store never allows what the intact one would not, and the error names what is damaged
//! (rule D-29).
//!
//! Each kind of damage is one row: to records, as they come through the store's contract, or to the
//! files of sled. Every question of a table is asked of the intact store and of the damaged one.

mod command_line;
mod files;
mod fixture;
mod records;

use fixture::Asked;

/// Answers of the intact store and of a damaged one, compared.
#[derive(Debug, Default)]
struct Compared {
    /// Allowed now and not before.
    widened: Vec<Asked>,
    /// Refused, with different errors each once.
    errors: Vec<String>,
    /// As before.
    same: usize,
}

fn compare(
    intact: &[(Asked, Result<bool, String>)],
    damaged: Vec<(Asked, Result<bool, String>)>,
) -> Compared {
    let mut compared = Compared::default();
    for ((asked, before), (_, after)) in intact.iter().zip(damaged) {
        match after {
            Ok(true) if *before != Ok(true) => compared.widened.push(asked.clone()),
            Ok(_) => compared.same += 1,
            Err(error) if !compared.errors.contains(&error) => compared.errors.push(error),
            Err(_) => {}
        }
    }
    compared
}
