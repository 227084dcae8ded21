//! Runs the schedules of a project: records ticks, starts runs, and continues runs whose approval was decided.
//!
//! What has to be done is computed anew from the store in every round, so that nothing is lost when the process is killed:
//! a tick is recorded together with how far its schedule has got, a run is created together with the start of its tick, and
//! it ends together with it (see [`ScheduleLog`](tidemill_metadata::ScheduleLog)).

mod dispatch;
mod hooks;
mod resume;
mod ticks;
mod triggers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tidemill_core::{Code, Failure};
use tidemill_metadata::{RunId, RunState, Tick, TickId};
use tidemill_pipeline::schedule::Trigger;
use tidemill_pipeline::{Launcher, Observer, Pipeline, Workspace};
use tokio::sync::mpsc;

pub(crate) use self::dispatch::{lease_of, params_of};
pub use self::hooks::signature;
pub use self::resume::{Waiting, overrides, waiting_approvals};
use crate::{Project, RunHandle, RunSupervisor};

/// How often the store is asked what there is to do.
const ROUND: Duration = Duration::from_millis(500);

/// Options of an [`Orchestrator`].
pub struct OrchestratorOptions {
    /// Threads that a step may keep busy.
    pub threads: usize,
    /// Steps that may run at once in one run.
    pub steps_max: usize,
    /// Where steps run.
    pub launcher: Arc<dyn Fn(&[(String, String)]) -> Result<Arc<dyn Launcher>, Failure> + Send + Sync>,
    /// Where signed requests are received; `None` for nowhere.
    pub hooks: Option<SocketAddr>,
    /// Receives what happens.
    pub notify: Arc<dyn Fn(&Notice) + Send + Sync>,
    /// Receives the events of each run.
    pub observer: Arc<dyn Observer>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs, reason = "plain data")]
pub enum Notice {
    /// Requests are received at this address.
    Listening { address: SocketAddr },
    /// A tick was recorded, skipped or opened again.
    Tick { tick: Tick },
    /// A run started.
    Started { schedule: Option<String>, tick: Option<TickId>, run: RunId },
    /// A run ended.
    Ended { schedule: Option<String>, run: RunId, state: RunState, seconds: f64 },
    /// Something could not be done, and is tried again.
    Trouble { message: String, help: Option<String> },
}

/// A run of this process.
struct Active {
    handle: RunHandle,
    schedule: Option<String>,
    tick: Option<TickId>,
    /// Stopped to make place for another tick.
    replaced: bool,
}

/// Runs the schedules of one project. There is one for each pipeline of a store: it holds the lease `PIPELINE.up`.
pub struct Orchestrator {
    project: Project,
    workspace: Workspace,
    pipeline: Arc<Pipeline>,
    /// The text of the pipeline file that `pipeline` was read from.
    text: String,
    options: OrchestratorOptions,
    environment: Value,
    supervisor: RunSupervisor,
    active: Vec<Active>,
    /// When each trigger looks again.
    looks: BTreeMap<String, Instant>,
    /// What `new_data` saw last, until it stays so.
    unsettled: BTreeMap<String, String>,
    /// The trouble that was reported last: it is not repeated in every round.
    trouble: Option<String>,
}

impl Orchestrator {
    /// An orchestrator for the project. [`Code::StoreBusy`] if another process runs its schedules.
    pub async fn new(project: Project, options: OrchestratorOptions) -> Result<Self, Failure> {
        project.pipeline(None, &[])?;
        let workspace = project.open().await?;
        let text = read(&project)?;
        let pipeline = Arc::new(project.pipeline(Some(&workspace), &[])?);
        let environment = crate::environment(&project.dir).await;
        Ok(Self {
            project,
            workspace,
            pipeline,
            text,
            options,
            environment,
            supervisor: RunSupervisor::default(),
            active: Vec::new(),
            looks: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            trouble: None,
        })
    }

    /// The pipeline as it was read last.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Runs until `stop` resolves. Then runs are stopped, and their ticks are run again by the next orchestrator.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) -> Result<(), Failure> {
        let lease_name = format!("{}.up", self.pipeline.name);
        let _lease = self.workspace.leases.acquire(&lease_name).map_err(|error| {
            let failure = Failure::from(error);
            if failure.code == Code::StoreBusy {
                let message = format!("another `tidemill up` runs the schedules of `{}`", self.pipeline.name);
                return Failure::new(Code::StoreBusy, message)
                    .with_hint("stop it, or use `tidemill serve` for a second server");
            }
            failure
        })?;
        let (hooks, mut requests) = mpsc::channel(64);
        let listener = match self.options.hooks {
            Some(address) => {
                let bound = hooks::listen(address, hooks.clone()).await?;
                (self.options.notify)(&Notice::Listening { address: bound });
                true
            }
            None => false,
        };
        if !listener && self.wants_hooks() {
            self.tell(Notice::Trouble {
                message: "a schedule has a `webhook`, and no address receives requests".to_owned(),
                help: Some("start with `--hooks 127.0.0.1:8510`".to_owned()),
            });
        }
        let mut stop = std::pin::pin!(stop);
        loop {
            match self.round().await {
                Ok(()) => self.trouble = None,
                Err(failure) => self.report(&failure),
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(self.until_next()) => {}
                Some(request) = requests.recv() => self.answer(request).await,
            }
        }
        self.stop().await;
        Ok(())
    }

    /// Does everything that there is to do now.
    async fn round(&mut self) -> Result<(), Failure> {
        self.reload();
        let now = Timestamp::now();
        self.collect_ended().await;
        self.workspace.metadata.expire_approvals(now).await?;
        self.record_due(now).await?;
        self.look(now).await?;
        self.resume_decided().await?;
        self.dispatch().await
    }

    /// Reads the pipeline file again if it was edited. A file with errors is reported once, and the old one stays.
    fn reload(&mut self) {
        let Ok(text) = std::fs::read_to_string(&self.project.file) else { return };
        if text == self.text {
            return;
        }
        match self.project.pipeline(Some(&self.workspace), &[]) {
            Ok(pipeline) if pipeline.name == self.pipeline.name => self.pipeline = Arc::new(pipeline),
            Ok(pipeline) => self.tell(Notice::Trouble {
                message: format!(
                    "the pipeline is now called `{}`, and goes on as `{}`",
                    pipeline.name, self.pipeline.name
                ),
                help: Some("start again to run its schedules under the new name".to_owned()),
            }),
            Err(failure) => self.tell(Notice::Trouble { message: failure.message, help: failure.hint }),
        }
        self.text = text;
    }

    /// The time until the next tick, at most a round.
    fn until_next(&self) -> Duration {
        let now = Timestamp::now();
        let next = self.pipeline.schedules.iter().filter_map(|schedule| schedule.next(now, 1).first().copied()).min();
        let until = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        until.unwrap_or(ROUND).clamp(Duration::from_millis(1), ROUND)
    }

    fn wants_hooks(&self) -> bool {
        self.pipeline.schedules.iter().any(|schedule| matches!(schedule.trigger, Trigger::Webhook { .. }))
    }

    fn tell(&self, notice: Notice) {
        (self.options.notify)(&notice);
    }

    fn report(&mut self, failure: &Failure) {
        if self.trouble.as_ref() != Some(&failure.message) {
            self.tell(Notice::Trouble { message: failure.message.clone(), help: failure.hint.clone() });
            self.trouble = Some(failure.message.clone());
        }
    }
}

fn read(project: &Project) -> Result<String, Failure> {
    std::fs::read_to_string(&project.file).map_err(|error| Failure::io(&project.file, &error))
}
