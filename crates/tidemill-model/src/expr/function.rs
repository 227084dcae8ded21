//! The functions of the language.

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Abs,
    Coalesce,
    Least,
    Greatest,
    Ln,
    Log10,
    Exp,
    Sqrt,
    Round,
    Floor,
    Ceil,
    Lower,
    Upper,
    Length,
    Trim,
}

const NAMES: [(&str, Function); 17] = [
    ("abs", Function::Abs),
    ("coalesce", Function::Coalesce),
    ("least", Function::Least),
    ("greatest", Function::Greatest),
    ("ln", Function::Ln),
    ("log", Function::Ln),
    ("log10", Function::Log10),
    ("exp", Function::Exp),
    ("sqrt", Function::Sqrt),
    ("round", Function::Round),
    ("floor", Function::Floor),
    ("ceil", Function::Ceil),
    ("ceiling", Function::Ceil),
    ("lower", Function::Lower),
    ("upper", Function::Upper),
    ("length", Function::Length),
    ("trim", Function::Trim),
];

impl Function {
    /// The function called `name`, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, function)| *function)
    }

    /// The names of all functions.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Whether it takes one or more arguments; the others take exactly one.
    pub const fn is_variadic(self) -> bool {
        matches!(self, Self::Coalesce | Self::Least | Self::Greatest)
    }
}
