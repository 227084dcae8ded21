//! Approvals in memory.

use async_trait::async_trait;
use jiff::Timestamp;

use super::MemoryStore;
use crate::{
    Approval, ApprovalFilter, ApprovalId, ApprovalLog, ApprovalState, Decision, NewApproval, StoreError, millis, rules,
};

#[async_trait]
impl ApprovalLog for MemoryStore {
    async fn request_approval(&self, new: NewApproval) -> Result<Approval, StoreError> {
        let mut tables = self.tables();
        let same = |known: &&Approval| {
            known.pipeline == new.pipeline && known.step == new.step && known.subject == new.subject
        };
        if let Some(known) = tables.approvals.iter().find(same) {
            return Ok(known.clone());
        }
        let approval = Approval {
            id: ApprovalId::generate(),
            pipeline: new.pipeline,
            step: new.step,
            subject: new.subject,
            run_id: new.run_id,
            state: ApprovalState::Waiting,
            requested_at: millis::now(),
            expires_at: new.expires_at,
            on_timeout: new.on_timeout,
            author: new.author,
            approvers: new.approvers,
            not_author: new.not_author,
            context: new.context,
            decided_at: None,
            decided_by: None,
            reason: None,
        };
        tables.approvals.push(approval.clone());
        Ok(approval)
    }

    async fn approval(&self, spec: &str) -> Result<Approval, StoreError> {
        let tables = self.tables();
        let start = spec.to_lowercase();
        let fits = |known: &&Approval| !start.is_empty() && known.id.as_str().starts_with(&start);
        let found: Vec<Approval> = tables.approvals.iter().rev().filter(fits).cloned().collect();
        let others = tables.approvals.iter().rev().take(100).map(|known| known.id.to_string());
        rules::only("approval", spec, found, |known| known.id.to_string(), others)
    }

    async fn approvals(&self, filter: &ApprovalFilter, limit: usize) -> Result<Vec<Approval>, StoreError> {
        let admits = |known: &&Approval| {
            filter.pipeline.as_ref().is_none_or(|pipeline| known.pipeline == *pipeline)
                && filter.state.is_none_or(|state| known.state == state)
        };
        Ok(self.tables().approvals.iter().rev().filter(admits).take(limit).cloned().collect())
    }

    async fn decide(&self, id: &ApprovalId, decision: Decision) -> Result<Approval, StoreError> {
        let mut tables = self.tables();
        let found = tables.approvals.iter_mut().find(|known| known.id == *id);
        let approval = found.ok_or_else(|| StoreError::not_found("approval", id.as_str(), []))?;
        rules::check_decision(approval, &decision)?;
        write_decision(approval, decision);
        Ok(approval.clone())
    }

    async fn expire_approvals(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let mut tables = self.tables();
        let is_due = |known: &&mut Approval| {
            known.state == ApprovalState::Waiting && known.expires_at.is_some_and(|expires| expires <= now)
        };
        let expired = tables.approvals.iter_mut().filter(is_due).map(|approval| {
            write_decision(approval, rules::decision_by_time_out(approval));
            approval.clone()
        });
        Ok(expired.collect())
    }
}

fn write_decision(approval: &mut Approval, decision: Decision) {
    approval.state = decision.state;
    approval.decided_at = Some(millis::now());
    approval.decided_by = Some(decision.by);
    approval.reason = decision.reason;
}
