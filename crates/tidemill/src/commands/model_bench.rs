//! `tidemill model bench`: the engines for a model side by side.

use std::time::{Duration, Instant};

use console::style;
use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_model::{TensorData, TensorRuntime, TensorValue};
use tidemill_onnx::{OnnxEngine, OnnxOptions, load_model_with, sample_inputs};

use crate::cli::{Global, ModelBenchArgs};
use crate::commands::model::find_package;
use crate::commands::print;
use crate::ui::{Align, Table};

/// What was measured of an engine.
struct Measured {
    name: &'static str,
    outcome: Result<Figures, String>,
}

struct Figures {
    load: Duration,
    median: Duration,
    p99: Duration,
    runs: usize,
    /// The largest difference from the outputs of the first engine that ran, relative to the larger number or 1.
    difference: f64,
}

pub async fn bench(args: &ModelBenchArgs, global: &Global) -> Result<u8, Failure> {
    let package = find_package(Some(&args.model), global).await?;
    let options = args.onnx.options();
    let auto = load_model_with(&package.path, &options)?;
    let Some(tensors) = auto.tensors() else {
        let message = format!("`{}` is not ONNX: only ONNX models run on several engines", package.title);
        return Err(Failure::new(Code::CommandLine, message)
            .with_hint("`tidemill loadtest` measures any model behind a server"));
    };
    let (inputs, open) = sample(&**tensors, args.rows)?;
    let chosen = match &auto {
        tidemill_model::LoadedModel::Imported(model) => {
            model.facts().iter().find(|(fact, _)| *fact == "runs on").map(|(_, engine)| engine.clone())
        }
        tidemill_model::LoadedModel::Package(_) => None,
    };
    let engines =
        [("tidemill", OnnxEngine::Native), ("tract", OnnxEngine::Tract), ("ONNX Runtime", OnnxEngine::OnnxRuntime)];
    let mut first: Option<Vec<TensorValue>> = None;
    let mut measured = Vec::with_capacity(engines.len());
    for (name, engine) in engines {
        let options = OnnxOptions { engine, ..options.clone() };
        let outcome = measure(&package.path, &options, &inputs, args.seconds, &mut first);
        measured.push(Measured { name, outcome });
    }
    let engines: Vec<_> = measured
        .iter()
        .map(|Measured { name, outcome }| match outcome {
            Ok(figures) => json!({
                "engine": name,
                "load_ms": millis(figures.load),
                "median_us": micros(figures.median),
                "p99_us": micros(figures.p99),
                "rows_per_second": args.rows as f64 / figures.median.as_secs_f64(),
                "runs": figures.runs,
                "difference": figures.difference,
            }),
            Err(reason) => json!({ "engine": name, "refused": reason }),
        })
        .collect();
    let value =
        json!({ "model": package.title, "rows": args.rows, "open_sizes": open, "auto": chosen, "engines": engines });
    print(global, &value, || {
        let head = format!("{} rows a batch", args.rows);
        let mut text = format!("{}  {}\n", style(&package.title).bold(), style(head).dim());
        let columns = [
            ("engine", Align::Left),
            ("load", Align::Right),
            ("median", Align::Right),
            ("p99", Align::Right),
            ("rows/s", Align::Right),
            ("difference", Align::Right),
        ];
        let mut table = Table::new(&columns);
        let mut refused = String::new();
        for Measured { name, outcome } in &measured {
            let label = if chosen.as_deref().is_some_and(|chosen| chosen.starts_with(name)) {
                format!("{name} (auto)")
            } else {
                (*name).to_owned()
            };
            match outcome {
                Ok(figures) => table.row([
                    label,
                    format!("{:.0} ms", millis(figures.load)),
                    format!("{:.0} µs", micros(figures.median)),
                    format!("{:.0} µs", micros(figures.p99)),
                    format!("{:.0}", args.rows as f64 / figures.median.as_secs_f64()),
                    format!("{:.1e}", figures.difference),
                ]),
                Err(reason) => refused.push_str(&format!("{label}: {reason}\n")),
            }
        }
        text.push_str(&table.to_string());
        text.push_str(&refused);
        text
    })?;
    Ok(0)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Inputs that the model runs on, and the size of their open dimensions.
fn sample(model: &dyn TensorRuntime, rows: usize) -> Result<(Vec<TensorValue>, usize), Failure> {
    let mut reason = String::new();
    for open in [16, 1, 32, 128, 224] {
        let inputs = sample_inputs(model.inputs(), rows, open);
        match inputs.and_then(|inputs| {
            let given = inputs.iter().cloned().map(Some).collect();
            model.run(given).map(|_| inputs).map_err(|error| error.to_string())
        }) {
            Ok(inputs) => return Ok((inputs, open)),
            Err(error) => reason = error,
        }
    }
    let message = format!("no sample of the inputs can be run: {reason}");
    Err(Failure::new(Code::RequestMalformed, message).with_hint("ask the model with `tidemill model run`"))
}

fn measure(
    path: &std::path::Path,
    options: &OnnxOptions,
    inputs: &[TensorValue],
    seconds: f64,
    first: &mut Option<Vec<TensorValue>>,
) -> Result<Figures, String> {
    let started = Instant::now();
    let model = load_model_with(path, options).map_err(|error| error.to_string())?;
    let load = started.elapsed();
    let tensors = model.tensors().ok_or("it is not a model of tensors")?;
    let run = || {
        let given = inputs.iter().cloned().map(Some).collect();
        let started = Instant::now();
        tensors.run(given).map(|outputs| (started.elapsed(), outputs)).map_err(|error| error.to_string())
    };
    let (_, outputs) = run()?;
    let difference = first.as_ref().map_or(0.0, |first| largest_difference(first, &outputs));
    first.get_or_insert(outputs);
    let mut times = Vec::new();
    let began = Instant::now();
    while times.len() < 5 || began.elapsed().as_secs_f64() < seconds {
        times.push(run()?.0);
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Figures { load, median: at(0.5), p99: at(0.99), runs: times.len(), difference })
}

fn largest_difference(a: &[TensorValue], b: &[TensorValue]) -> f64 {
    let numbers = |value: &TensorValue| -> Vec<f64> {
        match &value.data {
            TensorData::F32(values) => values.iter().map(|x| f64::from(*x)).collect(),
            TensorData::F64(values) => values.clone(),
            TensorData::Int(values) => values.iter().map(|x| *x as f64).collect(),
            TensorData::Bool(values) => values.iter().map(|x| f64::from(u8::from(*x))).collect(),
            TensorData::Text(_) | TensorData::List(_) | TensorData::Absent => Vec::new(),
        }
    };
    let pairs = a.iter().zip(b).flat_map(|(a, b)| numbers(a).into_iter().zip(numbers(b)).collect::<Vec<_>>());
    pairs.map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()).max(1.0) }).fold(0.0, f64::max)
}
