//! A file of features: a draft, or a version that is kept.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};
use tidemill_core::{Code, Digest, Failure, InvalidFile, ParamIssue, suggest};
use tidemill_pipeline::Document;
use tidemill_transform::FeatureSet;

/// A larger file of features is refused.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The keys of a file.
const KEYS: [&str; 4] = ["feature_set", "digest", "description", "features"];
/// Those of them that a version has and a draft need not.
const KEPT_KEYS: [&str; 2] = ["feature_set", "digest"];

/// A file of features that are all right as far as that can be known without data:
///
/// ```yaml
/// feature_set: taxi_features@2     # of a version that is kept; what stands in a draft is not looked at
/// digest: 5b0c…                    # likewise
/// description: What is known of a ride when it ends
/// features:
///   trip_miles: z_score
/// ```
pub struct FeatureFile {
    document: Document,
    value: Value,
}

impl FeatureFile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            let mut failure = if missing {
                Failure::new(Code::SourceNotFound, format!("there is no file `{}`", path.display()))
            } else {
                Failure::new(Code::Io, format!("cannot read `{}`", path.display()))
            };
            failure.causes.extend((!missing).then(|| error.to_string()));
            failure
        };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(refuse)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(refuse)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            let message =
                format!("`{}` has more than {} MiB: it is no list of features", path.display(), FILE_BYTES_MAX >> 20);
            return Err(Failure::new(Code::FeatureSet, message));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::new(Code::NotUtf8, format!("`{}` is not UTF-8", path.display())))?;
        Self::parse(path, &text)
    }

    /// Reads `text`, which stands at `path` or is going to.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let document = Document::parse(path, text).map_err(invalid)?;
        let value = document.value();
        let file = Self { document, value };
        let issues = file.issues();
        if issues.is_empty() { Ok(file) } else { Err(invalid(file.document.invalid(issues))) }
    }

    /// Everything wrong with it.
    fn issues(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        for key in self.value.as_object().into_iter().flat_map(Map::keys) {
            if !KEYS.contains(&key.as_str()) {
                let issue = ParamIssue::new([key.clone()], format!("unknown field `{key}`"));
                issues.push(match suggest(key, KEYS) {
                    Some(near) => issue.with_hint(format!("did you mean `{near}`?")),
                    None => {
                        issue.with_hint("a feature set has `features` and a `description`; all else is the pipeline's")
                    }
                });
            }
        }
        if self.value.get("description").is_some_and(|text| !text.is_string()) {
            issues.push(ParamIssue::new(["description"], "the description is a text"));
        }
        match self.value.get("features") {
            Some(Value::Object(features)) if !features.is_empty() => {
                issues.extend(FeatureSet::check(features).into_iter().map(|mut issue| {
                    issue.path.insert(0, "features".to_owned());
                    issue
                }));
            }
            Some(_) => issues.push(ParamIssue::new(["features"], "features by name are expected here")),
            None => issues.push(
                ParamIssue::new(Vec::<String>::new(), "`features` is missing")
                    .with_hint("a feature set is features by name, as in a `Transform` step"),
            ),
        }
        issues
    }

    /// The name it gives itself, without a version.
    pub fn own_name(&self) -> Option<&str> {
        let name = self.value.get("feature_set")?.as_str()?;
        Some(name.split_once('@').map_or(name, |(name, _)| name))
    }

    /// What it is for, in its author's words.
    pub fn description(&self) -> Option<&str> {
        self.value.get("description").and_then(Value::as_str)
    }

    /// The features, in their order.
    pub fn features(&self) -> Map<String, Value> {
        self.value.get("features").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    /// The digest of the features.
    pub fn digest(&self) -> Digest {
        FeatureSet::digest_of(&self.features())
    }

    /// The text of the version `name@version` with these features: what the author wrote, under a head.
    pub fn kept_text(&self, path: &Path, name: &str, version: u32) -> Result<String, Failure> {
        let text = self.document.text_without(&KEPT_KEYS);
        let digest = self.digest();
        let head = format!("feature_set: {name}@{version}\ndigest: {digest}\n");
        let start = Document::parse(path, &text).map_err(invalid)?.start();
        let text = format!("{}{head}{}", &text[..start], &text[start..]);
        let kept = Self::parse(path, &text).ok().filter(|kept| kept.features() == self.features());
        kept.map(|_| text).ok_or_else(|| {
            let message = format!("`{name}` cannot be kept: its file has more than one entry on a line");
            Failure::new(Code::FeatureSet, message)
                .with_hint("write `features:` and `description:` as lines of their own")
        })
    }

    /// The version `name@version`, as the name of the file has it. It must be what was kept under that name.
    pub fn into_set(self, name: &str, version: u32) -> Result<FeatureSet, Failure> {
        let (features, digest) = (self.features(), self.digest());
        let reference = format!("{name}@{version}");
        let said = |key: &str| self.value.get(key).and_then(Value::as_str);
        let issue = match (said("feature_set"), said("digest")) {
            (Some(other), Some(_)) if other != reference => ParamIssue::new(
                ["feature_set"],
                format!("this is `{other}`, and the name of the file says `{reference}`"),
            ),
            (Some(_), Some(kept)) if kept != digest.as_str() => {
                ParamIssue::new(["digest"], format!("the features of `{reference}` were altered after it was kept"))
                    .with_hint(
                        "put them back, and add the change as a version of its own: `tidemill features add FILE`",
                    )
            }
            (Some(_), Some(_)) => {
                let place = |name: &String| self.document.place(&["features".to_owned(), name.clone()]);
                let places: BTreeMap<String, String> =
                    features.keys().map(|feature| (feature.clone(), place(feature))).collect();
                return Ok(FeatureSet { name: name.to_owned(), version, digest, features, places });
            }
            _ => ParamIssue::new(Vec::<String>::new(), "`feature_set` and `digest` are missing")
                .with_hint("a version is kept by `tidemill features add FILE`, not by hand"),
        };
        Err(invalid(self.document.invalid(vec![issue])))
    }
}

/// Every wrong place of a file of features.
fn invalid(invalid: InvalidFile) -> Failure {
    let message = invalid.to_string().replace('\n', "; ");
    Failure { message, ..Failure::in_file(Code::FeatureSet, invalid) }
}
