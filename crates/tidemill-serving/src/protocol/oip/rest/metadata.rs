//! What the server and its models say of themselves.

use serde_json::{Value, json};
use tidemill_core::{DataType, Form, Signature, TensorView};
use tidemill_model::AnyModel;

use crate::models::versions::ServedVersion;

/// What the server calls itself.
pub(crate) const SERVER_NAME: &str = "tidemill";
/// What of the protocol's extensions it speaks.
pub(crate) const EXTENSIONS: [&str; 3] = ["binary_tensor_data", "model_repository", "parameters"];

/// What a model is, as project and format; the protocol has names for some.
pub(crate) fn platform(model: &ServedVersion) -> &'static str {
    match &model.model {
        AnyModel::Package(_) => "tidemill",
        AnyModel::Foreign(model) => match model.format() {
            "ONNX" => "onnx_onnxv1",
            "XGBoost JSON" => "xgboost_json",
            "LightGBM text" => "lightgbm_text",
            other => other,
        },
    }
}

/// The body of a server metadata answer.
pub(crate) fn server_metadata() -> Value {
    json!({
        "name": SERVER_NAME,
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": EXTENSIONS,
    })
}

/// The body of a model metadata answer; `versions` are those that answer requests.
pub(crate) fn model_metadata(model: &ServedVersion, versions: impl Iterator<Item = u64>) -> Value {
    let signature = model.signature();
    json!({
        "name": model.name,
        "versions": versions.map(|version| version.to_string()).collect::<Vec<_>>(),
        "platform": platform(model),
        "inputs": signature.input_tensors().iter().map(tensor).collect::<Vec<_>>(),
        "outputs": signature.output_tensors().iter().map(tensor).collect::<Vec<_>>(),
        // A tensor for each input, or all of them as the columns of one tensor by another name.
        "parameters": { "input_forms": input_forms(signature) },
    })
}

fn input_forms(signature: &Signature) -> Value {
    let numeric = signature.inputs.iter().all(|input| input.datatype != DataType::Bytes);
    let plain = signature.input_groups.is_empty() && signature.inputs.iter().all(|input| input.form == Form::Value);
    if numeric && plain { json!(["columns", "matrix"]) } else { json!(["columns"]) }
}

fn tensor(spec: &TensorView<'_>) -> Value {
    let mut tensor = json!({ "name": spec.name, "datatype": spec.datatype.oip_name(), "shape": spec.shape() });
    if spec.optional {
        tensor["parameters"] = json!({ "optional": true });
    }
    tensor
}
