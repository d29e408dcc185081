//! Simulation: a decision with policies that are not stored.
//!
//! The account is copied, changed for one principal, compiled and asked; nothing of it outlives the
//! answer. It must never change what other questions see.

use std::sync::Arc;

use super::error::NodeError;
use super::query::{Added, BatchQuery, CheckQuery, Explained, Place};
use super::{Answer, Node};
use crate::directory::snapshot_input;
use crate::engine::{
    AccountInput, AccountSnapshot, Attachment, CompiledPolicy, NoTrace, PolicyBody, PolicyInput,
    Via, decide, explain,
};
use crate::lang;
use crate::lang::diagnostic::Diagnostic;
use crate::lang::document::DocumentKind;
use crate::lang::valid::Scope;
use crate::lang::variable::Owner;

/// The first id of policies that are not stored: beyond every id that is ever allotted.
const INLINE_ID_MIN: u64 = 1 << 63;

/// A policy that is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlinePolicy {
    /// How the answer names it.
    pub name: String,
    /// The document.
    pub document: Vec<u8>,
}

/// What would be decided if.
#[derive(Debug, Clone)]
pub struct SimulateQuery {
    /// The question.
    pub query: CheckQuery,
    /// Policies that the principal has too.
    pub policies: Vec<InlinePolicy>,
    /// Whether they replace the stored ones.
    pub replace_policies: bool,
    /// In place of the stored boundary.
    pub boundary: Option<InlinePolicy>,
    /// Policies of a session; each must allow.
    pub session: Vec<InlinePolicy>,
}

/// What would be decided, and what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// With the inline policies.
    pub simulated: Explained,
    /// Without them.
    pub stored: Answer,
    /// Findings about the inline policies that are not errors, in their order.
    pub findings: Vec<Diagnostic>,
}

/// Inline policies as the engine takes them.
struct Inline {
    next_id: u64,
    owner: Owner,
    findings: Vec<Diagnostic>,
}

impl Node {
    /// Decides with policies that are not stored.
    ///
    /// # Errors
    /// As [`Node::check`], and [`NodeError::Policy`] for a document with errors.
    pub async fn simulate(
        &self,
        batch: &mut BatchQuery,
        simulation: SimulateQuery,
    ) -> Result<Simulated, NodeError> {
        let SimulateQuery { query, policies, replace_policies, boundary, session } = simulation;
        let stored = self.check(batch, query.clone()).await?;
        let place = match self.place(batch, &query.asker).await? {
            Ok(place) => place,
            Err(nobody) => {
                let simulated = Explained { answer: nobody.answer(), explanation: None };
                return Ok(Simulated { simulated, stored, findings: Vec::new() });
            }
        };
        let owner = place.view.snapshot.owner();
        let mut inline = Inline { next_id: INLINE_ID_MIN, owner, findings: Vec::new() };
        let input = self.changed_input(&place, &mut inline, |inline, input| {
            for policy in &policies {
                input.0.push(self.inline(inline, policy)?);
            }
            if let Some(policy) = &boundary {
                input.1 = Some(self.inline(inline, policy)?);
            }
            Ok(replace_policies)
        })?;
        let mut session_policies = Vec::new();
        for policy in &session {
            let input = self.inline(&mut inline, policy)?;
            session_policies.push(Arc::new(CompiledPolicy::new(input, &self.catalog)));
        }
        let world = place.view.snapshot.world();
        let snapshot = AccountSnapshot::build(input, world, Some(&place.view.snapshot));
        let added = Added { session: session_policies, granted_by_owner: false };
        let request = self.request(&place, query, added).await?;
        let explanation = explain(&snapshot, &request);
        debug_assert_eq!(explanation.decision, decide(&snapshot, &request, &mut NoTrace));
        let answer = place.answer(explanation.decision.clone());
        let simulated = Explained { answer, explanation: Some(explanation) };
        Ok(Simulated { simulated, stored, findings: inline.findings })
    }

    /// The account's input with one principal's policies and boundary changed. `fill` gives the
    /// added policies and the boundary, and says whether the stored policies are left out.
    fn changed_input(
        &self,
        place: &Place,
        inline: &mut Inline,
        fill: impl FnOnce(
            &mut Inline,
            &mut (Vec<PolicyInput>, Option<PolicyInput>),
        ) -> Result<bool, NodeError>,
    ) -> Result<AccountInput, NodeError> {
        let shared = self.shared();
        let view = &place.view;
        let input = snapshot_input(&view.state, &shared.presets, view.last_change.0);
        let mut input = input.ok_or(NodeError::NoAccount { owner_uin: place.owner_uin })?;
        let mut added = (Vec::new(), None);
        let replaces = fill(inline, &mut added)?;
        let (policies, boundary) = added;
        if let Some(principal) = input.principals.iter_mut().find(|it| it.uin == place.principal) {
            if replaces {
                principal.attachments.clear();
            }
            principal.attachments.extend(
                policies.iter().map(|it| Attachment { policy_id: it.id, via: Via::Direct }),
            );
            if let Some(boundary) = &boundary {
                principal.boundary = Some(boundary.id);
            }
        }
        input.policies.extend(policies);
        input.policies.extend(boundary);
        Ok(input)
    }

    fn inline(&self, inline: &mut Inline, policy: &InlinePolicy) -> Result<PolicyInput, NodeError> {
        let scope = Scope {
            vocabulary: &*self.catalog,
            owner: Some(inline.owner),
            kind: DocumentKind::Identity,
        };
        let checked = lang::check(&policy.document, &scope);
        let Some(valid) = checked.policy else {
            let (name, findings) = (policy.name.clone(), checked.findings);
            return Err(NodeError::Policy { name, findings });
        };
        inline.findings.extend(checked.findings);
        let id = inline.next_id;
        inline.next_id = inline.next_id.saturating_add(1);
        Ok(PolicyInput {
            id,
            name: policy.name.as_str().into(),
            version: 1,
            body: PolicyBody::Valid(Arc::new(valid)),
        })
    }
}
