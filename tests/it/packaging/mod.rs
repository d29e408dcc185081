//! What `packaging/` says is what the program takes: flags, settings, variables, ports, paths.
//!
//! Every command line is read by the program's own parser and every configuration is merged with
//! its variables as at a start, so neither can go stale.

mod manifests;
mod manual;
mod unit;

use std::collections::BTreeMap;

use camgate::cli::root::{Cli, Command};
use camgate::config::Settings;
use clap::Parser as _;

use crate::support::repo::read;

/// The settings of a server that is started so.
fn settings(arguments: &[&str], config: &str, variables: &[(&str, &str)]) -> Settings {
    let cli = Cli::try_parse_from([&["camgate"], arguments].concat())
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    let Command::Serve(serve) = cli.command else { panic!("{arguments:?} does not serve") };
    let text = read(config);
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables: BTreeMap<_, _> = variables.collect();
    Settings::merge(Some((config, &text)), variables, serve.flags())
        .unwrap_or_else(|error| panic!("{config}: {error}"))
}

/// The value of each line `WORD value` of the Dockerfile.
fn dockerfile(word: &str) -> Vec<String> {
    let text = read("packaging/Dockerfile");
    let lines = text.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    lines.map(str::to_owned).collect()
}

fn one<T: std::fmt::Debug>(mut of: Vec<T>) -> T {
    assert_eq!(of.len(), 1, "{of:?}");
    of.remove(0)
}

#[test]
fn the_image_runs_the_program_as_nobody_on_ports_that_it_has() {
    let command: Vec<String> = serde_json::from_str(&one(dockerfile("CMD"))).unwrap();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let cli = Cli::try_parse_from([&["camgate"], &command[..]].concat()).unwrap();
    assert!(matches!(cli.command, Command::Serve(_)), "{command:?}");
    assert_eq!(cli.config.unwrap().to_str(), Some("/etc/camgate/camgate.toml"));
    assert_eq!(one(dockerfile("FROM")), "scratch");
    assert_eq!(one(dockerfile("USER")), "65532:65532");
    let defaults = Settings::merge(None, BTreeMap::new(), Vec::new()).unwrap();
    let ports = format!("{} {}", defaults.http.port(), defaults.grpc.port());
    assert_eq!(one(dockerfile("EXPOSE")), ports);
    // What the image leaves writable is where the default store goes.
    assert_eq!(one(dockerfile("VOLUME")), one(dockerfile("WORKDIR")));
}
