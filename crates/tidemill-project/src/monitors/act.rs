//! What alerts do: a run, an alias moved back, rows for review. Every action has its cause on record.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tidemill_core::{Code, Failure};
use tidemill_metadata::{Actor, VersionSpec};
use tidemill_monitor::alert::Alert;
use tidemill_monitor::config::Action;
use tidemill_monitor::{Micros, Monitor, Provenance, export};
use tidemill_pipeline::{Observer, RunOptions};

use crate::{Project, RunSupervisor, connectors};

/// An action that was done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Acted {
    /// Its name in the monitor file.
    pub action: String,
    /// The alert that caused it.
    pub alert: String,
    /// What was done, in one line.
    pub what: String,
    /// The run that was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// Writes the requests of a period that have a label to `out`, with their provenance beside it. The columns are those of the
/// reference of `version`, which must be kept.
pub fn export_joined(
    monitor: &Monitor,
    version: u64,
    period: (Micros, Micros),
    as_of: Option<Micros>,
    out: &Path,
) -> Result<Provenance, Failure> {
    let no_labels = || {
        Failure::new(Code::MonitorReference, "the monitor file has no `labels`")
            .with_hint("`labels: { feedback: true }`")
    };
    let mut book = monitor.labels()?.ok_or_else(no_labels)?;
    let left_out = book.forget(monitor.suspicious());
    let no_reference = || {
        Failure::new(Code::MonitorReference, format!("version {version} has no reference yet"))
            .with_hint("`tidemill monitor run --once` makes it as soon as the log is long enough")
    };
    let profile = monitor.state().profile(version)?.ok_or_else(no_reference)?;
    let mut batches = Vec::new();
    let mut done = export(monitor.file(), &monitor.log(), &book, &profile, period, as_of, |batch| {
        batches.push(batch);
        Ok(())
    })?;
    done.left_out = left_out;
    if batches.is_empty() {
        let message = format!("none of the {} requests of the period has a label", done.requests);
        return Err(
            Failure::new(Code::Feedback, message).with_hint("`tidemill feedback status` shows what happened to labels")
        );
    }
    tidemill_files::create_parent(out)?;
    connectors().write_table(out, batches.into_iter().map(Ok))?;
    let text = serde_json::to_string_pretty(&done).unwrap_or_default();
    tidemill_files::write(&out.with_extension("provenance.json"), text + "\n")?;
    Ok(done)
}

/// Does what the monitor file says of an alert that began to fire. The brake is looked at before.
///
/// A run that registers a version gets the cause as the tag `cause` of the version; a moved alias names it as the
/// actor. Both are in lineage.
pub async fn act(
    project: &Project,
    monitor: &Monitor,
    base: &Path,
    name: &str,
    alert: &Alert,
    observer: Arc<dyn Observer>,
) -> Result<Acted, Failure> {
    let file = monitor.file();
    let spec = file
        .actions
        .get(name)
        .ok_or_else(|| Failure::new(Code::MonitorFile, format!("there is no action `{name}`")))?;
    let cause = format!("monitor {}: alert {} {}", file.monitor, alert.kind.name(), alert.fingerprint);
    let done = |what: String, run: Option<String>| Acted {
        action: name.to_owned(),
        alert: alert.fingerprint.clone(),
        what,
        run,
    };
    match &spec.what {
        Action::Run { pipeline, params, export, export_last } => {
            if let Some(out) = export {
                let newest = monitor.seen().newest.unwrap_or(i64::MAX - 1);
                let from = export_last.map_or(i64::MIN, |last| newest.saturating_sub(last.micros()));
                let (of, out) = (monitor.clone(), base.join(out));
                let version = alert.model_version;
                let work = move || export_joined(&of, version, (from, i64::MAX), None, &out);
                let panicked = |_| Failure::new(Code::Internal, "the export panicked");
                tokio::task::spawn_blocking(work).await.map_err(panicked)??;
            }
            let other = pipeline.as_ref().map(|path| Project::find(Some(&base.join(path)), None)).transpose()?;
            let project = other.as_ref().unwrap_or(project);
            let workspace = project.open().await?;
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let params: Vec<(String, String)> =
                params.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            let pipeline = Arc::new(project.pipeline(Some(&workspace), &params)?);
            let options = RunOptions {
                threads: project.settings.threads(),
                steps_max: project.settings.steps_at_once.max(1),
                ..RunOptions::default()
            };
            let title = pipeline.name.clone();
            let metadata = Arc::clone(&workspace.metadata);
            let run = RunSupervisor::default().start(workspace, pipeline, options, observer).await?;
            let report = run.wait().await?;
            let id = run.id().to_string();
            let mut registered = Vec::new();
            for record in metadata.models().await? {
                for version in record.versions.iter().filter(|version| version.run_id.as_str() == id) {
                    let tags = BTreeMap::from([("cause".to_owned(), cause.clone())]);
                    let spec = VersionSpec::Number(version.version);
                    metadata.tag_version(&record.model.name, &spec, tags).await?;
                    registered.push(format!("{} version {}", record.model.name, version.version));
                }
            }
            let ended = if report.exit_code() == 0 { "completed" } else { "did not complete" };
            let made =
                if registered.is_empty() { String::new() } else { format!(", registered {}", registered.join(", ")) };
            let short = id.get(..8).unwrap_or(&id).to_owned();
            Ok(done(format!("run {short} of {title} {ended}{made}"), Some(id)))
        }
        Action::MoveAliasBack { alias } => {
            let metadata = project.open().await?.metadata;
            let alias = alias.strip_prefix('@').unwrap_or(alias);
            let history = metadata.alias_history(&file.model).await?;
            let record = metadata.model(&file.model).await?;
            let now = record.aliases.iter().find(|known| known.alias == alias).map(|known| known.version);
            let Some(now) = now else {
                let message = format!("`{}` has no alias `{alias}` to move back", file.model);
                return Err(Failure::new(Code::NotInStore, message));
            };
            // Only a version that the alert is about is moved away from.
            if now != alert.model_version {
                return Ok(done(
                    format!("{}@{alias} is version {now} already, not {}", file.model, alert.model_version),
                    None,
                ));
            }
            let before = history
                .iter()
                .find(|step| step.alias == alias && step.version == now)
                .and_then(|step| step.from_version);
            let Some(before) = before.filter(|before| *before != now) else {
                let message = format!("{}@{alias} has no version before {now} to go back to", file.model);
                return Err(Failure::new(Code::NotInStore, message));
            };
            let version = metadata.model_version(&file.model, &VersionSpec::Number(before)).await?;
            project.settings.alias_policy().require_for(&*metadata, alias, &version, &cause).await?;
            let by = Actor { actor: cause, reason: Some("rollback".to_owned()), ..Actor::default() };
            metadata.set_alias(&file.model, alias, before, by).await?;
            Ok(done(format!("{}@{alias} {now} → {before}", file.model), None))
        }
        Action::Review { rows } => {
            let text = format!("{rows} rows wait for review: `tidemill feedback queue {}`", file.monitor);
            Ok(done(text, None))
        }
    }
}
