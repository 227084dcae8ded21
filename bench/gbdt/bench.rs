//! Trains on a table of raw numbers and prints what it took as one JSON object. Driven by `compare.py`.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tidemill_model::{FeatureBlock, FeatureKind, FeatureSpec, ModelError};
use tidemill_train::gbdt::{
    BinPlanner, Binned, Binning, Constraints, GradientBoosting, LabelledRows, LogLoss, Objective, SquaredError, fit,
};

/// Rows read at once, as a pipeline does.
const BATCH_ROWS: usize = 65_536;

/// What `compare.py` wrote beside the numbers.
#[derive(serde::Deserialize)]
struct Job {
    features: usize,
    /// Which features are categorical.
    categorical: Vec<usize>,
    train_rows: usize,
    eval_rows: usize,
    task: String,
    threads: usize,
    params: GradientBoosting,
}

/// Columns of little-endian `f64` one after the other.
struct Table {
    file: File,
    rows: usize,
    features: usize,
}

impl Table {
    fn open(path: &Path, rows: usize, features: usize) -> Result<Self, Box<dyn Error>> {
        Ok(Self { file: File::open(path)?, rows, features })
    }

    fn column(&self, at: usize, first: usize, rows: usize, out: &mut Vec<f64>) -> Result<(), Box<dyn Error>> {
        let mut bytes = vec![0; rows * 8];
        self.file.read_exact_at(&mut bytes, ((at * self.rows + first) * 8) as u64)?;
        out.clear();
        out.extend(bytes.as_chunks().0.iter().map(|number| f64::from_le_bytes(*number)));
        Ok(())
    }

    fn blocks(&self, mut each: impl FnMut(&FeatureBlock)) -> Result<(), Box<dyn Error>> {
        let mut block = FeatureBlock::new();
        for first in (0..self.rows).step_by(BATCH_ROWS) {
            let rows = BATCH_ROWS.min(self.rows - first);
            block.reset(rows, self.features);
            for (at, column) in block.columns.iter_mut().enumerate() {
                self.column(at, first, rows, column)?;
            }
            each(&block);
        }
        Ok(())
    }

    /// The label follows the features.
    fn labelled(&self, binning: &Arc<Binning>) -> Result<LabelledRows, Box<dyn Error>> {
        let mut data = Binned::new(Arc::clone(binning), self.rows);
        self.blocks(|block| data.push(block))?;
        let mut labels = Vec::new();
        self.column(self.features, 0, self.rows, &mut labels)?;
        Ok(LabelledRows::new(data, labels))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: gbdt_bench FOLDER")?);
    let job: Job = serde_json::from_slice(&std::fs::read(folder.join("job.json"))?)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(job.threads).build()?;
    let train = Table::open(&folder.join("train.f64"), job.train_rows, job.features)?;
    let eval = Table::open(&folder.join("eval.f64"), job.eval_rows, job.features)?;
    let specs: Vec<FeatureSpec> = (0..job.features)
        .map(|at| FeatureSpec {
            name: format!("f{at}"),
            kind: if job.categorical.contains(&at) {
                FeatureKind::Categorical { cardinality: 1 << 20 }
            } else {
                FeatureKind::Numeric
            },
        })
        .collect();
    let objective: &dyn Objective = if job.task == "binary" { &LogLoss } else { &SquaredError };

    let started = Instant::now();
    let mut planner = BinPlanner::new(&specs, job.train_rows as u64, job.params.max_bin, 42);
    pool.install(|| train.blocks(|block| planner.observe(block)).map_err(|error| error.to_string()))?;
    let binning = Arc::new(pool.install(|| planner.finish()));
    let train = pool.install(|| train.labelled(&binning).map_err(|error| error.to_string()))?;
    let labelled_eval = pool.install(|| eval.labelled(&binning).map_err(|error| error.to_string()))?;
    let bin_secs = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let fitted = pool.install(|| {
        fit::<ModelError>(&job.params, objective, &Constraints::default(), &train, Some(&labelled_eval), 42, |_| Ok(()))
    })?;
    let train_secs = started.elapsed().as_secs_f64();

    let mut predictions = Vec::new();
    let mut all = Vec::new();
    let mut predict_secs = 0.0;
    eval.blocks(|block| {
        let started = Instant::now();
        fitted.ensemble().predict(block, &mut predictions);
        predict_secs += started.elapsed().as_secs_f64();
        all.extend_from_slice(&predictions);
    })?;
    std::fs::write(folder.join("ours.f64"), all.iter().flat_map(|p| p.to_le_bytes()).collect::<Vec<u8>>())?;
    let row_nanos = single_row(fitted.ensemble(), &eval)?;

    println!(
        "{}",
        serde_json::json!({
            "bin_secs": bin_secs,
            "train_secs": train_secs,
            "predict_secs": predict_secs,
            "single_row_us": row_nanos / 1000.0,
            "train_metric": fitted.train_metric,
            "eval_metric": fitted.validation_metric,
            "rounds": fitted.rounds,
            "best_round": fitted.best_round,
            "peak_mib": peak_mib(),
            "digest": format!("{:016x}", fitted.ensemble().encode().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            })),
        })
    );
    Ok(())
}

/// Mean time of one prediction of one row, over the first thousand validation rows.
fn single_row(model: &tidemill_model::TreeEnsemble, eval: &Table) -> Result<f64, Box<dyn Error>> {
    let rows = eval.rows.min(1000);
    let mut block = FeatureBlock::new();
    block.reset(rows, eval.features);
    for (at, column) in block.columns.iter_mut().enumerate() {
        eval.column(at, 0, rows, column)?;
    }
    let singles: Vec<FeatureBlock> = (0..rows)
        .map(|row| FeatureBlock { rows: 1, columns: block.columns.iter().map(|column| vec![column[row]]).collect() })
        .collect();
    let mut out = Vec::new();
    let started = Instant::now();
    for single in singles.iter().chain(&singles).chain(&singles) {
        model.predict(single, &mut out);
        std::hint::black_box(&out);
    }
    Ok(started.elapsed().as_secs_f64() * 1e9 / (3 * rows) as f64)
}

/// The largest resident memory so far, where the system tells.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
