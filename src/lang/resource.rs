//! Six-segment resource names, and the resource patterns of statements (rules ).

use std::fmt;

use super::action::is_service;
use super::chars::{self, REGION, SERVICE};
use super::id;
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
    account: Account,
    /// Where service, region and account end in the text, in bytes.
    ends: [u16; 3],
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
    if !is_content(resource) {
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

/// Whether a text can be a last segment (rule R-12).
#[inline]
fn is_content(text: &str) -> bool {
    !text.is_empty() && (chars::is_plain(text.as_bytes()) || !text.chars().any(char::is_control))
}

/// The length of `uin/` and `uid/`.
const ACCOUNT_PREFIX_BYTES: usize = 4;

fn is_region(text: &str) -> bool {
    chars::all(text.as_bytes(), REGION)
}

/// An account segment that begins at this place, and where it ends.
#[inline]
fn account_at(bytes: &[u8], start: usize) -> Option<(Account, usize)> {
    let number = start + ACCOUNT_PREFIX_BYTES;
    match bytes.get(start..number) {
        Some(b"uin/") => match bytes.get(number) {
            None | Some(b':') => Some((Account::Empty, number)),
            Some(_) => id::at(bytes, number).map(|(uin, end)| (Account::Uin(uin), end)),
        },
        Some(b"uid/") => id::at(bytes, number).map(|(id, end)| (Account::AppId(id), end)),
        _ => Some((Account::Empty, start)),
    }
}

/// A whole account segment.
fn parse_account(text: &str) -> Option<Account> {
    let (account, end) = account_at(text.as_bytes(), 0)?;
    (end == text.len()).then_some(account)
}

/// A resource name; none when it is none.
#[inline]
fn read(text: &str) -> Option<ResourceRef<'_>> {
    let bytes = text.as_bytes();
    // rule R-04: no project
    if bytes.len() > RESOURCE_BYTES_MAX || !bytes.starts_with(b"qcs::") {
        return None;
    }
    let service = chars::end(bytes, SERVICE_START, SERVICE);
    let region = chars::end(bytes, service + 1, REGION);
    let (account, end) = account_at(bytes, region + 1)?;
    let is_colon = |at: usize| bytes.get(at) == Some(&b':');
    if !is_colon(service) || !is_colon(region) || !is_colon(end) {
        return None;
    }
    // The limit is far below 2^16.
    let ends =
        [u16::try_from(service).ok()?, u16::try_from(region).ok()?, u16::try_from(end).ok()?];
    let name = ResourceRef { text, account, ends };
    is_content(name.resource()).then_some(name)
}

/// What is wrong with a text that is no resource name.
#[cold]
fn fault_of(text: &str) -> ResourceFault {
    let Segments { service, region, account, resource: _ } = match split(text) {
        Ok(segments) => segments,
        Err(fault) => return fault,
    };
    if !service.is_empty() && !is_service(service) {
        return ResourceFault::Service(service.to_owned());
    }
    if !is_region(region) {
        return ResourceFault::Region(region.to_owned());
    }
    ResourceFault::Account(account.to_owned())
}

impl<'a> ResourceRef<'a> {
    /// Reads a six-segment name; allocates nothing.
    ///
    /// # Errors
    /// What is wrong with the text; the bare `*` is no resource name.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Self, ResourceFault> {
        read(text).ok_or_else(|| fault_of(text))
    }

    /// The name as it was given.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The service segment, perhaps empty.
    #[inline]
    #[must_use]
    pub fn service(self) -> &'a str {
        let [end, _, _] = self.ends;
        self.text.get(SERVICE_START..usize::from(end)).unwrap_or_default()
    }

    /// The region segment, perhaps empty.
    #[inline]
    #[must_use]
    pub fn region(self) -> &'a str {
        let [before, end, _] = self.ends;
        self.text.get(usize::from(before) + 1..usize::from(end)).unwrap_or_default()
    }

    /// The account segment.
    #[must_use]
    pub fn account(self) -> Account {
        self.account
    }

    /// The last segment, e.g. `sdkappid/1400000001`.
    #[inline]
    #[must_use]
    pub fn resource(self) -> &'a str {
        let [_, _, before] = self.ends;
        self.text.get(usize::from(before) + 1..).unwrap_or_default()
    }

    /// The id of the app this names, when its last segment is `sdkappid/<number>`.
    #[must_use]
    pub fn sdkappid(self) -> Option<u64> {
        sdkappid(self.resource())
    }
}

/// The id in a last segment that is `sdkappid/<number>`.
#[inline]
#[must_use]
pub fn sdkappid(segment: &str) -> Option<u64> {
    let digits = segment.as_bytes().strip_prefix(b"sdkappid/")?;
    id::read(digits)
}

impl ResourceName {
    /// Reads a six-segment name.
    ///
    /// # Errors
    /// As [`ResourceRef::parse`].
    pub fn parse(text: &str) -> Result<Self, ResourceFault> {
        let ResourceRef { text, account, ends } = ResourceRef::parse(text)?;
        Ok(Self { text: text.into(), account, ends })
    }

    /// The name, borrowed.
    #[must_use]
    pub fn by_ref(&self) -> ResourceRef<'_> {
        ResourceRef { text: &self.text, account: self.account, ends: self.ends }
    }

    /// The name as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The service segment, perhaps empty.
    #[must_use]
    pub fn service(&self) -> &str {
        self.by_ref().service()
    }

    /// The region segment, perhaps empty.
    #[must_use]
    pub fn region(&self) -> &str {
        self.by_ref().region()
    }

    /// The account segment.
    #[must_use]
    pub fn account(&self) -> Account {
        self.account
    }

    /// The last segment, e.g. `sdkappid/1400000001`.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.by_ref().resource()
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

    #[test]
    fn a_name_is_read_when_nothing_is_wrong_with_it() {
        // rules
        let table = [
            ("qcs", ResourceFault::Segments(1)),
            ("qcs::im::uin/1", ResourceFault::Segments(5)),
            ("QCS::im:::x", ResourceFault::NotQcs("QCS".into())),
            ("qcs:7:im:::x", ResourceFault::Project("7".into())),
            ("qcs::IM:::x", ResourceFault::Service("IM".into())),
            ("qcs::im:Gz::x", ResourceFault::Region("Gz".into())),
            ("qcs::im::uin/01:x", ResourceFault::Account("uin/01".into())),
            ("qcs::im::uid/:x", ResourceFault::Account("uid/".into())),
            ("qcs::im::uin/18446744073709551616:x", {
                ResourceFault::Account("uin/18446744073709551616".into())
            }),
            ("qcs::im:::", ResourceFault::Content),
            ("qcs::im:::\u{85}", ResourceFault::Content),
        ];
        for (text, fault) in table {
            assert_eq!(ResourceRef::parse(text), Err(fault), "{text}");
        }
        let most = ResourceRef::parse("qcs::im::uin/18446744073709551615:群组").unwrap();
        assert_eq!((most.account(), most.resource()), (Account::Uin(u64::MAX), "群组"));
        let bare = ResourceRef::parse("qcs::::uin/:x:y").unwrap();
        assert_eq!((bare.account(), bare.service(), bare.resource()), (Account::Empty, "", "x:y"));
    }

    proptest::proptest! {
        /// `read` looks once over the text; `split` and the rest look segment by segment.
        #[test]
        fn quick_reading_reads_the_same(
            text in "(qcs:|qcs:|qcs:|)(:|:|:|x)(im|i_1|I|)(:|:|:|_)(gz|\\*|)(:|:|:|)\
                (uin/|uid/|uin/|u)?([1-9][0-9]{0,20}|0?[0-9]{0,3})(:|:|:|)[:a-z群\u{7}0-9/]{0,12}"
        ) {
            let slowly = split(&text).ok().filter(|it| {
                (it.service.is_empty() || is_service(it.service)) && is_region(it.region)
            });
            let slowly = slowly.and_then(|it| Some((it, parse_account(it.account)?)));
            let quickly = read(&text);
            proptest::prop_assert_eq!(quickly.is_some(), slowly.is_some());
            if let (Some(name), Some((segments, account))) = (quickly, slowly) {
                proptest::prop_assert_eq!(name.service(), segments.service);
                proptest::prop_assert_eq!(name.region(), segments.region);
                proptest::prop_assert_eq!(name.account(), account);
                proptest::prop_assert_eq!(name.resource(), segments.resource);
            }
        }
    }
}
