//! An endpoint file: YAML with the keys of [`EndpointSpec`], and the places of its mistakes.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidemill_core::{Code, Failure, ParamIssue};
use tidemill_pipeline::Document;
use tidemill_serving::endpoint::spec::EndpointSpec;

/// A larger file is rejected.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// An endpoint file without mistakes, as far as that can be said without its models.
#[derive(Debug, Clone)]
pub struct EndpointFile {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says. Paths in it are absolute, or relative to the current folder.
    pub spec: EndpointSpec,
    document: Document,
    folder: PathBuf,
}

impl EndpointFile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let length = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Failure::new(Code::SourceNotFound, format!("there is no file `{}`", path.display()))
            }
            _ => Failure::io(path, &error),
        })?;
        if length.len() > FILE_BYTES_MAX {
            let message =
                format!("`{}` has more than {} MiB: it is not an endpoint file", path.display(), FILE_BYTES_MAX >> 20);
            return Err(Failure::new(Code::EndpointFile, message));
        }
        let bytes = std::fs::read(path).map_err(|error| Failure::io(path, &error))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::new(Code::NotUtf8, format!("`{}` is not UTF-8", path.display())))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self::parse(path, &text, folder.unwrap_or(Path::new(".")))
    }

    /// Reads `text`, whose places are reported as of `path`. Paths in it are relative to `folder`.
    pub fn parse(path: &Path, text: &str, folder: &Path) -> Result<Self, Failure> {
        let invalid = |invalid| Failure::in_file(Code::EndpointFile, invalid);
        let document = Document::parse(path, text).map_err(invalid)?;
        match EndpointSpec::parse(&document.value()) {
            Ok(spec) => {
                let (path, text, folder) = (path.to_owned(), text.to_owned(), folder.to_owned());
                let spec = spec.based_at(&folder);
                Ok(Self { path, text, spec, document, folder })
            }
            Err(issues) => Err(invalid(document.invalid(issues))),
        }
    }

    /// The content as it is written.
    pub fn value(&self) -> Value {
        self.document.value()
    }

    /// The folder that paths are relative to.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The error that these issues are, each at its place.
    pub(super) fn invalid(&self, issues: Vec<ParamIssue>) -> Failure {
        Failure::in_file(Code::EndpointFile, self.document.clone().invalid(issues))
    }
}
