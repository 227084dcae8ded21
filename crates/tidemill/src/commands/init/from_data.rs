//! `tidemill init --data`: a project for a table of one's own.

use std::path::{Component, Path, PathBuf};

use console::style;
use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_data::Table;
use tidemill_project::{Draft, DraftRequest, SETTINGS_FILE_NAME, Trial, cores, try_out};

use crate::cli::{Global, InitArgs};
use crate::commands::init::{created, enter, write};
use crate::commands::input::open_unknown;
use crate::commands::{print, say};
use crate::ui::{count, fill, printable, running_bar, stdout_width};

const PIPELINE: &str = "pipeline.yaml";
const SETTINGS: &str = include_str!("../../../../../examples/taxi/tidemill.toml");
const IGNORED: &str = include_str!("../../../../../examples/taxi/.gitignore");

pub async fn init(args: &InitArgs, data: &Path, dir: Option<PathBuf>, global: &Global) -> Result<u8, Failure> {
    let name = args.name.clone().unwrap_or_else(|| name_of(data));
    let dir = dir.unwrap_or_else(|| PathBuf::from(&name));
    refuse_project(&dir)?;
    let (table, read) = open_unknown(data, args.input.options(), global)?;
    let draft = {
        let (bar, progress) = running_bar(&name, global);
        let request = DraftRequest {
            path: data,
            read: &read,
            label: args.label.as_deref(),
            name: &name,
            split: None,
            threads: cores(),
        };
        let draft = Draft::new(&table, &request, &*progress);
        bar.finish_and_clear();
        draft?
    };
    let trial = if args.no_trial { None } else { trial(&draft, &table, data, global).await };
    let source = relative(data, &dir)?;
    begin(&dir)?;
    write(&dir.join(PIPELINE), &draft.pipeline(&source, trial.as_ref()))?;
    let value = json!({ "project": dir, "files": [PIPELINE, SETTINGS_FILE_NAME, ".gitignore"], "draft": draft, "trial": trial });
    print(global, &value, || text(&dir, &draft, trial.as_ref()))?;
    Ok(0)
}

/// Writes what every project has beside its pipeline file.
pub fn begin(dir: &Path) -> Result<(), Failure> {
    // What a command that was killed left half-written.
    tidemill_files::sweep(dir).map_err(|error| Failure::io(dir, &error))?;
    write(&dir.join(SETTINGS_FILE_NAME), SETTINGS)?;
    if !dir.join(".gitignore").exists() {
        write(&dir.join(".gitignore"), IGNORED)?;
    }
    Ok(())
}

/// How good a first model is; a warning where none can be trained.
async fn trial(draft: &Draft, table: &Table, data: &Path, global: &Global) -> Option<Trial> {
    let (bar, _) = running_bar("training a first model", global);
    let trial = try_out(draft, table, data, cores()).await;
    bar.finish_and_clear();
    match trial {
        Ok(trial) => Some(trial),
        Err(failure) => {
            say(global, &format!("warning: a first model could not be trained: {}", failure.message));
            if let Some(hint) = &failure.hint {
                say(global, &format!("  help: {hint}"));
            }
            None
        }
    }
}

fn text(dir: &Path, draft: &Draft, trial: Option<&Trial>) -> String {
    let mut text = created(
        dir,
        &[
            (PIPELINE, "the pipeline, with the reason for every choice".to_owned()),
            (SETTINGS_FILE_NAME, "project settings".to_owned()),
        ],
    );
    text.push('\n');
    let width = stdout_width();
    let mut line = |head: &str, what: String| {
        let line = format!("  {} {what}", style(format!("{head:<10}")).bold());
        text.push_str(&format!("{}\n", fill(&line, width, 13)));
    };
    let label = &draft.label;
    let guess = label.guessed.as_ref().map(|why| format!("; {why}: `--label` names another")).unwrap_or_default();
    line("label", format!("`{}`: {}{guess}", printable(&label.column), label.summary()));
    if label.missing > 0 {
        line("", format!("{} of {} rows have none and are left out", count(label.missing), count(draft.rows)));
    }
    let used: Vec<&str> =
        draft.columns.iter().filter(|choice| choice.used).map(|choice| choice.column.as_str()).collect();
    line("features", format!("{} of {} columns: {}", used.len(), draft.columns.len(), listed(&used)));
    for choice in draft.columns.iter().filter(|choice| !choice.used).take(LEFT_OUT_MAX) {
        line("left out", format!("`{}`: {}", printable(&choice.column), choice.why));
    }
    if let Some(more) = draft.columns.iter().filter(|choice| !choice.used).count().checked_sub(LEFT_OUT_MAX + 1) {
        line("", format!("and {} more, listed in {PIPELINE}", more + 1));
    }
    for warning in &draft.warnings {
        line("look at", warning.clone());
    }
    line("splits", draft.split_summary());
    if let Some(trial) = trial {
        line("trial", trial.summary());
    }
    text.push_str(&format!("\nnext: {}\n", style(format!("{}tidemill run", enter(dir))).bold()));
    text.push_str(&format!("      {}\n", style("tidemill serve").bold()));
    text
}

/// Columns left out that the terminal lists.
const LEFT_OUT_MAX: usize = 8;

fn listed(names: &[&str]) -> String {
    const MAX: usize = 12;
    let shown: Vec<String> = names.iter().take(MAX).map(|name| printable(name).into_owned()).collect();
    match names.len().saturating_sub(MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A name for the project: that of the file, in letters, digits, `-` and `_`.
pub fn name_of(data: &Path) -> String {
    let text = data.to_string_lossy();
    let last = text.trim_end_matches('/').rsplit('/').find(|part| !part.contains(['*', '?', '{'])).unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default();
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let plain = plain.trim_matches(['-', '_']);
    let name: String = plain.chars().take(63).collect();
    if name.is_empty() { "model".to_owned() } else { name }
}

/// A project that is there is left alone; other files are no obstacle.
fn refuse_project(dir: &Path) -> Result<(), Failure> {
    for name in [PIPELINE, SETTINGS_FILE_NAME] {
        let file = dir.join(name);
        if file.exists() {
            let message = format!("`{}` is there already", file.display());
            return Err(Failure::new(Code::ProjectExists, message)
                .with_hint("name another folder: `tidemill init --data FILE DIR`"));
        }
    }
    Ok(())
}

/// The path of the data from the project's folder, with `/`.
pub fn relative(data: &Path, dir: &Path) -> Result<String, Failure> {
    if data.to_string_lossy().contains("://") {
        return Ok(data.to_string_lossy().into_owned());
    }
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| Failure::io(path, &error));
    let (data, dir) = (absolute(data)?, absolute(dir)?);
    let (to, from): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (data.components().collect(), dir.components().collect());
    let common = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    // Another drive, or nothing in common but the root: a path of its own says it better.
    if common <= 1 && from.len() > 1 {
        return Ok(data.to_string_lossy().into_owned());
    }
    let up = std::iter::repeat_n("..".to_owned(), from.len() - common);
    let down = to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_called_like_their_data() {
        assert_eq!(name_of(Path::new("data/Bank Customers (2024).csv.gz")), "bank-customers--2024");
        assert_eq!(name_of(Path::new("s3://bucket/rides/*.parquet")), "rides");
        assert_eq!(name_of(Path::new("….csv")), "model");
    }

    #[test]
    fn data_is_named_from_the_folder() {
        assert_eq!(relative(Path::new("a/b.csv"), Path::new("p")).unwrap(), "../a/b.csv");
        assert_eq!(relative(Path::new("a/b.csv"), Path::new(".")).unwrap(), "a/b.csv");
        assert_eq!(relative(Path::new("a/b.csv"), Path::new("a")).unwrap(), "b.csv");
        assert_eq!(relative(Path::new("s3://b/c.csv"), Path::new("a")).unwrap(), "s3://b/c.csv");
    }
}
