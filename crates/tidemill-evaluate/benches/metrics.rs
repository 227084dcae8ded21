//! A million rows: sorting, every metric on all rows and on 24 slices, the slice search, the bootstrap.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use criterion::{Criterion, criterion_group, criterion_main};
use tidemill_evaluate::finder::SearchOptions;
use tidemill_evaluate::slices::SliceSpec;
use tidemill_evaluate::{EvaluateOptions, EvaluationTable, IntervalOptions, TableBuilder, TableColumns, evaluate};
use tidemill_model::Task;

fn table(rows: usize) -> EvaluationTable {
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let scores: Vec<f64> = (0..rows).map(|_| draw()).collect();
    let labels: Vec<f64> = scores.iter().map(|score| f64::from(u8::from(draw() < *score))).collect();
    let hours: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|_| (draw() * 24.0) as i64)));
    let names: Vec<String> = (0..40).map(|i| format!("company {i}")).collect();
    let company: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..rows).map(|_| names[(draw() * 40.0) as usize].as_str())));
    let numbers: Vec<(String, ArrayRef)> = (0..8)
        .map(|i| {
            let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|_| draw())));
            (format!("x{i}"), values)
        })
        .collect();
    let columns = [("hour".to_owned(), hours), ("company".to_owned(), company)].into_iter().chain(numbers);
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let keep = TableColumns {
        slices: vec!["hour".into()],
        finder: batch.schema().fields().iter().map(|field| field.name().clone()).collect(),
        weight: None,
        group: None,
        kept: Vec::new(),
        rows: rows as u64,
    };
    let mut builder = TableBuilder::new(Task::Binary, "eval", "label", &batch.schema(), &keep).expect("columns exist");
    builder.push(&batch, &labels, &scores, None).expect("columns fit");
    builder.finish()
}

fn benchmarks(criterion: &mut Criterion) {
    let table = table(1_000_000);
    let plain = EvaluateOptions { confidence_intervals: None, ..EvaluateOptions::default() };
    let cases = [
        ("overall", plain.clone()),
        ("24 slices", EvaluateOptions { slices: vec![SliceSpec::over(["hour"])], ..plain.clone() }),
        (
            "20 bootstrap replicas",
            EvaluateOptions { confidence_intervals: Some(IntervalOptions::default()), ..plain.clone() },
        ),
        ("slice search over 10 columns", EvaluateOptions { find_slices: Some(SearchOptions::default()), ..plain }),
    ];
    let mut group = criterion.benchmark_group("evaluate 1M rows");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    for (name, options) in cases {
        group.bench_function(name, |bencher| bencher.iter(|| evaluate(black_box(&table), &options)));
    }
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
