//! Which source wins, and what is refused.

use super::*;

fn merged(toml: &str, environment: &[(&str, &str)], flags: Vec<Flag>) -> Result<Settings, String> {
    let environment =
        environment.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Settings::merge(Some(toml), environment, flags).map_err(|error| error.to_string())
}

#[test]
fn merge_later_sources_win() {
    let toml = "grpc = \"127.0.0.1:1\"\nserver = \"http://a\"\n[log]\nfilter = \"file\"";
    let settings = merged(
        toml,
        &[("CAMGATE_GRPC", "127.0.0.1:2"), ("CAMGATE_LOG__FILTER", "environment")],
        vec![("grpc", Value::from("127.0.0.1:3"))],
    )
    .unwrap();
    assert_eq!(settings.grpc.port(), 3);
    assert_eq!(settings.log_filter, "environment");
    assert_eq!(settings.server, "http://a");
    assert_eq!(settings.store, StoreChoice::Sled("camgate-data".into()));
}

#[test]
fn merge_reads_types_from_the_environment() {
    let settings = merged(
        "",
        &[
            ("CAMGATE_POLICIES", "a/*.json,策略/*.json"),
            ("CAMGATE_DEV", "true"),
            ("CAMGATE_ACCOUNT", "12345678"),
            ("CAMGATE_DEV_SECRET_ID", "x"),
        ],
        vec![],
    )
    .unwrap();
    assert_eq!(settings.policies, ["a/*.json", "策略/*.json"]);
    assert!(settings.dev);
    assert_eq!(settings.account, 12_345_678);
    assert_eq!(settings.ignored, ["CAMGATE_DEV_SECRET_ID"]);
}

#[test]
fn merge_refuses_unknown_keys_with_the_nearest() {
    for (toml, environment, expected) in [
        ("polices = []", vec![], "unknown setting `polices`; did you mean `policies`?"),
        ("[log]\nfliter = \"\"", vec![], "unknown setting `log.fliter`; did you mean `filter`?"),
        ("", vec![("CAMGATE_GRCP", "x")], "unknown setting `grcp`; did you mean `grpc`?"),
        (
            "[log]\nxyzzy = 1",
            vec![],
            "unknown setting `log.xyzzy`, expected one of `filter`, `format`",
        ),
    ] {
        assert_eq!(merged(toml, &environment, vec![]).unwrap_err(), expected);
    }
}

#[test]
fn merge_refuses_values_that_cannot_be_used() {
    for (toml, part) in [
        ("grpc = \"0.0.0.0:7401\"", "neither TLS nor authentication"),
        ("grpc = \"[::]:7401\"", "other machines can reach"),
        ("grpc = \"here\"", "expected an address and a port"),
        ("store = \"sled:\"", "expected `sled:DIR` or `memory`"),
        ("store = \"etcd:x\"", "expected `sled:DIR` or `memory`"),
        ("dev = 3", "dev"),
        ("grpc = ", "cannot use the settings"),
    ] {
        let message = merged(toml, &[], vec![]).unwrap_err();
        assert!(message.contains(part), "{toml}: {message}");
    }
}
