//! The systemd unit and its configuration.

use camgate::cli::answer::ExitStatus;
use camgate::config::StoreChoice;

use super::settings;
use crate::support::repo::read;

const UNIT: &str = "packaging/systemd/camgate.service";
const CONFIG: &str = "packaging/systemd/camgate.toml";

/// The values of a key of the unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_unit_starts_the_program_with_settings_that_it_takes() {
    let unit = read(UNIT);
    let line = super::one(values(&unit, "ExecStart"));
    let arguments: Vec<&str> = line.strip_prefix("/usr/bin/camgate ").unwrap().split(' ').collect();
    assert!(arguments.contains(&"/etc/camgate/camgate.toml"), "{arguments:?}");
    let variables = values(&unit, "Environment").into_iter().flat_map(|line| line.split(' '));
    let variables: Vec<_> = variables.map(|it| it.split_once('=').unwrap()).collect();
    let settings = settings(&arguments, CONFIG, &variables);
    // Reachable, so guarded.
    assert!(settings.callers_required && !settings.insecure);
    // What is read from credentials is loaded as such.
    let loaded =
        values(&unit, "LoadCredential").into_iter().map(|it| it.split(':').next().unwrap());
    let loaded: Vec<String> = loaded.map(|name| format!("%d/{name}")).collect();
    let tls = settings.tls.unwrap();
    let key = settings.master_key_file.unwrap();
    for file in [&tls.certificate_file, &tls.key_file, &key] {
        assert!(loaded.iter().any(|it| file.to_str() == Some(it)), "{file:?}: {loaded:?}");
    }
    // The only folder that may be written.
    let StoreChoice::Sled(store) = settings.store else { panic!("{:?}", settings.store) };
    let state = format!("/var/lib/{}", super::one(values(&unit, "StateDirectory")));
    assert!(store.starts_with(&state), "{store:?} is outside of {state}");
    let stop: u64 = super::one(values(&unit, "TimeoutStopSec")).parse().unwrap();
    assert!(stop > settings.drain.as_secs(), "killed while it drains");
    let stays_down = super::one(values(&unit, "RestartPreventExitStatus"));
    assert_eq!(stays_down, ExitStatus::Usage.code().to_string());
}

#[test]
fn the_unit_is_closed_to_everything_that_the_program_does_not_need() {
    let unit = read(UNIT);
    for (key, value) in [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6"),
        ("UMask", "0077"),
    ] {
        assert_eq!(values(&unit, key), [value], "{key}");
    }
    assert_eq!(values(&unit, "SystemCallFilter"), ["@system-service", "~@privileged @resources"]);
}
