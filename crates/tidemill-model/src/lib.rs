//! The model package: manifest, signature, transform graph, learner, and the one executor that runs batches and
//! single rows.
//!
//! What runs per request is exactly what ran in training: [`TransformGraph::bind`] resolves names to columns once,
//! [`BoundGraph::apply`] turns raw columns into a [`FeatureBlock`], [`Learner::predict`] turns that into numbers.
//! [`Model`] is a package loaded from a folder, [`ForeignModel`] a file that another program wrote, [`AnyModel`] either.

mod any;
mod block;
mod cells;
mod error;
mod explanation;
mod expr;
mod features;
mod foreign;
mod graph;
mod input;
mod inspect;
mod label;
mod learner;
mod model;
mod onnx;
mod package;
pub mod trees;

pub use any::AnyModel;
pub use block::{FeatureBlock, FeatureKind, FeatureSpec, Task, feature_schema};
pub use error::{MissingColumn, ModelError};
pub use explanation::Explanation;
pub use expr::{BoundExpression, Expression, ExpressionError};
pub use foreign::ForeignModel;
pub use graph::{
    BoundGraph, BoundSource, Channels, DatePart, Encoding, Feature, History, Keys, Node, Picture, Scalar, Source,
    Stage, Take, Tokenizer, TransformGraph, UsedSet, fold_of_row, input_kind, seconds,
};
pub use input::{BatchBuilder, InputColumn, InputLayout, arrow_type, input_type};
pub use inspect::{OtherGraph, OtherModel, OtherSignature, OtherTensor, inspect};
pub use label::{BoundLabel, LabelSpec};
pub use learner::Learner;
pub use model::Model;
pub use onnx::{OnnxEngine, OnnxOptions, OnnxRuntimeError, Unseen, export_onnx};
pub use package::{
    FileEntry, LearnerInfo, Manifest, PackageParts, SampleReport, SampleRow, add_schema, model_card, package_schema,
    write_package,
};
pub use trees::TreeEnsemble;

pub(crate) use graph::type_name as graph_type_name;
