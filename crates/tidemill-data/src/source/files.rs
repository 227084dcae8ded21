//! Which files a source is made of.

use std::path::{Path, PathBuf};

use super::Format;
use crate::DataError;
use crate::connect::Tree;

/// One file of a source and its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// Where a file is a row, the folder of the source: the path from there and its first folder are values of the row.
    pub(crate) root: Option<PathBuf>,
}

/// Resolves a path to the files behind it: a file to itself, a folder to the files right in it, a glob (`*`, `?`,
/// `[a-z]`, `**`) to its matches. Files come in the byte order of their paths.
///
/// In a folder, names that begin with `.` or `_` are left out (`.DS_Store`, `_SUCCESS`); any other file must have a
/// known extension unless `format` names the format, so that no data is skipped in silence.
pub(crate) fn resolve(tree: &Tree<'_>, path: &Path, format: Option<Format>) -> Result<Vec<InputFile>, DataError> {
    let is_file_a_row = format.is_some_and(|format| format.implementation().is_file_a_row());
    let mut paths = if tree.is_there(path) && !tree.is_folder(path) {
        vec![path.to_owned()]
    } else if tree.is_folder(path) {
        let mut paths = Vec::new();
        add_files_in(tree, path, if is_file_a_row { DEPTH_MAX } else { 0 }, &mut paths)?;
        paths
    } else {
        matches_of(tree, path)?
    };
    if paths.is_empty() {
        return Err(DataError::SourceNotFound { path: path.to_owned() });
    }
    paths.sort();
    let root = is_file_a_row.then(|| root_of(tree, path));
    let files = paths.into_iter().map(|path| input_file(path, format, root.clone()));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    match files.iter().find(|file| file.format != files[0].format) {
        Some(other) => Err(DataError::SchemasDiffer {
            path: other.path.clone(),
            first: files[0].path.clone(),
            message: format!("one is {}, the other {}", other.format.name(), files[0].format.name()),
        }),
        None => Ok(files),
    }
}

/// Folders in folders, at most: a link may lead back to where it is.
const DEPTH_MAX: usize = 32;

/// Adds the files of a folder, and of the folders in it down to `depth`.
fn add_files_in(tree: &Tree<'_>, dir: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), DataError> {
    paths.extend(tree.files_in(dir)?.into_iter().filter(|path| !is_hidden(path)));
    if depth > 0 {
        for name in tree.names_in(dir)? {
            let folder = dir.join(name);
            if !is_hidden(&folder) && tree.is_folder(&folder) {
                add_files_in(tree, &folder, depth - 1, paths)?;
            }
        }
    }
    Ok(())
}

/// The folder from which the files of a source are told: itself, or what stands before the first sign of a pattern.
fn root_of(tree: &Tree<'_>, path: &Path) -> PathBuf {
    if tree.is_folder(path) {
        return path.to_owned();
    }
    let mut root = literal_part(tree, path);
    if root == path {
        root.pop();
    }
    root
}

fn matches_of(tree: &Tree<'_>, pattern: &Path) -> Result<Vec<PathBuf>, DataError> {
    let not_found = || DataError::SourceNotFound { path: pattern.to_owned() };
    let text = pattern.to_str().ok_or_else(not_found)?;
    if !text.contains(['*', '?', '[']) {
        return Err(not_found());
    }
    tree.matches(&literal_folders(tree, pattern))
}

/// The pattern with its leading folders that exist taken as they are: a folder may be called `data [old]`.
fn literal_folders(tree: &Tree<'_>, pattern: &Path) -> String {
    let literal = literal_part(tree, pattern);
    let rest = pattern.strip_prefix(&literal).unwrap_or(pattern);
    let literal = glob::Pattern::escape(&literal.to_string_lossy());
    Path::new(&literal).join(rest).to_string_lossy().into_owned()
}

/// The leading folders of a path that exist.
fn literal_part(tree: &Tree<'_>, path: &Path) -> PathBuf {
    let mut literal = PathBuf::new();
    for component in path.components() {
        let longer = literal.join(component);
        if !tree.is_folder(&longer) {
            break;
        }
        literal = longer;
    }
    literal
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_')))
}

fn input_file(path: PathBuf, format: Option<Format>, root: Option<PathBuf>) -> Result<InputFile, DataError> {
    match format.or_else(|| Format::of_file(&path)) {
        Some(format) => Ok(InputFile { path, format, root }),
        None => Err(DataError::UnknownFormat { path }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::write;

    use super::*;

    #[test]
    fn a_folder_may_have_a_name_that_looks_like_a_pattern() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("data [old]?");
        std::fs::create_dir(&odd).unwrap();
        write(odd.join("a.csv"), "a\n1\n").unwrap();
        write(odd.join("b.csv"), "a\n1\n").unwrap();
        assert_eq!(matches_of(&Tree::Disk, &odd.join("*.csv")).unwrap(), [odd.join("a.csv"), odd.join("b.csv")]);
        assert_eq!(matches_of(&Tree::Disk, &odd.join("[b]*")).unwrap(), [odd.join("b.csv")]);
    }

    fn names(files: &[InputFile]) -> Vec<String> {
        files.iter().map(|f| f.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn folders_and_globs_give_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv", "_SUCCESS", ".hidden", "c2.csv"] {
            write(dir.path().join(name), "x\n1\n").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        assert_eq!(names(&resolve(&Tree::Disk, dir.path(), None).unwrap()), ["a.csv", "b.csv", "c2.csv"]);
        assert_eq!(names(&resolve(&Tree::Disk, &dir.path().join("[ab].csv"), None).unwrap()), ["a.csv", "b.csv"]);
        assert_eq!(names(&resolve(&Tree::Disk, &dir.path().join("c?.csv"), None).unwrap()), ["c2.csv"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none.csv");
        assert!(matches!(resolve(&Tree::Disk, &missing, None), Err(DataError::SourceNotFound { .. })));
        assert!(matches!(resolve(&Tree::Disk, &dir.path().join("*.csv"), None), Err(DataError::SourceNotFound { .. })));
        assert!(matches!(resolve(&Tree::Disk, &dir.path().join("[.csv"), None), Err(DataError::Params { .. })));
        assert!(matches!(resolve(&Tree::Disk, dir.path(), None), Err(DataError::SourceNotFound { .. })));
        write(dir.path().join("a.csv"), "x\n1\n").unwrap();
        write(dir.path().join("b.parquet"), "").unwrap();
        assert!(matches!(resolve(&Tree::Disk, dir.path(), None), Err(DataError::SchemasDiffer { .. })));
        write(dir.path().join("b.xlsx"), "").unwrap();
        assert!(matches!(resolve(&Tree::Disk, &dir.path().join("b.xlsx"), None), Err(DataError::UnknownFormat { .. })));
        assert_eq!(resolve(&Tree::Disk, &dir.path().join("b.xlsx"), Some(Format::Csv)).unwrap()[0].format, Format::Csv);
    }
}
