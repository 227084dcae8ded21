//! `tidemill monitor export`: the log as training data.

use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_monitor::{Profiles as _, export as joined};
use tidemill_project::References;

use super::{open, time};
use crate::cli::{Global, MonitorExportArgs};
use crate::commands::{make_parent, print, say};
use crate::ui::count;

pub async fn export(args: &MonitorExportArgs, global: &Global) -> Result<u8, Failure> {
    let open = open(&args.monitor.path, false, global)?;
    let from = time("from", args.from.as_deref())?.unwrap_or(i64::MIN);
    let to = time("to", args.to.as_deref())?.unwrap_or(i64::MAX);
    let as_of = time("as-of", args.as_of.as_deref())?;
    let workspace = open.project.open_to_read().await.ok();
    let base = open.path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let mut references = References::new(open.monitor.file().clone(), &base, open.monitor.log(), workspace);
    let out = args.out.clone();
    let work = move || -> Result<_, Failure> {
        let monitor = &open.monitor;
        let no_labels = || {
            Failure::new(Code::MonitorReference, "the monitor file has no `labels`")
                .with_hint("`labels: { feedback: true }`")
        };
        let book = monitor.labels()?.ok_or_else(no_labels)?;
        // The columns of the newest version: later training is for its successors.
        let newest = monitor.seen().version;
        let kept = newest.map(|version| monitor.state().profile(version)).transpose()?.flatten();
        let profile = match (kept, newest) {
            (Some(profile), _) => Some(profile),
            (None, version) => references.profile(version.unwrap_or(1), monitor.state())?,
        };
        let no_reference =
            || Failure::new(Code::MonitorReference, "the log is too short: no version has a reference yet");
        let profile = profile.ok_or_else(no_reference)?;
        let mut batches = Vec::new();
        let log = monitor.log();
        let done = joined(monitor.file(), &log, &book, &profile, (from, to), as_of, |batch| {
            batches.push(batch);
            Ok(())
        })?;
        if batches.is_empty() {
            let message = format!("none of the {} requests of the period has a label", count(done.requests));
            return Err(Failure::new(Code::Feedback, message)
                .with_hint("`tidemill feedback status` shows what happened to labels"));
        }
        make_parent(&out)?;
        tidemill_project::connectors().write_table(&out, batches.into_iter().map(Ok))?;
        Ok((done, out))
    };
    let joined =
        tokio::task::spawn_blocking(work).await.map_err(|_| Failure::new(Code::Internal, "the export panicked"))?;
    let (done, out) = joined?;
    let beside = out.with_extension("provenance.json");
    let text = serde_json::to_string_pretty(&done).unwrap_or_default();
    tidemill_files::write(&beside, text + "\n")?;
    print(global, &json!({ "file": out, "provenance": done }), || {
        let versions: Vec<String> =
            done.versions.iter().map(|(version, rows)| format!("{} of version {version}", count(*rows))).collect();
        format!(
            "wrote {} of {} requests to `{}`: {}\n",
            count(done.rows),
            count(done.requests),
            out.display(),
            versions.join(", ")
        )
    })?;
    for warning in done.warnings() {
        say(global, &format!("warning: {warning}"));
    }
    Ok(0)
}
