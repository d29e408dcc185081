//! `caller`: service callers, their tokens and their rights.
//!
//! With `--store` it opens a store that no server has open: so the first caller is made before a
//! server that wants callers is started.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, CliError, table};
use super::registry::Registry;
use crate::config::Settings;
use crate::service::proto;

const DAY_MS: i64 = 86_400_000;

/// The commands about service callers.
#[derive(Debug, Subcommand)]
pub enum CallerCommand {
    /// Registers a caller
    #[command(after_help = "Examples:\n  \
        camgate caller create operator --operate --administer all --check all --explain all\n  \
        camgate caller create gateway --identity spiffe://im/gateway --check all --service im\n\n\
        With `--store` it changes a store that no server has open: for the first caller.")]
    Create(Description),
    /// Gives a caller another description, other identities and other rights; its tokens stay
    #[command(after_help = "Example:\n  camgate caller update im-gateway --check 12345678\n\n\
        What is not named is taken away.")]
    Update(Description),
    /// Lists callers with their rights and the ids of their tokens
    #[command(after_help = "Example:\n  camgate caller list")]
    List {
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        place: Place,
    },
    /// Deletes a caller: it is nobody at once, on its open connections too
    #[command(after_help = "Example:\n  camgate caller delete im-gateway")]
    Delete {
        /// The caller
        name: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        place: Place,
    },
    /// Makes a token and shows it this once
    #[command(after_help = "Example:\n  camgate caller token im-gateway --days 90 --note 'rack 7'")]
    Token {
        /// The caller
        name: String,
        /// For how many days it counts; without it, until it is revoked
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        note: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        place: Place,
    },
    /// Revokes a token
    #[command(after_help = "Example:\n  camgate caller revoke im-gateway 5k2mz0q81abc")]
    Revoke {
        /// The caller
        name: String,
        /// The token's id
        id: String,
        #[command(flatten)]
        #[expect(missing_docs, reason = "documented where it is declared")]
        place: Place,
    },
}

/// Where callers are changed.
#[derive(Debug, Args)]
pub struct Place {
    /// A store that no server has open, or an etcd cluster, in place of the server
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
}

/// A caller as the command line describes it.
#[derive(Debug, Args)]
pub struct Description {
    /// Its name: lower-case letters, digits, `-`, `_` and `.`
    pub name: String,
    /// For people
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub description: String,
    /// A name in its certificate, by DNS or by URI; may be given several times
    #[arg(long, value_name = "NAME")]
    pub identity: Vec<String>,
    /// May ask for decisions in these accounts: `all`, or uins parted by commas
    #[arg(long, value_name = "ACCOUNTS")]
    pub check: Option<String>,
    /// May ask why, simulate and search in these accounts
    #[arg(long, value_name = "ACCOUNTS")]
    pub explain: Option<String>,
    /// May read and change what is in these accounts
    #[arg(long, value_name = "ACCOUNTS")]
    pub administer: Option<String>,
    /// May follow the changes of these accounts
    #[arg(long, value_name = "ACCOUNTS")]
    pub watch: Option<String>,
    /// May ask about this service's actions only; may be given several times
    #[arg(long, value_name = "SERVICE")]
    pub service: Vec<String>,
    /// May export the store and administer callers
    #[arg(long)]
    pub operate: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented where it is declared")]
    pub place: Place,
}

impl Description {
    fn message(&self) -> Result<proto::ServiceCaller, CliError> {
        Ok(proto::ServiceCaller {
            name: self.name.clone(),
            description: self.description.clone(),
            identities: self.identity.clone(),
            rights: Some(proto::CallerRights {
                check: scope("check", self.check.as_deref())?,
                explain: scope("explain", self.explain.as_deref())?,
                administer: scope("administer", self.administer.as_deref())?,
                watch: scope("watch", self.watch.as_deref())?,
                services: self.service.clone(),
                operate: self.operate,
            }),
            tokens: Vec::new(),
        })
    }
}

fn scope(flag: &str, text: Option<&str>) -> Result<Option<proto::RightScope>, CliError> {
    let Some(text) = text else { return Ok(None) };
    if text == "all" {
        return Ok(Some(proto::RightScope { all_accounts: true, owner_uins: Vec::new() }));
    }
    let uins: Result<Vec<u64>, _> = text.split(',').map(|uin| uin.trim().parse()).collect();
    match uins {
        Ok(owner_uins) => Ok(Some(proto::RightScope { all_accounts: false, owner_uins })),
        Err(_) => Err(CliError::Usage(format!(
            "`--{flag}` is `{text}`, expected `all` or uins of root accounts parted by commas"
        ))),
    }
}

impl CallerCommand {
    /// Runs it.
    ///
    /// # Errors
    /// What the server or the store refuses.
    pub async fn run(self, settings: &Settings) -> Result<Answer, CliError> {
        // What is written wrongly is said before anything is opened.
        if let Self::Create(caller) | Self::Update(caller) = &self {
            caller.message()?;
        }
        // The first caller is made in a store that is not there yet.
        let may_be_new = matches!(&self, Self::Create(_));
        let store = self.place().store.clone();
        let mut registry = Registry::open(store.as_deref(), may_be_new, settings).await?;
        Ok(match self {
            Self::Create(caller) => {
                registry.create(caller.message()?).await?;
                done("created", &caller.name)
            }
            Self::Update(caller) => {
                registry.update(caller.message()?).await?;
                done("changed", &caller.name)
            }
            Self::List { .. } => listed(&registry.list().await?),
            Self::Delete { name, .. } => {
                registry.delete(&name).await?;
                done("deleted", &name)
            }
            Self::Token { name, days, note, .. } => {
                let lasts_ms = days.map(|days| i64::from(days).saturating_mul(DAY_MS));
                let (id, token) = registry.create_token(&name, &note, lasts_ms).await?;
                let text = format!("token {id} of caller {name}, shown this once:\n{token}");
                Answer::new(json!({ "caller": name, "token_id": id, "token": token }), text)
            }
            Self::Revoke { name, id, .. } => {
                registry.delete_token(&name, &id).await?;
                let text = format!("revoked token {id} of caller {name}");
                Answer::new(json!({ "caller": name, "token_id": id }), text)
            }
        })
    }

    fn place(&self) -> &Place {
        match self {
            Self::Create(caller) | Self::Update(caller) => &caller.place,
            Self::List { place }
            | Self::Delete { place, .. }
            | Self::Token { place, .. }
            | Self::Revoke { place, .. } => place,
        }
    }
}

fn done(verb: &str, name: &str) -> Answer {
    Answer::new(json!({ "caller": name }), format!("{verb} caller {name}"))
}

fn listed(callers: &[proto::ServiceCaller]) -> Answer {
    let rows = callers.iter().map(|caller| {
        let rights = caller.rights.clone().unwrap_or_default();
        vec![
            caller.name.clone(),
            rights_text(&rights),
            caller.identities.join("\n"),
            caller.tokens.iter().map(token_text).collect::<Vec<_>>().join("\n"),
            caller.description.clone(),
        ]
    });
    let header = ["CALLER", "MAY", "IDENTITIES", "TOKENS", "DESCRIPTION"];
    let text = table(&header, rows.collect());
    Answer::new(Value::from(callers.iter().map(shown).collect::<Vec<_>>()), text)
}

fn scopes(rights: &proto::CallerRights) -> [(&'static str, Option<&proto::RightScope>); 4] {
    [
        ("check", rights.check.as_ref()),
        ("explain", rights.explain.as_ref()),
        ("administer", rights.administer.as_ref()),
        ("watch", rights.watch.as_ref()),
    ]
}

fn rights_text(rights: &proto::CallerRights) -> String {
    let mut lines: Vec<String> = scopes(rights)
        .into_iter()
        .filter_map(|(name, scope)| {
            let scope = scope?;
            let uins: Vec<_> = scope.owner_uins.iter().map(u64::to_string).collect();
            let whose = if scope.all_accounts { "all".to_owned() } else { uins.join(",") };
            Some(format!("{name} {whose}"))
        })
        .collect();
    if !rights.services.is_empty() {
        lines.push(format!("about {} only", rights.services.join(", ")));
    }
    lines.extend(rights.operate.then(|| "operate".to_owned()));
    lines.join("\n")
}

fn time_text(time: &prost_types::Timestamp) -> String {
    let time = jiff::Timestamp::from_second(time.seconds);
    time.map_or_else(|_| String::from("?"), |time| time.to_string())
}

fn token_text(token: &proto::CallerToken) -> String {
    let end = token.expires_at.as_ref();
    let end = end.map(|end| format!(" until {}", time_text(end))).unwrap_or_default();
    let note = if token.note.is_empty() { String::new() } else { format!(" ({})", token.note) };
    format!("{}{end}{note}", token.id)
}

fn shown(caller: &proto::ServiceCaller) -> Value {
    let rights = caller.rights.clone().unwrap_or_default();
    let scope = |scope: Option<&proto::RightScope>| match scope {
        None => Value::Null,
        Some(scope) if scope.all_accounts => json!("all"),
        Some(scope) => json!(scope.owner_uins),
    };
    let granted: serde_json::Map<String, Value> =
        scopes(&rights).into_iter().map(|(name, it)| (name.to_owned(), scope(it))).collect();
    let tokens: Vec<Value> = caller
        .tokens
        .iter()
        .map(|token| {
            json!({
                "id": token.id, "note": token.note,
                "created_at": token.created_at.as_ref().map(time_text),
                "expires_at": token.expires_at.as_ref().map(time_text),
            })
        })
        .collect();
    json!({
        "name": caller.name, "description": caller.description,
        "identities": caller.identities, "rights": granted, "services": rights.services,
        "operate": rights.operate, "tokens": tokens,
    })
}
