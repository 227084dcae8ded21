//! What a format is, and the registry of the formats.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};

use super::columns::{ColumnKind, FileColumns};
use super::files::InputFile;
use super::write::OpenWriter;
use super::{CsvOptions, ReadOptions};
use crate::DataError;

/// The rows of files as batches of at most [`BATCH_ROWS_MAX`](crate::BATCH_ROWS_MAX) rows, all of one schema.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, DataError>> + Send>;

/// A format of files: its names, which files have it, how they are read and, for some, written.
///
/// Reading has two passes. [`inspect`](Self::inspect) finds the columns and the types of a file; a [`Table`](super::Table)
/// joins those of all files to one schema. [`read`](Self::read) makes batches of that schema.
pub(super) trait SourceFormat: Sync {
    /// Its name in messages: `JSON lines`.
    fn name(&self) -> &'static str;

    /// Its key in the pipeline file and its name on the command line: `json`.
    fn key(&self) -> &'static str;

    /// What it is, in a few words for the help of the command line.
    fn about(&self) -> &'static str;

    /// The extensions of its files, in lower case and without a dot. No other format may have one of them.
    fn extensions(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether `.gz` or `.zst` may follow the extension.
    fn is_compressible(&self) -> bool {
        false
    }

    /// Whether a file is of the format although its extension is of none: `name` is in lower case, without `.gz` and `.zst`.
    fn has_name(&self, _name: &str) -> bool {
        false
    }

    /// Whether a file is a row: then folders in the folder of a source are read too, and name the rows in them.
    fn is_file_a_row(&self) -> bool {
        false
    }

    /// Whether a row, and so a file, may leave out columns that others have.
    fn has_optional_columns(&self) -> bool {
        false
    }

    /// Checks all files before the first of them is inspected. For formats of many small files, which are better checked
    /// side by side than one by one in [`inspect`](Self::inspect).
    fn check(&self, _files: &[InputFile]) -> Result<(), DataError> {
        Ok(())
    }

    /// Finds the columns of a file, what is known of their types, and the number of rows.
    ///
    /// Checks every rule of the format, so that a file with an error in it gives no rows at all.
    fn inspect(&self, file: &InputFile, options: &ReadOptions) -> Result<FileColumns, DataError>;

    /// Removes columns that the other columns of all files make superfluous.
    fn tidy(&self, _columns: &mut Vec<(String, ColumnKind)>) {}

    /// Reads the columns of `schema` from a file, by name, as the types of `schema`.
    fn read(&self, file: &InputFile, csv: &CsvOptions, schema: &SchemaRef) -> Result<Batches, DataError>;

    /// Reads all files together, if that is better than one after another: a file that is a row makes a small batch.
    fn read_together(&self, _files: &[InputFile], _schema: &SchemaRef) -> Option<Batches> {
        None
    }

    /// Begins to write a file; `None` for a format that is only read.
    fn writer(&self) -> Option<OpenWriter> {
        None
    }

    /// Why a column of a type cannot be written, to follow "column `x` is": `a list`. `None` if it can.
    fn cannot_hold(&self, _data_type: &DataType) -> Option<&'static str> {
        None
    }
}

macro_rules! formats {
    ($($(#[$about:meta])+ $variant:ident => $implementation:expr;)+) => {
        /// The format of a file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Format {
            $($(#[$about])+ $variant,)+
        }

        impl Format {
            /// Every format, in the order in which they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// How files of the format are read and written.
            pub(super) fn implementation(self) -> &'static dyn SourceFormat {
                match self {
                    $(Self::$variant => &$implementation,)+
                }
            }
        }
    };
}

// The registry: a variant of `Format` and what implements it.
formats! {
    /// Text with one row a line and a delimiter between cells; plain, or compressed with gzip or Zstandard.
    Csv => super::csv::Csv;
    /// JSON with one object a line; plain, or compressed with gzip or Zstandard.
    Json => super::json::Json;
    /// Apache Parquet.
    Parquet => super::parquet::Parquet;
    /// TFRecord of `tf.Example`, plain or compressed with gzip.
    TfRecord => super::tfrecord::TfRecord;
    /// Avro object container files.
    Avro => super::avro::Avro;
    /// Images in folders: a file is a row, the folder its label.
    Images => super::blobs::Blobs::Images;
    /// Texts in folders: a file is a row, the folder its label.
    Texts => super::blobs::Blobs::Texts;
}

impl Format {
    /// The name used in messages.
    pub fn name(self) -> &'static str {
        self.implementation().name()
    }

    /// The key in the pipeline file, and the name on the command line: `json`.
    pub fn key(self) -> &'static str {
        self.implementation().key()
    }

    /// What the format is, in a few words.
    pub fn about(self) -> &'static str {
        self.implementation().about()
    }

    /// The format with this key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.key() == key)
    }

    /// The format that the name of a file stands for.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        let (name, is_compressed) = uncompressed_name(path)?;
        let extension = extension(&name);
        let by_extension = Self::ALL.iter().find(|format| {
            let format = format.implementation();
            (format.is_compressible() || !is_compressed) && format.extensions().contains(&extension)
        });
        by_extension.or_else(|| Self::ALL.iter().find(|format| format.implementation().has_name(&name))).copied()
    }

    /// The extensions that files are known by, as a list in running text.
    pub(crate) fn known_extensions() -> String {
        let of = |is_compressible: bool| -> Vec<String> {
            let formats = Self::ALL.iter().map(|format| format.implementation());
            let formats = formats.filter(|format| format.is_compressible() == is_compressible);
            formats.flat_map(SourceFormat::extensions).map(|extension| format!("`.{extension}`")).collect()
        };
        let (compressible, others) = (of(true), of(false));
        let others = match others.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} and {last}", others.join(", ")),
            None => String::new(),
        };
        format!("{}, each also with `.gz` or `.zst`, {others}", compressible.join(", "))
    }
}

/// The name of a file in lower case, without the extension of a compression; true if it had one.
pub(super) fn uncompressed_name(path: &Path) -> Option<(String, bool)> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let stem = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst"));
    let is_compressed = stem.is_some();
    Some((stem.unwrap_or(&name).to_owned(), is_compressed))
}

/// What follows the last dot of a name; empty without a dot.
pub(super) fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_name_of_a_file_decides_its_format() {
        let of = |name: &str| Format::of_file(Path::new(name));
        for name in ["a/b.CSV", "b.tsv.gz", "b.csv.zst", "tfrecord_index.csv"] {
            assert_eq!(of(name), Some(Format::Csv), "{name}");
        }
        for name in ["b.jsonl", "b.NDJSON", "b.json", "b.jsonl.gz"] {
            assert_eq!(of(name), Some(Format::Json), "{name}");
        }
        for name in ["b.tfrecord", "b.tfrecords.gz", "b.tfrecord-00000-of-00010", "data_tfrecord-00000-of-00001.gz"] {
            assert_eq!(of(name), Some(Format::TfRecord), "{name}");
        }
        assert_eq!(of("b.parquet"), Some(Format::Parquet));
        assert_eq!(of("tfrecord.parquet"), Some(Format::Parquet));
        assert_eq!(of("b.avro"), Some(Format::Avro));
        for name in ["b.parquet.gz", "b.avro.zst", "csv", "b.xlsx", ".gz"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn no_two_formats_share_a_name_or_an_extension() {
        let (mut keys, mut names, mut extensions) = (HashSet::new(), HashSet::new(), HashSet::new());
        for format in Format::ALL {
            assert!(keys.insert(format.key()) && names.insert(format.name()), "{format:?}");
            assert_eq!(Format::from_key(format.key()), Some(*format));
            for extension in format.implementation().extensions() {
                assert!(extensions.insert(*extension), "{format:?}: {extension}");
                assert_eq!(*extension, extension.to_ascii_lowercase());
            }
        }
    }
}
