//! Reading a package.

use std::path::Path;

use tidemill_core::TensorSpec;

use super::files::{digest, read_bounded, read_versioned};
use super::manifest::{FORMAT, MANIFEST_FILE, SAMPLE_FILE, TRANSFORM_FILE};
use super::sample::Sample;
use crate::learner::{Facts, unknown_kind};
use crate::{Importer, Learner, Manifest, ModelError, SampleRow, TransformGraph};

/// A larger manifest is rejected unread.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
/// A package with a larger file is rejected.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// The content of a package with complete, unaltered files of known formats.
pub(crate) struct Contents {
    pub(crate) manifest: Manifest,
    pub(crate) graph: TransformGraph,
    pub(crate) learner: Learner,
    pub(crate) sample: Vec<SampleRow>,
}

/// Reads the package in `dir`; an error names the file.
pub(crate) fn read_package(dir: &Path, importer: Option<&dyn Importer>) -> Result<Contents, ModelError> {
    let path = dir.join(MANIFEST_FILE);
    let manifest: Manifest = read_versioned(&read_bounded(&path, MANIFEST_BYTES_MAX)?, &path, FORMAT)?;
    let refuse = |file: &str, reason: &str| ModelError::Package { file: dir.join(file), reason: reason.to_owned() };
    let kind = manifest.learner.kind.as_str();
    let learner_file = Learner::file_name(kind).ok_or_else(|| refuse(MANIFEST_FILE, &unknown_kind(kind)))?;
    for name in [TRANSFORM_FILE, learner_file, SAMPLE_FILE] {
        if !manifest.files.contains_key(name) {
            return Err(refuse(MANIFEST_FILE, &format!("`{name}` is not among its files")));
        }
    }
    let (mut transform, mut learner, mut sample) = (Vec::new(), Vec::new(), Vec::new());
    for name in manifest.files.keys() {
        let bytes = read_listed(dir, &manifest, name)?;
        match name.as_str() {
            TRANSFORM_FILE => transform = bytes,
            SAMPLE_FILE => sample = bytes,
            name if name == learner_file => learner = bytes,
            _ => {}
        }
    }
    let graph = TransformGraph::from_json(&transform, &dir.join(TRANSFORM_FILE))?;
    let facts = Facts { task: &manifest.task, features: graph.features() };
    let learner =
        Learner::read(kind, &learner, &dir.join(learner_file), &facts, importer).map_err(|error| match error {
            ModelError::Learner { .. } => refuse(learner_file, &error.to_string()),
            other => other,
        })?;
    let sample: Sample = read_versioned(&sample, &dir.join(SAMPLE_FILE), Sample::FORMAT)?;
    let (outputs, groups) = manifest.task.outputs();
    if manifest.signature.inputs != graph.inputs()
        || !same_types(&manifest.signature.outputs, &outputs)
        || manifest.signature.output_groups != groups
    {
        return Err(refuse(MANIFEST_FILE, "its signature is not that of the transform graph and the task"));
    }
    if sample.rows.iter().any(|row| row.prediction.len() != manifest.task.columns()) {
        return Err(refuse(SAMPLE_FILE, "it records another number of predictions a row than the task has"));
    }
    if manifest.learner.tolerance.is_some() && learner.tolerance().is_none() {
        return Err(refuse(MANIFEST_FILE, "a learner of this kind gives recorded predictions to the bit"));
    }
    if manifest.task != *learner.task() {
        return Err(refuse(
            MANIFEST_FILE,
            &format!("its task is {}, and the learner's is {}", manifest.task, learner.task()),
        ));
    }
    Ok(Contents { manifest, graph, learner, sample: sample.rows })
}

/// Whether outputs have the expected number and types. Their names may differ.
fn same_types(outputs: &[TensorSpec], expected: &[TensorSpec]) -> bool {
    outputs.len() == expected.len() && outputs.iter().zip(expected).all(|(a, b)| a.datatype == b.datatype)
}

/// Reads a file of the manifest and checks its size and digest.
fn read_listed(dir: &Path, manifest: &Manifest, name: &str) -> Result<Vec<u8>, ModelError> {
    let entry = &manifest.files[name];
    let refuse = |file: &str, reason: String| Err(ModelError::Package { file: dir.join(file), reason });
    // A name that leads out of the folder must not be followed.
    if name.is_empty() || name == ".." || name == "." || name.contains(['/', '\\', '\0', ':']) {
        return refuse(MANIFEST_FILE, format!("it lists a file `{}`", name.escape_debug()));
    }
    if entry.bytes > FILE_BYTES_MAX {
        return refuse(name, format!("the manifest says it has {} bytes, which is too many", entry.bytes));
    }
    let path = dir.join(name);
    if let Ok(metadata) = path.metadata()
        && metadata.is_file()
        && metadata.len() != entry.bytes
    {
        return refuse(name, format!("it has {} bytes, and the manifest says {}", metadata.len(), entry.bytes));
    }
    let bytes = read_bounded(&path, entry.bytes)?;
    if digest(&bytes) != entry.digest {
        return refuse(name, "it was altered: its digest is not the one in the manifest".to_owned());
    }
    Ok(bytes)
}
