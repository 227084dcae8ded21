//! Rules written as queries.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tidemill_core::{Anomaly, AnomalyType, Code, Coded, DatasetStatistics, Evidence};
use tidemill_data::DataError;
use tidemill_validation::{ROW_COLUMN, RowSource, Rule, RuleEngine};

use crate::{Answer, Engine, EngineError};

/// Rows shown for a broken rule.
const ROWS_MAX: usize = 5;
/// Features named for a broken rule.
const FEATURES_MAX: usize = 100;
/// Characters of a row that is shown.
const SHOWN_MAX: usize = 200;

/// Judges rules with the query engine.
///
/// `data` has the columns of the rows and `_row`, the number of each; `statistics` has a row for each feature, with the
/// members of its statistics as columns. A query gives the rows that break the rule. Where they are rows of `data`,
/// their numbers need not be asked for; where they have a column `feature`, each is an anomaly of that feature. Or a
/// query gives one column of booleans, and the rule is kept where all are true.
#[derive(Debug, Clone, Copy)]
pub struct SqlRules {
    /// Threads that may be kept busy.
    pub threads: usize,
}

impl RuleEngine for SqlRules {
    fn judge(
        &self,
        rules: &[Rule],
        rows: Option<Arc<dyn RowSource>>,
        statistics: &DatasetStatistics,
    ) -> Result<Vec<Anomaly>, DataError> {
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        // A thread of its own: the caller may be one that drives asynchronous work and must not wait for more of it.
        std::thread::scope(|scope| {
            let judged = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(self.threads.max(1)).build();
                let runtime = runtime.map_err(|error| EngineError::Environment(Box::new(error))).map_err(outside)?;
                runtime.block_on(judge_all(rules, rows, statistics, self.threads))
            });
            judged.join().unwrap_or_else(|_| {
                Err(outside(EngineError::Query { message: "the query stopped unexpectedly".to_owned() }))
            })
        })
    }
}

async fn judge_all(
    rules: &[Rule],
    rows: Option<Arc<dyn RowSource>>,
    statistics: &DatasetStatistics,
    threads: usize,
) -> Result<Vec<Anomaly>, DataError> {
    let engine = Engine::new(threads).map_err(outside)?;
    if let Some(rows) = &rows {
        engine.add("data", rows.clone(), true).map_err(outside)?;
    }
    engine.add_statistics("statistics", statistics).map_err(outside)?;
    let mut anomalies = Vec::new();
    for rule in rules {
        let found = judge(&engine, rule, rows.as_deref()).await.map_err(|error| match error {
            EngineError::Query { message } => {
                outside(EngineError::Query { message: format!("rule `{}`: {message}", rule.name) })
            }
            error => outside(error),
        })?;
        anomalies.extend(found);
    }
    Ok(anomalies)
}

async fn judge(engine: &Engine, rule: &Rule, rows: Option<&dyn RowSource>) -> Result<Vec<Anomaly>, EngineError> {
    let frame = engine.plan(&rule.sql).await?;
    let answer = engine.start(Engine::numbered(frame, ROW_COLUMN)).await?;
    let schema = answer.schema();
    match schema.fields().as_ref() {
        [only] if *only.data_type() == DataType::Boolean => verdict(rule, answer).await,
        _ if schema.index_of("feature").is_ok() && schema.index_of(ROW_COLUMN).is_err() => features(rule, answer).await,
        _ => offenders(rule, answer, rows).await,
    }
}

/// One column of booleans: kept where all are true.
async fn verdict(rule: &Rule, mut answer: Answer) -> Result<Vec<Anomaly>, EngineError> {
    let mut kept = true;
    while let Some(batch) = answer.next().await? {
        let values = batch.column(0).as_boolean();
        kept &= values.true_count() == values.len();
    }
    if kept {
        return Ok(Vec::new());
    }
    let said = rule.message.clone().unwrap_or_else(|| "it does not hold".to_owned());
    Ok(vec![anomaly(rule, String::new(), said)])
}

/// Each row is a feature that breaks the rule.
async fn features(rule: &Rule, mut answer: Answer) -> Result<Vec<Anomaly>, EngineError> {
    let mut anomalies = Vec::new();
    let mut more = 0;
    while let Some(batch) = answer.next().await? {
        let place = answer.schema().index_of("feature").unwrap_or_default();
        for row in 0..batch.num_rows() {
            if anomalies.len() == FEATURES_MAX {
                more += 1;
                continue;
            }
            let feature = cell(&batch, place, row)?;
            let shown = shown(&batch, row, &[place])?;
            let said = match (&rule.message, shown.as_str()) {
                (Some(message), "") => message.clone(),
                (Some(message), shown) => format!("{message} ({shown})"),
                (None, "") => "it does not hold".to_owned(),
                (None, shown) => shown.to_owned(),
            };
            anomalies.push(anomaly(rule, feature, said));
        }
    }
    if more > 0 {
        anomalies.push(anomaly(rule, String::new(), format!("it is broken by {more} more features")));
    }
    Ok(anomalies)
}

/// Each row breaks the rule.
async fn offenders(rule: &Rule, mut answer: Answer, rows: Option<&dyn RowSource>) -> Result<Vec<Anomaly>, EngineError> {
    let number = answer.schema().index_of(ROW_COLUMN).ok();
    let mut evidence = Vec::new();
    let mut count: u64 = 0;
    while let Some(batch) = answer.next().await? {
        for row in 0..batch.num_rows().min(ROWS_MAX - evidence.len()) {
            let at =
                number.and_then(|column| batch.column(column).as_primitive_opt::<Int64Type>()).map(|c| c.value(row));
            let (file, place) = match (at, rows) {
                (Some(at), Some(rows)) => rows.locate(at.max(1) as u64),
                _ => ("the answer to the query".to_owned(), count + row as u64 + 1),
            };
            let hidden: Vec<usize> = number.into_iter().collect();
            evidence.push(Evidence { file, row: place, value: shown(&batch, row, &hidden)? });
        }
        count += batch.num_rows() as u64;
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    let broken = if count == 1 { "1 row breaks it".to_owned() } else { format!("{count} rows break it") };
    let said = rule.message.as_ref().map_or_else(|| broken.clone(), |message| format!("{message} ({broken})"));
    Ok(vec![Anomaly { evidence, ..anomaly(rule, String::new(), said) }])
}

fn anomaly(rule: &Rule, feature: String, said: String) -> Anomaly {
    Anomaly {
        feature,
        anomaly_type: AnomalyType::CustomValidation,
        severity: rule.severity,
        short_description: format!("rule `{}`", rule.name),
        description: format!("rule `{}`: {said}", rule.name),
        evidence: Vec::new(),
    }
}

/// A row as `fare -3, company Blue`, without some columns and without what is missing.
fn shown(batch: &RecordBatch, row: usize, hidden: &[usize]) -> Result<String, EngineError> {
    let mut text = String::new();
    for (i, field) in batch.schema().fields().iter().enumerate() {
        if hidden.contains(&i) || batch.column(i).is_null(row) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&format!("{} {}", field.name(), cell(batch, i, row)?));
        if text.chars().count() > SHOWN_MAX {
            return Ok(text.chars().take(SHOWN_MAX).chain(['…']).collect());
        }
    }
    Ok(text)
}

fn cell(batch: &RecordBatch, column: usize, row: usize) -> Result<String, EngineError> {
    // A count reads as one: `2`, not `2.0`.
    if let Some(numbers) = batch.column(column).as_primitive_opt::<Float64Type>() {
        return Ok(if numbers.is_null(row) { String::new() } else { numbers.value(row).to_string() });
    }
    let wrong = |error: arrow::error::ArrowError| EngineError::Query { message: error.to_string() };
    let formatter = ArrayFormatter::try_new(batch.column(column), &FormatOptions::default()).map_err(wrong)?;
    Ok(formatter.value(row).to_string())
}

fn outside(error: EngineError) -> DataError {
    match error {
        EngineError::Data(error) => error,
        error => {
            let (code, hint): (Code, _) = (error.code(), error.hint());
            let said = std::error::Error::source(&error).map(|cause| cause.to_string().into());
            DataError::Outside { code, message: error.to_string(), hint, source: said }
        }
    }
}
