//! Quotas: how many of everything an account may have (spec section 5).
//!
//! Configuration with the documented numbers as defaults. A value that is over a quota which was
//! lowered later stays; only growing is refused.

use super::error::DirectoryError;

/// How many of everything, and how long. Each field is the greatest accepted number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// Sub-accounts in one account, all kinds together (598/10609).
    pub sub_accounts_per_account_max: usize,
    /// User groups in one account (598/10609).
    pub groups_per_account_max: usize,
    /// Groups that one sub-account is in (598/10609).
    pub groups_per_user_max: usize,
    /// Sub-accounts in one group (598/10609).
    pub users_per_group_max: usize,
    /// Accounts that one collaborator belongs to (598/10609).
    pub accounts_per_collaborator_max: usize,
    /// Custom policies in one account (598/10609).
    pub policies_per_account_max: usize,
    /// Policies attached directly to one user or group (598/10609).
    pub attachments_per_target_max: usize,
    /// Versions of one policy (598/37301).
    pub versions_per_policy_max: usize,
    /// Apps in one account (design section 3).
    pub apps_per_account_max: usize,
    /// Tags on one app (spec section 5).
    pub tags_per_app_max: usize,
    /// Roles in one account (598/10609).
    pub roles_per_account_max: usize,
    /// Access keys of one root or sub-account (spec section 5).
    pub access_keys_per_holder_max: usize,
    /// Tags on one custom policy (spec section 5).
    pub tags_per_policy_max: usize,
    /// Tags on one role (spec section 5).
    pub tags_per_role_max: usize,
    /// Seconds of a role's longest session (spec section 5).
    pub role_session_seconds_max: usize,
    /// Characters in the name of a policy (spec section 5).
    pub policy_name_chars_max: usize,
    /// Characters in the name of a sub-account or a group (spec section 5).
    pub name_chars_max: usize,
    /// Characters in the name of a role (spec section 5).
    pub role_name_chars_max: usize,
    /// Characters in the name of an app.
    pub app_name_chars_max: usize,
    /// Bytes in the description of a policy or a role (spec section 5).
    pub description_bytes_max: usize,
    /// Characters in the description of an access key (spec section 5).
    pub key_description_chars_max: usize,
    /// Characters in a phone number.
    pub phone_num_chars_max: usize,
    /// Characters in the country code of a phone number.
    pub country_code_chars_max: usize,
    /// Characters in an e-mail address.
    pub email_chars_max: usize,
    /// Bytes in the remark of a sub-account or a group (spec section 5).
    pub remark_bytes_max: usize,
    /// Characters in the key of a tag (spec section 5).
    pub tag_key_chars_max: usize,
    /// Characters in the value of a tag (spec section 5).
    pub tag_value_chars_max: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            sub_accounts_per_account_max: 1_000,
            groups_per_account_max: 300,
            groups_per_user_max: 10,
            users_per_group_max: 100,
            accounts_per_collaborator_max: 10,
            policies_per_account_max: 1_500,
            attachments_per_target_max: 200,
            versions_per_policy_max: 5,
            apps_per_account_max: 300,
            tags_per_app_max: 50,
            roles_per_account_max: 1_000,
            access_keys_per_holder_max: 2,
            tags_per_policy_max: 50,
            tags_per_role_max: 50,
            role_session_seconds_max: 43_200,
            policy_name_chars_max: 128,
            name_chars_max: 64,
            role_name_chars_max: 128,
            app_name_chars_max: 64,
            description_bytes_max: 300,
            key_description_chars_max: 1_024,
            phone_num_chars_max: 32,
            country_code_chars_max: 8,
            email_chars_max: 254,
            remark_bytes_max: 300,
            tag_key_chars_max: 128,
            tag_value_chars_max: 256,
        }
    }
}

/// Which quota was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// Sub-accounts in one account.
    SubAccountsPerAccount,
    /// Groups in one account.
    GroupsPerAccount,
    /// Groups of one sub-account.
    GroupsPerUser,
    /// Sub-accounts in one group.
    UsersPerGroup,
    /// Accounts of one collaborator.
    AccountsPerCollaborator,
    /// Custom policies in one account.
    PoliciesPerAccount,
    /// Policies attached to one user.
    AttachmentsPerUser,
    /// Policies attached to one group.
    AttachmentsPerGroup,
    /// Versions of one policy.
    VersionsPerPolicy,
    /// Apps in one account.
    AppsPerAccount,
    /// Tags on one app.
    TagsPerApp,
    /// Tags on one custom policy.
    TagsPerPolicy,
    /// Tags on one role.
    TagsPerRole,
    /// Policies attached to one role.
    AttachmentsPerRole,
    /// Roles in one account.
    RolesPerAccount,
    /// Access keys of one root or sub-account.
    AccessKeysPerHolder,
}

impl Quota {
    /// What is counted, for messages: `sub-accounts in the account`.
    #[must_use]
    pub fn counted(self) -> &'static str {
        match self {
            Self::SubAccountsPerAccount => "sub-accounts in the account",
            Self::GroupsPerAccount => "groups in the account",
            Self::GroupsPerUser => "groups of the sub-account",
            Self::UsersPerGroup => "sub-accounts in the group",
            Self::AccountsPerCollaborator => "accounts of the collaborator",
            Self::PoliciesPerAccount => "custom policies in the account",
            Self::AttachmentsPerUser => "policies attached to the user",
            Self::AttachmentsPerGroup => "policies attached to the group",
            Self::VersionsPerPolicy => "versions of the policy",
            Self::AppsPerAccount => "apps in the account",
            Self::TagsPerApp => "tags on the app",
            Self::TagsPerPolicy => "tags on the policy",
            Self::TagsPerRole => "tags on the role",
            Self::AttachmentsPerRole => "policies attached to the role",
            Self::RolesPerAccount => "roles in the account",
            Self::AccessKeysPerHolder => "access keys of one holder",
        }
    }

    /// The CAM error code (spec 9.5).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::SubAccountsPerAccount => "InvalidParameter.SubUserFull",
            Self::GroupsPerAccount => "InvalidParameter.GroupFull",
            Self::GroupsPerUser => "InvalidParameter.UserGroupFull",
            Self::UsersPerGroup => "InvalidParameter.GroupUserFull",
            Self::AttachmentsPerUser | Self::AttachmentsPerGroup | Self::AttachmentsPerRole => {
                "InvalidParameter.AttachmentFull"
            }
            Self::RolesPerAccount => "InvalidParameter.RoleFull",
            Self::AccessKeysPerHolder => "OperationDenied.AccessKeyOverLimit",
            Self::PoliciesPerAccount => "FailedOperation.PolicyFull",
            Self::VersionsPerPolicy => "FailedOperation.PolicyVersionFull",
            Self::TagsPerApp | Self::TagsPerPolicy | Self::TagsPerRole => {
                "InvalidParameter.TagLimitExceeded"
            }
            Self::AccountsPerCollaborator | Self::AppsPerAccount => "LimitExceeded",
        }
    }

    /// Accepts `actual` of at most `limit`.
    ///
    /// # Errors
    /// [`DirectoryError::QuotaExceeded`] with both numbers.
    pub fn check(self, limit: usize, actual: usize) -> Result<(), DirectoryError> {
        if actual > limit {
            return Err(DirectoryError::QuotaExceeded { quota: self, limit, actual });
        }
        Ok(())
    }
}
