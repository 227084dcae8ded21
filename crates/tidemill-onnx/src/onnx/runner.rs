//! Runs an ONNX model on record batches.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use tidemill_core::Signature;

use super::element::is_float;
use super::engine::{Engine, EngineError};
use super::generated::ModelProto;
use super::independence;
use super::options::OnnxOptions;
use super::ports::{self, element_type};
use super::program::{check_versions, opset};
use super::samples::{Fill, fitting, sample};
use super::signature::{Input, inputs, signature};
use super::tensors::TensorRunner;
use super::value::{Data, Tensor, datatype};
use tidemill_model::{
    BatchBuilder, Dimension, ImportedParts, InputShape, MissingColumn, ModelError, Runtime, Strictness, Task,
    TensorInfo, TensorRuntime,
};

#[derive(Debug)]
struct OnnxRunner {
    engine: Arc<Engine>,
    inputs: Vec<Input>,
    shape: Arc<InputShape>,
    signature: Signature,
    /// Rows are run one at a time.
    single: bool,
}

/// Loads a model; tensors in other files are found relative to `path`.
pub(crate) fn parse(bytes: &[u8], path: &Path, options: &OnnxOptions) -> Result<ImportedParts, EngineError> {
    let mut model = super::read::read(bytes, path.parent())?;
    super::inline::inline(&mut model)?;
    check_versions(&model)?;
    let Some(graph) = &model.graph else { return Err("it has no graph".to_owned().into()) };
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |values| values.name.as_str());
        return Err(format!("the sparse tensor `{name}` is not read by this version").into());
    }
    let ports = ports::inputs(&model)?;
    let declared = ports::outputs(&model)?;
    let engine = Arc::new(Engine::new(&model, graph, &ports, options)?);
    let (results, guessed) = probe(&engine, &ports)?;
    let outputs = outputs(declared, results.as_deref(), guessed)?;
    let lists_optional = model.metadata_props.iter().any(|entry| entry.key == ports::OPTIONAL_KEY);
    let columns = inputs(&ports, lists_optional).and_then(|inputs| {
        let results = engine.run(sample(&ports, 1, 1, Fill::Zeros)?)?;
        Ok((signature(&inputs, &outputs, &results)?, inputs))
    });
    let joined = independence::of_rows(&engine, graph, &ports);
    let mut facts = facts(&model, engine.name());
    if let Err(reason) = &joined {
        facts.push(("rows of requests", format!("never joined: {reason}")));
    }
    let tensors = TensorRunner { engine: Arc::clone(&engine), inputs: ports, outputs, joined };
    let tensors = Some(Arc::new(tensors) as Arc<dyn TensorRuntime>);
    let (signature, runtime): (Signature, Box<dyn Runtime>) = match columns {
        Ok((signature, inputs)) => {
            let single = engine.is_single() || inputs.iter().any(|input| input.single);
            let shape = Arc::new(InputShape::of(&signature));
            (signature.clone(), Box::new(OnnxRunner { engine, inputs, shape, signature, single }))
        }
        Err(reason) => (Signature::default(), Box::new(NoColumns { reason })),
    };
    let task = task(&signature);
    Ok(ImportedParts { format: "ONNX", signature, task, runtime, tensors, facts })
}

/// A model whose inputs are not columns: it runs on tensors only.
#[derive(Debug)]
struct NoColumns {
    reason: String,
}

impl Runtime for NoColumns {
    fn run(&self, _: &RecordBatch) -> Result<Vec<ArrayRef>, ModelError> {
        let reason =
            format!("it takes tensors, not rows of a table: {}; ask it with `tidemill model run`", self.reason);
        Err(ModelError::Run { reason })
    }

    fn builder(&self, rows: usize) -> BatchBuilder {
        BatchBuilder::new(&Arc::new(InputShape::of(&Signature::default())), rows, Strictness::Checked)
    }
}

/// The outputs of a sample of the inputs, and whether sizes in it are guessed: then a failure says nothing.
fn probe(engine: &Engine, ports: &[TensorInfo]) -> Result<(Option<Vec<Tensor>>, bool), String> {
    let is_open = |dimension: &Dimension| !matches!(dimension, Dimension::Fixed(_));
    let guessed = ports
        .iter()
        .any(|port| port.sequence || port.shape.as_ref().is_none_or(|shape| shape.iter().skip(1).any(is_open)));
    let mut refused = None;
    for fill in [Fill::Zeros, Fill::Ones, Fill::Small(1)] {
        match fitting(ports, 1, fill, |sample| engine.run(sample)) {
            Ok((_, results)) => return Ok((Some(results), guessed)),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    // Whole numbers are often shapes, places and lengths, and no guess may fit.
    if guessed || ports.iter().any(|port| port.element.is_integer()) {
        return Ok((None, true));
    }
    Err(format!("a row of zeros cannot be run: {}", refused.unwrap_or_default()))
}

/// The outputs as the graph declares them; what it leaves open is taken from the results of a sample.
fn outputs(
    declared: Vec<(String, Option<TensorInfo>)>,
    results: Option<&[Tensor]>,
    guessed: bool,
) -> Result<Vec<TensorInfo>, String> {
    if results.is_some_and(|results| results.len() != declared.len()) {
        return Err("it does not give the outputs it names".to_owned());
    }
    let mut outputs = Vec::with_capacity(declared.len());
    for (at, (name, info)) in declared.into_iter().enumerate() {
        let result = results.and_then(|results| results.get(at));
        let found = result.and_then(|result| element_type(result.element()));
        let is_list = result.is_some_and(|result| matches!(result.data, Data::List(_)));
        let mut info = info.unwrap_or_else(|| TensorInfo {
            name: name.clone(),
            element: found.unwrap_or(tidemill_core::ElementType::Fp32),
            shape: None,
            optional: false,
            sequence: is_list,
            labels: Vec::new(),
        });
        if let Some(found) = found {
            info.element = found;
        }
        let fits = |shape: &Vec<Dimension>| result.is_none_or(|result| is_list || result.rank() == shape.len());
        // A shape that is not what the graph makes helps nobody.
        if info.shape.as_ref().is_none_or(|shape| !fits(shape)) {
            info.shape = result.filter(|_| !is_list).map(|result| {
                let size = |(axis, size): (usize, &usize)| {
                    if axis == 0 || guessed { Dimension::Open } else { Dimension::Fixed(*size) }
                };
                result.shape.iter().enumerate().map(size).collect()
            });
        }
        outputs.push(info);
    }
    Ok(outputs)
}

fn task(signature: &Signature) -> Option<Task> {
    match signature.outputs.as_slice() {
        [output] if output.name == Task::Binary.output_name() => Some(Task::Binary),
        [output] if output.datatype == tidemill_core::DataType::Fp64 => Some(Task::Regression),
        _ => None,
    }
}

fn facts(model: &ModelProto, runs_on: String) -> Vec<(&'static str, String)> {
    let mut facts = vec![("format version", model.ir_version.to_string())];
    if !model.producer_name.is_empty() {
        facts.push(("written by", format!("{} {}", model.producer_name, model.producer_version).trim().to_owned()));
    }
    let mut versions = vec![format!("ai.onnx {}", opset(model, ""))];
    for import in &model.opset_import {
        if !matches!(import.domain.as_str(), "" | "ai.onnx") {
            versions.push(format!("{} {}", import.domain, import.version));
        }
    }
    facts.push(("operators", versions.join(", ")));
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for node in model.graph.iter().flat_map(|graph| &graph.node) {
        match counts.iter_mut().find(|(name, _)| *name == node.op_type) {
            Some((_, count)) => *count += 1,
            None => counts.push((&node.op_type, 1)),
        }
    }
    let times = |(name, count): (&str, usize)| if count == 1 { name.to_owned() } else { format!("{name} × {count}") };
    facts.push(("graph", counts.into_iter().map(times).collect::<Vec<_>>().join(", ")));
    facts.push(("runs on", runs_on));
    facts
}

impl Runtime for OnnxRunner {
    fn run(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ModelError> {
        let columns = self.columns(batch)?;
        let rows = batch.num_rows();
        let refuse = |reason: String| ModelError::Run { reason };
        let mut parts: Vec<Vec<Tensor>> = Vec::new();
        let step = if self.single { 1 } else { rows.max(1) };
        for first in (0..rows).step_by(step) {
            let mut at = 0;
            let mut tensors = Vec::with_capacity(self.inputs.len());
            for input in &self.inputs {
                let own = &columns[at..at + input.width];
                at += input.width;
                tensors.push(tensor(input, own, first, step.min(rows - first))?);
            }
            parts.push(self.engine.run(tensors).map_err(refuse)?);
        }
        let mut arrays = Vec::with_capacity(self.signature.outputs.len());
        for (at, view) in self.signature.output_tensors().into_iter().enumerate() {
            let width = view.width.unwrap_or(1);
            let whole: Vec<&Tensor> = parts.iter().filter_map(|part| part.get(at)).collect();
            for column in 0..width {
                arrays.push(array(&whole, column, width, rows, view.datatype).map_err(refuse)?);
            }
        }
        Ok(arrays)
    }

    fn builder(&self, rows: usize) -> BatchBuilder {
        BatchBuilder::new(&self.shape, rows, Strictness::Checked)
    }
}

impl OnnxRunner {
    /// The columns of the inputs, in order.
    fn columns<'a>(&self, batch: &'a RecordBatch) -> Result<Vec<&'a ArrayRef>, ModelError> {
        if Arc::ptr_eq(batch.schema_ref(), &self.shape.schema) {
            return Ok(batch.columns().iter().collect());
        }
        let (mut columns, mut missing) = (Vec::with_capacity(self.signature.inputs.len()), Vec::new());
        for spec in &self.signature.inputs {
            match batch.column_by_name(&spec.name) {
                Some(column) => columns.push(column),
                None => missing.push(MissingColumn::of_feature(spec.name.clone(), &spec.name, batch.schema_ref())),
            }
        }
        MissingColumn::error_if_any(missing)?;
        Ok(columns)
    }
}

/// The tensor of an input, from a column for each position in a row. A missing number is NaN, a missing text is empty.
fn tensor(input: &Input, columns: &[&ArrayRef], first: usize, rows: usize) -> Result<Tensor, ModelError> {
    let wrong = |column: &ArrayRef, expected: tidemill_core::DataType| ModelError::ColumnType {
        feature: input.name.clone(),
        column: input.name.clone(),
        expected: expected.to_string(),
        actual: tidemill_model::type_name(column.data_type()),
    };
    let width = columns.len();
    let mut shape = vec![rows];
    shape.extend_from_slice(&input.sizes);
    let range = first..first + rows;
    let data = match input.element {
        datatype::STRING => {
            let mut cells = vec![String::new(); rows * width];
            for (place, column) in columns.iter().enumerate() {
                match column.data_type() {
                    ArrowType::Utf8 => {
                        let values = column.as_string::<i32>();
                        for (at, row) in range.clone().enumerate() {
                            if values.is_valid(row) {
                                values.value(row).clone_into(&mut cells[at * width + place]);
                            }
                        }
                    }
                    ArrowType::Null => {}
                    _ => return Err(wrong(column, tidemill_core::DataType::Bytes)),
                }
            }
            Data::Text(cells)
        }
        datatype::BOOL => {
            let mut cells = vec![false; rows * width];
            for (place, column) in columns.iter().enumerate() {
                let values = column.as_boolean_opt().ok_or_else(|| wrong(column, tidemill_core::DataType::Bool))?;
                for (at, row) in range.clone().enumerate() {
                    cells[at * width + place] = values.value(row);
                }
            }
            Data::Bool(cells)
        }
        element if is_float(element) => {
            let mut cells = vec![f64::NAN; rows * width];
            for (place, column) in columns.iter().enumerate() {
                let value: Box<dyn Fn(usize) -> f64> = match column.data_type() {
                    ArrowType::Float64 => Box::new(|row| column.as_primitive::<Float64Type>().value(row)),
                    ArrowType::Int64 => Box::new(|row| column.as_primitive::<Int64Type>().value(row) as f64),
                    ArrowType::Null => continue,
                    _ => return Err(wrong(column, tidemill_core::DataType::Fp64)),
                };
                for (at, row) in range.clone().enumerate() {
                    if column.is_valid(row) {
                        cells[at * width + place] = value(row);
                    }
                }
            }
            if element == datatype::DOUBLE {
                Data::F64(cells)
            } else {
                Data::F32(cells.into_iter().map(|x| x as f32).collect())
            }
        }
        _ => {
            let mut cells = vec![0; rows * width];
            for (place, column) in columns.iter().enumerate() {
                let values = column.as_primitive_opt::<Int64Type>();
                let values = values.ok_or_else(|| wrong(column, tidemill_core::DataType::Int64))?;
                for (at, row) in range.clone().enumerate() {
                    cells[at * width + place] = values.value(row);
                }
            }
            Data::Int(cells)
        }
    };
    let refuse = |reason: String| ModelError::Run { reason };
    Ok(Tensor::new(shape, data).map_err(refuse)?.of_element(input.element))
}

/// One column of an output, joined from the parts of all rows.
fn array(
    parts: &[&Tensor],
    column: usize,
    width: usize,
    rows: usize,
    datatype: tidemill_core::DataType,
) -> Result<ArrayRef, String> {
    use tidemill_core::DataType;
    let count: usize = parts.iter().map(|part| part.data.len()).sum();
    if count != rows * width {
        return Err(format!("{rows} rows gave {count} values where {width} a row are expected"));
    }
    let cells = |data: &Data| (column..data.len()).step_by(width).collect::<Vec<_>>();
    let mut picked = Vec::with_capacity(parts.len());
    for part in parts {
        picked.push(part.data.take(&cells(&part.data)));
    }
    let other = |data: &Data| format!("an output is of type {} now", data.kind());
    Ok(match datatype {
        DataType::Fp64 => {
            let mut values = Vec::with_capacity(rows);
            for part in &picked {
                match part {
                    Data::F64(part) => values.extend_from_slice(part),
                    Data::F32(part) => values.extend(part.iter().map(|x| f64::from(*x))),
                    data => return Err(other(data)),
                }
            }
            Arc::new(Float64Array::from(values))
        }
        DataType::Int64 => {
            let mut values = Vec::with_capacity(rows);
            for part in &picked {
                let Data::Int(part) = part else { return Err(other(part)) };
                values.extend_from_slice(part);
            }
            Arc::new(Int64Array::from(values))
        }
        DataType::Bool => {
            let mut values = Vec::with_capacity(rows);
            for part in &picked {
                let Data::Bool(part) = part else { return Err(other(part)) };
                values.extend_from_slice(part);
            }
            Arc::new(BooleanArray::from(values))
        }
        DataType::Bytes => {
            let mut values = Vec::with_capacity(rows);
            for part in &picked {
                let Data::Text(part) = part else { return Err(other(part)) };
                values.extend(part.iter().map(String::as_str));
            }
            Arc::new(StringArray::from(values))
        }
    })
}
