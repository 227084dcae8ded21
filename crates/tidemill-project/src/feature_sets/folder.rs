//! The folder that feature sets are kept in.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tidemill_core::{Code, Failure, ParamIssue, suggest};
use tidemill_transform::{FeatureSet, FeatureSets};

use super::file::FeatureFile;

/// Feature sets in a folder, each version in a file of its own that never changes:
///
/// ```text
/// features/
///   taxi_features.yaml       a draft: anything without `@` in its name is not looked at
///   taxi_features@1.yaml
///   taxi_features@2.yaml
/// ```
#[derive(Debug, Clone)]
pub struct FeatureSetFolder {
    dir: PathBuf,
}

/// A version that is kept.
pub struct KeptSet {
    /// The set.
    pub set: FeatureSet,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// Its file.
    pub file: PathBuf,
}

/// What came of adding a draft.
pub struct Added {
    /// The version that holds the features.
    pub kept: KeptSet,
    /// The newest version before it.
    pub before: Option<KeptSet>,
    /// Whether it is new; otherwise a version held the same features already.
    pub created: bool,
}

impl FeatureSetFolder {
    /// In `dir`, which need not exist.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Every set and its versions, ascending.
    pub fn names(&self) -> Result<BTreeMap<String, Vec<u32>>, Failure> {
        let mut names = BTreeMap::<String, Vec<u32>>::new();
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(names),
            Err(error) => return Err(Failure::io(&self.dir, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| Failure::io(&self.dir, &error))?;
            let file = entry.file_name();
            let stem = file.to_str().and_then(|file| file.strip_suffix(".yaml"));
            if let Some((name, Some(version))) = stem.and_then(|stem| split_reference(stem).ok()) {
                names.entry(name.to_owned()).or_default().push(version);
            }
        }
        for versions in names.values_mut() {
            versions.sort_unstable();
        }
        Ok(names)
    }

    /// The version that `reference` means: `taxi_features@2`, or the newest of `taxi_features`.
    pub fn get(&self, reference: &str) -> Result<KeptSet, Failure> {
        let (name, version) = split_reference(reference)?;
        let newest = self.versions(name)?.last().copied().unwrap_or(1);
        self.read(name, version.unwrap_or(newest))
    }

    /// The versions of a set, ascending; an error with the nearest name where there is none.
    fn versions(&self, name: &str) -> Result<Vec<u32>, Failure> {
        let mut names = self.names()?;
        if let Some(versions) = names.remove(name) {
            return Ok(versions);
        }
        let failure = Failure::new(Code::FeatureSetNotFound, format!("there is no feature set `{name}`"));
        let known: Vec<&str> = names.keys().map(String::as_str).collect();
        Err(match suggest(name, known.iter().copied()) {
            Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
            None if known.is_empty() => failure.with_hint(format!(
                "`{}` holds none; `tidemill features add FILE` keeps the first",
                self.dir.display()
            )),
            None => failure.with_hint(format!("there are {}", known.join(", "))),
        })
    }

    /// One version of a set.
    pub fn read(&self, name: &str, version: u32) -> Result<KeptSet, Failure> {
        let versions = self.versions(name)?;
        if !versions.contains(&version) {
            let failure = Failure::new(Code::FeatureSetNotFound, format!("there is no `{name}@{version}`"));
            let known: Vec<String> = versions.iter().map(|version| format!("`{name}@{version}`")).collect();
            return Err(failure.with_hint(format!(
                "there {} {}",
                if known.len() == 1 { "is" } else { "are" },
                known.join(", ")
            )));
        }
        let path = self.path(name, version);
        let file = FeatureFile::read(&path)?;
        let description = file.description().map(str::to_owned);
        Ok(KeptSet { set: file.into_set(name, version)?, description, file: path })
    }

    fn path(&self, name: &str, version: u32) -> PathBuf {
        self.dir.join(format!("{name}@{version}.yaml"))
    }

    /// Keeps the features of the file `draft` as the next version of a set: of the one named, the one that the file names, or the
    /// one it is called after. Features that a version holds already are that version.
    pub fn add(&self, draft: &Path, name: Option<&str>) -> Result<Added, Failure> {
        let file = FeatureFile::read(draft)?;
        let stem = draft.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let stem = stem.split_once('@').map_or(stem, |(name, _)| name);
        let name = name.or(file.own_name()).unwrap_or(stem);
        if !is_name(name) {
            let message = format!("`{name}` cannot name a feature set: use 1 to 63 letters, digits, `-` and `_`");
            return Err(Failure::new(Code::FeatureSet, message).with_hint("name it with `--name`"));
        }
        fs::create_dir_all(&self.dir).map_err(|error| Failure::io(&self.dir, &error))?;
        let digest = file.digest();
        loop {
            let versions = self.names()?.remove(name).unwrap_or_default();
            let mut before = None;
            for version in &versions {
                let kept = self.read(name, *version)?;
                if kept.set.digest == digest {
                    return Ok(Added { kept, before: None, created: false });
                }
                before = Some(kept);
            }
            let next = versions.last().copied().unwrap_or(0).saturating_add(1);
            let path = self.path(name, next);
            let text = file.kept_text(&path, name, next)?;
            if tidemill_files::create_new(&path, &text)? {
                return Ok(Added { kept: self.read(name, next)?, before, created: true });
            }
            // Somebody else has just added a version: look again.
        }
    }
}

impl FeatureSets for FeatureSetFolder {
    fn find(&self, reference: &str) -> Result<FeatureSet, ParamIssue> {
        let find = || {
            let (name, version) = split_reference(reference)?;
            let Some(version) = version else {
                let newest = self.versions(name)?.last().copied().unwrap_or(1);
                let message = format!("`{name}` names no version of the feature set, so what it means could change");
                let failure = Failure::new(Code::FeatureSetNotFound, message);
                return Err(failure.with_hint(format!("write `{name}@{newest}`, the newest")));
            };
            self.read(name, version)
        };
        find().map(|kept| kept.set).map_err(|failure: Failure| {
            let issue = ParamIssue::new(Vec::<String>::new(), failure.message);
            ParamIssue { hint: failure.hint, ..issue }
        })
    }
}

/// Splits `NAME@VERSION` and `NAME`.
pub fn split_reference(reference: &str) -> Result<(&str, Option<u32>), Failure> {
    let (name, version) = reference.split_once('@').map_or((reference, None), |(name, rest)| (name, Some(rest)));
    let number =
        version.map(|text| text.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == *text));
    match number {
        None if is_name(name) => Ok((name, None)),
        Some(Some(number)) if is_name(name) => Ok((name, Some(number))),
        _ => {
            let message = format!("`{reference}` names no feature set: `NAME@VERSION` is expected");
            Err(Failure::new(Code::FeatureSetNotFound, message)
                .with_hint("a version is a number from 1, as in `taxi_features@2`"))
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_name_and_a_number() {
        let split = |text| split_reference(text).ok();
        assert_eq!(split("taxi_features@12"), Some(("taxi_features", Some(12))));
        assert_eq!(split("taxi-features"), Some(("taxi-features", None)));
        for wrong in ["", "@1", "a@", "a@0", "a@01", "a@+1", "a@1@2", "../a@1", "a.b@1", "a@99999999999"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
