//! What a protocol knows of a target.

use tidemill_core::{DataType, Form, Signature};
use tidemill_model::{BatchBuilder, InputLayout, Task};

use super::input_check::InputChecks;

/// What a protocol knows of a target: requests are decoded against it, and answers are encoded with it.
#[derive(Debug, Clone)]
pub(crate) struct TargetSignature {
    /// The name that clients ask for.
    pub(crate) name: String,
    /// The version that metadata reports. An answer reports the version that made it.
    pub(crate) version: Option<u64>,
    /// Project and format of the model, in the words of the Open Inference Protocol.
    pub(crate) platform: &'static str,
    /// What the first output means, if it is a probability or a value.
    pub(crate) task: Option<Task>,
    /// Names, types and shapes of inputs and outputs.
    pub(crate) tensors: Signature,
    /// The rules of the training data's schema, if there is one.
    pub(crate) checks: Option<InputChecks>,
    pub(crate) layout: InputLayout,
}

impl TargetSignature {
    /// A builder for a batch of about `rows` rows of the inputs.
    pub(crate) fn batch_builder(&self, rows: usize) -> BatchBuilder {
        self.layout.batch_builder(rows)
    }

    /// Whether all inputs may come as the columns of one tensor: single numbers or booleans, each a tensor of its own.
    pub(crate) fn takes_matrix(&self) -> bool {
        let inputs = &self.tensors.inputs;
        let plain = |form: Form, datatype: DataType| form == Form::Value && datatype != DataType::Bytes;
        self.tensors.input_groups.is_empty() && inputs.iter().all(|input| plain(input.form, input.datatype))
    }
}
