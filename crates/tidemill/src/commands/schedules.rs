//! `tidemill schedules`.

use console::style;
use jiff::Timestamp;
use serde_json::json;
use tidemill_core::{Code, Failure, suggest};
use tidemill_metadata::{ScheduleState, Tick, TickFilter, TickState};
use tidemill_pipeline::Pipeline;
use tidemill_pipeline::schedule::Schedule;

use crate::cli::{Global, HistoryOfScheduleArgs, ScheduleArgs, SchedulesArgs, SchedulesCommand};
use crate::commands::{find_project, print};
use crate::ui::{Align, Table, age};
use tidemill_project::user;

pub async fn schedules(args: &SchedulesArgs, global: &Global) -> Result<u8, Failure> {
    match &args.command {
        None => list(args.next, global).await,
        Some(SchedulesCommand::History(args)) => history(args, global).await,
        Some(SchedulesCommand::Pause(args)) => pause(args, true, global).await,
        Some(SchedulesCommand::Resume(args)) => pause(args, false, global).await,
    }
}

async fn list(next: usize, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let pipeline = project.pipeline(None, &[])?;
    let workspace = project.open_to_read().await?;
    let states = workspace.metadata.schedules(&pipeline.name).await?;
    let now = Timestamp::now();
    let mut rows = Vec::new();
    for schedule in &pipeline.schedules {
        let filter = TickFilter {
            pipeline: Some(pipeline.name.clone()),
            schedule: Some(schedule.name.clone()),
            ..TickFilter::default()
        };
        let last = workspace.metadata.ticks(&filter, 1).await?.pop();
        let outcome = match last.as_ref().and_then(|tick| tick.run_id.as_ref()) {
            Some(run) => Some(workspace.metadata.run(run.as_str()).await?.state.name()),
            None => None,
        };
        let state = states.iter().find(|state| state.schedule == schedule.name);
        rows.push((schedule, state, schedule.next(now, next), last, outcome));
    }
    let value: Vec<_> = rows
        .iter()
        .map(|(schedule, state, next, last, outcome)| {
            json!({
                "schedule": schedule.name,
                "description": schedule.description,
                "trigger": schedule.trigger.describe(),
                "overlap": schedule.overlap,
                "catch_up": schedule.catch_up,
                "paused_by": state.and_then(|state| state.paused_by.as_ref()),
                "next": next.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "last": last,
                "last_run": outcome,
            })
        })
        .collect();
    print(global, &value, || {
        if rows.is_empty() {
            return format!("`{}` has no schedules: add some under `schedules:`\n", pipeline.file.display());
        }
        let mut table = Table::new(&[("schedule", Align::Left), ("trigger", Align::Left), ("last", Align::Left)]);
        for (schedule, state, _, last, outcome) in &rows {
            table.row([name_of(schedule, *state), schedule.trigger.describe(), last_text(last.as_ref(), *outcome)]);
        }
        let mut text = table.to_string();
        for (schedule, state, next, _, _) in rows.iter().filter(|(.., next, _, _)| !next.is_empty()) {
            text.push_str(&next_text(schedule, *state, next));
        }
        text
    })?;
    Ok(0)
}

fn name_of(schedule: &Schedule, state: Option<&ScheduleState>) -> String {
    match state.and_then(|state| state.paused_by.as_ref()) {
        Some(_) => format!("{} {}", schedule.name, style("paused").yellow()),
        None => schedule.name.clone(),
    }
}

fn last_text(last: Option<&Tick>, outcome: Option<&str>) -> String {
    let Some(tick) = last else { return "never".to_owned() };
    let what = outcome.map_or_else(|| tick.state.name().to_owned(), str::to_owned);
    let reason = tick.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{what} {}{reason}", age(tick.at))
}

/// The next ticks, in the zone of the schedule.
fn next_text(schedule: &Schedule, state: Option<&ScheduleState>, next: &[Timestamp]) -> String {
    let zone = schedule.zone();
    let times: Vec<String> =
        next.iter().map(|at| at.to_zoned(zone.clone()).strftime("%a %F %T %Z").to_string()).collect();
    let paused = match state.and_then(|state| state.paused_by.as_ref().zip(state.paused_at)) {
        Some((by, at)) => format!(" (paused by {by}, {})", age(at)),
        None => String::new(),
    };
    format!("\n{}{paused}, next:\n  {}\n", style(&schedule.name).bold(), times.join("\n  "))
}

async fn history(args: &HistoryOfScheduleArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let pipeline = project.pipeline(None, &[])?;
    let workspace = project.open_to_read().await?;
    let filter = TickFilter { pipeline: Some(pipeline.name), schedule: args.schedule.clone(), open: false };
    let ticks = workspace.metadata.ticks(&filter, args.list.limit).await?;
    print(global, &ticks, || {
        if ticks.is_empty() {
            return "no ticks yet: `tidemill up` runs the schedules\n".to_owned();
        }
        let mut table = Table::new(&[
            ("tick", Align::Left),
            ("schedule", Align::Left),
            ("state", Align::Left),
            ("run", Align::Left),
            ("", Align::Left),
        ]);
        for tick in &ticks {
            table.row([
                tick.key.clone(),
                tick.schedule.clone(),
                tick_state(tick.state),
                tick.run_id.as_ref().map(|run| run.short().to_owned()).unwrap_or_default(),
                tick.reason.clone().unwrap_or_default(),
            ]);
        }
        table.to_string()
    })?;
    Ok(0)
}

fn tick_state(state: TickState) -> String {
    match state {
        TickState::Done => style(state).green(),
        TickState::Pending | TickState::Started => style(state).cyan(),
        TickState::Missed | TickState::Skipped => style(state).yellow(),
    }
    .to_string()
}

async fn pause(args: &ScheduleArgs, is_pause: bool, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let pipeline = project.pipeline(None, &[])?;
    let schedule = find(&pipeline, &args.schedule)?;
    let workspace = project.open().await?;
    let by = user();
    let by = is_pause.then_some(by.as_str());
    workspace.metadata.pause_schedule(&pipeline.name, &schedule.name, by).await?;
    let value = json!({ "schedule": schedule.name, "paused_by": by });
    print(global, &value, || match by {
        Some(_) => format!("{} is paused: its ticks are recorded as SKIPPED\n", schedule.name),
        None => format!("{} is resumed\n", schedule.name),
    })?;
    Ok(0)
}

fn find<'a>(pipeline: &'a Pipeline, name: &str) -> Result<&'a Schedule, Failure> {
    pipeline.schedules.iter().find(|schedule| schedule.name == name).ok_or_else(|| {
        let known = || pipeline.schedules.iter().map(|schedule| schedule.name.as_str());
        let hint = suggest(name, known()).map_or_else(
            || format!("schedules: {}", known().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Failure::new(Code::Schedule, format!("there is no schedule `{name}`")).with_hint(hint)
    })
}
