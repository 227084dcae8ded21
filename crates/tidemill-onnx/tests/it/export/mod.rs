//! A package exported to ONNX predicts what the package predicts: on the interpreter, in recorded predictions of ONNX
//! Runtime, and on ONNX Runtime itself, if Python has it.
//!
//! `TIDEMILL_UPDATE_ONNX=1` with a `TIDEMILL_PYTHON` that has onnxruntime writes the models in `tests/export`, and the
//! recorded predictions of onnxruntime, again.

mod networks;
mod plain;
mod richer;
mod support;

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Float64Type;
use serde_json::json;
use tidemill_core::DataType;
use tidemill_model::trees::{Node as TreeNode, Rule, Split, Tree};
use tidemill_model::{Feature, Learner, Mapper, Source, Task, TransformGraph, TreeEnsemble, steps};
use tidemill_onnx::{UnseenCategories, export_onnx, parse};

use support::{input, texts};

#[test]
fn steps_say_the_same_on_the_own_interpreter() {
    plain::case().check_own_interpreter();
}

#[test]
fn steps_say_the_same_on_onnx_runtime() {
    plain::case().check_onnx_runtime();
}

#[test]
fn expressions_texts_and_curves_say_the_same_on_the_own_interpreter() {
    richer::case().check_own_interpreter();
}

#[test]
fn each_feature_alone_says_the_same() {
    plain::case().check_each_feature();
    richer::case().check_each_feature();
}

#[test]
fn expressions_texts_and_curves_say_the_same_on_onnx_runtime() {
    richer::case().check_onnx_runtime();
}

#[test]
fn what_onnx_cannot_say_is_named() {
    let text = || vec![input("company", DataType::Bytes, true)];
    let vocabulary = Mapper::Vocabulary(steps::Vocabulary { values: texts(&["a"]), oov_buckets: 10 });
    let expression =
        |text: &str| Feature { name: "f".into(), source: Source::Expression(text.into()), mappers: vec![] };
    let keys = || texts(&["a"]);
    let extract = Mapper::RegexExtract(steps::RegexExtract { pattern: "(a)".into(), group: 1 });
    let listed = vec![extract, Mapper::Categorical(steps::Categorical { values: Some(keys()) })];
    let split = |separator: &str| Mapper::Split(steps::Split { separator: separator.into() });
    let hot = |oov_buckets| Mapper::MultiHot(steps::MultiHot { values: keys(), oov_buckets });
    let feature = |nodes| Feature::new("company", "company", nodes);
    for (feature, expected) in [
        (Feature::new("company", "company", vec![vocabulary.clone()]), "feature `company`: `vocabulary` hashes"),
        (
            Feature::new("h", "company", vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 8 })]),
            "feature `h`: `hash_buckets`",
        ),
        (
            Feature::new("k", "company", vec![Mapper::KeyedHash(steps::KeyedHash { buckets: 8, key: [1, 2] })]),
            "feature `k`: `keyed_hash`",
        ),
        (
            expression("length(company)"),
            "feature `f`: the expression `length(company)`: ONNX has no operator for the length",
        ),
        (expression("company < 'b'"), "ONNX has no order of texts for `<`"),
        (feature(listed), "feature `company`: `regex_extract` takes parts out of a text"),
        (feature(vec![Mapper::Tokenize(steps::Tokenize { pattern: "a".into() }), hot(0)]), "`tokenize` takes parts"),
        (feature(vec![split(","), hot(2)]), "`multi_hot` hashes other tokens with XXH3"),
        (
            feature(vec![split(","), Mapper::Ngrams(steps::Ngrams { min: 1, max: 2, separator: " ".into() }), hot(0)]),
            "`ngrams` has no form",
        ),
        (feature(vec![Mapper::Lower, split("x"), hot(0)]), "`split` at `x`"),
        (
            feature(vec![
                Mapper::Lower,
                Mapper::Upper,
                Mapper::Categorical(steps::Categorical { values: Some(keys()) }),
            ]),
            "lower and upper case",
        ),
    ] {
        let graph = TransformGraph::new(text(), None, vec![feature]).unwrap();
        let ensemble = TreeEnsemble::new(Task::Regression, graph.features().len(), 0.0, vec![]).unwrap();
        let error =
            export_onnx("m", &graph, &Learner::Trees(ensemble), UnseenCategories::Refused).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // Unless the difference is asked for.
    let graph = TransformGraph::new(text(), None, vec![Feature::new("company", "company", vec![vocabulary])]).unwrap();
    let leaf = |value| TreeNode::Leaf { value };
    let rule = Rule::OneOf([0].into_iter().collect());
    let split = TreeNode::Split(Split { feature: 0, rule, missing_left: true, left: 1, right: 2 });
    let tree = Tree::new(vec![split, leaf(1.0), leaf(2.0)]).unwrap();
    let learner = Learner::Trees(TreeEnsemble::new(Task::Regression, 1, 0.0, vec![tree]).unwrap());
    let bytes = export_onnx("m", &graph, &learner, UnseenCategories::Missing).unwrap();
    let model = parse(&bytes, Path::new("m.onnx")).unwrap();
    let batch = model.batch_from_rows(&[json!({"company": "a"}), json!({"company": "other"}), json!({})]).unwrap();
    assert_eq!(model.predict(&batch).unwrap().column(0).as_primitive::<Float64Type>().values(), &[1.0, 1.0, 1.0]);
}
