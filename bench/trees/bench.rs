//! Times the native tree executor on rows alone and in a batch, and prints nanoseconds a row as one JSON object. Driven by
//! `compare.py`.

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use tidemill_model::{FeatureBlock, TreeEnsemble};

/// Rows that go alone.
const SINGLES: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: trees_bench FOLDER")?);
    let model = TreeEnsemble::decode(&std::fs::read(folder.join("learner.bin"))?)?;
    let bytes = std::fs::read(folder.join("columns.f64"))?;
    let cells: Vec<f64> = bytes.as_chunks().0.iter().map(|cell| f64::from_le_bytes(*cell)).collect();
    let rows = cells.len() / model.features();
    let block = FeatureBlock { rows, columns: cells.chunks(rows).map(<[f64]>::to_vec).collect() };

    let mut out = Vec::new();
    let batch = fastest(3, || model.scores(black_box(&block), &mut out)) / rows as f64;
    std::fs::write(folder.join("ours.f64"), out.iter().flat_map(|score| score.to_le_bytes()).collect::<Vec<u8>>())?;

    let alone = |row: usize| block.columns.iter().map(|column| vec![column[row]]).collect();
    let singles: Vec<FeatureBlock> =
        (0..rows.min(SINGLES)).map(|row| FeatureBlock { rows: 1, columns: alone(row) }).collect();
    let each = || {
        for single in &singles {
            model.scores(black_box(single), &mut out);
            black_box(&out);
        }
    };
    let single = fastest(5, each) / singles.len() as f64;
    println!("{{\"single_ns\": {single:.1}, \"batch_ns\": {batch:.1}}}");
    Ok(())
}

/// Nanoseconds of the fastest of `times` calls.
fn fastest(times: usize, mut call: impl FnMut()) -> f64 {
    let took = |_| {
        let started = Instant::now();
        call();
        started.elapsed().as_secs_f64() * 1e9
    };
    (0..times).map(took).fold(f64::INFINITY, f64::min)
}
