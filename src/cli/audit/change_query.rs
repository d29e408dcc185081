//! `audit query` without FILE: entries of a change log by who, what, on which record, and when.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::source::{Source, page};
use crate::cli::account_changes::{record, rows};
use crate::cli::answer::{Answer, CliError, ExitStatus};
use crate::cli::client::Client;
use crate::config::Settings;
use crate::service::proto;

/// Which entries are meant: all that is given must hold.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) principal: Option<&'a str>,
    pub(super) operation: Option<&'a str>,
    /// A part of a record's key.
    pub(super) record: Option<&'a str>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl Wanted<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// What the server refuses.
    pub(super) async fn run(
        &self,
        source: &Source,
        limit: usize,
        settings: &Settings,
    ) -> Result<Answer, CliError> {
        let mut client = Client::connect(settings).await?;
        let owner_uin = source.owner_uin(&mut client).await?;
        let (mut found, mut first) = (Vec::new(), 1);
        loop {
            let next = page(&mut client, owner_uin, first).await?;
            let Some(last) = next.records.last().map(|it| it.sequence) else { break };
            found.extend(next.records.into_iter().filter(|it| self.matches(it)));
            if last >= next.last_sequence {
                break;
            }
            first = last.saturating_add(1);
        }
        if limit > 0 {
            found.drain(..found.len().saturating_sub(limit));
        }
        let list: Vec<Value> = found.iter().map(record).collect();
        let answer = Answer::new(json!({ "changes": list }), rows(&found));
        let is_proved = found.iter().all(|it| it.is_verified);
        Ok(if is_proved { answer } else { answer.with_status(ExitStatus::Denied) })
    }

    /// Whether an entry is meant. One that cannot be read always is: nobody knows what it says.
    fn matches(&self, change: &proto::ChangeRecord) -> bool {
        let Some(actor) = &change.actor else { return true };
        let is_wanted = |wanted: Option<&str>, is: &dyn Fn(&str) -> bool| wanted.is_none_or(is);
        is_wanted(self.principal, &|who| is_by(actor, who))
            && is_wanted(self.operation, &|name| {
                change.call == name || change.operations.iter().any(|it| it == name)
            })
            && is_wanted(self.record, &|part| change.records.iter().any(|it| it.key.contains(part)))
            && self.is_in_time(change.at.as_ref())
    }

    fn is_in_time(&self, at: Option<&prost_types::Timestamp>) -> bool {
        let at = at.and_then(|it| Timestamp::new(it.seconds, it.nanos).ok());
        let Some(at) = at else { return self.since.is_none() && self.until.is_none() };
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

fn is_by(actor: &proto::ChangeActor, who: &str) -> bool {
    let proto::ChangeActor { uin, owner_uin: _, secret_id, session, service_caller } = actor;
    match uin {
        Some(uin) => who == uin.to_string() || who == secret_id || who == session,
        None => who == "operator" || (!who.is_empty() && who == service_caller),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query<'a>(args: &[&'a str]) -> Wanted<'a> {
        let mut wanted = Wanted::default();
        for pair in args.chunks(2) {
            let [name, value] = *pair else { panic!("{pair:?}") };
            match name {
                "principal" => wanted.principal = Some(value),
                "operation" => wanted.operation = Some(value),
                "record" => wanted.record = Some(value),
                "since" => wanted.since = Some(value.parse().unwrap()),
                "until" => wanted.until = Some(value.parse().unwrap()),
                other => panic!("{other}"),
            }
        }
        wanted
    }

    fn change(actor: proto::ChangeActor) -> proto::ChangeRecord {
        let key = "a/00000000000012345678/g/00000000000000000001".to_owned();
        proto::ChangeRecord {
            actor: Some(actor),
            call: "AddUser".to_owned(),
            operations: vec!["CreateSubAccount".to_owned()],
            records: vec![proto::RecordChange { key, ..Default::default() }],
            at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            ..Default::default()
        }
    }

    #[test]
    fn every_filter_must_hold() {
        let key = change(proto::ChangeActor {
            uin: Some(100_000_001),
            secret_id: "AKID1".to_owned(),
            session: "值班".to_owned(),
            ..Default::default()
        });
        for args in [
            vec![],
            vec!["principal", "100000001"],
            vec!["principal", "AKID1"],
            vec!["principal", "值班", "operation", "AddUser"],
            vec!["operation", "CreateSubAccount", "record", "/g/"],
            vec!["since", "2023-11-14T22:13:20Z", "until", "2023-11-14T22:13:21Z"],
        ] {
            assert!(query(&args).matches(&key), "{args:?}");
        }
        for args in [
            vec!["principal", "operator"],
            vec!["principal", "AKID1", "operation", "DeleteUser"],
            vec!["record", "/p/"],
            vec!["since", "2023-11-14T22:13:21Z"],
            vec!["until", "2023-11-14T22:13:20Z"],
        ] {
            assert!(!query(&args).matches(&key), "{args:?}");
        }
        let operator = change(proto::ChangeActor {
            service_caller: "gateway".to_owned(),
            ..Default::default()
        });
        assert!(query(&["principal", "operator"]).matches(&operator));
        assert!(query(&["principal", "gateway"]).matches(&operator));
        assert!(!query(&["principal", ""]).matches(&change(proto::ChangeActor::default())));
        // What cannot be read is never left out.
        assert!(query(&["principal", "x"]).matches(&proto::ChangeRecord::default()));
    }
}
