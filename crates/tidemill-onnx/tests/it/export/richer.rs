//! Row expressions, times in text, texts in other letters, lists of tokens, curves, steps by key.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use tidemill_core::DataType;
use tidemill_core::calendar::DatePart;
use tidemill_model::{Feature, Keys, Mapper, Scalar, Source, TransformGraph, steps, steps::Encoding};

use super::support::{Case, Random, input, texts};

const EXPRESSIONS: [&str; 36] = [
    "case when x between -1 and 1 then null else coalesce(x, i, 0) end",
    "i + j",
    "i * j",
    "j * j",
    "j - i",
    "j + j",
    "-j",
    "abs(j)",
    "i % j",
    "j % -1",
    "x % 0.7",
    "x / i",
    "1 / j",
    "x - i * 0.5",
    "round(x)",
    "floor(x) + ceil(x / 2)",
    "least(x, i, 2.5)",
    "greatest(i, j)",
    "least(i, null)",
    "x > 0.5 and not b",
    "b or x < 0",
    "not (b and i > 2)",
    "i in (1, 3, null)",
    "x not in (0.5, i)",
    "i not between 0 and 3",
    "t in ('Bern', 'Basel')",
    "t <> 'Bern'",
    "lower(trim(t)) = 'bern'",
    "upper(t) in ('BASEL', 'STRASSE')",
    "t is null",
    "i is not null and x is null",
    "case t when 'Bern' then 1 when 'Basel' then 2.5 end",
    "case when b then j else i end",
    "coalesce(x > 1, b, false)",
    "case when 'a' = lower('A') then x else 0 end",
    "coalesce(i, 7)",
];

const CURVES: [&str; 8] =
    ["ln(x)", "log10(x)", "sqrt(x) + exp(-x)", "exp(x / 100)", "sqrt(i)", "log10(j)", "ln(i) * 2", "exp(least(x, 5))"];

pub fn case() -> Case {
    let rounded =
        &["curve", "gauss", "straight", "density", "project", "by_key", "share", "mean", "tfidf", "e11", "e13"];
    Case { name: "richer", graph: transform(), batch: rows(), rounded }
}

fn transform() -> TransformGraph {
    let inputs = vec![
        input("x", DataType::Fp64, true),
        input("i", DataType::Int64, true),
        input("j", DataType::Int64, false),
        input("t", DataType::Bytes, true),
        input("when", DataType::Bytes, true),
        input("note", DataType::Bytes, true),
        input("b", DataType::Bool, true),
    ];
    let cities = || texts(&["bern", "zürich", "basel", "strasse", "i\u{307}", "k"]);
    let vocabulary = |oov_buckets| Mapper::Vocabulary(steps::Vocabulary { values: cities(), oov_buckets });
    let expression = |name: String, text: &str, nodes: Vec<Mapper>| Feature {
        name,
        source: Source::Expression(text.to_owned()),
        mappers: nodes,
    };
    let z_score = |mean: f64, std_dev: f64| Mapper::ZScore(steps::ZScore { mean, std_dev });
    let min_max = |min: f64, max: f64| Mapper::MinMax(steps::MinMax { min, max, output_min: -1.0, output_max: 2.0 });
    let bucketize = |boundaries: &[f64]| Mapper::Bucketize(steps::Bucketize { boundaries: boundaries.to_vec() });
    let by_key = |column: &str, values: Keys, nodes: Vec<Mapper>, other: Mapper| {
        Mapper::ByKey(steps::ByKey { column: column.to_owned(), values, mappers: nodes, other: Box::new(other) })
    };
    let split = |separator: &str| Mapper::Split(steps::Split { separator: separator.to_owned() });
    let tokens = || texts(&["a", "b c", "é", "k"]);

    let mut features: Vec<Feature> =
        EXPRESSIONS.iter().enumerate().map(|(at, text)| expression(format!("e{at:02}"), text, vec![])).collect();
    features.extend(CURVES.iter().enumerate().map(|(at, text)| expression(format!("curve{at}"), text, vec![])));
    for part in DatePart::ALL {
        features.push(Feature::new(part.name(), "when", vec![Mapper::DatePart(steps::DatePart { part })]));
    }
    features.extend([
        expression(
            "chosen".into(),
            "case when b then t else 'Bern' end",
            vec![Mapper::Categorical(steps::Categorical { values: Some(texts(&["Bern", "Basel"])) })],
        ),
        expression("letters".into(), "lower(t)", vec![vocabulary(1)]),
        expression(
            "whole".into(),
            "i + 1",
            vec![Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers(vec![1, 4, -4])) })],
        ),
        Feature::new("lower", "t", vec![Mapper::Lower, vocabulary(0)]),
        Feature::new(
            "strip",
            "t",
            vec![
                Mapper::MissingIndicator,
                Mapper::Strip,
                Mapper::Lower,
                Mapper::Impute(steps::Impute { value: Scalar::Text("bern".into()) }),
                vocabulary(1),
                Mapper::OneHot,
            ],
        ),
        Feature::new(
            "upper",
            "t",
            vec![
                Mapper::Upper,
                Mapper::Categorical(steps::Categorical { values: Some(texts(&["BERN", "STRASSE", "ZÜRICH"])) }),
            ],
        ),
        Feature::new(
            "hot",
            "note",
            vec![split(","), Mapper::MultiHot(steps::MultiHot { values: tokens(), oov_buckets: 0 })],
        ),
        Feature::new(
            "bag",
            "note",
            vec![Mapper::Lower, split(","), Mapper::BagOfWords(steps::BagOfWords { values: tokens(), oov_buckets: 0 })],
        ),
        Feature::new(
            "once",
            "note",
            vec![
                split(" "),
                Mapper::Distinct,
                Mapper::BagOfWords(steps::BagOfWords { values: texts(&["a", "c,"]), oov_buckets: 0 }),
            ],
        ),
        Feature::new(
            "tfidf",
            "note",
            vec![split(","), Mapper::TfIdf(steps::TfIdf { values: tokens(), idf: vec![0.5, 1.25, 2.0, 3.0] })],
        ),
        Feature::new(
            "words",
            "note",
            vec![split(","), Mapper::WordCount, Mapper::Impute(steps::Impute { value: Scalar::Int(-1) })],
        ),
        Feature::new(
            "gauss",
            "x",
            vec![Mapper::Gaussian(steps::Gaussian { location: 0.2, scale: 1.5, h_left: 0.1, h_right: 0.4 })],
        ),
        Feature::new(
            "gauss_one",
            "x",
            vec![Mapper::Gaussian(steps::Gaussian { location: 0.2, scale: 1.5, h_left: 0.0, h_right: 0.2 })],
        ),
        Feature::new(
            "straight",
            "x",
            vec![Mapper::Interpolate(steps::Interpolate { boundaries: vec![-1.0, 0.0, 0.5, 3.0] })],
        ),
        Feature::new(
            "density",
            "x",
            vec![Mapper::Density(steps::Density {
                boundaries: vec![-1.0, 0.0, 0.5, 3.0],
                densities: vec![0.25, 0.5, 0.125],
            })],
        ),
        Feature::new("robust", "x", vec![Mapper::Robust(steps::Robust { median: 0.25, range: 2.0 })]),
        Feature::new(
            "by_key_z",
            "x",
            vec![by_key("t", texts(&["Bern", "Basel"]), vec![z_score(1.0, 2.0), z_score(0.5, 0.0)], z_score(0.0, 3.0))],
        ),
        Feature::new(
            "by_key_unit",
            "x",
            vec![by_key(
                "i",
                Keys::Integers(vec![3, 1]),
                vec![min_max(0.0, 4.0), min_max(1.0, 1.0)],
                min_max(-1.0, 1.0),
            )],
        ),
        Feature::new(
            "by_bucket",
            "x",
            vec![by_key(
                "t",
                texts(&["Bern", "Basel"]),
                vec![bucketize(&[0.0]), bucketize(&[])],
                bucketize(&[-1.0, 0.5, 1.0]),
            )],
        ),
        Feature {
            name: "project".into(),
            source: Source::Columns(vec!["x".into(), "i".into(), "b".into()]),
            mappers: vec![Mapper::Project(steps::Project {
                means: vec![0.5, 1.0, 0.25],
                components: vec![vec![0.6, -0.7, 0.2], vec![0.1, 0.3, 0.9]],
            })],
        },
        Feature::new(
            "share",
            "t",
            vec![Mapper::Frequency(steps::Frequency { values: texts(&["Bern", "Basel"]), shares: vec![0.5, 0.25] })],
        ),
        Feature::new(
            "share_i",
            "i",
            vec![Mapper::Frequency(steps::Frequency { values: Keys::Integers(vec![3]), shares: vec![0.75] })],
        ),
        Feature::new(
            "mean",
            "t",
            vec![
                Mapper::Lower,
                Mapper::TargetEncode(steps::TargetEncode {
                    values: cities(),
                    full: Encoding { encodings: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6], missing: 0.7, other: 0.8 },
                    folds: vec![],
                }),
            ],
        ),
        Feature::new(
            "mean_i",
            "i",
            vec![
                Mapper::Impute(steps::Impute { value: Scalar::Int(1) }),
                Mapper::TargetEncode(steps::TargetEncode {
                    values: Keys::Integers(vec![1, 2]),
                    full: Encoding { encodings: vec![0.1, 0.2], missing: 0.3, other: 0.4 },
                    folds: vec![],
                }),
            ],
        ),
    ]);
    TransformGraph::new(inputs, None, features).unwrap()
}

/// Rows with what a runtime could get wrong.
fn rows() -> RecordBatch {
    let mut random = Random(23);
    let numbers = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        0.499_999_999_999_999_94,
        1.0,
        -1.0,
        3.0,
        0.1,
        7.3,
        -12.25,
        1e-300,
        1e15,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        0.25,
    ];
    let wholes = [0, 1, 2, 3, -3, 4, -1, 1 << 40, -(1 << 52)];
    let any = [0, 1, -1, 2, -7, i64::MAX, i64::MIN, i64::MAX / 2, 3_037_000_500, -3_037_000_500, 1 << 53];
    let places = [
        "Bern",
        "bern",
        " BERN\u{3000}",
        "Basel",
        "Zürich",
        "ZÜRICH",
        "Straße",
        "STRASSE",
        "ſtraße",
        "İ",
        "\u{212A}",
        "K",
        " ",
        "Strasse\n",
        "unseen",
        "Ber",
        "Berna",
        "B.rn",
    ];
    let times = [
        "1970-01-01",
        "2024-02-29",
        "2023-02-29",
        "1900-02-29",
        "2000-02-29T23:59:59Z",
        "2024-02-29T12:30",
        "2024-02-29 12:30:05",
        "2024-02-29t12:30:05.25z",
        "2024-02-29T12:30:05+05:30",
        "2024-02-29T00:30:05-0100",
        " 2024-02-29T00:30:05+01 ",
        "1969-12-31T23:59:59.5",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-23:59",
        "0000-01-01",
        "2024-13-01",
        "2024-2-9",
        "2024-02-29T",
        "2024-02-29T24:00",
        "2024-02-29T12:30:60",
        "2024-02-29T12:30:05.",
        "2024-02-29T12:30+1",
        "2024-02-29T12:30+01:60",
        "2024-02-29T12:30+01:",
        "2024-02-29Z",
        "2024-02-29x",
        "٢٠٢٤-٠٢-٢٩",
        "1709164800",
        "2024-04-31",
        "2024-11-30",
        "2019-12-30",
        "2021-01-03",
        "\u{2003}2024-07-15T09:08:07\t",
        "2024-07-15T09:08:07-23:59",
        "noon",
    ];
    let notes = [
        "a",
        "a,b c,a",
        " a , é ,,",
        "A,É",
        "\u{212A},k",
        ",",
        " ",
        "a b c, a",
        "c, c, a",
        "b  c",
        "b c\n,a",
        "aa",
        "a,a,a,a",
        "x",
        "\u{85}a",
    ];
    let count = 320;
    let some = |random: &mut Random| random.below(7) > 0;
    let x: Float64Array = (0..count).map(|_| some(&mut random).then(|| random.pick(&numbers))).collect();
    let i: Int64Array = (0..count).map(|_| some(&mut random).then(|| random.pick(&wholes))).collect();
    let j: Int64Array = (0..count).map(|_| Some(random.pick(&any))).collect();
    let t: StringArray = (0..count).map(|_| some(&mut random).then(|| random.pick(&places))).collect();
    let when: StringArray = (0..count)
        .map(|at| some(&mut random).then(|| if at < times.len() { times[at] } else { random.pick(&times) }))
        .collect();
    let note: StringArray = (0..count).map(|_| some(&mut random).then(|| random.pick(&notes))).collect();
    let b: BooleanArray = (0..count).map(|_| some(&mut random).then(|| random.below(2) == 0)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", Arc::new(x)),
        ("i", Arc::new(i)),
        ("j", Arc::new(j)),
        ("t", Arc::new(t)),
        ("when", Arc::new(when)),
        ("note", Arc::new(note)),
        ("b", Arc::new(b)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}
