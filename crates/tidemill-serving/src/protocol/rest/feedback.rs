//! `POST /v1/feedback`: what somebody says about predictions.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};
use tidemill_core::Feedback;

use super::server::{Reply, body_reply};
use crate::inference::request_error::RequestError;
use crate::inference::service::InferenceService;

/// Records of one request at most.
const RECORDS_MAX: usize = 1000;

/// Takes the records of a body: all of them, or none with the reason.
pub(crate) async fn take(service: &InferenceService, body: &[u8]) -> Result<Reply, RequestError> {
    let Some(log) = service.feedback.as_ref().map(Arc::clone) else {
        let message = "this server takes no feedback (start it with `--log DIR --feedback on`)";
        return Err(RequestError::new(StatusCode::NOT_IMPLEMENTED, message));
    };
    let mut records = parse(body)?;
    let only = service.models.single_model_name();
    for record in &mut records {
        if record.model.is_none() {
            record.model.clone_from(&only);
        }
        if let Some(model) = record.model.as_ref().filter(|model| !service.models.contains(model)) {
            return Err(RequestError::new(StatusCode::NOT_FOUND, format!("no such model: {model}")));
        }
    }
    let count = records.len();
    let written = tokio::task::spawn_blocking(move || log.write(records)).await;
    match written {
        Ok(Ok(())) => Ok(body_reply(
            StatusCode::ACCEPTED,
            "application/json",
            json!({ "accepted": count }).to_string().into_bytes(),
        )),
        Ok(Err(error)) => {
            tracing::error!(%error, "feedback cannot be written");
            Err(RequestError::new(StatusCode::SERVICE_UNAVAILABLE, "the feedback cannot be written now; send it again"))
        }
        Err(_) => Err(RequestError::internal("the feedback could not be written")),
    }
}

/// One record, or `{"feedback": [ … ]}`.
fn parse(body: &[u8]) -> Result<Vec<Feedback>, RequestError> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| RequestError::invalid(format!("the body is not JSON: {error}")))?;
    let values = match value {
        Value::Object(mut object) => match object.remove("feedback") {
            Some(Value::Array(values)) if object.is_empty() => values,
            Some(_) => return Err(RequestError::invalid("`feedback` must be a list of records and stand alone")),
            None => vec![Value::Object(object)],
        },
        _ => return Err(RequestError::invalid("a record of feedback, or `{\"feedback\": [ … ]}`, is expected")),
    };
    if values.is_empty() || values.len() > RECORDS_MAX {
        return Err(RequestError::invalid(format!(
            "1 to {RECORDS_MAX} records are taken at a time, not {}",
            values.len()
        )));
    }
    let is_time = |text: &str| text.parse::<jiff::Timestamp>().is_ok();
    let record = |(at, value): (usize, Value)| {
        let wrong = |reason: String| RequestError::invalid(format!("record {at}: {reason}"));
        let mut record: Feedback = serde_json::from_value(value).map_err(|error| wrong(error.to_string()))?;
        // Only a person at the command line decides, and only the server says when it arrived.
        (record.review, record.received) = (false, None);
        match record.problem(is_time) {
            Some(problem) => Err(wrong(problem)),
            None => Ok(record),
        }
    };
    values.into_iter().enumerate().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_or_a_list_and_mistakes_are_named() {
        assert_eq!(parse(br#"{"request_id": "a", "label": 1}"#).unwrap().len(), 1);
        let two =
            br#"{"feedback": [{"request_id": "a", "label": 1}, {"request_id": "b", "event": "like", "review": true}]}"#;
        let records = parse(two).unwrap();
        assert!(records.len() == 2 && !records[1].review);
        for (body, reason) in [
            (&b"{"[..], "not JSON"),
            (b"[]", "is expected"),
            (br#"{"feedback": []}"#, "1 to 1000"),
            (br#"{"feedback": [{"request_id": "a"}]}"#, "record 0: one of"),
            (br#"{"request_id": "a", "lable": 1}"#, "unknown field `lable`"),
        ] {
            let error = parse(body).unwrap_err();
            assert!(error.message.contains(reason), "{}: {reason}", error.message);
        }
    }
}
