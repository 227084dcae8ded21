//! `tidemill loadtest`: load on a model server.

mod text;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_loadtest::{
    Capacity, Certificates, Goal, Load, LoadProgress, Measured, ModelInput, Protocol, Rate, Requests, Target,
    find_capacity, inputs, model_names, perturbed_rows, run, synthetic_rows, try_request,
};
use tidemill_metadata::{ModelVersion, VersionSpec};
use tidemill_project::split_spec;

use crate::cli::{Global, LoadtestArgs, OutputFormat};
use crate::commands::{find_project, print, rows, say, talk};
use crate::ui::{count, error_text};

/// The tag under which a result stands with a model version.
const TAG: &str = "loadtest";

/// What the command prints.
#[derive(Debug, Serialize)]
struct Report {
    url: String,
    protocol: &'static str,
    model: Option<String>,
    connections: usize,
    rows_per_request: usize,
    distinct_requests: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Measured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<Capacity>,
    /// Whether the bound held; none without a bound.
    held: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<String>,
}

pub async fn loadtest(args: &LoadtestArgs, global: &Global) -> Result<u8, Failure> {
    // What cannot be stored must be known before time is spent on measuring it.
    let version = match &args.record {
        Some(spec) => Some(recorded_version(spec, global).await?),
        None => None,
    };
    let target = target(args).await?;
    let requests = Arc::new(requests(args, &target, global).await?);
    try_request(&target, &requests, args.timeout).await?;
    let load = Load {
        rate: args.rate,
        duration: args.duration,
        warmup: args.warmup,
        connections: args.connections,
        timeout: args.timeout,
    };
    let goal = args.p99.map(|p99| Goal { p99_ms: p99.as_secs_f64() * 1e3, failed_max: args.failures });
    let mut report = Report {
        url: target.url.clone(),
        protocol: target.protocol.name(),
        model: target.model.clone(),
        connections: args.connections,
        rows_per_request: requests.rows_each(),
        distinct_requests: requests.distinct(),
        measured: None,
        capacity: None,
        held: None,
        recorded: None,
    };
    let watch = Arc::new(LoadProgress::default());
    let stopper = stop_on_signal(&watch);
    let live = Live::start(&watch, &load, args.find_capacity, global);
    if let (true, Some(goal)) = (args.find_capacity, goal) {
        let found = find_capacity(&target, &requests, &load, goal, &watch, |probe| {
            live.say(&text::probe_line(probe, goal), global);
        });
        let found = found.await?;
        report.held = Some(found.rate > 0.0);
        report.measured = found.best().cloned();
        report.capacity = Some(found);
    } else {
        let measured = run(&target, &requests, &load, &watch).await?;
        report.held = goal.map(|goal| goal.is_met(&measured));
        report.measured = Some(measured);
    }
    live.end();
    stopper.abort();
    if let Some(version) = version {
        report.recorded = Some(record(&version, &report, global).await?);
    }
    print(global, &report, || text::report(&report))?;
    if watch.is_stopped() {
        say(global, "stopped early: what was measured until then");
    }
    Ok(match report.held {
        Some(false) if global.output == OutputFormat::Text => {
            let failure = Failure::new(Code::LoadTooSlow, text::missed(&report, goal));
            talk(&error_text(&failure));
            Code::LoadTooSlow.exit_code()
        }
        Some(false) => Code::LoadTooSlow.exit_code(),
        _ => 0,
    })
}

/// Where to send requests, with the model's name found out if it was not given.
async fn target(args: &LoadtestArgs) -> Result<Target, Failure> {
    let protocol = if args.body.is_some() { Some(Protocol::Raw) } else { args.protocol.map(Protocol::from) };
    let mut target = Target::parse(&args.url, protocol, args.model.as_deref())?;
    target.headers.clone_from(&args.headers);
    if args.ca.is_some() || args.cert.is_some() {
        let read = |file: &PathBuf| std::fs::read(file).map_err(|error| Failure::io(file, &error));
        let client = match (&args.cert, &args.key) {
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            _ => None,
        };
        target.certified(&Certificates { authorities: args.ca.as_ref().map(read).transpose()?, client })?;
    }
    if target.model.is_none() && target.protocol != Protocol::Raw {
        let names = if target.protocol == Protocol::Grpc { Vec::new() } else { model_names(&target).await? };
        match names.as_slice() {
            [name] => target.name_model(name),
            _ => return Err(tidemill_loadtest::LoadError::Model { server: target.authority, names }.into()),
        }
    }
    Ok(target)
}

/// The requests to send.
async fn requests(args: &LoadtestArgs, target: &Target, global: &Global) -> Result<Requests, Failure> {
    if let Some(body) = &args.body {
        let body = std::fs::read(body).map_err(|error| Failure::io(body, &error))?;
        return Ok(Requests::raw(body, &args.content_type));
    }
    if target.protocol == Protocol::Raw {
        return Err(Failure::new(Code::CommandLine, format!("`{}` is not the endpoint of a model", args.url))
            .with_hint("give the body to send with `--body`"));
    }
    let each = args.rows_per_request.max(1);
    let wanted = args.distinct.max(1).saturating_mul(each);
    let takes = inputs(target).await?;
    let names: Option<Vec<&str>> = takes.as_ref().map(|inputs| inputs.iter().map(|input| &*input.name).collect());
    let given = match (&args.rows, &args.package) {
        (Some(file), _) => Some(rows::of_file(file, wanted, names.as_deref(), global)?),
        (None, Some(package)) => Some(rows::of_package(package, global).await?),
        (None, None) => None,
    };
    let rows = match given {
        Some(rows) if args.no_vary => {
            rows.iter().cycle().take(wanted.min(rows.len().next_multiple_of(each))).cloned().collect()
        }
        Some(rows) => perturbed_rows(&rows, wanted, args.seed),
        None => synthetic_rows(takes.as_deref().unwrap_or_default(), wanted, args.seed),
    };
    let model = target.model.as_deref().unwrap_or_default();
    let takes: Option<&[ModelInput]> = takes.as_deref();
    Ok(Requests::new(target.protocol, model, &rows, each, takes)?)
}

/// The version a result is stored with.
async fn recorded_version(spec: &str, global: &Global) -> Result<ModelVersion, Failure> {
    let (name, version) = split_spec(spec);
    let Some(version) = version else {
        return Err(Failure::new(Code::CommandLine, format!("`{spec}` names no version of a model"))
            .with_hint("write NAME@ALIAS or NAME:VERSION"));
    };
    let metadata = find_project(None, global)?.metadata().await?;
    Ok(metadata.model_version(name, &version).await?)
}

/// Stores what matters of the result with the version, and says where.
async fn record(version: &ModelVersion, report: &Report, global: &Global) -> Result<String, Failure> {
    let metadata = find_project(None, global)?.open().await?.metadata;
    let summary = json!({
        "at": jiff::Timestamp::now(),
        "url": report.url,
        "protocol": report.protocol,
        "connections": report.connections,
        "rows_per_request": report.rows_per_request,
        "capacity": report.capacity.as_ref().map(|found| json!({ "rate": found.rate, "goal": found.goal })),
        "rate": report.measured.as_ref().map(|measured| measured.rate),
        "latency": report.measured.as_ref().map(|measured| measured.latency),
        "failed": report.measured.as_ref().map(|measured| measured.failed + measured.unsent),
        "held": report.held,
    });
    let tags = BTreeMap::from([(TAG.to_owned(), summary.to_string())]);
    let tagged = metadata.tag_version(&version.model, &VersionSpec::Number(version.version), tags).await?;
    Ok(format!("{}:{}", tagged.model, tagged.version))
}

/// The first Ctrl-C ends the measurement and shows it.
fn stop_on_signal(watch: &Arc<LoadProgress>) -> tokio::task::JoinHandle<()> {
    let watch = Arc::clone(watch);
    tokio::spawn(async move {
        tidemill_cli::serve::stop_signal().await;
        watch.stop();
    })
}

/// A line on standard error that shows how far the load is, where that is a terminal.
struct Live(Option<(ProgressBar, tokio::task::JoinHandle<()>)>);

impl Live {
    fn start(watch: &Arc<LoadProgress>, load: &Load, searching: bool, global: &Global) -> Self {
        if global.quiet || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::default_spinner().tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        bar.enable_steady_tick(Duration::from_millis(90));
        let (watch, shown, asked) = (Arc::clone(watch), bar.clone(), load.rate);
        let task = tokio::spawn(async move {
            let mut before = watch.counts().0;
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let (ok, failed) = watch.counts();
                let asked = match asked {
                    Rate::PerSecond(rate) if !searching => format!(" of {}", count(rate as u64)),
                    _ => String::new(),
                };
                shown.set_message(format!(
                    "{}{asked} requests/s · {} answered · {} failed",
                    count((ok - before) * 2),
                    count(ok),
                    count(failed)
                ));
                before = ok;
            }
        });
        Self(Some((bar, task)))
    }

    /// Says something above the line.
    fn say(&self, line: &str, global: &Global) {
        match &self.0 {
            Some((bar, _)) => bar.println(line),
            None => say(global, line),
        }
    }

    fn end(self) {
        if let Some((bar, task)) = self.0 {
            task.abort();
            bar.finish_and_clear();
        }
    }
}
