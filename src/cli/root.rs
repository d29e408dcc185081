//! The commands in one tree: reading the arguments, running one command, printing its answer.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::Future;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};
use figment::value::Value;

use super::account::{AccountCommand, AppCommand, Init};
use super::answer::{Answer, CliError, ExitStatus, Format};
use super::archive::{Export, Import};
use super::audit::AuditCommand;
use super::caller::CallerCommand;
use super::check::{Question, WhatCan, WhoCan};
use super::client::{Client, error_text, error_value, exit_status};
use super::folder::{Apply, Plan, Pull};
use super::group::GroupCommand;
use super::key::KeyCommand;
use super::manual::{Completions, Pages};
use super::master_key::MasterKeyCommand;
use super::policy::{AttachArgs, StoredCommand};
use super::policy_versions::VersionCommand;
use super::role::RoleCommand;
use super::serve::Serve;
use super::simulate::Simulate;
use super::user::{BoundaryCommand, UserCommand};
use super::watch::Watch;
use super::{policy_files, policy_test};
use crate::config::{Flag, Settings};

/// A CAM-style access-management service: JSON policies in, explained decisions out
#[derive(Debug, Parser)]
#[command(name = "camgate", version, arg_required_else_help = true)]
#[command(
    after_help = "Start with `camgate serve --dev`; `camgate COMMAND --help` has an example \
    for every command.\n\nExit status: 0 allowed or fine, 1 denied or findings, 2 usage, \
    3 cannot tell."
)]
pub struct Cli {
    /// A TOML file with settings
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The server that commands talk to [default: http://127.0.0.1:7401]
    #[arg(long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// The root account that commands are about [default: the server's only one]
    #[arg(long = "account", global = true, value_name = "UIN")]
    pub account: Option<u64>,
    /// Tables for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub output: Format,
    #[command(subcommand)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the server
    Serve(Serve),
    /// Makes the first account of a new server
    Init(Init),
    /// Asks whether a principal may do something
    #[command(after_help = "Example:\n  camgate check --principal alice --action im:RemoveUser \
        --resource qcs::im::uin/12345678:sdkappid/1400000001\n\n\
        Exit status: 0 ALLOW, 1 DENY.")]
    Check(Question),
    /// Asks the same, and says why: which statement, and what was nearly enough
    #[command(after_help = "Example:\n  camgate explain --folder policies/examples/app-isolation \
        --principal alice --action im:SetConfInfo \
        --resource qcs::im::uin/12345678:sdkappid/1400000001")]
    Explain(Question),
    /// Asks with policies that are not stored
    Simulate(Simulate),
    /// Lists who may use an action on a resource
    WhoCan(WhoCan),
    /// Lists what a principal may do
    WhatCan(WhatCan),
    /// Shows what applying a folder would change
    Plan(Plan),
    /// Makes the account on the server equal to a folder
    Apply(Apply),
    /// Writes the account on the server as a folder
    Pull(Pull),
    /// Policies: files, and those on a server
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Sub-accounts
    #[command(subcommand)]
    User(UserCommand),
    /// User groups
    #[command(subcommand)]
    Group(GroupCommand),
    /// Roles, which others assume
    #[command(subcommand)]
    Role(RoleCommand),
    /// Access keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// The apps of an account
    #[command(subcommand)]
    App(AppCommand),
    /// Root accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// Permission boundaries
    #[command(subcommand)]
    Boundary(BoundaryCommand),
    /// Services that call camgate: tokens, certificates, rights
    #[command(subcommand)]
    Caller(CallerCommand),
    /// The key that a store's secrets are sealed under
    #[command(subcommand)]
    MasterKey(MasterKeyCommand),
    /// Logs: verified, followed, searched, replayed
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Writes the whole store to one file: a backup, or the way to another store
    Export(Export),
    /// Fills an empty store with what `export` wrote
    Import(Import),
    /// Shows an account, then its changes as they happen
    Watch(Watch),
    /// Prints what makes a shell complete commands, flags and their values
    Completions(Completions),
    /// Writes the manual, one page for each command
    Man(Pages),
}

/// The commands about policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Checks policy files and shows what is wrong
    Lint(policy_files::Lint),
    /// Rewrites policy files in their canonical form
    Fmt(policy_files::Fmt),
    /// Prints the JSON Schema of policy documents, for editors
    #[command(after_help = "Example:\n  camgate policy schema > policy.schema.json")]
    Schema,
    /// Runs the cases of account folders
    Test(policy_test::Test),
    /// Shows which statements differ between two policies
    Diff(policy_test::Diff),
    /// Attaches a policy or preset to a sub-account, a group or a role
    #[command(after_help = "Example:\n  camgate policy attach QcloudIMFullAccess --user alice")]
    Attach(AttachArgs),
    /// Detaches it
    #[command(after_help = "Example:\n  camgate policy detach QcloudIMFullAccess --group ops")]
    Detach(AttachArgs),
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    Stored(StoredCommand),
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    Version(VersionCommand),
}

/// Runs the program with these arguments; answers go to `out`, errors to `err`.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitStatus {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, out, err),
    };
    let format = cli.output;
    let done = execute(cli, out, err);
    done.unwrap_or_else(|error| {
        // A reader that has gone away, as `head` does, needs no message; it was not told all, so
        // the status is no answer either.
        if matches!(&error, CliError::Output(it) if it.kind() == ErrorKind::BrokenPipe) {
            return ExitStatus::CannotTell;
        }
        // Nothing can be told to one that is gone otherwise.
        let _ = match format {
            Format::Table => writeln!(err, "{}", error_text(&error)),
            Format::Json => writeln!(err, "{}", error_value(&error)),
        };
        exit_status(&error)
    })
}

fn usage(error: &clap::Error, out: &mut dyn Write, err: &mut dyn Write) -> ExitStatus {
    let text = error.render();
    let written = if error.use_stderr() { write!(err, "{text}") } else { write!(out, "{text}") };
    match (written, error.use_stderr()) {
        (Err(_), _) => ExitStatus::CannotTell,
        (Ok(()), true) => ExitStatus::Usage,
        (Ok(()), false) => ExitStatus::Fine,
    }
}

fn execute(cli: Cli, out: &mut dyn Write, err: &mut dyn Write) -> Result<ExitStatus, CliError> {
    let format = cli.output;
    let mut flags: Vec<Flag> = Vec::new();
    flags.extend(cli.server.clone().map(|server| ("server", Value::from(server))));
    flags.extend(cli.account.map(|account| ("account", Value::from(account))));
    if let Command::Serve(serve) = &cli.command {
        flags.extend(serve.flags());
    }
    let settings = settings(&cli, flags)?;
    let answer = match cli.command {
        Command::Completions(completions) => completions.run(Cli::command())?,
        Command::Man(pages) => pages.run(Cli::command())?,
        Command::Serve(_) => return super::serve::serve(&settings, err),
        Command::Watch(watch) => {
            return online(async {
                let mut client = Client::connect(&settings).await?;
                watch.run(&mut client, format, out).await
            });
        }
        Command::Check(question) => online(question.check(&settings))?,
        Command::Explain(question) => online(question.explain(&settings))?,
        Command::MasterKey(command) => online(command.run(&settings))?,
        Command::Caller(command) => online(command.run(&settings))?,
        Command::Audit(AuditCommand::Tail(tail)) => {
            return online(tail.run(&settings, format, out));
        }
        Command::Audit(AuditCommand::Verify(verify)) => online(verify.run(&settings, err))?,
        Command::Audit(AuditCommand::Query(query)) => online(query.run(&settings))?,
        Command::Audit(AuditCommand::Replay(replay)) => online(replay.run(&settings, err))?,
        Command::Export(export) => online(export.run(&settings, err))?,
        Command::Import(import) => online(import.run(&settings, err))?,
        Command::Policy(PolicyCommand::Lint(lint)) => lint.run(settings.account)?,
        Command::Policy(PolicyCommand::Fmt(fmt)) => fmt.run()?,
        Command::Policy(PolicyCommand::Schema) => policy_files::schema()?,
        Command::Policy(PolicyCommand::Test(test)) => test.run()?,
        Command::Policy(PolicyCommand::Diff(diff)) => diff.run()?,
        command @ (Command::Init(_)
        | Command::Simulate(_)
        | Command::WhoCan(_)
        | Command::WhatCan(_)
        | Command::Plan(_)
        | Command::Apply(_)
        | Command::Pull(_)
        | Command::Policy(
            PolicyCommand::Attach(_)
            | PolicyCommand::Detach(_)
            | PolicyCommand::Stored(_)
            | PolicyCommand::Version(_),
        )
        | Command::User(_)
        | Command::Group(_)
        | Command::Role(_)
        | Command::Key(_)
        | Command::App(_)
        | Command::Account(_)
        | Command::Boundary(_)) => online(async {
            let mut client = Client::connect(&settings).await?;
            remote(command, &mut client).await
        })?,
    };
    print(&answer, format, out)
}

/// The settings; those that a shell asks for when it starts must not fail by wrong ones.
fn settings(cli: &Cli, flags: Vec<Flag>) -> Result<Settings, CliError> {
    let settings = if matches!(cli.command, Command::Completions(_) | Command::Man(_)) {
        Settings::merge(None, BTreeMap::new(), Vec::new())
    } else {
        Settings::load(cli.config.as_deref(), flags)
    };
    settings.map_err(|error| CliError::Usage(error.to_string()))
}

/// The commands that talk to a server.
async fn remote(command: Command, client: &mut Client) -> Result<Answer, CliError> {
    match command {
        Command::Init(init) => init.run(client).await,
        Command::Simulate(simulate) => simulate.run(client).await,
        Command::WhoCan(who) => who.run(client).await,
        Command::WhatCan(what) => what.run(client).await,
        Command::Plan(plan) => plan.run(client).await,
        Command::Apply(apply) => apply.run(client).await,
        Command::Pull(pull) => pull.run(client).await,
        Command::Policy(PolicyCommand::Attach(attach)) => attach.attach(client).await,
        Command::Policy(PolicyCommand::Detach(detach)) => detach.detach(client).await,
        Command::Policy(PolicyCommand::Stored(stored)) => stored.run(client).await,
        Command::Policy(PolicyCommand::Version(version)) => version.run(client).await,
        Command::User(user) => user.run(client).await,
        Command::Group(group) => group.run(client).await,
        Command::Role(role) => role.run(client).await,
        Command::Key(key) => key.run(client).await,
        Command::App(app) => app.run(client).await,
        Command::Account(account) => account.run(client).await,
        Command::Boundary(boundary) => boundary.run(client).await,
        Command::Serve(_)
        | Command::Check(_)
        | Command::Explain(_)
        | Command::Watch(_)
        | Command::MasterKey(_)
        | Command::Caller(_)
        | Command::Audit(_)
        | Command::Export(_)
        | Command::Import(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Policy(
            PolicyCommand::Lint(_)
            | PolicyCommand::Fmt(_)
            | PolicyCommand::Schema
            | PolicyCommand::Test(_)
            | PolicyCommand::Diff(_),
        ) => Err(CliError::Usage("this command needs no server".to_owned())),
    }
}

fn online<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::CannotTell(format!("cannot start: {error}")))?
        .block_on(work)
}

fn print(answer: &Answer, format: Format, out: &mut dyn Write) -> Result<ExitStatus, CliError> {
    match format {
        Format::Table if answer.text.is_empty() => {}
        Format::Table => writeln!(out, "{}", answer.text)?,
        Format::Json => writeln!(out, "{:#}", answer.json)?,
    }
    out.flush()?;
    Ok(answer.status)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_command_teaches_with_an_example() {
        fn visit(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let mut subcommands = command.get_subcommands().peekable();
            if subcommands.peek().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{} has no example", command.get_name());
            }
            subcommands.for_each(visit);
        }
        let command = Cli::command();
        command.clone().debug_assert();
        command.get_subcommands().for_each(visit);
    }

    #[test]
    fn run_tells_usage_from_help() {
        for (args, status) in [
            (vec!["camgate", "--help"], ExitStatus::Fine),
            (vec!["camgate", "--version"], ExitStatus::Fine),
            (vec!["camgate", "polcy"], ExitStatus::Usage),
            (vec!["camgate", "check"], ExitStatus::Usage),
            (vec!["camgate", "policy", "lint", "no-such-file.json"], ExitStatus::CannotTell),
        ] {
            let args: Vec<_> = args.into_iter().map(OsString::from).collect();
            assert_eq!(run(args.clone(), &mut Vec::new(), &mut Vec::new()), status, "{args:?}");
        }
    }
}
