//! A small vocabulary for this floor's unit tests; the catalogs stand elsewhere.

use super::vocabulary::{Access, ActionFacts, Granularity, Sensitivity, Vocabulary};

/// (service, name, granularity, sensitive), ascending.
const ACTIONS: [(&str, &str, Granularity, Option<Sensitivity>); 8] = [
    ("cam", "CreateAccessKey", Granularity::Resource, Some(Sensitivity::Key)),
    ("im", "CreateSecret", Granularity::Resource, Some(Sensitivity::Key)),
    ("im", "DeleteAccount", Granularity::Resource, None),
    ("im", "DescribeBizTypes", Granularity::Operation, None),
    ("im", "DescribeConfInfo", Granularity::Resource, None),
    ("im", "DescribeIMAppList", Granularity::List, None),
    ("im", "DescribeImAgent", Granularity::Resource, None),
    ("im", "ExportAccount", Granularity::Resource, Some(Sensitivity::Export)),
];

/// `cam` and a part of `im`, and the action set 280649.
#[derive(Debug)]
pub(super) struct TestVocabulary {
    set: Vec<String>,
}

impl TestVocabulary {
    pub(super) fn new() -> Self {
        Self { set: vec!["im:CreateSecret".to_owned()] }
    }
}

impl Vocabulary for TestVocabulary {
    fn knows_service(&self, service: &str) -> bool {
        matches!(service, "cam" | "im")
    }

    fn action(&self, service: &str, name: &str) -> Option<ActionFacts<'_>> {
        self.actions(Some(service)).find(|facts| facts.name == name)
    }

    fn actions<'a>(
        &'a self,
        service: Option<&str>,
    ) -> Box<dyn Iterator<Item = ActionFacts<'a>> + 'a> {
        let service = service.map(str::to_owned);
        Box::new(
            ACTIONS
                .iter()
                .filter(move |row| service.as_deref().is_none_or(|service| service == row.0))
                .map(|(service, name, granularity, sensitive)| ActionFacts {
                    service,
                    name,
                    granularity: *granularity,
                    access: Access::Read,
                    sensitive: *sensitive,
                }),
        )
    }

    fn action_set(&self, number: u64) -> Option<&[String]> {
        (number == 280_649).then_some(self.set.as_slice())
    }

    fn can_carry(&self, _service: &str, name: &str, key: &str) -> bool {
        key != "qcs:request_tag" || name == "CreateSecret"
    }
}
