//! The component that turns source files into an examples artifact.

mod choose;
mod params;
mod pattern;
mod schema_types;
mod shares;
mod source;
mod sql;
mod template;

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use serde_json::{Value, json};
use tidemill_core::{
    ArtifactType, Code, Component, ComponentError, ComponentSpec, Digest, ExternalInput, Gate, Outcome, OutputSpec,
    ParamIssue, Promise, Properties, StepContext, grouped,
};

use self::choose::{Chosen, ChosenSplit, named};
use self::params::Params;
use crate::DataError;
use crate::condition::{ConditionLanguage, RowFilter};
use crate::connect::{Connectors, is_url};
use crate::examples::{ConditionInfo, ExamplesManifest, ExamplesWriter, Provenance, SourceFile};
use crate::repeats::{ROWS_MAX, RepeatFinder, Repeats};
use crate::source::{InputFile, Table};
use crate::split::{Key, Splitter};
use crate::time_split::{TimeColumn, TimeSplitter};

pub use self::schema_types::inferred_types_mark;
use self::schema_types::{DEFAULT_FILE, SchemaTypes};

/// Bytes of a file hashed at once.
const PIECE_BYTES: usize = 4 << 20;

/// Reads source files (CSV, JSON lines, Parquet, TFRecord, Avro, folders of images or texts) as typed rows, puts each row into a split by a stable hash, and writes the
/// examples artifact.
///
/// ```yaml
/// component: ExampleGen
/// source: { csv: data/trips.csv }      # or json, parquet, tfrecord, avro, images, texts; a file, a folder or a glob
/// splits: { train: 2, eval: 1 }        # the default
/// split_by: [rider_id]                 # absent: the whole row decides
/// split_except: [tips]                 # or the row without these columns, such as the label
/// where: "fare > 0"                    # absent: all rows are kept
/// ```
///
/// Or the newest rows are for evaluation:
///
/// ```yaml
/// splits: { train: 3, eval: 1 }
/// split_by_time: trip_start
/// ```
///
/// Columns are read as the types that a schema gives them (`schema: schema.yaml`, the default if the file is there) where
/// all values allow it, or as the types that the source insists on:
///
/// ```yaml
/// source: { csv: { path: data/trips.csv, types: { zip: string } } }
/// ```
///
/// CSV that is written in other ways:
///
/// ```yaml
/// source: { csv: { path: data/trips.csv, delimiter: ";", null_tokens: [NA], header: false, columns: [id, fare] } }
/// ```
///
/// A path may have a place for a span, of which the newest is read:
///
/// ```yaml
/// source: { csv: "data/span-{SPAN}/*.csv" }
/// span: 3                              # this one, or several: range: { latest: 3 }
/// ```
///
/// Splits that were made before are kept:
///
/// ```yaml
/// source: { csv: { splits: { train: "train/*.csv", eval: "eval/*.csv" } } }
/// ```
///
/// Or the rows of a query are read:
///
/// ```yaml
/// source: { sql: { connection: "sqlite://rides.db", query: "SELECT * FROM rides WHERE day = {DATE}" } }
/// span: 2024-02-29
/// ```
///
/// A path may be a URL of a store the component was given connectors for: `s3://bucket/span-{SPAN}/*.csv`. Its
/// fingerprint follows the entity tags of the objects, which takes no download.
#[derive(Debug, Clone, Default)]
pub struct ExampleGen {
    connectors: Connectors,
    conditions: Option<Arc<dyn ConditionLanguage>>,
}

impl ExampleGen {
    /// An `ExampleGen` that also reads what is elsewhere.
    pub fn new(connectors: Connectors) -> Self {
        Self { connectors, conditions: None }
    }

    /// The same with a language for `where`.
    #[must_use]
    pub fn with_conditions(self, language: Arc<dyn ConditionLanguage>) -> Self {
        Self { conditions: Some(language), ..self }
    }
}

impl Component for ExampleGen {
    fn spec(&self) -> ComponentSpec {
        ComponentSpec {
            name: "ExampleGen".into(),
            version: 2,
            about: "Reads source files as typed rows and splits them by a stable hash".into(),
            inputs: Vec::new(),
            outputs: vec![OutputSpec::new("examples", ArtifactType::Examples)],
            gate: Gate::Open,
            writes_back: false,
            measures: false,
        }
    }

    fn params_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Params)
    }

    fn check(&self, params: &Value) -> Vec<ParamIssue> {
        let params = match Params::parse(params) {
            Ok(params) => params,
            Err(issues) => return issues,
        };
        let check = |condition: &String| self.conditions.as_deref()?.check(condition).err();
        params
            .condition
            .as_ref()
            .and_then(check)
            .map(|message| ParamIssue::new(["where"], message))
            .into_iter()
            .collect()
    }

    fn promises(&self, params: &Value) -> Vec<Promise> {
        Params::parse(params).map(|params| vec![Promise::splits(params.split_names())]).unwrap_or_default()
    }

    fn external_inputs(&self, params: &Value, project_dir: &Path) -> Result<Vec<ExternalInput>, ComponentError> {
        let params = parse(params)?;
        let mut inputs = Vec::new();
        let (file, named) = schema_file(&params);
        if let Some(types) = SchemaTypes::read(&project_dir.join(file), named)?.filter(|types| !types.is_inferred) {
            inputs.push(ExternalInput { name: format!("types of {}", file.display()), digest: types.digest() });
        }
        for (split, file) in Chosen::new(&params, project_dir, &self.connectors)?.files() {
            if let Some(asked) = &split.asked {
                let name = format!("rows of {}", asked.label);
                inputs.push(ExternalInput { name, digest: asked.digest(&self.connectors)? });
                continue;
            }
            let digest = match split.remote.iter().find(|remote| remote.path == file.path) {
                Some(remote) => remote.digest(),
                None => digest_of(&file.path)?,
            };
            inputs.push(ExternalInput { name: name_of(file, split, project_dir), digest });
        }
        Ok(inputs)
    }

    fn run(&self, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let params = parse(context.params)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(context.threads)
            .build()
            .map_err(|error| ComponentError::new(Code::Internal, format!("cannot start threads: {error}")))?;
        pool.install(|| self.generate(&params, context))
    }
}

fn parse(params: &Value) -> Result<Params, ComponentError> {
    Ok(Params::parse(params)?)
}

/// The schema that types are taken from, and whether the parameters name it.
fn schema_file(params: &Params) -> (&Path, bool) {
    params.schema.as_deref().map_or((Path::new(DEFAULT_FILE), false), |file| (file, true))
}

/// What a pass over the rows came to.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    /// Rows of the source.
    read: u64,
    /// Rows that are kept.
    kept: u64,
    /// Rows that are equal to a row of another split.
    crossing: u64,
}

impl ExampleGen {
    fn generate(&self, params: &Params, context: &StepContext<'_>) -> Result<Outcome, ComponentError> {
        let connectors = &self.connectors;
        let chosen = Chosen::new(params, context.project_dir, connectors)?;
        let source = chosen.splits.first().map_or(context.project_dir, |split| &split.path);
        let inputs: Vec<InputFile> = chosen.files().map(|(_, file)| file.clone()).collect();
        let mut options =
            params.source.read_options().map_err(|issue| ComponentError::new(Code::Params, issue.message))?;
        let (file, named) = schema_file(params);
        options.hints = SchemaTypes::read(&context.project_dir.join(file), named)?.map(|types| types.schema());
        let remote = chosen.remote();
        if !remote.is_empty() {
            context.progress.phase("copying files from the store");
        }
        let queries = chosen.queries();
        let (inputs, spool) = if queries.is_empty() {
            connectors.bring(inputs, &remote)?
        } else {
            context.progress.phase("asking the database");
            connectors.ask(&queries)?
        };
        context.progress.phase("checking rows and deciding types");
        let table = Table::of_spooled(source, inputs, &options, spool)?;
        context.progress.phase("writing examples");
        if let Some(rows) = table.row_count() {
            context.progress.total_rows(rows);
        }
        let made = chosen.splits.iter().map(|split| Some((split.name.clone()?, 0))).collect::<Option<Vec<_>>>();
        let mut writer = match &made {
            Some(splits) => ExamplesWriter::new(context.output("examples"), table.schema(), splits),
            None => ExamplesWriter::new(context.output("examples"), table.schema(), &params.shares()),
        };
        let mut warnings = chosen.warnings.clone();
        let filter = RowFilter::new(params.condition.as_deref(), self.conditions.as_deref(), &table.schema())?;
        let reading = Reading { params, chosen: &chosen, source, table: &table, filter: &filter, context };
        let passed = match (made, &params.split_by_time) {
            (Some(_), _) => reading.keep_splits(&mut writer)?,
            (None, Some(column)) => reading.split_by_time(column, &mut writer)?,
            (None, None) => reading.split_by_hash(&mut writer)?,
        };
        if passed.crossing > 0 {
            let (some, all) = (counted(passed.crossing, "row"), counted(passed.kept, "row"));
            warnings.push(format!(
            "{some} of {all} are equal to a row of another split; `split_by` keeps rows together that belong together"
        ));
        }
        if let Some(condition) = params.condition.as_ref().filter(|_| passed.kept == 0) {
            let message = format!("none of {} meets the condition `{condition}`", counted(passed.read, "row"));
            return Err(DataError::Params { message }.into());
        }
        let mut sources = Vec::new();
        for ((split, input), file) in chosen.files().zip(table.files()) {
            sources.push(SourceFile {
                name: name_of(input, split, context.project_dir),
                rows: file.rows.unwrap_or(passed.read),
                digest: digest_of(&file.path)?,
            });
        }
        check_row_count(source, table.row_count(), passed.read)?;
        let condition = params.condition.as_ref();
        let manifest = writer.finish(Provenance {
            split_by: params.split_by.clone(),
            split_except: params.split_except.clone(),
            split_by_time: params.split_by_time.clone(),
            condition: condition.map(|sql| ConditionInfo { sql: sql.clone(), left_out: passed.read - passed.kept }),
            spans: chosen.spans.clone(),
            sources,
        })?;
        warnings.extend(uneven_shares(&manifest));
        Ok(outcome(&manifest, &table, warnings))
    }
}

/// The rows of a source on their way into splits.
#[derive(Clone, Copy)]
struct Reading<'a> {
    params: &'a Params,
    chosen: &'a Chosen,
    source: &'a Path,
    table: &'a Table,
    filter: &'a RowFilter,
    context: &'a StepContext<'a>,
}

impl Reading<'_> {
    fn shares(&self) -> Vec<u32> {
        self.params.shares().iter().map(|(_, share)| *share).collect()
    }

    /// The rows of some files that are kept, batch by batch.
    fn each_batch(
        &self,
        files: Range<usize>,
        mut give: impl FnMut(RecordBatch, u64) -> Result<(), ComponentError>,
    ) -> Result<(), ComponentError> {
        for batch in self.table.read_files(files)? {
            self.context.cancel.check()?;
            let batch = batch?;
            let read = batch.num_rows() as u64;
            give(self.filter.apply(batch)?, read)?;
        }
        Ok(())
    }

    /// Gives every row to the split that its values decide.
    fn split_by_hash(&self, writer: &mut ExamplesWriter) -> Result<Passed, ComponentError> {
        let key = match self.params.split_by.as_slice() {
            [] => Key::RowExcept(&self.params.split_except),
            by => Key::Columns(by),
        };
        let splitter = Splitter::new(self.source, &self.table.schema(), &self.shares(), key)?;
        let mut repeats = Repeats::default();
        // Equal rows are counted within a span, so that a window over spans does not change the splits of its rows.
        let begin_span = |repeats: &mut Repeats, files| {
            repeats.begin(self.repeating(&splitter, files)?);
            Ok(())
        };
        let assign =
            |repeats: &mut Repeats, batch: &RecordBatch, row| splitter.assign(self.source, batch, row, repeats);
        let passed = self.write_splits(writer, &mut repeats, begin_span, assign)?;
        Ok(Passed { crossing: repeats.crossing_rows(), ..passed })
    }

    /// Gives the oldest rows to the first split, and so on.
    fn split_by_time(&self, column: &str, writer: &mut ExamplesWriter) -> Result<Passed, ComponentError> {
        let time = TimeColumn::new(self.source, &self.table.schema(), column)?;
        self.context.progress.phase("ordering rows by time");
        // A condition may need any column.
        let alone = if self.filter.keeps_all() { Some(self.table.select(&[column])?) } else { None };
        let table = alone.as_ref().unwrap_or(self.table);
        let column = TimeColumn::new(self.source, &table.schema(), column)?;
        let mut times = Vec::new();
        Reading { table, ..*self }.each_batch(0..table.files().len(), |batch, _| {
            times.extend(column.times(self.source, &batch, times.len() as u64 + 1)?);
            Ok(())
        })?;
        self.context.progress.phase("writing examples");
        let splitter = TimeSplitter::new(time, times, &self.shares());
        let assign = |(): &mut (), batch: &RecordBatch, row| splitter.assign(self.source, batch, row);
        self.write_splits(writer, &mut (), |(), _| Ok(()), assign)
    }

    /// Writes every row into the split that `assign` gives for it.
    fn write_splits<S>(
        &self,
        writer: &mut ExamplesWriter,
        state: &mut S,
        begin_span: impl Fn(&mut S, Range<usize>) -> Result<(), ComponentError>,
        assign: impl Fn(&mut S, &RecordBatch, u64) -> Result<Vec<u16>, DataError>,
    ) -> Result<Passed, ComponentError> {
        let mut passed = Passed::default();
        let files = self.chosen.splits.iter().map(|split| split.files.len()).sum();
        for (span, files) in self.chosen.spans_of(0, 0..files) {
            if let Some(span) = span {
                writer.begin_span(span)?;
            }
            begin_span(state, files.clone())?;
            self.each_batch(files, |batch, read| {
                let assigned = assign(state, &batch, passed.kept + 1)?;
                writer.write(&batch, &assigned)?;
                passed.kept += batch.num_rows() as u64;
                passed.read += read;
                self.context.progress.advance(read);
                Ok(())
            })?;
        }
        Ok(passed)
    }

    /// The hashes of rows that repeat, where there may be more rows than can be kept in mind while they are split.
    fn repeating(&self, splitter: &Splitter, files: Range<usize>) -> Result<Option<Vec<u64>>, ComponentError> {
        let rows: Option<u64> = self.table.files()[files.clone()].iter().map(|file| file.rows).sum();
        if !splitter.spreads_repeats() || rows.is_some_and(|rows| rows <= ROWS_MAX) {
            return Ok(None);
        }
        self.context.progress.phase("looking for equal rows");
        let mut finder = RepeatFinder::new()?;
        self.each_batch(files, |batch, _| Ok(finder.add(&splitter.row_hashes(&batch))?))?;
        self.context.progress.phase("writing examples");
        Ok(Some(finder.finish()?))
    }

    /// Gives every row to the split that its file belongs to.
    fn keep_splits(&self, writer: &mut ExamplesWriter) -> Result<Passed, ComponentError> {
        let (mut passed, mut first) = (Passed::default(), 0);
        for (i, split) in self.chosen.splits.iter().enumerate() {
            let files = first..first + split.files.len();
            first = files.end;
            let expected: Option<u64> = self.table.files()[files.clone()].iter().map(|file| file.rows).sum();
            let mut found = 0;
            for (span, files) in self.chosen.spans_of(i, files) {
                if let Some(span) = span {
                    writer.begin_span(span)?;
                }
                self.each_batch(files, |batch, read| {
                    writer.write(&batch, &vec![i as u16; batch.num_rows()])?;
                    passed.kept += batch.num_rows() as u64;
                    found += read;
                    self.context.progress.advance(read);
                    Ok(())
                })?;
            }
            if found == 0 {
                return Err(DataError::SourceEmpty { path: split.path.clone(), header_only: true }.into());
            }
            check_row_count(&split.path, expected, found)?;
            passed.read += found;
        }
        Ok(passed)
    }
}

/// How far the share of a split may be from the one asked for, beside what chance makes of it.
const SHARE_TOLERANCE: f64 = 0.1;

/// Splits that have far more or fewer rows than their share: rows were split by too few keys.
fn uneven_shares(manifest: &ExamplesManifest) -> Vec<String> {
    let total: u64 = manifest.splits.iter().map(|split| u64::from(split.share)).sum();
    let mut warnings = Vec::new();
    for split in manifest.splits.iter().filter(|split| split.share > 0 && total > 0) {
        let (asked, rows) = (f64::from(split.share) / total as f64, manifest.rows.max(1) as f64);
        let found = split.rows as f64 / rows;
        // Four standard deviations of a binomial share.
        let chance = 4.0 * (asked * (1.0 - asked) / rows).sqrt();
        if (found - asked).abs() > SHARE_TOLERANCE.max(chance) {
            let why = if manifest.split_by.is_empty() {
                ""
            } else {
                ": `split_by` has too few values, or some have very many rows"
            };
            warnings.push(format!(
                "split `{}` has {:.0} % of the rows, its share is {:.0} %{why}",
                split.name,
                100.0 * found,
                100.0 * asked
            ));
        }
    }
    warnings
}

/// Rows in = rows out; anything else means that a file was written to meanwhile.
fn check_row_count(source: &Path, expected: Option<u64>, found: u64) -> Result<(), DataError> {
    match expected {
        Some(expected) if expected != found => {
            let message = format!("it changed while it was read: {expected} rows were there at first, {found} later");
            Err(DataError::malformed(source, None, message))
        }
        _ => Ok(()),
    }
}

fn outcome(manifest: &ExamplesManifest, table: &Table, mut warnings: Vec<String>) -> Outcome {
    let splits: serde_json::Map<String, Value> =
        manifest.splits.iter().map(|split| (split.name.clone(), json!(split.rows))).collect();
    let mut properties: Properties = [
        ("rows".to_owned(), json!(manifest.rows)),
        ("columns".to_owned(), json!(manifest.columns.len())),
        ("files".to_owned(), json!(manifest.sources.len())),
        ("splits".to_owned(), Value::Object(splits)),
    ]
    .into();
    let mut headline =
        format!("{} in {}", counted(manifest.rows, "row"), counted(manifest.splits.len() as u64, "split"));
    if let Some(condition) = &manifest.condition {
        headline = format!("{headline}, {} left out by `where`", counted(condition.left_out, "row"));
        properties.insert("rows_left_out".to_owned(), json!(condition.left_out));
    }
    if let Some(newest) = manifest.spans.last() {
        headline = format!("{headline}, {}", named(&manifest.spans));
        properties.insert("span".to_owned(), json!(newest.span));
        if let Some(version) = newest.version {
            properties.insert("version".to_owned(), json!(version));
        }
        if manifest.spans.len() > 1 {
            let spans: Vec<i64> = manifest.spans.iter().map(|info| info.span).collect();
            properties.insert("spans".to_owned(), json!(spans));
        }
    }
    warnings.extend(table.warnings().iter().cloned());
    let valueless = table.valueless_columns().iter();
    warnings.extend(valueless.map(|column| format!("column `{column}` has no value in any row; it is taken as int")));
    Outcome { properties: [("examples".to_owned(), properties)].into(), headline, warnings, ..Outcome::default() }
}

/// A file of the source as a person would write it: the path as written where it is the file itself, else the path
/// from the folder of the pipeline file.
fn name_of(file: &InputFile, split: &ChosenSplit, project_dir: &Path) -> String {
    if file.path == split.path {
        return split.written.clone();
    }
    if is_url(&file.path) {
        return file.path.to_string_lossy().into_owned();
    }
    file.path.strip_prefix(project_dir).unwrap_or(&file.path).to_string_lossy().into_owned()
}

/// Reads the file a piece at a time, which keeps memory bounded, and hashes each piece on all threads.
pub(crate) fn digest_of(path: &Path) -> Result<Digest, DataError> {
    let unreadable = |error| DataError::unreadable(path, error);
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    loop {
        piece.clear();
        file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece).map_err(unreadable)?;
        if piece.is_empty() {
            return Ok(Digest::from_bytes(hasher.finalize().as_bytes()));
        }
        hasher.update_rayon(&piece);
    }
}

/// `15,002 rows`, `1 row`.
fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_well() {
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(999, "row"), "999 rows");
        assert_eq!(counted(15_002, "row"), "15,002 rows");
        assert_eq!(counted(1_000_000, "row"), "1,000,000 rows");
    }
}
