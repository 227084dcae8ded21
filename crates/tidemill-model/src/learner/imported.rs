//! A model of another program behind a transform graph.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Float64Type, Schema, SchemaRef};
use tidemill_core::{DataType, TensorView};

use super::Columns;
use crate::{FeatureBlock, FeatureSpec, ImportedModel, ModelError, Task, arrow_type};

/// A model that another program fitted on the features of a transform graph, in the format of that program.
///
/// The package stores the file unchanged; an [`Importer`](crate::Importer) parses it. The learner's numbers are the
/// only output of the model with as many floating-point columns as the task needs.
#[derive(Debug, Clone)]
pub struct ImportedLearner {
    kind: &'static str,
    bytes: Arc<[u8]>,
    model: Arc<ImportedModel>,
    task: Task,
    /// For each input of the model: its type, and the index of its feature.
    inputs: Vec<(DataType, usize)>,
    features: usize,
    schema: SchemaRef,
    /// The first of the output columns that are used.
    first: usize,
}

/// The manifest's parameters of a learner.
pub(crate) struct Facts<'a> {
    pub(crate) task: &'a Task,
    pub(crate) features: &'a [FeatureSpec],
}

impl PartialEq for ImportedLearner {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.task == other.task && self.bytes == other.bytes
    }
}

impl ImportedLearner {
    /// The formats by their names in manifests, each with its file name in a package.
    pub(super) const KINDS: &'static [(&'static str, &'static str)] =
        &[("onnx", "learner.onnx"), ("lightgbm", "learner.txt"), ("xgboost", "learner.json")];

    /// The relative tolerance of a prediction against the recorded one: engines differ in the order of their sums.
    pub const TOLERANCE: f64 = 1e-5;

    /// The model `model`, read from `bytes`, as the learner of a package whose transform graph gives `features`.
    ///
    /// An input of the model takes the feature of its name; if no input has the name of a feature, features are taken
    /// in order. Errors: another number of inputs than features, an input of text, and outputs that do not identify the
    /// numbers of the task.
    pub fn new(
        kind: &str,
        bytes: &[u8],
        model: ImportedModel,
        task: Task,
        features: &[FeatureSpec],
    ) -> Result<Self, String> {
        task.check()?;
        let kind = Self::KINDS.iter().find(|(name, _)| *name == kind).map(|(name, _)| *name);
        let kind =
            kind.ok_or_else(|| "only ONNX, LightGBM and XGBoost models can be the learner of a package".to_owned())?;
        let signature = model.signature();
        let place = |name: &str| features.iter().position(|feature| feature.name == name);
        let named: Vec<Option<usize>> = signature.inputs.iter().map(|input| place(&input.name)).collect();
        let places: Vec<usize> = if named.iter().all(Option::is_none) && named.len() == features.len() {
            (0..features.len()).collect()
        } else {
            let absent = signature.inputs.iter().zip(&named).find(|(_, place)| place.is_none());
            if let Some((input, _)) = absent {
                return Err(format!(
                    "the model takes {} inputs, the transform graph gives {} features, and none of them is called `{}`",
                    named.len(),
                    features.len(),
                    input.name
                ));
            }
            named.into_iter().flatten().collect()
        };
        if let Some(text) = signature.inputs.iter().find(|input| input.datatype == DataType::Bytes) {
            return Err(format!("the model takes text in `{}`, and features are numbers", text.name));
        }
        let inputs = signature.inputs.iter().zip(places).map(|(input, place)| (input.datatype, place)).collect();
        let field = |input: &tidemill_core::TensorSpec| Field::new(&input.name, arrow_type(input.datatype), true);
        let schema = Arc::new(Schema::new(signature.inputs.iter().map(field).collect::<Vec<_>>()));
        let first = numbers_of(&task, &signature.output_tensors())?;
        let (bytes, model) = (Arc::from(bytes), Arc::new(model));
        Ok(Self { kind, bytes, model, task, inputs, features: features.len(), schema, first })
    }

    /// The format's name in a manifest.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Its task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The number of its features.
    pub fn feature_count(&self) -> usize {
        self.features
    }

    /// The file of the other program.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn predict(&self, block: &FeatureBlock) -> Result<Columns, ModelError> {
        let column = |(datatype, feature): &(DataType, usize)| -> Result<ArrayRef, ModelError> {
            let values = &block.columns[*feature];
            let missing =
                || ModelError::Run { reason: format!("feature {feature} is missing, and the model needs it") };
            Ok(match datatype {
                DataType::Int64 => {
                    if values.iter().any(|value| value.is_nan()) {
                        return Err(missing());
                    }
                    Arc::new(Int64Array::from_iter_values(values.iter().map(|value| *value as i64)))
                }
                DataType::Bool => {
                    if values.iter().any(|value| value.is_nan()) {
                        return Err(missing());
                    }
                    Arc::new(values.iter().map(|value| Some(*value != 0.0)).collect::<BooleanArray>())
                }
                _ => Arc::new(Float64Array::from_iter_values(values.iter().copied())),
            })
        };
        let columns = self.inputs.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(block.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let predictions = self.model.predict(&batch)?;
        let taken = &predictions.columns()[self.first..self.first + self.task.columns()];
        Ok(taken.iter().map(|column| column.as_primitive::<Float64Type>().values().to_vec()).collect())
    }
}

/// The first of the output columns with the numbers of `task`.
fn numbers_of(task: &Task, outputs: &[TensorView<'_>]) -> Result<usize, String> {
    let wanted = task.columns();
    let numbers = |view: &&TensorView<'_>| view.datatype == DataType::Fp64;
    let mut found = outputs.iter().filter(numbers).filter_map(|view| match (view.width.unwrap_or(1), task) {
        (width, _) if width == wanted => Some(view.first),
        // The probabilities of no and yes.
        (2, Task::Binary) => Some(view.first + 1),
        _ => None,
    });
    match (found.next(), found.next()) {
        (Some(first), None) => Ok(first),
        (other, _) => {
            let given: Vec<String> = outputs
                .iter()
                .map(|view| format!("`{}` ({} × {})", view.name, view.datatype, view.width.unwrap_or(1)))
                .collect();
            let how_many = if other.is_none() { "none" } else { "several" };
            Err(format!(
                "the task {task} needs one output of {wanted} numbers a row, and {how_many} of the model's outputs fit: {}",
                given.join(", ")
            ))
        }
    }
}
