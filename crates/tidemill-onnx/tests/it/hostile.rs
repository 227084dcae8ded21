//! Files that mean harm: each is refused with a reason, quickly, and before it costs memory.

use std::path::Path;

use prost::Message;
use tidemill_onnx::parse;

/// The parts of ONNX's messages that these files need, as `proto/onnx.proto` numbers them.
mod onnx {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub struct Model {
        #[prost(int64, tag = "1")]
        pub ir_version: i64,
        #[prost(message, optional, tag = "7")]
        pub graph: Option<Graph>,
        #[prost(message, repeated, tag = "8")]
        pub opset_import: Vec<Import>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Import {
        #[prost(string, tag = "1")]
        pub domain: String,
        #[prost(int64, tag = "2")]
        pub version: i64,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Graph {
        #[prost(message, repeated, tag = "1")]
        pub node: Vec<Node>,
        #[prost(message, repeated, tag = "5")]
        pub initializer: Vec<Tensor>,
        #[prost(message, repeated, tag = "11")]
        pub input: Vec<Info>,
        #[prost(message, repeated, tag = "12")]
        pub output: Vec<Info>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Node {
        #[prost(string, repeated, tag = "1")]
        pub input: Vec<String>,
        #[prost(string, repeated, tag = "2")]
        pub output: Vec<String>,
        #[prost(string, tag = "4")]
        pub op_type: String,
        #[prost(message, repeated, tag = "5")]
        pub attribute: Vec<Attribute>,
        #[prost(string, tag = "7")]
        pub domain: String,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Attribute {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(int64, tag = "3")]
        pub i: i64,
        #[prost(bytes = "vec", tag = "4")]
        pub s: Vec<u8>,
        #[prost(message, optional, tag = "5")]
        pub t: Option<Tensor>,
        #[prost(float, repeated, tag = "7")]
        pub floats: Vec<f32>,
        #[prost(int64, repeated, tag = "8")]
        pub ints: Vec<i64>,
        #[prost(bytes = "vec", repeated, tag = "9")]
        pub strings: Vec<Vec<u8>>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Tensor {
        #[prost(int64, repeated, tag = "1")]
        pub dims: Vec<i64>,
        #[prost(int32, tag = "2")]
        pub data_type: i32,
        #[prost(int64, repeated, tag = "7")]
        pub int64_data: Vec<i64>,
        #[prost(string, tag = "8")]
        pub name: String,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Info {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(message, optional, tag = "2")]
        pub kind: Option<Kind>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Kind {
        #[prost(message, optional, tag = "1")]
        pub tensor: Option<Typed>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Typed {
        #[prost(int32, tag = "1")]
        pub element: i32,
        #[prost(message, optional, tag = "2")]
        pub shape: Option<Shape>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Shape {
        #[prost(message, repeated, tag = "1")]
        pub dim: Vec<Dim>,
    }
    #[derive(Clone, PartialEq, Message)]
    pub struct Dim {
        #[prost(int64, tag = "1")]
        pub size: i64,
    }
}

use onnx::{Attribute, Dim, Graph, Import, Info, Kind, Model, Node, Shape, Tensor, Typed};

const ML: &str = "ai.onnx.ml";

fn ints(name: &str, ints: Vec<i64>) -> Attribute {
    Attribute { name: name.into(), ints, ..Attribute::default() }
}

fn node(domain: &str, op_type: &str, input: &[&str], output: &str, attribute: Vec<Attribute>) -> Node {
    let input = input.iter().map(|name| (*name).to_owned()).collect();
    Node { input, output: vec![output.into()], op_type: op_type.into(), domain: domain.into(), attribute }
}

/// A number or row of floats called `name`, with rows in any number.
fn info(name: &str, width: i64) -> Info {
    let shape = Some(Shape { dim: vec![Dim { size: 0 }, Dim { size: width }] });
    Info { name: name.into(), kind: Some(Kind { tensor: Some(Typed { element: 1, shape }) }) }
}

fn list(name: &str, values: &[i64]) -> Tensor {
    Tensor { dims: vec![values.len() as i64], data_type: 7, int64_data: values.to_vec(), name: name.into() }
}

fn model(inputs: Vec<Info>, initializer: Vec<Tensor>, node: Vec<Node>) -> Vec<u8> {
    let import = |domain: &str, version| Import { domain: domain.into(), version };
    let graph = Graph { node, initializer, input: inputs, output: vec![info("y", 1)] };
    Model { ir_version: 8, graph: Some(graph), opset_import: vec![import("", 17), import(ML, 3)] }.encode_to_vec()
}

fn refusal(bytes: &[u8], name: &str) -> String {
    parse(bytes, Path::new(name)).unwrap_err().to_string()
}

/// A node: its tree, its number, its sides.
type Place = (usize, usize, (i64, i64));

/// One tree per list of (yes, no) of its nodes, a leaf where both are 0; every node asks feature 0 whether it is at most 0.5.
fn trees(trees: &[Vec<(i64, i64)>], mode: &str, value: f32, weights: &[(i64, i64, i64)], targets: i64) -> Vec<u8> {
    let all = || {
        trees.iter().enumerate().flat_map(|(tree, nodes)| nodes.iter().enumerate().map(move |(at, n)| (tree, at, *n)))
    };
    let of = |pick: fn(Place) -> i64| all().map(pick).collect::<Vec<_>>();
    let modes = all().map(|(_, _, sides)| if sides == (0, 0) { b"LEAF".to_vec() } else { mode.as_bytes().to_vec() });
    let floats = |name: &str, floats: Vec<f32>| Attribute { name: name.into(), floats, ..Attribute::default() };
    let weight = |pick: fn(&(i64, i64, i64)) -> i64| weights.iter().map(pick).collect::<Vec<_>>();
    let attributes = vec![
        ints("nodes_treeids", of(|(tree, _, _)| tree as i64)),
        ints("nodes_nodeids", of(|(_, at, _)| at as i64)),
        ints("nodes_featureids", of(|_| 0)),
        ints("nodes_truenodeids", of(|(_, _, (yes, _))| yes)),
        ints("nodes_falsenodeids", of(|(_, _, (_, no))| no)),
        Attribute { name: "nodes_modes".into(), strings: modes.collect(), ..Attribute::default() },
        floats("nodes_values", all().map(|_| value).collect()),
        ints("target_treeids", weight(|(tree, _, _)| *tree)),
        ints("target_nodeids", weight(|(_, node, _)| *node)),
        ints("target_ids", weight(|(_, _, target)| *target)),
        floats("target_weights", weights.iter().map(|_| 1.0).collect()),
        Attribute { name: "n_targets".into(), i: targets, ..Attribute::default() },
    ];
    model(vec![info("x", 1)], vec![], vec![node(ML, "TreeEnsembleRegressor", &["x"], "y", attributes)])
}

#[test]
fn onnx_trees_that_are_none_are_refused() {
    let stump = [vec![(1, 2), (0, 0), (0, 0)]];
    let leaves = [(0, 1, 0), (0, 2, 0)];
    assert!(parse(&trees(&stump, "BRANCH_LEQ", 0.5, &leaves, 1), Path::new("m.onnx")).is_ok());
    for (file, expected) in [
        (trees(&[vec![(1, 2), (0, 2), (0, 0)]], "BRANCH_LEQ", 0.5, &[(0, 2, 0)], 1), "circle"),
        (trees(&[vec![(1, 9), (0, 0)]], "BRANCH_LEQ", 0.5, &[(0, 1, 0)], 1), "there is no node 9"),
        (trees(&stump, "BRANCH_LEQ", f32::NAN, &leaves, 1), "threshold"),
        (trees(&stump, "BRANCH_EQ", 3e9, &leaves, 1), "which is not a category"),
        (trees(&stump, "BRANCH_LEQ", 0.5, &leaves, 1 << 40), "targets"),
        (trees(&stump, "BRANCH_LEQ", 0.5, &[(0, 1, 7)], 2), "adds to target 7 of 2"),
        (trees(&stump, "BRANCH_MAYBE", 0.5, &leaves, 1), "`BRANCH_MAYBE`"),
    ] {
        let error = refusal(&file, "m.onnx");
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // A chain of nodes that adds to as many targets stands once for each of them: 9 billion nodes of a file of 4 MB.
    let length = 95_000;
    let chain: Vec<(i64, i64)> =
        (0..length).map(|at| if at % 2 == 0 && at + 2 < length { (at + 1, at + 2) } else { (0, 0) }).collect();
    let weights: Vec<(i64, i64, i64)> = (0..length).map(|target| (0, 1, target)).collect();
    let error = refusal(&trees(&[chain], "BRANCH_LEQ", 0.5, &weights, length), "m.onnx");
    assert!(error.contains("would not fit"), "{error}");
    // A category of 24 bits takes 2 MiB in a set of its own.
    let many: Vec<Vec<(i64, i64)>> = (0..200).map(|_| vec![(1, 2), (0, 0), (0, 0)]).collect();
    let error = refusal(&trees(&many, "BRANCH_EQ", 16_777_000.0, &leaves, 1), "m.onnx");
    assert!(error.contains("sets of categories are too large"), "{error}");
}

#[test]
fn tensors_that_few_bytes_ask_for_are_refused() {
    let side = 1 << 13;
    let made = |name: &str, shape: &str| node("", "ConstantOfShape", &[shape], name, vec![]);
    let x = || vec![info("x", 1)];
    // One that is too large alone; many that are not; a product of two that would take hours.
    let huge = model(x(), vec![list("s", &[1 << 40])], vec![made("y", "s")]);
    assert!(refusal(&huge, "m.onnx").contains("too large"));
    let many: Vec<Node> = (0..100).map(|at| made(&format!("c{at}"), "s")).collect();
    assert!(refusal(&model(x(), vec![list("s", &[side, side / 4])], many), "m.onnx").contains("without end"));
    let product = vec![made("a", "s"), node("", "MatMul", &["a", "a"], "y", vec![])];
    assert!(refusal(&model(x(), vec![list("s", &[side, side])], product), "m.onnx").contains("too large"));
    // The same of a row.
    let tiled = vec![node("", "Expand", &["x", "s"], "a", vec![]), node("", "Expand", &["a", "t"], "y", vec![])];
    let shapes = vec![list("s", &[1 << 13, 1]), list("t", &[1 << 14, 1 << 13, 1])];
    assert!(refusal(&model(x(), shapes, tiled), "m.onnx").contains("too large"));
    // Operators that only tract has are not given such sizes.
    let padded = vec![node("", "Conv", &["x", "x"], "a", vec![]), node("", "Tile", &["a", "s"], "y", vec![])];
    assert!(refusal(&model(x(), vec![list("s", &[1 << 40, 1])], padded), "m.onnx").contains("too large"));
    let kernel = vec![node("", "MaxPool", &["x"], "y", vec![ints("kernel_shape", vec![1 << 31, 1 << 31])])];
    assert!(refusal(&model(x(), vec![], kernel), "m.onnx").contains("too large"));
}

#[test]
fn inputs_and_names_without_end_are_refused() {
    let identity = || vec![node("", "Identity", &["x0"], "y", vec![])];
    let wide = model((0..8).map(|at| info(&format!("x{at}"), 1 << 18)).collect(), vec![], identity());
    // They are tensors, but not as many columns of a table.
    assert!(parse(&wide, Path::new("m.onnx")).unwrap().signature().inputs.is_empty());
    let patterns = vec![Attribute { name: "pattern".into(), s: b"a{1000}{1000}".to_vec(), ..Attribute::default() }];
    let error =
        refusal(&model(vec![info("x", 1)], vec![], vec![node("", "RegexFullMatch", &["x"], "y", patterns)]), "m.onnx");
    assert!(error.contains("is not run"), "{error}");
    let many: Vec<Node> = (0..5000).map(|at| node("", "RegexFullMatch", &["x"], &format!("t{at}"), vec![])).collect();
    assert!(refusal(&model(vec![info("x", 1)], vec![], many), "m.onnx").contains("5000 patterns"));
    let text = |name: &str, s: &[u8]| Attribute { name: name.into(), s: s.to_vec(), ..Attribute::default() };
    let one = |name: &str, i: i64| Attribute { name: name.into(), i, ..Attribute::default() };
    for (column, longest, start, expected) in
        [(1 << 40, 1, 0, "no column"), (0, 1 << 40, 0, "runs of 1 to"), (0, 1, 9, "outside of the list")]
    {
        let attributes = vec![
            text("mode", b"TF"),
            one("min_gram_length", 1),
            one("max_gram_length", longest),
            ints("ngram_counts", vec![start]),
            ints("ngram_indexes", vec![column]),
            ints("pool_int64s", vec![7]),
        ];
        let counts = vec![node("", "TfIdfVectorizer", &["x"], "y", attributes)];
        let error = refusal(&model(vec![info("x", 1)], vec![], counts), "m.onnx");
        assert!(error.contains(expected), "{error}");
    }
    let unknown: Vec<Node> =
        (0..1000).map(|at| node("acme", &format!("Op{at}"), &["x"], &format!("t{at}"), vec![])).collect();
    let error = refusal(&model(vec![info("x", 1)], vec![], unknown), "m.onnx");
    assert!(error.contains("`Op0` of `acme`") && error.len() < 1000, "{error}");
}
