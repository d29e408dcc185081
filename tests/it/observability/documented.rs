//! Every metric is well formed, and stands in `docs/observability.md` as the program tells it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::support::repo::read;

/// A metric as `/metrics` describes it.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    unit: String,
    labels: BTreeSet<String>,
    samples: usize,
}

impl Family {
    /// The name that queries use.
    fn query_name(&self, name: &str) -> String {
        match self.kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        }
    }
}

/// The names of the labels of a sample.
fn label_names(labels: &str) -> BTreeSet<String> {
    let inner = labels.trim_start_matches('{').trim_end_matches('}');
    let pairs = inner.split("\",").filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once("=\"").unwrap().0.to_owned()).collect()
}

fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(described) = line.strip_prefix("# ") {
            let (what, rest) = described.split_once(' ').unwrap();
            let (name, text) = rest.split_once(' ').unwrap();
            if name != current {
                assert!(!families.contains_key(name), "`{name}` is described twice");
                name.clone_into(&mut current);
            }
            let family = families.entry(name.to_owned()).or_default();
            match what {
                "HELP" => text.clone_into(&mut family.help),
                "TYPE" => text.clone_into(&mut family.kind),
                "UNIT" => text.clone_into(&mut family.unit),
                other => panic!("{other} in {line}"),
            }
            continue;
        }
        let (sample, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = sample.find('{').map_or((sample, ""), |at| sample.split_at(at));
        let family = families.get_mut(&current).unwrap();
        let suffixes: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("`{current}` is a {other}"),
        };
        let is_its = suffixes.iter().any(|suffix| name == format!("{current}{suffix}"));
        assert!(is_its, "{line} under `{current}`");
        family.labels.extend(label_names(labels).into_iter().filter(|name| name != "le"));
        family.samples += 1;
    }
    families
}

/// The faults of a metric.
fn faults(name: &str, family: &Family) -> Vec<String> {
    let Family { kind, help, unit, samples, .. } = family;
    let mut faults = Vec::new();
    let mut expect = |is_so: bool, what: &str| {
        if !is_so {
            faults.push(format!("`{name}` {what}"));
        }
    };
    expect(name.starts_with("camgate_"), "is not ours by name");
    expect(help.len() > 10, "has no help");
    expect(*samples > 0, "has no sample");
    expect(unit.is_empty() || name.ends_with(&format!("_{unit}")), "does not end with its unit");
    let units = ["seconds", "bytes"];
    expect(
        !unit.is_empty() || !units.iter().any(|unit| name.ends_with(unit)),
        "ends with a unit that it does not tell",
    );
    expect(unit.is_empty() || units.contains(&unit.as_str()), "has another unit than a base unit");
    expect(kind != "histogram" || unit == "seconds", "is a histogram of no seconds");
    expect(!name.ends_with("_total"), "says itself that it is a total");
    faults
}

fn table(families: &BTreeMap<String, Family>) -> String {
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for (name, family) in families {
        let labels: Vec<String> = family.labels.iter().map(|it| format!("`{it}`")).collect();
        let help = family.help.trim_end_matches('.');
        let name = family.query_name(name);
        table += &format!("| `{name}` | {} | {} | {help} |\n", family.kind, labels.join(", "));
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_well_formed_and_documented() {
    let server = Observed::start().await;
    server.create_account().await;
    server.authz().check(question(OWNER, "im:DescribeConfInfo")).await.unwrap();
    let families = families(&server.metrics().await);
    let faults: Vec<String> =
        families.iter().flat_map(|(name, family)| faults(name, family)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let text = read("docs/observability.md");
    let (_, rest) = text.split_once("<!-- metrics:begin -->\n").unwrap();
    let (printed, _) = rest.split_once("<!-- metrics:end -->").unwrap();
    let table = table(&families);
    assert_eq!(printed, table, "docs/observability.md must hold this table:\n{table}");
}

#[test]
fn a_metric_that_is_not_well_formed_is_noticed() {
    let good = "# HELP camgate_x_seconds How long it took.\n# TYPE camgate_x_seconds histogram\n\
                # UNIT camgate_x_seconds seconds\ncamgate_x_seconds_count{a=\"1,\",b=\"2\"} 0\n";
    let judge = |text: &str| -> Vec<String> {
        families(text).iter().flat_map(|(name, family)| faults(name, family)).collect()
    };
    assert_eq!(judge(good), Vec::<String>::new());
    let labels = &families(good)["camgate_x_seconds"].labels;
    assert_eq!(labels.iter().collect::<Vec<_>>(), ["a", "b"]);
    for (from, to, fault) in [
        (" How long it took.", " ", "has no help"),
        ("# UNIT camgate_x_seconds seconds\n", "", "a unit that it does not tell"),
        ("_x_seconds", "_x", "does not end with its unit"),
        ("camgate_", "other_", "is not ours by name"),
    ] {
        let found = judge(&good.replace(from, to));
        assert!(found.iter().any(|it| it.contains(fault)), "{fault}: {found:?}");
    }
}
