//! The columns of a log: inputs under their own names, outputs and the log's own columns under names that begin with
//! `_`.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::Entry;

/// The columns that the log adds to inputs and outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogColumn {
    Time,
    Model,
    Version,
    RequestId,
    Row,
    LatencyMicros,
    /// What answered in an endpoint; only in logs of endpoints.
    Route,
}

impl LogColumn {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Time, "_time"),
        (Self::Model, "_model"),
        (Self::Version, "_version"),
        (Self::RequestId, "_request_id"),
        (Self::Row, "_row"),
        (Self::LatencyMicros, "_latency_us"),
        (Self::Route, "_route"),
    ];

    fn datatype(self) -> DataType {
        match self {
            Self::Time | Self::Model | Self::RequestId | Self::Route => DataType::Utf8,
            Self::Version | Self::Row | Self::LatencyMicros => DataType::Int64,
        }
    }
}

/// The columns of one file. Entries with other columns go to another file.
#[derive(Debug)]
pub(super) struct Columns {
    source: (SchemaRef, SchemaRef),
    /// Index and name.
    pub(super) inputs: Vec<(usize, String)>,
    pub(super) outputs: Vec<(usize, String)>,
    pub(super) own: Vec<(LogColumn, String)>,
    /// Entries have a route that is left out.
    excludes_route: bool,
}

impl Columns {
    /// The columns of an entry, without those in `exclude`. If an input already has a name, the other column gets
    /// another `_`.
    pub(super) fn of(entry: &Entry, exclude: &[String]) -> Self {
        let (inputs, outputs) = (entry.inputs.schema(), entry.outputs.schema());
        let taken = |name: &str| inputs.index_of(name).is_ok();
        let free = |mut name: String| {
            while taken(&name) {
                name.insert(0, '_');
            }
            name
        };
        let wanted = |name: &String| !exclude.contains(name);
        let named = inputs.fields().iter().map(|field| field.name().clone()).enumerate();
        let is_routed = entry.route_of(0).is_some();
        let own = LogColumn::ALL.iter().filter(|(own, _)| *own != LogColumn::Route || is_routed);
        let own = own.map(|(own, name)| (*own, free((*name).to_owned())));
        let answers = outputs.fields().iter().map(|field| free(format!("_{}", field.name()))).enumerate();
        Self {
            inputs: named.filter(|(_, name)| wanted(name)).collect(),
            outputs: answers.filter(|(_, name)| wanted(name)).collect(),
            excludes_route: is_routed && exclude.iter().any(|name| name == "_route"),
            own: own.filter(|(_, name)| wanted(name)).collect(),
            source: (inputs, outputs),
        }
    }

    /// Whether an entry has these columns.
    pub(super) fn fit(&self, entry: &Entry) -> bool {
        // Batches of one model share their schemas, so the comparison is nearly free.
        let is_routed = self.own.iter().any(|(own, _)| *own == LogColumn::Route) || self.excludes_route;
        *entry.inputs.schema_ref() == self.source.0
            && *entry.outputs.schema_ref() == self.source.1
            && is_routed == entry.route_of(0).is_some()
    }

    /// The schema of a file with these columns.
    pub(super) fn schema(&self) -> SchemaRef {
        let nullable = |field: &Field, name: &str| Field::new(name, field.data_type().clone(), true);
        let inputs = self.inputs.iter().map(|(index, name)| nullable(self.source.0.field(*index), name));
        let outputs = self.outputs.iter().map(|(index, name)| nullable(self.source.1.field(*index), name));
        let own = self.own.iter().map(|(own, name)| Field::new(name, own.datatype(), true));
        Schema::new(inputs.chain(outputs).chain(own).collect::<Vec<_>>()).into()
    }
}
