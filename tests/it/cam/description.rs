//! The description of the API agrees with itself, with the catalog, and with the documents.

use std::collections::BTreeSet;

use camgate::catalog::Catalog;
use camgate::service::cam::description::{Description, Field, Kind, Service};

fn fields(service: &Service) -> impl Iterator<Item = (String, &[Field])> {
    let actions = service.actions.iter().flat_map(|it| {
        [(format!("{} request", it.name), &*it.request), (it.name.clone(), &*it.response)]
    });
    actions.chain(service.structures.iter().map(|it| (it.name.clone(), &*it.fields)))
}

#[test]
fn the_description_agrees_with_itself() {
    let description = Description::embedded().unwrap();
    for service in &description.services {
        let mut used = BTreeSet::new();
        for (place, fields) in fields(service) {
            let names: BTreeSet<&str> = fields.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names.len(), fields.len(), "{place}: a field occurs twice");
            assert!(!names.contains("RequestId"), "{place}: RequestId is in every answer");
            for field in fields {
                if let Kind::Structure(name) = &field.kind {
                    assert!(service.structure(name).is_some(), "{place}: no structure `{name}`");
                    used.insert(name.as_str());
                }
                let is_number = field.kind == Kind::Integer;
                assert!(is_number || field.min.is_none() && field.max.is_none(), "{place}");
                assert!(field.list || field.max_items.is_none(), "{place}: {}", field.name);
            }
        }
        let all: BTreeSet<&str> = service.structures.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(used, all, "every structure is used");
        for action in &service.actions {
            let name = &action.name;
            assert_ne!(action.tier.is_some(), action.unsupported.is_some(), "{name}: one of both");
            for group in action.any_of.iter().chain(&action.one_of) {
                assert!(group.len() > 1, "{name}");
                for member in group {
                    let field = action.request.iter().find(|it| it.name == *member).unwrap();
                    assert!(!field.required, "{name}: `{member}` is one of several");
                }
            }
        }
    }
}

#[test]
fn the_catalog_and_the_description_have_the_same_actions() {
    let catalog = Catalog::builtin();
    let description = Description::embedded().unwrap();
    for (name, version, count) in [("cam", "2019-01-16", 95), ("sts", "2018-08-13", 7)] {
        let service = description.service(name).unwrap();
        assert_eq!(service.version, version);
        let described: BTreeSet<&str> = service.actions.iter().map(|it| &*it.name).collect();
        let catalogued: BTreeSet<&str> =
            catalog.actions_of(name).iter().map(|it| &*it.name).collect();
        assert_eq!(described, catalogued);
        assert_eq!(described.len(), count);
    }
    let tier = |wanted: &str| {
        let cam = description.service("cam").unwrap();
        cam.actions.iter().filter(|it| it.tier.as_deref() == Some(wanted)).count()
    };
    assert_eq!((tier("T1"), tier("T2")), (40, 20));
}
