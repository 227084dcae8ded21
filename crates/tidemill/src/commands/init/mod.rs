//! `tidemill init`.

pub mod from_data;
mod taxi;

use std::path::{Path, PathBuf};

use console::style;
use tidemill_core::{Code, Failure};

use crate::cli::{Global, InitArgs};
use crate::commands::make_parent;

/// The template with sample data.
const TAXI: &str = "taxi";

pub async fn init(args: &InitArgs, global: &Global) -> Result<u8, Failure> {
    if let Some(data) = &args.data {
        // Without a template the first word is the folder.
        let dir = match (&args.template, &args.dir) {
            (Some(first), Some(_)) => {
                let message = format!("`{first}` and `--data` exclude each other");
                return Err(Failure::new(Code::CommandLine, message).with_hint("write `tidemill init --data FILE DIR`"));
            }
            (Some(dir), None) => Some(PathBuf::from(dir)),
            (None, _) => None,
        };
        return from_data::init(args, data, dir, global).await;
    }
    match args.template.as_deref() {
        Some(TAXI) => {
            let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(TAXI));
            taxi::init(args, &dir, global)
        }
        Some(other) if Path::new(other).exists() || other.contains(['.', '/']) => {
            let message = format!("`{other}` is not a template");
            Err(Failure::new(Code::CommandLine, message)
                .with_hint(format!("for a project on your own data, write `tidemill init --data {other}`")))
        }
        Some(other) => {
            Err(Failure::new(Code::CommandLine, format!("there is no template `{other}`")).with_hint(CHOICES))
        }
        None => Err(Failure::new(Code::CommandLine, "nothing says what the project is for").with_hint(CHOICES)),
    }
}

const CHOICES: &str = "`tidemill init --data FILE` starts from your own data, `tidemill init taxi` from sample data";

/// What was created, a line for each file.
fn created(dir: &Path, files: &[(&str, String)]) -> String {
    let mut text = format!("{} project `{}`\n", style("created").green().bold(), dir.display());
    for (name, what) in files {
        text.push_str(&format!("  {name:<16} {}\n", style(what).dim()));
    }
    text
}

/// How to get into the folder.
pub fn enter(dir: &Path) -> String {
    if dir == Path::new(".") { String::new() } else { format!("cd {} && ", dir.display()) }
}

pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    make_parent(path)?;
    Ok(tidemill_files::write(path, text)?)
}
