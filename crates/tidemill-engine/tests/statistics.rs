//! The statistics as aggregate functions: the same over any division of the rows.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use serde_json::Value;
use tidemill_core::NoProgress;
use tidemill_data::BatchReader;
use tidemill_engine::statistics_functions;
use tidemill_validation::compute_statistics;

fn trips(count: usize, wide: bool) -> RecordBatch {
    let mut x = 42u64;
    let draws: Vec<u64> = (0..count)
        .map(|_| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            x >> 33
        })
        .collect();
    let fares = draws.iter().map(|h| (h % 7 > 0).then(|| if wide { *h as f64 } else { (h % 300) as f64 / 4.0 }));
    let companies = draws.iter().map(|h| (h % 11 > 0).then(|| format!("company {}", h % 5)));
    RecordBatch::try_from_iter([
        ("fare", Arc::new(fares.collect::<Float64Array>()) as ArrayRef),
        ("seconds", Arc::new(draws.iter().map(|h| (h % 90) as i64).collect::<Int64Array>()) as ArrayRef),
        ("company", Arc::new(companies.collect::<StringArray>()) as ArrayRef),
    ])
    .unwrap()
}

/// A table of so many parts, in batches of 100 rows, asked on so many threads.
async fn ask(rows: &RecordBatch, parts: usize, threads: usize, query: &str) -> Vec<RecordBatch> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(threads));
    for function in statistics_functions() {
        context.register_udaf(function);
    }
    let mut partitions = vec![Vec::new(); parts];
    for (i, at) in (0..rows.num_rows()).step_by(100).enumerate() {
        partitions[i % parts].push(rows.slice(at, 100.min(rows.num_rows() - at)));
    }
    context.register_table("trips", Arc::new(MemTable::try_new(rows.schema(), partitions).unwrap())).unwrap();
    context.sql(query).await.unwrap().collect().await.unwrap()
}

fn texts(batches: &[RecordBatch], column: usize) -> Vec<String> {
    batches
        .iter()
        .flat_map(|batch| batch.column(column).as_string::<i32>().iter().flatten().map(str::to_owned))
        .collect()
}

/// The statistics without the name of the dataset.
fn read(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    value["name"] = Value::Null;
    value
}

fn whole(rows: &RecordBatch) -> Value {
    let reader = BatchReader::new(rows.schema(), std::iter::once(Ok(rows.clone())));
    read(&serde_json::to_string(&compute_statistics(reader, "trips", &NoProgress, 1).unwrap()).unwrap())
}

fn near(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| near(a, b)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b)),
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
            _ => a == b,
        },
    }
}

#[tokio::test]
async fn any_division_of_the_rows_gives_the_statistics_of_the_whole() {
    let rows = trips(6_000, false);
    let expected = whole(&rows);
    let query = "SELECT statistics(fare, seconds, company) FROM trips";
    let mut answers = Vec::new();
    for (parts, threads) in [(1, 1), (1, 4), (3, 4), (7, 2), (40, 4)] {
        let answer = texts(&ask(&rows, parts, threads, query).await, 0);
        assert!(near(&read(&answer[0]), &expected), "{parts} parts, {threads} threads");
        assert_eq!(answer, texts(&ask(&rows, parts, threads, query).await, 0), "the same each time");
        answers.push(answer);
    }
    let plan = ask(&rows, 3, 4, &format!("EXPLAIN {query}")).await;
    let plan = texts(&plan, 1).concat();
    assert!(plan.contains("mode=Partial") && plan.contains("mode=Final"), "{plan}");
}

#[tokio::test]
async fn sketched_columns_stay_within_their_errors() {
    let rows = trips(30_000, true);
    let expected = whole(&rows);
    let answer = texts(&ask(&rows, 6, 4, "SELECT statistics(fare) FROM trips").await, 0);
    let (found, expected) =
        (read(&answer[0])["features"][0]["numeric"].clone(), expected["features"][0]["numeric"].clone());
    for exact in ["min", "max", "num_zeros", "num_nan", "histogram"] {
        assert_eq!(found[exact], expected[exact], "{exact}");
    }
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
    // Fares are spread evenly, so a distance of ranks is one of values.
    let apart = (number(&found, "median") - number(&expected, "median")).abs() / number(&expected, "max");
    assert!(apart <= number(&found, "rank_error") + number(&expected, "rank_error") + 1e-3, "{apart}");
}

#[tokio::test]
async fn groups_filters_and_expressions_have_statistics() {
    let rows = trips(3_000, false);
    let query = "SELECT company, statistics(fare * 2, CAST(seconds AS INT)) FILTER (WHERE seconds > 9) AS s \
                 FROM trips GROUP BY company ORDER BY company";
    let batches = ask(&rows, 5, 4, query).await;
    let found: Vec<Value> = texts(&batches, 1).iter().map(|text| read(text)).collect();
    assert_eq!(found.len(), 6);
    let counted: u64 = found.iter().map(|one| one["num_examples"].as_u64().unwrap()).sum();
    let seconds = rows.column(1).as_primitive::<arrow::datatypes::Int64Type>();
    assert_eq!(counted, seconds.values().iter().filter(|value| **value > 9).count() as u64);
    assert_eq!(found[0]["features"][1]["type"], "int");
    let empty = texts(&ask(&rows, 2, 4, "SELECT statistics(fare) FROM trips WHERE seconds < 0").await, 0);
    assert_eq!(read(&empty[0])["num_examples"], 0);
}

#[tokio::test]
async fn states_are_kept_and_merged_later() {
    let rows = trips(4_000, false);
    let query = "SELECT statistics_merge(state) FROM \
                 (SELECT seconds, statistics_state(fare, seconds, company) AS state FROM trips GROUP BY seconds)";
    let merged = texts(&ask(&rows, 4, 4, query).await, 0);
    assert!(near(&read(&merged[0]), &whole(&rows)));
    let none = ask(&rows, 1, 1, "SELECT statistics_merge(NULL) FROM trips").await;
    assert!(none[0].column(0).is_null(0));
}

#[tokio::test]
async fn what_cannot_be_counted_says_so() {
    let rows = trips(10, false);
    let context = SessionContext::new();
    for function in statistics_functions() {
        context.register_udaf(function);
    }
    context.register_batch("trips", rows).unwrap();
    for (query, expected) in [
        ("SELECT statistics() FROM trips", "takes columns"),
        ("SELECT statistics({a: fare}) FROM trips", "cannot take"),
        ("SELECT statistics(DISTINCT fare, seconds) FROM trips", "DISTINCT"),
        ("SELECT statistics_merge(fare) FROM trips", "column of states"),
        ("SELECT statistics_merge(CAST('x' AS BYTEA)) FROM trips", "no state of statistics"),
        (
            "SELECT statistics_merge(s) FROM (SELECT statistics_state(fare) AS s FROM trips UNION ALL \
             SELECT statistics_state(seconds) AS s FROM trips)",
            "states of other columns cannot be merged",
        ),
    ] {
        let said = match context.sql(query).await {
            Ok(frame) => frame.collect().await.map_or_else(|error| error.to_string(), |_| String::new()),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expected), "{query}: {said}");
    }
}
