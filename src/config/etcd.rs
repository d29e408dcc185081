//! `etcd:…` as a store, and `[etcd]` of the configuration: how the cluster is reached.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Hidden, InvalidSettings};

/// Most members that are named: clusters have three, five or seven.
const MEMBERS_MAX: usize = 16;
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
}

impl Default for RawEtcd {
    fn default() -> Self {
        Self {
            prefix: "camgate".into(),
            user: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
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
        let identity_files = match (self.certificate_file, self.key_file) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return refuse(
                    "set both `etcd.certificate_file` and `etcd.key_file`, or neither".into(),
                );
            }
        };
        Ok(EtcdSettings { prefix: self.prefix, user, ca_file: self.ca_file, identity_files })
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
    fn members_are_urls_of_hosts() {
        assert_eq!(members("http://a:1,https://b:2").unwrap(), ["http://a:1", "https://b:2"]);
        assert_eq!(members("http://[::1]:2379").unwrap(), ["http://[::1]:2379"]);
        for text in ["", "a:1", "http://", "http://a:1,", "http://a:1/x", "http://u:p@a:1"] {
            assert!(members(text).is_err(), "{text}");
        }
        assert!(members(&["http://a:1"; 17].join(",")).is_err());
    }
}
