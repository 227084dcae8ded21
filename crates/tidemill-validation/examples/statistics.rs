//! Prints the statistics of a file as JSON: `statistics FILE [THREADS]`. For measuring by hand what `tidemill stats` does.

use std::path::Path;

use tidemill_core::NoProgress;
use tidemill_data::{ReadOptions, open_table};
use tidemill_validation::compute_statistics;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, threads @ ..] = &args[..] else { return Err("usage: statistics FILE [THREADS]".into()) };
    let threads = threads.first().map_or(Ok(2), |threads| threads.parse())?;
    let reader = open_table(Path::new(file), &ReadOptions::default())?;
    let statistics = compute_statistics(reader, file, &NoProgress, threads)?;
    println!("{}", serde_json::to_string_pretty(&statistics)?);
    Ok(())
}
