//! Folders that clients may name.

use std::path::{Component, Path, PathBuf};

/// Folders that contain every path a client may name. Without any, no path is allowed.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllowedRoots(Vec<PathBuf>);

impl AllowedRoots {
    pub(crate) fn new(roots: &[PathBuf]) -> Self {
        Self(roots.to_vec())
    }

    /// Whether `path` is one of the roots or under one, with links resolved. For a path that does not exist yet, its
    /// nearest existing folder counts.
    pub(crate) fn allow(&self, path: &Path) -> bool {
        let Some(path) = resolved(path) else { return false };
        self.0.iter().filter_map(|root| root.canonicalize().ok()).any(|root| path.starts_with(root))
    }
}

fn resolved(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let existing = path.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok())?;
    let rest = path.strip_prefix(existing).ok()?;
    Some(existing.canonicalize().ok()?.join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_must_be_under_a_root_whatever_they_look_like() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("models");
        std::fs::create_dir_all(root.join("taxi")).unwrap();
        std::fs::create_dir(folder.path().join("secret")).unwrap();
        let roots = AllowedRoots::new(std::slice::from_ref(&root));
        for path in [root.clone(), root.join("taxi"), root.join("not/yet"), root.join("taxi/.")] {
            assert!(roots.allow(&path), "{}", path.display());
        }
        let beside = folder.path().join("models-too");
        for path in [folder.path().to_owned(), beside, root.join("../secret"), "models/taxi".into(), "/".into()] {
            assert!(!roots.allow(&path), "{}", path.display());
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("secret"), root.join("link")).unwrap();
            assert!(!roots.allow(&root.join("link")) && !roots.allow(&root.join("link/1")));
            std::os::unix::fs::symlink("/nowhere", root.join("dangling")).unwrap();
            assert!(!roots.allow(&root.join("dangling/1")));
        }
        assert!(!AllowedRoots::default().allow(&root));
    }
}
