//! `hash_buckets`: a code by hash.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::steps;

use super::Step;
use super::fixed::fixed;
use super::parse::schema;
use crate::issues::one_issue;
use crate::step::{Argument, StepEntry};

/// More hash buckets than this are no use to a learner.
const HASH_BUCKETS_MAX: u32 = 1 << 24;

pub(super) const HASH_BUCKETS: StepEntry = StepEntry {
    name: "hash_buckets",
    about: "A code by hash, below so many.",
    argument: Argument::Required(schema::<HashParams>),
    parse,
};

/// How many buckets, or that and a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is the schema of what `parse` reads by hand")]
enum HashParams {
    /// By a hash that everybody can compute.
    Buckets(u32),
    /// By a hash under a key.
    Keyed(KeyedParams),
}

/// A hash under a key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyedParams {
    /// How many buckets.
    buckets: u32,
    /// Both halves of the key of `SipHash-2-4`.
    key: Option<[u64; 2]>,
}

fn parse(argument: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let KeyedParams { buckets, key } = match argument {
        Value::Null => KeyedParams { buckets: 0, key: None },
        Value::Object(_) => parse_params(argument)?,
        _ => KeyedParams { buckets: parse_params(argument)?, key: None },
    };
    if !(1..=HASH_BUCKETS_MAX).contains(&buckets) {
        return one_issue(format!("`hash_buckets` needs a number of buckets from 1 to {HASH_BUCKETS_MAX}"));
    }
    match key {
        Some(key) => fixed(steps::KeyedHash { buckets, key }),
        None => fixed(steps::HashBuckets { buckets }),
    }
}
