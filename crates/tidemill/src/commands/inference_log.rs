//! `tidemill inference-log`: the log of the model server as a dataset.

mod import;

use console::style;
use jiff::Timestamp;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure};
use tidemill_monitor::{InferenceLog, Subject, erase_feedback};

use crate::cli::{Global, InferenceLogCommand, LogCompactArgs, LogDirArgs, LogEraseArgs, LogPruneArgs};
use crate::commands::print;
use crate::ui::{Align, Table, bytes, count};

pub async fn inference_log(command: &InferenceLogCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        InferenceLogCommand::Status(args) => status(args, global),
        InferenceLogCommand::Import(args) => import::import(args, global).await,
        InferenceLogCommand::Compact(args) => compact(args, global),
        InferenceLogCommand::Prune(args) => prune(args, global),
        InferenceLogCommand::Erase(args) => erase(args, global),
    }
}

/// The logs that the flags name, at least one.
fn logs(args: &LogDirArgs) -> Result<Vec<InferenceLog>, Failure> {
    if let Some(model) = &args.model {
        return Ok(vec![InferenceLog::open(&args.dir, model)?]);
    }
    let logs = InferenceLog::all(&args.dir)?;
    if logs.is_empty() {
        let message = format!("`{}` holds no log of a model", args.dir.display());
        return Err(Failure::new(Code::InferenceLog, message)
            .with_hint("`tidemill serve --log DIR` makes a folder in it for each model that answers"));
    }
    Ok(logs)
}

fn status(args: &LogDirArgs, global: &Global) -> Result<u8, Failure> {
    let found = logs(args)?.iter().map(InferenceLog::status).collect::<Result<Vec<_>, _>>()?;
    print(global, &found, || {
        let mut table = Table::new(&[
            ("model", Align::Left),
            ("rows", Align::Right),
            ("size", Align::Right),
            ("hours", Align::Right),
            ("files", Align::Right),
            ("first", Align::Left),
            ("last", Align::Left),
        ]);
        let mut notes = String::new();
        for log in &found {
            let time = |time: &Option<String>| time.as_deref().map_or("–", |time| &time[..19]).to_owned();
            table.row([
                log.model.clone(),
                count(log.rows),
                bytes(log.bytes),
                count(log.hours as u64),
                count(log.files as u64),
                time(&log.first),
                time(&log.last),
            ]);
            let mut note = |text: String| notes.push_str(&format!("{} {}: {text}\n", style("·").dim(), log.model));
            if log.unfinished > 0 {
                note(format!("{} being written", plural(log.unfinished, "file")));
            }
            if !log.not_read.is_empty() {
                note(format!("{} not read: {}", plural(log.not_read.len(), "file"), log.not_read.join(", ")));
            }
            if let (Some(first), Some(last)) = (log.empty_hours.first(), log.empty_hours.last()) {
                note(format!("{} without a request, {first} to {last}", plural(log.empty_hours.len(), "hour")));
            }
        }
        format!("{table}{notes}")
    })?;
    Ok(0)
}

fn compact(args: &LogCompactArgs, global: &Global) -> Result<u8, Failure> {
    let now = Timestamp::now().as_microsecond();
    let mut done = Vec::new();
    for log in logs(&args.log)? {
        done.push((log.model().to_owned(), log.compact(now, args.hold)?));
    }
    let value: Vec<Value> = done.iter().map(|(model, done)| named(model, done)).collect();
    print(global, &value, || {
        let line = |(model, done): &(String, tidemill_monitor::Compacted)| {
            let left =
                if done.left > 0 { format!(", {} left for later", plural(done.left, "file")) } else { String::new() };
            let (rows, files, hours) = (count(done.rows), plural(done.files, "file"), plural(done.hours, "hour"));
            format!("{model}: {rows} rows of {files} into {hours}{left}\n")
        };
        done.iter().map(line).collect()
    })?;
    Ok(0)
}

fn prune(args: &LogPruneArgs, global: &Global) -> Result<u8, Failure> {
    let before = Timestamp::now().as_microsecond().saturating_sub(args.keep.saturating_mul(1_000_000) as i64);
    let mut done = Vec::new();
    for log in logs(&args.log)? {
        done.push((log.model().to_owned(), log.prune(before, args.dry_run)?));
    }
    let value: Vec<Value> = done.iter().map(|(model, done)| named(model, done)).collect();
    let verb = if args.dry_run { "would remove" } else { "removed" };
    print(global, &value, || {
        let line = |(model, done): &(String, tidemill_monitor::Pruned)| {
            let (hours, files) = (plural(done.hours, "hour"), plural(done.files, "file"));
            format!("{model}: {verb} {hours} with {} rows, and {files}\n", count(done.rows))
        };
        done.iter().map(line).collect()
    })?;
    Ok(0)
}

fn erase(args: &LogEraseArgs, global: &Global) -> Result<u8, Failure> {
    let key = args.hash_key.as_deref().map(tidemill_cli::serve::read_hash_key).transpose();
    let key = key.map_err(|message| Failure::new(Code::CommandLine, message))?;
    let logged = |value: &String| key.as_ref().map_or_else(|| value.clone(), |key| key.hash(value));
    let subject = Subject { column: args.column.clone(), values: args.values.iter().map(logged).collect() };
    let mut done = Vec::new();
    for log in logs(&args.log)? {
        let erased = log.erase(&subject)?;
        let feedback = erase_feedback(&args.log.dir, &erased.requests)?;
        done.push((log.model().to_owned(), erased, feedback));
    }
    let value = |(model, done, feedback): &(String, tidemill_monitor::Erased, u64)| {
        let mut value = named(model, done);
        value["feedback"] = json!(feedback);
        value
    };
    let value: Vec<Value> = done.iter().map(value).collect();
    print(global, &value, || {
        let line = |(model, done, feedback): &(String, tidemill_monitor::Erased, u64)| {
            let open = match done.unfinished {
                0 => String::new(),
                open => format!("; {} still being written: run this again when complete", plural(open, "file")),
            };
            let files = plural(done.files, "file");
            format!(
                "{model}: erased {} rows in {files}, {} records of feedback{open}\n",
                count(done.rows),
                count(*feedback)
            )
        };
        done.iter().map(line).collect()
    })?;
    Ok(0)
}

/// What was done, with the model that it was done to.
fn named(model: &str, done: &impl serde::Serialize) -> Value {
    let mut value = json!({ "model": model });
    if let (Some(value), Ok(Value::Object(done))) = (value.as_object_mut(), serde_json::to_value(done)) {
        value.extend(done);
    }
    value
}

/// `1 file`, `2 files`.
pub fn plural(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
}
