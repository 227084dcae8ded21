//! Opening a page in the browser.

use std::path::Path;
use std::process::{Command, Stdio};

/// Opens `page` with the program that the desktop uses for it, without waiting for it. Returns whether that program started.
pub fn open(page: &Path) -> bool {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        let mut command = Command::new("cmd");
        // The first argument in quotes is the title of a window.
        command.args(["/c", "start", ""]);
        command
    } else {
        Command::new("xdg-open")
    };
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_path_buf());
    command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
}
