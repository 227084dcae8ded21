//! One inference call: decode, predict, encode. No async, no I/O, so it can run on any thread.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use crate::dispatch::{Reply, body_reply};
use crate::json::Reader;
use crate::oip;
use crate::request_error::RequestError;
use crate::route::Endpoint;
use crate::tfs::{self, Answer};
use crate::versions::LoadedModel;

/// An inference request whose body is read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) model: Arc<LoadedModel>,
    pub(crate) body: Bytes,
    /// How many bytes of the body are JSON, where a header says so.
    pub(crate) json_bytes: Option<usize>,
}

/// An inference request that is understood.
#[derive(Debug)]
pub(crate) struct Decoded {
    model: Arc<LoadedModel>,
    batch: RecordBatch,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Tfs(Answer),
    Oip(oip::Reply),
}

impl Call {
    pub(crate) fn decode(self) -> Result<Decoded, RequestError> {
        match self.decode_body() {
            Ok((batch, form)) => Ok(Decoded { model: self.model, batch, form }),
            Err(error) => Err(self.syntax_error().unwrap_or(error)),
        }
    }

    fn decode_body(&self) -> Result<(RecordBatch, Form), RequestError> {
        match self.endpoint {
            Endpoint::Infer => {
                let request = oip::decode(&self.model, &self.body, self.json_bytes)?;
                Ok((request.batch, Form::Oip(request.reply)))
            }
            endpoint => {
                let (batch, answer) = tfs::decode(endpoint, &self.model, &self.body)?;
                Ok((batch, Form::Tfs(answer)))
            }
        }
    }

    /// Bodies are read in one pass, so a wrong value may be met before the place where the JSON ends. That one is
    /// told first, as a parser that reads everything first would.
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

impl Decoded {
    pub(crate) fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    pub(crate) fn run(self) -> Result<Reply, RequestError> {
        let predictions = self.model.model.predict(&self.batch)?;
        match self.form {
            Form::Tfs(answer) => Ok(body_reply(StatusCode::OK, "application/json", tfs::encode(&predictions, answer)?)),
            Form::Oip(reply) => {
                let (body, json_bytes) = oip::encode(&self.model, &predictions, &reply)?;
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
}
