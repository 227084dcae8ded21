//! `tidemill up`: schedules, triggers, monitors and the model server in one process.

use std::sync::Arc;

use console::style;
use tidemill_core::Failure;
use tidemill_metadata::TickState;
use tidemill_pipeline::Launcher;
use tidemill_project::{Notice, Orchestrator, OrchestratorOptions, Project};

use crate::cli::{Global, LauncherName, UpArgs};
use crate::commands::pipeline::threads;
use crate::commands::step::make_launcher;
use crate::commands::{find_project, monitor, serve, talk};
use crate::ui::{Quiet, seconds};

/// Makes the launcher of a run with the given parameters.
pub type Launchers = Arc<dyn Fn(&[(String, String)]) -> Result<Arc<dyn Launcher>, Failure> + Send + Sync>;

pub async fn up(args: &UpArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    let options = OrchestratorOptions {
        threads: threads(args.threads, &project),
        steps_max: project.settings.steps_at_once.max(1),
        launcher: launchers(&project, args.launcher, args.threads, global),
        hooks: args.hooks,
        notify: notifier(global),
        observer: Arc::new(Quiet),
    };
    // A monitor file with a mistake ends nothing later: it is an error now.
    let monitors = if args.no_monitors { Vec::new() } else { monitor::of_project(&project)? };
    let orchestrator = Orchestrator::new(project, options).await?;
    let schedules = orchestrator.pipeline().schedules.len();
    if schedules == 0 && !global.quiet {
        talk("this pipeline has no schedules: approvals are continued, and models are served");
    }
    let (ending, end) = tokio::sync::watch::channel(false);
    let watched: Vec<_> = monitors
        .into_iter()
        .map(|open| {
            let mut end = end.clone();
            let stop = async move { drop(end.wait_for(|ended| *ended).await) };
            tokio::spawn(monitor::watch(open, args.monitor_every, global.clone(), stop))
        })
        .collect();
    let done = serve_and_schedule(args, orchestrator, global).await;
    // A monitor ends between two rounds.
    ending.send_replace(true);
    for monitor in watched {
        monitor.await.map_err(lost)?;
    }
    done
}

async fn serve_and_schedule(args: &UpArgs, orchestrator: Orchestrator, global: &Global) -> Result<u8, Failure> {
    if args.no_serve {
        orchestrator.run(tidemill_cli::serve::stop_signal()).await?;
        return Ok(0);
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut schedules = tokio::spawn(orchestrator.run(async { drop(stopped.await) }));
    let served = tokio::select! {
        served = serve::serve(&args.serve, global) => served,
        // Schedules end before the server only if they cannot run.
        ended = &mut schedules => return ended.map_err(lost)?.map(|()| 0),
    };
    drop(stop);
    schedules.await.map_err(lost)??;
    served
}

fn lost(error: tokio::task::JoinError) -> Failure {
    Failure::new(tidemill_core::Code::Internal, format!("a part of `up` stopped unexpectedly: {error}"))
}

/// Launchers as the flags have them.
pub fn launchers(project: &Project, launcher: LauncherName, threads: Option<usize>, global: &Global) -> Launchers {
    let (project, global) = (project.clone(), global.clone());
    Arc::new(move |params| make_launcher(&project, launcher, threads, params, &global))
}

/// A line on standard error for each notice.
fn notifier(global: &Global) -> Arc<dyn Fn(&Notice) + Send + Sync> {
    if global.quiet {
        return Arc::new(|notice| {
            if let Notice::Trouble { message, .. } = notice {
                talk(message);
            }
        });
    }
    Arc::new(|notice| talk(&format!("{} {}", style(now()).dim().for_stderr(), line(notice))))
}

fn now() -> String {
    jiff::Zoned::now().strftime("%T").to_string()
}

fn line(notice: &Notice) -> String {
    let of = |schedule: &Option<String>| schedule.clone().unwrap_or_else(|| "approval".to_owned());
    match notice {
        Notice::Listening { address } => format!("receiving signed requests on http://{address}"),
        Notice::Tick { tick } => {
            let reason = tick.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let state = match tick.state {
                TickState::Pending => "tick".to_owned(),
                state => state.name().to_lowercase(),
            };
            format!("{}  {state} {}{reason}", style(&tick.schedule).cyan().for_stderr(), tick.key)
        }
        Notice::Started { schedule, run, .. } => {
            format!("{}  run {} started", style(of(schedule)).cyan().for_stderr(), run.short())
        }
        Notice::Ended { schedule, run, state, seconds: time } => {
            let time = seconds(*time);
            format!("{}  run {} is {state} after {time}", style(of(schedule)).cyan().for_stderr(), run.short())
        }
        Notice::Trouble { message, help } => {
            let help = help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
            format!("{} {message}{help}", style("warning:").yellow().for_stderr())
        }
    }
}
