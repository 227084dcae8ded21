//! The scans.

use std::collections::HashMap;

use arrow::datatypes::{Field, Schema as ArrowSchema};
use tidemill_core::{CancelFlag, DataType, Progress, RowShape, Schema};
use tidemill_data::HistoryInfo;
use tidemill_model::{MissingColumn, Source, TransformGraph, input_kind};

use crate::auto::{self, ColumnChoice};
use crate::cache::{AnalyzerCache, to_bytes};
use crate::column_counts::{ColumnCounts, date_features};
use crate::config::{FeatureConfig, TransformConfig};
use crate::deferred::DeferredFeatures;
use crate::error::TransformError;
use crate::feature::FeatureFit;
use crate::label::{LabelCheck, LabelSummary};
use crate::label_values::with_values;
use crate::leak::{self, LeakMeasure};
use crate::rows::SplitSource;
use crate::scan::{FirstScan, Scans};
use crate::serving::{check_serving, inputs};

/// By name: what the columns that features read hold.
pub(crate) type ColumnKinds = HashMap<String, (DataType, RowShape)>;

/// How to fit.
#[derive(Clone, Copy)]
pub struct FitOptions<'a> {
    /// The split whose rows decide the constants: `train`.
    pub split: &'a str,
    /// How many threads may be busy. The result does not depend on it.
    pub threads: usize,
    /// Where to report progress.
    pub progress: &'a dyn Progress,
    /// Looked at between batches.
    pub cancel: Option<&'a CancelFlag>,
    /// The schema the data was validated against: which columns serving has, and which may be missing.
    pub schema: Option<&'a Schema>,
}

/// A fitted graph and what was learned on the way.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The graph.
    pub graph: TransformGraph,
    /// The label in each split, in the order of the splits.
    pub labels: Vec<LabelSummary>,
    /// What was decided about columns that no feature names, where the configuration asks for that.
    pub choices: Vec<ColumnChoice>,
    /// Things worth knowing that stop nothing.
    pub warnings: Vec<String>,
    /// How often the split was scanned.
    pub scans: usize,
    /// How many spans the split has; 0 where its rows come in none.
    pub spans: usize,
    /// How many of them were read; what was seen of the others before was used again.
    pub spans_read: usize,
}

/// Fits a transform graph on one split and checks the label in all of them.
///
/// All analyzers share one scan. A step that needs the values another fitted step makes waits for the next scan, in
/// which it sees them as serving will; only the columns of such steps are read again. So `[ { impute: median },
/// z_score ]` takes two scans, and mean and deviation are those of the imputed values, exactly.
pub fn fit(
    config: &TransformConfig,
    rows: &dyn SplitSource,
    options: &FitOptions<'_>,
) -> Result<Fitted, TransformError> {
    fit_cached(config, rows, options, None)
}

/// As [`fit`], with what was seen of spans before: only spans that are new are read, and the graph is the same to the
/// byte as without a cache.
pub fn fit_cached(
    config: &TransformConfig,
    rows: &dyn SplitSource,
    options: &FitOptions<'_>,
    cache: Option<&AnalyzerCache>,
) -> Result<Fitted, TransformError> {
    let schema = rows.schema();
    let splits = rows.splits();
    let Some((_, split_rows)) = splits.iter().find(|(name, _)| name == options.split) else {
        let known = splits.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(TransformError::NoSplit { split: options.split.to_owned(), known });
    };
    let resolved = auto::resolve(config, rows, options)?;
    let (choices, mut warnings) = (resolved.choices, resolved.warnings);
    let config = &known_reach(&resolved.config, &rows.histories());
    let mut datatypes = ColumnKinds::new();
    let mut fits = Vec::with_capacity(config.features.len());
    let label_columns = config.label.parse()?.columns();
    check_columns(config, &label_columns, &schema)?;
    for feature in &config.features {
        for column in feature.columns() {
            let datatype = column_type(&feature.name, &column, &schema)?;
            check_serving(&feature.name, &column, options.schema)?;
            datatypes.insert(column, datatype);
        }
        fits.push(FeatureFit::new(feature, &schema, &datatypes)?);
    }
    let mut deferred = DeferredFeatures::new(&config.features, &schema, &datatypes)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.max(1))
        .build()
        .map_err(|error| TransformError::Threads { threads: options.threads, reason: error.to_string() })?;

    let feature_columns: Vec<String> = config.features.iter().flat_map(FeatureConfig::columns).collect();
    let leaks = LeakMeasure::new(config, &label_columns)?;
    let label = LabelCheck::new(&config.label, options.split).measuring(leaks);
    let date_features = date_features(config, &datatypes);
    let mut first = FirstScan { label, counts: ColumnCounts::default() };
    let mut scan = Scans {
        config,
        rows,
        options,
        cache,
        pool: &pool,
        datatypes: &datatypes,
        date_features: &date_features,
        label_columns: &label_columns,
        feature_columns: &feature_columns,
        pieces: rows.pieces(options.split).into_iter().map(|piece| (piece, false)).collect(),
    };
    let mut scans = 0;
    loop {
        let mut waiting = Vec::new();
        for (at, fit) in fits.iter_mut().enumerate() {
            if !deferred.contains(at) && fit.advance()? {
                waiting.push(fit);
            }
        }
        deferred.wait(&mut waiting)?;
        if waiting.is_empty() && scans > 0 {
            break;
        }
        scans += 1;
        options.progress.phase(&format!("fitting, scan {scans}"));
        options.progress.total_rows(*split_rows);
        scan.run(&mut waiting, Some(&mut first).filter(|_| scans == 1))?;
        first.label.check().map_err(|error| with_values(error, config, rows))?;
        for fit in waiting {
            fit.finish_scan()?;
        }
        for (at, feature) in deferred.release(&config.features)? {
            fits[at] = FeatureFit::new(&feature, &schema, &datatypes)?;
        }
    }
    let (train_label, leaks) = first.label.finish()?;
    warnings.extend(leak::judge(&config.label, leaks, options.split)?);
    let named = scan.pieces.iter().filter(|(piece, _)| piece.id.is_some());
    let spans = named.clone().count();
    let spans_read = named.filter(|(_, was_read)| *was_read).count();
    if let Some(cache) = cache {
        cache.trim();
    }
    warnings.extend(first.counts.warnings(&date_features));
    let missing: HashMap<String, u64> =
        first.counts.missing.into_iter().map(|(column, count)| (column.into_string(), count)).collect();
    let mut train_label = Some(train_label);

    let mut labels = Vec::with_capacity(splits.len());
    for (split, split_rows) in &splits {
        if split == options.split {
            labels.extend(train_label.take());
        } else {
            labels.push(other_label(config, rows, split, *split_rows, options, cache)?);
        }
    }
    let features: Vec<_> = fits.iter().map(FeatureFit::definition).collect();
    let inputs = inputs(&features, &datatypes, &missing, options.schema);
    let graph = TransformGraph::new(inputs, Some(config.label.clone()), features)?
        .with_feature_sets(config.sets().cloned().collect());
    warnings.extend(fits.into_iter().flat_map(|fit| fit.warnings));
    Ok(Fitted { graph, labels, choices, warnings, scans, spans, spans_read })
}

/// Features of what came before with how far that reaches, where the data says it: so far a request is looked at too.
fn known_reach(config: &TransformConfig, histories: &[HistoryInfo]) -> TransformConfig {
    let mut config = config.clone();
    for feature in &mut config.features {
        let Source::History(history) = &mut feature.source else { continue };
        let is_it = |info: &&HistoryInfo| info.times == history.times && info.values.contains(&history.values);
        if let Some(info) = histories.iter().find(is_it) {
            history.rows_max = Some(info.rows_max);
            (history.length_seconds, history.horizon_seconds) = (info.length_seconds, info.horizon_seconds);
        }
    }
    config
}

/// Checks the label of a split that nothing is fitted on.
fn other_label(
    config: &TransformConfig,
    rows: &dyn SplitSource,
    split: &str,
    split_rows: u64,
    options: &FitOptions<'_>,
    cache: Option<&AnalyzerCache>,
) -> Result<LabelSummary, TransformError> {
    options.progress.phase(&format!("checking the label of split {split}"));
    options.progress.total_rows(split_rows);
    let columns = config.label.parse()?.columns();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut whole = LabelCheck::new(&config.label, split);
    for (at, piece) in rows.pieces(split).iter().enumerate() {
        let label = format!("{:?}", config.label);
        let key = piece.id.as_ref().map(|id| AnalyzerCache::key(id, &["label alone", &label]));
        let kept = cache.zip(key.as_ref());
        let known = kept.and_then(|(cache, key)| cache.get(key));
        if let Some(state) = known {
            whole.absorb(state);
            options.progress.advance(piece.rows);
            continue;
        }
        let mut check = LabelCheck::new(&config.label, split);
        for batch in rows.read_piece(split, at, &columns)? {
            if options.cancel.is_some_and(CancelFlag::is_set) {
                return Err(TransformError::Canceled);
            }
            let batch = batch?;
            check.update(&batch)?;
            options.progress.advance(batch.num_rows() as u64);
        }
        let state = check.state();
        if let Some((cache, key)) = kept {
            cache.put(key, &to_bytes(&state));
        }
        whole.absorb(state);
    }
    whole.finish().map(|(summary, _)| summary).map_err(|error| with_values(error, config, rows))
}

/// Refuses columns that do not exist, all of them at once.
fn check_columns(config: &TransformConfig, label: &[String], schema: &ArrowSchema) -> Result<(), TransformError> {
    let mut missing = Vec::new();
    for feature in &config.features {
        check_history(feature, schema)?;
        missing.extend(missing_columns(feature, schema));
    }
    if missing.is_empty() {
        return check_label_columns(config, label, schema);
    }
    missing.extend(missing_of_label(config, label, schema));
    Ok(MissingColumn::error_if_any(missing)?)
}

/// As [`check_columns`], for one feature.
pub(crate) fn check_feature_columns(feature: &FeatureConfig, schema: &ArrowSchema) -> Result<(), TransformError> {
    check_history(feature, schema)?;
    Ok(MissingColumn::error_if_any(missing_columns(feature, schema))?)
}

/// As [`check_columns`], for the label alone.
pub(crate) fn check_label_columns(
    config: &TransformConfig,
    label: &[String],
    schema: &ArrowSchema,
) -> Result<(), TransformError> {
    let missing = missing_of_label(config, label, schema);
    if config.label.is_column() {
        MissingColumn::error_if_any(missing)?;
        config.label.bind(schema)?;
        return Ok(());
    }
    // Shows the place in the expression.
    config.label.bind(schema)?;
    Ok(MissingColumn::error_if_any(missing)?)
}

fn check_history(feature: &FeatureConfig, schema: &ArrowSchema) -> Result<(), TransformError> {
    let Source::History(history) = &feature.source else { return Ok(()) };
    match [&history.times, &history.values].into_iter().find(|column| schema.index_of(column).is_err()) {
        Some(column) => Err(TransformError::NoHistory { feature: feature.name.clone(), column: column.clone() }),
        None => Ok(()),
    }
}

fn missing_columns(feature: &FeatureConfig, schema: &ArrowSchema) -> Vec<MissingColumn> {
    let needed = feature.columns().into_iter().chain(feature.fitting_columns().cloned());
    let absent = needed.filter(|column| schema.index_of(column).is_err());
    absent.map(|column| MissingColumn::of_feature(feature.name.clone(), &column, schema)).collect()
}

fn missing_of_label(config: &TransformConfig, label: &[String], schema: &ArrowSchema) -> Vec<MissingColumn> {
    let absent = label.iter().filter(|column| schema.index_of(column).is_err());
    absent.map(|column| MissingColumn::of_label(&config.label.name, column, schema)).collect()
}

/// What a column that is there holds.
pub(crate) fn column_type(
    feature: &str,
    column: &str,
    schema: &ArrowSchema,
) -> Result<(DataType, RowShape), TransformError> {
    let found = schema.field_with_name(column).map(Field::data_type);
    found.as_ref().ok().and_then(|found| input_kind(found)).ok_or_else(|| TransformError::ColumnType {
        feature: feature.to_owned(),
        column: column.to_owned(),
        actual: found.map_or_else(|error| error.to_string(), ToString::to_string),
    })
}
