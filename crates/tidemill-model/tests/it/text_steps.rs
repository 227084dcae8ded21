//! Steps of text, keys, several columns and richer constants: values, names, files and laws.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, NullArray, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_core::{DataType, TensorSpec};
use tidemill_model::{
    Feature, FeatureBlock, FeatureKind, Keys, LabelSpec, Mapper, Scalar, Source, SplitRowNumbers, TransformGraph,
    fold_of_row, steps, steps::Encoding,
};

const NAN: f64 = f64::NAN;

fn inputs() -> Vec<TensorSpec> {
    [("text", DataType::Bytes), ("key", DataType::Bytes), ("whole", DataType::Int64), ("real", DataType::Fp64)]
        .map(|(name, datatype)| TensorSpec::new(name, datatype, true))
        .to_vec()
}

type Row = (Option<&'static str>, Option<&'static str>, Option<i64>, Option<f64>);

fn batch(rows: &[Row]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("real", Arc::new(rows.iter().map(|row| row.3).collect::<Float64Array>()), true),
        ("text", Arc::new(rows.iter().map(|row| row.0).collect::<StringArray>()), true),
        ("whole", Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()), true),
        ("key", Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn texts(texts: &[Option<&'static str>]) -> RecordBatch {
    batch(&texts.iter().map(|text| (*text, None, None, None)).collect::<Vec<_>>())
}

fn reals(values: &[f64]) -> RecordBatch {
    batch(&values.iter().map(|value| (None, None, None, Some(*value))).collect::<Vec<_>>())
}

fn strings(values: &[&str]) -> Keys {
    Keys::Strings(values.iter().map(ToString::to_string).collect())
}

fn run(column: &str, nodes: Vec<Mapper>, batch: &RecordBatch) -> Vec<(String, Vec<f64>)> {
    let graph = TransformGraph::new(inputs(), None, vec![Feature::new("f", column, nodes)]).unwrap();
    let mut block = FeatureBlock::new();
    graph.bind(batch.schema_ref()).unwrap().apply(batch, &mut block).unwrap();
    graph.features().iter().map(|spec| spec.name.clone()).zip(block.columns).collect()
}

fn refuse(column: &str, nodes: Vec<Mapper>) -> String {
    TransformGraph::new(inputs(), None, vec![Feature::new("f", column, nodes)]).unwrap_err().to_string()
}

fn assert_columns(got: &[(String, Vec<f64>)], expected: &[(&str, &[f64])]) {
    let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for ((name, got), (_, expected)) in got.iter().zip(expected) {
        for (row, (got, expected)) in got.iter().zip(*expected).enumerate() {
            let same = got == expected || (got - expected).abs() < 1e-12 || (got.is_nan() && expected.is_nan());
            assert!(same, "{name}, row {row}: {got} is not {expected}");
        }
    }
}

fn words() -> Mapper {
    Mapper::Tokenize(steps::Tokenize { pattern: r"\w+".into() })
}

#[test]
fn tf_idf_is_that_of_tensorflow_transform() {
    // The example of tft.tfidf: documents "I like pie pie pie" and "yum yum pie".
    let idf = |df: f64| (3.0_f64 / (df + 1.0)).ln() + 1.0;
    let values = strings(&["pie", "yum", "like", "I"]);
    let tf_idf = Mapper::TfIdf(steps::TfIdf { values, idf: vec![idf(2.0), idf(1.0), idf(1.0), idf(1.0)] });
    let documents = texts(&[Some("I like pie pie pie"), Some("yum yum pie"), None, Some(""), Some("other words")]);
    let rare = 0.281_093_021_621_632_9;
    assert_columns(
        &run("text", vec![words(), tf_idf], &documents),
        &[
            ("f=pie", &[0.6, 1.0 / 3.0, 0.0, 0.0, 0.0]),
            ("f=yum", &[0.0, 0.936_976_738_738_776_2, 0.0, 0.0, 0.0]),
            ("f=like", &[rare, 0.0, 0.0, 0.0, 0.0]),
            ("f=I", &[rare, 0.0, 0.0, 0.0, 0.0]),
        ],
    );
}

#[test]
fn tokens_are_counted_marked_and_joined() {
    let split = || Mapper::Split(steps::Split { separator: "|".into() });
    let genres = texts(&[Some("drama| comedy"), Some("drama|drama|war"), Some("|"), None]);
    let values = || strings(&["drama", "comedy"]);
    let hot = Mapper::MultiHot(steps::MultiHot { values: values(), oov_buckets: 1 });
    assert_columns(
        &run("text", vec![split(), hot], &genres),
        &[("f=drama", &[1.0, 1.0, 0.0, 0.0]), ("f=comedy", &[1.0, 0.0, 0.0, 0.0]), ("f.other", &[0.0, 1.0, 0.0, 0.0])],
    );
    let bag = || Mapper::BagOfWords(steps::BagOfWords { values: values(), oov_buckets: 0 });
    assert_columns(
        &run("text", vec![split(), bag()], &genres),
        &[("f=drama", &[1.0, 2.0, 0.0, 0.0]), ("f=comedy", &[1.0, 0.0, 0.0, 0.0])],
    );
    assert_columns(
        &run("text", vec![Mapper::MissingIndicator, split(), Mapper::Distinct, bag()], &genres),
        &[
            ("f=drama", &[1.0, 1.0, 0.0, 0.0]),
            ("f=comedy", &[1.0, 0.0, 0.0, 0.0]),
            ("f.missing", &[0.0, 0.0, 0.0, 1.0]),
        ],
    );
    assert_columns(&run("text", vec![split(), Mapper::WordCount], &genres), &[("f", &[2.0, 3.0, 0.0, NAN])]);
    let ngrams = Mapper::Ngrams(steps::Ngrams { min: 1, max: 2, separator: "_".into() });
    let pairs = Mapper::BagOfWords(steps::BagOfWords { values: strings(&["a_b", "a"]), oov_buckets: 0 });
    assert_columns(
        &run("text", vec![words(), ngrams, pairs], &texts(&[Some("a b a b c"), Some("b a")])),
        &[("f=a_b", &[2.0, 0.0]), ("f=a", &[2.0, 1.0])],
    );
}

#[test]
fn text_goes_through_its_steps_one_by_one() {
    let coded = |nodes: Vec<Mapper>, values: &[&str], rows: &[Option<&'static str>]| {
        let all =
            [nodes, vec![Mapper::Vocabulary(steps::Vocabulary { values: strings(values), oov_buckets: 0 })]].concat();
        run("text", all, &texts(rows)).remove(0).1
    };
    let same = |got: Vec<f64>, expected: &[f64]| {
        assert_columns(&[("f".to_owned(), got)], &[("f", expected)]);
    };
    same(
        coded(vec![Mapper::Strip, Mapper::Lower], &["cash", "é"], &[Some(" CASH "), Some("É"), None]),
        &[0.0, 1.0, NAN],
    );
    same(coded(vec![Mapper::Upper], &["CASH", "SS"], &[Some("cash"), Some("ß")]), &[0.0, 1.0]);
    let digits = || Mapper::RegexReplace(steps::RegexReplace { pattern: "[0-9]+".into(), with: "#".into() });
    same(coded(vec![Mapper::Lower, digits()], &["cab #"], &[Some("Cab 17"), Some("cab 3")]), &[0.0, 0.0]);
    let area = |group| Mapper::RegexExtract(steps::RegexExtract { pattern: "([A-Z]+)-[0-9]+".into(), group });
    same(coded(vec![area(1)], &["AB"], &[Some("x AB-12"), Some("ab-1"), Some("AB")]), &[0.0, NAN, NAN]);
    same(coded(vec![area(0)], &["AB-12"], &[Some("x AB-12")]), &[0.0]);
    // What has no match is filled like any other missing value.
    let fill = |text: &str| Mapper::Impute(steps::Impute { value: Scalar::Text(text.into()) });
    same(coded(vec![area(1), fill("none")], &["AB", "none"], &[Some("AB-1"), Some("?"), None]), &[0.0, 1.0, 1.0]);
    same(coded(vec![fill("AB-9"), area(1)], &["AB"], &[None, Some("?")]), &[0.0, NAN]);
    let hour = vec![Mapper::Strip, Mapper::DatePart(steps::DatePart { part: tidemill_core::calendar::DatePart::Hour })];
    assert_columns(&run("text", hour, &texts(&[Some(" 2024-02-29T05:00 ")])), &[("f", &[5.0])]);
}

#[test]
fn numbers_are_scaled_by_the_formulas_stated() {
    let x = reals(&[-1.0, 0.0, 1.0, 2.0, 4.0, NAN, f64::INFINITY]);
    let inf = f64::INFINITY;
    let of = |node: Mapper| run("real", vec![node], &x).remove(0).1;
    let same = |got: Vec<f64>, expected: &[f64]| assert_columns(&[("f".to_owned(), got)], &[("f", expected)]);
    same(of(Mapper::Robust(steps::Robust { median: 1.0, range: 2.0 })), &[-1.0, -0.5, 0.0, 0.5, 1.5, NAN, inf]);
    same(of(Mapper::Robust(steps::Robust { median: 1.0, range: 0.0 })), &[-2.0, -1.0, 0.0, 1.0, 3.0, NAN, inf]);
    // tft.apply_buckets_with_interpolation: 0 to 1 in equal parts for equal numbers of boundaries.
    same(
        of(Mapper::Interpolate(steps::Interpolate { boundaries: vec![0.0, 2.0, 4.0] })),
        &[0.0, 0.0, 0.25, 0.5, 1.0, NAN, 1.0],
    );
    let density = Mapper::Density(steps::Density { boundaries: vec![0.0, 1.0, 4.0], densities: vec![0.4, 0.2] });
    same(of(density), &[0.0, 0.4, 0.2, 0.2, 0.2, NAN, 0.0]);
    // x = z · exp(h · z² / 2) at z = 1 and −1, by hand.
    let gaussian = Mapper::Gaussian(steps::Gaussian { location: 0.0, scale: 1.0, h_left: 0.0, h_right: 0.5 });
    let raised = reals(&[(0.25_f64).exp(), -1.0]);
    assert_columns(&run("real", vec![gaussian], &raised), &[("f", &[1.0, -1.0])]);
}

#[test]
fn keys_choose_the_constants_and_others_get_those_of_all() {
    let z = |mean, std_dev| Mapper::ZScore(steps::ZScore { mean, std_dev });
    let by = Mapper::ByKey(steps::ByKey {
        column: "key".into(),
        values: strings(&["a", "b"]),
        mappers: vec![z(1.0, 2.0), z(5.0, 0.0)],
        other: Box::new(z(0.0, 10.0)),
    });
    let rows = [
        (None, Some("a"), None, Some(3.0)),
        (None, Some("b"), None, Some(3.0)),
        (None, Some("new"), None, Some(3.0)),
        (None, None, None, Some(3.0)),
        (None, Some("a"), None, None),
    ];
    assert_columns(&run("real", vec![by.clone()], &batch(&rows)), &[("f", &[1.0, -2.0, 0.3, 0.3, NAN])]);
    let graph = TransformGraph::new(inputs(), None, vec![Feature::new("f", "real", vec![by.clone()])]).unwrap();
    assert_eq!(graph.definitions()[0].columns(), ["real", "key"]);
    // A key is part of the feature: what the label is about cannot be one.
    let label = LabelSpec::new("y", "key = 'a'");
    let error = TransformGraph::new(inputs(), Some(label), vec![Feature::new("f", "real", vec![by])]).unwrap_err();
    assert!(error.to_string().contains("`key`"), "{error}");
    let bucket = |boundaries: &[f64]| Mapper::Bucketize(steps::Bucketize { boundaries: boundaries.to_vec() });
    let by = Mapper::ByKey(steps::ByKey {
        column: "whole".into(),
        values: Keys::Integers(vec![7]),
        mappers: vec![bucket(&[1.0, 2.0, 3.0])],
        other: Box::new(bucket(&[10.0])),
    });
    let rows = [(None, None, Some(7), Some(2.5)), (None, None, Some(8), Some(2.5))];
    let hot = run("real", vec![by, Mapper::OneHot], &batch(&rows));
    assert_eq!(hot.len(), 4);
    assert_eq!((&hot[2].1, &hot[0].1), (&vec![1.0, 0.0], &vec![0.0, 1.0]));
}

#[test]
fn a_training_row_sees_the_encodings_of_the_other_folds() {
    let encoding =
        |shift: f64| Encoding { encodings: vec![0.1 + shift, 0.2 + shift], missing: 0.3 + shift, other: 0.4 };
    let folds = vec![encoding(1.0), encoding(2.0), encoding(3.0)];
    let node = Mapper::TargetEncode(steps::TargetEncode { values: strings(&["a", "b"]), full: encoding(0.0), folds });
    let feature = Feature::new("f", "text", vec![node]);
    let graph = TransformGraph::new(inputs(), None, vec![feature]).unwrap();
    let rows = texts(&[Some("a"), Some("b"), None, Some("c"), Some("a"), Some("a")]);
    let mut block = FeatureBlock::new();
    let bound = graph.bind(rows.schema_ref()).unwrap();
    bound.apply(&rows, &mut block).unwrap();
    assert_eq!(block.columns[0], [0.1, 0.2, 0.3, 0.4, 0.1, 0.1]);
    bound.apply_training(&rows, SplitRowNumbers::From(40), &mut block).unwrap();
    let expected = |row: u64, serving: f64| {
        if serving == 0.4 { 0.4 } else { serving + fold_of_row(row, 3) as f64 + 1.0 }
    };
    for (row, serving) in [0.1, 0.2, 0.3, 0.4, 0.1, 0.1].into_iter().enumerate() {
        assert_eq!(block.columns[0][row], expected(40 + row as u64, serving), "row {row}");
    }
    // Python, package xxhash 4.1.0: xxhash.xxh3_64_intdigest(row.to_bytes(8, "little")) % 5
    assert_eq!((0..8).map(|row| fold_of_row(row, 5)).collect::<Vec<_>>(), [2, 3, 2, 4, 1, 2, 0, 0]);
    let lean = graph.for_serving();
    assert!(!serde_json::to_string(&lean).unwrap().contains("folds"));
    lean.bind(rows.schema_ref()).unwrap().apply(&rows, &mut block).unwrap();
    assert_eq!(block.columns[0], [0.1, 0.2, 0.3, 0.4, 0.1, 0.1]);
}

#[test]
fn several_columns_are_projected_together() {
    let project =
        Mapper::Project(steps::Project { means: vec![1.0, 2.0], components: vec![vec![0.6, 0.8], vec![0.8, -0.6]] });
    let source = Source::Columns(vec!["whole".into(), "real".into()]);
    let feature = Feature { name: "f".into(), source, mappers: vec![project.clone()] };
    let graph = TransformGraph::new(inputs(), None, vec![feature.clone()]).unwrap();
    let names: Vec<&str> = graph.features().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["f.1", "f.2"]);
    let rows = batch(&[(None, None, Some(2), Some(4.0)), (None, None, None, Some(4.0))]);
    let mut block = FeatureBlock::new();
    graph.bind(rows.schema_ref()).unwrap().apply(&rows, &mut block).unwrap();
    assert!((block.columns[0][0] - 2.2).abs() < 1e-15 && (block.columns[1][0] + 0.4).abs() < 1e-15);
    assert!(block.columns.iter().all(|column| column[1].is_nan()));
    let text = Source::Columns(vec!["text".into(), "real".into()]);
    let error = TransformGraph::new(inputs(), None, vec![Feature { source: text, ..feature.clone() }]).unwrap_err();
    assert!(error.to_string().contains("`text` holds text"), "{error}");
    let error = TransformGraph::new(inputs(), None, vec![Feature { mappers: vec![], ..feature }]).unwrap_err();
    assert!(error.to_string().contains("need `pca`"), "{error}");
}

#[test]
fn frequencies_and_keyed_hashes_are_as_stated() {
    let frequency = Mapper::Frequency(steps::Frequency { values: strings(&["a", "b"]), shares: vec![0.75, 0.25] });
    assert_columns(
        &run("text", vec![Mapper::Lower, frequency], &texts(&[Some("A"), Some("b"), Some("c"), None])),
        &[("f", &[0.75, 0.25, 0.0, NAN])],
    );
    let hash = |key| vec![Mapper::KeyedHash(steps::KeyedHash { buckets: 1000, key: [key, 2] })];
    let rows = texts(&[Some("Cash"), None]);
    let (one, other) = (run("text", hash(1), &rows).remove(0).1, run("text", hash(3), &rows).remove(0).1);
    assert!(one[0] != other[0] && one[0] < 1000.0 && one[1].is_nan());
    let whole = batch(&[(Some("17"), None, Some(17), None)]);
    assert_eq!(run("whole", hash(1), &whole)[0].1, run("text", hash(1), &whole)[0].1);
    let graph = TransformGraph::new(inputs(), None, vec![Feature::new("f", "text", hash(1))]).unwrap();
    assert_eq!(graph.features()[0].kind, FeatureKind::Categorical { cardinality: 1000 });
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let bag = || Mapper::BagOfWords(steps::BagOfWords { values: strings(&["a"]), oov_buckets: 0 });
    assert!(refuse("text", vec![bag()]).contains("`bag_of_words` does not apply to text"));
    assert!(refuse("text", vec![words()]).contains("a list of tokens cannot be a feature"));
    assert!(refuse("real", vec![Mapper::Lower]).contains("`lower` does not apply to numbers"));
    assert!(refuse("text", vec![words(), bag(), Mapper::Log]).contains("`log` does not apply to several columns"));
    let pattern = |pattern: &str| vec![Mapper::Tokenize(steps::Tokenize { pattern: pattern.into() }), bag()];
    assert_eq!(refuse("text", pattern("(")), "feature `f`: `(` is not a valid pattern: unclosed group");
    assert!(refuse("text", pattern(&"a".repeat(1001))).contains("1001 bytes, and 1000 are the most"));
    // A pattern that would take gigabytes compiled.
    let reason = refuse("text", pattern(r"(\pL{1000}){1000}"));
    assert!(reason.contains("is not a valid pattern") && reason.contains("size limit"), "{reason}");
    let extract = vec![
        Mapper::RegexExtract(steps::RegexExtract { pattern: "a".into(), group: 1 }),
        Mapper::HashBuckets(steps::HashBuckets { buckets: 2 }),
    ];
    assert!(refuse("text", extract).contains("`a` has no group 1"));
    assert!(refuse("text", vec![Mapper::Split(steps::Split { separator: String::new() }), bag()]).contains("is empty"));
    let ngrams = vec![words(), Mapper::Ngrams(steps::Ngrams { min: 2, max: 1, separator: " ".into() }), bag()];
    assert!(refuse("text", ngrams).contains("not of 2 to 1"));
    let wide = Mapper::BagOfWords(steps::BagOfWords { values: Keys::Strings(Vec::new()), oov_buckets: 1025 });
    assert!(refuse("text", vec![words(), wide]).contains("would give 1025 columns, and 1024 are the most"));
    let short = Mapper::TfIdf(steps::TfIdf { values: strings(&["a"]), idf: vec![] });
    assert!(refuse("text", vec![words(), short]).contains("no weight for each token"));
    let empty = Mapper::MultiHot(steps::MultiHot { values: strings(&[]), oov_buckets: 0 });
    assert!(refuse("text", vec![words(), empty]).contains("`multi_hot` has no value to give a column to"));
    let edges = |boundaries: &[f64]| vec![Mapper::Interpolate(steps::Interpolate { boundaries: boundaries.to_vec() })];
    assert!(refuse("real", edges(&[1.0])).contains("not two or more, strictly ascending"));
    let gaussian = Mapper::Gaussian(steps::Gaussian { location: 0.0, scale: 1.0, h_left: 0.0, h_right: 1.0 });
    assert!(refuse("real", vec![gaussian]).contains("not from 0 to below 1"));
    let by = |column: &str, node: Mapper| {
        Mapper::ByKey(steps::ByKey {
            column: column.into(),
            values: strings(&[]),
            mappers: vec![],
            other: Box::new(node),
        })
    };
    assert!(
        refuse("real", vec![by("hole", Mapper::ZScore(steps::ZScore { mean: 0.0, std_dev: 1.0 }))]).contains("`hole`")
    );
    assert!(
        refuse("real", vec![by("whole", Mapper::ZScore(steps::ZScore { mean: 0.0, std_dev: 1.0 }))])
            .contains("other values")
    );
    assert!(refuse("real", vec![by("key", Mapper::Log)]).contains("holds `z_score`, `min_max` or `bucketize`"));
    let encoding = Encoding { encodings: vec![NAN], missing: 0.0, other: 0.0 };
    let node = Mapper::TargetEncode(steps::TargetEncode { values: strings(&["a"]), full: encoding, folds: vec![] });
    assert!(refuse("text", vec![node]).contains("`encodings` of `target_encode` is NaN"));
}

fn everything() -> TransformGraph {
    let fill = |text: &str| Mapper::Impute(steps::Impute { value: Scalar::Text(text.into()) });
    let z = |mean, std_dev| Mapper::ZScore(steps::ZScore { mean, std_dev });
    let encoding = |x: f64| Encoding { encodings: vec![x, 2.0 * x], missing: 0.5, other: 0.25 };
    let features = vec![
        Feature::new(
            "words",
            "text",
            vec![
                Mapper::MissingIndicator,
                fill("a bb"),
                Mapper::Lower,
                words(),
                Mapper::Ngrams(steps::Ngrams { min: 1, max: 2, separator: " ".into() }),
                Mapper::BagOfWords(steps::BagOfWords { values: strings(&["a", "a bb"]), oov_buckets: 2 }),
            ],
        ),
        Feature::new(
            "rare",
            "text",
            vec![
                Mapper::Split(steps::Split { separator: " ".into() }),
                Mapper::TfIdf(steps::TfIdf { values: strings(&["bb"]), idf: vec![1.3] }),
            ],
        ),
        Feature::new("length", "key", vec![words(), Mapper::Distinct, Mapper::WordCount, z(1.0, 2.0)]),
        Feature::new(
            "taken",
            "text",
            vec![
                Mapper::RegexExtract(steps::RegexExtract { pattern: "([a-z]+)".into(), group: 1 }),
                Mapper::RegexReplace(steps::RegexReplace { pattern: "b".into(), with: "$0$0".into() }),
                Mapper::Strip,
                Mapper::HashBuckets(steps::HashBuckets { buckets: 20 }),
            ],
        ),
        Feature::new(
            "scaled",
            "real",
            vec![Mapper::ByKey(steps::ByKey {
                column: "key".into(),
                values: strings(&["a", "é"]),
                mappers: vec![z(1.0, 2.0), z(0.5, 0.0)],
                other: Box::new(z(0.1, 0.7)),
            })],
        ),
        Feature::new(
            "normal",
            "real",
            vec![Mapper::Gaussian(steps::Gaussian { location: 0.1, scale: 0.7, h_left: 0.0, h_right: 0.3 })],
        ),
        Feature::new("robust", "whole", vec![Mapper::Robust(steps::Robust { median: 3.0, range: 7.0 })]),
        Feature::new(
            "rank",
            "real",
            vec![Mapper::Interpolate(steps::Interpolate { boundaries: vec![-1.0, 0.3, 2.0] })],
        ),
        Feature::new(
            "dense",
            "real",
            vec![Mapper::Density(steps::Density { boundaries: vec![-1.0, 1.0], densities: vec![0.5] })],
        ),
        Feature {
            name: "both".into(),
            source: Source::Columns(vec!["whole".into(), "real".into()]),
            mappers: vec![Mapper::Project(steps::Project { means: vec![0.3, 0.1], components: vec![vec![0.6, 0.8]] })],
        },
        Feature::new(
            "share",
            "whole",
            vec![Mapper::Frequency(steps::Frequency { values: Keys::Integers(vec![1]), shares: vec![1.0] })],
        ),
        Feature::new(
            "mean",
            "text",
            vec![
                Mapper::Upper,
                Mapper::TargetEncode(steps::TargetEncode {
                    values: strings(&["A", "BB"]),
                    full: encoding(0.1),
                    folds: vec![encoding(0.2), encoding(0.3)],
                }),
            ],
        ),
        Feature::new("secret", "whole", vec![Mapper::KeyedHash(steps::KeyedHash { buckets: 9, key: [1, 2] })]),
    ];
    TransformGraph::new(inputs(), Some(LabelSpec::new("label", "known")), features).unwrap()
}

#[test]
fn the_file_is_as_recorded_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("transform.json");
    everything().save(&path).unwrap();
    insta::assert_snapshot!("text_steps_transform.json", std::fs::read_to_string(&path).unwrap());
    assert_eq!(TransformGraph::load(&path).unwrap(), everything());
}

#[test]
fn a_column_without_any_value_is_missing_everywhere() {
    let none = || Arc::new(NullArray::new(2)) as ArrayRef;
    let columns = ["text", "key", "whole", "real"].map(|name| (name, none(), true));
    let empty = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut block = FeatureBlock::new();
    everything().bind(empty.schema_ref()).unwrap().apply(&empty, &mut block).unwrap();
    let of = |name: &str| {
        let at = everything().features().iter().position(|spec| spec.name == name).unwrap();
        block.columns[at][1]
    };
    assert_eq!(
        (of("words=a"), of("words=a bb"), of("words.missing"), of("rare=bb"), of("mean")),
        (1.0, 1.0, 1.0, 0.0, 0.5)
    );
    for name in ["length", "taken", "scaled", "normal", "robust", "rank", "dense", "both.1", "share", "secret"] {
        assert!(of(name).is_nan(), "{name}");
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let words = vec!["a", "A BB", "bb bb", "é", "", "  ", "zzz-1 a", "x|y"];
    let text = prop::option::weighted(0.8, prop::sample::select(words.clone()));
    let key = prop::option::weighted(0.8, prop::sample::select(words));
    let whole = prop::option::weighted(0.8, prop_oneof![4 => -3i64..3, 1 => any::<i64>()]);
    let real = prop::option::weighted(0.8, prop_oneof![4 => -3.0..3.0f64, 1 => any::<f64>()]);
    prop::collection::vec((text, key, whole, real), 1..30)
}

proptest! {
    #[test]
    fn a_row_alone_a_slice_and_a_batch_give_the_same_bits(rows in rows()) {
        let graph = everything();
        let bits = |batch: &RecordBatch, first: Option<u64>| -> Vec<Vec<u64>> {
            let mut block = FeatureBlock::new();
            let bound = graph.bind(batch.schema_ref()).unwrap();
            match first {
                Some(first) => bound.apply_training(batch, SplitRowNumbers::From(first), &mut block).unwrap(),
                None => bound.apply(batch, &mut block).unwrap(),
            }
            block.columns.iter().map(|column| column.iter().map(|value| value.to_bits()).collect()).collect()
        };
        let whole = batch(&rows);
        let (serving, training) = (bits(&whole, None), bits(&whole, Some(7)));
        for row in 0..rows.len() {
            let alone = bits(&batch(&rows[row..=row]), None);
            let view = bits(&whole.slice(row, 1), None);
            let trained = bits(&whole.slice(row, 1), Some(7 + row as u64));
            for (at, column) in serving.iter().enumerate() {
                prop_assert_eq!(column[row], alone[at][0]);
                prop_assert_eq!(column[row], view[at][0]);
                prop_assert_eq!(training[at][row], trained[at][0]);
            }
        }
    }

    #[test]
    fn any_pattern_is_compiled_or_refused_and_any_text_is_read(pattern in ".{0,12}", text in ".{0,40}") {
        let nodes = vec![Mapper::Tokenize(steps::Tokenize { pattern }), Mapper::WordCount];
        if let Ok(graph) = TransformGraph::new(inputs(), None, vec![Feature::new("f", "text", nodes)]) {
            let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
            let none = || Arc::new(NullArray::new(1)) as ArrayRef;
            let columns = [("text", column), ("key", none()), ("whole", none()), ("real", none())];
            let row = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
            let mut block = FeatureBlock::new();
            graph.bind(row.schema_ref()).unwrap().apply(&row, &mut block).unwrap();
            prop_assert!(block.columns[0][0] >= 0.0);
        }
    }
}
