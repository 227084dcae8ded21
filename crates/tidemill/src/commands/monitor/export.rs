//! `tidemill monitor export`: the log as training data.

use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_monitor::Profiles as _;
use tidemill_project::{References, export_joined};

use super::{open, time};
use crate::cli::{Global, MonitorExportArgs};
use crate::commands::{print, say};
use crate::ui::count;

pub async fn export(args: &MonitorExportArgs, global: &Global) -> Result<u8, Failure> {
    let mut open = open(&args.monitor.path, false, global)?;
    let from = time("from", args.from.as_deref())?.unwrap_or(i64::MIN);
    let to = time("to", args.to.as_deref())?.unwrap_or(i64::MAX);
    let as_of = time("as-of", args.as_of.as_deref())?;
    let workspace = open.project.open_to_read().await.ok();
    let base = open.path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let mut references = References::new(open.monitor.file().clone(), &base, open.monitor.log(), workspace);
    let out = args.out.clone();
    let work = move || -> Result<_, Failure> {
        // The columns of the newest version: what is trained now succeeds it.
        let version = open.monitor.seen().version.unwrap_or(1);
        if open.monitor.state().profile(version)?.is_none()
            && let Some(profile) = references.profile(version, open.monitor.state())?
        {
            open.monitor.state_mut().put_profile(&profile)?;
        }
        Ok((export_joined(&open.monitor, version, (from, to), as_of, &out)?, out))
    };
    let panicked = |_| Failure::new(Code::Internal, "the export panicked");
    let (done, out) = tokio::task::spawn_blocking(work).await.map_err(panicked)??;
    print(global, &json!({ "file": out, "provenance": done }), || {
        let versions = done.versions.iter().map(|(version, rows)| format!("{} of version {version}", count(*rows)));
        let versions = versions.collect::<Vec<_>>().join(", ");
        format!("wrote {} of {} requests to `{}`: {versions}\n", count(done.rows), count(done.requests), out.display())
    })?;
    for warning in done.warnings() {
        say(global, &format!("warning: {warning}"));
    }
    Ok(0)
}
