//! `tidemill automl`: from a table to the best model that a budget allows.

mod text;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tidemill_core::{ArtifactType, Code, Failure, Kind};
use tidemill_metadata::RunState;
use tidemill_pipeline::{InProcess, RunOptions, RunReport, Workspace};
use tidemill_project::{
    Automl, AutomlChoices, Board, Draft, DraftRequest, JudgedScore, PIPELINE_FILE, Project, RunSupervisor, SEARCH_FILE,
    SplitRequest, completed,
};

use crate::cli::{AutomlArgs, Global};
use crate::commands::init::from_data::{begin, name_of, relative};
use crate::commands::init::write;
use crate::commands::input::open_unknown;
use crate::commands::pipeline::{interrupted, threads};
use crate::commands::{print, say};
use crate::ui::{TrialObserver, Trials, running_bar};

/// The time of a search where nothing else ends it.
const BUDGET: Duration = Duration::from_mins(5);
/// The pipeline file by which the winner is judged before it has thresholds; it is gone afterwards.
const JUDGE_FILE: &str = "judge.yaml";
/// What the pipeline file of an unfinished search says of itself.
const UNFINISHED: &str =
    "# The best so far of an unfinished search: `tidemill automl` goes on with it, and writes this file again.\n";

pub async fn automl(args: &AutomlArgs, global: &Global) -> Result<u8, Failure> {
    let began = Instant::now();
    let name = args.name.clone().unwrap_or_else(|| name_of(&args.file));
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from(&name));
    let (table, read) = open_unknown(&args.file, args.input.options(), global)?;
    let split = args.time.as_deref().map(SplitRequest::Time).or(args.group.as_deref().map(SplitRequest::Group));
    let draft = {
        let (bar, progress) = running_bar(&name, global);
        let threads = args.threads.unwrap_or_else(tidemill_project::cores);
        let label = args.label.as_deref();
        let request = DraftRequest { path: &args.file, read: &read, label, name: &name, split, threads };
        let draft = Draft::new(&table, &request, &*progress);
        bar.finish_and_clear();
        draft?
    };
    let choices = AutomlChoices {
        metric: args.metric.clone(),
        budget: args.budget.or_else(|| args.trials.is_none().then_some(BUDGET)),
        trials: args.trials,
        parallel: usize::from(args.parallel),
        latency_ms_max: args.max_latency.map(|most| most.as_secs_f64() * 1000.0),
        explain_only: args.explain_only,
        seed: args.seed,
    };
    let automl = Automl::new(&draft, &choices, relative(&args.file, &dir)?, &args.file.to_string_lossy())?;
    let search = Search {
        dir: &dir,
        draft: &draft,
        automl: &automl,
        global,
        threads: args.threads,
        trials: Arc::default(),
        began,
    };
    search.run(&choices).await
}

/// Resolves when the process is asked to stop.
type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A search in a folder.
struct Search<'a> {
    dir: &'a Path,
    draft: &'a Draft,
    automl: &'a Automl<'a>,
    global: &'a Global,
    threads: Option<usize>,
    trials: Arc<Mutex<Trials>>,
    began: Instant,
}

impl Search<'_> {
    async fn run(&self, choices: &AutomlChoices) -> Result<u8, Failure> {
        let mut stop: Stop = Box::pin(interrupted());
        let file = self.dir.join(SEARCH_FILE);
        let known = self.claim(&file)?;
        say(self.global, &text::head(self.draft, self.automl));
        if !known.as_deref().is_some_and(Automl::has_search) {
            begin(self.dir)?;
            write(&file, &self.automl.search_file(None))?;
            let (report, _) = self.run_file(SEARCH_FILE, &mut stop).await?;
            if report.state == RunState::Canceled {
                return Ok(self.stopped());
            }
            completed(&report)?;
            let time =
                choices.budget.map(|budget| self.automl.search_time(budget.saturating_sub(self.began.elapsed())));
            write(&file, &self.automl.search_file(Some(time)))?;
        }
        let (report, workspace) = self.run_file(SEARCH_FILE, &mut stop).await?;
        if report.state == RunState::Canceled {
            return self.keep_best();
        }
        completed(&report)?;
        let outputs = report.steps.iter().flat_map(|step| &step.outputs);
        let found = outputs.into_iter().find(|output| output.artifact_type == ArtifactType::Hyperparameters);
        let Some(found) = found else { return Err(Failure::new(Code::Internal, "the search gave no result")) };
        let board = Board::read(&workspace.artifacts.get(found.artifact_type, &found.digest)?)?;
        drop(workspace);

        // The winner is judged first, so that the thresholds are ones that it meets.
        write(&self.dir.join(JUDGE_FILE), &self.automl.pipeline_file(&board, None))?;
        let judged = self.run_file(JUDGE_FILE, &mut stop).await;
        let _ = std::fs::remove_file(self.dir.join(JUDGE_FILE));
        let (report, workspace) = judged?;
        if report.state == RunState::Canceled {
            return Ok(self.stopped());
        }
        let judged = JudgedScore::read(&report, &workspace, self.draft.task(), self.automl.metric())?;
        drop(workspace);
        self.write_pipeline(&self.automl.pipeline_file(&board, Some(&judged.trial)))?;
        let (report, _) = self.run_file(PIPELINE_FILE, &mut stop).await?;
        if report.state == RunState::Canceled {
            return Ok(self.stopped());
        }
        completed(&report)?;
        let value = json!({
            "project": self.dir,
            "files": [PIPELINE_FILE, SEARCH_FILE],
            "draft": self.draft,
            "search": board,
            "judged": judged,
            "seconds": self.began.elapsed().as_secs_f64(),
        });
        print(self.global, &value, || text::ending(self.dir, &board, &judged, self.began.elapsed()))?;
        Ok(report.exit_code())
    }

    /// The search file that is there, if it is of this request; refuses a folder with another project.
    fn claim(&self, file: &Path) -> Result<Option<String>, Failure> {
        let exists = |message: String, hint: &str| Err(Failure::new(Code::ProjectExists, message).with_hint(hint));
        match std::fs::read_to_string(file) {
            Ok(known) if self.automl.is_of_this(&known) => Ok(Some(known)),
            Ok(_) => exists(
                format!("`{}` is of a search that was asked for in another way", file.display()),
                "name another folder: `--out DIR`; to go on with that search, write the same flags",
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let project = self.dir.join(PIPELINE_FILE);
                if project.exists() {
                    return exists(
                        format!("`{}` is there already", project.display()),
                        "name another folder: `--out DIR`",
                    );
                }
                Ok(None)
            }
            Err(error) => Err(Failure::io(file, &error)),
        }
    }

    /// Runs a pipeline file of the folder to its end, or until the process is asked to stop.
    async fn run_file(&self, name: &str, stop: &mut Stop) -> Result<(RunReport, Workspace), Failure> {
        let project = Project::find(Some(&self.dir.join(name)), self.global.profile.as_deref())?;
        let workspace = project.open().await?;
        let pipeline = Arc::new(project.pipeline(Some(&workspace), &[])?);
        let options = RunOptions {
            threads: threads(self.threads, &project),
            launcher: Arc::new(InProcess),
            ..RunOptions::default()
        };
        // Without thresholds there is nothing to say of the evaluation yet.
        let hidden: &[&str] = if name == JUDGE_FILE { &["evaluate"] } else { &[] };
        let observer = Arc::new(TrialObserver::new(&pipeline, Arc::clone(&self.trials), self.global.quiet, hidden));
        let run = RunSupervisor::default().start(workspace.clone(), pipeline, options, observer).await?;
        let report = tokio::select! {
            report = run.wait() => report?,
            () = stop => {
                run.cancel();
                run.wait().await?
            }
        };
        Ok((report, workspace))
    }

    /// Makes the best of an unfinished search the pipeline file.
    fn keep_best(&self) -> Result<u8, Failure> {
        let trials = self.trials.lock().unwrap_or_else(PoisonError::into_inner);
        let board = trials.so_far().map(|(metric, direction, seen)| Board::of(metric, direction, seen));
        let board = board.filter(|board| board.first().is_some());
        let Some(board) = board else { return Ok(self.stopped()) };
        self.write_pipeline(&format!("{UNFINISHED}{}", self.automl.pipeline_file(&board, None)))?;
        let value = json!({ "project": self.dir, "files": [PIPELINE_FILE, SEARCH_FILE], "draft": self.draft, "search": board, "judged": null });
        print(self.global, &value, || text::stopped(self.dir, &board))?;
        Ok(Kind::Interrupted.exit_code())
    }

    fn stopped(&self) -> u8 {
        say(self.global, "stopped; the same command goes on from here");
        Kind::Interrupted.exit_code()
    }

    /// Writes the pipeline file, unless it was edited.
    fn write_pipeline(&self, text: &str) -> Result<(), Failure> {
        let path = self.dir.join(PIPELINE_FILE);
        match std::fs::read_to_string(&path) {
            Ok(known) if known == text => Ok(()),
            Ok(known) if !known.starts_with(UNFINISHED) => {
                let line = format!("warning: `{}` was edited since and stays as it is", path.display());
                say(self.global, &line);
                Ok(())
            }
            _ => write(&path, text),
        }
    }
}
