//! One file of a log: hidden and locked while it is written, named when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::LogFormat;

/// What a file's name ends in while it is written.
const PARTIAL: &str = ".partial";
/// A line that is cut short is looked for in pieces of this size.
const TAIL_BYTES: u64 = 64 << 10;

/// A file that is being written.
pub(super) struct Partial {
    pub(super) file: File,
    path: PathBuf,
    whole: PathBuf,
}

impl Partial {
    /// Begins a file of the model in `dir`; `number` tells files of this process apart.
    pub(super) fn create(dir: &Path, model: &str, format: LogFormat, number: u64) -> io::Result<Self> {
        let folder = dir.join(folder_name(model));
        fs::create_dir_all(&folder)?;
        let began = stamp(SystemTime::now());
        let name = format!("{began}-{}-{number}.{}", std::process::id(), format.extension());
        let path = folder.join(format!(".{name}{PARTIAL}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        // So that a process that starts meanwhile does not take it for a file nobody writes any more.
        file.lock()?;
        Ok(Self { file, path, whole: folder.join(name) })
    }

    /// The file is whole: it gets its name.
    pub(super) fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.whole)
    }

    /// The file is of no use.
    pub(super) fn discard(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a file of the inference log cannot be removed");
        }
    }
}

/// Publishes what processes left behind that were killed: JSON lines up to the last whole line. Parquet without its end
/// cannot be read and is removed.
pub(super) fn recover(dir: &Path) -> io::Result<()> {
    for folder in fs::read_dir(dir)?.flatten().filter(|entry| entry.path().is_dir()) {
        for entry in fs::read_dir(folder.path())?.flatten() {
            let path = entry.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let Some(whole) = name.strip_prefix('.').and_then(|name| name.strip_suffix(PARTIAL)) else { continue };
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            if file.try_lock().is_err() {
                continue;
            }
            if !whole.ends_with(LogFormat::JsonLines.extension()) || cut_to_lines(&mut file)? == 0 {
                tracing::warn!(path = %path.display(), "removing a file of the inference log that was not finished");
                fs::remove_file(&path)?;
                continue;
            }
            tracing::info!(path = %path.display(), "publishing a file of the inference log that was not finished");
            fs::rename(&path, path.with_file_name(whole))?;
        }
    }
    Ok(())
}

/// Cuts a file behind its last newline; gives what is left.
fn cut_to_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        piece.clear();
        io::Read::by_ref(file).take(end - start).read_to_end(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            end = start + at as u64 + 1;
            file.set_len(end)?;
            return Ok(end);
        }
        end = start;
    }
    Ok(0)
}

/// A model's name as the name of a folder: registered models keep theirs.
fn folder_name(model: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut name = String::with_capacity(model.len());
    for c in model.chars() {
        if safe(c) && !(name.is_empty() && c == '.') {
            name.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                name.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    name
}

/// A time as `20261120T115720.123456Z`.
fn stamp(time: SystemTime) -> String {
    super::rfc3339(time).replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_models_are_names_of_folders() {
        assert_eq!(folder_name("taxi-tips_1.2"), "taxi-tips_1.2");
        assert_eq!(folder_name("../a b/é"), "%2E./a%20b/%C3%A9".replace('/', "%2F"));
    }

    #[test]
    fn what_a_killed_process_left_is_published_to_its_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("m");
        fs::create_dir(&folder).unwrap();
        let left = |name: &str, content: &[u8]| fs::write(folder.join(format!(".{name}.partial")), content).unwrap();
        left("a.jsonl", b"{\"x\":1}\n{\"x\":2}\n{\"x\":");
        left("b.jsonl", b"{\"x\":");
        left("c.parquet", b"PAR1");
        let mut long = vec![b'y'; 200_000];
        long[10] = b'\n';
        left("d.jsonl", &long);
        let alive = Partial::create(dir.path(), "m", LogFormat::JsonLines, 1).unwrap();
        recover(dir.path()).unwrap();
        let mut names: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names[0].starts_with('.') && names[0].ends_with("-1.jsonl.partial"), "{names:?}");
        assert_eq!(names[1..], ["a.jsonl", "d.jsonl"]);
        assert_eq!(fs::read(folder.join("a.jsonl")).unwrap(), b"{\"x\":1}\n{\"x\":2}\n");
        assert_eq!(fs::read(folder.join("d.jsonl")).unwrap().len(), 11);
        alive.publish().unwrap();
    }
}
