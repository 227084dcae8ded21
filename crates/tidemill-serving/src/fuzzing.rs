//! Entry points for the fuzz targets: decode requests and answer them without a server.
//!
//! Built only with the feature `fuzzing`. Nothing here may panic, whatever the bytes are.

use std::path::Path;

use arrow::array::RecordBatch;
use bytes::Bytes;

use crate::config::parse_any;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::target::Target as _;
use crate::models::versions::{ServedVersion, load_alone};
use crate::protocol::grpc;
use crate::protocol::operation::Operation;
use crate::protocol::rest::inference::{self, RestInference};
use crate::protocol::rest::path::RestPath;

/// A model that answers what the fuzzer makes up.
#[derive(Debug)]
pub struct Target {
    model: ServedVersion,
}

impl Target {
    /// The model of a package; the error says why there is none.
    pub fn load(package: &Path) -> Result<Self, String> {
        load_alone("fuzz", package).map(|model| Self { model })
    }

    /// A body sent to TF Serving's predict, classify or regress.
    pub fn tf_serving(&self, verb: u8, body: &[u8]) {
        let operation = [Operation::Predict, Operation::Classify, Operation::Regress][usize::from(verb % 3)];
        self.answer(operation, body, None);
    }

    /// A body sent to the Open Inference Protocol, `json_bytes` of it JSON.
    pub fn open_inference(&self, body: &[u8], json_bytes: Option<usize>) {
        self.answer(Operation::Infer, body, json_bytes);
    }

    fn answer(&self, operation: Operation, body: &[u8], json_bytes: Option<usize>) {
        let call = RestInference { operation, body: Bytes::copy_from_slice(body), json_bytes };
        let target = self.model.signature();
        if let Ok((batch, form)) = call.decode(target)
            && let Ok(response) = self.predict(&batch)
        {
            drop(inference::encode(target, &response, form));
        }
    }

    /// A message of gRPC: TF Serving's predict, classify, or `ModelInfer`.
    pub fn grpc(&self, which: u8, message: &[u8]) {
        grpc::decode_any(self.model.signature(), &|batch| self.predict(batch), which, message);
    }

    fn predict(&self, batch: &RecordBatch) -> Result<InferenceResponse, RequestError> {
        self.model.predict(batch).map(|predictions| self.model.response(predictions))
    }
}

/// A path as it stands in a request line.
pub fn route(method: &str, path: &str) {
    if let Ok(method) = method.parse() {
        drop(RestPath::parse(&method, path));
    }
}

/// The text of a configuration file.
pub fn config(text: &str) {
    parse_any(text);
}
