//! One file of a log: hidden and locked while it is written, renamed when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tidemill_proto::tfrecord::{HEAD_BYTES, TAIL_BYTES, is_sum_of, length};

use super::LogFormat;
use super::sink::LogLocation;

/// The suffix of a file while it is written.
const PARTIAL: &str = ".partial";
/// An incomplete last line is searched for in pieces of this size.
const PIECE_BYTES: u64 = 64 << 10;

/// A file that is being written.
pub(super) struct OpenFile {
    pub(super) file: File,
    path: PathBuf,
    whole: PathBuf,
}

impl OpenFile {
    /// Creates a file for the model; `number` distinguishes the files of this process.
    pub(super) fn create(place: &LogLocation, model: &str, format: LogFormat, number: u64) -> io::Result<Self> {
        let began = stamp(SystemTime::now());
        let name = format!("{began}-{}-{number}.{}", std::process::id(), format.extension());
        let (folder, name) = match place {
            LogLocation::Folder(dir) => (dir.join(folder_name(model)), name),
            LogLocation::Prefix(prefix) => (folder_of(prefix), format!("{}-{name}", beginning(prefix))),
        };
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!(".{name}{PARTIAL}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        // So that a process that starts meanwhile does not take it for an abandoned file.
        file.lock()?;
        Ok(Self { file, path, whole: folder.join(name) })
    }

    /// Completes the file: gives it its final name.
    pub(super) fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.whole)?;
        let folder = self.whole.parent().unwrap_or(Path::new("."));
        tidemill_files::sync_folder(folder).map_err(tidemill_files::FileError::into_io)
    }

    /// Removes the file.
    pub(super) fn discard(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a file of the inference log cannot be removed");
        }
    }
}

/// How many bytes are buffered before they go to the system.
const BUFFER_BYTES: usize = 64 << 10;

/// A file that is being written through a buffer, entry by entry.
pub(super) struct Buffered {
    partial: OpenFile,
    /// Bytes that go to the system next.
    pub(super) buffer: Vec<u8>,
    /// Bytes handed to the system.
    handed: u64,
    /// Bytes that are on disk, all of complete entries.
    durable: u64,
    /// Entries that are not on disk yet.
    waiting: u64,
    /// Why an earlier write did not succeed. The file may have a part of an entry at its end then, and nothing more is
    /// written to it.
    failure: Option<io::Error>,
}

/// The fate of the entries that were not on disk yet when the file was closed.
pub(super) struct ClosedFile {
    pub(super) written: u64,
    pub(super) lost: u64,
    pub(super) error: Option<io::Error>,
}

impl Buffered {
    pub(super) fn new(partial: OpenFile) -> Self {
        Self { partial, buffer: Vec::with_capacity(BUFFER_BYTES), handed: 0, durable: 0, waiting: 0, failure: None }
    }

    /// Bytes of the file with those in the buffer.
    pub(super) fn bytes(&self) -> u64 {
        self.handed + self.buffer.len() as u64
    }

    /// Marks the end of an entry in the buffer. Writes the buffer to the system if it is full enough.
    pub(super) fn added(&mut self) -> io::Result<()> {
        self.waiting += 1;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        let result = self.partial.file.write_all(&self.buffer);
        if result.is_ok() {
            self.handed += self.buffer.len() as u64;
        }
        self.buffer.clear();
        self.remember(result)
    }

    /// The error of an earlier write.
    fn check(&self) -> io::Result<()> {
        self.failure.as_ref().map_or(Ok(()), |error| Err(same(error)))
    }

    fn remember(&mut self, result: io::Result<()>) -> io::Result<()> {
        result.inspect_err(|error| self.failure = Some(same(error)))
    }

    /// Forces everything to disk. Returns the number of entries that are on disk now and were not before.
    pub(super) fn sync(&mut self) -> io::Result<u64> {
        if self.waiting == 0 {
            return Ok(0);
        }
        self.flush()?;
        let synced = self.partial.file.sync_data();
        self.remember(synced)?;
        self.durable = self.handed;
        Ok(std::mem::take(&mut self.waiting))
    }

    /// Publishes the file. If not everything reaches the disk, the file ends after the last entry that did.
    pub(super) fn close(mut self) -> ClosedFile {
        match self.sync() {
            // If only the rename fails, the next start does it.
            Ok(written) => ClosedFile { written, lost: 0, error: self.partial.publish().err() },
            Err(error) => {
                let lost = self.waiting;
                let kept = if self.durable == 0 {
                    self.partial.discard();
                    Ok(())
                } else {
                    self.partial.file.set_len(self.durable).and_then(|()| self.partial.publish())
                };
                if let Err(error) = kept {
                    tracing::warn!(%error, "a file of the inference log could not be cut behind its last whole entry");
                }
                ClosedFile { written: 0, lost, error: Some(error) }
            }
        }
    }
}

/// The same error again.
fn same(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// Publishes the files that killed processes left: JSON lines up to the last complete line, records up to the last
/// complete one. Parquet without its footer cannot be read and is removed.
pub(super) fn recover(place: &LogLocation) -> io::Result<()> {
    match place {
        LogLocation::Folder(dir) => {
            for folder in fs::read_dir(dir)?.flatten().filter(|entry| entry.path().is_dir()) {
                recover_in(&folder.path(), "")?;
            }
            Ok(())
        }
        LogLocation::Prefix(prefix) if fs::exists(folder_of(prefix))? => {
            recover_in(&folder_of(prefix), &format!("{}-", beginning(prefix)))
        }
        LogLocation::Prefix(_) => Ok(()),
    }
}

fn recover_in(folder: &Path, begins: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(whole) = name.strip_prefix('.').and_then(|name| name.strip_suffix(PARTIAL)) else { continue };
        if !whole.starts_with(begins) {
            continue;
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        if file.try_lock().is_err() {
            continue;
        }
        let left = if whole.ends_with(LogFormat::JsonLines.extension()) {
            cut_to_lines(&mut file)?
        } else if whole.ends_with(LogFormat::PredictionLogs.extension()) {
            cut_to_records(&mut file)?
        } else {
            0
        };
        if left == 0 {
            tracing::warn!(path = %path.display(), "removing a file of the inference log that was not finished");
            fs::remove_file(&path)?;
            continue;
        }
        tracing::info!(path = %path.display(), "publishing a file of the inference log that was not finished");
        fs::rename(&path, path.with_file_name(whole))?;
    }
    Ok(())
}

/// The folder that holds the files of a prefix.
fn folder_of(prefix: &Path) -> PathBuf {
    let parent = prefix.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The prefix of their names.
fn beginning(prefix: &Path) -> String {
    prefix.file_name().map_or_else(|| "log".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Cuts a file after its last complete record; returns the remaining length.
fn cut_to_records(file: &mut File) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let size = file.metadata()?.len();
    let mut reader = io::BufReader::new(&mut *file);
    let (mut end, mut head, mut record) = (0, [0; HEAD_BYTES], Vec::new());
    while reader.read_exact(&mut head).is_ok() {
        let rest = size.saturating_sub(end + (HEAD_BYTES + TAIL_BYTES) as u64);
        let Some(length) = length(&head).filter(|length| *length <= rest) else { break };
        record.resize(length as usize + TAIL_BYTES, 0);
        if reader.read_exact(&mut record).is_err() || !is_sum_of(&record[length as usize..], &record[..length as usize])
        {
            break;
        }
        end += (HEAD_BYTES + TAIL_BYTES) as u64 + length;
    }
    file.set_len(end)?;
    Ok(end)
}

/// Cuts a file after its last newline; returns the remaining length.
fn cut_to_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut piece = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PIECE_BYTES);
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

/// A model's name as a folder name: names of registered models stay as they are.
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

    #[cfg(target_os = "linux")]
    #[test]
    fn entries_that_a_full_disk_refused_are_lost_also_if_the_file_is_closed_later() {
        let dir = tempfile::tempdir().unwrap();
        let (path, whole) = (dir.path().join(".a.partial"), dir.path().join("a"));
        fs::write(&path, b"").unwrap();
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = Buffered::new(OpenFile { file, path: path.clone(), whole: whole.clone() });
        log.buffer.extend_from_slice(b"{}\n");
        log.added().unwrap();
        assert_eq!(log.sync().unwrap_err().kind(), io::ErrorKind::StorageFull);
        let closed = log.close();
        assert_eq!((closed.written, closed.lost), (0, 1));
        assert_eq!(closed.error.unwrap().kind(), io::ErrorKind::StorageFull);
        assert!(!path.exists() && !whole.exists());
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
        let place = LogLocation::Folder(dir.path().to_owned());
        let alive = OpenFile::create(&place, "m", LogFormat::JsonLines, 1).unwrap();
        recover(&place).unwrap();
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

    #[test]
    fn records_are_kept_to_the_last_whole_one_and_other_prefixes_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut records = Vec::new();
        tidemill_proto::tfrecord::append(&mut records, b"one");
        let whole = records.len();
        tidemill_proto::tfrecord::append(&mut records, b"another");
        let left =
            |name: &str, content: &[u8]| fs::write(dir.path().join(format!(".{name}.partial")), content).unwrap();
        for cut in whole..records.len() {
            left("taxi-1.tfrecord", &records[..cut]);
            left("taxi-2.tfrecord", &records[..whole - 1]);
            left("fares-1.tfrecord", &records);
            recover(&LogLocation::Prefix(dir.path().join("taxi"))).unwrap();
            assert_eq!(fs::read(dir.path().join("taxi-1.tfrecord")).unwrap(), records[..whole], "cut at {cut}");
            assert!(!dir.path().join("taxi-2.tfrecord").exists());
            assert!(dir.path().join(".fares-1.tfrecord.partial").exists());
        }
        recover(&LogLocation::Prefix(dir.path().join("no/such/folder/x"))).unwrap();
    }
}
