//! Sample data: taxi trips that look like a city's, made from a seed.

mod city;
mod random;
mod trip;

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::trip::Trip;
use crate::{BATCH_ROWS_MAX, DataError, write_table};

/// What trips to make. The same options give the same trips on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxiOptions {
    /// How many trips.
    pub rows: u64,
    /// Another seed gives other trips of the same kind.
    pub seed: u64,
    /// Which delivery of data: each span has trips of its own, a week later than the one before. The first is 0.
    pub span: u32,
    /// Trouble to plant.
    pub plant: Vec<Plant>,
}

impl Default for TaxiOptions {
    fn default() -> Self {
        Self { rows: 15_000, seed: 1, span: 0, plant: Vec::new() }
    }
}

impl TaxiOptions {
    fn has(&self, plant: Plant) -> bool {
        self.plant.contains(&plant)
    }
}

/// Trouble that can be planted into sample data, to see it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plant {
    /// Fares are 18 % higher and more trips are at night.
    ShiftedSpan,
    /// 1 % of trips are of a company never seen before, 0.5 % of payments are of the misspelt type `Prcard`.
    NewCategory,
    /// `trip_miles` is missing in four trips of five.
    NullBurst,
    /// `trip_seconds` is text: `300s`.
    TypeChange,
    /// 0.2 % of fares are negative.
    NegativeFares,
    /// The company is missing in 8 % of the trips that have one.
    MissingCompanies,
}

impl Plant {
    /// Every kind of trouble.
    pub const ALL: [Self; 6] = [
        Self::ShiftedSpan,
        Self::NewCategory,
        Self::NullBurst,
        Self::TypeChange,
        Self::NegativeFares,
        Self::MissingCompanies,
    ];

    /// The name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShiftedSpan => "shifted-span",
            Self::NewCategory => "new-category",
            Self::NullBurst => "null-burst",
            Self::TypeChange => "type-change",
            Self::NegativeFares => "negative-fares",
            Self::MissingCompanies => "missing-companies",
        }
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no kind of trouble.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be planted; known are `shifted-span`, `new-category`, `null-burst`, `type-change`, `negative-fares` and `missing-companies`"
)]
pub struct UnknownPlant(String);

impl FromStr for Plant {
    type Err = UnknownPlant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|plant| plant.name() == text).ok_or_else(|| UnknownPlant(text.to_owned()))
    }
}

/// The trips of `options`, in batches of at most [`BATCH_ROWS_MAX`] rows.
///
/// Eighteen columns, as in Chicago's published trips: places, times, miles, fare, payment, company, tips; with skewed
/// categories, missing cells and outliers. Whether `tips > fare * 0.2` can be learned about as well as from the real
/// trips (AUC 0.95): only card payers' tips are known, and they depend on fare, hour, place and company.
pub fn generate_taxi(options: &TaxiOptions) -> impl Iterator<Item = RecordBatch> + Send + use<> {
    let options = options.clone();
    let schema = schema(&options);
    let step = BATCH_ROWS_MAX as u64;
    (0..options.rows.div_ceil(step)).map(move |i| {
        let rows = i * step..((i + 1) * step).min(options.rows);
        let trips: Vec<Trip> = rows.into_par_iter().map(|row| Trip::make(&options, row)).collect();
        batch(&schema, &options, &trips)
    })
}

/// Writes the trips of `options` to a CSV or Parquet file, by the extension of `path`, and gives their number.
pub fn write_taxi(path: &Path, options: &TaxiOptions) -> Result<u64, DataError> {
    write_table(path, generate_taxi(options).map(Ok))
}

fn schema(options: &TaxiOptions) -> SchemaRef {
    let seconds = if options.has(Plant::TypeChange) { DataType::Utf8 } else { DataType::Int64 };
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("pickup_community_area", DataType::Int64),
        field("fare", DataType::Float64),
        field("trip_start_month", DataType::Int64),
        field("trip_start_hour", DataType::Int64),
        field("trip_start_day", DataType::Int64),
        field("trip_start_timestamp", DataType::Int64),
        field("pickup_latitude", DataType::Float64),
        field("pickup_longitude", DataType::Float64),
        field("dropoff_latitude", DataType::Float64),
        field("dropoff_longitude", DataType::Float64),
        field("trip_miles", DataType::Float64),
        field("pickup_census_tract", DataType::Int64),
        field("dropoff_census_tract", DataType::Int64),
        field("payment_type", DataType::Utf8),
        field("company", DataType::Utf8),
        field("trip_seconds", seconds),
        field("dropoff_community_area", DataType::Int64),
        field("tips", DataType::Float64),
    ]))
}

fn batch(schema: &SchemaRef, options: &TaxiOptions, trips: &[Trip]) -> RecordBatch {
    let int = |value: fn(&Trip) -> Option<i64>| Arc::new(trips.iter().map(value).collect::<Int64Array>()) as ArrayRef;
    let float =
        |value: fn(&Trip) -> Option<f64>| Arc::new(trips.iter().map(value).collect::<Float64Array>()) as ArrayRef;
    let text = |value: fn(&Trip) -> Option<&'static str>| {
        Arc::new(trips.iter().map(value).collect::<StringArray>()) as ArrayRef
    };
    let seconds = if options.has(Plant::TypeChange) {
        let texts = trips.iter().map(|trip| trip.trip_seconds.map(|seconds| format!("{seconds}s")));
        Arc::new(texts.collect::<StringArray>()) as ArrayRef
    } else {
        int(|trip| trip.trip_seconds)
    };
    let columns = vec![
        int(|trip| trip.pickup_community_area),
        float(|trip| Some(trip.fare)),
        int(|trip| Some(trip.trip_start_month)),
        int(|trip| Some(trip.trip_start_hour)),
        int(|trip| Some(trip.trip_start_day)),
        int(|trip| Some(trip.trip_start_timestamp)),
        float(|trip| trip.pickup.map(|at| at.0)),
        float(|trip| trip.pickup.map(|at| at.1)),
        float(|trip| trip.dropoff.map(|at| at.0)),
        float(|trip| trip.dropoff.map(|at| at.1)),
        float(|trip| trip.trip_miles),
        int(|trip| trip.pickup_census_tract),
        int(|trip| trip.dropoff_census_tract),
        text(|trip| Some(trip.payment_type)),
        text(|trip| trip.company),
        seconds,
        int(|trip| trip.dropoff_community_area),
        float(|trip| Some(trip.tips)),
    ];
    RecordBatch::try_new(schema.clone(), columns).expect("every column is made of the same trips, as its field says")
}
