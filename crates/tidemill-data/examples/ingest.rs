//! Turns a CSV or Parquet file into an examples artifact: `ingest FILE DIR`. For measuring by hand what a run does.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use tidemill_core::{CancelFlag, Component as _, NoProgress, RunInfo, StepContext};
use tidemill_data::{ExampleGen, ReadOptions, open_table};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, rest @ ..] = &args[..] else { return Err("usage: ingest FILE [DIR]".into()) };
    let start = Instant::now();
    let Some(dir) = rest.first() else {
        let rows: usize = open_table(Path::new(file), &ReadOptions::default())?
            .map(|batch| batch.map(|batch| batch.num_rows()))
            .sum::<Result<_, _>>()?;
        println!("{rows} rows read in {:.2?}", start.elapsed());
        return Ok(());
    };
    std::fs::create_dir_all(dir)?;
    let format = if file.ends_with(".parquet") { "parquet" } else { "csv" };
    let params = serde_json::json!({ "source": { format: file } });
    ExampleGen::default().external_inputs(&params, Path::new(""))?;
    println!("hashed in {:.2?}", start.elapsed());
    let context = StepContext {
        params: &params,
        project_dir: Path::new(""),
        inputs: &BTreeMap::new(),
        outputs: &BTreeMap::from([("examples".to_owned(), dir.into())]),
        progress: &NoProgress,
        cancel: &CancelFlag::default(),
        threads: std::thread::available_parallelism()?.get(),
        run: &RunInfo { pipeline: String::new(), run_id: String::new(), step: String::new() },
        work: None,
    };
    println!("{} after {:.2?}", ExampleGen::default().run(&context)?.headline, start.elapsed());
    Ok(())
}
