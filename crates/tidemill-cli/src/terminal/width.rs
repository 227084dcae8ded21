//! How wide the terminal is, and text that fits it.

use console::{Term, measure_text_width};

/// Columns of the terminal that standard output is, or what `COLUMNS` says.
pub fn stdout_width() -> Option<usize> {
    of(&Term::stdout())
}

/// Columns of the terminal that standard error is, or what `COLUMNS` says.
pub fn stderr_width() -> Option<usize> {
    of(&Term::stderr())
}

/// A narrower terminal is treated as one of this width.
const WIDTH_MIN: usize = 20;

fn of(terminal: &Term) -> Option<usize> {
    let told = || std::env::var("COLUMNS").ok()?.trim().parse().ok();
    let width = terminal.size_checked().map(|(_, columns)| usize::from(columns)).or_else(told)?;
    Some(width.max(WIDTH_MIN))
}

/// `text` in lines of at most `width`, broken between words; lines after the first begin with `indent` spaces. A word
/// that is longer stands alone. Lines that the text has itself stay.
pub fn fill(text: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width else { return text.to_owned() };
    let mut filled = String::new();
    for line in text.split('\n') {
        if !filled.is_empty() {
            filled.push('\n');
        }
        // The spaces that a line begins with are part of its first word.
        let start = line.len() - line.trim_start().len();
        let mut column = 0;
        let mut first = true;
        for word in line[start..].split(' ') {
            let word = if first { format!("{}{word}", &line[..start]) } else { word.to_owned() };
            let length = measure_text_width(&word);
            if !first && column + 1 + length > width {
                filled.push_str(&format!("\n{}", " ".repeat(indent)));
                column = indent;
            } else if !first {
                filled.push(' ');
                column += 1;
            }
            filled.push_str(&word);
            column += length;
            first = false;
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_indented() {
        assert_eq!(fill("error: one two three", Some(14), 2), "error: one two\n  three");
        assert_eq!(fill("  help: a\nb c", Some(80), 4), "  help: a\nb c");
        assert_eq!(fill("a averyveryverylongword b", Some(10), 2), "a\n  averyveryverylongword\n  b");
        assert_eq!(fill("any text at all", None, 2), "any text at all");
    }
}
