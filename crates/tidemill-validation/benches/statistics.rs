//! Statistics of 65,536 rows of each kind of column: few and many distinct numbers, few and many distinct texts.

#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidemill_validation::DatasetAccumulator;

const ROWS: u64 = 65_536;

fn noise(i: u64) -> u64 {
    let mut x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 27)
}

fn columns(c: &mut Criterion) {
    let few = (0..ROWS).map(|i| Some((noise(i) % 300) as f64 / 4.0)).collect::<Float64Array>();
    let many = (0..ROWS).map(|i| Some(noise(i) as f64 / 1e9)).collect::<Float64Array>();
    let names = (0..ROWS).map(|i| Some(format!("company number {}", noise(i) % 60))).collect::<StringArray>();
    let ids = (0..ROWS).map(|i| Some(format!("{:016x}", noise(i)))).collect::<StringArray>();
    let cases: [(&str, ArrayRef); 4] = [
        ("numbers_few", Arc::new(few)),
        ("numbers_many", Arc::new(many)),
        ("text_few", Arc::new(names)),
        ("text_many", Arc::new(ids)),
    ];
    let mut group = c.benchmark_group("statistics");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    for (name, array) in cases {
        let Ok(batch) = RecordBatch::try_from_iter([(name, array)]) else { return };
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let mut accumulator = DatasetAccumulator::new(&batch.schema());
                accumulator.update(&batch);
                black_box(accumulator.finish(name))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, columns);
criterion_main!(benches);
