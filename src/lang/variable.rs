//! Policy variables: `${uin}`, `${owner_uin}`, `${app_id}` (rules V-01 to V-03).

/// A variable that a policy may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variable {
    /// The caller's own uin.
    Uin,
    /// The uin of the caller's root account.
    OwnerUin,
    /// The APPID of the caller's root account.
    AppId,
}

impl Variable {
    /// All variables, in the order of the manual.
    pub const ALL: [Self; 3] = [Self::Uin, Self::OwnerUin, Self::AppId];

    /// The name between `${` and `}`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uin => "uin",
            Self::OwnerUin => "owner_uin",
            Self::AppId => "app_id",
        }
    }

    /// The variable called `name`, compared exactly.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|variable| variable.name() == name)
    }
}

/// A root account: what an owner is called in policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The root account's uin.
    pub uin: u64,
    /// The root account's APPID, `uid/…` in resources.
    pub app_id: u64,
}

/// The values of the variables for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variables {
    /// The caller's uin.
    pub uin: u64,
    /// The caller's root account.
    pub owner: Owner,
}

impl Variables {
    /// The value of one variable; its text is the decimal number.
    #[must_use]
    pub fn value(&self, variable: Variable) -> u64 {
        match variable {
            Variable::Uin => self.uin,
            Variable::OwnerUin => self.owner.uin,
            Variable::AppId => self.owner.app_id,
        }
    }
}
