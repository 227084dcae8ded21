//! `tidemill gc`.

use console::style;
use tidemill_core::Failure;
use tidemill_project::{GcPolicy, GcReport, gc as collect};

use crate::cli::{GcArgs, Global};
use crate::commands::{find_project, print};
use crate::ui::{Align, Table, age, bytes, count};

/// Rows of the table.
const ROWS_MAX: usize = 50;

pub async fn gc(args: &GcArgs, global: &Global) -> Result<u8, Failure> {
    let workspace = find_project(None, global)?.open().await?;
    let policy = GcPolicy { versions: args.keep_versions, runs: args.keep_runs, age: args.older };
    let report = collect(&workspace, policy, args.dry_run).await?;
    print(global, &report, || text(&report, args.dry_run))?;
    Ok(0)
}

fn text(report: &GcReport, dry_run: bool) -> String {
    let mut text = String::new();
    if dry_run && !report.deleted.is_empty() {
        let mut table = Table::new(&[
            ("artifact", Align::Left),
            ("type", Align::Left),
            ("written by", Align::Left),
            ("made", Align::Left),
            ("size", Align::Right),
        ]);
        for record in report.deleted.iter().take(ROWS_MAX) {
            table.row([
                record.artifact.digest.short().to_owned(),
                record.artifact.artifact_type.to_string(),
                format!("{} of {}", record.producer.step, record.producer.pipeline),
                age(record.artifact.created_at),
                bytes(record.artifact.bytes),
            ]);
        }
        text.push_str(&format!("{table}\n"));
    }
    let word = if dry_run { "would delete" } else { "deleted" };
    let (number, kept) = (count(report.deleted.len() as u64), count(report.kept as u64));
    text.push_str(&format!(
        "{} {word} {number} artifacts ({}); {kept} are kept ({})\n",
        style("✓").green(),
        bytes(report.bytes),
        bytes(report.kept_bytes)
    ));
    text
}
