//! Protected aliases: they move only after an approval.

use serde_json::json;
use tidemill_core::{Code, Failure, Properties};
use tidemill_metadata::{Approval, ApprovalFilter, ApprovalState, MetadataStore, ModelVersion, NewApproval, RunId};

/// Approvals that are searched for one of a model.
const APPROVALS_MAX: usize = 10_000;
/// The pipeline of approvals that a command asks for.
const COMMAND: &str = "registry";

/// Which aliases move only after an approval, as the settings have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AliasPolicy {
    /// `MODEL@ALIAS`, or `@ALIAS` for every model.
    pub protected: Vec<String>,
    /// Whoever asks for the move cannot approve it.
    pub not_author: bool,
}

/// A move of an alias that is asked for.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "plain data")]
pub struct AliasRequest<'a> {
    pub model: &'a str,
    pub alias: &'a str,
    pub version: u64,
    /// Digest of the version's package.
    pub digest: &'a str,
    /// Facts about the version.
    pub properties: &'a Properties,
    /// The pipeline and step that ask; none for a person.
    pub step: Option<(&'a str, &'a str)>,
    pub run_id: Option<&'a RunId>,
    pub author: Option<&'a str>,
}

impl AliasPolicy {
    /// Whether the alias is protected.
    pub fn protects(&self, model: &str, alias: &str) -> bool {
        let name = format!("{model}@{alias}");
        self.protected.iter().any(|protected| *protected == name || protected.strip_prefix('@') == Some(alias))
    }

    /// The approval that the move still lacks: asked for now, unless it was before. `None` if the alias may move.
    ///
    /// Any approval of the same bytes counts: that of an `Approval` step, and an earlier one, so that a rollback to an
    /// approved version needs none. A model that was rejected stays so.
    pub async fn missing(
        &self,
        metadata: &dyn MetadataStore,
        request: AliasRequest<'_>,
    ) -> Result<Option<Approval>, Failure> {
        let AliasRequest { model, alias, version, digest, .. } = request;
        if !self.protects(model, alias) {
            return Ok(None);
        }
        metadata.expire_approvals(jiff::Timestamp::now()).await?;
        let known = metadata.approvals(&ApprovalFilter::default(), APPROVALS_MAX).await?;
        if known.iter().any(|approval| approval.subject == digest && approval.state == ApprovalState::Approved) {
            return Ok(None);
        }
        let name = format!("{model}@{alias}");
        let (pipeline, step) = request.step.unwrap_or((COMMAND, &name));
        let numbers = request.properties.iter().filter(|(_, value)| value.is_number());
        let metrics: serde_json::Map<_, _> =
            numbers.map(|(name, value)| (name.clone(), json!({ "now": value }))).collect();
        let new = NewApproval {
            pipeline: pipeline.to_owned(),
            step: step.to_owned(),
            subject: digest.to_owned(),
            run_id: request.run_id.cloned(),
            expires_at: None,
            on_timeout: ApprovalState::Rejected,
            author: request.author.map(str::to_owned),
            approvers: Vec::new(),
            not_author: self.not_author,
            context: json!({
                "question": format!("Move {name} to version {version}?"),
                "model": digest,
                "metrics": metrics,
                "look": [format!("tidemill model show {model}:{version}"), format!("tidemill models {model}")],
            }),
        };
        Ok(Some(metadata.request_approval(new).await?))
    }

    /// Rejects the move of an alias to a version that `author` asks for, if an approval is missing. The approval is asked for.
    pub async fn require_for(
        &self,
        metadata: &dyn MetadataStore,
        alias: &str,
        version: &ModelVersion,
        author: &str,
    ) -> Result<(), Failure> {
        let artifact = metadata.artifact(version.artifact_id.as_str()).await?;
        let request = AliasRequest {
            model: &version.model,
            alias,
            version: version.version,
            digest: artifact.digest.as_str(),
            properties: &version.properties,
            step: None,
            run_id: None,
            author: Some(author),
        };
        self.require(metadata, request).await
    }

    /// Rejects a move by a person that lacks an approval. The approval is asked for.
    async fn require(&self, metadata: &dyn MetadataStore, request: AliasRequest<'_>) -> Result<(), Failure> {
        let name = format!("{}@{}", request.model, request.alias);
        let Some(approval) = self.missing(metadata, request).await? else { return Ok(()) };
        let (id, version) = (approval.id.short(), request.version);
        if approval.state == ApprovalState::Rejected {
            let by = approval.decided_by.unwrap_or_default();
            let message = format!("{name} does not move to version {version}: {by} rejected it");
            return Err(
                Failure::new(Code::NotApproved, message).with_hint(format!("`tidemill approvals show {id}` shows why"))
            );
        }
        let message = format!("{name} is protected: approval {id} to move it to version {version} was requested");
        Err(Failure::new(Code::NotApproved, message)
            .with_hint(format!("after `tidemill approvals approve {id}`, give the same command again")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_protected_for_one_model_or_for_all() {
        let policy = AliasPolicy { protected: vec!["taxi@champion".into(), "@live".into()], not_author: false };
        assert!(policy.protects("taxi", "champion") && policy.protects("churn", "live"));
        assert!(!policy.protects("churn", "champion") && !policy.protects("taxi", "canary"));
    }
}
