//! Metadata of the server and its models.

use serde_json::{Value, json};
use tidemill_core::TensorView;
use tidemill_model::{Dimension, TensorInfo};

use crate::inference::signature::TargetSignature;

/// The server's name.
pub(crate) const SERVER_NAME: &str = "tidemill";
/// The protocol extensions that the server supports.
pub(crate) const EXTENSIONS: [&str; 3] = ["binary_tensor_data", "model_repository", "parameters"];

/// The body of a server metadata answer.
pub(crate) fn server_metadata() -> Value {
    json!({
        "name": SERVER_NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": EXTENSIONS,
    })
}

/// The body of a model metadata response; `versions` are those that answer requests.
pub(crate) fn model_metadata(target: &TargetSignature, versions: impl Iterator<Item = u64>) -> Value {
    if let Some(ports) = &target.graph {
        let tensors = |infos: &[TensorInfo]| infos.iter().map(port).collect::<Vec<_>>();
        return json!({
            "name": target.name,
            "versions": versions.map(|version| version.to_string()).collect::<Vec<_>>(),
            "platform": target.platform,
            "inputs": tensors(&ports.inputs),
            "outputs": tensors(&ports.outputs),
        });
    }
    let signature = &target.tensors;
    let forms: &[&str] = if target.takes_matrix() { &["columns", "matrix"] } else { &["columns"] };
    json!({
        "name": target.name,
        "versions": versions.map(|version| version.to_string()).collect::<Vec<_>>(),
        "platform": target.platform,
        "inputs": signature.input_tensors().iter().map(tensor).collect::<Vec<_>>(),
        "outputs": signature.output_tensors().iter().map(tensor).collect::<Vec<_>>(),
        // A tensor for each input, or one tensor with another name that has all of them as columns.
        "parameters": { "input_forms": forms },
    })
}

/// A tensor as the file of the model declares it; dimensions of any size have their names in the parameters.
fn port(info: &TensorInfo) -> Value {
    let mut tensor = json!({ "name": info.name, "datatype": info.element.oip_name(), "shape": info.sizes() });
    let mut parameters = serde_json::Map::new();
    if info.optional {
        parameters.insert("optional".to_owned(), true.into());
    }
    if info.shape.iter().flatten().any(|dimension| matches!(dimension, Dimension::Named(_))) {
        parameters.insert("dimensions".to_owned(), info.shape_text().into());
    }
    if !info.labels.is_empty() {
        parameters.insert("labels".to_owned(), info.labels.join(",").into());
    }
    if !parameters.is_empty() {
        tensor["parameters"] = parameters.into();
    }
    tensor
}

fn tensor(spec: &TensorView<'_>) -> Value {
    let mut tensor = json!({ "name": spec.name, "datatype": spec.datatype.oip_name(), "shape": spec.shape() });
    if spec.optional {
        tensor["parameters"] = json!({ "optional": true });
    }
    tensor
}
