//! The floors, as data: the one table of who may import whom. ARCHITECTURE.md prints it.

use std::fmt::Write as _;

/// One top-level module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its floor.
    pub(crate) floor: u8,
    /// Its name: a folder or a file of `src/`.
    pub(crate) module: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// The modules of its own floor that it may import; every lower floor it may import anyway.
    pub(crate) beside: &'static [&'static str],
}

const fn row(
    floor: u8,
    module: &'static str,
    what: &'static str,
    beside: &'static [&'static str],
) -> Row {
    Row { floor, module, what, beside }
}

/// All floors, from the ground up. Floors 0 and 1 are pure.
pub(crate) const FLOORS: &[Row] = &[
    row(0, "lang", "the policy language: names, patterns, conditions, documents, findings", &[]),
    row(0, "catalog", "what services offer: actions, resource names, presets", &["lang"]),
    row(1, "engine", "snapshots, decisions, explanations, and the reference reading", &[]),
    row(1, "analysis", "what a policy set means: policy tests, coverage, diff", &["engine"]),
    row(2, "directory", "accounts and all they hold: state, and commands that change it", &[]),
    row(
        2,
        "audit",
        "the change log and the decision log: entries, and the chains that prove them",
        &["directory"],
    ),
    row(2, "store", "durable records with revisions, and their engines", &["audit", "directory"]),
    row(2, "authn", "who is calling: signatures, secrets, sealed tokens, passwords", &[]),
    row(2, "gate", "from an HTTP request to who calls, which action, on what", &["authn"]),
    row(3, "node", "the running node: where floors 0 to 2 meet", &[]),
    row(4, "service", "protocols over the node; the only border to the wire's types", &[]),
    row(5, "cli", "the command line", &["config"]),
    row(5, "config", "settings, from flags, file and environment", &[]),
    row(5, "layer", "in process: the tower layer, remote and embedded deciders", &[]),
    row(5, "main", "the binary", &["cli", "config"]),
];

/// Whether one top-level module may import another.
pub(crate) fn may_import(table: &[Row], from: &str, to: &str) -> bool {
    let find = |name: &str| table.iter().find(|row| row.module == name);
    let (Some(from), Some(to)) = (find(from), find(to)) else { return false };
    from.module == to.module || from.floor > to.floor || from.beside.contains(&to.module)
}

/// The table as Markdown.
pub(crate) fn markdown(table: &[Row]) -> String {
    let mut text = "| floor | module | what it is | may import |\n|---|---|---|---|\n".to_owned();
    for row in table {
        let mut allowed: Vec<String> =
            row.beside.iter().map(|module| format!("`{module}`")).collect();
        if row.floor > 0 {
            let below = row.floor - 1;
            let floors = if below == 0 { "floor 0".into() } else { format!("floors 0 to {below}") };
            allowed.insert(0, floors);
        }
        let allowed = if allowed.is_empty() { "nothing".into() } else { allowed.join(", ") };
        let Row { floor, module, what, .. } = row;
        writeln!(text, "| {floor} | `{module}` | {what} | {allowed} |").unwrap();
    }
    text
}
