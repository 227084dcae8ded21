//! Tables without a frame: a head, a rule, rows.

use std::fmt;

use console::{measure_text_width, style};
use tidemill_core::{SummaryTable, Tone};

use crate::terminal::{printable, stdout_width};

/// On which side a column's content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Between two columns.
const GAP: usize = 2;
/// Before the first column.
const INDENT: usize = 2;
/// A column of sentences is not made narrower than this.
const SENTENCE_WIDTH_MIN: usize = 24;

/// A table that fits the terminal.
///
/// Names and figures are never broken. If a table is too wide, columns of sentences are wrapped between words; if
/// that is not enough, columns are left out and named below the table.
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    /// Columns to leave out first, by their heads.
    optional: Vec<String>,
    width: Option<usize>,
}

impl Table {
    /// A table with these column heads.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(head, align)| ((*head).to_owned(), *align)).collect();
        Self { columns, rows: Vec::new(), optional: Vec::new(), width: stdout_width() }
    }

    /// The same table, which leaves these columns out first, in this order, if it is too wide.
    #[must_use]
    pub fn with_optional(mut self, heads: &[&str]) -> Self {
        self.optional = heads.iter().map(|head| (*head).to_owned()).collect();
        self
    }

    /// The same table for a terminal of this width.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// Adds a row, as wide as the head.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(move |row| row.get(column)).map(String::as_str)
    }

    /// Whether a column holds sentences, which can be wrapped. The first column names the rows.
    fn is_prose(&self, column: usize) -> bool {
        let words = |cell: &str| cell.split(' ').filter(|word| !word.is_empty()).count();
        column > 0 && self.columns[column].1 == Align::Left && self.cells(column).any(|cell| words(cell) > 3)
    }

    fn natural_width(&self, column: usize) -> usize {
        let head = measure_text_width(&self.columns[column].0);
        self.cells(column).map(measure_text_width).max().unwrap_or(0).max(head)
    }

    fn longest_word(&self, column: usize) -> usize {
        let words = self.cells(column).flat_map(|cell| cell.split(' ')).map(measure_text_width);
        words.max().unwrap_or(0).max(measure_text_width(&self.columns[column].0))
    }

    /// The columns that are shown, with their widths.
    fn layout(&self) -> Vec<(usize, usize)> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        loop {
            let mut widths: Vec<usize> = shown.iter().map(|column| self.natural_width(*column)).collect();
            let total = |widths: &[usize]| INDENT + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let Some(width) = self.width else { return shown.into_iter().zip(widths).collect() };
            // The widest column of sentences gives way first.
            while total(&widths) > width {
                let can_give = |at: &usize| {
                    let floor = self.longest_word(shown[*at]).max(SENTENCE_WIDTH_MIN);
                    self.is_prose(shown[*at]) && widths[*at] > floor
                };
                let Some(widest) = (0..shown.len()).filter(can_give).max_by_key(|at| widths[*at]) else { break };
                widths[widest] -= 1;
            }
            if total(&widths) <= width || shown.len() == 1 {
                return shown.into_iter().zip(widths).collect();
            }
            let dropped = self.next_to_drop(&shown);
            shown.retain(|column| *column != dropped);
        }
    }

    /// The column to leave out next: an optional one, else the last that holds no sentences, never the first.
    fn next_to_drop(&self, shown: &[usize]) -> usize {
        let optional = self
            .optional
            .iter()
            .find_map(|head| shown.iter().copied().find(|column| *column > 0 && self.columns[*column].0 == *head));
        let plain = || shown.iter().rev().copied().find(|column| *column > 0 && !self.is_prose(*column));
        optional.or_else(plain).unwrap_or(shown[shown.len() - 1])
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = self.layout();
        let heads: Vec<Vec<String>> =
            layout.iter().map(|(column, _)| vec![style(&self.columns[*column].0).dim().to_string()]).collect();
        self.write_row(f, &layout, &heads)?;
        let rule: usize = layout.iter().map(|(_, width)| width + GAP).sum();
        writeln!(f, " {}", "─".repeat(self.width.map_or(rule, |width| rule.min(width.saturating_sub(1)))))?;
        for row in &self.rows {
            let cells = layout
                .iter()
                .map(|(column, width)| row.get(*column).map_or_else(Vec::new, |cell| wrapped(cell, *width)));
            self.write_row(f, &layout, &cells.collect::<Vec<_>>())?;
        }
        let hidden: Vec<&str> = (0..self.columns.len())
            .filter(|column| layout.iter().all(|(shown, _)| shown != column))
            .map(|column| self.columns[column].0.as_str())
            .filter(|head| !head.is_empty())
            .collect();
        if !hidden.is_empty() {
            let note = format!("left out, the terminal is too narrow: {}", hidden.join(", "));
            writeln!(f, "  {}", style(note).dim())?;
        }
        Ok(())
    }
}

impl Table {
    /// Writes a row whose cells may have several lines.
    fn write_row(&self, f: &mut fmt::Formatter<'_>, layout: &[(usize, usize)], cells: &[Vec<String>]) -> fmt::Result {
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0).max(1) {
            let mut text = " ".repeat(INDENT);
            for (at, (column, width)) in layout.iter().enumerate() {
                let cell = cells[at].get(line).map_or("", String::as_str);
                let padding = " ".repeat(width.saturating_sub(measure_text_width(cell)));
                if at > 0 {
                    text.push_str(&" ".repeat(GAP));
                }
                match self.columns[*column].1 {
                    Align::Left => text.push_str(&format!("{cell}{padding}")),
                    Align::Right => text.push_str(&format!("{padding}{cell}")),
                }
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

/// The text in lines of at most `width`, broken between words. A style around all of it is around each line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    if measure_text_width(text) <= width {
        return text.lines().map(str::to_owned).collect();
    }
    const RESET: &str = "\u{1b}[0m";
    let (before, inner, after) = match text.strip_prefix('\u{1b}').and_then(|rest| rest.find('m')) {
        Some(end) if text.ends_with(RESET) => {
            let start = end + 2;
            (&text[..start], &text[start..text.len() - RESET.len()], RESET)
        }
        _ => ("", text, ""),
    };
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in inner.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && measure_text_width(&line) + 1 + measure_text_width(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.into_iter().map(|line| format!("{before}{line}{after}")).collect()
}

/// The table that a component made for the end of a run. Columns of numbers stand right, except the first, which names
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: usize) -> String {
        let columns = [("feature", Align::Left), ("mean", Align::Right), ("std", Align::Right), ("what", Align::Left)];
        let mut table = Table::new(&columns).with_width(width);
        let sentence = "1 of 649 values (0.15 %) are not in the domain, at most 1.6 % may be".to_owned();
        table.row(["trip_start_timestamp".into(), "17,031,081,300".into(), "0.00001234".into(), sentence]);
        table.row(["東京".into(), "1".into(), "2".into(), "fine".into()]);
        table.to_string()
    }

    #[test]
    fn sentences_are_wrapped_and_columns_left_out_but_nothing_is_broken() {
        for width in [20, 40, 60, 80, 100, 200] {
            let text = table(width);
            let too_wide = text.lines().filter(|line| measure_text_width(line) > width);
            // The note below names what was left out, however narrow it is.
            let too_wide: Vec<&str> = too_wide.filter(|line| !line.contains("left out")).collect();
            assert!(width < 30 || too_wide.is_empty(), "{width}: {too_wide:?}");
            assert!(text.contains("trip_start_timestamp"), "{text}");
            let figure = text.contains("17,031,081,300") || text.contains("left out, the terminal is too narrow: mean");
            assert!(figure, "{width}: {text}");
        }
        assert!(table(200).lines().count() == 4 && !table(200).contains("left out"));
        assert!(table(80).contains("domain, at most"), "{}", table(80));
        assert!(table(60).contains("left out, the terminal is too narrow: mean, std"), "{}", table(60));
    }

    #[test]
    fn optional_columns_go_first_and_styles_are_kept_on_every_line() {
        let columns = [("a", Align::Left), ("b", Align::Right), ("c", Align::Right)];
        let mut table = Table::new(&columns).with_optional(&["b"]).with_width(16);
        table.row(["name".into(), "12345678".into(), "12345".into()]);
        assert!(table.to_string().contains("12345\n") && table.to_string().contains("narrow: b"), "{table}");
        let red = "\u{1b}[31mone two three\u{1b}[0m";
        assert_eq!(wrapped(red, 8), ["\u{1b}[31mone two\u{1b}[0m", "\u{1b}[31mthree\u{1b}[0m"]);
    }
}
