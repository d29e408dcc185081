//! Whom a trust policy's statement speaks of (rule L-08, spec 1.1), as typed names.
//!
//! Reading only: whether a caller is meant is the engine's to say.

use super::resource::{Account, ResourceName};

/// The name that stands for everybody, signed in or not.
const ANYONE: &str = "qcs::cam::anyone:anyone";

/// One principal of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TrustPrincipal {
    /// `"*"` or `qcs::cam::anyone:anyone`.
    Anyone,
    /// `…:root`: everybody of an account.
    Account {
        /// The account's uin.
        owner_uin: u64,
    },
    /// `…:uin/<n>`.
    User {
        /// The account's uin.
        owner_uin: u64,
        /// The user's uin, or the account's for its root.
        uin: u64,
    },
    /// `…:groupid/<n>`.
    Group {
        /// The account's uin.
        owner_uin: u64,
        /// The group's id.
        id: u64,
    },
    /// `…:role/<id>`.
    Role {
        /// The account's uin.
        owner_uin: u64,
        /// The role's id.
        id: u64,
    },
    /// `…:roleName/<name>`.
    RoleName {
        /// The account's uin.
        owner_uin: u64,
        /// The role's name.
        name: Box<str>,
    },
    /// A cloud service or an identity provider: nobody who calls with a key or a token.
    Elsewhere,
}

impl TrustPrincipal {
    /// Reads a name listed under `qcs`; none when it has no known form.
    #[must_use]
    pub fn parse_qcs(text: &str) -> Option<Self> {
        if text == ANYONE {
            return Some(Self::Anyone);
        }
        let (owner_uin, resource) = cam_resource(text)?;
        if resource == "root" {
            return Some(Self::Account { owner_uin });
        }
        let (kind, id) = resource.split_once('/')?;
        if kind == "roleName" {
            let is_name = !id.is_empty() && !id.contains('*');
            return is_name.then(|| Self::RoleName { owner_uin, name: id.into() });
        }
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // Digits beyond 64 bits are a known form, and nobody's number.
        let number = id.parse::<u64>().ok();
        let known = |make: fn(u64, u64) -> Self| {
            Some(number.map_or(Self::Elsewhere, |id| make(owner_uin, id)))
        };
        match kind {
            "uin" => known(|owner_uin, uin| Self::User { owner_uin, uin }),
            "groupid" => known(|owner_uin, id| Self::Group { owner_uin, id }),
            "role" => known(|owner_uin, id| Self::Role { owner_uin, id }),
            _ => None,
        }
    }
}

/// The owner and the last segment of `qcs::cam::uin/<owner>:…`.
pub(super) fn cam_resource(text: &str) -> Option<(u64, String)> {
    let name = ResourceName::parse(text).ok()?;
    let Account::Uin(owner_uin) = name.account() else { return None };
    let is_cam = name.service() == "cam" && name.region().is_empty();
    is_cam.then(|| (owner_uin, name.resource().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_read_by_their_forms() {
        let read = |last: &str| TrustPrincipal::parse_qcs(&format!("qcs::cam::uin/12:{last}"));
        let owner_uin = 12;
        assert_eq!(read("root"), Some(TrustPrincipal::Account { owner_uin }));
        assert_eq!(read("uin/7"), Some(TrustPrincipal::User { owner_uin, uin: 7 }));
        assert_eq!(read("groupid/7"), Some(TrustPrincipal::Group { owner_uin, id: 7 }));
        assert_eq!(read("role/7"), Some(TrustPrincipal::Role { owner_uin, id: 7 }));
        let name = "ops".into();
        assert_eq!(read("roleName/ops"), Some(TrustPrincipal::RoleName { owner_uin, name }));
        assert_eq!(read("uin/99999999999999999999999"), Some(TrustPrincipal::Elsewhere));
        assert_eq!(TrustPrincipal::parse_qcs(ANYONE), Some(TrustPrincipal::Anyone));
        for last in ["", "uin/", "uin/x", "uin/7 ", "roleName/o*", "policyid/7", "uin/*"] {
            assert_eq!(read(last), None, "{last}");
        }
        for text in ["*", "qcs::cvm::uin/12:root", "qcs::cam:gz:uin/12:root", "qcs::cam:::root"] {
            assert_eq!(TrustPrincipal::parse_qcs(text), None, "{text}");
        }
    }
}
