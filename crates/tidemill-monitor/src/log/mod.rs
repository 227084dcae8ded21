//! The inference log as a dataset.
//!
//! The model server writes a file after the other; [`InferenceLog::compact`] sorts their rows into a Parquet file for
//! each hour. Whoever reads sees every row once, before, during and after a compaction.
//!
//! ```text
//! log/taxi-tips/20261120T115720.123456Z-4711-1.jsonl     written by the server, complete
//! log/taxi-tips/.20261120T120220.654321Z-4711-2.jsonl.partial     being written
//! log/taxi-tips/hours/manifest.json                      which hours there are; its replacement is the commit
//! log/taxi-tips/hours/2026-11-20T11-1.parquet            the rows of an hour by their time, with `_source`
//! ```

mod columns;
mod compact;
mod erase;
mod manifest;
mod prune;
mod time;

pub use compact::Compacted;
pub(crate) use compact::began;
pub use erase::{Erased, Subject};
pub use prune::Pruned;
pub(crate) use time::{HOUR, times};
pub use time::{Micros, hour_name, parse_time, rfc3339};

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use serde::Serialize;
use tidemill_data::{BatchReader, ReadOptions, Table};

use self::manifest::{HourFile, Manifest};
use crate::MonitorError;

/// The column of compacted files that names the file a row was written to.
pub const SOURCE_COLUMN: &str = "_source";
/// The column with the time of the request.
pub const TIME_COLUMN: &str = "_time";
/// The folder of the compacted files.
const HOURS: &str = "hours";

/// The log of one model.
#[derive(Debug, Clone)]
pub struct InferenceLog {
    dir: PathBuf,
    model: String,
}

/// One file of a log.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// The files of the server whose rows it holds: its own name, or those that were compacted.
    pub sources: Vec<String>,
    /// First and last time, where known without reading it.
    pub range: Option<(Micros, Micros)>,
    /// Rows, where known without reading it.
    pub rows: Option<u64>,
    /// A compacted file.
    pub compacted: bool,
}

impl LogFile {
    /// Its rows. `types` are those that columns should have, `columns` the only ones to read.
    pub fn read(&self, types: Option<SchemaRef>, columns: Option<Vec<String>>) -> Result<BatchReader, MonitorError> {
        Ok(Table::open(&self.path, &ReadOptions { hints: types, columns, ..ReadOptions::default() })?.read()?)
    }

    /// As [`read`](Self::read), without some columns.
    pub fn read_without(&self, types: Option<SchemaRef>, columns: &[&str]) -> Result<BatchReader, MonitorError> {
        let options = ReadOptions { hints: types, ..ReadOptions::default() };
        let table = Table::open(&self.path, &options)?;
        let schema = table.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let kept: Vec<&str> = names.filter(|name| !columns.contains(name)).collect();
        Ok(table.select(&kept)?.read()?)
    }

    /// As [`read`](Self::read), of `columns` only those that the file has.
    pub fn read_present(
        &self,
        types: Option<SchemaRef>,
        columns: &BTreeSet<String>,
    ) -> Result<BatchReader, MonitorError> {
        let options = ReadOptions { hints: types, ..ReadOptions::default() };
        let table = Table::open(&self.path, &options)?;
        let schema = table.schema();
        let present: Vec<&str> =
            schema.fields().iter().map(|field| field.name().as_str()).filter(|name| columns.contains(*name)).collect();
        Ok(table.select(&present)?.read()?)
    }
}

/// How a log is.
#[derive(Debug, Clone, Serialize)]
pub struct LogStatus {
    /// The model.
    pub model: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Rows of complete files.
    pub rows: u64,
    /// Bytes of complete files.
    pub bytes: u64,
    /// Complete files of the server that are not compacted.
    pub files: usize,
    /// Files that are being written, or that a killed server left.
    pub unfinished: usize,
    /// Compacted hours.
    pub hours: usize,
    /// Time of the first request.
    pub first: Option<String>,
    /// Time of the last request.
    pub last: Option<String>,
    /// Hours between the first and the last without a row.
    pub empty_hours: Vec<String>,
    /// Files in a format that is not read here, such as TFRecord.
    pub not_read: Vec<String>,
}

impl InferenceLog {
    /// The logs of all models in the folder that `serve --log` names.
    pub fn all(dir: &Path) -> Result<Vec<Self>, MonitorError> {
        let entries = std::fs::read_dir(dir).map_err(MonitorError::io(dir))?;
        let mut models = Vec::new();
        for entry in entries {
            let entry = entry.map_err(MonitorError::io(dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && !name.starts_with(['.', '_']) {
                models.push(Self { dir: entry.path(), model: name });
            }
        }
        models.sort_by(|a, b| a.model.cmp(&b.model));
        Ok(models)
    }

    /// The log of `model` in the folder that `serve --log` names. It need not exist yet.
    pub fn new(dir: &Path, model: &str) -> Self {
        Self { dir: dir.join(model), model: model.to_owned() }
    }

    /// The log of `model`, which must exist.
    pub fn open(dir: &Path, model: &str) -> Result<Self, MonitorError> {
        let log = Self::new(dir, model);
        if log.dir.is_dir() {
            return Ok(log);
        }
        let known = Self::all(dir)?;
        let names = known.iter().map(|log| log.model.as_str());
        let near = tidemill_core::suggest(model, names.clone()).map(|near| format!("did you mean `{near}`?"));
        let listed = || format!("models with a log there: {}", names.clone().collect::<Vec<_>>().join(", "));
        Err(MonitorError::Log {
            message: format!("`{}` has no log of the model `{model}`", dir.display()),
            hint: near.or_else(|| (!known.is_empty()).then(listed)),
        })
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The complete files in the order of their names, which is that of time. Together they hold every row once.
    pub fn files(&self) -> Result<Vec<LogFile>, MonitorError> {
        let manifest = Manifest::read(&self.hours_dir())?;
        let compacted: BTreeSet<&str> = manifest.sources().collect();
        let mut files: Vec<LogFile> = manifest.hours.iter().map(|hour| self.hour_file(hour)).collect();
        for name in self.raw_names()? {
            if is_read(&name) && !compacted.contains(name.as_str()) {
                files.push(LogFile {
                    path: self.dir.join(&name),
                    sources: vec![name],
                    range: None,
                    rows: None,
                    compacted: false,
                });
            }
        }
        Ok(files)
    }

    fn hour_file(&self, hour: &HourFile) -> LogFile {
        LogFile {
            path: self.hours_dir().join(&hour.file),
            sources: hour.sources.clone(),
            range: Some((hour.first, hour.last)),
            rows: Some(hour.rows),
            compacted: true,
        }
    }

    fn hours_dir(&self) -> PathBuf {
        self.dir.join(HOURS)
    }

    /// The names of the server's complete files, in order.
    fn raw_names(&self) -> Result<Vec<String>, MonitorError> {
        if !self.dir.is_dir() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(MonitorError::io(&self.dir))? {
            let entry = entry.map_err(MonitorError::io(&self.dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && entry.path().is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The number of files that are being written, or that a killed server left.
    fn unfinished(&self) -> usize {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".partial")).count()
    }

    /// Reads what there is.
    pub fn status(&self) -> Result<LogStatus, MonitorError> {
        let files = self.files()?;
        let (mut rows, mut bytes) = (0, 0);
        let mut hours: BTreeSet<Micros> = BTreeSet::new();
        let mut ends: Option<(Micros, Micros)> = None;
        for file in &files {
            bytes += std::fs::metadata(&file.path).map_err(MonitorError::io(&file.path))?.len();
            let mut see = |time: Micros| {
                hours.insert(time.div_euclid(HOUR));
                let (first, last) = ends.unwrap_or((time, time));
                ends = Some((first.min(time), last.max(time)));
            };
            if let (Some((first, last)), Some(known)) = (file.range, file.rows) {
                rows += known;
                see(first);
                see(last);
                continue;
            }
            for batch in file.read_present(None, &BTreeSet::from([TIME_COLUMN.to_owned()]))? {
                let batch = batch?;
                rows += batch.num_rows() as u64;
                times(&batch, &file.path)?.into_iter().flatten().for_each(&mut see);
            }
        }
        let empty = ends.map(|(first, last)| {
            let all = first.div_euclid(HOUR)..=last.div_euclid(HOUR);
            all.filter(|hour| !hours.contains(hour)).map(|hour| hour_name(hour * HOUR)).collect()
        });
        Ok(LogStatus {
            model: self.model.clone(),
            dir: self.dir.clone(),
            rows,
            bytes,
            files: files.iter().filter(|file| !file.compacted).count(),
            unfinished: self.unfinished(),
            hours: files.iter().filter(|file| file.compacted).count(),
            first: ends.map(|(first, _)| rfc3339(first)),
            last: ends.map(|(_, last)| rfc3339(last)),
            empty_hours: empty.unwrap_or_default(),
            not_read: self.raw_names()?.into_iter().filter(|name| !is_read(name)).collect(),
        })
    }
}

/// Whether a file of this name is read here.
fn is_read(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|of| of == "jsonl" || of == "parquet")
}
