//! The kustomize folder: each manifest against the program, and against the others.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use camgate::config::{Settings, StoreChoice};
use std::io::{Read as _, Write as _};
use yaml_rust2::{Yaml, YamlLoader};

use super::settings;
use crate::command::Served;
use crate::support::repo::{files, read};

const FOLDER: &str = "packaging/kustomize";

/// Every manifest of the folder by its kind; one of each.
fn manifests() -> BTreeMap<String, Yaml> {
    let kustomization = load("kustomization.yaml");
    let listed = texts(&kustomization["resources"]);
    let on_disk = files(FOLDER).into_iter().filter(|path| path.ends_with(".yaml"));
    let on_disk = on_disk.map(|path| path.rsplit('/').next().unwrap().to_owned());
    let mut on_disk: Vec<String> = on_disk.filter(|name| name != "kustomization.yaml").collect();
    let mut sorted = listed.clone();
    on_disk.sort();
    sorted.sort();
    assert_eq!(sorted, on_disk, "the kustomization lists what is there");
    let mut found = BTreeMap::new();
    for name in listed {
        let manifest = load(&name);
        assert!(manifest["apiVersion"].as_str().is_some(), "{name}");
        let kind = text(&manifest["kind"]).to_owned();
        assert!(found.insert(kind, manifest).is_none(), "{name}: a second of its kind");
    }
    found
}

fn load(name: &str) -> Yaml {
    let documents = YamlLoader::load_from_str(&read(&format!("{FOLDER}/{name}")));
    super::one(documents.unwrap_or_else(|error| panic!("{name}: {error}")))
}

fn text(yaml: &Yaml) -> &str {
    yaml.as_str().unwrap_or_else(|| panic!("no text: {yaml:?}"))
}

fn number(yaml: &Yaml) -> u64 {
    let number = yaml.as_i64().unwrap_or_else(|| panic!("no number: {yaml:?}"));
    number.try_into().unwrap()
}

fn list(yaml: &Yaml) -> &[Yaml] {
    yaml.as_vec().unwrap_or_else(|| panic!("no list: {yaml:?}"))
}

fn texts(yaml: &Yaml) -> Vec<String> {
    list(yaml).iter().map(|it| text(it).to_owned()).collect()
}

/// What the nodes are started with; the values of secrets are made up.
fn of_nodes(container: &Yaml) -> Settings {
    let arguments = texts(&container["args"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let names: Vec<_> = list(&container["env"]).iter().map(|it| text(&it["name"])).collect();
    let variables: Vec<_> = names.iter().map(|name| (*name, "made up")).collect();
    let settings = settings(&arguments, &format!("{FOLDER}/camgate.toml"), &variables);
    // Of the environment these are no settings, so that the merge would take any other one too.
    assert!(settings.secrets.master_key.is_some() && settings.secrets.etcd_password.is_some());
    assert_eq!(variables.len(), 2, "{names:?}");
    settings
}

#[test]
fn the_nodes_start_with_settings_that_they_take() {
    let manifests = manifests();
    let pod = &manifests["Deployment"]["spec"]["template"]["spec"];
    let container = super::one(list(&pod["containers"]).iter().collect());
    let settings = of_nodes(container);
    assert!(settings.callers_required && !settings.insecure);
    let StoreChoice::Etcd(members) = &settings.store else { panic!("{:?}", settings.store) };
    assert_eq!(members.len(), 3);
    // Every file that the settings name is mounted.
    let mounts = list(&container["volumeMounts"]).iter().map(|it| text(&it["mountPath"]));
    let mounts: Vec<&str> = mounts.collect();
    let tls = settings.tls.clone().unwrap();
    let (certificate, key) = settings.etcd.identity_files.clone().unwrap();
    let config = Path::new("/etc/camgate/camgate.toml").to_owned();
    for file in [
        tls.certificate_file,
        tls.key_file,
        tls.client_ca_file.unwrap(),
        settings.etcd.ca_file.clone().unwrap(),
        certificate,
        key,
        config,
    ] {
        assert!(mounts.iter().any(|mount| file.starts_with(mount)), "{file:?}: {mounts:?}");
    }
    // Every mount is a volume of the pod.
    let volumes: Vec<_> = list(&pod["volumes"]).iter().map(|it| text(&it["name"])).collect();
    for mount in list(&container["volumeMounts"]) {
        assert!(volumes.contains(&text(&mount["name"])), "{mount:?}");
        assert_eq!(mount["readOnly"].as_bool(), Some(true), "{mount:?}");
    }
    // It is not killed before it has drained.
    let wait = number(&container["lifecycle"]["preStop"]["sleep"]["seconds"]);
    let grace = number(&pod["terminationGracePeriodSeconds"]);
    assert!(wait + settings.drain.as_secs() < grace);
    assert_eq!(text(&container["resources"]["limits"]["memory"]), "2Gi");
    assert!(settings.memory_budget_bytes <= 1 << 30, "half of it is for the rest");
}

#[test]
fn ports_are_the_same_everywhere() {
    let manifests = manifests();
    let pod = &manifests["Deployment"]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let settings = of_nodes(container);
    let ports: BTreeMap<&str, u64> = list(&container["ports"])
        .iter()
        .map(|port| (text(&port["name"]), number(&port["containerPort"])))
        .collect();
    let served = [("grpc", settings.grpc.port().into()), ("http", settings.http.port().into())];
    assert_eq!(ports, BTreeMap::from(served));
    for port in list(&manifests["Service"]["spec"]["ports"]) {
        let name = text(&port["targetPort"]);
        assert_eq!(ports.get(name), Some(&number(&port["port"])), "{port:?}");
    }
    let policy = &manifests["NetworkPolicy"]["spec"];
    for port in list(&policy["ingress"]).iter().flat_map(|rule| list(&rule["ports"])) {
        assert!(ports.contains_key(text(&port["port"])), "{port:?}");
    }
    let StoreChoice::Etcd(members) = &settings.store else { panic!("{:?}", settings.store) };
    let out = list(&policy["egress"]).iter().flat_map(|rule| list(&rule["ports"]));
    let out: Vec<String> = out.map(|port| format!(":{}", number(&port["port"]))).collect();
    for member in members {
        assert!(out.iter().any(|port| member.ends_with(port)), "{member}: {out:?}");
    }
    let annotations = &manifests["Deployment"]["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(text(&annotations["prometheus.io/port"]), ports["http"].to_string());
}

#[test]
fn probes_ask_what_the_program_answers() {
    let directory = tempfile::tempdir().unwrap();
    let served = Served::start(directory.path(), &["--store", "memory"]);
    let manifests = manifests();
    let container = &manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0];
    let settings = of_nodes(container);
    for (probe, path) in
        [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")]
    {
        let get = &container[probe]["httpGet"];
        assert_eq!((text(&get["path"]), text(&get["port"])), (path, "http"));
        assert_eq!(text(&get["scheme"]) == "HTTPS", settings.tls.is_some(), "{probe}");
        assert!(answer(served.http(), path).starts_with("HTTP/1.1 200 "), "{path}");
    }
    // The probes show no certificate.
    let certificates = settings.tls.unwrap().client_certificates;
    assert_ne!(certificates, camgate::service::transport::ClientCertificates::Required);
}

fn answer(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: pdp.test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn pods_have_no_rights_and_enough_of_them_stay() {
    let manifests = manifests();
    let deployment = &manifests["Deployment"]["spec"];
    let pod = &deployment["template"]["spec"];
    let container = &pod["containers"][0];
    let user = super::one(super::dockerfile("USER"));
    let of_pod = &pod["securityContext"];
    let ids = format!("{}:{}", number(&of_pod["runAsUser"]), number(&of_pod["runAsGroup"]));
    assert_eq!(ids, user, "the image's user");
    assert_eq!(of_pod["runAsNonRoot"].as_bool(), Some(true));
    assert_eq!(text(&of_pod["seccompProfile"]["type"]), "RuntimeDefault");
    let of_container = &container["securityContext"];
    assert_eq!(of_container["readOnlyRootFilesystem"].as_bool(), Some(true));
    assert_eq!(of_container["allowPrivilegeEscalation"].as_bool(), Some(false));
    assert_eq!(texts(&of_container["capabilities"]["drop"]), ["ALL"]);
    assert_eq!(pod["automountServiceAccountToken"].as_bool(), Some(false));
    let stay = number(&manifests["PodDisruptionBudget"]["spec"]["minAvailable"]);
    assert!((1..number(&deployment["replicas"])).contains(&stay));
    // Whoever selects pods selects these.
    let labels = &deployment["template"]["metadata"]["labels"];
    let spread = &pod["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"];
    for (who, selector) in [
        ("Deployment", &deployment["selector"]["matchLabels"]),
        ("spread", spread),
        ("Service", &manifests["Service"]["spec"]["selector"]),
        ("budget", &manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]),
        ("network", &manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]),
    ] {
        assert_eq!(selector, labels, "{who}");
    }
    assert_eq!(
        text(&pod["serviceAccountName"]),
        text(&manifests["ServiceAccount"]["metadata"]["name"])
    );
}
