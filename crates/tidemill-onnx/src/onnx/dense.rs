//! Networks with operators that the interpreter lacks, on tract.
//!
//! tract runs the whole graph or none of it: such a graph has numbers only, and no operators of classic machine
//! learning.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use prost::Message as _;
use tidemill_model::{Dimension, TensorInfo};
use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, IntoTValue as _, TDim, TVec,
    ToDim, TypedFact, TypedModel, TypedOp,
};

use super::generated::ModelProto;
use super::ports::number_of;
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
    pub(super) fn new(model: &ModelProto, inputs: &[TensorInfo]) -> Result<Self, String> {
        let bytes = model.encode_to_vec();
        let load = |single: bool| {
            let build = AssertUnwindSafe(|| plan(&bytes, inputs, single));
            std::panic::catch_unwind(build).unwrap_or_else(|_| Err("reading the graph panicked".to_owned()))
        };
        let refused = match load(false) {
            Ok(plan) => return Ok(Self { plan, single: false }),
            Err(refused) => refused,
        };
        // Only an open number of rows can be fixed.
        let opens = |input: &TensorInfo| !matches!(input.shape.iter().flatten().next(), Some(Dimension::Fixed(_)));
        if !inputs.iter().any(opens) {
            return Err(refused);
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

fn plan(bytes: &[u8], inputs: &[TensorInfo], single: bool) -> Result<Arc<Plan>, String> {
    let build = || {
        let mut model = tract_onnx::onnx().model_for_read(&mut &bytes[..])?;
        let mut open = 0;
        for (at, input) in inputs.iter().enumerate() {
            let Some(sizes) = input.shape.as_ref().filter(|_| !input.sequence) else {
                return Err(tract_onnx::prelude::TractError::msg(format!("`{}` has no shape", input.name)));
            };
            let mut shape: TVec<TDim> = TVec::new();
            for (axis, size) in sizes.iter().enumerate() {
                shape.push(match size {
                    Dimension::Fixed(size) => size.to_dim(),
                    _ if axis == 0 && single => 1.to_dim(),
                    _ if axis == 0 => model.symbols.sym("rows").into(),
                    Dimension::Named(name) => model.symbols.sym(&format!("n_{name}")).into(),
                    Dimension::Open => {
                        open += 1;
                        model.symbols.sym(&format!("open_{open}")).into()
                    }
                });
            }
            let element = element_type(number_of(input.element));
            let element =
                element.ok_or_else(|| tract_onnx::prelude::TractError::msg("an element type that it lacks"))?;
            model.set_input_fact(at, InferenceFact::dt_shape(element, shape))?;
        }
        let model: TypedModel = model.into_optimized()?;
        model.into_runnable()
    };
    build().map_err(|error: tract_onnx::prelude::TractError| format!("{error:#}"))
}

fn element_type(element: i32) -> Option<DatumType> {
    Some(match element {
        datatype::FLOAT => DatumType::F32,
        datatype::DOUBLE => DatumType::F64,
        datatype::FLOAT16 => DatumType::F16,
        datatype::INT64 => DatumType::I64,
        datatype::INT32 => DatumType::I32,
        datatype::INT16 => DatumType::I16,
        datatype::INT8 => DatumType::I8,
        datatype::UINT8 => DatumType::U8,
        datatype::UINT16 => DatumType::U16,
        datatype::UINT32 => DatumType::U32,
        datatype::UINT64 => DatumType::U64,
        datatype::BOOL => DatumType::Bool,
        _ => return None,
    })
}

fn to_tract(tensor: &Tensor) -> Result<tract_onnx::prelude::Tensor, tract_onnx::prelude::TractError> {
    use tract_onnx::prelude::Tensor as TractTensor;
    let made = match &tensor.data {
        Data::F32(values) => TractTensor::from_shape(&tensor.shape, values)?,
        Data::F64(values) => TractTensor::from_shape(&tensor.shape, values)?,
        Data::Int(values) => TractTensor::from_shape(&tensor.shape, values)?,
        Data::Bool(values) => TractTensor::from_shape(&tensor.shape, values)?,
        Data::Text(_) | Data::List(_) | Data::Nothing => {
            return Err(tract_onnx::prelude::TractError::msg("texts and sequences are not run by tract"));
        }
    };
    match element_type(tensor.element()) {
        Some(element) if element != made.datum_type() => Ok(made.cast_to_dt(element)?.into_owned()),
        _ => Ok(made),
    }
}

fn from_tract(tensor: &tract_onnx::prelude::Tensor) -> Result<Tensor, tract_onnx::prelude::TractError> {
    let shape = tensor.shape().to_vec();
    let (data, element) = match tensor.datum_type() {
        DatumType::F64 => (Data::F64(elements(tensor)?), datatype::DOUBLE),
        DatumType::Bool => (Data::Bool(elements(tensor)?), datatype::BOOL),
        kind if kind.is_integer() || matches!(kind, DatumType::TDim) => {
            let element = match kind {
                DatumType::I32 => datatype::INT32,
                DatumType::I16 => datatype::INT16,
                DatumType::I8 => datatype::INT8,
                DatumType::U8 => datatype::UINT8,
                DatumType::U16 => datatype::UINT16,
                DatumType::U32 => datatype::UINT32,
                DatumType::U64 => datatype::UINT64,
                _ => datatype::INT64,
            };
            (Data::Int(elements(tensor.cast_to_dt(DatumType::I64)?.as_ref())?), element)
        }
        kind => {
            let element = if kind == DatumType::F16 { datatype::FLOAT16 } else { datatype::FLOAT };
            (Data::F32(elements(tensor.cast_to_dt(DatumType::F32)?.as_ref())?), element)
        }
    };
    let made = Tensor::new(shape, data).map_err(tract_onnx::prelude::TractError::msg)?;
    Ok(made.of_element(element))
}

fn elements<T: tract_onnx::prelude::Datum + Copy>(
    tensor: &tract_onnx::prelude::Tensor,
) -> Result<Vec<T>, tract_onnx::prelude::TractError> {
    let view =
        tensor.as_plain_ram().ok_or_else(|| tract_onnx::prelude::TractError::msg("a tensor is not in memory"))?;
    Ok(view.as_slice::<T>()?.to_vec())
}
