//! `image`: a picture decoded, resized and normalised.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::steps::{self, Channels};

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

pub(super) const IMAGE: StepEntry = StepEntry {
    name: "image",
    about: "A picture decoded, resized and normalised.",
    argument: Argument::Required(schema::<ImageParams>),
    parse,
};

/// How a picture becomes numbers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImageParams {
    /// Height and width in pixels: `[28, 28]`.
    size: [u32; 2],
    /// Which colours; `rgb` unless given.
    #[serde(default = "rgb")]
    channels: Channels,
    /// What is taken off values from 0 to 255, one number or one a channel; 0 unless given.
    mean: Option<NumbersParams>,
    /// What they are divided by then; 255 unless given.
    std_dev: Option<NumbersParams>,
}

/// A number or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum NumbersParams {
    /// One for all channels.
    One(f64),
    /// One for each.
    Several(Vec<f64>),
}

fn rgb() -> Channels {
    Channels::Rgb
}

fn numbers(params: Option<NumbersParams>, otherwise: f64) -> Vec<f64> {
    match params {
        None => vec![otherwise],
        Some(NumbersParams::One(number)) => vec![number],
        Some(NumbersParams::Several(numbers)) => numbers,
    }
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    if argument.is_null() {
        return one_issue("`image` needs a size in pixels: `image: { size: [28, 28], channels: grey }`");
    }
    let ImageParams { size: [height, width], channels, mean, std_dev } = parse_params(argument)?;
    let (mean, std_dev) = (numbers(mean, 0.0), numbers(std_dev, 255.0));
    fixed(steps::Image { height, width, channels, mean, std_dev })
}
