//! What somebody says about a prediction.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A record of feedback on one prediction: the truth, a rating, or what a user did with the answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// The name of the request.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "prediction_id")]
    pub request_id: Option<String>,
    /// The row in the request. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The model. The server adds it where it serves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The truth: a correction, or what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Value>,
    /// A rating, such as `up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<String>,
    /// What the user did with the answer, such as `select`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// When it became known, in RFC 3339. Default: when it arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The chance with which this answer was shown, if it was chosen at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propensity: Option<f64>,
    /// A person decided it in the review queue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub review: bool,
    /// When it arrived. The receiver sets it.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "_received")]
    pub received: Option<String>,
}

impl Feedback {
    /// What is wrong with it. `is_time` says whether a text is a time.
    pub fn problem(&self, is_time: impl Fn(&str) -> bool) -> Option<String> {
        if self.request_id.as_ref().is_none_or(String::is_empty) {
            return Some("`request_id` is missing".to_owned());
        }
        let said = [self.label.is_some(), self.rating.is_some(), self.event.is_some()];
        match said.iter().filter(|said| **said).count() {
            1 => {}
            0 => return Some("one of `label`, `rating` and `event` is needed".to_owned()),
            _ => return Some("only one of `label`, `rating` and `event` may be there".to_owned()),
        }
        if let Some(label) = &self.label
            && !(label.is_number() || label.is_string() || label.is_boolean())
        {
            return Some("`label` must be a number, text, true or false".to_owned());
        }
        if let Some(time) = self.time.as_ref().filter(|time| !is_time(time)) {
            return Some(format!("`time` is not a time: `{time}`; write `2026-03-01T12:00:00Z`"));
        }
        if self.propensity.is_some_and(|chance| !(chance > 0.0 && chance <= 1.0)) {
            return Some("`propensity` must be above 0 and at most 1".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_one_thing_about_one_request() {
        let problem = |json: &str| serde_json::from_str::<Feedback>(json).unwrap().problem(|time| time == "now");
        assert_eq!(problem(r#"{"request_id": "a", "label": 1}"#), None);
        assert_eq!(problem(r#"{"prediction_id": "a", "rating": "up", "time": "now"}"#), None);
        for (json, word) in [
            (r#"{"label": 1}"#, "request_id"),
            (r#"{"request_id": "a"}"#, "is needed"),
            (r#"{"request_id": "a", "label": 1, "event": "x"}"#, "only one"),
            (r#"{"request_id": "a", "label": [1]}"#, "must be a number"),
            (r#"{"request_id": "a", "label": 1, "time": "then"}"#, "is not a time"),
            (r#"{"request_id": "a", "label": 1, "propensity": 0}"#, "propensity"),
        ] {
            assert!(problem(json).unwrap().contains(word), "{json}");
        }
    }
}
