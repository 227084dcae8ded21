//! Files of statistics: what TFDV and Facets exchange, written and read.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use tidemill_core::{AnomalyType, Code, Coded, DatasetStatistics, FeatureType};
use tidemill_validation::{
    DatasetAccumulator, StatisticsOptions, compare, infer_schema, parse_schema, read_statistics_file, render_report,
    validate, write_statistics_file,
};

/// What `tests/tfdv/record.py` was given: `write_the_file_that_is_recorded` writes it.
fn trips() -> DatasetStatistics {
    let rows = 0..40i64;
    let mut tags = ListBuilder::new(StringBuilder::new());
    rows.clone().for_each(|i| tags.append_value((0..i % 3).map(|tag| Some(format!("tag {tag}")))));
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "fare",
            Arc::new(rows.clone().map(|i| (i % 4 > 0).then_some(i as f64 / 8.0)).collect::<Float64Array>()) as ArrayRef,
            true,
        ),
        ("day", Arc::new(rows.clone().map(|i| Some(i % 7)).collect::<Int64Array>()) as ArrayRef, true),
        (
            "company",
            Arc::new(
                rows.clone().map(|i| (i % 5 > 0).then(|| format!("company \"{}\" é", i % 6))).collect::<StringArray>(),
            ) as ArrayRef,
            true,
        ),
        ("shared", Arc::new(rows.clone().map(|i| Some(i % 3 == 0)).collect::<BooleanArray>()) as ArrayRef, true),
        ("tags", Arc::new(tags.finish()) as ArrayRef, true),
        ("weight", Arc::new(rows.map(|i| Some((i % 3) as f64 / 2.0)).collect::<Float64Array>()) as ArrayRef, true),
    ]);
    let batch = batch.unwrap();
    let options = StatisticsOptions {
        weight: Some("weight".to_owned()),
        correlations: true,
        label: Some("shared".to_owned()),
        ..StatisticsOptions::default()
    };
    let mut accumulator = DatasetAccumulator::with_options(&batch.schema(), &options).unwrap();
    accumulator.update(&batch);
    accumulator.finish("trips")
}

fn recorded(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tfdv").join(name)
}

fn through(extension: &str, statistics: &DatasetStatistics) -> DatasetStatistics {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("trips.{extension}"));
    write_statistics_file(&path, std::slice::from_ref(statistics)).unwrap();
    read_statistics_file(&path).unwrap().remove(0)
}

#[test]
fn every_form_comes_back_and_says_the_same() {
    let trips = trips();
    assert_eq!(through("json", &trips), trips);
    let pb = through("pb", &trips);
    assert_eq!(through("pbtxt", &trips), pb);
    assert_eq!(through("tfrecord", &trips), pb);
    assert_eq!((pb.name.as_str(), pb.num_examples), ("trips", 40));
    for (got, expected) in pb.features.iter().zip(&trips.features) {
        assert_eq!((&got.name, got.feature_type, got.common), (&expected.name, expected.feature_type, expected.common));
        assert_eq!(got.numeric, expected.numeric);
        assert_eq!(got.boolean, expected.boolean);
        let values = |feature: &tidemill_core::FeatureStatistics| {
            feature.string.clone().map(|text| (text.values, text.top_values))
        };
        assert_eq!(values(got), values(expected));
        assert_eq!(got.valency.as_ref().map(|of| of.num_empty), expected.valency.as_ref().map(|of| of.num_empty));
        assert_eq!((&got.time, &got.language, &got.bytes), (&expected.time, &expected.language, &expected.bytes));
        assert_eq!(got.weighted, expected.weighted);
        assert!(got.custom.is_empty(), "ours are no others'");
    }
    let lifts = |of: &DatasetStatistics| -> Vec<_> {
        let one = |lift: &tidemill_core::LiftStatistics| {
            (
                (lift.mutual_information * 1e9).round(),
                lift.feature.clone(),
                lift.label_values.clone(),
                lift.values.clone(),
            )
        };
        of.cross.lift.iter().map(one).collect()
    };
    assert!(!lifts(&trips).is_empty());
    assert_eq!(lifts(&pb), lifts(&trips));
    // What is inferred and compared from the file is what would be from the data.
    assert_eq!(infer_schema(&[&pb]), infer_schema(&[&trips]));
    let schema = infer_schema(&[&trips]);
    let report = compare(&pb, &trips, &schema, "TRAINING", tidemill_validation::Comparison::Drift);
    assert!(report.features.iter().all(|feature| feature.distance.jensen_shannon < 1e-9));
}

#[test]
fn statistics_of_older_stores_are_read() {
    // As version 0.1 wrote them, before lists, weights and slices.
    let older = r#"{ "version": 1, "splits": { "train": { "name": "train", "num_examples": 3, "features": [
        { "name": "fare", "type": "float",
          "common": { "num_non_missing": 2, "num_missing": 1, "min_num_values": 1, "max_num_values": 1, "avg_num_values": 1.0, "tot_num_values": 2 },
          "numeric": { "mean": 4.0, "std_dev": 1.0, "num_zeros": 0, "num_nan": 0, "num_inf": 0, "min": 3.0, "median": 4.0, "max": 5.0,
            "histogram": { "buckets": [ { "low": 3.0, "high": 5.0, "count": 2.0 } ] }, "quantiles": { "buckets": [] } } } ] } } }"#;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("statistics.json");
    std::fs::write(&path, older).unwrap();
    let train = read_statistics_file(&path).unwrap().remove(0);
    let fare = train.feature("fare").unwrap();
    assert_eq!((fare.numeric.as_ref().unwrap().mean, fare.valency.is_none(), train.slices.len()), (4.0, true, 0));
}

#[test]
fn tensorflow_metadata_reads_what_we_write() {
    // `trips.pbtxt` is what `tests/tfdv/record.py` printed of `trips.pb`, parsed with the published classes.
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("trips.pb");
    write_statistics_file(&ours, &[trips()]).unwrap();
    assert!(
        std::fs::read(&ours).unwrap() == std::fs::read(recorded("trips.pb")).unwrap(),
        "record it anew: see record.py"
    );
    let printed = read_statistics_file(&recorded("trips.pbtxt")).unwrap();
    assert_eq!(printed, read_statistics_file(&ours).unwrap());
}

#[test]
fn what_tfdv_writes_is_read() {
    let list = read_statistics_file(&recorded("by_tfdv.pbtxt")).unwrap();
    let all = &list[0];
    assert_eq!((all.name.as_str(), all.num_examples, list.len()), ("by_tfdv", 10_000, 2));
    let fare = all.feature("trip.fare").unwrap();
    assert_eq!((fare.feature_type, fare.common.num_missing), (FeatureType::Float, 12));
    let numbers = fare.numeric.as_ref().unwrap();
    assert_eq!(
        (numbers.mean, numbers.num_nan, numbers.histogram.buckets.len(), numbers.rank_error),
        (11.75, 3, 2, 0.01)
    );
    assert_eq!(numbers.fine.counts, [4994.0, 4994.0], "the best there is");
    let paid = all.feature("payment_type").unwrap().string.as_ref().unwrap();
    assert_eq!(paid.values.as_ref().unwrap().iter().next(), Some(("Cash", 6000)));
    assert!(all.feature("trip").is_none(), "a structure has no values of its own");
}

#[test]
fn what_others_said_is_kept_and_written_again() {
    let list = read_statistics_file(&recorded("by_tfdv.pbtxt")).unwrap();
    let all = &list[0];
    let paid = all.feature("payment_type").unwrap();
    let said: Vec<String> =
        paid.custom.iter().map(|custom| format!("{}: {}", custom.name, custom.in_words())).collect();
    assert_eq!(
        said,
        [
            "avg_token_length: 6.5",
            "verdict: fine",
            "odd: NaN",
            "tokens: cash 6000, credit 3988",
            "lengths: 1 to 3 in 2 buckets",
            "anything: 2 bytes of `type.example.com/Any`",
        ]
    );
    for extension in ["pb", "pbtxt", "tfrecord", "json"] {
        let back = through(extension, all);
        assert_eq!(back.feature("payment_type").unwrap().custom, paid.custom, "{extension}");
    }
    assert!(render_report(&[all], None, None).contains("avg_token_length"));
}

#[test]
fn sparse_features_are_judged_by_what_tfdv_counted() {
    let list = read_statistics_file(&recorded("by_tfdv.pbtxt")).unwrap();
    let schema = "version: 1\nfeatures:\n  payment_type: { type: string }\n  trip.fare: { type: float }\n\
                  \x20 at: { type: int }\n  of: { type: int }\n  what: { type: string }\n  how: { type: float }\n\
                  sparse_features: { tags: { index: [at, of], value: what } }\n\
                  weighted_features: { likes: { value: what, weight: how } }\n";
    let schema = parse_schema(schema, Path::new("schema.yaml")).unwrap();
    let found = validate(&list[0], &schema, "TRAINING");
    let of = |feature: &str| -> Vec<String> {
        found.iter().filter(|a| a.feature == feature).map(|a| format!("{} {}", a.anomaly_type, a.description)).collect()
    };
    assert_eq!(
        of("tags"),
        [
            "SPARSE_FEATURE_MISSING_VALUE `tags`: 7 of 10,000 examples have a index in `at` and no value in `what`",
            "SPARSE_FEATURE_MISSING_VALUE `tags`: 7 of 10,000 examples have a index in `of` and no value in `what`",
            "SPARSE_FEATURE_MISSING_INDEX `tags`: 3 of 10,000 examples have a value in `what` and no index in `of`",
            "SPARSE_FEATURE_LENGTH_MISMATCH `tags`: `of` has -1 to 2 values more than `what` in an example",
        ]
    );
    assert_eq!(
        of("likes"),
        ["WEIGHTED_FEATURE_MISSING_WEIGHT `likes`: 5 of 10,000 examples have a value in `what` and no weight in `how`"]
    );
    assert!(found.iter().all(|anomaly| anomaly.anomaly_type != AnomalyType::SchemaNewColumn), "{found:?}");
}

#[test]
fn what_is_no_such_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let failed = |name: &str, content: &[u8]| {
        std::fs::write(path(name), content).unwrap();
        let error = read_statistics_file(&path(name)).unwrap_err();
        assert_eq!(error.code(), Code::StatisticsFile);
        error.to_string().replace(&folder.path().display().to_string(), "")
    };
    assert!(failed("a.pb", b"\xff\xff").starts_with("`/a.pb` does not hold a `DatasetFeatureStatisticsList`"));
    assert_eq!(failed("b.pb", b""), "`/b.pb` holds no statistics");
    assert_eq!(
        failed("c.pbtxt", b"datasets {\n  nmae: 'x'\n}"),
        "`/c.pbtxt` line 2 column 3: `DatasetFeatureStatistics` has no field `nmae`, did you mean `name`?"
    );
    assert!(failed("d.json", b"[1").starts_with("`/d.json` is not JSON"));
    write_statistics_file(&path("e.tfrecord"), &[trips()]).unwrap();
    let good = std::fs::read(path("e.tfrecord")).unwrap();
    for (at, expected) in [(3, "at byte 8"), (40, "the checksum of the record is another")] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(failed("f.tfrecord", &bad).contains(expected));
    }
    assert!(failed("f.tfrecord", &good[..good.len() - 9]).contains("cut short"));
    let twice = [good.clone(), good.clone()].concat();
    assert!(failed("f.tfrecord", &twice).contains("more than one record"));
    let error = write_statistics_file(&path("g.csv"), &[trips()]).unwrap_err();
    assert!(error.hint().unwrap().contains(".pbtxt"));
    // Any cut or changed byte of a good file is read or refused, never followed.
    let pb = std::fs::read(recorded("trips.pb")).unwrap();
    for at in (0..pb.len()).step_by(37) {
        let mut bad = pb.clone();
        bad[at] = bad[at].wrapping_mul(31).wrapping_add(at as u8);
        std::fs::write(path("h.pb"), if at % 2 == 0 { &bad } else { &bad[..at] }).unwrap();
        let _ = read_statistics_file(&path("h.pb"));
    }
}

/// Writes `tests/tfdv/trips.pb`: `cargo test -p tidemill-validation --test it -- --ignored`.
#[test]
#[ignore = "writes the recorded file"]
fn write_the_file_that_is_recorded() {
    write_statistics_file(&recorded("trips.pb"), &[trips()]).unwrap();
}
