//! The flags of `user create` and `user update` about consoles and notices.
//!
//! A password never stands on a command line, where other processes could read it: it comes from a
//! file or the standard input, or the server makes one and shows it once.

use clap::Args;

use super::answer::CliError;
use super::files::read_password;
use crate::service::proto;

/// What consoles and notices need of a sub-account.
#[derive(Debug, Clone, Default, Args)]
pub struct ProfileArgs {
    /// Whether it may log in to consoles
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub console_login: Option<bool>,
    /// The file with the console password on its only line; `-` reads the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "generate_password")]
    pub password_file: Option<String>,
    /// Has the server make a console password, and shows it once
    #[arg(long)]
    pub generate_password: bool,
    /// Whether the next login must change the password
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub need_reset_password: Option<bool>,
    /// The phone number, without the country code
    #[arg(long, value_name = "NUMBER")]
    pub phone_num: Option<String>,
    /// The country code of the phone number
    #[arg(long, value_name = "CODE")]
    pub country_code: Option<String>,
    /// The e-mail address
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
}

impl ProfileArgs {
    /// The password to set, if one is given.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn password(&self) -> Result<Option<proto::Secret>, CliError> {
        let file = self.password_file.as_deref();
        file.map(|file| Ok(proto::Secret { text: read_password(file)? })).transpose()
    }
}
