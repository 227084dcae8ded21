//! Builds the nodes and constants of a graph.

use std::collections::HashMap;

use prost::Message as _;

use crate::onnx::generated::{AttributeProto, NodeProto, TensorProto};
use crate::onnx::ops::ML;
use crate::onnx::value::datatype;

/// Attribute types, by their ONNX numbers.
const INT: i32 = 2;
const STRING: i32 = 3;
const TENSOR: i32 = 4;
const INTS: i32 = 7;
const STRINGS: i32 = 8;

/// The suffix of a second result's name.
pub(super) const COUNT: &str = "_count";

/// The name of a tensor in the graph.
pub(super) type Name = String;

/// A graph under construction. Arithmetic is on `double` tensors of one dimension, one value per row.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) nodes: Vec<NodeProto>,
    pub(super) constants: Vec<TensorProto>,
    numbers: HashMap<u64, Name>,
    texts: HashMap<String, Name>,
    lists: HashMap<Vec<i64>, Name>,
    wholes: HashMap<i64, Name>,
    truths: HashMap<bool, Name>,
    /// The result of each node, by its bytes without the result's name: nothing is computed twice.
    made: HashMap<Vec<u8>, Name>,
}

impl Builder {
    /// A node of the standard operators with one output.
    pub(super) fn op(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> Name {
        self.node("", operator, inputs, attributes)
    }

    /// A node of the operators of classic machine learning.
    pub(super) fn ml(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> Name {
        self.node(ML, operator, inputs, attributes)
    }

    fn node(&mut self, domain: &str, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> Name {
        let mut node = NodeProto {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            op_type: operator.to_owned(),
            domain: domain.to_owned(),
            attribute: attributes,
            ..NodeProto::default()
        };
        let bytes = node.encode_to_vec();
        if let Some(name) = self.made.get(&bytes) {
            return name.clone();
        }
        let output = format!("t{}", self.nodes.len());
        node.output = vec![output.clone()];
        if matches!(operator, "StringSplit" | "TopK") {
            // The second result: the number of parts, which cannot be left out, or the places of the elements.
            node.output.push(format!("{output}{COUNT}"));
        }
        self.nodes.push(node);
        self.made.insert(bytes, output.clone());
        output
    }

    /// Gives the result `of` its public name.
    pub(super) fn name(&mut self, of: &str, name: &str) {
        self.nodes.push(NodeProto {
            input: vec![of.to_owned()],
            output: vec![name.to_owned()],
            op_type: "Identity".to_owned(),
            ..NodeProto::default()
        });
    }

    fn constant(&mut self, tensor: TensorProto) -> Name {
        let name = format!("c{}", self.constants.len());
        self.constants.push(TensorProto { name: name.clone(), ..tensor });
        name
    }

    /// A number.
    pub(super) fn number(&mut self, value: f64) -> Name {
        if let Some(name) = self.numbers.get(&value.to_bits()) {
            return name.clone();
        }
        let name = self.constant(doubles(&[], &[value]));
        self.numbers.insert(value.to_bits(), name.clone());
        name
    }

    /// A tensor of numbers with a shape.
    pub(super) fn table(&mut self, shape: &[i64], values: &[f64]) -> Name {
        self.constant(doubles(shape, values))
    }

    /// A text.
    pub(super) fn text(&mut self, value: &str) -> Name {
        if let Some(name) = self.texts.get(value) {
            return name.clone();
        }
        let string_data = vec![value.as_bytes().to_vec()];
        let name = self.constant(TensorProto { data_type: datatype::STRING, string_data, ..TensorProto::default() });
        self.texts.insert(value.to_owned(), name.clone());
        name
    }

    /// A whole number.
    pub(super) fn whole(&mut self, value: i64) -> Name {
        if let Some(name) = self.wholes.get(&value) {
            return name.clone();
        }
        let int64_data = vec![value];
        let name = self.constant(TensorProto { data_type: datatype::INT64, int64_data, ..TensorProto::default() });
        self.wholes.insert(value, name.clone());
        name
    }

    /// True or false.
    pub(super) fn truth(&mut self, value: bool) -> Name {
        if let Some(name) = self.truths.get(&value) {
            return name.clone();
        }
        let int32_data = vec![i32::from(value)];
        let name = self.constant(TensorProto { data_type: datatype::BOOL, int32_data, ..TensorProto::default() });
        self.truths.insert(value, name.clone());
        name
    }

    /// A list of whole numbers: a shape, or axes.
    pub(super) fn list(&mut self, values: &[i64]) -> Name {
        if let Some(name) = self.lists.get(values) {
            return name.clone();
        }
        let name = self.constant(TensorProto {
            data_type: datatype::INT64,
            dims: vec![values.len() as i64],
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        self.lists.insert(values.to_vec(), name.clone());
        name
    }

    /// Applies an operator to `a` and a constant.
    pub(super) fn with(&mut self, operator: &str, a: &str, b: f64) -> Name {
        let b = self.number(b);
        self.op(operator, &[a, &b], Vec::new())
    }

    /// Applies an operator to `a` and `b`.
    pub(super) fn both(&mut self, operator: &str, a: &str, b: &str) -> Name {
        self.op(operator, &[a, b], Vec::new())
    }

    /// Applies an operator to `a`.
    pub(super) fn of(&mut self, operator: &str, a: &str) -> Name {
        self.op(operator, &[a], Vec::new())
    }

    /// 1 / (1 + e^−x).
    pub(super) fn logistic(&mut self, x: &str) -> Name {
        let negative = self.of("Neg", x);
        let power = self.of("Exp", &negative);
        let sum = self.with("Add", &power, 1.0);
        let one = self.number(1.0);
        self.both("Div", &one, &sum)
    }

    /// `yes` where `condition` holds, else `no`.
    pub(super) fn choose(&mut self, condition: &str, yes: &str, no: &str) -> Name {
        self.op("Where", &[condition, yes, no], Vec::new())
    }

    /// Whether `pattern` matches the whole of `text`.
    pub(super) fn matches(&mut self, text: &str, pattern: String) -> Name {
        self.op("RegexFullMatch", &[text], vec![string("pattern", pattern)])
    }

    /// Casts to another element type.
    pub(super) fn cast(&mut self, a: &str, to: i32) -> Name {
        self.op("Cast", &[a], vec![int("to", i64::from(to))])
    }

    /// ⌊a / b⌋.
    pub(super) fn floor_div(&mut self, a: &str, b: f64) -> Name {
        let quotient = self.with("Div", a, b);
        self.of("Floor", &quotient)
    }

    /// a − b · ⌊a / b⌋.
    pub(super) fn modulo(&mut self, a: &str, b: f64) -> Name {
        let whole = self.floor_div(a, b);
        let multiple = self.with("Mul", &whole, b);
        self.both("Sub", a, &multiple)
    }

    /// Values of rows as a matrix with one column.
    pub(super) fn as_column(&mut self, a: &str) -> Name {
        let axes = self.list(&[1]);
        self.op("Unsqueeze", &[a, &axes], Vec::new())
    }
}

fn doubles(shape: &[i64], values: &[f64]) -> TensorProto {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    TensorProto { data_type: datatype::DOUBLE, dims: shape.to_vec(), raw_data, ..TensorProto::default() }
}

pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: INT, i: value, ..AttributeProto::default() }
}

pub(super) fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: INTS, ints: values, ..AttributeProto::default() }
}

pub(super) fn string(name: &str, value: String) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: STRING, s: value.into_bytes(), ..AttributeProto::default() }
}

pub(super) fn strings(name: &str, values: &[String]) -> AttributeProto {
    let strings = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    AttributeProto { name: name.to_owned(), r#type: STRINGS, strings, ..AttributeProto::default() }
}

/// A tensor of numbers in 64 bits.
pub(super) fn tensor(name: &str, values: &[f64]) -> AttributeProto {
    tensor_attribute(name, doubles(&[values.len() as i64], values))
}

/// A tensor of small whole numbers.
pub(super) fn bytes_tensor(name: &str, values: Vec<u8>) -> AttributeProto {
    let dims = vec![values.len() as i64];
    tensor_attribute(name, TensorProto { data_type: datatype::UINT8, dims, raw_data: values, ..TensorProto::default() })
}

fn tensor_attribute(name: &str, tensor: TensorProto) -> AttributeProto {
    let tensor = TensorProto { name: name.to_owned(), ..tensor };
    AttributeProto { name: name.to_owned(), r#type: TENSOR, t: Some(tensor), ..AttributeProto::default() }
}
