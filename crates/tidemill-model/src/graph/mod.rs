//! The transform graph: raw columns in, features out, fitted constants inside.

mod bind;
mod codes;
mod compile;
mod decode;
mod feature;
mod mapper;
mod run;
mod sets;
mod siphash;
mod source;
mod stage;
pub mod steps;
mod table;
mod text;
mod value;
mod value_check;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;
use xxhash_rust::xxh3::xxh3_64;

use crate::package::{read_bounded, write_file};
use crate::{BoundLabel, FeatureSpec, LabelSpec, ModelError};

pub use bind::BoundGraph;
pub use bind::type_name;
pub use feature::{Feature, History, Source, category_name, first_code};
pub use run::SplitRowNumbers;
pub use sets::UsedSet;
pub use source::{BoundSource, input_kind};
pub use stage::Stage;
pub use steps::{Mapper, Tokenizer};
pub(crate) use steps::{check_picture, list_length_mismatch};
pub use value::{Keys, Scalar};
pub use value_check::{UnusableValues, ValueCheck};

use compile::CompiledFeature;
use source::CompiledSource;

/// The format of `transform.json` that this version writes, and the newest it reads.
const FORMAT: u32 = 1;
/// A larger `transform.json` is rejected unread.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// More features are a mistake; a short text can ask for any number of columns.
const FEATURES_MAX: usize = 1 << 20;

/// The fold of a row of the training split: `xxh3_64` of its number in the split, as 8 little-endian bytes, modulo the
/// number of folds.
pub fn fold_of_row(row: u64, folds: usize) -> usize {
    (xxh3_64(&row.to_le_bytes()) % folds.max(1) as u64) as usize
}

/// A fitted transform graph, stored as `transform.json`:
///
/// ```json
/// {
///   "format": 1,
///   "inputs": [{ "name": "fare", "datatype": "FP64", "optional": false }],
///   "label": { "name": "big_tip", "expression": "tips > fare * 0.2" },
///   "features": [{ "name": "fare", "column": "fare", "nodes": [{ "z_score": { "mean": 11.7, "std_dev": 12.2 } }] }]
/// }
/// ```
///
/// A feature has an `expression`, a `cross` or `columns` (both lists of columns) or a `history` instead of `column` if
/// it has such a source. If features came from feature sets, `feature_sets` names these.
///
/// Every value of this type is valid: steps fit their columns, constants are finite, and no feature uses the columns of
/// the label. Cloning is cheap.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct TransformGraph {
    inner: Arc<Inner>,
    sets: Arc<[UsedSet]>,
}

#[derive(Debug)]
struct Inner {
    inputs: Vec<TensorSpec>,
    label: Option<LabelSpec>,
    features: Vec<Feature>,
    specs: Vec<FeatureSpec>,
    compiled: Vec<CompiledFeature>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    inputs: Vec<TensorSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<LabelSpec>,
    features: Vec<Feature>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    feature_sets: Vec<UsedSet>,
}

impl TransformGraph {
    /// Creates a graph over the raw columns `inputs`. Errors name the feature that does not fit.
    pub fn new(inputs: Vec<TensorSpec>, label: Option<LabelSpec>, features: Vec<Feature>) -> Result<Self, ModelError> {
        let mut names = HashSet::new();
        let refuse = |feature: &str, reason: &str| {
            Err(ModelError::Feature { feature: feature.to_owned(), reason: reason.to_owned() })
        };
        for input in &inputs {
            if !names.insert(input.name.as_str()) {
                return refuse(&input.name, "the column is listed twice among the inputs");
            }
        }
        if let Some(label) = &label {
            check_leak(label, &features)?;
        }
        let mut specs = Vec::with_capacity(features.len());
        let mut compiled = Vec::with_capacity(features.len());
        for feature in &features {
            let source = CompiledSource::new(feature, &inputs)?;
            let outputs = feature::outputs(feature, source.stage())
                .and_then(|outputs| {
                    feature.mappers.iter().try_for_each(|mapper| mapper.step().check_inputs(&inputs))?;
                    Ok(outputs)
                })
                .map_err(|reason| ModelError::Feature { feature: feature.name.clone(), reason })?;
            if specs.len() + outputs.len() > FEATURES_MAX {
                return refuse(&feature.name, &format!("with it there are more than {FEATURES_MAX} features"));
            }
            compiled.push(CompiledFeature::new(source, &feature.mappers, outputs.len(), &inputs));
            specs.extend(outputs);
        }
        let mut seen = HashSet::with_capacity(specs.len());
        if let Some(twice) = specs.iter().find(|spec| !seen.insert(spec.name.as_str())) {
            return refuse(&twice.name, "two features have this name");
        }
        Ok(Self { inner: Arc::new(Inner { inputs, label, features, specs, compiled }), sets: Arc::default() })
    }

    /// The same graph, with a record of the feature sets of its features.
    #[must_use]
    pub fn with_feature_sets(mut self, sets: Vec<UsedSet>) -> Self {
        self.sets = sets.into();
        self
    }

    /// Reads a `transform.json`.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        Self::from_json(&read_bounded(path, FILE_BYTES_MAX)?, path)
    }

    /// Parses the bytes of a `transform.json`; `path` is for errors.
    pub(crate) fn from_json(bytes: &[u8], path: &Path) -> Result<Self, ModelError> {
        crate::package::read_versioned(bytes, path, FORMAT)
    }

    /// Writes `transform.json`. The same graph gives the same bytes.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        write_file(path.as_ref(), &self.to_json())
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        crate::package::to_pretty_json(&self.stored())
    }

    fn stored(&self) -> Stored {
        Stored {
            format: FORMAT,
            inputs: self.inner.inputs.clone(),
            label: self.inner.label.clone(),
            features: self.inner.features.clone(),
            feature_sets: self.sets.to_vec(),
        }
    }

    /// The feature sets of its features, in the order of the pipeline file.
    pub fn feature_sets(&self) -> &[UsedSet] {
        &self.sets
    }

    /// The same graph for another label.
    pub fn with_label(&self, label: LabelSpec) -> Result<Self, ModelError> {
        let graph = Self::new(self.inner.inputs.clone(), Some(label), self.inner.features.clone())?;
        Ok(Self { sets: Arc::clone(&self.sets), ..graph })
    }

    /// The same graph with a feature more, the last one, over its inputs and those of `inputs` that it does not have.
    pub fn with_feature(&self, feature: Feature, inputs: Vec<TensorSpec>) -> Result<Self, ModelError> {
        let mut all = self.inner.inputs.clone();
        all.extend(inputs.into_iter().filter(|input| self.inner.inputs.iter().all(|known| known.name != input.name)));
        let features = self.inner.features.iter().cloned().chain([feature]).collect();
        let graph = Self::new(all, self.inner.label.clone(), features)?;
        Ok(Self { sets: Arc::clone(&self.sets), ..graph })
    }

    /// Its features, in order.
    pub fn features(&self) -> &[FeatureSpec] {
        &self.inner.specs
    }

    /// The raw columns it needs, in order; the label is never among them.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inner.inputs
    }

    /// The label it was fitted for.
    pub fn label(&self) -> Option<&LabelSpec> {
        self.inner.label.as_ref()
    }

    /// The definitions of features, in the order of [`features`](Self::features); one definition may give several of
    /// them.
    pub fn definitions(&self) -> &[Feature] {
        &self.inner.features
    }

    /// By definition: its features.
    pub fn outputs(&self) -> impl Iterator<Item = &[FeatureSpec]> {
        let mut rest = self.inner.specs.as_slice();
        self.inner.compiled.iter().map(move |compiled| {
            let (given, after) = rest.split_at(compiled.outputs);
            rest = after;
            given
        })
    }

    /// Resolves the raw columns in `schema`, once for any number of batches, and checks their types.
    pub fn bind(&self, schema: &Schema) -> Result<BoundGraph, ModelError> {
        BoundGraph::new(self.clone(), schema)
    }

    /// Resolves the label's columns in `schema`.
    pub fn bind_label(&self, schema: &Schema) -> Result<BoundLabel, ModelError> {
        self.label().ok_or(ModelError::NoLabel)?.bind(schema)
    }

    /// The graph without the parts that only training needs: the encodings by fold of `target_encode`.
    #[must_use]
    pub fn for_serving(&self) -> Self {
        let mut features = self.inner.features.clone();
        let mut is_lean = true;
        for mapper in features.iter_mut().flat_map(|feature| &mut feature.mappers) {
            if let Some(lean) = mapper.step().for_serving() {
                *mapper = lean;
                is_lean = false;
            }
        }
        if is_lean {
            return self.clone();
        }
        // Nothing that was checked has changed.
        Self::new(self.inner.inputs.clone(), self.inner.label.clone(), features)
            .map_or_else(|_| self.clone(), |lean| Self { sets: Arc::clone(&self.sets), ..lean })
    }

    fn compiled(&self) -> &[CompiledFeature] {
        &self.inner.compiled
    }
}

impl PartialEq for TransformGraph {
    fn eq(&self, other: &Self) -> bool {
        self.inner.inputs == other.inner.inputs
            && self.inner.label == other.inner.label
            && self.inner.features == other.inner.features
            && self.sets == other.sets
    }
}

impl TryFrom<Stored> for TransformGraph {
    type Error = ModelError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        Ok(Self::new(stored.inputs, stored.label, stored.features)?.with_feature_sets(stored.feature_sets))
    }
}

impl From<TransformGraph> for Stored {
    fn from(graph: TransformGraph) -> Self {
        graph.stored()
    }
}

/// Rejects a feature that uses a column of the label, or the label itself.
fn check_leak(label: &LabelSpec, features: &[Feature]) -> Result<(), ModelError> {
    let targets = label.targets()?;
    for feature in features {
        let columns = feature.columns();
        if let Some(column) = columns.into_iter().find(|column| *column == label.name || targets.contains(column)) {
            return Err(ModelError::LabelLeak { feature: feature.name.clone(), column, label: label.name.clone() });
        }
        let (name, horizon) = (&label.name, label.horizon_seconds);
        let ages = feature.mappers.iter().filter_map(|mapper| mapper.step().least_age());
        if let Some(age) = ages.into_iter().find(|age| *age < horizon) {
            let reason = format!(
                "its window begins {age} s before a row, within the horizon of the label `{name}`, {horizon} s"
            );
            return Err(ModelError::Feature { feature: feature.name.clone(), reason });
        }
    }
    Ok(())
}
