//! `tidemill monitor`: what is served, watched.

mod alerts;
mod export;
mod inspect;
mod replay;
mod work;

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tidemill_core::{Code, Failure, suggest};
use tidemill_monitor::{Kind, MONITOR_FILE, Micros, parse_time};
use tidemill_project::{OpenMonitor, Project, read_monitor_file};

use crate::cli::{Global, MonitorArgs, MonitorCommand, MonitorInitArgs, MonitorRunArgs};
use crate::commands::{find_project, print, say};

pub async fn monitor(command: &MonitorCommand, global: &Global) -> Result<u8, Failure> {
    match command {
        MonitorCommand::Init(args) => init(args, global).await,
        MonitorCommand::Check(args) => check(args, global),
        MonitorCommand::Run(args) => work::run(args, global).await,
        MonitorCommand::Status(args) => inspect::status(args, global),
        MonitorCommand::Replay(args) => replay::replay(args, global).await,
        MonitorCommand::Explain(args) => inspect::explain(args, global),
        MonitorCommand::Report(args) => inspect::report(args, global),
        MonitorCommand::Ack(args) => alerts::acknowledge(args, global),
        MonitorCommand::Silence(args) => alerts::silence(args, global),
        MonitorCommand::TestReceiver(args) => alerts::test(args, global).await,
        MonitorCommand::Export(args) => export::export(args, global).await,
    }
}

/// The project around a monitor file: that of the flags, or the one whose folder the file is in.
fn project_of(path: &Path, global: &Global) -> Result<Project, Failure> {
    if global.project.is_some() {
        return find_project(None, global);
    }
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty() && *folder != Path::new("."));
    Project::find(folder, global.profile.as_deref())
}

/// Opens the monitor of a file.
pub(super) fn open(path: &Path, replay: bool, global: &Global) -> Result<OpenMonitor, Failure> {
    OpenMonitor::open(project_of(path, global)?, path, replay)
}

/// The monitors of a project: `monitor.yaml` and those in its folder `monitors`.
pub(super) fn of_project(project: &Project) -> Result<Vec<OpenMonitor>, Failure> {
    let mut files = vec![project.dir.join(MONITOR_FILE)];
    if let Ok(folder) = std::fs::read_dir(project.dir.join("monitors")) {
        files.extend(folder.filter_map(Result::ok).map(|entry| entry.path()));
    }
    files.retain(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files.iter().map(|path| OpenMonitor::open(project.clone(), path, false)).collect()
}

/// Watches with a monitor until `stop`.
pub(super) async fn watch(open: OpenMonitor, every: Duration, global: Global, stop: impl Future<Output = ()>) {
    let path = MonitorArgs { path: open.path.clone() };
    let args = MonitorRunArgs { monitor: path, once: false, complete: false, fresh: false, every, metrics: None };
    work::watch(open, &args, &global, stop).await;
}

/// A time of the command line.
fn time(flag: &str, text: Option<&str>) -> Result<Option<Micros>, Failure> {
    let parse = |text: &str| {
        let day = || parse_time(&format!("{text}T00:00:00Z"));
        parse_time(text).or_else(day).ok_or_else(|| {
            Failure::new(Code::CommandLine, format!("`--{flag} {text}` is not a time"))
                .with_hint("write `2026-03-01` or `2026-03-01T12:00:00Z`")
        })
    };
    text.map(parse).transpose()
}

/// A kind of alert by its name.
fn kind(name: &str) -> Result<Kind, Failure> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name);
        let hint = match suggest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("kinds: {}", names.join(", ")),
        };
        Failure::new(Code::CommandLine, format!("`{name}` is not a kind of alert")).with_hint(hint)
    })
}

fn check(args: &MonitorArgs, global: &Global) -> Result<u8, Failure> {
    let (file, path) = read_monitor_file(&args.path)?;
    print(global, &json!({ "file": path, "monitor": file }), || {
        let (receivers, actions) = (file.receivers.len(), file.actions.len());
        format!(
            "{} `{}` is valid: windows of {} of `{}`, {receivers} receivers, {actions} actions\n",
            console::style("✓").green(),
            path.display(),
            String::from(file.window),
            file.model
        )
    })?;
    Ok(0)
}

async fn init(args: &MonitorInitArgs, global: &Global) -> Result<u8, Failure> {
    if args.out.exists() {
        let message = format!("`{}` is there already", args.out.display());
        return Err(Failure::new(Code::CommandLine, message).with_hint("name another file with `--out`"));
    }
    let known = match find_project(None, global)?.metadata().await {
        Ok(metadata) => metadata.models().await?.into_iter().map(|record| record.model.name).collect(),
        Err(_) => Vec::new(),
    };
    if !known.contains(&args.model) {
        let near = suggest(&args.model, known.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
        say(
            global,
            &format!(
                "warning: no model `{}` is registered{hint}: the first rows of its log will be the reference",
                args.model
            ),
        );
    }
    let text = format!(
        "version: 1\n\
         monitor: {model}\n\
         model: {model}\n\
         log: {log}                # the folder of `serve --log`\n\
         window: 1h\n\
         reference: training       # the evaluation rows of the run that made the version\n\
         alert: {{ after: 2, of: 3 }} # unusual windows before somebody is told\n\
         # labels: {{ feedback: true, maturity: 1d }}\n\
         # receivers:\n\
         #   team: {{ to: {{ webhook: {{ url: \"${{env.ALERTS_URL}}\" }} }} }}\n\
         # actions:\n\
         #   retrain: {{ on: [drift, performance], do: {{ run: {{}} }}, cool_down: 1d }}\n",
        model = args.model,
        log = args.log.display(),
    );
    tidemill_files::write(&args.out, text)?;
    print(global, &json!({ "file": args.out }), || format!("wrote `{}`\n", args.out.display()))?;
    say(global, "`tidemill monitor run` watches the log from now on");
    Ok(0)
}

/// The alert that a text means: the start of a fingerprint, or a kind.
fn find_alert<'a>(open: &'a OpenMonitor, text: &str) -> Result<&'a tidemill_monitor::alert::Alert, Failure> {
    let book = open.monitor.alerts();
    let by_kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.name() == text)
        .and_then(|kind| book.open.get(&kind).or_else(|| book.past.iter().rev().find(|alert| alert.kind == kind)));
    by_kind.or_else(|| book.find(text)).ok_or_else(|| {
        let hint = "`tidemill monitor status` lists the alerts";
        Failure::new(Code::NotInStore, format!("there is no alert `{text}`")).with_hint(hint)
    })
}
