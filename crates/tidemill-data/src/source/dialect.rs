//! How text files of cells are written, where that is not the usual way.

use std::collections::HashSet;

use super::value::Decimal;
use crate::DataError;

/// How CSV files are written. The default is what RFC 4180 says: a header, `"` around cells, commas between them (tabs
/// where the name ends in `.tsv`), and no value where a cell is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// What stands between cells: an ASCII character that is no line end; from the extension when absent.
    pub delimiter: Option<u8>,
    /// What stands around cells that hold delimiters or line ends, doubled where it is meant itself; `None`: every
    /// quote is text, and a line is a row.
    pub quote: Option<u8>,
    /// Cells that stand for a missing value, beside empty ones, letter for letter: `NA`, `null`, `-`.
    pub null_tokens: Vec<String>,
    /// The sign before the decimals of a number.
    pub decimal: Decimal,
    /// Where the names of the columns are.
    pub header: Header,
}

/// Where the names of the columns are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Header {
    /// In the first line that is not blank.
    #[default]
    FirstLine,
    /// Not in the file: these are they, as many as a row has cells.
    Names(Vec<String>),
    /// Nowhere: the columns are called `column_1`, `column_2` and so on.
    Numbered,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: None,
            quote: Some(b'"'),
            null_tokens: Vec::new(),
            decimal: Decimal::Point,
            header: Header::FirstLine,
        }
    }
}

impl CsvOptions {
    /// What cannot be: a sentence about the first such option.
    pub fn check(&self) -> Result<(), DataError> {
        let refuse = |message: String| Err(DataError::Params { message });
        let shown = |mark: u8| char::from(mark).escape_default();
        let unfit = |mark: u8| !mark.is_ascii() || matches!(mark, b'\n' | b'\r');
        if let Some(mark) = self.delimiter.filter(|mark| unfit(*mark) || *mark == b'"') {
            return refuse(format!("`{}` cannot be a delimiter", shown(mark)));
        }
        if let Some(mark) = self.quote.filter(|mark| unfit(*mark)) {
            return refuse(format!("`{}` cannot be a quote", shown(mark)));
        }
        if self.delimiter.is_some() && self.delimiter == self.quote {
            return refuse("the delimiter and the quote are the same".to_owned());
        }
        if let Header::Names(names) = &self.header {
            let mut seen = HashSet::new();
            if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
                return refuse("every column needs a name".to_owned());
            }
            if let Some(twice) = names.iter().find(|name| !seen.insert(*name)) {
                return refuse(format!("column `{twice}` is named twice"));
            }
        }
        Ok(())
    }
}

/// The delimiter that a person means: one ASCII character, `tab` or `\t`.
pub fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [mark] if mark.is_ascii() && !matches!(mark, b'\n' | b'\r' | b'"') => Ok(*mark),
        _ => Err(format!("`{}` is not a delimiter: one ASCII character, or `tab`", text.escape_debug())),
    }
}

/// The decimal sign that a person means: `.` or `,`.
pub fn parse_decimal(text: &str) -> Result<Decimal, String> {
    match text {
        "." => Ok(Decimal::Point),
        "," => Ok(Decimal::Comma),
        _ => Err(format!("`{}` is not a decimal sign: `.` or `,`", text.escape_debug())),
    }
}

/// The quote that a person means: one ASCII character, or `none`.
pub fn parse_quote(text: &str) -> Result<Option<u8>, String> {
    match text.as_bytes() {
        b"none" => Ok(None),
        [mark] if mark.is_ascii() && !matches!(mark, b'\n' | b'\r') => Ok(Some(*mark)),
        _ => Err(format!("`{}` is not a quote: one ASCII character, or `none`", text.escape_debug())),
    }
}

/// The characters that tell cells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
}

/// How one file is written.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    pub(super) marks: Marks,
    pub(super) missing: Missing,
    pub(super) decimal: Decimal,
    pub(super) header: Header,
}

impl Dialect {
    /// The dialect of a file whose name suggests `delimiter`.
    pub(super) fn new(options: &CsvOptions, delimiter: u8) -> Self {
        let marks = Marks { delimiter: options.delimiter.unwrap_or(delimiter), quote: options.quote };
        Self {
            marks,
            missing: Missing::new(&options.null_tokens),
            decimal: options.decimal,
            header: options.header.clone(),
        }
    }
}

/// Tells cells that stand for a missing value.
#[derive(Debug, Clone, Default)]
pub(super) struct Missing {
    tokens: HashSet<String>,
    /// Bytes of the longest one: most cells are told by their length.
    bytes_max: usize,
}

impl Missing {
    fn new(tokens: &[String]) -> Self {
        let bytes_max = tokens.iter().map(String::len).max().unwrap_or(0);
        Self { tokens: tokens.iter().cloned().collect(), bytes_max }
    }

    /// Whether the cell is empty or one of the tokens.
    #[inline]
    pub(super) fn is(&self, text: &str) -> bool {
        text.len() <= self.bytes_max && (text.is_empty() || self.tokens.contains(text))
    }
}
