//! Where a run takes place: code, machine, user. Recorded with every run.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::process::Command;

/// Files of a dirty tree that are named.
const FILES_MAX: usize = 20;

/// The environment of runs of the project in `dir`: the git commit with uncommitted files, the version of this program, the
/// machine and the user. What cannot be found out is left out.
pub async fn environment(dir: &Path) -> Value {
    let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir.to_owned() };
    let (git, machine) = tokio::join!(git(&dir), tokio::task::spawn_blocking(machine));
    let user = user();
    let mut environment = json!({
        "tidemill": env!("CARGO_PKG_VERSION"),
        "user": user,
        "machine": machine.unwrap_or_default(),
    });
    if let Some(git) = git {
        environment["git"] = git;
    }
    environment
}

/// Whom changes of this process are recorded for.
pub fn user() -> String {
    let named = |name| std::env::var(name).ok().filter(|name| !name.is_empty());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "a person".to_owned())
}

async fn git(dir: &Path) -> Option<Value> {
    let ask = async |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(dir).stdin(std::process::Stdio::null()).kill_on_drop(true);
        // Only a look: no lock of the index is taken.
        command.env("GIT_OPTIONAL_LOCKS", "0");
        let output = command.output().await.ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let (commit, branch, status) = tokio::join!(
        ask(&["rev-parse", "HEAD"]),
        ask(&["rev-parse", "--abbrev-ref", "HEAD"]),
        ask(&["status", "--porcelain", "--", "."]),
    );
    let changed: Vec<String> = status?.lines().map(|line| line.trim().to_owned()).collect();
    Some(json!({
        "commit": commit?.trim(),
        "branch": branch.unwrap_or_default().trim(),
        "dirty": !changed.is_empty(),
        "changed": changed.iter().take(FILES_MAX).collect::<Vec<_>>(),
    }))
}

fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let after = |text: String, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?.to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let memory = read("/proc/meminfo").and_then(|text| after(text, "MemTotal"));
    let memory = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    json!({
        "host": read("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "processor": read("/proc/cpuinfo").and_then(|text| after(text, "model name")),
        "cores": crate::settings::cores(),
        "memory_mib": memory.map(|kibibytes| kibibytes / 1024),
    })
}
