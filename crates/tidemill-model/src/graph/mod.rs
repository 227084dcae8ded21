//! The transform graph: raw columns in, features out, fitted constants inside.

mod bind;
mod compile;
mod node;
mod table;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};
use tidemill_core::TensorSpec;

use crate::package::{read_bounded, write_file};
use crate::{BoundLabel, FeatureKind, FeatureSpec, LabelSpec, ModelError};

pub use bind::BoundGraph;
pub use node::{Keys, Node, Scalar, Stage};

use compile::CompiledFeature;

/// The format of `transform.json` that this version writes, and the newest it reads.
const FORMAT: u32 = 1;
/// A larger `transform.json` is refused unread.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// One feature: a raw column and the steps its values go through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The feature's name.
    pub name: String,
    /// The raw column it comes from.
    pub column: String,
    /// The steps, first to last. None: the column as it is.
    pub nodes: Vec<Node>,
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
/// Every value of this type is sound: steps fit their columns, constants are finite, and no feature uses a column
/// of the label. Cloning is cheap.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct TransformGraph {
    inner: Arc<Inner>,
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
}

impl TransformGraph {
    /// A graph over the raw columns `inputs`. Errors name the feature that does not fit.
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
        names.clear();
        let mut specs = Vec::with_capacity(features.len());
        let mut compiled = Vec::with_capacity(features.len());
        for feature in &features {
            if !names.insert(feature.name.as_str()) {
                return refuse(&feature.name, "two features have this name");
            }
            let Some(input) = inputs.iter().position(|input| input.name == feature.column) else {
                return refuse(&feature.name, &format!("its column `{}` is not among the inputs", feature.column));
            };
            let wrap = |reason| ModelError::Feature { feature: feature.name.clone(), reason };
            let mut stage = Stage::of(inputs[input].datatype);
            for node in &feature.nodes {
                stage = node.output(stage).map_err(wrap)?;
            }
            specs.push(FeatureSpec { name: feature.name.clone(), kind: stage.kind().map_err(wrap)? });
            compiled.push(CompiledFeature::new(input, inputs[input].datatype, &feature.nodes));
        }
        Ok(Self { inner: Arc::new(Inner { inputs, label, features, specs, compiled }) })
    }

    /// Reads a `transform.json`.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        Self::from_json(&read_bounded(path, FILE_BYTES_MAX)?, path)
    }

    /// Reads the bytes of a `transform.json`; `path` is for errors.
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
        }
    }

    /// The features it gives, in order.
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

    /// How each feature is made, in the order of [`features`](Self::features).
    pub fn definitions(&self) -> &[Feature] {
        &self.inner.features
    }

    /// Resolves the raw columns in `schema`, once for any number of batches, and checks their types.
    pub fn bind(&self, schema: &Schema) -> Result<BoundGraph, ModelError> {
        BoundGraph::new(self.clone(), schema)
    }

    /// Resolves the label's columns in `schema`.
    pub fn bind_label(&self, schema: &Schema) -> Result<BoundLabel, ModelError> {
        self.label().ok_or(ModelError::NoLabel)?.bind(schema)
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
    }
}

impl TryFrom<Stored> for TransformGraph {
    type Error = ModelError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        Self::new(stored.inputs, stored.label, stored.features)
    }
}

impl From<TransformGraph> for Stored {
    fn from(graph: TransformGraph) -> Self {
        graph.stored()
    }
}

/// Refuses a feature made of the column that the label is about, or of the label itself.
fn check_leak(label: &LabelSpec, features: &[Feature]) -> Result<(), ModelError> {
    let target = label.target()?;
    for feature in features {
        if feature.column == label.name || target.as_ref() == Some(&feature.column) {
            return Err(ModelError::LabelLeak {
                feature: feature.name.clone(),
                column: feature.column.clone(),
                label: label.name.clone(),
            });
        }
    }
    Ok(())
}

impl Stage {
    fn kind(self) -> Result<FeatureKind, String> {
        match self {
            Self::Bool | Self::Int | Self::Float | Self::Bucket(_) => Ok(FeatureKind::Numeric),
            Self::Code(cardinality) => Ok(FeatureKind::Categorical { cardinality: cardinality.max(1) }),
            Self::Text => Err("its column holds text; end its steps with `vocabulary` or `categorical`".to_owned()),
        }
    }
}
