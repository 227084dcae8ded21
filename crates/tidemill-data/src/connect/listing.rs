//! Where paths are looked up: the folders of this machine, or the listing of a store.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::RemoteFile;
use crate::DataError;

/// Objects of a store by URL, which is a path whose folders are those that its objects lie in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    files: BTreeMap<PathBuf, RemoteFile>,
}

impl Listing {
    pub(crate) fn new(files: Vec<RemoteFile>) -> Self {
        let mut files: BTreeMap<PathBuf, RemoteFile> =
            files.into_iter().map(|file| (file.path.clone(), file)).collect();
        // Consoles mark a folder with an empty object of its name.
        let markers: Vec<PathBuf> = files
            .values()
            .filter(|file| file.size == 0 && below(&files, &file.path).next().is_some())
            .map(|file| file.path.clone())
            .collect();
        for marker in markers {
            files.remove(&marker);
        }
        Self { files }
    }

    /// The object at a URL.
    pub(crate) fn get(&self, path: &Path) -> Option<&RemoteFile> {
        self.files.get(path)
    }
}

/// Everything right and deep in a folder. Paths sort by component, so that it stands together.
fn below<'a>(files: &'a BTreeMap<PathBuf, RemoteFile>, folder: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
    let range = files.range::<Path, _>((Bound::Included(folder), Bound::Unbounded)).map(|(path, _)| path);
    range.take_while(move |path| path.starts_with(folder)).filter(move |path| *path != folder)
}

/// Where paths are looked up.
#[derive(Debug)]
pub(crate) enum Tree<'a> {
    /// The folders of this machine.
    Disk,
    /// What a store has.
    Listing(&'a Listing),
}

impl Tree<'_> {
    pub(crate) fn is_folder(&self, path: &Path) -> bool {
        match self {
            Self::Disk => path.is_dir(),
            Self::Listing(listing) => below(&listing.files, path).next().is_some(),
        }
    }

    pub(crate) fn is_there(&self, path: &Path) -> bool {
        match self {
            Self::Disk => path.exists(),
            Self::Listing(listing) => listing.files.contains_key(path),
        }
    }

    /// The files right in a folder.
    pub(crate) fn files_in(&self, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
        match self {
            Self::Disk => {
                let mut paths = Vec::new();
                for entry in std::fs::read_dir(folder).map_err(|error| DataError::unreadable(folder, error))? {
                    let path = entry.map_err(|error| DataError::unreadable(folder, error))?.path();
                    if path.is_file() {
                        paths.push(path);
                    }
                }
                Ok(paths)
            }
            Self::Listing(listing) => {
                let files = below(&listing.files, folder).filter(|path| path.parent() == Some(folder));
                Ok(files.cloned().collect())
            }
        }
    }

    /// Names of files and folders right in a folder; none where there is no such folder.
    pub(crate) fn names_in(&self, folder: &Path) -> Result<Vec<String>, DataError> {
        match self {
            Self::Disk if !folder.is_dir() => Ok(Vec::new()),
            Self::Disk => {
                let unreadable = |error| DataError::unreadable(folder, error);
                let mut names = Vec::new();
                for entry in std::fs::read_dir(folder).map_err(unreadable)? {
                    names.extend(entry.map_err(unreadable)?.file_name().into_string());
                }
                Ok(names)
            }
            Self::Listing(listing) => {
                let name = |path: &PathBuf| {
                    Some(path.strip_prefix(folder).ok()?.components().next()?.as_os_str().to_str()?.to_owned())
                };
                let names: BTreeSet<String> = below(&listing.files, folder).filter_map(name).collect();
                Ok(names.into_iter().collect())
            }
        }
    }

    /// The files that a pattern of the `glob` crate fits, where no `*` takes a `/`.
    pub(crate) fn matches(&self, pattern: &str) -> Result<Vec<PathBuf>, DataError> {
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        let wrong = |error| DataError::Params { message: format!("`{pattern}` is not a pattern for paths: {error}") };
        let mut paths = Vec::new();
        match self {
            Self::Disk => {
                for entry in glob::glob_with(pattern, options).map_err(wrong)? {
                    let path = entry.map_err(|error| {
                        DataError::unreadable(error.path(), std::io::Error::other(error.to_string()))
                    })?;
                    if path.is_file() {
                        paths.push(path);
                    }
                }
            }
            Self::Listing(listing) => {
                // A path of components has one slash after the scheme.
                let plain = |path: &Path| path.components().collect::<PathBuf>();
                let pattern = glob::Pattern::new(&plain(Path::new(pattern)).to_string_lossy()).map_err(wrong)?;
                let fits = |path: &&PathBuf| pattern.matches_path_with(&plain(path), options);
                paths.extend(listing.files.keys().filter(fits).cloned());
            }
        }
        Ok(paths)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn listing(urls: &[&str]) -> Listing {
        let file = |url: &&str| RemoteFile {
            path: PathBuf::from(url.trim_start_matches('!')),
            size: u64::from(!url.starts_with('!')),
            tag: String::new(),
            e_tag: None,
        };
        Listing::new(urls.iter().map(file).collect())
    }

    #[test]
    fn a_listing_has_folders() {
        let listing = listing(&[
            "s3://b/data/a.csv",
            "s3://b/data/b/c.csv",
            "s3://b/data-2/d.csv",
            "!s3://b/data/b",
            "!s3://b/e",
        ]);
        let tree = Tree::Listing(&listing);
        assert!(tree.is_folder(Path::new("s3://b/data")) && tree.is_folder(Path::new("s3://b")));
        assert!(!tree.is_folder(Path::new("s3://b/data/a.csv")) && !tree.is_folder(Path::new("s3://b/dat")));
        assert!(tree.is_there(Path::new("s3://b/data/b/c.csv")) && !tree.is_there(Path::new("s3://b/data/b")));
        assert!(tree.is_there(Path::new("s3://b/e")), "an empty object is no folder where nothing is below it");
        assert_eq!(tree.files_in(Path::new("s3://b/data")).unwrap(), [PathBuf::from("s3://b/data/a.csv")]);
        assert_eq!(tree.names_in(Path::new("s3://b/data")).unwrap(), ["a.csv", "b"]);
        assert_eq!(tree.names_in(Path::new("s3://none")).unwrap(), Vec::<String>::new());
        let names = |pattern: &str| -> Vec<String> {
            tree.matches(pattern).unwrap().iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(names("s3://b/data/*"), ["s3://b/data/a.csv"]);
        assert_eq!(names("s3://b/**/*.csv"), ["s3://b/data/a.csv", "s3://b/data/b/c.csv", "s3://b/data-2/d.csv"]);
        assert_eq!(names("s3://b/data-?/[cd].csv"), ["s3://b/data-2/d.csv"]);
    }
}
