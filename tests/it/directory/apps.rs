//! Apps, their tags, and the global index of their ids.

use std::collections::BTreeMap;

use camgate::directory::{
    AppEntry, Command, CreateApp, DeleteApp, DirectoryError, ErrorKind, Noun, UnixMillis, UpdateApp,
};

use super::{Fixture, OWNER};

const APP: u64 = 1_400_000_001;

fn create(sdkappid: u64, tags: &[(&str, &str)]) -> Command {
    let tags = tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Command::CreateApp(CreateApp { sdkappid, name: "聊天 demo".into(), tags })
}

#[test]
fn an_app_belongs_to_one_account() {
    let mut fixture = Fixture::new();
    fixture.done(create(APP, &[("team", "game")]));
    let owner_uin = OWNER.uin;
    assert_eq!(fixture.globals.app(APP).unwrap(), Some(AppEntry { sdkappid: APP, owner_uin }));
    assert_eq!(fixture.refused(create(APP, &[])).kind(), ErrorKind::AlreadyExists);
    fixture.globals.set_app(2, Some(AppEntry { sdkappid: 2, owner_uin: 9 }));
    let error = fixture.refused(create(2, &[]));
    assert_eq!(error, DirectoryError::TakenElsewhere { noun: Noun::App, id: 2 });
    assert!(!error.to_string().contains('9'), "it is not said to whom");
    fixture.done(Command::DeleteApp(DeleteApp { sdkappid: APP }));
    assert_eq!(fixture.globals.app(APP).unwrap(), None);
    fixture.done(create(APP, &[]));
}

#[test]
fn an_app_keeps_the_time_it_was_registered_at() {
    let mut fixture = Fixture::new();
    fixture.done(create(APP, &[]));
    let created_at = UnixMillis(fixture.now);
    let name = Some("改名".to_owned());
    fixture.done(Command::UpdateApp(UpdateApp { sdkappid: APP, name, tags: None }));
    assert!(fixture.now > created_at.0);
    assert_eq!(fixture.state.apps[&APP].created_at, created_at);
}

#[test]
fn app_quotas_and_texts_have_limits() {
    let mut fixture = Fixture::new();
    fixture.quotas.apps_per_account_max = 1;
    fixture.quotas.tags_per_app_max = 1;
    fixture.refused(create(APP, &[("a", "b"), ("c", "d")]));
    for key in ["", "a&b", "a\n", &"键".repeat(129)] {
        assert_eq!(fixture.refused(create(APP, &[(key, "v")])).kind(), ErrorKind::Invalid);
    }
    assert_eq!(fixture.refused(create(0, &[])).kind(), ErrorKind::Invalid);
    fixture.done(create(APP, &[(&"键".repeat(128), &"值".repeat(256))]));
    assert_eq!(fixture.refused(create(APP + 1, &[])).kind(), ErrorKind::QuotaExceeded);
}

#[test]
fn an_app_is_changed_field_by_field() {
    let mut fixture = Fixture::new();
    fixture.done(create(APP, &[("team", "game")]));
    let update = |name: Option<&str>, tags: Option<BTreeMap<String, String>>| {
        Command::UpdateApp(UpdateApp { sdkappid: APP, name: name.map(Into::into), tags })
    };
    fixture.done(update(Some("新名"), None));
    assert_eq!(fixture.state.apps[&APP].tags.len(), 1);
    fixture.done(update(None, Some(BTreeMap::new())));
    assert_eq!(fixture.state.apps[&APP].name, "新名");
    assert!(fixture.state.apps[&APP].tags.is_empty());
    fixture.refused(update(None, None));
    fixture.refused(update(Some(" x"), None));
    let absent = UpdateApp { sdkappid: 1, name: Some("x".into()), tags: None };
    assert_eq!(fixture.refused(Command::UpdateApp(absent)).kind(), ErrorKind::NotFound);
}
