//! Fitting on spans: those seen before are not read again, and that makes no difference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tidemill_core::{CancelFlag, Component as _, NoProgress, RunInfo, StepContext};
use tidemill_data::{ExampleGen, Examples};
use tidemill_model::{Mapper, steps};
use tidemill_transform::{AnalyzerCache, FitOptions, Fitted, MemoryRows, TransformConfig, fit_cached};

/// A span of trips; each has another mix.
fn span(number: u64) -> String {
    let mut csv = "id,miles,fare,payment,note,tips\n".to_owned();
    for trip in 0..200 + number * 30 {
        let noise = (number * 1000 + trip).wrapping_mul(6_364_136_223_846_793_005) >> 33;
        let payment = ["Cash", "Card", "", "Mobile"][(noise % (2 + number.min(2))) as usize];
        let miles = if noise.is_multiple_of(11) {
            String::new()
        } else {
            format!("{}", (noise % 1000) as f64 * 0.01 + number as f64)
        };
        let tips = if noise.is_multiple_of(3) { 5.0 } else { 0.25 };
        let note = ["late airport", "airport run", "late", ""][(noise / 7 % 4) as usize];
        writeln!(csv, "{number}-{trip},{miles},{}.5,{payment},{note},{tips}", noise % 40 + 3).unwrap();
    }
    csv
}

fn params() -> Value {
    json!({
        "label": { "name": "big_tip", "expression": "tips > fare * 0.2" },
        "features": {
            "miles": [ { "impute": "median" }, "z_score" ],
            "scaled": { "from": "miles", "steps": "min_max" },
            "common": { "from": "miles", "steps": { "impute": "most_frequent" } },
            "by_payment": { "from": "fare", "steps": { "z_score": { "per": "payment" } } },
            "bucket": { "from": "fare", "steps": { "bucketize": 5 } },
            "payment": { "vocabulary": { "oov_buckets": 1 } },
            "heavy": { "from": "payment", "steps": { "vocabulary": { "weight": "fare" } } },
            "telling": { "from": "payment", "steps": { "one_hot": { "top_k": 2, "by": "mutual_information" } } },
            "encoded": { "from": "payment", "steps": { "target_encode": { "folds": 3 } } },
            "note": [ "tokenize", "tf_idf" ],
            "plane": { "columns": ["fare", "miles"], "steps": { "pca": 1 } },
        },
    })
}

/// The newest spans as examples.
fn examples(project: &Path, latest: u32) -> Examples {
    let out = project.join(format!("examples-{latest}"));
    fs::create_dir_all(&out).unwrap();
    let params = json!({
        "source": { "csv": "span-{SPAN}.csv" },
        "range": { "latest": latest },
        "splits": { "train": 3, "eval": 1 },
    });
    let outputs = BTreeMap::from([("examples".to_owned(), out.clone())]);
    ExampleGen::default()
        .run(&StepContext {
            params: &params,
            project_dir: project,
            inputs: &BTreeMap::new(),
            outputs: &outputs,
            progress: &NoProgress,
            cancel: &CancelFlag::default(),
            threads: 2,
            run: &RunInfo { pipeline: "taxi".into(), run_id: "1".into(), step: "examples".into() },
            work: None,
        })
        .unwrap_or_else(|error| panic!("{error}"));
    Examples::open(&out).unwrap()
}

fn fit_on(examples: &Examples, cache: Option<&AnalyzerCache>) -> (Fitted, String) {
    let config = TransformConfig::from_params(&params()).unwrap_or_else(|issues| panic!("{issues:?}"));
    let options = FitOptions { split: "train", threads: 2, progress: &NoProgress, cancel: None, schema: None };
    let fitted = fit_cached(&config, examples, &options, cache).unwrap();
    let text = serde_json::to_string(&fitted.graph).unwrap();
    (fitted, text)
}

#[test]
fn a_new_span_reads_itself_alone_and_gives_the_same_bytes() {
    let project = tempfile::tempdir().unwrap();
    for number in 1..=4 {
        fs::write(project.path().join(format!("span-{number}.csv")), span(number)).unwrap();
    }
    let three = examples(project.path(), 3);
    let shards = &three.splits()[0].shards;
    assert_eq!(shards.iter().filter_map(|shard| shard.span).collect::<Vec<_>>(), [2, 3, 4]);
    let cache = AnalyzerCache::new(project.path().join("analyzers"));
    let (first, text) = fit_on(&three, Some(&cache));
    assert_eq!((first.spans, first.spans_read), (3, 3));
    assert_eq!(fit_on(&three, None).1, text, "with and without a cache");
    let (again, cached) = fit_on(&three, Some(&cache));
    assert_eq!((again.spans_read, cached), (0, text));
    assert_eq!(again.labels, first.labels);

    fs::write(project.path().join("span-5.csv"), span(5)).unwrap();
    let four = examples(project.path(), 4);
    let (fitted, cached) = fit_on(&four, Some(&cache));
    // The constants of a second step are others now, and so what they make of the old spans is.
    let (plain, uncached) = fit_on(&four, None);
    assert_eq!(cached, uncached);
    assert_eq!((fitted.spans, plain.spans_read), (4, 4));
    assert_eq!(fitted.labels, plain.labels);

    // What is damaged is seen again.
    for entry in fs::read_dir(project.path().join("analyzers")).unwrap().flatten() {
        let mut bytes = fs::read(entry.path()).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        bytes.truncate(bytes.len() - 1);
        fs::write(entry.path(), bytes).unwrap();
    }
    let (repaired, text) = fit_on(&four, Some(&cache));
    assert_eq!((repaired.spans_read, text), (4, uncached));
}

#[test]
fn only_the_new_span_is_read_where_no_step_waits_for_another() {
    let project = tempfile::tempdir().unwrap();
    for number in 1..=4 {
        fs::write(project.path().join(format!("span-{number}.csv")), span(number)).unwrap();
    }
    let config = |payment: Value| {
        let mut params = params();
        params["features"] = json!({ "fare": "z_score", "payment": payment, "bucket": { "from": "miles", "steps": { "bucketize": 4 } } });
        TransformConfig::from_params(&params).unwrap()
    };
    let cache = AnalyzerCache::new(project.path().join("analyzers"));
    let options = FitOptions { split: "train", threads: 1, progress: &NoProgress, cancel: None, schema: None };
    let read = |examples: &Examples, payment: Value| {
        let fitted = fit_cached(&config(payment), examples, &options, Some(&cache)).unwrap();
        (fitted.spans, fitted.spans_read)
    };
    let three = examples(project.path(), 3);
    assert_eq!(read(&three, json!("vocabulary")), (3, 3));
    fs::write(project.path().join("span-5.csv"), span(5)).unwrap();
    let four = examples(project.path(), 4);
    assert_eq!(read(&four, json!("vocabulary")), (4, 1), "span 5 alone is new");
    assert_eq!(read(&four, json!({ "vocabulary": { "top_k": 1 } })), (4, 4), "another step asks for all of them");

    // Against the same rows in one piece: the same but for the last digits of sums.
    let fitted = fit_cached(&config(json!("vocabulary")), &four, &options, Some(&cache)).unwrap();
    let splits = ["train", "eval"]
        .map(|split| (split.to_owned(), four.batches(split, None).unwrap().collect::<Result<Vec<_>, _>>().unwrap()));
    let all = MemoryRows::new(four.schema(), splits.to_vec());
    let all = fit_cached(&config(json!("vocabulary")), &all, &options, None).unwrap();
    let nodes = |fitted: &Fitted, at: usize| fitted.graph.definitions()[at].mappers.clone();
    let [Mapper::ZScore(steps::ZScore { mean, std_dev })] = nodes(&fitted, 0)[..] else { panic!() };
    let [Mapper::ZScore(steps::ZScore { mean: whole_mean, std_dev: whole_std_dev })] = nodes(&all, 0)[..] else {
        panic!()
    };
    assert!((mean / whole_mean - 1.0).abs() < 1e-15 && (std_dev / whole_std_dev - 1.0).abs() < 1e-15);
    assert_eq!(nodes(&fitted, 1), nodes(&all, 1));
    assert_eq!(nodes(&fitted, 2), nodes(&all, 2));
}
