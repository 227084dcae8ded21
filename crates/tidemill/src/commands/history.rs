//! `tidemill history`: every row of a file with what came before it.

use arrow::error::ArrowError;
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, Failure, NoProgress, ParamIssue};
use tidemill_data::{DataError, ReadOptions};
use tidemill_project::connectors;
use tidemill_transform::{HistoryJoin, HistoryOptions, TableRows};

use crate::cli::{Global, HistoryArgs};
use crate::commands::input::open_input;
use crate::commands::predict::refuse_input;
use crate::commands::{print, say};
use crate::ui::count;

pub fn history(args: &HistoryArgs, global: &Global) -> Result<u8, Failure> {
    refuse_input(&args.file, &args.out)?;
    let options = HistoryOptions::from_params(&params(args)).map_err(refused)?;
    let table = open_input(&args.file, &ReadOptions::default(), global)?;
    let rows = TableRows::of(table.reopen(&args.file, &ReadOptions::default())?, &args.file, ReadOptions::default());
    let join = HistoryJoin::read(&rows, &options, &NoProgress, None)?;
    if join.rows_apart() > 0 {
        let rows = count(join.rows_apart());
        say(global, &format!("warning: {rows} rows lack a time or an entity: they have no past and are in nobody's"));
    }
    let mut failure = None;
    let batches = table.read()?.flat_map(|batch| {
        let parts = batch.map_err(Failure::from).and_then(|batch| Ok(join.batches(&batch)?));
        match parts {
            Ok(parts) => parts.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => {
                // What went wrong is told below; this only makes the writer give up and leave nothing behind.
                let stop = ArrowError::ComputeError(error.message.clone());
                failure = Some(error);
                vec![Err(DataError::Arrow(stop))]
            }
        }
    });
    let written = connectors().write_table(&args.out, batches);
    if let Some(failure) = failure {
        return Err(failure);
    }
    let rows = written?;
    let value = json!({ "rows": rows, "entities": join.entities(), "file": args.out });
    print(global, &value, || {
        let entities = count(join.entities() as u64);
        format!("wrote {} rows of {entities} entities with their past to `{}`\n", count(rows), args.out.display())
    })?;
    Ok(0)
}

/// The flags as a pipeline file would have them.
fn params(args: &HistoryArgs) -> Value {
    let mut params = Map::new();
    params.insert("entity".to_owned(), json!(args.entity));
    params.insert("time".to_owned(), json!(args.time));
    params.insert("columns".to_owned(), json!(args.columns));
    let texts = [("length", &args.length), ("horizon", &args.horizon), ("prefix", &args.prefix)];
    params.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))));
    params.extend(args.rows_max.map(|rows| ("rows_max".to_owned(), json!(rows))));
    Value::Object(params)
}

fn refused(issues: Vec<ParamIssue>) -> Failure {
    let error = ComponentError::from(issues);
    Failure::new(Code::CommandLine, error.message)
}
