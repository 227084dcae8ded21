//! `TFLite`'s flatbuffer, with the numbers of the fields of TensorFlow's `schema.fbs`, version 3.

use std::collections::BTreeMap;

use super::flatbuffer::Table;
use super::{Described, InspectedGraph, InspectedSignature, InspectedTensor, TENSORS_MAX};

/// The operator whose name is text.
const CUSTOM: u32 = 32;
/// More different operators than this, or sizes of a tensor, are rejected.
const CODES_MAX: usize = 4096;
const SIZES_MAX: usize = 64;

/// Whether the bytes begin like a `TFLite` model.
pub(crate) fn is_tflite(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"TFL3")
}

/// Reads a model.
pub(super) fn read(bytes: &[u8]) -> Result<Described, String> {
    let model = Table::root(bytes)?;
    if model.tables(1)?.len() > CODES_MAX {
        return Err(format!("it has more than {CODES_MAX} operators"));
    }
    let codes = model.tables(1)?.map(|code| operator(&code?)).collect::<Result<Vec<String>, String>>()?;
    let graphs = model.tables(2)?.collect::<Result<Vec<Table<'_>>, String>>()?;
    let mut uses = vec![0_u64; codes.len()];
    // Each takes a place in the file, unless graphs share their lists to no good end.
    let mut steps_left = bytes.len() / 4;
    for graph in &graphs {
        steps_left =
            steps_left.checked_sub(graph.tables(3)?.len()).ok_or("it has more steps than the file can hold")?;
        for step in graph.tables(3)? {
            let code = step?.u32(0, 0)? as usize;
            *uses.get_mut(code).ok_or_else(|| format!("operator {code} of {} is used", codes.len()))? += 1;
        }
    }
    let mut operators = BTreeMap::new();
    for (name, count) in codes.into_iter().zip(uses).filter(|(_, count)| *count > 0) {
        *operators.entry(name).or_default() += count;
    }
    let signatures = Signatures { graphs: &graphs, tensors: 0 }.read(&model)?;
    let graphs = vec![InspectedGraph { tags: Vec::new(), signatures }];
    Ok(Described { version: format!("version {}", model.u32(0, 0)?), graphs, operators })
}

fn operator(code: &Table<'_>) -> Result<String, String> {
    // The wider number came later; an older file has only the other.
    let number = code.u32(3, 0)?.max(u32::from(code.u8(0, 0)?));
    if number == CUSTOM {
        return Ok(format!("custom {}", code.text(1)?));
    }
    Ok(OPERATORS.get(number as usize).map_or_else(|| format!("operator {number}"), |name| (*name).to_owned()))
}

struct Signatures<'a> {
    graphs: &'a [Table<'a>],
    tensors: usize,
}

impl Signatures<'_> {
    /// The signatures in the file; if it has none, the first graph is the only one.
    fn read(mut self, model: &Table<'_>) -> Result<BTreeMap<String, InspectedSignature>, String> {
        let mut signatures = BTreeMap::new();
        for named in model.tables(7)? {
            let named = named?;
            let graph = named.u32(4, 0)? as usize;
            let graph = *self.graphs.get(graph).ok_or_else(|| format!("a signature is of graph {graph}"))?;
            let mut signature = InspectedSignature::default();
            for (field, side) in [(0, &mut signature.inputs), (1, &mut signature.outputs)] {
                for tensor in named.tables(field)? {
                    let tensor = tensor?;
                    side.insert(tensor.text(0)?, self.tensor(&graph, tensor.u32(1, 0)?)?);
                }
            }
            signatures.insert(named.text(2)?, signature);
        }
        if let (true, Some(graph)) = (signatures.is_empty(), self.graphs.first()) {
            let mut signature = InspectedSignature::default();
            for (field, side) in [(1, &mut signature.inputs), (2, &mut signature.outputs)] {
                for index in graph.numbers(field)? {
                    let tensor = self.tensor(graph, index)?;
                    side.insert(tensor.name.clone(), tensor);
                }
            }
            signatures.insert(String::new(), signature);
        }
        Ok(signatures)
    }

    fn tensor(&mut self, graph: &Table<'_>, index: u32) -> Result<InspectedTensor, String> {
        self.tensors += 1;
        if self.tensors > TENSORS_MAX {
            return Err(format!("it has more than {TENSORS_MAX} tensors"));
        }
        let found = graph.table(0, index)?;
        // Variable sizes are −1 only in the second list, which may be absent.
        let (fixed, open) = (found.numbers(0)?, found.numbers(7)?);
        let sizes = if open.len() == 0 { fixed } else { open };
        if sizes.len() > SIZES_MAX {
            return Err(format!("tensor {index} has {} sizes", sizes.len()));
        }
        Ok(InspectedTensor {
            name: found.text(3)?,
            datatype: datatype(found.u8(1, 0)?),
            shape: Some(sizes.map(|size| i64::from(size.cast_signed())).collect()),
        })
    }
}

fn datatype(code: u8) -> String {
    const NAMES: [&str; 21] = [
        "FP32",
        "FP16",
        "INT32",
        "UINT8",
        "INT64",
        "BYTES",
        "BOOL",
        "INT16",
        "COMPLEX64",
        "INT8",
        "FP64",
        "COMPLEX128",
        "UINT64",
        "RESOURCE",
        "VARIANT",
        "UINT32",
        "UINT16",
        "INT4",
        "BF16",
        "INT2",
        "UINT4",
    ];
    NAMES.get(usize::from(code)).map_or_else(|| format!("type {code}"), |name| (*name).to_owned())
}

/// By number.
#[rustfmt::skip]
const OPERATORS: [&str; 162] = [
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE",
    "EMBEDDING_LOOKUP", "FLOOR", "FULLY_CONNECTED", "HASHTABLE_LOOKUP", "L2_NORMALIZATION", "L2_POOL_2D",
    "LOCAL_RESPONSE_NORMALIZATION", "LOGISTIC", "LSH_PROJECTION", "LSTM", "MAX_POOL_2D", "MUL", "RELU",
    "RELU_N1_TO_1", "RELU6", "RESHAPE", "RESIZE_BILINEAR", "RNN", "SOFTMAX", "SPACE_TO_DEPTH", "SVDF", "TANH",
    "CONCAT_EMBEDDINGS", "SKIP_GRAM", "CALL", "CUSTOM", "EMBEDDING_LOOKUP_SPARSE", "PAD",
    "UNIDIRECTIONAL_SEQUENCE_RNN", "GATHER", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TRANSPOSE", "MEAN", "SUB",
    "DIV", "SQUEEZE", "UNIDIRECTIONAL_SEQUENCE_LSTM", "STRIDED_SLICE", "BIDIRECTIONAL_SEQUENCE_RNN", "EXP",
    "TOPK_V2", "SPLIT", "LOG_SOFTMAX", "DELEGATE", "BIDIRECTIONAL_SEQUENCE_LSTM", "CAST", "PRELU", "MAXIMUM",
    "ARG_MAX", "MINIMUM", "LESS", "NEG", "PADV2", "GREATER", "GREATER_EQUAL", "LESS_EQUAL", "SELECT", "SLICE",
    "SIN", "TRANSPOSE_CONV", "SPARSE_TO_DENSE", "TILE", "EXPAND_DIMS", "EQUAL", "NOT_EQUAL", "LOG", "SUM", "SQRT",
    "RSQRT", "SHAPE", "POW", "ARG_MIN", "FAKE_QUANT", "REDUCE_PROD", "REDUCE_MAX", "PACK", "LOGICAL_OR", "ONE_HOT",
    "LOGICAL_AND", "LOGICAL_NOT", "UNPACK", "REDUCE_MIN", "FLOOR_DIV", "REDUCE_ANY", "SQUARE", "ZEROS_LIKE", "FILL",
    "FLOOR_MOD", "RANGE", "RESIZE_NEAREST_NEIGHBOR", "LEAKY_RELU", "SQUARED_DIFFERENCE", "MIRROR_PAD", "ABS",
    "SPLIT_V", "UNIQUE", "CEIL", "REVERSE_V2", "ADD_N", "GATHER_ND", "COS", "WHERE", "RANK", "ELU",
    "REVERSE_SEQUENCE", "MATRIX_DIAG", "QUANTIZE", "MATRIX_SET_DIAG", "ROUND", "HARD_SWISH", "IF", "WHILE",
    "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "SCATTER_ND", "SELECT_V2", "DENSIFY", "SEGMENT_SUM",
    "BATCH_MATMUL", "PLACEHOLDER_FOR_GREATER_OP_CODES", "CUMSUM", "CALL_ONCE", "BROADCAST_TO", "RFFT2D", "CONV_3D",
    "IMAG", "REAL", "COMPLEX_ABS", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE",
    "REDUCE_ALL", "CONV_3D_TRANSPOSE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "BROADCAST_ARGS",
    "RANDOM_STANDARD_NORMAL", "BUCKETIZE", "RANDOM_UNIFORM", "MULTINOMIAL", "GELU", "DYNAMIC_UPDATE_SLICE",
    "RELU_0_TO_1", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_SUM", "ATAN2",
    "UNSORTED_SEGMENT_MIN", "SIGN", "BITCAST", "BITWISE_XOR", "RIGHT_SHIFT",
];
