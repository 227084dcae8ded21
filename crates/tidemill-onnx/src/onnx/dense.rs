//! Networks with operators that the interpreter lacks, on tract.
//!
//! tract runs the whole graph or none of it: such a graph has numbers only, and no operators of classic machine
//! learning.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use prost::Message as _;
use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, IntoTValue as _, TDim, TVec,
    ToDim, TypedFact, TypedModel, TypedOp,
};

use super::generated::ModelProto;
use super::signature::Input;
use super::value::{Data, Tensor, datatype};

type Plan = tract_onnx::prelude::RunnableModel<TypedFact, Box<dyn TypedOp>>;

/// A network ready to run.
#[derive(Debug)]
pub(super) struct TractNetwork {
    plan: Arc<Plan>,
    /// The graph accepts one row at a time.
    single: bool,
}

impl TractNetwork {
    /// Compiles the network of a checked graph, for any number of rows or, if its operators fix it, for one.
    pub(super) fn new(model: &ModelProto, inputs: &[Input]) -> Result<Self, String> {
        let bytes = model.encode_to_vec();
        let load = |single: bool| {
            let build = AssertUnwindSafe(|| plan(&bytes, inputs, single));
            std::panic::catch_unwind(build).unwrap_or_else(|_| Err("reading the graph panicked".to_owned()))
        };
        if !inputs.iter().any(|input| input.single)
            && let Ok(plan) = load(false)
        {
            return Ok(Self { plan, single: false });
        }
        Ok(Self { plan: load(true)?, single: true })
    }

    pub(super) fn is_single(&self) -> bool {
        self.single
    }

    pub(super) fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let mut given = TVec::new();
        for tensor in inputs {
            given.push(to_tract(tensor).map_err(|error| error.to_string())?.into_tvalue());
        }
        let results = self.plan.run(given).map_err(|error| format!("{error:#}"))?;
        results.iter().map(|result| from_tract(result).map_err(|error| format!("{error:#}"))).collect()
    }
}

fn plan(bytes: &[u8], inputs: &[Input], single: bool) -> Result<Arc<Plan>, String> {
    let build = || {
        let mut model = tract_onnx::onnx().model_for_read(&mut &bytes[..])?;
        let rows: TDim = if single { 1.to_dim() } else { model.symbols.sym("rows").into() };
        for (at, input) in inputs.iter().enumerate() {
            let mut shape = vec![rows.clone()];
            shape.extend(input.sizes.iter().map(ToDim::to_dim));
            model.set_input_fact(at, InferenceFact::dt_shape(element_type(input.element), shape))?;
        }
        let model: TypedModel = model.into_optimized()?;
        model.into_runnable()
    };
    build().map_err(|error: tract_onnx::prelude::TractError| format!("{error:#}"))
}

fn element_type(element: i32) -> DatumType {
    match element {
        datatype::DOUBLE => DatumType::F64,
        datatype::FLOAT16 => DatumType::F16,
        datatype::INT64 => DatumType::I64,
        datatype::INT32 => DatumType::I32,
        datatype::INT16 => DatumType::I16,
        datatype::INT8 => DatumType::I8,
        datatype::UINT8 => DatumType::U8,
        datatype::UINT16 => DatumType::U16,
        datatype::BOOL => DatumType::Bool,
        datatype::STRING => DatumType::String,
        _ => DatumType::F32,
    }
}

fn to_tract(tensor: &Tensor) -> Result<tract_onnx::prelude::Tensor, tract_onnx::prelude::TractError> {
    use tract_onnx::prelude::Tensor as TractNetwork;
    match &tensor.data {
        Data::F32(values) => TractNetwork::from_shape(&tensor.shape, values),
        Data::F64(values) => TractNetwork::from_shape(&tensor.shape, values),
        Data::Int(values) => TractNetwork::from_shape(&tensor.shape, values),
        Data::Bool(values) => TractNetwork::from_shape(&tensor.shape, values),
        Data::Text(_) => Err(tract_onnx::prelude::TractError::msg("texts are not run by tract")),
    }
}

fn from_tract(tensor: &tract_onnx::prelude::Tensor) -> Result<Tensor, tract_onnx::prelude::TractError> {
    let shape = tensor.shape().to_vec();
    let data = match tensor.datum_type() {
        DatumType::F64 => Data::F64(elements(tensor)?),
        DatumType::Bool => Data::Bool(elements(tensor)?),
        kind if kind.is_integer() => Data::Int(elements(tensor.cast_to_dt(DatumType::I64)?.as_ref())?),
        _ => Data::F32(elements(tensor.cast_to_dt(DatumType::F32)?.as_ref())?),
    };
    Ok(Tensor { shape, data })
}

fn elements<T: tract_onnx::prelude::Datum + Copy>(
    tensor: &tract_onnx::prelude::Tensor,
) -> Result<Vec<T>, tract_onnx::prelude::TractError> {
    let view =
        tensor.as_plain_ram().ok_or_else(|| tract_onnx::prelude::TractError::msg("a tensor is not in memory"))?;
    Ok(view.as_slice::<T>()?.to_vec())
}
