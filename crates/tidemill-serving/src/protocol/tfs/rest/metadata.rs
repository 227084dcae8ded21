//! The status and metadata calls.

use serde_json::{Map, Value, json};
use tidemill_core::TensorView;
use tidemill_model::{Dimension, TensorInfo};

use crate::inference::signature::TargetSignature;
use crate::models::versions::{VersionState, VersionStatus};
use crate::protocol::tfs::signature;

/// The body of a status answer.
pub(crate) fn status(versions: &[VersionStatus]) -> Value {
    let version = |status: &VersionStatus| {
        let failed = status.state == VersionState::End && status.error.is_some();
        json!({
            "version": status.version.to_string(),
            "state": status.state.name(),
            "status": {
                "error_code": if failed { "UNKNOWN" } else { "OK" },
                "error_message": status.error.as_deref().unwrap_or_default(),
            },
        })
    };
    json!({ "model_version_status": versions.iter().map(version).collect::<Vec<_>>() })
}

/// The body of a metadata answer.
pub(crate) fn metadata(target: &TargetSignature) -> Value {
    let signature = &target.tensors;
    let version = target.version.map(|version| version.to_string()).unwrap_or_default();
    let definitions: Map<String, Value> = signature::signatures(target)
        .into_iter()
        .map(|(name, method)| {
            let (inputs, outputs) = match &target.graph {
                Some(ports) if method == signature::Method::Predict => {
                    (ports_of(&ports.inputs), ports_of(&ports.outputs))
                }
                _ => (tensors(&signature.input_tensors()), tensors(&signature.output_tensors())),
            };
            let definition = json!({
                "inputs": inputs,
                "outputs": outputs,
                "method_name": method.name(),
                "defaults": {},
            });
            (name.to_owned(), definition)
        })
        .collect();
    json!({
        "model_spec": { "name": target.name, "signature_name": "", "version": version },
        "metadata": { "signature_def": { "signature_def": definitions } },
    })
}

/// The tensors that the file of a model declares.
fn ports_of(infos: &[TensorInfo]) -> Map<String, Value> {
    let tensor = |info: &TensorInfo| {
        let name = |dimension: &Dimension| match dimension {
            Dimension::Named(name) => name.clone(),
            Dimension::Fixed(_) | Dimension::Open => String::new(),
        };
        let dims: Vec<Value> = (info.shape.iter().flatten())
            .map(|dimension| json!({ "size": dimension.size().to_string(), "name": name(dimension) }))
            .collect();
        json!({
            "dtype": info.element.tf_name(),
            "tensor_shape": { "dim": dims, "unknown_rank": info.shape.is_none() },
            "name": format!("{}:0", info.name),
        })
    };
    infos.iter().map(|info| (info.name.clone(), tensor(info))).collect()
}

fn tensors(specs: &[TensorView<'_>]) -> Map<String, Value> {
    let tensor = |spec: &TensorView<'_>| {
        let sizes = spec.shape().into_iter();
        let dims: Vec<Value> = sizes.map(|size| json!({ "size": size.to_string(), "name": "" })).collect();
        json!({
            "dtype": spec.datatype.tf_name(),
            "tensor_shape": { "dim": dims, "unknown_rank": false },
            "name": format!("{}:0", spec.name),
        })
    };
    specs.iter().map(|spec| (spec.name.to_owned(), tensor(spec))).collect()
}
