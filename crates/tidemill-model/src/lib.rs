//! The model package: manifest, signature, transform graph, learner, and the one executor that runs batches and
//! single rows.
//!
//! What runs per request is exactly what ran in training: [`TransformGraph::bind`] resolves names to columns once,
//! [`BoundGraph::apply`] turns raw columns into a [`FeatureBlock`], [`Learner::predict`] turns that into numbers.
//! [`Model`] is a package loaded from a folder, [`ImportedModel`] a file that another program wrote, [`LoadedModel`] either.
//! How imported models run is behind the trait [`Runtime`]; no engine for them is in this crate.

mod any;
mod block;
mod cells;
mod error;
mod explanation;
pub mod expr;
mod features;
mod graph;
mod imported;
mod input;
mod label;
mod learner;
mod model;
mod package;
mod tensor;
mod tensor_json;
pub mod trees;

pub use any::LoadedModel;
pub use block::{FeatureBlock, FeatureKind, FeatureSpec, feature_schema};
pub use error::{MissingColumn, ModelError};
pub use explanation::Explanation;
pub use expr::{BoundExpression, Expression, ExpressionError};
pub use features::Features;
pub use graph::{
    BoundGraph, BoundSource, Feature, History, Keys, Mapper, Scalar, Source, SplitRowNumbers, Stage, Tokenizer,
    TransformGraph, UnusableValues, UsedSet, ValueCheck, category_name, first_code, fold_of_row, input_kind, steps,
    type_name,
};
pub use imported::{ImportedModel, ImportedParts, Importer, Runtime};
pub use input::{BatchBuilder, InputColumn, InputLayout, InputShape, Strictness, arrow_type, input_type};
pub use label::{BoundLabel, LabelKind, LabelPart, LabelSpec, class_name};
pub use learner::{
    Activation, AdditiveModel, AdditiveTerm, AmountScale, Calibrated, Calibration, CalibrationCurve, ClassTrees,
    Columns, DenseLayer, EnsembleMember, EnsembleModel, ForestModel, ImportedLearner, Learner, LinearFeature,
    LinearModel, NeighborFeature, NeighborWeights, NeighborsModel, NetworkInput, NetworkModel, NetworkParts, Periodic,
    Power, SumRule, TermBins, WideTerm, largest_column, softmax_columns,
};
pub use model::Model;
pub use package::{
    Exporter, FileEntry, LearnerInfo, Manifest, PackageParts, SampleReport, SampleRow, add_schema, model_card,
    package_schema, read_bounded, write_package, write_package_with,
};
pub use tensor::{Dimension, TensorData, TensorInfo, TensorRuntime, TensorValue};
pub use tidemill_core::{LabelSet, Task, TaskKind};
pub use trees::TreeEnsemble;
