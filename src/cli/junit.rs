//! Reports of policy tests as JUnit XML, for build servers.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::analysis::TestReport;

/// One suite per folder, one test case per request; no times, so that the same run gives the same
/// text.
///
/// # Errors
/// When the report cannot be written as XML.
pub fn to_junit(reports: &[(String, TestReport)]) -> Result<String, SerializeError> {
    let mut report = Report::new("camgate policy test");
    for (folder, tested) in reports {
        let mut suite = TestSuite::new(folder.as_str());
        for result in &tested.results {
            let status = if result.passed {
                TestCaseStatus::success()
            } else {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(result.why.lines().collect::<Vec<_>>().join("; "));
                status.set_description(result.why.as_str());
                status
            };
            let name = format!(
                "{}: {} {} on {}",
                result.case, result.principal, result.action, result.resource
            );
            let mut case = TestCase::new(name, status);
            case.set_classname(result.file.as_str());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}
