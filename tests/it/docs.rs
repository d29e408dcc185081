//! The shell examples of README.md and `docs/` are true: every ```console block is run.
//!
//! A block's lines that begin with `$ ` are commands of `camgate`, run in order against one server
//! per document, in a folder with `policies/` of this repository; the other lines are their output.
//! `<word>` in expected output stands for any run of characters without a blank, and a line `...`
//! for any lines. `# exit N` after a command states its exit status, else it is 0.

use std::fs;
use std::path::Path;

use crate::command::{Ran, Served};

const DOCUMENTS: [&str; 4] = ["README.md", "docs/backup.md", "docs/cli.md", "docs/denied.md"];

#[test]
fn the_examples_of_the_documents_are_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in DOCUMENTS {
        let text = fs::read_to_string(root.join(name)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path();
        copy_folder(&root.join("policies"), &folder.join("policies"));
        for (file, content) in files(&text) {
            fs::write(folder.join(file), content).unwrap();
        }
        let server = Served::start(folder, &["--dev"]);
        let mut count = 0;
        for example in examples(&text) {
            let args = split(&example.command);
            assert_eq!(args[0], "camgate", "{name}: `{}` is not run", example.command);
            let args: Vec<_> = args[1..].iter().map(String::as_str).collect();
            let ran = server.run(folder, &args);
            check(name, &example, &ran);
            count += 1;
        }
        assert!(count > 2, "{name} has {count} examples");
    }
}

struct Example {
    command: String,
    status: i32,
    output: Vec<String>,
}

fn check(name: &str, example: &Example, ran: &Ran) {
    assert_eq!(ran.status, example.status, "{name}: {}: {ran:?}", example.command);
    let shown = if ran.out.is_empty() { &ran.err } else { &ran.out };
    let actual: Vec<_> = shown.trim_end().lines().collect();
    let expected: Vec<_> = example.output.iter().map(String::as_str).collect();
    assert!(
        lines_fit(&expected, &actual),
        "{name}: {}\nexpected:\n{}\nactual:\n{shown}",
        example.command,
        expected.join("\n"),
    );
}

fn lines_fit(expected: &[&str], actual: &[&str]) -> bool {
    match (expected.split_first(), actual.split_first()) {
        (None, None) => true,
        (Some((&"...", rest)), _) => {
            (0..=actual.len()).any(|skipped| lines_fit(rest, &actual[skipped..]))
        }
        (Some((first, expected)), Some((line, actual))) => {
            line_fits(first, line) && lines_fit(expected, actual)
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Whether a line is the expected one, where `<word>` stands for anything without a blank.
fn line_fits(expected: &str, actual: &str) -> bool {
    let Some((before, after)) = expected.split_once('<') else { return expected == actual };
    let Some((_, after)) = after.split_once('>') else { return expected == actual };
    let Some(rest) = actual.strip_prefix(before) else { return false };
    let end = rest.find(' ').unwrap_or(rest.len());
    (1..=end).rev().filter_map(|cut| rest.get(cut..)).any(|rest| line_fits(after, rest))
}

fn examples(text: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match line {
            "```console" => is_inside = true,
            "```" => is_inside = false,
            _ if !is_inside => {}
            _ => match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(command), _) => {
                    let (command, status) =
                        command.split_once("  # exit ").unwrap_or((command, "0"));
                    let (command, status) = (command.to_owned(), status.parse().unwrap());
                    found.push(Example { command, status, output: Vec::new() });
                }
                (None, Some(example)) => example.output.push(line.to_owned()),
                (None, None) => panic!("output before the first command: {line}"),
            },
        }
    }
    for example in &mut found {
        while example.output.last().is_some_and(String::is_empty) {
            example.output.pop();
        }
    }
    found
}

/// The blocks "```json title=FILE", which the examples use as files.
fn files(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```json title=") {
        let (name, after) = after.split_once('\n').unwrap();
        let (content, after) = after.split_once("```").unwrap();
        found.push((name.to_owned(), content.to_owned()));
        rest = after;
    }
    found
}

/// Splits a command at blanks; single quotes hold blanks together, as in a shell.
fn split(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in command.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
