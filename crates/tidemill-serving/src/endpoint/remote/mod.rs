//! A model on another server, over the Open Inference Protocol.

mod client;
mod oip;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::Value;
use tidemill_core::Signature;

use self::client::Client;
pub(crate) use self::client::remote_address;
use super::call::{Answer, Call, Outcome, Step};
use crate::inference::request_error::RequestError;

/// The JSON document at a path of a server, with this API key. An error says what went wrong.
pub async fn fetch_json(url: &str, path: &str, key: Option<&str>) -> Result<(u16, Value), String> {
    let client = Client::new(url)?.with_key(key)?;
    let asked = Call::in_time(Instant::now() + METADATA_TIMEOUT, None, client.get(path)).await;
    let (status, body) = asked.map_err(|error| error.message)?;
    let body = serde_json::from_slice(&body).map_err(|_| "the answer is not JSON".to_owned())?;
    Ok((status.as_u16(), body))
}

/// The time for the metadata of a model.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// A model on another server.
#[derive(Debug)]
pub(super) struct Remote {
    client: Client,
    model: String,
    /// Its inputs and outputs, once that server has told them.
    signature: OnceLock<Signature>,
}

impl Remote {
    /// The model `model` at `url`.
    pub(super) fn new(url: &str, model: &str) -> Result<Self, String> {
        Ok(Self { client: Client::new(url)?, model: model.to_owned(), signature: OnceLock::new() })
    }

    /// Its inputs and outputs, if that server has told them.
    pub(super) fn signature(&self) -> Option<&Signature> {
        self.signature.get()
    }

    /// Asks the server for inputs and outputs. `true`: they were not known before.
    pub(super) async fn learn(&self) -> Result<bool, RequestError> {
        if self.signature.get().is_some() {
            return Ok(false);
        }
        let path = format!("/v2/models/{}", encoded(&self.model));
        let asked = Call::in_time(Instant::now() + METADATA_TIMEOUT, None, self.client.get(&path)).await;
        let (status, body) = asked?;
        if status != StatusCode::OK {
            return Err(self.failed(&format!("metadata: status {status}")));
        }
        let signature = oip::signature(&body).map_err(|error| self.failed(&error))?;
        Ok(self.signature.set(signature).is_ok())
    }

    /// Sends the rows to the server.
    pub(super) fn start(remote: &Arc<Self>, call: Call, label: &Arc<str>) -> Step {
        let (remote, label) = (Arc::clone(remote), Arc::clone(label));
        Step::later(async move { remote.infer(call, label).await })
    }

    async fn infer(&self, call: Call, trail: Arc<str>) -> Outcome {
        let rows = call.batch.num_rows();
        let names: Option<Vec<&str>> =
            self.signature.get().map(|signature| signature.inputs.iter().map(|input| input.name.as_str()).collect());
        let body = oip::request(&call.batch, names.as_deref())?;
        let path = format!("/v2/models/{}/infer", encoded(&self.model));
        let id = call.attributes.as_ref().and_then(|attributes| attributes.id.clone());
        let (status, body) = self.client.post(&path, body, id).await.map_err(|error| self.unreachable(error))?;
        if status != StatusCode::OK {
            let text = oip::error_text(&body);
            // A mistake of the client is one there too.
            if status == StatusCode::BAD_REQUEST {
                return Err(RequestError::invalid(text));
            }
            return Err(self.failed(&format!("status {}: {text}", status.as_u16())));
        }
        let (predictions, version) = oip::response(&body, rows).map_err(|error| self.failed(&error))?;
        Ok(Answer { predictions, version, trail })
    }

    fn unreachable(&self, error: RequestError) -> RequestError {
        if error.status == StatusCode::GATEWAY_TIMEOUT { error } else { self.failed(&error.message) }
    }

    fn failed(&self, why: &str) -> RequestError {
        let message = format!("model `{}` at `{}`: {why}", self.model, self.client.url());
        RequestError::new(StatusCode::BAD_GATEWAY, message)
    }
}

fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
