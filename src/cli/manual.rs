//! `completions` and `man`: what a shell and `man` know of the commands.
//!
//! Both are made from the one definition of the commands, so that they cannot tell otherwise. It
//! must never need settings: a shell runs it when it starts.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;

use super::answer::{Answer, CliError};

/// Prints what makes a shell complete commands, flags and their values
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    camgate completions bash > /usr/share/bash-completion/completions/camgate\n  \
    camgate completions zsh > /usr/share/zsh/site-functions/_camgate\n  \
    camgate completions fish > ~/.config/fish/completions/camgate.fish")]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

/// Writes the manual, one page for each command
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  camgate man /usr/local/share/man/man1")]
pub struct Pages {
    /// The folder, which is made where there is none
    pub directory: PathBuf,
}

impl Completions {
    /// The script.
    ///
    /// # Errors
    /// When it is no text, which would be a fault of the generator.
    pub fn run(self, mut command: clap::Command) -> Result<Answer, CliError> {
        let mut script = Vec::new();
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        let script = String::from_utf8(script)
            .map_err(|error| CliError::CannotTell(format!("the script is no text: {error}")))?;
        let json = json!({ "shell": self.shell.to_string(), "script": script });
        Ok(Answer::new(json, script.trim_end()))
    }
}

impl Pages {
    /// Writes the pages.
    ///
    /// # Errors
    /// When the folder or a page cannot be written.
    pub fn run(self, command: clap::Command) -> Result<Answer, CliError> {
        let Self { directory } = self;
        fs::create_dir_all(&directory).map_err(|error| cannot_write(&directory, &error))?;
        // Of each command its arguments only, not once more how to get help.
        let mut command = command.disable_help_subcommand(true);
        command.build();
        let mut pages = Vec::new();
        collect(command, &mut pages);
        for (name, page) in &pages {
            let path = directory.join(name);
            fs::write(&path, page).map_err(|error| cannot_write(&path, &error))?;
        }
        let names: Vec<_> = pages.iter().map(|(name, _)| name).collect();
        let text = format!("wrote {} pages to `{}`", pages.len(), directory.display());
        Ok(Answer::new(json!({ "pages": names }), text))
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CliError {
    CliError::CannotTell(format!("cannot write `{}`: {error}", path.display()))
}

/// The page of a command and those of the commands below it.
fn collect(command: clap::Command, pages: &mut Vec<(String, Vec<u8>)>) {
    let below: Vec<_> = command.get_subcommands().filter(|it| !it.is_hide_set()).cloned().collect();
    let mut page = Vec::new();
    let man = Man::new(command).manual("camgate");
    let file = man.get_filename();
    // Writing to memory does not fail.
    if man.render(&mut page).is_ok() {
        pages.push((file, page));
    }
    for command in below {
        collect(command, pages);
    }
}
