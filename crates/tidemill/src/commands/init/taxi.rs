//! `tidemill init taxi`: a project with sample data.

use std::path::Path;

use console::style;
use serde_json::json;
use tidemill_core::{Code, Failure};
use tidemill_data::{TaxiOptions, write_taxi};

use crate::cli::{Global, InitArgs};
use crate::commands::init::{created, enter, write};
use crate::commands::{make_parent, print};
use crate::ui::count;

/// The files of the taxi template, by path in the project; the pipeline file, which is written last, comes first. `examples/taxi` of the repository is the same project.
const TAXI: [(&str, &str); 4] = [
    ("pipeline.yaml", include_str!("../../../../../examples/taxi/pipeline.yaml")),
    ("tidemill.toml", include_str!("../../../../../examples/taxi/tidemill.toml")),
    ("README.md", include_str!("../../../../../examples/taxi/README.md")),
    (".gitignore", include_str!("../../../../../examples/taxi/.gitignore")),
];

/// Where the template keeps its data.
const TAXI_DATA: &str = "data/trips.csv";

pub fn init(args: &InitArgs, dir: &Path, global: &Global) -> Result<u8, Failure> {
    refuse_occupied(dir)?;
    // What an `init` that was killed left half-written.
    tidemill_files::sweep(dir).map_err(|error| Failure::io(dir, &error))?;
    let [(pipeline, pipeline_text), others @ ..] = &TAXI;
    for (name, text) in others {
        write(&dir.join(name), text)?;
    }
    let data = dir.join(TAXI_DATA);
    make_parent(&data)?;
    let options = TaxiOptions { rows: args.rows, seed: args.seed, ..TaxiOptions::default() };
    let rows = write_taxi(&data, &options)?;
    write(&dir.join(pipeline), pipeline_text)?;
    let files: Vec<&str> = TAXI.iter().map(|(name, _)| *name).chain([TAXI_DATA]).collect();
    print(global, &json!({ "project": dir, "files": files, "rows": rows }), || {
        let about = [
            ("pipeline.yaml", "the pipeline".to_owned()),
            ("tidemill.toml", "project settings".to_owned()),
            ("README.md", "commands to try".to_owned()),
            (TAXI_DATA, format!("{} taxi trips", count(rows))),
        ];
        let mut text = created(dir, &about);
        text.push_str(&format!("\nnext: {}\n", style(format!("{}tidemill run", enter(dir))).bold()));
        text
    })?;
    Ok(0)
}

/// Nothing is written over: the folder must be new or empty, except for what a version control system has there and
/// what an `init` that was killed has written. That has all files but the last, which is the pipeline file.
fn refuse_occupied(dir: &Path) -> Result<(), Failure> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::io(dir, &error)),
    };
    let is_cut_off = !dir.join(TAXI[0].0).exists();
    let in_the_way = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        name != ".git" && !tidemill_files::is_draft(&name) && !(is_cut_off && is_of_template(&entry.path()))
    };
    match entries.flatten().find(in_the_way) {
        None => Ok(()),
        Some(entry) => Err(Failure::new(
            Code::ProjectExists,
            format!("`{}` is not empty: it holds `{}`", dir.display(), entry.file_name().display()),
        )
        .with_hint("name another folder: `tidemill init taxi DIR`")),
    }
}

/// Whether a file is as the template has it, or a folder holds nothing but the template's data.
fn is_of_template(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    if Path::new(TAXI_DATA).starts_with(name) {
        let data = Path::new(TAXI_DATA).file_name().unwrap_or_default();
        return std::fs::read_dir(path).is_ok_and(|entries| {
            entries.flatten().all(|entry| entry.file_name() == data || tidemill_files::is_draft(&entry.file_name()))
        });
    }
    TAXI.iter().any(|(known, text)| name == *known && std::fs::read(path).is_ok_and(|found| found == text.as_bytes()))
}
