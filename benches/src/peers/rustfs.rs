//! rustfs-policy knows the actions and resources of an object store only, so each action of the
//! workload stands for one of its own, and each app for a bucket.

use std::collections::HashMap;

use rustfs_policy::policy::action::Action;
use rustfs_policy::policy::{Args, Policy};
use serde_json::Value;

use super::iam_rs::aws;
use super::{Asked, of_sets};
use crate::workload::{ACTIONS, Question, Workload};

/// As many actions of the object store as the workload has, all about single objects or buckets.
const OWN: [&str; ACTIONS] = [
    "AbortMultipartUpload",
    "CreateBucket",
    "DeleteBucket",
    "ForceDeleteBucket",
    "DeleteBucketPolicy",
    "DeleteObject",
    "GetBucketLocation",
    "GetBucketNotification",
    "GetBucketPolicy",
    "GetObject",
    "GetObjectAttributes",
    "HeadBucket",
    "ListAllMyBuckets",
    "ListBucket",
    "GetBucketPolicyStatus",
    "ListBucketVersions",
    "ListBucketMultipartUploads",
    "ListenNotification",
    "ListenBucketNotification",
    "ListMultipartUploadParts",
    "PutBucketLifecycle",
    "GetBucketLifecycle",
    "PutBucketNotification",
    "PutBucketPolicy",
    "PutObject",
    "DeleteObjectVersion",
    "DeleteObjectVersionTagging",
    "GetObjectVersion",
    "GetObjectVersionTagging",
    "PutObjectVersionTagging",
    "BypassGovernanceRetention",
    "PutObjectRetention",
    "GetObjectRetention",
    "GetObjectLegalHold",
    "PutObjectLegalHold",
    "GetBucketObjectLockConfiguration",
    "PutBucketObjectLockConfiguration",
    "GetBucketTagging",
    "PutBucketTagging",
    "GetObjectTagging",
];

fn own(action: usize) -> String {
    format!("s3:{}", OWN[action])
}

pub fn prepare(workload: &Workload, questions: &[Question]) -> Asked {
    let policies = of_sets(questions, |set| {
        let policies = workload.sets[set].iter().map(|policy| {
            let json = aws(workload, *policy, |app| format!("arn:aws:s3:::app-{app}/*"), own);
            // Its types read borrowed text, so not from a `Value`.
            serde_json::from_str::<Policy>(&json).expect("a policy")
        });
        Policy::merge_policies(policies.collect())
    });
    let asked: Vec<(usize, [String; 2])> = questions
        .iter()
        .map(|it| (it.set, [own(it.action_at), format!("app-{}", it.app)]))
        .collect();
    let mut conditions: HashMap<String, Vec<String>> = HashMap::new();
    if workload.has_conditions {
        conditions.insert("SourceIp".to_owned(), vec!["10.1.2.3".to_owned()]);
        conditions.insert("UserAgent".to_owned(), vec!["prod".to_owned()]);
    }
    let claims: HashMap<String, Value> = HashMap::new();
    Box::new(move |at| {
        let (set, [action, bucket]) = &asked[at];
        policies[*set].is_allowed(&Args {
            account: "caller",
            groups: &None,
            action: Action::try_from(action.as_str()).expect("an action"),
            bucket,
            conditions: &conditions,
            is_owner: false,
            object: "x",
            claims: &claims,
            deny_only: false,
        })
    })
}
