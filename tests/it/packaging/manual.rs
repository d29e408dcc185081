//! Completions and man pages: made from the commands, and so of every command.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use camgate::cli::root::Cli;
use clap::CommandFactory as _;

use crate::command::{command, offline, ran};

/// Every command as it is called, e.g. `camgate policy lint`.
fn commands() -> BTreeSet<String> {
    fn visit(command: &clap::Command, above: &str, found: &mut BTreeSet<String>) {
        let name = format!("{above}{}", command.get_name());
        for below in command.get_subcommands() {
            visit(below, &format!("{name} "), found);
        }
        found.insert(name);
    }
    let mut found = BTreeSet::new();
    visit(&Cli::command(), "", &mut found);
    found
}

#[test]
fn every_command_has_a_page_with_its_example() {
    let directory = tempfile::tempdir().unwrap();
    let written = offline(directory.path(), &["man", "share/man1", "--output", "json"]);
    assert_eq!(written.status, 0, "{written:?}");
    let folder = directory.path().join("share/man1");
    let pages: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let commands = commands();
    let expected: BTreeSet<String> =
        commands.iter().map(|name| format!("{}.1", name.replace(' ', "-"))).collect();
    assert_eq!(pages, expected);
    assert_eq!(written.json()["pages"].as_array().unwrap().len(), expected.len());
    for name in &commands {
        let page =
            fs::read_to_string(folder.join(format!("{}.1", name.replace(' ', "-")))).unwrap();
        let page = page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}");
        let is_leaf = !commands.iter().any(|other| other.starts_with(&format!("{name} ")));
        assert!(!is_leaf || page.contains("Example"), "{name}: {page}");
    }
    let serve = fs::read_to_string(folder.join("camgate-serve.1")).unwrap();
    assert!(serve.contains("memory\\-budget"), "{serve}");
    fs::write(directory.path().join("file"), "").unwrap();
    let refused = offline(directory.path(), &["man", "file"]);
    assert!(refused.status == 3 && refused.err.contains("cannot write `file`"), "{refused:?}");
}

#[test]
fn every_shell_gets_a_script_that_names_every_command() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        // Whatever is wrong with the settings, a shell must start.
        let mut program = command(directory.path(), &["completions", shell]);
        let script = ran(program.env("CAMGATE_GRCP", "x").output().unwrap());
        assert_eq!(script.status, 0, "{script:?}");
        for name in commands() {
            let last = name.rsplit(' ').next().unwrap();
            assert!(script.out.contains(last), "{shell}: {name}");
        }
    }
    let unknown = offline(directory.path(), &["completions", "cmd"]);
    assert!(unknown.status == 2 && unknown.err.contains("zsh"), "{unknown:?}");
}

#[test]
fn bash_completes_commands_and_flags() {
    let directory = tempfile::tempdir().unwrap();
    let script = offline(directory.path(), &["completions", "bash"]);
    fs::write(directory.path().join("camgate.bash"), script.out).unwrap();
    for (words, expected) in [
        (&["camgate", "ser"][..], "serve"),
        (&["camgate", "policy", "li"], "lint"),
        (&["camgate", "serve", "--memory"], "--memory-budget"),
    ] {
        let completed = complete(directory.path(), words);
        assert!(completed.lines().any(|line| line == expected), "{words:?}: {completed}");
    }
}

/// What bash proposes after these words.
fn complete(folder: &Path, words: &[&str]) -> String {
    let last = words.len() - 1;
    let program = format!(
        "source ./camgate.bash; COMP_WORDS=({}); COMP_CWORD={last}; \
         _camgate camgate '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
        words[last - 1],
    );
    let output = Command::new("bash").args(["-c", &program]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
