//! Values in messages.

/// Longest piece of a value that a message shows, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A value on one line, cut after 60 characters.
pub fn shortened(value: &str) -> String {
    let mut out: String = value.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if value.chars().nth(SHOWN_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}
