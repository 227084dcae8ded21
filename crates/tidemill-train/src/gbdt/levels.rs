//! The levels of quantiles as the pipeline file says them.

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;
use tidemill_core::ParamIssue;

use super::choices::Loss;

/// One level of a quantile, or several: written as a number or a list of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels(Vec<f64>);

impl Levels {
    /// One level.
    pub fn one(level: f64) -> Self {
        Self(vec![level])
    }

    /// Several levels.
    pub fn several(levels: Vec<f64>) -> Self {
        Self(levels)
    }

    /// All of them.
    pub fn all(&self) -> &[f64] {
        &self.0
    }

    /// Whether there is one at least, each is above 0 and below 1, and each is above the one before.
    pub(super) fn are_fine(&self) -> bool {
        let ascending = self.0.windows(2).all(|pair| pair[0] < pair[1]);
        !self.0.is_empty() && ascending && self.0.iter().all(|level| *level > 0.0 && *level < 1.0)
    }

    /// The names of several levels; none for one.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        (self.0.len() > 1).then(|| self.0.iter().map(ToString::to_string).collect())
    }
}

impl Serialize for Levels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong =
            || D::Error::custom("a level is a number such as 0.9, and several are a list such as [0.1, 0.5, 0.9]");
        match Value::deserialize(deserializer)? {
            Value::Number(level) => level.as_f64().map(Self::one).ok_or_else(wrong),
            Value::Array(levels) => levels.iter().map(Value::as_f64).collect::<Option<_>>().map(Self).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

impl schemars::JsonSchema for Levels {
    fn schema_name() -> Cow<'static, str> {
        "Levels".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let level = serde_json::json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 });
        json_schema!({ "oneOf": [level, { "type": "array", "items": level, "minItems": 1 }] })
    }
}

/// The schema of `objective`: a name, or the levels of quantiles.
pub(super) fn objective_schema(generator: &mut SchemaGenerator) -> Schema {
    let (names, levels) = (generator.subschema_for::<Loss>(), generator.subschema_for::<Levels>());
    json_schema!({
        "oneOf": [
            names,
            { "type": "object", "properties": { "quantile": levels }, "required": ["quantile"], "additionalProperties": false },
        ],
    })
}

/// Parameters in which `objective: { quantile: LEVELS }` is written as `objective: quantile` with `quantile_level`.
pub(super) fn spelt_out(params: &Value) -> Result<Cow<'_, Value>, Vec<ParamIssue>> {
    let Some(Value::Object(short)) = params.get("objective") else { return Ok(Cow::Borrowed(params)) };
    let issue = |message: &str, hint: &str| Err(vec![ParamIssue::new(["objective"], message).with_hint(hint)]);
    let mut entries = short.iter();
    let (Some((name, levels)), None) = (entries.next(), entries.next()) else {
        return issue(
            "one objective is minimised",
            "as in `objective: huber`, or `objective: { quantile: [0.1, 0.9] }`",
        );
    };
    if name != "quantile" {
        let message = format!("`{name}` takes no mapping: only `quantile` has levels");
        return issue(&message, &format!("write `objective: {name}`, and its parameter next to it"));
    }
    if params.get("quantile_level").is_some() {
        return issue("the levels are written twice, here and in `quantile_level`", "keep one of them");
    }
    let mut params = params.clone();
    params["objective"] = Value::from("quantile");
    params["quantile_level"] = levels.clone();
    Ok(Cow::Owned(params))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::GradientBoosting;
    use super::*;

    #[test]
    fn levels_are_a_number_or_a_list_and_may_stand_in_the_objective() {
        let read = |params: Value| GradientBoosting::parse(&params);
        let several = read(json!({ "objective": { "quantile": [0.1, 0.5, 0.9] } })).unwrap();
        assert_eq!((several.objective, several.quantile_level.all()), (Loss::Quantile, &[0.1, 0.5, 0.9][..]));
        assert_eq!(several.quantile_level.names().unwrap(), ["0.1", "0.5", "0.9"]);
        let one = read(json!({ "objective": "quantile", "quantile_level": 0.9 })).unwrap();
        assert_eq!(one.quantile_level, Levels::one(0.9));
        assert_eq!(serde_json::to_value(&one).unwrap()["quantile_level"], json!(0.9));
        for (bad, place) in [
            (json!({ "objective": { "quantile": [0.9, 0.1] } }), "quantile_level"),
            (json!({ "objective": { "quantile": [] } }), "quantile_level"),
            (json!({ "objective": { "quantile": 1.5 } }), "quantile_level"),
            (json!({ "objective": { "huber": 1 } }), "objective"),
            (json!({ "objective": { "quantile": 0.5 }, "quantile_level": 0.5 }), "objective"),
        ] {
            assert_eq!(read(bad.clone()).unwrap_err()[0].path, [place], "{bad}");
        }
    }
}
