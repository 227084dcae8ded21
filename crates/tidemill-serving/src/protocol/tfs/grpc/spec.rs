//! The model, version and signature of a call.

use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;
use crate::models::versions::Selector;
use crate::protocol::grpc::proto::tensorflow::serving::ModelSpec;
use crate::protocol::grpc::proto::tensorflow::serving::model_spec::VersionChoice;
use crate::protocol::tfs::signature::DEFAULT as DEFAULT_SIGNATURE;

/// A parsed model specification.
#[derive(Debug)]
pub(super) struct ModelRequest {
    pub(super) model: String,
    pub(super) selector: Selector,
    /// The signature; empty for the default one.
    pub(super) signature: String,
}

impl ModelRequest {
    pub(super) fn of(spec: Option<ModelSpec>) -> Result<Self, RequestError> {
        let spec = spec.ok_or_else(|| RequestError::invalid("Missing ModelSpec"))?;
        if spec.name.is_empty() {
            return Err(RequestError::invalid("ModelSpec has no name specified."));
        }
        let selector = match spec.version_choice {
            None => Selector::Latest,
            Some(VersionChoice::VersionLabel(label)) => Selector::Label(label),
            Some(VersionChoice::Version(version)) => {
                let number = u64::try_from(version);
                let error = |_| RequestError::invalid(format!("the version {version} is below 0"));
                Selector::Version(number.map_err(error)?)
            }
        };
        Ok(Self { model: spec.name, selector, signature: spec.signature_name })
    }
}

/// The specification of the version that answered, if a version did.
pub(super) fn response_spec(target: &TargetSignature, version: Option<u64>, signature: &str) -> ModelSpec {
    ModelSpec {
        name: target.name.clone(),
        version_choice: version.map(|version| VersionChoice::Version(version as i64)),
        signature_name: if signature.is_empty() { DEFAULT_SIGNATURE.to_owned() } else { signature.to_owned() },
    }
}
