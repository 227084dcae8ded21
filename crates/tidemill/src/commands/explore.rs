//! `tidemill explore`: a first look at data, its problems first.

use arrow::datatypes::DataType;
use console::style;
use serde_json::json;
use tidemill_core::Failure;
use tidemill_project::{Draft, DraftRequest, cores};
use tidemill_validation::{StatisticsOptions, alerts, infer_schema, inferred_yaml, semantic_offers};

use crate::cli::{ExploreArgs, Global};
use crate::commands::data::{columns_text, statistics_of, write_report};
use crate::commands::input::open_unknown;
use crate::commands::report::of_files;
use crate::commands::schema::refuse_to_replace;
use crate::commands::statistics::alerts_text;
use crate::commands::{print, say};
use crate::ui::{fill, printable, running_bar, stdout_width};

pub fn explore(args: &ExploreArgs, global: &Global) -> Result<u8, Failure> {
    let (table, read) = open_unknown(&args.file, args.input.options(), global)?;
    // A label of fractions would need boundaries.
    let is_fraction = |label: &&String| {
        table.schema().field_with_name(label).is_ok_and(|field| *field.data_type() == DataType::Float64)
    };
    let label = args.label.as_ref().filter(|label| !is_fraction(label)).cloned();
    let options = StatisticsOptions { correlations: true, label, ..StatisticsOptions::default() };
    let dataset = statistics_of(&table, &args.file, &read, &options, cores(), global)?;
    let found = alerts(&dataset);
    let draft = args.label.as_deref().map(|label| {
        let (bar, progress) = running_bar("columns", global);
        let request = DraftRequest {
            path: &args.file,
            read: &read,
            label: Some(label),
            name: "explore",
            split: None,
            threads: cores(),
        };
        let draft = Draft::new(&table, &request, &*progress);
        bar.finish_and_clear();
        draft
    });
    let draft = draft.transpose()?;
    if let Some(path) = &args.html {
        let about = of_files([("File", args.file.as_path())]);
        write_report(path, std::slice::from_ref(&dataset), None, &about, global)?;
    }
    if let Some(path) = &args.schema {
        refuse_to_replace(path, false)?;
        let schema = infer_schema(&[&dataset]);
        tidemill_files::write(path, inferred_yaml(&schema, &semantic_offers(&[&dataset])))?;
        say(global, &format!("schema: `{}`", path.display()));
    }
    let value = json!({ "alerts": found, "draft": draft, "statistics": dataset });
    print(global, &value, || {
        let mut text = match alerts_text(&dataset).trim_start_matches('\n') {
            "" => format!("{} no column looks unusual\n", style("✓").green()),
            alerts => alerts.to_owned(),
        };
        text.push_str(&format!("\n{}", columns_text(&dataset)));
        text.push_str(&draft_text(draft.as_ref()));
        text.push_str(&next(args));
        text
    })?;
    Ok(0)
}

/// What would become of the columns with this label.
fn draft_text(draft: Option<&Draft>) -> String {
    let Some(draft) = draft else { return String::new() };
    let width = stdout_width();
    let mut text =
        format!("\n{} `{}`: {}\n", style("label").bold(), printable(&draft.label.column), draft.label.summary());
    for choice in draft.columns.iter().filter(|choice| !choice.used) {
        let line = format!("  {} `{}`: {}", style("leave out").yellow(), printable(&choice.column), choice.why);
        text.push_str(&format!("{}\n", fill(&line, width, 4)));
    }
    for warning in &draft.warnings {
        text.push_str(&format!("{}\n", fill(&format!("  {} {warning}", style("look at").yellow()), width, 4)));
    }
    text.push_str(&format!("{} {}\n", style("splits").bold(), draft.split_summary()));
    text
}

fn next(args: &ExploreArgs) -> String {
    let label = args
        .label
        .as_ref()
        .map_or_else(|| " --label COLUMN".to_owned(), |label| format!(" --label {}", crate::ui::quoted(label)));
    let data = crate::ui::quoted(&args.file.to_string_lossy());
    format!("\nnext: {}\n", style(format!("tidemill init --data {data}{label}")).bold())
}
