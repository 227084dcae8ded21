//! `saved_model.pb`, with the numbers of the fields of TensorFlow's `saved_model.proto`, `meta_graph.proto`,
//! `graph.proto`, `function.proto` and `tensor_shape.proto`.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_proto::wire::Content;

use super::wire::{fields, text};
use super::{Described, InspectedGraph, InspectedSignature, InspectedTensor, TENSORS_MAX};

/// Runs when a model is loaded; nobody calls it.
const INIT_SIGNATURE: &str = "__saved_model_init_op";

/// Reads a `SavedModel` message.
pub(super) fn read(bytes: &[u8]) -> Result<Described, String> {
    let mut reading = Reading::default();
    fields(bytes, |number, field| match (number, field) {
        (2, Content::Bytes(graph)) => reading.meta_graph(graph),
        _ => Ok(()),
    })?;
    if reading.graphs.is_empty() {
        return Err("it holds no graph".to_owned());
    }
    let Reading { version, graphs, functions, mut operators, .. } = reading;
    // A function is called as an operator of its name.
    operators.retain(|name, _| !functions.contains(name));
    Ok(Described { version: format!("TensorFlow {version}"), graphs, operators })
}

#[derive(Default)]
struct Reading {
    version: String,
    graphs: Vec<InspectedGraph>,
    functions: BTreeSet<String>,
    operators: BTreeMap<String, u64>,
    tensors: usize,
}

impl Reading {
    fn meta_graph(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut graph = InspectedGraph::default();
        fields(bytes, |number, field| match (number, field) {
            (1, Content::Bytes(info)) => fields(info, |number, field| {
                match (number, field) {
                    (4, Content::Bytes(tag)) => graph.tags.push(text(tag)),
                    (5, Content::Bytes(version)) => self.version = text(version),
                    _ => {}
                }
                Ok(())
            }),
            (2, Content::Bytes(definition)) => self.graph(definition),
            (5, Content::Bytes(entry)) => {
                let (name, signature) = entry_of(entry)?;
                if name != INIT_SIGNATURE {
                    graph.signatures.insert(name, self.signature(signature)?);
                }
                Ok(())
            }
            _ => Ok(()),
        })?;
        self.graphs.push(graph);
        Ok(())
    }

    fn graph(&mut self, bytes: &[u8]) -> Result<(), String> {
        fields(bytes, |number, field| match (number, field) {
            (1, Content::Bytes(node)) => self.node(node),
            (2, Content::Bytes(library)) => fields(library, |number, field| match (number, field) {
                (1, Content::Bytes(function)) => self.function(function),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })
    }

    fn function(&mut self, bytes: &[u8]) -> Result<(), String> {
        fields(bytes, |number, field| match (number, field) {
            (1, Content::Bytes(signature)) => fields(signature, |number, field| {
                if let (1, Content::Bytes(name)) = (number, field) {
                    self.functions.insert(text(name));
                }
                Ok(())
            }),
            (3, Content::Bytes(node)) => self.node(node),
            _ => Ok(()),
        })
    }

    fn node(&mut self, bytes: &[u8]) -> Result<(), String> {
        fields(bytes, |number, field| {
            if let (2, Content::Bytes(operator)) = (number, field) {
                *self.operators.entry(text(operator)).or_default() += 1;
            }
            Ok(())
        })
    }

    fn signature(&mut self, bytes: &[u8]) -> Result<InspectedSignature, String> {
        let mut signature = InspectedSignature::default();
        fields(bytes, |number, field| {
            match (number, field) {
                (1 | 2, Content::Bytes(entry)) => {
                    self.tensors += 1;
                    if self.tensors > TENSORS_MAX {
                        return Err(format!("it has more than {TENSORS_MAX} tensors"));
                    }
                    let (name, info) = entry_of(entry)?;
                    let side = if number == 1 { &mut signature.inputs } else { &mut signature.outputs };
                    side.insert(name, tensor(info)?);
                }
                (3, Content::Bytes(method)) => signature.method = text(method),
                _ => {}
            }
            Ok(())
        })?;
        Ok(signature)
    }
}

/// Key and value of an entry of a map.
fn entry_of(bytes: &[u8]) -> Result<(String, &[u8]), String> {
    let (mut key, mut value) = (String::new(), &[][..]);
    fields(bytes, |number, field| {
        match (number, field) {
            (1, Content::Bytes(found)) => key = text(found),
            (2, Content::Bytes(found)) => value = found,
            _ => {}
        }
        Ok(())
    })?;
    Ok((key, value))
}

fn tensor(bytes: &[u8]) -> Result<InspectedTensor, String> {
    let mut tensor = InspectedTensor { datatype: datatype(0), shape: Some(Vec::new()), ..InspectedTensor::default() };
    fields(bytes, |number, field| {
        match (number, field) {
            (1, Content::Bytes(name)) => tensor.name = text(name),
            (2, Content::Varint(code)) => tensor.datatype = datatype(code),
            (3, Content::Bytes(found)) => tensor.shape = shape(found)?,
            (4, Content::Bytes(_)) => "(sparse)".clone_into(&mut tensor.name),
            (5, Content::Bytes(_)) => "(composite)".clone_into(&mut tensor.name),
            _ => {}
        }
        Ok(())
    })?;
    Ok(tensor)
}

fn shape(bytes: &[u8]) -> Result<Option<Vec<i64>>, String> {
    let (mut sizes, mut known) = (Vec::new(), true);
    fields(bytes, |number, field| {
        match (number, field) {
            (2, Content::Bytes(dimension)) => {
                let mut size = 0;
                fields(dimension, |number, field| {
                    if let (1, Content::Varint(found)) = (number, field) {
                        size = found.cast_signed();
                    }
                    Ok(())
                })?;
                sizes.push(size);
            }
            (3, Content::Varint(unknown)) => known = unknown == 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok(known.then_some(sizes))
}

/// The name of a type of TensorFlow's `types.proto`.
fn datatype(code: u64) -> String {
    let name = match code {
        1 => "FP32",
        2 => "FP64",
        3 => "INT32",
        4 => "UINT8",
        5 => "INT16",
        6 => "INT8",
        7 => "BYTES",
        8 => "COMPLEX64",
        9 => "INT64",
        10 => "BOOL",
        14 => "BF16",
        17 => "UINT16",
        18 => "COMPLEX128",
        19 => "FP16",
        20 => "RESOURCE",
        21 => "VARIANT",
        22 => "UINT32",
        23 => "UINT64",
        _ => return format!("type {code}"),
    };
    name.to_owned()
}
