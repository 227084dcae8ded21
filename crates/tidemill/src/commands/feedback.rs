//! `tidemill feedback`: ground truth from files and from people.

use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure, Feedback};
use tidemill_monitor::config::LabelSpec;
use tidemill_monitor::{LabelBook, Task, agreement, append_feedback, join, parse_feedback, parse_time, review_queue};

use crate::cli::{FeedbackAddArgs, FeedbackCommand, FeedbackDecideArgs, FeedbackQueueArgs, Global, MonitorArgs};
use crate::commands::{actor, monitor::open, print, say};
use crate::ui::{Align, Table, count, printable};

pub fn feedback(command: &FeedbackCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        FeedbackCommand::Add(args) => add(args, global),
        FeedbackCommand::Queue(args) => queue(args, global),
        FeedbackCommand::Decide(args) => decide(args, global),
        FeedbackCommand::Status(args) => status(args, global),
    }
}

fn add(args: &FeedbackAddArgs, global: &Global) -> Result<u8, Failure> {
    let failed = |error: std::io::Error| Failure::io(&args.file, &error);
    let text = if args.file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        text
    } else {
        std::fs::read_to_string(&args.file).map_err(failed)?
    };
    if !args.log.is_dir() {
        let message = format!("there is no folder `{}`", args.log.display());
        return Err(
            Failure::new(Code::InferenceLog, message).with_hint("name the folder of `serve --log` with `--log`")
        );
    }
    let records = parse_feedback(&text, &args.file.display().to_string())?;
    if records.is_empty() {
        return Err(Failure::new(Code::Feedback, format!("`{}` holds no record", args.file.display())));
    }
    let file = append_feedback(&args.log, &records, Timestamp::now().as_microsecond())?;
    print(global, &json!({ "records": records.len(), "file": file }), || {
        format!("took in {} records of feedback\n", count(records.len() as u64))
    })?;
    Ok(0)
}

/// How labels of a monitor are read, and the labels.
fn labels(open: &tidemill_project::OpenMonitor) -> Result<(LabelSpec, LabelBook), Failure> {
    let spec = open.monitor.file().labels.clone();
    let spec = spec.ok_or_else(|| {
        Failure::new(Code::MonitorReference, "the monitor file has no `labels`")
            .with_hint("`labels: { feedback: true }`")
    })?;
    let book = open.monitor.labels()?.unwrap_or_default();
    Ok((spec, book))
}

fn queue(args: &FeedbackQueueArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.monitor.path, false, global)?;
    let (spec, book) = labels(&open)?;
    let from = match &args.from {
        Some(text) => {
            parse_time(text).ok_or_else(|| Failure::new(Code::CommandLine, format!("`--from {text}` is not a time")))?
        }
        None => i64::MIN,
    };
    let version = open.monitor.seen().version;
    let profile = version.map(|version| open.monitor.state().profile(version)).transpose()?.flatten();
    let threshold =
        match profile.as_ref().and_then(|profile| profile.estimator.as_ref()).map(tidemill_monitor::Estimator::task) {
            Some(Task::Binary { threshold }) => threshold,
            _ => 0.5,
        };
    let answer = profile.and_then(|profile| profile.answer).unwrap_or_else(|| "_probability".to_owned());
    let items = review_queue(&open.monitor.log(), &book, &spec, (&answer, threshold), from, args.limit)?;
    print(global, &items, || {
        if items.is_empty() {
            return "nothing waits for review\n".to_owned();
        }
        let mut table = Table::new(&[
            ("request", Align::Left),
            ("row", Align::Right),
            ("time", Align::Left),
            ("version", Align::Right),
            ("answer", Align::Right),
            ("why", Align::Left),
        ]);
        for item in &items {
            table.row([
                printable(&item.request_id).into_owned(),
                item.row.to_string(),
                item.time.chars().take(19).collect(),
                item.version.to_string(),
                format!("{:.4}", item.answer),
                item.reason.to_owned(),
            ]);
        }
        table.to_string()
    })?;
    Ok(0)
}

fn decide(args: &FeedbackDecideArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.monitor.path, false, global)?;
    let label = serde_json::from_str::<Value>(&args.label).ok().filter(|value| value.is_number() || value.is_boolean());
    let record = Feedback {
        request_id: Some(args.request_id.clone()),
        row: Some(args.row),
        model: Some(open.monitor.file().model.clone()),
        label: Some(label.unwrap_or_else(|| Value::String(args.label.clone()))),
        actor: Some(args.by.clone().unwrap_or_else(actor)),
        review: true,
        ..Feedback::default()
    };
    if let Some(problem) = record.problem(|_| true) {
        return Err(Failure::new(Code::Feedback, problem));
    }
    append_feedback(&open.monitor.log_dir(), std::slice::from_ref(&record), Timestamp::now().as_microsecond())?;
    print(global, &record, || format!("{} row {} is {}\n", args.request_id, args.row, args.label))?;
    Ok(0)
}

fn status(args: &MonitorArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.path, false, global)?;
    let (spec, book) = labels(&open)?;
    let length = open.monitor.file().window.micros();
    let joined =
        join(&open.monitor.log(), &book, &spec, "_probability", (i64::MIN / 2, i64::MAX / 2), length, |_| i64::MAX);
    let mut counts = book.counts.clone();
    match joined {
        Ok(joined) => counts.unknown = joined.unknown(&book),
        Err(error) => say(global, &format!("note: labels cannot be joined: {error}")),
    }
    let agreed = agreement(&book);
    print(global, &json!({ "labelled": book.len(), "records": counts, "agreement": agreed }), || {
        let mut text = format!("{} predictions have a label\n", count(book.len() as u64));
        let lines = [
            (counts.records, "records of labels"),
            (counts.repeated, "repeated"),
            (counts.corrected, "corrected: the later one counts"),
            (counts.conflicting, "in conflict: none counts"),
            (counts.unknown, "of requests that are not in the log"),
            (counts.over_limit, "beyond what one person may give"),
            (counts.unusable, "cannot be used"),
        ];
        for (number, what) in lines.iter().filter(|(number, _)| *number > 0) {
            text.push_str(&format!("  {:>8} {what}\n", count(*number)));
        }
        if let Some(problem) = &counts.first_problem {
            text.push_str(&format!("  the first that cannot be used: {}\n", printable(problem)));
        }
        if agreed.judged_twice > 0 {
            let share = 100.0 * agreed.agreed as f64 / agreed.judged_twice as f64;
            text.push_str(&format!("  people agree on {share:.0} % of {} predictions\n", count(agreed.judged_twice)));
        }
        text
    })?;
    Ok(0)
}
