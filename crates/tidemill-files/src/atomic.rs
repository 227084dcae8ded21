//! Replacing a file in one step.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{FileError, draft, folder};

/// Replaces the content of `path`: whoever reads it finds the old content or the new, also after a power failure.
///
/// The folder must exist. The permissions of a file that was there are kept, and a symbolic link stays a link. What is
/// not a regular file, such as `/dev/stdout` or a named pipe, is written to directly.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(content.as_ref()).map_err(|error| FileError::new(path, "writing", error))?;
    file.commit()
}

/// Writes a file that must not exist yet; `false` if it does, in which case it is left as it is.
pub fn create_new(path: &Path, content: impl AsRef<[u8]>) -> Result<bool, FileError> {
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let mut file = AtomicFile::create(path)?;
    file.write_all(content.as_ref()).map_err(|error| FileError::new(path, "writing", error))?;
    file.commit_new()
}

/// A file that is written piece by piece and appears whole when it is committed. Dropped without, it never was.
///
/// Writes are not buffered.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    /// The path that the caller named.
    path: PathBuf,
    /// Where the content goes: `path`, or what it links to.
    target: PathBuf,
    /// None for what is not a regular file: there is no draft.
    draft: Option<PathBuf>,
}

impl AtomicFile {
    /// Begins a file that will be at `path`. Removes drafts of it that dead processes left.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        Self::begin(path).map_err(|error| FileError::new(path, "writing", error))
    }

    fn begin(path: &Path) -> io::Result<Self> {
        fault::step()?;
        let found = fs::metadata(path);
        if found.as_ref().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let file = fs::OpenOptions::new().write(true).open(path)?;
            return Ok(Self { file, path: path.to_owned(), target: path.to_owned(), draft: None });
        }
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let target = match path.symlink_metadata() {
            Ok(link) if link.is_symlink() => link_target(path)?,
            _ => path.to_owned(),
        };
        draft::sweep_of(&target);
        let (file, draft) = draft::create(&target)?;
        let created = Self { file, path: path.to_owned(), target, draft: Some(draft) };
        if let Ok(found) = found {
            created.file.set_permissions(found.permissions())?;
        }
        Ok(created)
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The path that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Forces the content to disk and gives the file its name, replacing what has it.
    pub fn commit(mut self) -> Result<(), FileError> {
        self.publish(|draft, target| fs::rename(draft, target))
            .map_err(|error| FileError::new(&self.path, "writing", error))
    }

    /// As [`commit`](Self::commit), but replaces nothing: `false` if a file of that name appeared meanwhile.
    pub fn commit_new(mut self) -> Result<bool, FileError> {
        let published = self.publish(|draft, target| match fs::hard_link(draft, target) {
            Ok(()) => fs::remove_file(draft),
            // No hard links here; the name may be taken in this instant only.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && target.symlink_metadata().is_err() => {
                fs::rename(draft, target)
            }
            Err(error) => Err(error),
        });
        match published {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(FileError::new(&self.path, "writing", error)),
        }
    }

    fn publish(&mut self, name: impl FnOnce(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
        let Some(draft) = &self.draft else { return self.file.flush() };
        fault::step()?;
        self.file.sync_all()?;
        fault::step()?;
        name(draft, &self.target)?;
        self.draft = None;
        // The file has its name; only a power failure in the next seconds could still bring the old one back.
        let _ = folder::sync(folder::parent(&self.target));
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fault::step()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for AtomicFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(draft) = &self.draft {
            let _ = fs::remove_file(draft);
        }
    }
}

/// What a symbolic link leads to, whether or not that exists.
fn link_target(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        match at.symlink_metadata() {
            Ok(found) if found.is_symlink() => at = folder::parent(&at).join(fs::read_link(&at)?),
            _ => return Ok(at),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Failures that tests inject before each step of writing.
mod fault {
    #[cfg(not(test))]
    #[inline]
    #[allow(clippy::unnecessary_wraps, reason = "in tests it fails")]
    pub(super) fn step() -> std::io::Result<()> {
        Ok(())
    }

    #[cfg(test)]
    pub(super) use armed::{fail_at, step};

    #[cfg(test)]
    mod armed {
        use std::cell::Cell;
        use std::io;

        thread_local! {
            static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
        }

        /// The step after `steps` more of this thread fails as on a full disk.
        pub fn fail_at(steps: Option<u32>) {
            STEPS_LEFT.set(steps);
        }

        pub fn step() -> io::Result<()> {
            match STEPS_LEFT.get() {
                None => Ok(()),
                Some(0) => Err(io::ErrorKind::StorageFull.into()),
                Some(left) => {
                    STEPS_LEFT.set(Some(left - 1));
                    Ok(())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failure_at_any_step_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("schema.yaml");
        for existing in [None, Some("old")] {
            let mut steps = 0;
            loop {
                let _ = fs::remove_file(&path);
                if let Some(text) = existing {
                    fs::write(&path, text).unwrap();
                }
                fault::fail_at(Some(steps));
                let written = write(&path, "new");
                fault::fail_at(None);
                let found = fs::read_to_string(&path).ok();
                match written {
                    Ok(()) => {
                        assert_eq!(found.as_deref(), Some("new"));
                        break;
                    }
                    Err(error) => {
                        assert_eq!(
                            error.to_string(),
                            format!("no space left on device while writing `{}`", path.display())
                        );
                        assert_eq!(found.as_deref(), existing, "after {steps} steps");
                        assert_eq!(names(dir.path()).len(), usize::from(existing.is_some()), "after {steps} steps");
                    }
                }
                steps += 1;
            }
            assert_eq!(steps, 4, "create, write, sync, rename");
        }
    }

    #[test]
    fn drafts_of_the_dead_are_swept_and_those_of_the_living_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let alive = AtomicFile::create(&path).unwrap();
        fs::write(dir.path().join(".a.txt.1-0.tidemill-draft"), "half").unwrap();
        fs::write(dir.path().join(".b.txt.1-0.tidemill-draft"), "half").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(names(dir.path()).len(), 3, "{:?}", names(dir.path()));
        assert_eq!(draft::sweep(dir.path()).unwrap(), 1);
        alive.commit().unwrap();
        assert_eq!(names(dir.path()), ["a.txt"]);
        assert_eq!(draft::sweep(&dir.path().join("nowhere")).unwrap(), 0);
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let late = AtomicFile::create(&path).unwrap();
        assert!(create_new(&path, "first").unwrap());
        assert!(!create_new(&path, "second").unwrap());
        assert!(!late.commit_new().unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(names(dir.path()), ["a.txt"]);
    }

    #[test]
    fn folders_are_made_with_those_above_and_named_when_they_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        folder::create_folder(&deep).unwrap();
        folder::create_folder(&deep).unwrap();
        write(&deep.join("file"), "").unwrap();
        let below_a_file = deep.join("file/d");
        let error = folder::create_folder(&below_a_file).unwrap_err().to_string();
        assert!(error.contains("while creating the folder") && error.contains("file/d"), "{error}");
        let error = write(&dir.path().join("no/x"), "").unwrap_err().to_string();
        assert!(error.starts_with("no such file or folder while writing"), "{error}");
        let error = write(&deep, "").unwrap_err().to_string();
        assert!(error.starts_with("it is a folder while writing"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay_and_devices_are_written_to() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.yaml"), dir.path().join("link.yaml"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real.yaml", &link).unwrap();
        write(&link, "new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        write(Path::new("/dev/null"), "gone").unwrap();
        if Path::new("/dev/full").exists() {
            let error = write(Path::new("/dev/full"), "x").unwrap_err().to_string();
            assert_eq!(error, "no space left on device while writing `/dev/full`");
        }
    }
}
