//! Fitting of text, keyed, target-encoded and joint features; vocabularies of other orders.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill_core::{Component as _, NoProgress};
use tidemill_model::{FeatureBlock, Keys, Mapper, Scalar, SplitRowNumbers, steps};
use tidemill_transform::{FitOptions, Fitted, MemoryRows, Transform, TransformConfig, TransformError, fit};

fn trips() -> RecordBatch {
    let text = |values: [Option<&str>; 6]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("fare", Arc::new(Float64Array::from(vec![12.0, 5.0, 7.5, 30.0, 60.0, 9.0])), true),
        ("payment", text([Some("Card"), Some("Cash"), None, Some("Card"), Some("cash "), Some("Cash")]), true),
        (
            "note",
            text([Some("Late, late!"), Some("airport"), None, Some("late airport run"), Some(""), Some("run")]),
            true,
        ),
        ("hour", Arc::new(Int64Array::from(vec![19, 19, 5, 0, 23, 5])), true),
        ("tips", Arc::new(Float64Array::from(vec![4.0, 0.0, 0.0, 8.0, 0.0, 1.0])), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn fit_rows(rows: &RecordBatch, features: &Value) -> Result<Fitted, TransformError> {
    let label = json!({ "name": "big_tip", "expression": "tips > fare * 0.2" });
    fit_label(rows, &label, features)
}

fn fit_label(rows: &RecordBatch, label: &Value, features: &Value) -> Result<Fitted, TransformError> {
    let half = rows.num_rows() / 2;
    let batches = vec![rows.slice(0, half), rows.slice(half, rows.num_rows() - half)];
    let source = MemoryRows::new(rows.schema(), vec![("train".into(), batches)]);
    let params = json!({ "label": label, "features": features });
    let config = TransformConfig::from_params(&params).unwrap_or_else(|issues| panic!("{issues:?}"));
    let options = FitOptions { split: "train", threads: 2, progress: &NoProgress, cancel: None, schema: None };
    fit(&config, &source, &options)
}

fn nodes(feature: &Value) -> Vec<Mapper> {
    fit_rows(&trips(), &json!({ "x": feature })).unwrap().graph.definitions()[0].mappers.clone()
}

fn columns(feature: &Value) -> Vec<(String, Vec<f64>)> {
    let graph = fit_rows(&trips(), &json!({ "x": feature })).unwrap().graph;
    let mut block = FeatureBlock::new();
    graph.bind(trips().schema_ref()).unwrap().apply(&trips(), &mut block).unwrap();
    graph.features().iter().map(|spec| spec.name.clone()).zip(block.columns).collect()
}

fn strings(values: &[&str]) -> Keys {
    Keys::Strings(values.iter().map(ToString::to_string).collect())
}

fn issue(feature: &Value) -> (String, String) {
    let params = json!({ "label": { "name": "y", "expression": "tips > 1" }, "features": { "x": feature } });
    let mut found = Transform::default().check(&params);
    assert_eq!(found.len(), 1, "{found:?}");
    let issue = found.remove(0);
    (issue.path.join("."), issue.message)
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
}

#[test]
fn text_is_cleaned_before_its_values_are_counted() {
    let clean = json!({ "from": "payment", "steps": ["strip", "lower", "vocabulary"] });
    assert_eq!(
        nodes(&clean)[2],
        Mapper::Vocabulary(steps::Vocabulary { values: strings(&["cash", "card"]), oov_buckets: 0 })
    );
    let filled =
        json!({ "from": "payment", "steps": [{ "impute": { "value": "?" } }, "lower", "strip", "categorical"] });
    assert_eq!(
        nodes(&filled)[3],
        Mapper::Categorical(steps::Categorical { values: Some(strings(&["?", "card", "cash"])) })
    );
    // What the most frequent text is depends on the steps before, and what is counted after on the filling.
    let frequent = json!({ "from": "payment", "steps": ["lower", "strip", { "impute": "most_frequent" }, "one_hot"] });
    assert_eq!(nodes(&frequent)[2], Mapper::Impute(steps::Impute { value: Scalar::Text("cash".into()) }));
    assert_eq!(columns(&frequent)[1], ("x=cash".into(), vec![0.0, 1.0, 1.0, 0.0, 1.0, 1.0]));
    let again = json!({ "from": "payment", "steps": [{ "impute": "most_frequent" }, "upper", "categorical"] });
    assert_eq!(
        nodes(&again)[2],
        Mapper::Categorical(steps::Categorical { values: Some(strings(&["CARD", "CASH", "CASH "])) })
    );
    let extract = json!({ "from": "payment", "steps": [{ "regex_extract": "^(C[a-z])" }, "frequency"] });
    assert_eq!(nodes(&extract)[1], Mapper::Frequency(steps::Frequency { values: strings(&["Ca"]), shares: vec![1.0] }));
}

#[test]
fn words_become_columns() {
    let bag = json!({ "from": "note", "steps": ["lower", "tokenize", { "bag_of_words": { "top_k": 2 } }] });
    assert_eq!(
        columns(&bag),
        [("x=late".into(), vec![2.0, 0.0, 0.0, 1.0, 0.0, 0.0]), ("x=run".into(), vec![0.0, 0.0, 0.0, 1.0, 0.0, 1.0]),]
    );
    let hashed = json!({ "from": "note", "steps": ["tokenize", { "bag_of_words": { "hash_buckets": 3 } }] });
    let totals: f64 = columns(&hashed).iter().flat_map(|(_, values)| values).sum();
    assert_eq!((columns(&hashed).len(), totals), (3, 7.0));
    let pairs = json!({ "from": "note", "steps": ["lower", "tokenize", { "ngrams": [2, 2] }, "multi_hot"] });
    let names: Vec<String> = columns(&pairs).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x=late late", "x=late airport", "x=airport run"]);
    // Five documents; "late" in two, "airport" in two.
    let tf_idf = nodes(&json!({ "from": "note", "steps": ["lower", "tokenize", { "tf_idf": { "top_k": 3 } }] }));
    let Mapper::TfIdf(steps::TfIdf { values, idf }) = &tf_idf[2] else { panic!() };
    assert_eq!(values, &strings(&["late", "run", "airport"]));
    for idf in idf {
        near(*idf, 1.0 + (6.0_f64 / 3.0).ln());
    }
    let rough = nodes(&json!({ "from": "note", "steps": ["lower", "tokenize", { "tf_idf": { "smooth": false } }] }));
    let Mapper::TfIdf(steps::TfIdf { idf, .. }) = &rough[2] else { panic!() };
    near(idf[0], 1.0 + (5.0_f64 / 2.0).ln());
    let split = json!({ "from": "note", "steps": [{ "split": " " }, "distinct", "word_count"] });
    assert_eq!(columns(&split)[0].1[3], 3.0);
}

#[test]
fn numbers_are_fitted_as_numpy_and_scikit_learn_have_it() {
    // scikit-learn 1.9.1: RobustScaler().fit(fare).center_, .scale_
    let robust = nodes(&json!({ "from": "fare", "steps": "robust" }));
    assert_eq!(robust, [Mapper::Robust(steps::Robust { median: 10.5, range: 17.625 })]);
    // numpy 2.4.6: q1, q3 = np.percentile(fare, [25, 75]); q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    let clip = nodes(&json!({ "from": "fare", "steps": { "clip": { "tukey": 1.5 } } }));
    assert_eq!(clip, [Mapper::Clip(steps::Clip { min: Some(-18.5625), max: Some(51.9375) })]);
    // np.linalg.eigh(np.cov([fare, hour], bias=True))
    let pca = nodes(&json!({ "columns": ["fare", "hour"], "steps": { "pca": 1 } }));
    let [Mapper::Project(steps::Project { means, components })] = &pca[..] else { panic!() };
    for (got, expected) in means.iter().chain(&components[0]).zip([
        20.583_333_333_333_332,
        11.833_333_333_333_334,
        0.985_155_224_349_633,
        0.171_665_907_904_348_38,
    ]) {
        near(*got, expected);
    }
    let interpolate = nodes(&json!({ "from": "fare", "steps": { "interpolate": 3 } }));
    assert_eq!(interpolate, [Mapper::Interpolate(steps::Interpolate { boundaries: vec![5.0, 9.0, 30.0, 60.0] })]);
    let density = nodes(&json!({ "from": "fare", "steps": { "density": 5 } }));
    let [Mapper::Density(steps::Density { boundaries, densities })] = &density[..] else { panic!() };
    // np.histogram(fare, bins=5, density=True)
    assert_eq!(boundaries, &[5.0, 16.0, 27.0, 38.0, 49.0, 60.0]);
    let expected = [4.0, 0.0, 1.0, 0.0, 1.0].map(|count| count / 66.0);
    densities.iter().zip(expected).for_each(|(got, expected)| near(*got, expected));
    let gaussian = nodes(&json!({ "from": "fare", "steps": "gaussian" }));
    assert!(matches!(gaussian[..], [Mapper::Gaussian(steps::Gaussian { scale, .. })] if scale > 0.0), "{gaussian:?}");
}

#[test]
fn each_key_has_constants_of_its_own() {
    let per = nodes(&json!({ "from": "fare", "steps": { "z_score": { "per": "payment" } } }));
    let [Mapper::ByKey(steps::ByKey { column, values, mappers: by, other })] = &per[..] else { panic!() };
    assert_eq!((column.as_str(), values), ("payment", &strings(&["Card", "Cash", "cash "])));
    // np.mean and np.std of [12, 30], of [5, 9], and of all six.
    let expected = [(21.0, 9.0), (7.0, 2.0), (60.0, 0.0), (20.583_333_333_333_332, 19.425_963_439_571_166)];
    for (node, expected) in by.iter().chain([&**other]).zip(expected) {
        let Mapper::ZScore(steps::ZScore { mean, std_dev }) = node else { panic!() };
        near(*mean, expected.0);
        near(*std_dev, expected.1);
    }
    let fitted =
        fit_rows(&trips(), &json!({ "x": { "from": "fare", "steps": { "min_max": { "per": "hour" } } } })).unwrap();
    let inputs: Vec<&str> = fitted.graph.inputs().iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["fare", "hour"]);
    let buckets =
        nodes(&json!({ "from": "fare", "steps": [{ "bucketize": { "buckets": 2, "per": "hour" } }, "one_hot"] }));
    assert!(matches!(buckets[..], [Mapper::ByKey(_), Mapper::OneHot]));
    let (path, message) = issue(&json!({ "from": "fare", "steps": { "z_score": { "per": "tips" } } }));
    assert_eq!(path, "features.x");
    assert!(message.contains("`tips` would leak the label"), "{message}");
}

#[test]
fn a_vocabulary_is_ordered_by_weight_information_or_coverage() {
    let vocabulary = |choice: Value| nodes(&json!({ "from": "payment", "steps": { "vocabulary": choice } })).remove(0);
    let values = |node: Mapper| match node {
        Mapper::Vocabulary(steps::Vocabulary { values, .. }) => values,
        other => panic!("{other:?}"),
    };
    // Card 42, Cash 14, `cash ` 60.
    assert_eq!(values(vocabulary(json!({ "weight": "fare" }))), strings(&["cash ", "Card", "Cash"]));
    // Both cards tip, so a card says most; a plain vocabulary has the later name first.
    assert_eq!(values(vocabulary(json!({ "by": "mutual_information", "top_k": 1 }))), strings(&["Card"]));
    assert_eq!(values(vocabulary(json!({ "top_k": 1 }))), strings(&["Cash"]));
    assert_eq!(values(vocabulary(json!({ "coverage": 0.8 }))), strings(&["Cash", "Card"]));
    let reserved = values(vocabulary(json!({ "reserved": ["none"], "top_k": 1 })));
    assert_eq!(reserved, strings(&["none", "Cash"]));
    let regression = json!({ "name": "amount", "expression": "tips" });
    let feature = json!({ "x": { "from": "payment", "steps": { "vocabulary": { "by": "mutual_information" } } } });
    let error = fit_label(&trips(), &regression, &feature).unwrap_err().to_string();
    assert!(error.contains("a label of 0 and 1"), "{error}");
}

#[test]
fn mistakes_are_shown_at_their_place() {
    let at = |feature: Value| issue(&feature);
    assert_eq!(at(json!({ "regex_extract": "(" })).0, "features.x.regex_extract");
    assert!(at(json!({ "regex_extract": "(" })).1.contains("`(` is not a valid pattern"));
    assert!(at(json!(["tokenize"])).1.contains("a list of tokens cannot be a feature"));
    assert!(at(json!(["lower", "z_score"])).1.contains("`z_score` does not apply to text"));
    assert!(at(json!({ "target_encode": { "folds": 1 } })).1.contains("a row's own label is never part"));
    assert!(at(json!({ "columns": ["a", "b"], "steps": { "pca": 3 } })).1.contains("3 directions of 2 columns"));
    assert!(at(json!({ "pca": 2 })).1.contains("it takes `columns: [ … ]`"));
    assert!(at(json!({ "columns": ["a", "a"], "steps": { "pca": 1 } })).1.contains("each once"));
    assert!(at(json!({ "clip": { "tukey": 1, "min": 0 } })).1.contains("one of bounds, `quantiles` and `tukey`"));
    assert!(at(json!({ "vocabulary": { "coverage": 0 } })).1.contains("above 0, at most 1"));
    assert!(at(json!({ "bucketize": { "boundaries": [1], "per": "a" } })).1.contains("needs a number of `buckets`"));
}

/// Rows with a city and a label.
fn visits(labels: &[bool], cities: &[Option<u8>]) -> RecordBatch {
    let city = |city: &Option<u8>| city.map(|city| format!("city {city}"));
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("city", Arc::new(cities.iter().map(city).collect::<StringArray>()), true),
        (
            "paid",
            Arc::new(labels.iter().map(|label| Some(f64::from(u8::from(*label)) * 0.1)).collect::<Float64Array>()),
            true,
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn encoded(rows: &RecordBatch, training: bool) -> Vec<f64> {
    let features = json!({ "city": { "target_encode": { "folds": 3, "smoothing": 2 } } });
    let graph = fit_label(rows, &json!({ "column": "paid" }), &features).unwrap().graph;
    let mut block = FeatureBlock::new();
    let bound = graph.bind(rows.schema_ref()).unwrap();
    if training {
        bound.apply_training(rows, SplitRowNumbers::From(0), &mut block).unwrap();
    } else {
        bound.apply(rows, &mut block).unwrap();
    }
    block.columns.remove(0)
}

proptest! {
    #[test]
    fn a_rows_own_label_is_no_part_of_what_it_is_trained_on(
        rows in prop::collection::vec((any::<bool>(), prop::option::weighted(0.9, 0u8..4)), 8..40),
        at in any::<prop::sample::Index>(),
    ) {
        let (labels, cities): (Vec<bool>, Vec<Option<u8>>) = rows.into_iter().unzip();
        let at = at.index(labels.len());
        let mut flipped = labels.clone();
        flipped[at] = !flipped[at];
        prop_assume!(labels.iter().any(|label| *label != labels[0]) && flipped.iter().any(|label| *label != flipped[0]));
        let (before, after) = (visits(&labels, &cities), visits(&flipped, &cities));
        prop_assert_eq!(encoded(&before, true)[at].to_bits(), encoded(&after, true)[at].to_bits());
        // Serving sees every row, so there the label counts.
        prop_assert_ne!(encoded(&before, false)[at], encoded(&after, false)[at]);
    }
}

#[test]
fn the_encoding_of_all_rows_is_that_of_scikit_learn() {
    // scikit-learn 1.9.1: TargetEncoder(smooth=2.0, target_type="continuous") gives (s + 2 · mean) / (n + 2).
    let cities = [Some(0), Some(0), Some(1), Some(2), Some(0)];
    let rows = visits(&[true, false, true, false, true], &cities);
    let expected = [0.064, 0.064, 0.22 / 3.0, 0.04, 0.064];
    encoded(&rows, false).iter().zip(expected).for_each(|(got, expected)| near(*got, expected));
}
