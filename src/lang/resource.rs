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

/// A resource as a request names it, in a text that somebody else holds. Stars in it are plain
/// characters (rule R-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceRef<'a> {
    text: &'a str,
    service: &'a str,
    region: &'a str,
    account: Account,
    resource: &'a str,
}

/// A resource as a request names it, with its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName {
    text: Box<str>,
    account: Account,
    /// Where service, region and account end in the text, in bytes.
    ends: [u16; 3],
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

/// Where the service stands in a name: after `qcs::`.
const SERVICE_START: usize = 5;

#[derive(Clone, Copy)]
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
    let Some(mut rest) = text.strip_prefix("qcs:") else { return Err(not_six(text)) };
    let mut next = || {
        let at = rest.bytes().position(|byte| byte == b':')?;
        let (segment, colon) = rest.split_at_checked(at)?;
        rest = colon.get(1..)?;
        Some(segment)
    };
    let (Some(project), Some(service), Some(region), Some(account)) =
        (next(), next(), next(), next())
    else {
        return Err(not_six(text));
    };
    let resource = rest;
    // rule R-04
    if !project.is_empty() {
        return Err(ResourceFault::Project(project.to_owned()));
    }
    // rule R-12
    let is_plain = resource.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if resource.is_empty() || (!is_plain && resource.chars().any(char::is_control)) {
        return Err(ResourceFault::Content);
    }
    Ok(Segments { service, region, account, resource })
}

/// What is wrong with a text that has not six segments, the first of which is `qcs`.
fn not_six(text: &str) -> ResourceFault {
    match text.split(':').next() {
        Some(first) if first != "qcs" => ResourceFault::NotQcs(first.to_owned()),
        _ => ResourceFault::Segments(text.split(':').count()),
    }
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() || text.starts_with('0') {
        return None;
    }
    text.bytes().try_fold(0_u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

fn is_region(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn parse_account(text: &str) -> Option<Account> {
    if let Some(digits) = text.strip_prefix("uin/") {
        return if digits.is_empty() {
            Some(Account::Empty)
        } else {
            number(digits).map(Account::Uin)
        };
    }
    match text.strip_prefix("uid/") {
        Some(digits) => number(digits).map(Account::AppId),
        None => text.is_empty().then_some(Account::Empty),
    }
}

impl<'a> ResourceRef<'a> {
    /// Reads a six-segment name; allocates nothing.
    ///
    /// # Errors
    /// What is wrong with the text; the bare `*` is no resource name.
    pub fn parse(text: &'a str) -> Result<Self, ResourceFault> {
        let Segments { service, region, account, resource } = split(text)?;
        if !service.is_empty() && !is_service(service) {
            return Err(ResourceFault::Service(service.to_owned()));
        }
        if !is_region(region) {
            return Err(ResourceFault::Region(region.to_owned()));
        }
        let owner =
            parse_account(account).ok_or_else(|| ResourceFault::Account(account.to_owned()))?;
        Ok(Self { text, service, region, account: owner, resource })
    }

    /// The name as it was given.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The service segment, perhaps empty.
    #[must_use]
    pub fn service(self) -> &'a str {
        self.service
    }

    /// The region segment, perhaps empty.
    #[must_use]
    pub fn region(self) -> &'a str {
        self.region
    }

    /// The account segment.
    #[must_use]
    pub fn account(self) -> Account {
        self.account
    }

    /// The last segment, e.g. `sdkappid/1400000001`.
    #[must_use]
    pub fn resource(self) -> &'a str {
        self.resource
    }

    /// The id of the app this names, when its last segment is `sdkappid/<number>`.
    #[must_use]
    pub fn sdkappid(self) -> Option<u64> {
        sdkappid(self.resource)
    }
}

/// The id in a last segment that is `sdkappid/<number>`.
#[must_use]
pub fn sdkappid(segment: &str) -> Option<u64> {
    segment.strip_prefix("sdkappid/").and_then(number)
}

impl ResourceName {
    /// Reads a six-segment name.
    ///
    /// # Errors
    /// As [`ResourceRef::parse`].
    pub fn parse(text: &str) -> Result<Self, ResourceFault> {
        let name = ResourceRef::parse(text)?;
        let resource_start = text.len() - name.resource.len();
        let service_end = SERVICE_START + name.service.len();
        let region_end = service_end + 1 + name.region.len();
        let end = |at: usize| u16::try_from(at).ok();
        let (Some(service), Some(region), Some(account)) =
            (end(service_end), end(region_end), end(resource_start.saturating_sub(1)))
        else {
            // Excluded by the limit, which is far below; said so all the same.
            return Err(ResourceFault::TooLong { limit: RESOURCE_BYTES_MAX, actual: text.len() });
        };
        Ok(Self { text: text.into(), account: name.account, ends: [service, region, account] })
    }

    /// The name, borrowed.
    #[must_use]
    pub fn by_ref(&self) -> ResourceRef<'_> {
        ResourceRef {
            text: &self.text,
            service: self.service(),
            region: self.region(),
            account: self.account,
            resource: self.resource(),
        }
    }

    /// The name as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The service segment, perhaps empty.
    #[must_use]
    pub fn service(&self) -> &str {
        let [end, _, _] = self.ends;
        self.text.get(SERVICE_START..usize::from(end)).unwrap_or_default()
    }

    /// The region segment, perhaps empty.
    #[must_use]
    pub fn region(&self) -> &str {
        let [before, end, _] = self.ends;
        self.text.get(usize::from(before) + 1..usize::from(end)).unwrap_or_default()
    }

    /// The account segment.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    /// The last segment, e.g. `sdkappid/1400000001`.
    #[must_use]
    pub fn resource(&self) -> &str {
        let [_, _, before] = self.ends;
        self.text.get(usize::from(before) + 1..).unwrap_or_default()
    }

    /// The id of the app this names, when its last segment is `sdkappid/<number>`.
    #[must_use]
    pub fn sdkappid(&self) -> Option<u64> {
        sdkappid(self.resource())
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

impl AccountPattern {
    /// Whether it matches a request's account segment, as seen from `home` (rules ).
    #[must_use]
    pub fn matches(self, account: Account, home: &Owner) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => match (one.owner_uin(home), account.owner_uin(home)) {
                (Some(policy), Some(request)) => policy == request,
                (None, None) => one == account,
                _ => false,
            },
        }
    }
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
    pub fn matches(&self, name: ResourceRef<'_>, variables: &Variables) -> bool {
        let Some(segments) = &self.segments else { return true };
        segments.service.matches(name.service())
            && segments.region.matches(name.region())
            && segments.account.matches(name.account(), &variables.owner)
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
            assert_eq!(Ok(name.by_ref()), ResourceRef::parse(name.text()));
            assert_eq!(parsed.matches(name.by_ref(), &VARIABLES), expected, "{pattern} on {name}");
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
