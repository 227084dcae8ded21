//! Reading the parameters of a step out of the pipeline file.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Something wrong with one parameter, at a place inside the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamIssue {
    /// Keys and indexes from the step down to the value: `["features", "fare"]`. Empty: the step itself.
    pub path: Vec<String>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ParamIssue {
    /// An issue at `path`.
    pub fn new<P: Into<String>>(path: impl IntoIterator<Item = P>, message: impl Into<String>) -> Self {
        Self { path: path.into_iter().map(Into::into).collect(), message: message.into(), hint: None }
    }

    /// The same issue with advice.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Reads the parameters of a step as `T`.
///
/// Errors of `serde` come back as issues that point at the offending key; an unknown key or variant gets the
/// nearest known one as a hint.
pub fn parse_params<T: DeserializeOwned>(params: &Value) -> Result<T, Vec<ParamIssue>> {
    serde_path_to_error::deserialize(params).map_err(|error| {
        let mut path: Vec<String> = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
                _ => None,
            })
            .collect();
        let message = error.inner().to_string();
        let quoted = quoted_words(&message);
        let mut hint = None;
        let unknown_field = message.starts_with("unknown field");
        if let (true, Some((wrong, known))) =
            (unknown_field || message.starts_with("unknown variant"), quoted.split_first())
        {
            if unknown_field && path.last() != Some(wrong) {
                path.push(wrong.clone());
            }
            hint = suggest(wrong, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        }
        vec![ParamIssue { path, message: plain(message), hint }]
    })
}

/// Rust's names of types in words.
fn plain(message: String) -> String {
    let Some((found, expected)) = message.split_once(", expected ").filter(|_| message.starts_with("invalid ")) else {
        return message;
    };
    let expected = match expected {
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "f32" | "f64" => "a number",
        "a string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a mapping",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    };
    let found = found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: ")).unwrap_or(found);
    let found = found.replace("string \"", "text \"").replace("floating point `", "`").replace("integer `", "`");
    format!("{found} where {expected} is expected")
}

/// The known word nearest to `wrong`, if one is near enough to be a slip of the finger.
pub fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&wrong.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

fn quoted_words(message: &str) -> Vec<String> {
    message.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        learning_rate: f64,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Outer {
        learner: Inner,
    }

    #[test]
    fn a_misspelt_key_is_located_and_the_right_one_offered() {
        let issues = parse_params::<Outer>(&serde_json::json!({ "learner": { "learning_rat": 0.1 } })).unwrap_err();
        assert_eq!(issues[0].path, ["learner", "learning_rat"]);
        assert_eq!(issues[0].hint.as_deref(), Some("did you mean `learning_rate`?"));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_located() {
        let issues = parse_params::<Outer>(&serde_json::json!({ "learner": { "learning_rate": "fast" } })).unwrap_err();
        assert_eq!(issues[0].path, ["learner", "learning_rate"]);
        assert!(issues[0].message == "text \"fast\" where a number is expected", "{}", issues[0].message);
    }
}
