//! Steps over columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use tidemill_core::DataType;
use tidemill_core::calendar::DatePart;
use tidemill_model::{Feature, Keys, Mapper, Scalar, Source, TransformGraph, steps};

use super::support::{Case, Random, input, texts};

pub fn case() -> Case {
    let rounded = &["curve", "log", "power", "square", "circle"];
    Case { name: "steps", graph: transform(), batch: rows(), rounded }
}

/// Every step over numbers, codes and crosses.
fn transform() -> TransformGraph {
    let inputs = vec![
        input("x", DataType::Fp64, true),
        input("count", DataType::Int64, true),
        input("size", DataType::Int64, false),
        input("city", DataType::Bytes, true),
        input("kind", DataType::Bytes, false),
        input("flag", DataType::Bool, true),
        input("on", DataType::Bool, false),
        input("at", DataType::Int64, true),
    ];
    let cities = || texts(&["Bern", "Zürich", "Basel"]);
    let mut features = vec![
        Feature::new("plain", "x", vec![]),
        Feature::new("z", "x", vec![Mapper::ZScore(steps::ZScore { mean: 0.3, std_dev: 1.7 })]),
        Feature::new("shift", "x", vec![Mapper::ZScore(steps::ZScore { mean: 0.3, std_dev: 0.0 })]),
        Feature::new(
            "unit",
            "x",
            vec![Mapper::MinMax(steps::MinMax { min: -2.0, max: 3.0, output_min: 0.0, output_max: 1.0 })],
        ),
        Feature::new(
            "curve",
            "x",
            vec![Mapper::MinMax(steps::MinMax { min: 1.0, max: 1.0, output_min: -1.0, output_max: 1.0 })],
        ),
        Feature::new(
            "bucket",
            "x",
            vec![Mapper::Bucketize(steps::Bucketize { boundaries: vec![-1.0, 0.0, 0.5, 2.0] })],
        ),
        Feature::new("log", "x", vec![Mapper::Log]),
        Feature::new("log1p", "x", vec![Mapper::Log1p]),
        Feature::new("clip", "x", vec![Mapper::Clip(steps::Clip { min: Some(-1.0), max: Some(1.5) })]),
        Feature::new("root", "x", vec![Mapper::Sqrt]),
        Feature::new("power", "x", vec![Mapper::Power(steps::Power { exponent: -0.5 })]),
        Feature::new("square", "x", vec![Mapper::Power(steps::Power { exponent: 2.0 })]),
        Feature::new("circle", "x", vec![Mapper::Cyclic(steps::Cyclic { period: 7.0 })]),
        Feature::new(
            "filled",
            "x",
            vec![Mapper::MissingIndicator, Mapper::Impute(steps::Impute { value: Scalar::Float(0.25) })],
        ),
        Feature::new(
            "hot",
            "x",
            vec![
                Mapper::Bucketize(steps::Bucketize { boundaries: vec![0.0, 1.0] }),
                Mapper::Categorical(steps::Categorical { values: None }),
                Mapper::OneHot,
            ],
        ),
        Feature::new(
            "count",
            "count",
            vec![Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers(vec![3, -5, 17_031_839_100])) })],
        ),
        Feature::new(
            "size",
            "size",
            vec![Mapper::Vocabulary(steps::Vocabulary { values: Keys::Integers(vec![1, 2, 3]), oov_buckets: 1 })],
        ),
        Feature::new("city", "city", vec![Mapper::Vocabulary(steps::Vocabulary { values: cities(), oov_buckets: 0 })]),
        Feature::new(
            "city_filled",
            "city",
            vec![
                Mapper::MissingIndicator,
                Mapper::Impute(steps::Impute { value: Scalar::Text("Basel".into()) }),
                Mapper::Vocabulary(steps::Vocabulary { values: cities(), oov_buckets: 1 }),
                Mapper::OneHot,
            ],
        ),
        Feature::new(
            "kind",
            "kind",
            vec![Mapper::Categorical(steps::Categorical { values: Some(texts(&["a", "b"])) })],
        ),
        Feature::new("flag", "flag", vec![Mapper::Categorical(steps::Categorical { values: None })]),
        Feature::new("on", "on", vec![]),
    ];
    for part in DatePart::ALL {
        features.push(Feature::new(part.name(), "at", vec![Mapper::DatePart(steps::DatePart { part })]));
    }
    features.push(Feature {
        name: "cross".into(),
        source: Source::Cross(vec!["kind".into(), "count".into(), "flag".into()]),
        mappers: vec![Mapper::Categorical(steps::Categorical {
            values: Some(texts(&["a × 3 × true", "b × -5 × false", "a × 3 × false"])),
        })],
    });
    TransformGraph::new(inputs, None, features).unwrap()
}

/// Rows with what a runtime could get wrong: missing, unseen, extreme values, values on thresholds.
fn rows() -> RecordBatch {
    let mut random = Random(11);
    let numbers = [
        0.0,
        -0.0,
        1e-300,
        -1e-300,
        1e-20,
        0.5,
        0.1,
        -1.0,
        1.0,
        1.5,
        2.0,
        3.0,
        6.9,
        -7.0,
        1e17,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        0.300_000_000_000_000_04,
        f64::from(0.1_f32),
        123.456,
        -0.999_999,
    ];
    let counts = [3, -5, 17_031_839_100, 0, 4, i64::from(i32::MIN), -17_031_839_100];
    let cities = ["Bern", "Zürich", "Basel", "bern", "unseen", "Zu\u{308}rich"];
    let times =
        [0, -1, 86_399, 951_782_400, 1_709_209_805, -62_135_596_800, 253_402_300_799, 253_402_300_800, -6_857_222_400];
    let count = 240;
    let some = |random: &mut Random| random.below(6) > 0;
    let x: Float64Array = (0..count)
        .map(|at| {
            some(&mut random).then(|| {
                if at < 24 { numbers[at] } else { random.pick(&numbers) * if random.below(2) == 0 { 1.0 } else { 0.7 } }
            })
        })
        .collect();
    let whole: Int64Array = (0..count).map(|_| some(&mut random).then(|| random.pick(&counts))).collect();
    let size: Int64Array = (0..count).map(|_| Some(random.below(6) as i64)).collect();
    let city: StringArray = (0..count).map(|_| some(&mut random).then(|| random.pick(&cities))).collect();
    let kind: StringArray = (0..count).map(|_| Some(random.pick(&["a", "b", "c"]))).collect();
    let flag: BooleanArray = (0..count).map(|_| some(&mut random).then(|| random.below(2) == 0)).collect();
    let on: BooleanArray = (0..count).map(|_| Some(random.below(2) == 0)).collect();
    let at: Int64Array = (0..count)
        .map(|_| {
            some(&mut random).then(|| {
                let time = random.pick(&times);
                if random.below(2) == 0 { time } else { time / 3 + random.below(1_000_000) as i64 }
            })
        })
        .collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(x)),
        ("count", Arc::new(whole)),
        ("size", Arc::new(size)),
        ("city", Arc::new(city)),
        ("kind", Arc::new(kind)),
        ("flag", Arc::new(flag)),
        ("on", Arc::new(on)),
        ("at", Arc::new(at)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}
