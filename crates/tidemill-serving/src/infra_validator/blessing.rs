//! `infra_blessing.json`: the verdict of the infra validator on a model.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tidemill_core::{Code, ComponentError, Digest};

use super::probe::Finding;
use super::{Params, Rejection};

const FILE: &str = "infra_blessing.json";
const FORMAT: u32 = 1;

/// The content of the artifact folder's only file:
///
/// ```json
/// {
///   "format": 1,
///   "blessed": true,
///   "reasons": [],
///   "sample_rows": 32,
///   "protocols": ["tensorflow_serving_rest", "open_inference_protocol_rest"],
///   "limits": { "latency_p99_ms": 20.0, "max_load_secs": 300.0 }
/// }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InfraBlessing {
    format: u32,
    model: Digest,
    blessed: bool,
    reasons: Vec<String>,
    sample_rows: usize,
    protocols: Vec<String>,
    limits: Params,
}

impl InfraBlessing {
    pub(super) fn new(model: &Digest, params: &Params, finding: &Finding, rejection: &Rejection) -> Self {
        Self {
            format: FORMAT,
            model: model.clone(),
            blessed: rejection.is_empty(),
            reasons: rejection.reasons.clone(),
            sample_rows: finding.sample_rows,
            protocols: vec!["tensorflow_serving_rest".to_owned(), "open_inference_protocol_rest".to_owned()],
            limits: params.clone(),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), ComponentError> {
        let path = folder.join(FILE);
        let mut text = serde_json::to_string_pretty(self).map_err(|source| error(&path, source))?;
        text.push('\n');
        std::fs::write(&path, text).map_err(|source| error(&path, source))
    }
}

fn error(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> ComponentError {
    let mut error = ComponentError::new(Code::Io, format!("cannot write `{}`", path.display()));
    error.source = Some(Box::new(source));
    error
}
