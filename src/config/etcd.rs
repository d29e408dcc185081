//! `etcd:…` as a store, and `[etcd]` of the configuration: how the cluster is reached.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::tls::pair;
use super::{Hidden, InvalidSettings};

/// Most members that are named: clusters have three, five or seven.
const MEMBERS_MAX: usize = 16;
/// How old answers may be allowed to be: longer than an election takes, shorter than a day.
const STALENESS_MS: RangeInclusive<u64> = 3_000..=86_400_000;
/// Longest prefix of the keys, in bytes.
const PREFIX_BYTES_MAX: usize = 64;

/// The table as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEtcd {
    prefix: String,
    user: Option<String>,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    staleness_max_ms: u64,
}

impl Default for RawEtcd {
    fn default() -> Self {
        Self {
            prefix: "camgate".into(),
            user: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            staleness_max_ms: 60_000,
        }
    }
}

/// How a cluster is reached: the keys of `[etcd]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// What the keys of this store begin with.
    pub prefix: String,
    /// The user, and the password that only the environment says.
    pub user: Option<(String, Hidden)>,
    /// The file with the certificate of who signs the members' certificates.
    pub ca_file: Option<PathBuf>,
    /// The files with this client's certificate and key.
    pub identity_files: Option<(PathBuf, PathBuf)>,
    /// How old an answer may be when the cluster does not answer, in milliseconds.
    pub staleness_max_ms: u64,
}

impl RawEtcd {
    /// The settings; the password is the environment's.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub(super) fn settings(
        self,
        password: Option<&Hidden>,
    ) -> Result<EtcdSettings, InvalidSettings> {
        let refuse = |text: String| Err(InvalidSettings(text));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if self.prefix.is_empty()
            || self.prefix.len() > PREFIX_BYTES_MAX
            || !self.prefix.bytes().all(is_plain)
        {
            return refuse(format!(
                "`etcd.prefix` is `{}`, expected 1 to {PREFIX_BYTES_MAX} letters, digits, `-`, `_` \
                 and `.`",
                self.prefix
            ));
        }
        let user = match (self.user, password) {
            (Some(user), Some(password)) => Some((user, password.clone())),
            (None, None) => None,
            (Some(user), None) => {
                return refuse(format!(
                    "`etcd.user` is `{user}`, and CAMGATE_ETCD_PASSWORD is not set: set both"
                ));
            }
            (None, Some(_)) => {
                return refuse(
                    "CAMGATE_ETCD_PASSWORD is set, and `etcd.user` is not: set both".into(),
                );
            }
        };
        let identity_files = pair("etcd", self.certificate_file, self.key_file)?;
        let staleness_max_ms = self.staleness_max_ms;
        if !STALENESS_MS.contains(&staleness_max_ms) {
            let (least, most) = (STALENESS_MS.start(), STALENESS_MS.end());
            return refuse(format!(
                "`etcd.staleness_max_ms` is {staleness_max_ms}, accepted are {least} to {most}"
            ));
        }
        let Self { prefix, ca_file, .. } = self;
        Ok(EtcdSettings { prefix, user, ca_file, identity_files, staleness_max_ms })
    }
}

/// The members in `http://h1:2379,http://h2:2379`.
///
/// # Errors
/// When there is none, too many, or one is no such URL.
pub(super) fn members(text: &str) -> Result<Vec<String>, InvalidSettings> {
    let members: Vec<String> = text.split(',').map(|it| it.trim().to_owned()).collect();
    if members.len() > MEMBERS_MAX {
        let actual = members.len();
        return Err(InvalidSettings(format!(
            "`store` names {actual} members of an etcd cluster, at most {MEMBERS_MAX} are accepted"
        )));
    }
    let is_url = |member: &&String| {
        let rest = member.strip_prefix("http://").or_else(|| member.strip_prefix("https://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '@', ' ']))
    };
    match members.iter().find(|member| !is_url(member)) {
        Some(member) => Err(InvalidSettings(format!(
            "`store` has the etcd member `{member}`, expected a URL such as `http://127.0.0.1:2379`"
        ))),
        None => Ok(members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staleness_has_its_bounds() {
        let settings =
            |staleness_max_ms| RawEtcd { staleness_max_ms, ..RawEtcd::default() }.settings(None);
        assert_eq!(RawEtcd::default().settings(None).unwrap().staleness_max_ms, 60_000);
        for ms in [3_000, 86_400_000] {
            assert_eq!(settings(ms).unwrap().staleness_max_ms, ms);
        }
        for ms in [0, 2_999, 86_400_001] {
            let told = settings(ms).unwrap_err().to_string();
            assert!(told.contains("`etcd.staleness_max_ms`") && told.contains("3000"), "{told}");
        }
    }

    #[test]
    fn members_are_urls_of_hosts() {
        assert_eq!(members("http://a:1,https://b:2").unwrap(), ["http://a:1", "https://b:2"]);
        assert_eq!(members("http://[::1]:2379").unwrap(), ["http://[::1]:2379"]);
        for text in ["", "a:1", "http://", "http://a:1,", "http://a:1/x", "http://u:p@a:1"] {
            assert!(members(text).is_err(), "{text}");
        }
        assert!(members(&["http://a:1"; 17].join(",")).is_err());
    }
}
