//! References to registered models: `taxi-tips`, `taxi-tips@champion`, `taxi-tips:7`, `taxi-tips/7`.

use std::fmt;
use std::str::FromStr;

/// A registered model, and perhaps one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelReference {
    /// The model's name.
    pub name: String,
    /// Which version.
    pub version: ReferenceVersion,
}

/// The version that a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceVersion {
    /// The one that answers requests without a version: the champion, or the newest.
    Default,
    /// The one with this alias.
    Alias(String),
    /// This one.
    Number(u64),
}

impl ModelReference {
    /// Whether a text names a version, so that it cannot be the name of a model in an endpoint file.
    pub fn is_explicit(text: &str) -> bool {
        text.contains(['@', ':', '/'])
    }
}

impl FromStr for ModelReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a model: write NAME, NAME@ALIAS or NAME:VERSION");
        let Some(at) = text.find(['@', ':', '/']) else {
            return if text.is_empty() {
                Err(wrong())
            } else {
                Ok(Self { name: text.to_owned(), version: ReferenceVersion::Default })
            };
        };
        let (name, rest) = text.split_at(at);
        let (mark, rest) = rest.split_at(1);
        if name.is_empty() || rest.is_empty() || rest.contains(['@', ':', '/']) {
            return Err(wrong());
        }
        let version = match (mark, rest.parse()) {
            ("@", Err(_)) => ReferenceVersion::Alias(rest.to_owned()),
            (":" | "/", Ok(number)) => ReferenceVersion::Number(number),
            _ => return Err(wrong()),
        };
        Ok(Self { name: name.to_owned(), version })
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            ReferenceVersion::Default => f.write_str(&self.name),
            ReferenceVersion::Alias(alias) => write!(f, "{}@{alias}", self.name),
            ReferenceVersion::Number(number) => write!(f, "{}:{number}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written() {
        for (text, written) in [
            ("taxi-tips", "taxi-tips"),
            ("taxi-tips@champion", "taxi-tips@champion"),
            ("taxi-tips:7", "taxi-tips:7"),
            ("taxi-tips/7", "taxi-tips:7"),
        ] {
            assert_eq!(text.parse::<ModelReference>().unwrap().to_string(), written);
        }
        for wrong in ["", "@a", "a@", "a:", "a:b", "a/b", "a@7", "a@b:7"] {
            assert!(wrong.parse::<ModelReference>().is_err(), "{wrong}");
        }
    }
}
