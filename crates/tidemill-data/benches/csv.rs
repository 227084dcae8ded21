//! Reading CSV, beside the reader of the `arrow` crate with the types given.
//!
//! `cargo bench -p tidemill-data --bench csv`

use std::fs::File;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidemill_data::{ReadOptions, Table, TaxiOptions, open_table, write_taxi};

const ROWS: u64 = 200_000;

fn rows_of(path: &Path, options: &ReadOptions) -> u64 {
    let reader = open_table(path, options).expect("the file was just written");
    reader.map(|batch| batch.expect("the file is sound").num_rows() as u64).sum()
}

fn csv(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a folder for the sample");
    let path = dir.path().join("taxi.csv");
    write_taxi(&path, &TaxiOptions { rows: ROWS, ..TaxiOptions::default() }).expect("the sample is written");
    let schema = Table::open(&path, &ReadOptions::default()).expect("the file was just written").schema();
    let given = ReadOptions { types: Some(schema.clone()), ..ReadOptions::default() };

    let mut group = criterion.benchmark_group("csv");
    group.sample_size(10);
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("types from the data", |bench| bench.iter(|| rows_of(&path, &ReadOptions::default())));
    group.bench_function("types given", |bench| bench.iter(|| rows_of(&path, &given)));
    group.bench_function("arrow, types given", |bench| {
        bench.iter(|| {
            let file = File::open(&path).expect("the file was just written");
            let reader = arrow::csv::ReaderBuilder::new(schema.clone()).with_header(true).with_batch_size(65_536);
            let reader = reader.build(file).expect("the header fits");
            reader.map(|batch| batch.expect("the file is sound").num_rows() as u64).sum::<u64>()
        });
    });
    group.finish();
}

criterion_group!(benches, csv);
criterion_main!(benches);
