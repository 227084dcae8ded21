//! Reading `monitor.yaml`.

use std::path::{Path, PathBuf};

use tidemill_core::{Code, Failure, ParamIssue, add_issues, parse_params_partly};
use tidemill_monitor::{MONITOR_FILE, Monitor, MonitorFile, StateFolder, config};
use tidemill_pipeline::Document;

use crate::Project;

/// A larger monitor file is refused.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads the monitor file at `path`, or in the folder `path`. All mistakes come at once, each with its place.
pub fn read_monitor_file(path: &Path) -> Result<(MonitorFile, PathBuf), Failure> {
    let path = if path.is_dir() { path.join(MONITOR_FILE) } else { path.to_owned() };
    let size = std::fs::metadata(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(Code::SourceNotFound, format!("there is no file `{}`", path.display()))
                .with_hint("`tidemill monitor init` writes one for a model of the project")
        }
        _ => Failure::io(&path, &error),
    })?;
    if size.len() > FILE_BYTES_MAX {
        let message =
            format!("`{}` has more than {} MiB: it is not a monitor file", path.display(), FILE_BYTES_MAX >> 20);
        return Err(Failure::new(Code::MonitorFile, message));
    }
    let bytes = std::fs::read(&path).map_err(|error| Failure::io(&path, &error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(Code::NotUtf8, format!("`{}` is not UTF-8", path.display())))?;
    let file = parse(&path, &text)?;
    Ok((file, path))
}

fn parse(path: &Path, text: &str) -> Result<MonitorFile, Failure> {
    let invalid = |invalid| Failure::in_file(Code::MonitorFile, invalid);
    let document = Document::parse(path, text).map_err(invalid)?;
    let (file, mut issues) = parse_params_partly::<MonitorFile>(&document.value());
    if let Some(file) = &file {
        add_issues(&mut issues, config::check(file));
    }
    match file {
        Some(file) if issues.is_empty() => Ok(file),
        _ => {
            if issues.is_empty() {
                issues.push(ParamIssue::new(Vec::<String>::new(), "the file cannot be read"));
            }
            Err(invalid(document.invalid(issues)))
        }
    }
}

/// Where the state of a monitor is kept.
pub fn monitor_state_dir(project: &Project, monitor: &str) -> PathBuf {
    project.store_dir().join("monitors").join(monitor)
}

/// A monitor with its project.
pub struct OpenMonitor {
    /// The project around the file.
    pub project: Project,
    /// The file.
    pub path: PathBuf,
    /// The monitor.
    pub monitor: Monitor,
}

impl OpenMonitor {
    /// Opens the monitor of a file with its state in the store of `project`; with `replay`, with a state in memory.
    pub fn open(project: Project, path: &Path, replay: bool) -> Result<Self, Failure> {
        let (file, path) = read_monitor_file(path)?;
        let base = path.parent().map(Path::to_owned).unwrap_or_default();
        let state = if replay {
            StateFolder::in_memory()
        } else {
            StateFolder::on_disk(&monitor_state_dir(&project, &file.monitor))
        };
        let monitor = Monitor::open(file, &base, state)?;
        Ok(Self { project, path, monitor })
    }
}
