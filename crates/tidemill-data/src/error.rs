//! What can go wrong with data.

use std::fmt;
use std::path::{Path, PathBuf};

use tidemill_core::{Code, Coded};

use crate::Format;

/// Why data could not be read, split or written. Every message names the file, and the line or column where
/// there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// No file lies at the path, or a glob matches nothing.
    #[error("{}", nothing_at(.path))]
    SourceNotFound {
        /// The path, folder or glob asked for.
        path: PathBuf,
    },
    /// A source has no such span.
    #[error("`{}` has no {wanted}; its newest are {}", .path.display(), Quoted(.known))]
    SpanNotFound {
        /// The source, with the place of the span.
        path: PathBuf,
        /// What was asked for: `span 3`.
        wanted: String,
        /// The newest spans there are.
        known: Vec<String>,
    },
    /// A file is there, but reading it failed.
    #[error("cannot read `{}`", .path.display())]
    SourceUnreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A source holds no row at all.
    #[error("`{}` {}", .path.display(), if *.header_only { "has a header but no rows" } else { "is empty" })]
    SourceEmpty {
        /// The file or folder.
        path: PathBuf,
        /// Column names were found, but no row below them.
        header_only: bool,
    },
    /// A file breaks the rules of its format.
    #[error("`{}`{}: {message}", .path.display(), Line(*.line))]
    SourceMalformed {
        /// The file.
        path: PathBuf,
        /// Line of the file, counted from 1.
        line: Option<u64>,
        /// Which rule is broken.
        message: String,
    },
    /// A line breaks the rules of its format.
    #[error("`{}` line {line} column {column}: {message}", .path.display())]
    SourceSyntax {
        /// The file.
        path: PathBuf,
        /// Line of the file, counted from 1.
        line: u64,
        /// Byte of the line where reading stopped, counted from 1.
        column: u64,
        /// Which rule is broken.
        message: String,
    },
    /// A row has another number of cells than the header.
    #[error("`{}` line {line}: the row has {found} cells, the header has {expected}", .path.display())]
    RaggedRow {
        /// The file.
        path: PathBuf,
        /// Line where the row begins, counted from 1.
        line: u64,
        /// Cells of the header.
        expected: usize,
        /// Cells of the row.
        found: usize,
        /// The delimiter with which header and rows would have the same number of cells, and that number.
        other: Option<(u8, usize)>,
    },
    /// Two columns have the same name.
    #[error("`{}` has two columns named `{column}`", .path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// Text is not UTF-8.
    #[error("`{}` line {line}: byte 0x{byte:02x} at offset {offset} of the file is not UTF-8", .path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// Where the byte is in the (decompressed) file, counted from 0.
        offset: u64,
        /// The first byte that does not fit.
        byte: u8,
    },
    /// A split got no row.
    #[error("split `{split}` has no rows: none of {rows} rows fell into its share")]
    EmptySplit {
        /// The split.
        split: String,
        /// Rows that were split.
        rows: u64,
    },
    /// An examples artifact has no such split.
    #[error("`{}` has no split `{split}`; its splits are {}", .path.display(), Quoted(.known))]
    SplitNotFound {
        /// The artifact folder.
        path: PathBuf,
        /// The split asked for.
        split: String,
        /// The splits there are.
        known: Vec<String>,
    },
    /// A column is named that the data does not have.
    #[error("`{}` has no column `{column}`", .path.display())]
    ColumnNotFound {
        /// The file or artifact.
        path: PathBuf,
        /// The name asked for.
        column: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// A column's values do not have the type that is needed.
    #[error("`{}`{}: column `{column}` {message}", .path.display(), Line(*.line))]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// Line of the file, counted from 1, where the format has lines.
        line: Option<u64>,
        /// The column.
        column: String,
        /// What does not fit.
        message: String,
    },
    /// The format of a file cannot be told from its name, or is not one that is read or written.
    #[error("cannot tell the format of `{}`", .path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// Files of one source have different columns.
    #[error("`{}` does not fit `{}`: {message}", .path.display(), .first.display())]
    SchemasDiffer {
        /// The file that differs.
        path: PathBuf,
        /// The first file of the source.
        first: PathBuf,
        /// The column and the difference.
        message: String,
    },
    /// A parameter cannot work with this data.
    #[error("{message}")]
    Params {
        /// Parameter and reason.
        message: String,
    },
    /// Writing failed.
    #[error("cannot write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system or the encoder said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is elsewhere cannot be had: no connection, no permission, a query that is wrong.
    #[error("{message}")]
    Outside {
        /// Which error of the catalogue it is.
        code: Code,
        /// What is wrong with which URL.
        message: String,
        /// What to do about it.
        hint: Option<String>,
        /// What the store or database said.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Batches do not fit each other: a fault of the program.
    #[error("columns cannot be put together")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl DataError {
    /// The file is there, but reading it failed; or it is not there.
    pub fn unreadable(path: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::NotFound {
            Self::SourceNotFound { path: path.to_owned() }
        } else {
            Self::SourceUnreadable { path: path.to_owned(), source }
        }
    }

    pub(crate) fn malformed(path: &Path, line: Option<u64>, message: impl Into<String>) -> Self {
        Self::SourceMalformed { path: path.to_owned(), line, message: message.into() }
    }

    /// Every path that the message names.
    pub(crate) fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::SourceNotFound { path }
            | Self::SpanNotFound { path, .. }
            | Self::SourceUnreadable { path, .. }
            | Self::SourceEmpty { path, .. }
            | Self::SourceMalformed { path, .. }
            | Self::SourceSyntax { path, .. }
            | Self::RaggedRow { path, .. }
            | Self::DuplicateColumn { path, .. }
            | Self::NotUtf8 { path, .. }
            | Self::SplitNotFound { path, .. }
            | Self::ColumnNotFound { path, .. }
            | Self::ColumnType { path, .. }
            | Self::UnknownFormat { path }
            | Self::Write { path, .. } => vec![path],
            Self::SchemasDiffer { path, first, .. } => vec![path, first],
            Self::EmptySplit { .. } | Self::Params { .. } | Self::Outside { .. } | Self::Arrow(_) => Vec::new(),
        }
    }

    pub(crate) fn write(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        let source = match source.downcast_ref::<std::io::Error>() {
            Some(error) => tidemill_files::reason(error).into(),
            None => source,
        };
        Self::Write { path: path.to_owned(), source }
    }
}

/// There may be a folder, but nothing in it to read.
fn nothing_at(path: &Path) -> String {
    let place = if path.is_dir() { "in the folder" } else { "at" };
    format!("no file {place} `{}`", path.display())
}

impl Coded for DataError {
    fn code(&self) -> Code {
        match self {
            Self::SourceNotFound { .. } | Self::SpanNotFound { .. } => Code::SourceNotFound,
            Self::SourceUnreadable { .. } => Code::SourceUnreadable,
            Self::SourceEmpty { .. } => Code::SourceEmpty,
            Self::SourceMalformed { .. } | Self::SourceSyntax { .. } => Code::SourceMalformed,
            Self::RaggedRow { .. } => Code::RaggedRow,
            Self::DuplicateColumn { .. } => Code::DuplicateColumn,
            Self::NotUtf8 { .. } => Code::NotUtf8,
            Self::EmptySplit { .. } => Code::EmptySplit,
            Self::SplitNotFound { .. } | Self::Params { .. } => Code::Params,
            Self::ColumnNotFound { .. } => Code::ColumnNotFound,
            Self::ColumnType { .. } => Code::ColumnType,
            Self::UnknownFormat { .. } => Code::UnknownFormat,
            Self::SchemasDiffer { .. } => Code::SchemasDiffer,
            Self::Write { .. } => Code::Io,
            Self::Outside { code, .. } => *code,
            Self::Arrow(_) => Code::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Outside { hint, .. } => return hint.clone(),
            Self::RaggedRow { other: Some((delimiter, columns)), .. } => {
                let (shown, said) = match delimiter {
                    b'\t' => ("a tab".to_owned(), "tab".to_owned()),
                    mark => (format!("`{}`", char::from(*mark)), format!("'{}'", char::from(*mark))),
                };
                format!("with {shown} between cells, every row has {columns}: `--delimiter {said}`")
            }
            Self::RaggedRow { .. } => {
                "look for an unquoted delimiter or newline inside a cell, or a file cut short".to_owned()
            }
            Self::NotUtf8 { offset: 0, byte: 0xff | 0xfe, .. } => {
                "the file begins with the mark of UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`".to_owned()
            }
            Self::NotUtf8 { .. } => "convert the file, for example with `iconv -f LATIN1 -t UTF-8`".to_owned(),
            Self::EmptySplit { .. } => {
                "give the split a larger share, or split by a column with more values".to_owned()
            }
            Self::ColumnNotFound { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::UnknownFormat { .. } => format!("known are {}", Format::known_extensions()),
            _ => return None,
        })
    }
}

/// ` line 7`, or nothing.
struct Line(Option<u64>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(line) => write!(f, " line {line}"),
            None => Ok(()),
        }
    }
}

/// Names in backticks with commas between.
struct Quoted<'a>(&'a [String]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            write!(f, "{}`{name}`", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
