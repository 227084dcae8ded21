//! The signature of a target, as protocols see it.

use std::sync::Arc;

use tidemill_core::{DataType, RowShape, Signature};
use tidemill_model::{BatchBuilder, InputLayout, Task, TensorInfo};

use super::input_check::InputChecks;

/// Everything that protocols need of a target: they decode requests and encode responses with it.
#[derive(Debug, Clone)]
pub(crate) struct TargetSignature {
    /// The name that clients use.
    pub(crate) name: String,
    /// The version in metadata. A response reports the version that produced it.
    pub(crate) version: Option<u64>,
    /// Platform of the model, in the terms of the Open Inference Protocol.
    pub(crate) platform: &'static str,
    /// The meaning of the first output, if it is a probability or a value.
    pub(crate) task: Option<Task>,
    /// Names, types and shapes of inputs and outputs.
    pub(crate) tensors: Signature,
    /// The rules of the training data's schema, if there is one.
    pub(crate) checks: Option<InputChecks>,
    pub(crate) layout: InputLayout,
    /// Inputs and outputs of a model of tensors: requests of tensors are read by these, and not as rows.
    pub(crate) graph: Option<Arc<GraphPorts>>,
}

/// Inputs and outputs of a model of tensors, as its file declares them.
#[derive(Debug)]
pub(crate) struct GraphPorts {
    pub(crate) inputs: Vec<TensorInfo>,
    pub(crate) outputs: Vec<TensorInfo>,
}

impl GraphPorts {
    /// The index of the output `name`.
    pub(crate) fn output(&self, name: &str) -> Option<usize> {
        self.outputs.iter().position(|output| output.name == name)
    }

    /// The names of the outputs, for messages.
    pub(crate) fn output_names(&self) -> Vec<&str> {
        self.outputs.iter().map(|output| output.name.as_str()).collect()
    }
}

impl TargetSignature {
    /// A builder for a batch of about `rows` rows of the inputs.
    pub(crate) fn batch_builder(&self, rows: usize) -> BatchBuilder {
        self.layout.batch_builder(rows)
    }

    /// Whether all inputs may be sent as the columns of one tensor: each is a single number or boolean with a tensor of
    /// its own.
    pub(crate) fn takes_matrix(&self) -> bool {
        let inputs = &self.tensors.inputs;
        let plain = |form: RowShape, datatype: DataType| form == RowShape::Value && datatype != DataType::Bytes;
        self.tensors.input_groups.is_empty() && inputs.iter().all(|input| plain(input.form, input.datatype))
    }
}
