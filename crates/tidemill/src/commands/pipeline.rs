//! `tidemill check`, `plan` and `run`.

use std::sync::Arc;

use console::style;
use serde_json::json;
use tidemill_core::{ArtifactType, Code, Failure};
use tidemill_metadata::RunId;
use tidemill_onnx::load_package;
use tidemill_pipeline::{
    Action, CachePolicy, InProcess, Observer, Origin, Pipeline, Plan, RunOptions, RunReport, Selection, Workspace,
};
use tidemill_project::{Project, RunSupervisor, environment};

use crate::cli::{CacheArgs, Global, LauncherName, OutputFormat, PipelineArgs, PlanArgs, RunArgs, SelectionArgs};
use crate::commands::step;
use crate::commands::watch::watch;
use crate::commands::{find_project, print, write_out};
use crate::ui::{Align, Quiet, RunInputs, Table, TerminalObserver, run_text};

pub fn check(args: &PipelineArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(args.path.as_deref(), global)?;
    let pipeline = project.pipeline(None, &args.params)?;
    let steps = pipeline.steps.iter().map(|step| {
        let inputs = step.bindings.iter().map(|wire| (wire.key.clone(), origin(&pipeline, &wire.from).into()));
        json!({
            "step": step.name,
            "component": step.spec.name,
            "inputs": inputs.collect::<serde_json::Map<String, serde_json::Value>>(),
        })
    });
    let value = json!({ "pipeline": pipeline.name, "file": pipeline.file, "steps": steps.collect::<Vec<_>>() });
    print(global, &value, || {
        let mut table = Table::new(&[("step", Align::Left), ("component", Align::Left), ("reads", Align::Left)]);
        for step in &pipeline.steps {
            let reads: Vec<String> = step.bindings.iter().map(|wire| origin(&pipeline, &wire.from)).collect();
            table.row([step.name.clone(), style(&step.spec.name).dim().to_string(), reads.join(", ")]);
        }
        let file = pipeline.file.display();
        format!("{table}\n{} `{file}` is valid: {} steps\n", style("✓").green(), pipeline.steps.len())
    })?;
    Ok(0)
}

fn origin(pipeline: &Pipeline, from: &Origin) -> String {
    match from {
        Origin::Step { step, output } => format!("{}.{output}", pipeline.steps[*step].name),
        Origin::LatestBlessedModel => "the latest blessed model".to_owned(),
        Origin::LastAccepted { of } => format!("the last accepted {of}"),
    }
}

pub async fn plan(args: &PlanArgs, global: &Global) -> Result<u8, Failure> {
    let project = find_project(args.pipeline.path.as_deref(), global)?;
    // Without a pipeline file nothing may be made, not even a store.
    project.pipeline(None, &args.pipeline.params)?;
    let workspace = project.open_to_read().await?;
    let pipeline = project.pipeline(Some(&workspace), &args.pipeline.params)?;
    let cache = cache_policy(&args.cache, &pipeline)?;
    let plan = Plan::make(&pipeline, &workspace, &cache).await?;
    print(global, &plan, || plan_text(&plan))?;
    // Nothing would mend a package that is served and that no step of this pipeline makes with these parameters.
    let is_lost = plan.runs() == 0 && !plan.damaged_versions.is_empty();
    Ok(match (plan.has_problems(), is_lost) {
        (true, _) => Code::Params.exit_code(),
        (false, true) => Code::ArtifactDamaged.exit_code(),
        (false, false) => 0,
    })
}

fn plan_text(plan: &Plan) -> String {
    let mut table = Table::new(&[("step", Align::Left), ("", Align::Left), ("why", Align::Left)]);
    for step in &plan.steps {
        let action = match step.action {
            Action::Run => style("run").green().to_string(),
            Action::Cached => style("cached").dim().to_string(),
            Action::Skip => style("skip").yellow().to_string(),
        };
        table.row([step.step.clone(), action, step.reasons.join("; ")]);
    }
    let (runs, steps) = (plan.runs(), plan.steps.len());
    let held_up = plan.steps.iter().filter(|step| step.action == Action::Skip).count();
    let closing = match (runs, held_up) {
        (0, 0) if !plan.damaged_versions.is_empty() => {
            format!("all {steps} steps are cached, but a run would not make the damaged package again")
        }
        (0, 0) => format!("nothing to do: all {steps} steps are cached"),
        (_, 0) => format!("{runs} of {steps} steps would run"),
        _ => format!("{runs} of {steps} steps would run, {held_up} would not: a step before them did not pass"),
    };
    let mut said = String::new();
    for step in &plan.steps {
        for note in &step.notes {
            said.push_str(&format!("{} {}: {note}\n", style("·").dim(), step.step));
        }
        for problem in &step.problems {
            said.push_str(&format!("{} {}: {problem}\n", style("✗").red(), step.step));
        }
    }
    for damaged in &plan.damaged_versions {
        said.push_str(&format!("{} {damaged}\n", style("✗").red()));
    }
    let gap = if said.is_empty() { "" } else { "\n" };
    format!("{}\n{table}\n{said}{gap}{closing}\n", style(&plan.pipeline).bold())
}

pub async fn run(args: &RunArgs, global: &Global) -> Result<u8, Failure> {
    if args.watch && global.output == OutputFormat::Json {
        return Err(Failure::new(Code::CommandLine, "`--watch` never ends, and `-o json` prints one document")
            .with_hint("leave out one of them; `tidemill runs -o json` lists the runs"));
    }
    let project = find_project(args.pipeline.path.as_deref(), global)?;
    project.pipeline(None, &args.pipeline.params)?;
    let workspace = project.open().await?;
    let pipeline = Arc::new(project.pipeline(Some(&workspace), &args.pipeline.params)?);
    if args.watch {
        return watch(&project, &workspace, pipeline, args, global).await;
    }
    run_once(&project, workspace, pipeline, args, None, global, interrupted()).await
}

/// One run, reported to its end: a new one, or the WAITING one to `resume`. Returns the exit code.
pub async fn run_once(
    project: &Project,
    workspace: Workspace,
    pipeline: Arc<Pipeline>,
    args: &RunArgs,
    resume: Option<RunId>,
    global: &Global,
    stop: impl Future<Output = ()> + Send,
) -> Result<u8, Failure> {
    let cache = cache_policy(&args.cache, &pipeline)?;
    let options = RunOptions {
        threads: threads(args.threads, project),
        steps_max: project.settings.steps_at_once.max(1),
        launcher: match args.launcher {
            LauncherName::InProcess => Arc::new(InProcess),
            LauncherName::Process => {
                Arc::new(step::child_launcher(project, args.threads, &args.pipeline.params, &cache, global)?)
            }
        },
        cache,
        environment: Some(environment(&project.dir).await),
        resume,
        selection: selection(&args.selection, &pipeline)?,
        ..RunOptions::default()
    };
    let store = workspace.clone();
    let observer: Arc<dyn Observer> =
        if global.quiet { Arc::new(Quiet) } else { Arc::new(TerminalObserver::new(&pipeline)) };
    let run = RunSupervisor::default().start(workspace, pipeline, options, observer).await?;
    let mut stop = std::pin::pin!(stop);
    let report = tokio::select! {
        report = run.wait() => report?,
        () = &mut stop => {
            run.cancel();
            run.wait().await?
        }
    };
    match global.output {
        OutputFormat::Json => print(global, &report, String::new)?,
        OutputFormat::Text => {
            let inputs = RunInputs {
                request: sample_request(&store, &report),
                ..RunInputs::of(&store.metadata.executions(&report.run_id).await?)
            };
            write_out(&run_text(&report, &inputs, global.verbose > 0))?;
        }
    }
    Ok(report.exit_code())
}

/// A body to send to the model that the run pushed, with a row recorded in training.
fn sample_request(store: &Workspace, report: &RunReport) -> Option<String> {
    let outputs = report.steps.iter().rev().flat_map(|step| &step.outputs);
    let model = outputs.into_iter().find(|output| output.artifact_type == ArtifactType::Model)?;
    // A package that cannot be read is reported elsewhere.
    let dir = store.artifacts.get(model.artifact_type, &model.digest).ok()?;
    let package = load_package(dir).ok()?;
    let row = &package.sample_rows().first()?.row;
    Some(json!({ "instances": [row] }).to_string())
}

/// Threads a step may keep busy: the flag, or what the settings say.
pub fn threads(flag: Option<usize>, project: &Project) -> usize {
    flag.filter(|threads| *threads > 0).unwrap_or_else(|| project.settings.threads())
}

/// Resolves when the user or the system asks the process to stop. Asked a second time, it stops at once.
pub async fn interrupted() {
    tidemill_cli::serve::stop_signal().await;
    tokio::spawn(async {
        tidemill_cli::serve::stop_signal().await;
        std::process::exit(i32::from(tidemill_core::Kind::Interrupted.exit_code()));
    });
}

/// The steps that the flags select; their names are checked.
fn selection(args: &SelectionArgs, pipeline: &Pipeline) -> Result<Selection, Failure> {
    let SelectionArgs { from, until, only, skip } = args.clone();
    for name in from.iter().chain(&until).chain(&only).chain(&skip) {
        step::step_index(pipeline, name)?;
    }
    Ok(Selection { from, until, only, skip })
}

fn cache_policy(args: &CacheArgs, pipeline: &Pipeline) -> Result<CachePolicy, Failure> {
    if args.no_cache.is_empty() {
        return Ok(CachePolicy::Use);
    }
    if args.no_cache.iter().any(String::is_empty) {
        return Ok(CachePolicy::Off);
    }
    for name in &args.no_cache {
        step::step_index(pipeline, name)?;
    }
    Ok(CachePolicy::OffFor(args.no_cache.iter().cloned().collect()))
}
