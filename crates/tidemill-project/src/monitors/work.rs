//! A monitor in a process that goes on: what is new is read, told and done.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_monitor::alert::{AlertState, Context, Delivered, Postman, Queue};
use tidemill_monitor::{Micros, Monitor, Round, rfc3339};
use tidemill_pipeline::{Observer, Workspace};

use super::act::{Acted, act};
use super::file::OpenMonitor;
use super::references::References;

/// What a round of a monitor did.
#[derive(Debug, Default)]
pub struct Tick {
    /// What was read and found.
    pub round: Round,
    /// What was told.
    pub delivered: Delivered,
    /// What was done.
    pub acted: Vec<Acted>,
    /// What could not be done, and why.
    pub problems: Vec<String>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

/// One round: reads what is new, closes windows, tells receivers and acts. `now` is the clock; `None` takes the log as
/// complete. What is to be told and what was done is on disk before the round ends, so a process that is killed loses
/// nothing, and does nothing twice.
pub async fn tick(open: &mut OpenMonitor, now: Option<Micros>, observer: Arc<dyn Observer>) -> Result<Tick, Failure> {
    let mut done = Tick::default();
    let workspace = open.project.open_to_read().await.ok();
    (done.round, done.notes) = round(open, workspace, now).await?;
    let file = open.monitor.file().clone();
    let clock = Timestamp::now().as_microsecond();
    // On a simulated clock, brakes and silences follow the windows.
    let time = now.unwrap_or_else(|| open.monitor.seen().newest.unwrap_or(clock));
    let context = Context {
        monitor: file.monitor.clone(),
        model: file.model.clone(),
        owner: file.alert.owner.clone(),
        runbook: file.alert.runbook.clone(),
        receiver: String::new(),
    };
    let postman = Postman::new(file.receivers.clone(), context)?;
    let queue = open.monitor.state().dir().map(|dir| Queue::new(&dir.join("queue")));
    let loud: Vec<_> = done
        .round
        .changes
        .iter()
        .filter(|change| !open.monitor.alerts().is_silenced(change.alert.kind, time))
        .collect();
    if let Some(queue) = &queue {
        // Changes of one window are one letter.
        for group in loud.chunk_by(|a, b| a.at == b.at && a.alert.state == b.alert.state) {
            let alerts: Vec<_> = group.iter().map(|change| change.alert.clone()).collect();
            for mut letter in postman.letters(&alerts, group[0].at) {
                letter.not_before = Micros::MIN;
                queue.add(&letter)?;
            }
        }
        if now.is_some() && time - open.monitor.told() >= file.alert.repeat.micros() {
            remind(open, &postman, queue, time)?;
        }
    }
    // An alert that gets worse has fired before.
    let fired =
        loud.iter().filter(|change| change.alert.state == AlertState::Firing && change.alert.fired == Some(change.at));
    let fired: Vec<_> = fired.map(|change| change.alert.clone()).collect();
    open.monitor.save()?;
    if let Some(queue) = &queue {
        done.delivered = postman.deliver(queue, clock).await?;
        let firing: Vec<_> = open
            .monitor
            .alerts()
            .open
            .values()
            .filter(|alert| alert.state == AlertState::Firing && !open.monitor.alerts().is_silenced(alert.kind, time))
            .cloned()
            .collect();
        if now.is_some() {
            done.delivered.problems.extend(postman.repeat(&firing, clock).await);
        }
    }
    let base = open.path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    for alert in &fired {
        for name in file.actions.iter().filter(|(_, spec)| spec.on.contains(&alert.kind)).map(|(name, _)| name) {
            if !open.monitor.may_act(name, time) {
                done.notes.push(format!("action `{name}` was not done for {}: its brake is on", alert.kind.name()));
                continue;
            }
            open.monitor.mark_acted(name, time);
            open.monitor.save()?;
            match act(&open.project, &open.monitor, &base, name, alert, Arc::clone(&observer)).await {
                Ok(acted) => {
                    journal(&open.monitor, &acted, clock)?;
                    done.acted.push(acted);
                }
                Err(failure) => done.problems.push(format!("action `{name}` failed: {failure}")),
            }
        }
    }
    Ok(done)
}

/// Tells again of what still fires and nobody has acknowledged.
fn remind(open: &mut OpenMonitor, postman: &Postman, queue: &Queue, time: Micros) -> Result<(), Failure> {
    let alerts = open.monitor.alerts();
    let still = alerts.open.values().filter(|alert| {
        let old = alert.fired.is_some_and(|fired| time - fired >= open.monitor.file().alert.repeat.micros());
        alert.state == AlertState::Firing
            && old
            && alert.acknowledged.is_none()
            && !alerts.is_silenced(alert.kind, time)
    });
    let still: Vec<_> = still.cloned().collect();
    open.monitor.mark_told(time);
    if !still.is_empty() {
        for letter in postman.letters(&still, time) {
            queue.add(&letter)?;
        }
    }
    Ok(())
}

/// Reads on a thread that may block.
async fn round(
    open: &mut OpenMonitor,
    workspace: Option<Workspace>,
    now: Option<Micros>,
) -> Result<(Round, Vec<String>), Failure> {
    let base = open.path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let mut references = References::new(open.monitor.file().clone(), &base, open.monitor.log(), workspace);
    let mut monitor = open.monitor.clone();
    // One thread reads: a monitor is to leave the machine to others, and several would hold several parts of a file.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| Failure::new(Code::Internal, format!("no thread can be started: {error}")))?;
    let work = move || {
        pool.install(move || {
            let result = monitor.round(&mut references, now);
            (result, monitor, references.notes)
        })
    };
    let panicked = |_| Failure::new(Code::Internal, "the monitor panicked");
    let (result, monitor, notes) = tokio::task::spawn_blocking(work).await.map_err(panicked)?;
    open.monitor = monitor;
    Ok((result?, notes))
}

/// Adds a line to `actions.jsonl`: which alert did what.
fn journal(monitor: &Monitor, acted: &Acted, now: Micros) -> Result<(), Failure> {
    let Some(dir) = monitor.state().dir() else { return Ok(()) };
    let path = dir.join("actions.jsonl");
    let line = json!({ "time": rfc3339(now), "action": acted.action, "alert": acted.alert, "what": acted.what, "run": acted.run });
    let failed = |error: std::io::Error| Failure::io(&path, &error);
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    file.write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
    file.sync_data().map_err(failed)
}

/// Rounds until `stop`, one every `every`. `told` gets the outcome of each; an error of a round does not end the others.
pub async fn watch_monitor(
    open: &mut OpenMonitor,
    every: Duration,
    observer: Arc<dyn Observer>,
    stop: impl Future<Output = ()>,
    mut told: impl FnMut(&OpenMonitor, Result<&Tick, &Failure>),
) {
    let mut stop = std::pin::pin!(stop);
    loop {
        let done = tick(open, Some(Timestamp::now().as_microsecond()), Arc::clone(&observer)).await;
        told(open, done.as_ref());
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = &mut stop => return,
        }
    }
}
