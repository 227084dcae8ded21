//! The REST form of an inference request: decoding and encoding. No async, no I/O, so it can run on any thread.

use arrow::array::RecordBatch;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use crate::inference::carrier::is_carrier;
use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;
use crate::inference::signature::TargetSignature;
use crate::protocol::json::Reader;
use crate::protocol::mlflow;
use crate::protocol::oip::rest as oip;
use crate::protocol::operation::Operation;
use crate::protocol::rest::server::{Reply, body_reply};
use crate::protocol::tfs::rest::{self as tfs, ResponseLayout};

/// An inference request whose body is read.
#[derive(Debug)]
pub(crate) struct RestInference {
    pub(crate) operation: Operation,
    pub(crate) body: Bytes,
    /// How many bytes of the body are JSON, if a header says so.
    pub(crate) json_bytes: Option<usize>,
}

/// The form of the response.
#[derive(Debug)]
pub(crate) enum ResponseFormat {
    Tfs(ResponseLayout),
    Oip(oip::Reply),
}

impl RestInference {
    pub(crate) fn decode(&self, target: &TargetSignature) -> Result<(RecordBatch, ResponseFormat), RequestError> {
        self.decode_body(target).map_err(|error| self.syntax_error().unwrap_or(error))
    }

    fn decode_body(&self, target: &TargetSignature) -> Result<(RecordBatch, ResponseFormat), RequestError> {
        match self.operation {
            Operation::Infer => {
                let request = oip::decode(target, &self.body, self.json_bytes)?;
                Ok((request.batch, ResponseFormat::Oip(request.reply)))
            }
            Operation::Invocations => {
                Ok((mlflow::decode(target, &self.body)?, ResponseFormat::Tfs(ResponseLayout::Rows)))
            }
            operation => {
                let (batch, answer) = tfs::decode(operation, target, &self.body)?;
                Ok((batch, ResponseFormat::Tfs(answer)))
            }
        }
    }

    /// Bodies are read in one pass, so a wrong value may be found before the position of a syntax error. The syntax
    /// error is reported first, as by a parser that reads everything first.
    fn syntax_error(&self) -> Option<RequestError> {
        let json = self.body.get(..self.json_bytes.unwrap_or(self.body.len()))?;
        let mut reader = match Reader::new(json) {
            Ok(reader) => reader,
            Err(error) => return Some(error.into()),
        };
        let read = reader.skip().and_then(|_| reader.end());
        read.err().map(RequestError::from)
    }
}

/// Writes the response.
pub(crate) fn encode(
    target: &TargetSignature,
    response: &InferenceResponse,
    form: ResponseFormat,
) -> Result<Reply, RequestError> {
    match form {
        ResponseFormat::Tfs(answer) => {
            if let Some(ports) = target.graph.as_ref().filter(|_| is_carrier(&response.predictions)) {
                let body = tfs::encode_graph(ports, &response.predictions, answer)?;
                return Ok(body_reply(StatusCode::OK, "application/json", body));
            }
            Ok(body_reply(StatusCode::OK, "application/json", tfs::encode(&response.predictions, answer)?))
        }
        ResponseFormat::Oip(reply) => {
            let (body, json_bytes) = oip::encode(target, response, &reply)?;
            let Some(json_bytes) = json_bytes else {
                return Ok(body_reply(StatusCode::OK, "application/json", body));
            };
            let mut reply = body_reply(StatusCode::OK, "application/octet-stream", body);
            let name = HeaderName::from_static(oip::HEADER_LENGTH);
            reply.headers_mut().insert(name, HeaderValue::from(json_bytes));
            Ok(reply)
        }
    }
}
