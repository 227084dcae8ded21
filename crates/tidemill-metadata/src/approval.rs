//! Approvals: questions that a person decides.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{StoreError, unknown_state};
use crate::{ApprovalId, RunId};

/// The state of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ApprovalState {
    /// Nobody has decided.
    Waiting,
    /// Yes.
    Approved,
    /// No.
    Rejected,
}

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Approved, Self::Rejected];

    /// The name used in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(|| unknown_state("approval", name))
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A question that a person decides, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The pipeline that asks.
    pub pipeline: String,
    /// The step that asks.
    pub step: String,
    /// What is to be approved: the digest of an artifact.
    pub subject: String,
    /// The run that asked first.
    pub run_id: Option<RunId>,
    /// Its state.
    pub state: ApprovalState,
    /// When it was asked.
    #[serde(with = "crate::millis")]
    pub requested_at: Timestamp,
    /// When it is decided without a person.
    #[serde(with = "crate::millis::option")]
    pub expires_at: Option<Timestamp>,
    /// The decision then.
    pub on_timeout: ApprovalState,
    /// Who started the run that asked.
    pub author: Option<String>,
    /// Who may decide; everybody if empty.
    pub approvers: Vec<String>,
    /// The author may not decide.
    pub not_author: bool,
    /// What to decide on: metrics, differences, commands that show more.
    pub context: Value,
    /// When it was decided.
    #[serde(with = "crate::millis::option")]
    pub decided_at: Option<Timestamp>,
    /// Who decided; `time-out` if nobody did.
    pub decided_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A question to be asked.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields of `Approval`")]
pub struct NewApproval {
    pub pipeline: String,
    pub step: String,
    pub subject: String,
    pub run_id: Option<RunId>,
    pub expires_at: Option<Timestamp>,
    pub on_timeout: ApprovalState,
    pub author: Option<String>,
    pub approvers: Vec<String>,
    pub not_author: bool,
    pub context: Value,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// APPROVED or REJECTED.
    pub state: ApprovalState,
    /// Who decides.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

/// Which approvals to list. The default lists all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovalFilter {
    /// Only those of this pipeline.
    pub pipeline: Option<String>,
    /// Only those in this state.
    pub state: Option<ApprovalState>,
}

/// Name recorded for a decision by time-out.
pub(crate) const TIME_OUT: &str = "time-out";

/// The record of approvals.
#[async_trait]
pub trait ApprovalLog: Send + Sync {
    /// Asks a question, unless the step has asked it about the same subject: then returns the earlier one, decided or
    /// not.
    async fn request_approval(&self, new: NewApproval) -> Result<Approval, StoreError>;

    /// The approval with this id, or the only one whose id begins with it.
    async fn approval(&self, spec: &str) -> Result<Approval, StoreError>;

    /// Approvals that the filter admits, newest first.
    async fn approvals(&self, filter: &ApprovalFilter, limit: usize) -> Result<Vec<Approval>, StoreError>;

    /// Decides. [`StoreError::Denied`] if this person may not, [`StoreError::Decided`] if it was decided before.
    async fn decide(&self, id: &ApprovalId, decision: Decision) -> Result<Approval, StoreError>;

    /// Decides every approval whose time is up at `now`. Returns them.
    async fn expire_approvals(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError>;
}
