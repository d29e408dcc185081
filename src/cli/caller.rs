//! `caller`: service callers, their tokens and their rights.
//!
//! With `--store` it opens a store that no server has open: so the first caller is made before a
//! server that wants callers is started.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Answer, CliError, table};
use super::client::Client;
use super::stores;
use crate::config::Settings;
use crate::directory::service_caller::ServiceCaller;
use crate::node::{
    Clock as _, NodeError, SystemClock, create_caller, create_token, delete_caller, delete_token,
    list_callers, update_caller,
};
use crate::service::{proto, wire};

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

    fn value(&self) -> Result<ServiceCaller, CliError> {
        wire::read_caller(Some(self.message()?)).map_err(refused)
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

/// A refusal of a store that this program has open itself.
fn refused(error: NodeError) -> CliError {
    let is_asked_wrongly = matches!(&error, NodeError::Callers(_) | NodeError::BadField { .. });
    let text = error.to_string();
    if is_asked_wrongly { CliError::Usage(text) } else { CliError::CannotTell(text) }
}

impl CallerCommand {
    /// Runs it.
    ///
    /// # Errors
    /// What the server or the store refuses.
    pub async fn run(self, settings: &Settings) -> Result<Answer, CliError> {
        match self {
            Self::Create(caller) => {
                match &caller.place.store {
                    Some(store) => {
                        let store = stores::open_named(store, settings).await?;
                        create_caller(&*store, &caller.value()?).await.map_err(refused)?;
                    }
                    None => {
                        let mut client = Client::connect(settings).await?;
                        let caller = Some(caller.message()?);
                        client.callers.create_caller(proto::CreateCallerRequest { caller }).await?;
                    }
                }
                Ok(done("created", &caller.name))
            }
            Self::Update(caller) => {
                match &caller.place.store {
                    Some(store) => {
                        let store = stores::open_existing(store, settings).await?;
                        update_caller(&*store, &caller.value()?).await.map_err(refused)?;
                    }
                    None => {
                        let mut client = Client::connect(settings).await?;
                        let caller = Some(caller.message()?);
                        client.callers.update_caller(proto::UpdateCallerRequest { caller }).await?;
                    }
                }
                Ok(done("changed", &caller.name))
            }
            Self::List { place } => list(settings, place).await,
            Self::Delete { name, place } => {
                match place.store {
                    Some(store) => {
                        let store = stores::open_existing(&store, settings).await?;
                        delete_caller(&*store, &name).await.map_err(refused)?;
                    }
                    None => {
                        let mut client = Client::connect(settings).await?;
                        let request = proto::DeleteCallerRequest { name: name.clone() };
                        client.callers.delete_caller(request).await?;
                    }
                }
                Ok(done("deleted", &name))
            }
            Self::Token { name, days, note, place } => {
                token(settings, name, days, note, place).await
            }
            Self::Revoke { name, id, place } => {
                match place.store {
                    Some(store) => {
                        let store = stores::open_existing(&store, settings).await?;
                        delete_token(&*store, &name, &id).await.map_err(refused)?;
                    }
                    None => {
                        let mut client = Client::connect(settings).await?;
                        let (name, id) = (name.clone(), id.clone());
                        let request = proto::DeleteCallerTokenRequest { name, id };
                        client.callers.delete_caller_token(request).await?;
                    }
                }
                let text = format!("revoked token {id} of caller {name}");
                Ok(Answer::new(json!({ "caller": name, "token_id": id }), text))
            }
        }
    }
}

fn done(verb: &str, name: &str) -> Answer {
    Answer::new(json!({ "caller": name }), format!("{verb} caller {name}"))
}

async fn token(
    settings: &Settings,
    name: String,
    days: Option<u32>,
    note: String,
    place: Place,
) -> Result<Answer, CliError> {
    let now = SystemClock.now().as_millisecond();
    let end_ms = days.map(|days| now.saturating_add(i64::from(days).saturating_mul(86_400_000)));
    let (id, text) = match place.store {
        Some(store) => {
            let store = stores::open_existing(&store, settings).await?;
            let made = create_token(&*store, &name, &note, now, end_ms).await;
            let (made, _) = made.map_err(refused)?;
            (made.id.clone(), made.expose().to_owned())
        }
        None => {
            let mut client = Client::connect(settings).await?;
            let expires_at = end_ms
                .map(|end| prost_types::Timestamp { seconds: end.div_euclid(1_000), nanos: 0 });
            let request = proto::CreateCallerTokenRequest { name: name.clone(), note, expires_at };
            let made = client.callers.create_caller_token(request).await?.into_inner();
            (made.id, made.token.map(|it| it.text).unwrap_or_default())
        }
    };
    let shown = format!("token {id} of caller {name}, shown this once:\n{text}");
    Ok(Answer::new(json!({ "caller": name, "token_id": id, "token": text }), shown))
}

async fn list(settings: &Settings, place: Place) -> Result<Answer, CliError> {
    let callers = match place.store {
        Some(store) => {
            let store = stores::open_existing(&store, settings).await?;
            let callers = list_callers(&*store).await.map_err(refused)?;
            callers.iter().map(wire::caller).collect()
        }
        None => {
            let mut client = Client::connect(settings).await?;
            client.callers.list_callers(proto::ListCallersRequest {}).await?.into_inner().callers
        }
    };
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
    Ok(Answer::new(Value::from(callers.iter().map(shown).collect::<Vec<_>>()), text))
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
