//! Which values a feature may have.

use serde::{Deserialize, Serialize};

/// Which values are allowed. Bounds are inclusive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Domain {
    /// One of these strings.
    Values(Vec<String>),
    /// One of the strings of a shared domain, by its name in `domains`.
    Shared(String),
    /// Whole numbers within bounds.
    Int {
        /// Smallest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        /// Largest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// Numbers within bounds.
    Float {
        /// Smallest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Largest value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        /// NaN is an anomaly.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        disallow_nan: bool,
        /// Infinities are an anomaly.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        disallow_inf: bool,
    },
    /// Yes or no: 0 or 1 for numbers, one of two strings for text.
    Bool {
        /// The text that means true. For text only, and needed there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        true_value: Option<String>,
        /// The text that means false. For text only, and needed there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        false_value: Option<String>,
    },
    /// Pictures, in bytes.
    Image {
        /// The least share of values that must be pictures of a known format.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_supported_fraction: Option<f64>,
        /// The most bytes of one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_bytes: Option<u64>,
    },
    /// Moments: whole numbers of a unit since 1970, or text of a format.
    Time {
        /// For text: a pattern such as `%Y-%m-%d %H:%M:%S`, see [`TimePattern`](crate::TimePattern).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<String>,
        /// For whole numbers: what is counted since 1970-01-01.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<TimeUnit>,
    },
}

impl Domain {
    /// The key that names the kind in files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Values(_) => "values",
            Self::Shared(_) => "shared",
            Self::Int { .. } => "int",
            Self::Float { .. } => "float",
            Self::Bool { .. } => "bool",
            Self::Image { .. } => "image",
            Self::Time { .. } => "time",
        }
    }

    /// Whether it lists the strings allowed.
    pub const fn lists_strings(&self) -> bool {
        matches!(self, Self::Values(_) | Self::Shared(_))
    }
}

/// What a whole number counts since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Days.
    Days,
    /// Seconds.
    Seconds,
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths of a second.
    Microseconds,
    /// Billionths of a second.
    Nanoseconds,
}

impl TimeUnit {
    /// The name used in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}
