//! The texts that steps turn into a given one, as patterns.
//!
//! ONNX can compare texts and match patterns, and has no operator that changes their case the same way everywhere.
//! Later steps only test whether the text is now a given one, and the texts for which that is true are a regular
//! language: optional white space at either end, and for each character those with it as their lower case.

use std::collections::HashMap;
use std::sync::OnceLock;

/// The maximum number of alternatives in a pattern.
const TILINGS_MAX: usize = 64;

/// The pending text steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TextForm {
    /// Strips white space at either end.
    pub(super) strip: bool,
    pub(super) case: Option<Case>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
}

impl TextForm {
    pub(super) fn stripped(self) -> Self {
        Self { strip: true, ..self }
    }

    /// Applies `case` from here on; two case changes in a row are not the same as the last alone.
    pub(super) fn cased(self, case: Case) -> Result<Self, String> {
        match self.case {
            Some(before) if before != case => {
                Err("lower and upper case after each other have no form in ONNX".to_owned())
            }
            _ => Ok(Self { case: Some(case), ..self }),
        }
    }

    /// The result for a known text.
    pub(super) fn of(self, text: &str) -> String {
        let text = if self.strip { text.trim() } else { text };
        match self.case {
            None => text.to_owned(),
            Some(Case::Lower) => text.to_lowercase(),
            Some(Case::Upper) => text.to_uppercase(),
        }
    }

    /// The texts that become `text`; `None` if no text does.
    pub(super) fn pattern(self, text: &str) -> Result<Option<String>, String> {
        if self.of(text) != text {
            return Ok(None);
        }
        let inner = match self.case {
            None => text.chars().map(escaped).collect(),
            Some(case) => cased(case, text)?,
        };
        let around = if self.strip { format!("{}*", space()) } else { String::new() };
        Ok(Some(format!("{around}{inner}{around}")))
    }
}

/// One character of white space, as Unicode has it.
pub(super) fn space() -> &'static str {
    r"[\t\n\x0B\x0C\r\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"
}

/// One character that is not white space.
pub(super) fn non_space() -> &'static str {
    r"[^\t\n\x0B\x0C\r\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"
}

fn escaped(character: char) -> String {
    if character.is_ascii_alphanumeric() { character.to_string() } else { format!("\\x{{{:X}}}", u32::from(character)) }
}

/// By result: the characters that become it.
fn sources(case: Case) -> &'static HashMap<Vec<char>, Vec<char>> {
    static LOWER: OnceLock<HashMap<Vec<char>, Vec<char>>> = OnceLock::new();
    static UPPER: OnceLock<HashMap<Vec<char>, Vec<char>>> = OnceLock::new();
    let collect = || {
        let mut sources: HashMap<Vec<char>, Vec<char>> = HashMap::new();
        for character in '\0'..=char::MAX {
            let becomes: Vec<char> = match case {
                Case::Lower => character.to_lowercase().collect(),
                Case::Upper => character.to_uppercase().collect(),
            };
            if becomes != [character] {
                sources.entry(becomes).or_default().push(character);
            }
        }
        sources
    };
    match case {
        Case::Lower => LOWER.get_or_init(collect),
        Case::Upper => UPPER.get_or_init(collect),
    }
}

/// The texts that become `text`, which is in that case itself.
fn cased(case: Case, text: &str) -> Result<String, String> {
    if case == Case::Lower && text.contains(['σ', 'ς']) {
        return Err(format!("`{text}` has a sigma, whose lower case depends on its place in a word"));
    }
    let sources = sources(case);
    let characters: Vec<char> = text.chars().collect();
    let longest = sources.keys().map(Vec::len).max().unwrap_or(1);
    // By place: what a run of several characters from there may have been.
    let runs = |at: usize| -> Vec<(usize, &Vec<char>)> {
        let of = |length: usize| Some((length, sources.get(&characters[at..at + length])?));
        (2..=longest.min(characters.len() - at)).filter_map(of).collect()
    };
    let one = |at: usize| {
        let mut class = escaped(characters[at]);
        let others = sources.get(&characters[at..=at]).map_or(&[][..], Vec::as_slice);
        if others.is_empty() {
            return class;
        }
        class.extend(others.iter().map(|other| escaped(*other)));
        format!("[{class}]")
    };
    let mut pattern = String::new();
    let mut at = 0;
    while at < characters.len() {
        if runs(at).is_empty() {
            pattern.push_str(&one(at));
            at += 1;
            continue;
        }
        // Up to where one run extends into the next.
        let (mut end, mut place) = (at, at);
        while place < characters.len() && (place == at || place < end) {
            end = runs(place).iter().map(|(length, _)| place + length).max().unwrap_or(end).max(end);
            place += 1;
        }
        let mut open = vec![(at, String::new())];
        let mut whole = Vec::new();
        while let Some((place, before)) = open.pop() {
            if place == end {
                whole.push(before);
                continue;
            }
            open.push((place + 1, format!("{before}{}", one(place))));
            for (length, found) in runs(place) {
                let class: String = found.iter().map(|character| escaped(*character)).collect();
                open.push((place + length, format!("{before}[{class}]")));
            }
            if whole.len() + open.len() > TILINGS_MAX {
                return Err(format!("too many texts have `{text}` as their upper case"));
            }
        }
        whole.sort();
        pattern.push_str(&format!("(?:{})", whole.join("|")));
        at = end;
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(form: TextForm, key: &str, text: &str) -> bool {
        form.pattern(key).unwrap().is_some_and(|p| regex::Regex::new(&format!(r"\A(?:{p})\z")).unwrap().is_match(text))
    }

    #[test]
    fn a_pattern_matches_exactly_the_texts_that_become_the_key() {
        let texts = [
            "straße",
            "STRASSE",
            "Strasse",
            "ſtraſſe",
            "ﬀ",
            "FF",
            "ff",
            "ﬃ",
            "ffi",
            "fﬁ",
            "FFI",
            "ﬀI",
            "İ",
            "i\u{307}",
            "I",
            "i",
            "ı",
            "K",
            "\u{212A}",
            "k",
            " k ",
            "\u{3000}K\n",
            "",
            " ",
            "É",
            "é",
            "a.b",
            "A.B",
            "axb",
            "ß",
            "SSS",
            "ßs",
            "sß",
            "ǆ",
            "ǅ",
            "ΐ",
            "Ϊ́",
        ];
        let forms = [None, Some(Case::Lower), Some(Case::Upper)];
        for form in forms.into_iter().flat_map(|case| [false, true].map(|strip| TextForm { strip, case })) {
            for key in texts {
                for text in texts {
                    assert_eq!(matches(form, key, text), form.of(text) == key, "{form:?} {key:?} {text:?}");
                }
            }
        }
        assert!(TextForm { strip: false, case: Some(Case::Lower) }.pattern("σα").is_err());
    }

    #[test]
    fn white_space_is_that_of_the_standard_library() {
        let (space, other) = (regex::Regex::new(space()).unwrap(), regex::Regex::new(non_space()).unwrap());
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            assert_eq!(
                (space.is_match(&text), other.is_match(&text)),
                (character.is_whitespace(), !character.is_whitespace())
            );
        }
    }
}
