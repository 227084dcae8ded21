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
}

impl LogColumn {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Time, "_time"),
        (Self::Model, "_model"),
        (Self::Version, "_version"),
        (Self::RequestId, "_request_id"),
        (Self::Row, "_row"),
        (Self::LatencyMicros, "_latency_us"),
    ];

    fn datatype(self) -> DataType {
        match self {
            Self::Time | Self::Model | Self::RequestId => DataType::Utf8,
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
        let own = LogColumn::ALL.iter().map(|(own, name)| (*own, free((*name).to_owned())));
        let answers = outputs.fields().iter().map(|field| free(format!("_{}", field.name()))).enumerate();
        Self {
            inputs: named.filter(|(_, name)| wanted(name)).collect(),
            outputs: answers.filter(|(_, name)| wanted(name)).collect(),
            own: own.filter(|(_, name)| wanted(name)).collect(),
            source: (inputs, outputs),
        }
    }

    /// Whether an entry has these columns.
    pub(super) fn fit(&self, entry: &Entry) -> bool {
        // Batches of one model share their schemas, so the comparison is nearly free.
        *entry.inputs.schema_ref() == self.source.0 && *entry.outputs.schema_ref() == self.source.1
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
