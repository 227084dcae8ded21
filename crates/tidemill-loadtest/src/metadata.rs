//! Reads the metadata of a server and its models.

use serde_json::Value;

use crate::connection::{Connection, Reply};
use crate::grpc;
use crate::{LoadError, Protocol, Target};

/// One input of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInput {
    /// Its name.
    pub name: String,
    /// Type of its elements, with the Open Inference Protocol's name.
    pub datatype: String,
    /// The shape of a row's value: empty for one element.
    pub shape: Vec<usize>,
}

/// The inputs of the target's model, from its metadata; `None` if the protocol has no metadata.
pub async fn inputs(target: &Target) -> Result<Option<Vec<ModelInput>>, LoadError> {
    let unusable = |reason: &str| LoadError::Metadata { reason: reason.to_owned() };
    if target.protocol == Protocol::Grpc {
        let reply = request_grpc(target).await?;
        let inputs = grpc::metadata_inputs(&reply.body).filter(|inputs| !inputs.is_empty());
        return inputs.map(Some).ok_or_else(|| unusable("it lists no inputs"));
    }
    let Some(path) = target.metadata_path() else { return Ok(None) };
    let reply = request(target, "GET", &path).await?;
    if reply.status != 200 {
        return Err(crate::run::refused(target, &reply));
    }
    let answer: Value = serde_json::from_slice(&reply.body).map_err(|error| unusable(&error.to_string()))?;
    let inputs = match target.protocol {
        Protocol::TfServing => tf_serving(&answer),
        _ => open_inference(&answer),
    };
    inputs.filter(|inputs| !inputs.is_empty()).map(Some).ok_or_else(|| unusable("it lists no inputs"))
}

/// The names of the models that the server lists; empty if it does not list them.
pub async fn model_names(target: &Target) -> Result<Vec<String>, LoadError> {
    let reply = request(target, "POST", &target.index_path()).await?;
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let listed = answer.as_array().into_iter().flatten();
    let mut names: Vec<String> = listed.filter_map(|model| Some(model["name"].as_str()?.to_owned())).collect();
    names.dedup();
    Ok(names)
}

async fn request(target: &Target, method: &str, path: &str) -> Result<Reply, LoadError> {
    let mut connection = Connection::plain(target).await?;
    connection.request(method, path).await.map_err(|error| crate::error::unreachable(&target.authority, error))
}

async fn request_grpc(target: &Target) -> Result<Reply, LoadError> {
    let mut connection = Connection::open(target, "application/grpc").await?;
    let question = grpc::metadata_request(target.model.as_deref().unwrap_or_default());
    let reply = connection.post_to(grpc::METADATA_PATH, question).await;
    let reply = reply.map_err(|error| crate::error::unreachable(&target.authority, error))?;
    if reply.grpc.as_ref().is_some_and(|status| status.code == 0) {
        return Ok(reply);
    }
    Err(crate::run::refused(target, &reply))
}

fn open_inference(answer: &Value) -> Option<Vec<ModelInput>> {
    let input = |input: &Value| {
        let shape: Vec<i64> = input["shape"].as_array()?.iter().map(size).collect::<Option<_>>()?;
        Some(ModelInput {
            name: input["name"].as_str()?.to_owned(),
            datatype: input["datatype"].as_str()?.to_owned(),
            shape: row_shape(&shape),
        })
    };
    answer["inputs"].as_array()?.iter().map(input).collect()
}

fn tf_serving(answer: &Value) -> Option<Vec<ModelInput>> {
    let definition = &answer["metadata"]["signature_def"]["signature_def"]["serving_default"];
    let input = |(name, input): (&String, &Value)| {
        let dimensions = input["tensor_shape"]["dim"].as_array().cloned().unwrap_or_default();
        let shape: Vec<i64> = dimensions.iter().map(|dimension| size(&dimension["size"])).collect::<Option<_>>()?;
        Some(ModelInput {
            name: name.clone(),
            datatype: datatype(input["dtype"].as_str()?).to_owned(),
            shape: row_shape(&shape),
        })
    };
    definition["inputs"].as_object()?.iter().map(input).collect()
}

fn size(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// The first dimension counts rows; a column `[-1, 1]` is one value per row. Other open dimensions get size one.
pub(crate) fn row_shape(shape: &[i64]) -> Vec<usize> {
    let rest = shape.get(1..).unwrap_or_default();
    if rest == [1] {
        return Vec::new();
    }
    rest.iter().map(|size| usize::try_from(*size).unwrap_or(1).min(1 << 20)).collect()
}

fn datatype(tensorflow: &str) -> &str {
    match tensorflow {
        "DT_BOOL" => "BOOL",
        "DT_STRING" => "BYTES",
        "DT_DOUBLE" => "FP64",
        "DT_FLOAT" => "FP32",
        "DT_HALF" => "FP16",
        other => other.strip_prefix("DT_").unwrap_or(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_protocols_describe_the_same_inputs() {
        let open = json!({ "inputs": [
            { "name": "x", "datatype": "FP32", "shape": [-1, 4] }, { "name": "n", "datatype": "INT64", "shape": [-1, 1] }] });
        let dim = |sizes: &[&str]| sizes.iter().map(|size| json!({ "size": size })).collect::<Vec<_>>();
        let tensor = |dtype: &str, sizes: &[&str]| json!({ "dtype": dtype, "tensor_shape": { "dim": dim(sizes) } });
        let tfs = json!({ "metadata": { "signature_def": { "signature_def": { "serving_default": { "inputs": {
            "x": tensor("DT_FLOAT", &["-1", "4"]), "n": tensor("DT_INT64", &["-1"]) } } } } } });
        let expected = |name: &str, datatype: &str, shape: &[usize]| ModelInput {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape: shape.to_vec(),
        };
        let expected = vec![expected("x", "FP32", &[4]), expected("n", "INT64", &[])];
        assert_eq!(open_inference(&open), Some(expected.clone()));
        assert_eq!(tf_serving(&tfs), Some(expected));
        assert_eq!(open_inference(&json!({})), None);
        assert_eq!(tf_serving(&json!([1])), None);
    }
}
