//! Folders of images or texts: a file is a row.
//!
//! | column | images | texts |
//! |---|---|---|
//! | `path` | from the folder of the source, with `/` | the same |
//! | `label` | the first folder of the path; missing for a file right in the source | the same |
//! | `image`, `text` | the bytes of the file, as they are | its UTF-8 text, without a byte order mark |
//! | `width`, `height`, `channels` | of the image, in pixels and bytes or words a pixel | – |
//!
//! Every file is opened when the source is: an image that cannot be decoded from end to end is an error that names it.
//! PNG, JPEG, GIF, BMP and WebP are known, by their first bytes. A file may have 64 MiB, an image 256 MiB of pixels.

mod image;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use rayon::prelude::*;

use self::image::ImageFacts;
use super::block::{RECORD_BYTES_MAX, mark_bytes};
use super::columns::FileColumns;
use super::convert::convert;
use super::files::InputFile;
use super::format::{Batches, SourceFormat};
use super::{CsvOptions, Format, ReadOptions};
use crate::{BATCH_ROWS_MAX, DataError};

/// Bytes of the files that are read together, about.
const BATCH_BYTES: u64 = 16 << 20;

/// The two formats, which are only read.
pub(super) enum Blobs {
    Images,
    Texts,
}

impl SourceFormat for Blobs {
    fn name(&self) -> &'static str {
        self.key()
    }

    fn key(&self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Texts => "texts",
        }
    }

    fn about(&self) -> &'static str {
        match self {
            Self::Images => "Images in folders",
            Self::Texts => "Texts in folders",
        }
    }

    fn is_file_a_row(&self) -> bool {
        true
    }

    fn check(&self, files: &[InputFile]) -> Result<(), DataError> {
        check(files)
    }

    fn inspect(&self, _: &InputFile, _: &ReadOptions) -> Result<FileColumns, DataError> {
        let mut columns = vec![("path", DataType::Utf8), ("label", DataType::Utf8)];
        match self {
            Self::Images => {
                columns.push(("image", DataType::Binary));
                columns.extend(["width", "height", "channels"].map(|name| (name, DataType::Int64)));
            }
            Self::Texts => columns.push(("text", DataType::Utf8)),
        }
        Ok(FileColumns::fixed(columns.into_iter().map(|(name, data_type)| (name.to_owned(), data_type)), 1))
    }

    fn read(&self, file: &InputFile, _: &CsvOptions, schema: &SchemaRef) -> Result<Batches, DataError> {
        Ok(Box::new(read(vec![file.clone()], schema.clone())))
    }

    fn read_together(&self, files: &[InputFile], schema: &SchemaRef) -> Option<Batches> {
        Some(Box::new(read(files.to_vec(), schema.clone())))
    }
}

/// Looks whether every file is what it must be; the error is that of the first one that is not.
fn check(files: &[InputFile]) -> Result<(), DataError> {
    files.chunks(rayon::current_num_threads() * 4).try_for_each(|files| {
        let checked: Vec<_> = files.par_iter().map(check_file).collect();
        checked.into_iter().collect()
    })
}

fn check_file(file: &InputFile) -> Result<(), DataError> {
    let bytes = bytes_of(&file.path)?;
    match file.format {
        Format::Images => image::check(&file.path, &bytes),
        _ => text_of(&file.path, &bytes).map(|_| ()),
    }
}

/// The rows of the files: those columns of them that `schema` has, as the types it has.
fn read(files: Vec<InputFile>, schema: SchemaRef) -> BlobReader {
    BlobReader { files, next: 0, schema }
}

/// Rows of files as batches.
struct BlobReader {
    files: Vec<InputFile>,
    next: usize,
    schema: SchemaRef,
}

impl Iterator for BlobReader {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        let mut bytes = 0;
        while bytes < BATCH_BYTES && self.next - start < BATCH_ROWS_MAX {
            let Some(file) = self.files.get(self.next) else { break };
            bytes += file.path.metadata().map_or(0, |metadata| metadata.len());
            self.next += 1;
        }
        (self.next > start).then(|| batch(&self.files[start..self.next], &self.schema))
    }
}

/// One file.
struct Row {
    path: String,
    label: Option<String>,
    bytes: Vec<u8>,
    facts: ImageFacts,
}

fn batch(files: &[InputFile], schema: &SchemaRef) -> Result<RecordBatch, DataError> {
    let rows: Vec<_> = files.par_iter().map(row).collect();
    let rows = rows.into_iter().collect::<Result<Vec<Row>, _>>()?;
    let column = |field: &FieldRef| {
        let number = |of: fn(&ImageFacts) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| of(&row.facts))))
        };
        let array: ArrayRef = match field.name().as_str() {
            "path" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.path))),
            "label" => Arc::new(rows.iter().map(|row| row.label.as_deref()).collect::<StringArray>()),
            "width" => number(|facts| facts.width),
            "height" => number(|facts| facts.height),
            "channels" => number(|facts| facts.channels),
            "text" => {
                let texts = files.iter().zip(&rows).map(|(file, row)| text_of(&file.path, &row.bytes));
                Arc::new(texts.collect::<Result<Vec<_>, _>>()?.into_iter().map(Some).collect::<StringArray>())
            }
            _ => Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| &row.bytes))),
        };
        convert(&array, field.data_type()).map_err(|message| DataError::ColumnType {
            path: files[0].root.clone().unwrap_or_else(|| files[0].path.clone()),
            line: None,
            column: field.name().clone(),
            message,
        })
    };
    let columns = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(files.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

fn row(file: &InputFile) -> Result<Row, DataError> {
    let inside = file.root.as_deref().and_then(|root| file.path.strip_prefix(root).ok()).unwrap_or(&file.path);
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let label = (parts.len() > 1).then(|| parts[0].clone());
    let bytes = bytes_of(&file.path)?;
    let facts = match file.format {
        Format::Images => image::facts(&file.path, &bytes)?,
        _ => ImageFacts::default(),
    };
    Ok(Row { path: parts.join("/"), label, bytes, facts })
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, DataError> {
    let unreadable = |error| DataError::unreadable(path, error);
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(RECORD_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(DataError::malformed(path, None, "it is larger than the 64 MiB that are read"));
    }
    Ok(bytes)
}

fn text_of<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        DataError::NotUtf8 {
            path: path.to_owned(),
            line: 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64,
            offset: at as u64,
            byte: bytes.get(at).copied().unwrap_or_default(),
        }
    })?;
    Ok(text.get(mark_bytes(bytes)..).unwrap_or_default())
}
