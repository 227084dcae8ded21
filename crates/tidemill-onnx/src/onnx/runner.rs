//! Runs an ONNX model on record batches.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use tidemill_core::Signature;

use super::engine::{Engine, EngineError, shape_of, zeros};
use super::generated::ModelProto;
use super::options::OnnxOptions;
use super::program::{check_versions, opset};
use super::signature::{Input, Output, inputs, outputs, signature};
use super::value::{Data, Tensor, datatype};
use tidemill_model::{BatchBuilder, ImportedParts, InputShape, MissingColumn, ModelError, Runtime, Strictness, Task};

#[derive(Debug)]
struct OnnxRunner {
    engine: Engine,
    inputs: Vec<Input>,
    shape: Arc<InputShape>,
    signature: Signature,
    /// Rows are run one at a time.
    single: bool,
}

/// Loads a model; tensors in other files are found relative to `path`.
pub(crate) fn parse(bytes: &[u8], path: &Path, options: &OnnxOptions) -> Result<ImportedParts, EngineError> {
    let model = super::read::read(bytes, path.parent())?;
    check_versions(&model)?;
    let Some(graph) = &model.graph else { return Err("it has no graph".to_owned().into()) };
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |values| values.name.as_str());
        return Err(format!("the sparse tensor `{name}` is not read by this version").into());
    }
    let inputs = inputs(&model)?;
    let outputs = outputs(&model);
    let engine = Engine::new(&model, graph, &inputs, options)?;
    let single = engine.is_single() || inputs.iter().any(|input| input.single);
    let results = probe(&engine, &inputs, &outputs)?;
    let signature = signature(&inputs, &outputs, &results)?;
    let facts = facts(&model, engine.name());
    let task = task(&signature);
    let shape = Arc::new(InputShape::of(&signature));
    let runtime = Box::new(OnnxRunner { engine, inputs, shape, signature: signature.clone(), single });
    Ok(ImportedParts { format: "ONNX", signature, task, runtime, facts })
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

/// The graph's outputs for one row of zeros: their types and widths.
fn probe(engine: &Engine, inputs: &[Input], outputs: &[Output]) -> Result<Vec<Tensor>, String> {
    let results = engine.run(zeros(inputs, 1));
    let results = results.map_err(|reason| format!("a row of zeros cannot be run: {reason}"))?;
    if results.len() != outputs.len() {
        return Err("it does not give the outputs it names".to_owned());
    }
    Ok(results)
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
    let mut shape = shape_of(input, rows);
    shape[0] = rows;
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
    Ok(Tensor { shape, data })
}

fn is_float(element: i32) -> bool {
    matches!(element, datatype::FLOAT | datatype::DOUBLE | datatype::FLOAT16 | datatype::BFLOAT16)
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
