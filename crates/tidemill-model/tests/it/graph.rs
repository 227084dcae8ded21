//! What each step does with ordinary and odd values, and the law that a row is a batch of one.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_core::{Code, Coded as _, DataType, TensorSpec};
use tidemill_model::{
    Feature, FeatureBlock, FeatureKind, Keys, LabelSpec, Mapper, ModelError, Scalar, TransformGraph, steps,
};

fn input(name: &str, datatype: DataType) -> TensorSpec {
    TensorSpec::new(name, datatype, true)
}

fn feature(name: &str, column: &str, nodes: Vec<Mapper>) -> Feature {
    Feature::new(name, column, nodes)
}

fn strings(values: &[&str]) -> Keys {
    Keys::Strings(values.iter().map(ToString::to_string).collect())
}

/// One feature over one column.
fn run(datatype: DataType, nodes: Vec<Mapper>, column: ArrayRef) -> Vec<f64> {
    let graph = TransformGraph::new(vec![input("x", datatype)], None, vec![feature("f", "x", nodes)]).unwrap();
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let mut block = FeatureBlock::new();
    graph.bind(batch.schema_ref()).unwrap().apply(&batch, &mut block).unwrap();
    block.columns.remove(0)
}

fn numbers(nodes: Vec<Mapper>, values: &[f64]) -> Vec<f64> {
    run(DataType::Fp64, nodes, Arc::new(Float64Array::from(values.to_vec())))
}

/// Equal bit for bit, any NaN being the same.
fn assert_same(got: &[f64], expected: &[f64]) {
    let bits =
        |values: &[f64]| values.iter().map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect::<Vec<_>>();
    assert_eq!(bits(got), bits(expected), "{got:?} is not {expected:?}");
}

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[test]
fn missing_and_odd_values_go_where_the_table_says() {
    let odd = [NAN, -INF, -1.0, 0.0, 3.0, INF];
    assert_same(&numbers(vec![], &odd), &odd);
    assert_same(
        &numbers(vec![Mapper::Impute(steps::Impute { value: Scalar::Int(7) })], &odd),
        &[7.0, -INF, -1.0, 0.0, 3.0, INF],
    );
    assert_same(
        &numbers(vec![Mapper::ZScore(steps::ZScore { mean: 1.0, std_dev: 2.0 })], &odd),
        &[NAN, -INF, -1.0, -0.5, 1.0, INF],
    );
    assert_same(
        &numbers(vec![Mapper::ZScore(steps::ZScore { mean: 1.0, std_dev: 0.0 })], &odd),
        &[NAN, -INF, -2.0, -1.0, 2.0, INF],
    );
    let min_max = |min, max| vec![Mapper::MinMax(steps::MinMax { min, max, output_min: -1.0, output_max: 1.0 })];
    assert_same(&numbers(min_max(0.0, 4.0), &odd), &[NAN, -INF, -1.5, -1.0, 0.5, INF]);
    // sigmoid(0) = 1/2, scaled to the middle of the range.
    assert_same(&numbers(min_max(3.0, 3.0), &[NAN, -INF, 0.0, INF]), &[NAN, -1.0, 0.0, 1.0]);
    let bucketize = vec![Mapper::Bucketize(steps::Bucketize { boundaries: vec![0.0, 3.0] })];
    assert_same(&numbers(bucketize, &odd), &[NAN, 0.0, 0.0, 1.0, 2.0, 2.0]);
    assert_same(&numbers(vec![Mapper::Log], &odd), &[NAN, NAN, NAN, NAN, 3.0f64.ln(), INF]);
    assert_same(&numbers(vec![Mapper::Log1p], &odd), &[NAN, NAN, NAN, 0.0, 3.0f64.ln_1p(), INF]);
    let clip = |min, max| vec![Mapper::Clip(steps::Clip { min, max })];
    assert_same(&numbers(clip(Some(0.0), Some(2.0)), &odd), &[NAN, 0.0, 0.0, 0.0, 2.0, 2.0]);
    assert_same(&numbers(clip(None, Some(2.0)), &odd), &[NAN, -INF, -1.0, 0.0, 2.0, 2.0]);
}

#[test]
fn steps_follow_each_other() {
    let nodes = vec![
        Mapper::Clip(steps::Clip { min: Some(0.0), max: None }),
        Mapper::Impute(steps::Impute { value: Scalar::Float(1.5) }),
        Mapper::Log1p,
        Mapper::ZScore(steps::ZScore { mean: 1.0, std_dev: 0.5 }),
    ];
    let expected = [(1.5f64.ln_1p() - 1.0) / 0.5, (0.0 - 1.0) / 0.5, (3.0f64.ln_1p() - 1.0) / 0.5];
    assert_same(&numbers(nodes, &[NAN, -8.0, 3.0]), &expected);
}

#[test]
fn text_and_whole_numbers_become_codes() {
    let column = || Arc::new(StringArray::from(vec![Some("Cash"), Some("Prcard"), None, Some("")])) as ArrayRef;
    let vocabulary =
        |oov_buckets| Mapper::Vocabulary(steps::Vocabulary { values: strings(&["Card", "Cash"]), oov_buckets });
    assert_same(&run(DataType::Bytes, vec![vocabulary(0)], column()), &[1.0, NAN, NAN, NAN]);
    // Python, package xxhash 4.1: 2 + xxhash.xxh3_64_intdigest(s) % 10 for "Prcard" and "".
    assert_same(&run(DataType::Bytes, vec![vocabulary(10)], column()), &[1.0, 4.0, NAN, 10.0]);
    let imputed = vec![Mapper::Impute(steps::Impute { value: Scalar::Text("Card".into()) }), vocabulary(0)];
    assert_same(&run(DataType::Bytes, imputed, column()), &[1.0, NAN, 0.0, NAN]);

    let hours = || Arc::new(Int64Array::from(vec![Some(23), Some(5), None, Some(i64::MIN)])) as ArrayRef;
    let categorical = Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers(vec![5, 23])) });
    assert_same(&run(DataType::Int64, vec![categorical], hours()), &[1.0, 0.0, NAN, NAN]);
}

#[test]
fn other_types_are_numbers() {
    let flags = Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]));
    assert_same(&run(DataType::Bool, vec![], flags.clone()), &[1.0, 0.0, NAN]);
    assert_same(
        &run(DataType::Bool, vec![Mapper::Categorical(steps::Categorical { values: None })], flags),
        &[1.0, 0.0, NAN],
    );
    let whole = Arc::new(Int64Array::from(vec![Some(3), None]));
    assert_same(&run(DataType::Fp64, vec![], whole), &[3.0, NAN]);
    assert_same(
        &run(
            DataType::Bytes,
            vec![Mapper::Categorical(steps::Categorical { values: Some(strings(&["a"])) })],
            Arc::new(NullArray::new(2)),
        ),
        &[NAN, NAN],
    );
}

#[test]
fn kinds_tell_codes_from_amounts() {
    let kind = |datatype, nodes| {
        TransformGraph::new(vec![input("x", datatype)], None, vec![feature("f", "x", nodes)]).unwrap().features()[0]
            .kind
    };
    assert_eq!(kind(DataType::Fp64, vec![]), FeatureKind::Numeric);
    let buckets = Mapper::Bucketize(steps::Bucketize { boundaries: vec![1.0, 2.0] });
    assert_eq!(kind(DataType::Fp64, vec![buckets.clone()]), FeatureKind::Numeric);
    let codes = vec![buckets, Mapper::Categorical(steps::Categorical { values: None })];
    assert_eq!(kind(DataType::Fp64, codes), FeatureKind::Categorical { cardinality: 3 });
    let vocabulary = Mapper::Vocabulary(steps::Vocabulary { values: strings(&["a", "b"]), oov_buckets: 10 });
    assert_eq!(kind(DataType::Bytes, vec![vocabulary]), FeatureKind::Categorical { cardinality: 12 });
    let empty = Mapper::Categorical(steps::Categorical { values: Some(strings(&[])) });
    assert_eq!(kind(DataType::Bytes, vec![empty]), FeatureKind::Categorical { cardinality: 1 });
}

#[test]
fn graphs_that_cannot_be_are_refused() {
    let refuse = |datatype, nodes: Vec<Mapper>| {
        let error = TransformGraph::new(vec![input("x", datatype)], None, vec![feature("f", "x", nodes)]).unwrap_err();
        assert_eq!(error.code(), Code::TransformGraph);
        error.to_string()
    };
    assert_eq!(refuse(DataType::Bytes, vec![Mapper::Log]), "feature `f`: `log` does not apply to text");
    assert!(refuse(DataType::Bytes, vec![]).contains("end its steps with `vocabulary`"));
    let codes = Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers(vec![1])) });
    assert_eq!(refuse(DataType::Int64, vec![codes.clone(), Mapper::Log]), "feature `f`: `log` does not apply to codes");
    assert_eq!(refuse(DataType::Fp64, vec![codes]), "feature `f`: `categorical` does not apply to numbers");
    assert!(
        refuse(DataType::Fp64, vec![Mapper::ZScore(steps::ZScore { mean: NAN, std_dev: 1.0 })])
            .contains("`mean` of `z_score` is NaN")
    );
    assert!(
        refuse(DataType::Fp64, vec![Mapper::Bucketize(steps::Bucketize { boundaries: vec![2.0, 1.0] })])
            .contains("ascending")
    );
    let twice = Mapper::Vocabulary(steps::Vocabulary { values: strings(&["a", "a"]), oov_buckets: 0 });
    assert!(refuse(DataType::Bytes, vec![twice]).contains("lists a value twice"));
    let many = Mapper::Vocabulary(steps::Vocabulary { values: strings(&["a"]), oov_buckets: u32::MAX });
    assert!(refuse(DataType::Bytes, vec![many]).contains("too many"));
    let text = Mapper::Impute(steps::Impute { value: Scalar::Text("x".into()) });
    assert!(refuse(DataType::Fp64, vec![text]).contains("another type"));
}

#[test]
fn a_feature_of_what_the_label_is_about_is_refused() {
    let label = |expression: &str| LabelSpec::new("big_tip", expression);
    let graph = |column: &str, label| {
        TransformGraph::new(vec![input(column, DataType::Fp64)], Some(label), vec![feature("f", column, vec![])])
    };
    let error = graph("tips", label("tips > fare * 0.2")).unwrap_err();
    assert_eq!(error.code(), Code::LabelLeak);
    assert_eq!(error.to_string(), "feature `f` uses column `tips`, which the label `big_tip` is about");
    assert_eq!(graph("big_tip", label("tips > 1")).unwrap_err().code(), Code::LabelLeak);
    assert!(graph("miles", label("tips > fare * 0.2")).is_ok());
    // Known before the label is: the condition is about the tip, not about the fare.
    assert!(graph("fare", label("tips > fare * 0.2")).is_ok());
}

#[test]
fn binding_names_the_feature_the_column_and_both_types() {
    let graph =
        TransformGraph::new(vec![input("fare", DataType::Int64)], None, vec![feature("fare_bucket", "fare", vec![])])
            .unwrap();
    let batch = RecordBatch::try_from_iter([("fares", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef)]).unwrap();
    let error = graph.bind(batch.schema_ref()).unwrap_err();
    assert_eq!(error.to_string(), "feature `fare_bucket` needs column `fare`, which the data does not have");
    assert_eq!(error.hint().as_deref(), Some("did you mean `fares`?"));
    let batch = RecordBatch::try_from_iter([("fare", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef)]).unwrap();
    let error = graph.bind(batch.schema_ref()).unwrap_err();
    assert_eq!(error.to_string(), "feature `fare_bucket` needs column `fare` as INT64, but the data has FP64");
    assert_eq!(error.code(), Code::ColumnType);
}

fn everything() -> TransformGraph {
    let nodes = |nodes: &[Mapper]| nodes.to_vec();
    TransformGraph::new(
        vec![
            input("real", DataType::Fp64),
            input("whole", DataType::Int64),
            input("text", DataType::Bytes),
            input("flag", DataType::Bool),
        ],
        Some(LabelSpec::new("label", "other > 0.5")),
        vec![
            feature("as_it_is", "real", vec![]),
            feature(
                "scaled",
                "real",
                nodes(&[
                    Mapper::Impute(steps::Impute { value: Scalar::Float(0.25) }),
                    Mapper::ZScore(steps::ZScore { mean: 0.1, std_dev: 0.7 }),
                ]),
            ),
            feature(
                "squeezed",
                "real",
                nodes(&[
                    Mapper::MinMax(steps::MinMax { min: -1.0, max: 2.5, output_min: 0.0, output_max: 1.0 }),
                    Mapper::Log1p,
                ]),
            ),
            feature(
                "bucket",
                "real",
                nodes(&[Mapper::Bucketize(steps::Bucketize { boundaries: vec![-0.5, 0.0, 1e-3] })]),
            ),
            feature("bounded", "whole", nodes(&[Mapper::Clip(steps::Clip { min: Some(-10.0), max: Some(10.0) })])),
            feature(
                "code",
                "whole",
                nodes(&[
                    Mapper::Impute(steps::Impute { value: Scalar::Int(3) }),
                    Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers(vec![-2, 3, 9])) }),
                ]),
            ),
            feature(
                "word",
                "text",
                nodes(&[Mapper::Vocabulary(steps::Vocabulary { values: strings(&["a", "bb", "é"]), oov_buckets: 4 })]),
            ),
            feature("flag", "flag", nodes(&[Mapper::Categorical(steps::Categorical { values: None })])),
        ],
    )
    .unwrap()
}

#[test]
fn the_file_is_as_recorded_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("transform.json");
    everything().save(&path).unwrap();
    insta::assert_snapshot!("transform.json", std::fs::read_to_string(&path).unwrap());
    assert_eq!(TransformGraph::load(&path).unwrap(), everything());
}

#[test]
fn a_damaged_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("transform.json");
    let refuse = |text: &str| {
        std::fs::write(&path, text).unwrap();
        TransformGraph::load(&path).unwrap_err()
    };
    assert!(
        matches!(TransformGraph::load(&path), Err(ModelError::Package { reason, .. }) if reason.contains("missing"))
    );
    assert!(refuse("{\"format\": 2, \"new\": true}").to_string().contains("has format 2, and this version"));
    assert_eq!(refuse("").code(), Code::PackageInvalid);
    assert_eq!(refuse("[]").code(), Code::PackageInvalid);
    let unknown = r#"{"format":1,"inputs":[{"name":"x","datatype":"FP64"}],"features":[{"name":"f","column":"x","nodes":["square"]}]}"#;
    assert!(refuse(unknown).to_string().contains("square"), "{}", refuse(unknown));
    let leak = r#"{"format":1,"inputs":[{"name":"x","datatype":"FP64"}],"label":{"name":"y","expression":"x > 1"},"features":[{"name":"f","column":"x","nodes":[]}]}"#;
    assert!(refuse(leak).to_string().contains("which the label `y` is about"), "{}", refuse(leak));
}

type Row = (Option<f64>, Option<i64>, Option<String>, Option<bool>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let real = prop::option::weighted(0.8, prop_oneof![4 => -3.0..3.0f64, 1 => any::<f64>()]);
    let whole = prop::option::weighted(0.8, prop_oneof![4 => -12i64..12, 1 => any::<i64>()]);
    let text = prop::option::weighted(0.8, prop::sample::select(vec!["a", "bb", "é", "", "other", "zzz"]));
    let row = (real, whole, text.prop_map(|t| t.map(str::to_owned)), any::<Option<bool>>());
    prop::collection::vec(row, 1..60)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("flag", Arc::new(rows.iter().map(|r| r.3).collect::<BooleanArray>()), true),
        ("text", Arc::new(rows.iter().map(|r| r.2.clone()).collect::<StringArray>()), true),
        ("unused", Arc::new(NullArray::new(rows.len())), true),
        ("real", Arc::new(rows.iter().map(|r| r.0).collect::<Float64Array>()), true),
        ("whole", Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn applied(batch: &RecordBatch, block: &mut FeatureBlock) -> Vec<Vec<u64>> {
    everything().bind(batch.schema_ref()).unwrap().apply(batch, block).unwrap();
    block.columns.iter().map(|column| column.iter().map(|value| value.to_bits()).collect()).collect()
}

proptest! {
    #[test]
    fn a_row_alone_a_slice_and_a_batch_give_the_same_bits(rows in rows(), cut in any::<prop::sample::Index>()) {
        let whole = batch(&rows);
        let mut block = FeatureBlock::new();
        let expected = applied(&whole, &mut block);
        for row in 0..rows.len() {
            // Both a batch made of the row, and a view into the large one; the block is a used one each time.
            let alone = applied(&batch(&rows[row..=row]), &mut block);
            let view = applied(&whole.slice(row, 1), &mut block);
            for (feature, column) in expected.iter().enumerate() {
                prop_assert_eq!(column[row], alone[feature][0]);
                prop_assert_eq!(column[row], view[feature][0]);
            }
        }
        let at = cut.index(rows.len());
        let head = applied(&whole.slice(0, at), &mut block);
        let tail = applied(&whole.slice(at, rows.len() - at), &mut block);
        for (feature, column) in expected.iter().enumerate() {
            prop_assert_eq!(column, &[head[feature].clone(), tail[feature].clone()].concat());
        }
    }

    #[test]
    fn codes_stay_below_the_cardinality(rows in rows()) {
        let mut block = FeatureBlock::new();
        applied(&batch(&rows), &mut block);
        for (spec, column) in everything().features().iter().zip(&block.columns) {
            if let FeatureKind::Categorical { cardinality } = spec.kind {
                for value in column.iter().filter(|value| !value.is_nan()) {
                    prop_assert!(value.fract() == 0.0 && (0.0..f64::from(cardinality)).contains(value));
                }
            }
        }
    }
}
