//! Writing a package.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;
use serde_json::Value;
use tidemill_core::{Digest, Signature};

use super::card::model_card;
use super::files::{digest, to_pretty_json, write_file};
use super::manifest::{CARD_FILE, FORMAT, MANIFEST_FILE, SAMPLE_FILE, TRANSFORM_FILE};
use super::sample::{Sample, input_rows};
use crate::model::Predictor;
use crate::{FileEntry, LabelSpec, Learner, LearnerInfo, Manifest, ModelError, Task, TransformGraph};

/// Exports a model to the format of another program, as a file of its package.
pub trait Exporter {
    /// The file's name: `model.onnx`.
    fn file_name(&self) -> &'static str;

    /// The file's bytes. The same parts give the same bytes. [`ModelError::NotExpressible`] if the format cannot
    /// express the model.
    fn export(&self, name: &str, graph: &TransformGraph, learner: &Learner) -> Result<Vec<u8>, ModelError>;
}

/// All parts of a package.
#[derive(Debug, Clone)]
pub struct PackageParts {
    /// The model's name.
    pub name: String,
    /// The pipeline that made it.
    pub pipeline: String,
    /// The label it was trained on.
    pub label: LabelSpec,
    /// The task.
    pub task: Task,
    /// The fitted transform graph.
    pub graph: TransformGraph,
    /// The fitted learner.
    pub learner: Learner,
    /// The training parameters.
    pub learner_params: Value,
    /// Facts about the training, for the manifest and the card: `rows` and `label_mean` by split, `metrics` by split
    /// and name; other keys are stored and shown as they are.
    pub training: Value,
    /// The probability above which a row is called positive, if it was given or chosen in training.
    pub decision_threshold: Option<f64>,
    /// Digest of the schema the data was validated against.
    pub schema_digest: Option<Digest>,
    /// Rows of real input; the first 32 that a request could send are recorded with their predictions.
    pub sample: RecordBatch,
    /// `CARD.md`; if empty, the [`model_card`] of the other parts.
    pub card: String,
}

impl PackageParts {
    /// The signature: inputs and outputs.
    pub fn signature(&self) -> Signature {
        let (outputs, output_groups) = self.task.outputs();
        Signature { inputs: self.graph.inputs().to_vec(), outputs, output_groups, ..Signature::default() }
    }
}

/// Writes a model package into the folder `dir`, which the caller creates and publishes in one step:
///
/// ```text
/// model.json      manifest: signature, label, learner, training facts, digest of every other file; written last
/// transform.json  the fitted transform graph
/// learner.bin     the fitted learner; `learner.onnx`, `.txt` or `.json` where another program fitted it
/// sample.json     up to 32 rows of real input with their predictions
/// CARD.md         the model card
/// ```
///
/// The same parts give the same bytes. Inconsistent parts are an error.
pub fn write_package(dir: &Path, parts: &PackageParts) -> Result<Manifest, ModelError> {
    write_package_with(dir, parts, &[])
}

/// As [`write_package`], with a file for each of `exporters` whose format can express the model. The card explains why
/// a file is absent.
pub fn write_package_with(
    dir: &Path,
    parts: &PackageParts,
    exporters: &[&dyn Exporter],
) -> Result<Manifest, ModelError> {
    let refuse = |file: &str, reason: String| ModelError::Package { file: dir.join(file), reason };
    let learner_file = Learner::file_name(parts.learner.kind()).unwrap_or("learner.bin");
    if *parts.learner.task() != parts.task {
        return Err(refuse(learner_file, format!("the learner is for {}", parts.learner.task())));
    }
    let predictor =
        Predictor::new(parts.graph.clone(), parts.learner.clone()).map_err(|reason| refuse(learner_file, reason))?;
    let rows = input_rows(&parts.sample, parts.graph.inputs())?;
    let predictions = predictor.predict(&predictor.batch_from_rows(&rows)?)?;
    if let Some(bad) = predictions.iter().flatten().find(|prediction| !prediction.is_finite()) {
        return Err(refuse(SAMPLE_FILE, format!("a row of real input gives the prediction {bad}")));
    }
    let mut card = if parts.card.is_empty() { model_card(parts) } else { parts.card.clone() };
    let mut exports = Vec::new();
    for exporter in exporters {
        match exporter.export(&parts.name, &parts.graph, &parts.learner) {
            Ok(bytes) => exports.push((exporter.file_name(), bytes)),
            Err(ModelError::NotExpressible { format, reason }) => {
                let file = exporter.file_name();
                card.push_str(&format!("\n## {format}\n\nThere is no `{file}`: {reason}.\n"));
            }
            Err(other) => return Err(other),
        }
    }

    let mut contents = vec![
        (TRANSFORM_FILE, parts.graph.to_json()),
        (learner_file, parts.learner.encode()),
        (SAMPLE_FILE, to_pretty_json(&Sample::new(rows, &predictions))),
        (CARD_FILE, card.into_bytes()),
    ];
    contents.extend(exports);
    let mut files = BTreeMap::new();
    for (name, bytes) in &contents {
        write_file(&dir.join(name), bytes)?;
        files.insert((*name).to_owned(), FileEntry { digest: digest(bytes), bytes: bytes.len() as u64 });
    }
    let manifest = Manifest {
        format: FORMAT,
        tidemill: env!("CARGO_PKG_VERSION").to_owned(),
        name: parts.name.clone(),
        pipeline: parts.pipeline.clone(),
        task: parts.task.clone(),
        label: parts.label.clone(),
        signature: parts.signature(),
        learner: LearnerInfo {
            kind: parts.learner.kind().to_owned(),
            library: env!("CARGO_PKG_NAME").to_owned(),
            library_version: env!("CARGO_PKG_VERSION").to_owned(),
            features: parts.learner.feature_count(),
            params: parts.learner_params.clone(),
            tolerance: parts.learner.tolerance(),
        },
        training: parts.training.clone(),
        decision_threshold: parts.decision_threshold,
        schema_digest: parts.schema_digest.clone(),
        files,
    };
    write_file(&dir.join(MANIFEST_FILE), &to_pretty_json(&manifest))?;
    Ok(manifest)
}
