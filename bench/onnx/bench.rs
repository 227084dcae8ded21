//! Times one ONNX model on each engine that runs it: batches of 1 and of 64 rows, one thread.
//!
//! `onnx_bench MODEL [LIBRARY]`; LIBRARY is ONNX Runtime's, for a build that has it. Prints microseconds of the fastest
//! batch of several, and how far the answers lie from those of the first engine.

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use tidemill_model::ImportedModel;
use tidemill_onnx::{OnnxEngine, OnnxOptions, import_with};

const ROWS: [usize; 2] = [1, 64];
/// Each shape is timed for so long.
const TIMED: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().ok_or("usage: onnx_bench MODEL [LIBRARY]")?;
    let library = arguments.next();
    let mut first: Vec<RecordBatch> = Vec::new();
    for engine in [OnnxEngine::Native, OnnxEngine::Tract, OnnxEngine::OnnxRuntime] {
        let options = OnnxOptions { engine, library: library.clone(), ..OnnxOptions::default() };
        let model = match import_with(&path, &options) {
            Ok(model) => model,
            Err(error) => {
                println!("{engine:?}: {error}");
                continue;
            }
        };
        for (at, rows) in ROWS.into_iter().enumerate() {
            let batch = batch(&model, rows)?;
            let answers = model.predict(&batch)?;
            let difference = first.get(at).map_or(0.0, |first| difference(first, &answers));
            let micros = fastest(|| model.predict(black_box(&batch)))? / 1e3;
            println!("{engine:?}: {rows} rows: {micros:.0} µs a batch, answers within {difference:.1e}");
            if first.len() == at {
                first.push(answers);
            }
        }
    }
    Ok(())
}

/// Rows of numbers between -1 and 1, the same every time.
fn batch(model: &ImportedModel, rows: usize) -> Result<RecordBatch, Box<dyn Error>> {
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    let columns = model.signature().inputs.iter().map(|input| {
        let cells: Float64Array = (0..rows).map(|_| Some(next())).collect();
        (input.name.clone(), std::sync::Arc::new(cells) as ArrayRef)
    });
    Ok(RecordBatch::try_from_iter(columns.collect::<Vec<_>>())?)
}

fn difference(a: &RecordBatch, b: &RecordBatch) -> f64 {
    let columns = a.columns().iter().zip(b.columns());
    let numbers = columns.flat_map(|(a, b)| {
        a.as_primitive::<Float64Type>().values().iter().zip(b.as_primitive::<Float64Type>().values())
    });
    numbers.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
}

/// Nanoseconds of the fastest of many calls.
fn fastest<T, E>(mut call: impl FnMut() -> Result<T, E>) -> Result<f64, E> {
    let (begun, mut least) = (Instant::now(), f64::INFINITY);
    while begun.elapsed() < TIMED {
        let started = Instant::now();
        black_box(call()?);
        least = least.min(started.elapsed().as_secs_f64() * 1e9);
    }
    Ok(least)
}
