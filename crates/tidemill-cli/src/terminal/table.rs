//! Tables without a cage: a head, a rule, rows.

use std::fmt;

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, TableStyle};
use console::style;
use tidemill_core::{SummaryTable, Tone};

use crate::terminal::printable;

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// On which side a column's content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table that fits the terminal.
pub struct Table {
    inner: comfy_table::Table,
    aligns: Vec<Align>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).force_no_tty();
        if let Some((_, width)) = console::Term::stdout().size_checked() {
            inner.set_width(width.saturating_sub(2).max(40));
        }
        inner.set_header(columns.iter().map(|(name, align)| cell(&style(name).dim().to_string(), *align)));
        let aligns = columns.iter().map(|(_, align)| *align).collect();
        Self { inner, aligns }
    }

    /// Adds a row, as wide as the head.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.inner.add_row(cells.into_iter().zip(&self.aligns).map(|(text, align)| cell(&text, *align)));
    }
}

fn cell(text: &str, align: Align) -> Cell {
    let side = if align == Align::Right { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new(text).set_alignment(side)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.inner.lines() {
            writeln!(f, " {}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The table a component made for the end of a run. Columns of numbers stand right, but for the first, which names
/// the rows.
impl From<&SummaryTable> for Table {
    fn from(summary: &SummaryTable) -> Self {
        let numeric = |column: usize| {
            let mut cells = summary.rows.iter().filter_map(|(_, row)| row.get(column));
            !summary.rows.is_empty() && cells.all(|text| is_number(text))
        };
        let columns: Vec<(&str, Align)> = summary
            .columns
            .iter()
            .enumerate()
            .map(|(i, name)| (name.as_str(), if i > 0 && numeric(i) { Align::Right } else { Align::Left }))
            .collect();
        let mut table = Self::new(&columns);
        for (tone, row) in &summary.rows {
            table.row(row.iter().map(|text| toned(text, *tone)));
        }
        table
    }
}

/// A number with what may surround it (`1,608`, `0.9514 ±0.0048`, `81.2 %`, `0.07 ms`), or the dash for none.
fn is_number(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    text.is_empty() || text == "–" || (letters <= 2 && text.contains(|c: char| c.is_ascii_digit()))
}

fn toned(text: &str, tone: Tone) -> String {
    let text = &*printable(text);
    match tone {
        Tone::Plain | Tone::Good => text.to_owned(),
        Tone::Warn => style(text).yellow().to_string(),
        Tone::Bad => style(text).red().to_string(),
    }
}
