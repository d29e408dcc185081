//! Six-segment resource names, and the resource patterns of statements (rules ).

use std::fmt;

use super::action::is_service;
use super::limits::RESOURCE_BYTES_MAX;
use super::pattern::{Glob, Pattern, VariableFault};
use super::variable::{Owner, Variables};

/// The account segment of a resource in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Empty, or `uin/` without a number.
    Empty,
    /// `uin/<uin>` of a root account.
    Uin(u64),
    /// `uid/<APPID>` of a root account.
    AppId(u64),
}

impl Account {
    /// The owner's uin as seen from `home`: empty is home's own, home's APPID is home's uin; an
    /// APPID of somebody else stays unknown (rules, D-14).
    #[must_use]
    pub fn owner_uin(self, home: &Owner) -> Option<u64> {
        match self {
            Self::Empty => Some(home.uin),
            Self::Uin(uin) => Some(uin),
            Self::AppId(app_id) if app_id == home.app_id => Some(home.uin),
            Self::AppId(_) => None,
        }
    }
}

/// A resource as a request names it. Stars in it are plain characters (rule R-10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName {
    text: Box<str>,
    service: Box<str>,
    region: Box<str>,
    account: Account,
    resource: Box<str>,
}

/// Why a text is no resource name or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceFault {
    /// Longer than [`RESOURCE_BYTES_MAX`].
    #[error("is {actual} bytes long, over the limit of {limit}")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
        /// The length, in bytes.
        actual: usize,
    },
    /// Fewer than six segments.
    #[error("has {0} of the six segments")]
    Segments(usize),
    /// The first segment is not `qcs`.
    #[error("begins with `{0}`")]
    NotQcs(String),
    /// The project segment is not empty.
    #[error("has the project segment `{0}`")]
    Project(String),
    /// A service segment that is no abbreviation.
    #[error("has the service segment `{0}`")]
    Service(String),
    /// A region segment that is no region.
    #[error("has the region segment `{0}`")]
    Region(String),
    /// An account segment that is no owner.
    #[error("has the account segment `{0}`")]
    Account(String),
    /// An empty last segment, or one with control characters.
    #[error("has an empty or unprintable last segment")]
    Content,
    /// A wrong variable in the last segment, or any variable in another.
    #[error("{0}")]
    Variable(#[from] VariableFault),
}

struct Segments<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

fn split(text: &str) -> Result<Segments<'_>, ResourceFault> {
    if text.len() > RESOURCE_BYTES_MAX {
        return Err(ResourceFault::TooLong { limit: RESOURCE_BYTES_MAX, actual: text.len() });
    }
    let segments: Vec<&str> = text.splitn(6, ':').collect();
    if let Some(first) = segments.first().filter(|first| **first != "qcs") {
        return Err(ResourceFault::NotQcs((*first).to_owned()));
    }
    let [_, project, service, region, account, resource] = *segments else {
        return Err(ResourceFault::Segments(segments.len()));
    };
    // rule R-04
    if !project.is_empty() {
        return Err(ResourceFault::Project(project.to_owned()));
    }
    // rule R-12
    if resource.is_empty() || resource.chars().any(char::is_control) {
        return Err(ResourceFault::Content);
    }
    Ok(Segments { service, region, account, resource })
}

fn number(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if canonical { text.parse().ok() } else { None }
}

fn is_region(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn parse_account(text: &str) -> Option<Account> {
    match text.split_once('/') {
        None if text.is_empty() => Some(Account::Empty),
        Some(("uin", "")) => Some(Account::Empty),
        Some(("uin", digits)) => number(digits).map(Account::Uin),
        Some(("uid", digits)) => number(digits).map(Account::AppId),
        _ => None,
    }
}

impl ResourceName {
    /// Reads a six-segment name.
    ///
    /// # Errors
    /// What is wrong with the text; the bare `*` is no resource name.
    pub fn parse(text: &str) -> Result<Self, ResourceFault> {
        let Segments { service, region, account, resource } = split(text)?;
        if !service.is_empty() && !is_service(service) {
            return Err(ResourceFault::Service(service.to_owned()));
        }
        if !is_region(region) {
            return Err(ResourceFault::Region(region.to_owned()));
        }
        let owner =
            parse_account(account).ok_or_else(|| ResourceFault::Account(account.to_owned()))?;
        Ok(Self {
            text: text.into(),
            service: service.into(),
            region: region.into(),
            account: owner,
            resource: resource.into(),
        })
    }

    /// The name as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The service segment, perhaps empty.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The region segment, perhaps empty.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account segment.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    /// The last segment, e.g. `sdkappid/1400000001`.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The id of the app this names, when its last segment is `sdkappid/<number>`.
    #[must_use]
    pub fn sdkappid(&self) -> Option<u64> {
        self.resource.strip_prefix("sdkappid/").and_then(number)
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The account segment of a resource in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountPattern {
    /// One owner; [`Account::Empty`] is the policy's own (rule R-06).
    One(Account),
    /// `*` or `uin/*`: whoever owns it.
    Any,
}

/// The six segments of a statement's resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SegmentPatterns {
    /// The service; empty in the text means any.
    pub service: Glob,
    /// The region; empty in the text means any.
    pub region: Glob,
    /// The owner.
    pub account: AccountPattern,
    /// The last segment, with stars and variables.
    pub resource: Pattern,
}

/// One entry of a statement's resource list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourcePattern {
    text: Box<str>,
    /// None is the bare `*`.
    segments: Option<SegmentPatterns>,
}

impl ResourcePattern {
    /// Reads `*` or six segments.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ResourceFault> {
        if text == "*" {
            return Ok(Self { text: text.into(), segments: None });
        }
        let Segments { service, region, account, resource } = split(text)?;
        if !service.is_empty() && !is_service(&service.replace('*', "x")) {
            return Err(ResourceFault::Service(service.to_owned()));
        }
        if !is_region(&region.replace('*', "x")) {
            return Err(ResourceFault::Region(region.to_owned()));
        }
        let account = match account {
            "*" | "uin/*" => AccountPattern::Any,
            _ => AccountPattern::One(
                parse_account(account).ok_or_else(|| ResourceFault::Account(account.to_owned()))?,
            ),
        };
        let any_if_empty =
            |segment: &str| Glob::new(if segment.is_empty() { "*" } else { segment });
        Ok(Self {
            text: text.into(),
            segments: Some(SegmentPatterns {
                service: any_if_empty(service),
                region: any_if_empty(region),
                account,
                resource: Pattern::parse(resource)?,
            }),
        })
    }

    /// The entry as its author wrote it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is the bare `*` (rule R-02).
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.segments.is_none()
    }

    /// The six segments, unless it is the bare `*`.
    #[must_use]
    pub fn segments(&self) -> Option<&SegmentPatterns> {
        self.segments.as_ref()
    }

    /// Whether it matches the resource. `variables.owner` is the account in which the policy and
    /// the caller live.
    #[must_use]
    pub fn matches(&self, name: &ResourceName, variables: &Variables) -> bool {
        let Some(segments) = &self.segments else { return true };
        segments.service.matches(name.service())
            && segments.region.matches(name.region())
            && account_matches(segments.account, name.account(), &variables.owner)
            // rule R-09: the whole segment, no prefix of it
            && segments.resource.matches(name.resource(), variables)
    }

    /// Whether it matches every resource that `other` matches. Sound, not complete.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let (own, others) = match (&self.segments, &other.segments) {
            (None, _) => return true,
            (Some(_), None) => return false,
            (Some(own), Some(others)) => (own, others),
        };
        let resource = match (own.resource.as_fixed(), others.resource.as_fixed()) {
            (Some(own), _) if own.is_any() => true,
            (Some(own), Some(others)) => own.covers(others),
            _ => own.resource == others.resource,
        };
        own.service.covers(&others.service)
            && own.region.covers(&others.region)
            && (own.account == AccountPattern::Any || own.account == others.account)
            && resource
    }
}

fn account_matches(pattern: AccountPattern, account: Account, home: &Owner) -> bool {
    match pattern {
        AccountPattern::Any => true,
        AccountPattern::One(one) => match (one.owner_uin(home), account.owner_uin(home)) {
            (Some(policy), Some(request)) => policy == request,
            (None, None) => one == account,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: Variables =
        Variables { uin: 100_000_000_011, owner: Owner { uin: 12_345_678, app_id: 1_250_000_001 } };

    #[test]
    fn resource_segments_match_by_the_table() {
        let app = "qcs::im::uin/12345678:sdkappid/1400000001";
        let table = [
            ("*", app, true),
            (app, app, true),
            ("qcs::im::uin/12345678:sdkappid/140000000", app, false),
            ("qcs::im::uin/12345678:sdkappid/*", app, true),
            ("qcs::im:::sdkappid/1400000001", app, true),
            ("qcs::im::uin/:sdkappid/1400000001", app, true),
            ("qcs::im::uid/1250000001:*", app, true),
            ("qcs::::uin/12345678:*", app, true),
            ("qcs::im:ap-shanghai::*", app, false),
            ("qcs::im:*::*", app, true),
            ("qcs::i*::*:*", app, true),
            ("qcs::im:::X/*", "qcs::im:::X", false),
            ("qcs::im:::env/abc", "qcs::im:::env/*", false),
            ("qcs::im:::env/*", "qcs::im:::env/*", true),
            ("qcs::im:::*", "qcs::im::uin/99999999:x", false),
            ("qcs::im:::a/*/c", "qcs::im:::a/b:b/c", true),
            ("qcs::im:::q/${uin}", "qcs::im:::q/100000000011", true), // V-01
        ];
        for (pattern, name, expected) in table {
            let parsed = ResourcePattern::parse(pattern).unwrap();
            let name = ResourceName::parse(name).unwrap();
            assert_eq!(parsed.matches(&name, &VARIABLES), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn resource_refuses_other_shapes() {
        // rules, V-02
        for text in [
            "",
            "**",
            "qcs::im::uin/1",
            "QCS::im::uin/1:x",
            "qcs:0:im::uin/1:x",
            "qcs::IM:::x",
            "qcs::im:Ap::x",
            "qcs::im::root:x",
            "qcs::im::uin/01:x",
            "qcs::im::uin/x:y",
            "qcs::im::uin/1:",
            "qcs::im::uin/${uin}:x",
            "qcs::im:::${sdkappid}",
            "qcs::im:::a\u{0}b",
        ] {
            assert!(ResourcePattern::parse(text).is_err(), "{text:?}");
        }
    }
}
