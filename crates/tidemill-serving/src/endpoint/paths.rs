//! Models that an endpoint file names by their path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tidemill_core::{ParamIssue, Signature};
use tidemill_onnx::{OnnxOptions, load_model_with};

use super::signature::{EndpointSignature, endpoint_signature};
use super::spec::EndpointSpec;
use crate::{FolderSource, Servable, SourceError};

/// Files that make a folder a model instead of a folder of versions.
const MODEL_FILES: [&str; 2] = ["model.json", "saved_model.pb"];

/// The version of a model whose path is not a folder of versions.
const ONLY_VERSION: u64 = 1;

/// The model at a path, under this name: one model, or the newest of a folder of versions.
pub fn path_servables(name: &str, path: &Path) -> Result<Vec<Servable>, SourceError> {
    if path.is_file() || MODEL_FILES.iter().any(|file| path.join(file).exists()) {
        let (name, path, labels) = (name.to_owned(), path.to_owned(), Vec::new());
        return Ok(vec![Servable { name, version: ONLY_VERSION, path, labels, default: false }]);
    }
    FolderSource::new(name, path).scan()
}

/// Inputs and outputs of the model in a folder or file.
pub fn signature_at(path: &Path) -> Result<Signature, String> {
    match load_model_with(path, &OnnxOptions::default()) {
        Ok(model) => Ok(model.signature().clone()),
        Err(error) => Err(error.to_string()),
    }
}

/// As [`endpoint_signature`], after reading which columns the tables of features have.
pub fn endpoint_signature_of_files(
    spec: &EndpointSpec,
    known: &BTreeMap<String, Signature>,
) -> Result<EndpointSignature, Vec<ParamIssue>> {
    let (mut looked_up, mut issues) = (BTreeSet::new(), Vec::new());
    for (name, feature) in &spec.features {
        match columns(&feature.from) {
            Ok(columns) if !columns.contains(&feature.key) => {
                let message = format!("`{}` has no column `{}`", feature.from.display(), feature.key);
                issues.push(ParamIssue::new(["features", name, "key"], message));
            }
            Ok(columns) => looked_up.extend(columns),
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", feature.from.display());
                issues.push(ParamIssue::new(["features", name, "from"], message));
            }
        }
        looked_up.extend(feature.default.keys().cloned());
        looked_up.remove(&feature.key);
    }
    match endpoint_signature(spec, known, &looked_up) {
        Ok(signature) if issues.is_empty() => Ok(signature),
        Ok(_) => Err(issues),
        Err(more) => Err(issues.into_iter().chain(more).collect()),
    }
}

fn columns(file: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    Ok(builder.schema().fields().iter().map(|field| field.name().clone()).collect())
}
