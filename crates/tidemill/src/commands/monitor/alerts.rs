//! `tidemill monitor ack`, `silence` and `test-receiver`.

use jiff::Timestamp;
use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_monitor::alert::{Acknowledgement, AlertBook, Context, Outcome, Postman};
use tidemill_monitor::{Finding, Kind, Severity, rfc3339};

use super::work::short;
use super::{find_alert, kind, open};
use crate::cli::{Global, MonitorAckArgs, MonitorSilenceArgs, MonitorTestArgs};
use crate::commands::{actor, print};

pub fn acknowledge(args: &MonitorAckArgs, global: &Global) -> Result<u8, Failure> {
    let mut open = open(&args.monitor.path, false, global)?;
    let alert = find_alert(&open, &args.alert)?.clone();
    let Some(known) =
        open.monitor.alerts_mut().open.get_mut(&alert.kind).filter(|known| known.fingerprint == alert.fingerprint)
    else {
        let message = format!("the alert {} is over", short(&alert.fingerprint));
        return Err(Failure::new(Code::CommandLine, message));
    };
    known.acknowledged =
        Some(Acknowledgement { by: actor(), at: Timestamp::now().as_microsecond(), note: args.note.clone() });
    let known = known.clone();
    open.monitor.save()?;
    print(global, &known, || format!("{} ({}) is acknowledged\n", known.kind.name(), short(&known.fingerprint)))?;
    Ok(0)
}

pub fn silence(args: &MonitorSilenceArgs, global: &Global) -> Result<u8, Failure> {
    let kind = args.kind.as_deref().map(kind).transpose()?;
    let mut open = open(&args.monitor.path, false, global)?;
    let now = Timestamp::now().as_microsecond();
    let until = now.saturating_add(args.seconds.saturating_mul(1_000_000) as i64);
    let id = open.monitor.alerts_mut().silence(kind, until, &args.reason, &actor(), now);
    open.monitor.save()?;
    let of = kind.map_or_else(|| "any alert".to_owned(), |kind| format!("alerts of kind {}", kind.name()));
    print(global, &json!({ "silence": id, "kind": kind, "until": rfc3339(until), "reason": args.reason }), || {
        format!("nobody is told of {of} until {}\n", &rfc3339(until)[..16])
    })?;
    Ok(0)
}

pub async fn test(args: &MonitorTestArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.monitor.path, false, global)?;
    let file = open.monitor.file();
    let known = |name: &str| file.receivers.contains_key(name);
    if !known(&args.receiver) {
        let names = file.receivers.keys().map(String::as_str);
        let hint = tidemill_core::suggest(&args.receiver, names.clone()).map_or_else(
            || format!("receivers: {}", names.collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("the monitor file has no receiver `{}`", args.receiver);
        return Err(Failure::new(Code::CommandLine, message).with_hint(hint));
    }
    let context = Context {
        monitor: file.monitor.clone(),
        model: file.model.clone(),
        owner: file.alert.owner.clone(),
        runbook: file.alert.runbook.clone(),
        receiver: args.receiver.clone(),
    };
    let now = Timestamp::now().as_microsecond();
    let finding = Finding {
        kind: Kind::Drift,
        severity: Severity::Warning,
        summary: "a test: nothing is wrong".to_owned(),
        causes: Vec::new(),
    };
    let outcomes = [(Kind::Drift, Outcome::Found(finding, 0))].into();
    let changes = AlertBook::default().observe(&file.model, (now, now), outcomes, (1, 1));
    let alerts: Vec<_> = changes.into_iter().map(|change| change.alert).collect();
    let told = Postman::new(file.receivers.clone(), context)?.tell_now(&args.receiver, &alerts, now).await;
    if let Err(problem) = told {
        return Err(Failure::new(Code::ServerFailed, format!("receiver `{}` was not reached", args.receiver))
            .with_cause(problem));
    }
    print(global, &json!({ "receiver": args.receiver, "told": true }), || format!("`{}` was told\n", args.receiver))?;
    Ok(0)
}
