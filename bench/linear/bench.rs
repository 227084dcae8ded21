//! Fits a logistic regression to a table of raw numbers and prints what it took as one JSON object. Driven by `compare.py`.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec};
use tidemill_train::linear::{Absolute, DesignPlan, LinearLoss, RowLoss, minimise, minimise_absolute};

/// Rows of a block, as a pipeline reads them.
const BLOCK_ROWS: usize = 8192;

/// What `compare.py` wrote beside the numbers.
#[derive(serde::Deserialize)]
struct Job {
    rows: usize,
    features: usize,
    l1: f64,
    l2: f64,
    tolerance: f64,
}

/// Little-endian `f64`.
fn numbers(path: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    Ok(std::fs::read(path)?.as_chunks().0.iter().map(|number| f64::from_le_bytes(*number)).collect())
}

/// CPU seconds that this process has taken (Linux): fields 14 and 15 of its statistics, in hundredths.
fn cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("the folder of compare.py is missing")?;
    let folder = Path::new(&folder);
    let job: Job = serde_json::from_slice(&std::fs::read(folder.join("job.json"))?)?;
    let (columns, labels) = (numbers(&folder.join("columns.f64"))?, numbers(&folder.join("labels.f64"))?);
    let block = |first: usize| {
        let rows = BLOCK_ROWS.min(job.rows - first);
        let column = |at: usize| columns[at * job.rows + first..][..rows].to_vec();
        FeatureBlock { rows, columns: (0..job.features).map(column).collect() }
    };
    let spec = |at: usize| FeatureSpec { name: at.to_string(), kind: FeatureKind::Numeric };
    let specs: Vec<FeatureSpec> = (0..job.features).map(spec).collect();

    let (start, cpu) = (Instant::now(), cpu_secs());
    let mut plan = DesignPlan::new(&specs)?;
    (0..job.rows).step_by(BLOCK_ROWS).for_each(|first| plan.observe(&block(first)));
    let mut design = plan.design();
    (0..job.rows).step_by(BLOCK_ROWS).for_each(|first| design.push(&block(first)));
    let prepared = start.elapsed().as_secs_f64();
    let loss = LinearLoss { loss: RowLoss::Logistic, design: &design, labels: &labels, weights: None, l2: job.l2 };
    let point = vec![0.0; loss.dimensions()];
    let tolerance = job.tolerance * job.rows as f64;
    let function = |point: &[f64], gradient: &mut [f64]| loss.value(point, gradient);
    let watch = |_, _| Ok::<(), std::convert::Infallible>(());
    let found = if job.l1 > 0.0 {
        let penalty = Absolute { weight: job.l1, stride: loss.stride() };
        minimise_absolute(point, penalty, 1000, tolerance, function, watch)?
    } else {
        minimise(point, 1000, tolerance, function, watch)?
    };
    println!(
        "{}",
        serde_json::json!({
            "prepared_secs": prepared,
            "secs": start.elapsed().as_secs_f64(),
            "cpu_secs": cpu_secs() - cpu,
            "steps": found.iterations,
            "converged": found.converged,
            "value": found.value,
            "point": found.point,
        })
    );
    Ok(())
}
