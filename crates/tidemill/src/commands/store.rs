//! `tidemill store`: check, back up and restore the store of the project.

use console::style;
use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_metadata::{ArtifactFinding, CheckReport, StoreError, StoreFolder, StoreState};

use crate::cli::{Global, StoreBackupArgs, StoreCheckArgs, StoreCommand, StoreNewArgs, StoreRestoreArgs};
use crate::commands::{find_project, print, say};
use crate::ui::{Align, Table, bytes, count};

pub async fn store(command: &StoreCommand, global: &Global) -> Result<u8, Failure> {
    let project = find_project(None, global)?;
    if !project.file.is_file() && !project.store_dir().is_dir() {
        let message = format!("there is no project here: `{}` is missing", project.file.display());
        return Err(Failure::new(Code::PipelineNotFound, message).with_hint("name it with `--project DIR`"));
    }
    let store = project.store();
    match command {
        StoreCommand::Check(args) => check(&store, args, global).await,
        StoreCommand::Backup(args) => backup(&store, args, global).await,
        StoreCommand::Restore(args) => restore(&store, args, global).await,
        StoreCommand::New(args) => start_empty(&store, args, global).await,
    }
}

async fn check(store: &StoreFolder, args: &StoreCheckArgs, global: &Global) -> Result<u8, Failure> {
    let mut said = 0;
    let progress = |done: usize, total: usize| {
        // On a large store, a line for each tenth.
        if total >= 100 && done * 10 / total > said {
            said = done * 10 / total;
            say(global, &format!("checked {} of {} artifacts", count(done as u64), count(total as u64)));
        }
    };
    let report = store.check(args.repair, progress).await?;
    print(global, &report, || check_text(&report))?;
    Ok(u8::from(!report.is_healthy()))
}

fn check_text(report: &CheckReport) -> String {
    let mut text = String::new();
    if !report.damaged.is_empty() {
        let mut table = Table::new(&[
            ("artifact", Align::Left),
            ("type", Align::Left),
            ("damage", Align::Left),
            ("written by", Align::Left),
            ("", Align::Left),
        ]);
        for finding in &report.damaged {
            table.row([
                finding.digest.short().to_owned(),
                finding.artifact_type.to_string(),
                finding.damage.to_string(),
                finding.made_by.clone().unwrap_or_default(),
                note(finding),
            ]);
        }
        text.push_str(&format!("{table}\n"));
    }
    for problem in &report.database {
        text.push_str(&format!("{} metadata.db: {problem}\n", style("✗").red()));
    }
    let mark = if report.is_healthy() { style("✓").green() } else { style("✗").red() };
    let damaged = match report.damaged.len() {
        0 => "none is damaged".to_owned(),
        1 => "1 is damaged or missing".to_owned(),
        many => format!("{many} are damaged or missing"),
    };
    let database = if report.database.is_empty() { "the database is sound" } else { "the database is damaged" };
    text.push_str(&format!(
        "{mark} `{}`: {} artifacts ({}) checked, {damaged}; {database}\n",
        report.store.display(),
        count(report.artifacts),
        bytes(report.bytes)
    ));
    if report.unrecorded > 0 {
        let line =
            format!("  {} artifacts have no record: a run was killed; they do no harm", count(report.unrecorded));
        text.push_str(&format!("{}\n", style(line).dim()));
    }
    for next in next(report) {
        text.push_str(&format!("  {next}\n"));
    }
    text
}

fn note(finding: &ArtifactFinding) -> String {
    let mut notes = finding.versions.clone();
    if let Some(place) = &finding.quarantined {
        notes.push(format!("moved to {place}"));
    }
    notes.join(", ")
}

/// What to do now.
fn next(report: &CheckReport) -> Vec<String> {
    let mut next = Vec::new();
    if !report.database.is_empty() {
        next.push("restore a backup: `tidemill store restore DIR --replace`".to_owned());
    }
    if report.damaged.iter().any(|finding| !finding.repaired) {
        next.push("`tidemill store check --repair` moves damaged artifacts aside".to_owned());
    }
    if !report.damaged.is_empty() {
        next.push(
            "`tidemill run` makes them again if the pipeline and its parameters are those of their run".to_owned(),
        );
    }
    next
}

async fn backup(store: &StoreFolder, args: &StoreBackupArgs, global: &Global) -> Result<u8, Failure> {
    let report = store.backup(&args.dir).await?;
    print(global, &report, || {
        let mut text = String::new();
        for left_out in &report.left_out {
            text.push_str(&format!("{} left out: {left_out}\n", style("✗").red()));
        }
        let (artifacts, size) = (count(report.artifacts), bytes(report.bytes));
        text.push_str(&format!(
            "{} `{}`: the database and {artifacts} artifacts ({size})\n",
            style("saved").green().bold(),
            args.dir.display()
        ));
        text
    })?;
    Ok(u8::from(!report.left_out.is_empty()))
}

async fn restore(store: &StoreFolder, args: &StoreRestoreArgs, global: &Global) -> Result<u8, Failure> {
    require_no_run(store).await?;
    let (report, moved) = store.restore(&args.dir, args.replace).await?;
    print(global, &json!({ "restored": report, "moved_to": moved }), || {
        let mut text = format!(
            "{} `{}` with {} artifacts, as of {}\n",
            style("restored").green().bold(),
            store.dir().display(),
            count(report.artifacts),
            report.created_at
        );
        if let Some(moved) = &moved {
            text.push_str(&format!("  the store that was there is in `{}`\n", moved.display()));
        }
        text
    })?;
    Ok(0)
}

async fn start_empty(store: &StoreFolder, args: &StoreNewArgs, global: &Global) -> Result<u8, Failure> {
    require_no_run(store).await?;
    let moved = store.start_empty(args.replace).await?;
    print(global, &json!({ "store": store.dir(), "moved_to": moved }), || {
        let mut text = format!("{} an empty store in `{}`\n", style("made").green().bold(), store.dir().display());
        if let Some(moved) = &moved {
            text.push_str(&format!("  the store that was there is in `{}`\n", moved.display()));
        }
        text
    })?;
    Ok(0)
}

/// A store that a run works in must not be moved away.
async fn require_no_run(store: &StoreFolder) -> Result<(), Failure> {
    use tidemill_metadata::RunLeases as _;

    if store.state()? != StoreState::Present {
        return Ok(());
    }
    // A store that cannot be read is one that is about to be replaced.
    let Ok(Some(open)) = store.open_to_read().await else { return Ok(()) };
    let Ok(runs) = open.metadata.runs(&tidemill_metadata::RunFilter::default(), 100).await else { return Ok(()) };
    for run in runs {
        if store.leases().is_held(&run.pipeline)? {
            return Err(StoreError::Busy { pipeline: run.pipeline, pid: Some(run.pid) }.into());
        }
    }
    Ok(())
}
