//! The syntax tree of an expression.

use std::ops::Range;

use super::function::Function;

/// An expression and its position in the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// The depth of the tree, to bound recursion.
    pub(super) depth: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Column(String),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    IsNull { operand: Box<Expr>, negated: bool },
    In { operand: Box<Expr>, list: Vec<Expr>, negated: bool },
    Between { operand: Box<Expr>, low: Box<Expr>, high: Box<Expr>, negated: bool },
    Case { subject: Option<Box<Expr>>, whens: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>> },
    Call(Function, Vec<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Binary {
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }

    /// The binding power; higher binds tighter.
    pub(super) const fn power(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual => {
                COMPARISON
            }
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Modulo => 6,
        }
    }
}

/// The binding power of `not`.
pub(super) const NOT: u8 = 3;
/// The binding power of comparisons, including `is null`, `in` and `between`.
pub(super) const COMPARISON: u8 = 4;
/// The binding power of a sign.
pub(super) const SIGN: u8 = 7;

impl Expr {
    pub(super) fn new(kind: Kind, span: Range<usize>) -> Self {
        let mut depth = 0;
        kind.each_child(&mut |child| depth = depth.max(child.depth + 1));
        Self { kind, span, depth }
    }

    /// Calls `visit` for this expression and all its descendants, left to right.
    pub(super) fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Self)) {
        see(self);
        self.kind.each_child(&mut |child| child.visit(see));
    }
}

impl Kind {
    fn each_child<'a>(&'a self, see: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::Column(_) => {}
            Self::Not(operand) | Self::Negate(operand) | Self::IsNull { operand, .. } => see(operand),
            Self::Binary(_, left, right) => {
                see(left);
                see(right);
            }
            Self::In { operand, list, .. } => {
                see(operand);
                list.iter().for_each(see);
            }
            Self::Between { operand, low, high, .. } => {
                see(operand);
                see(low);
                see(high);
            }
            Self::Case { subject, whens, otherwise } => {
                if let Some(subject) = subject {
                    see(subject);
                }
                for (when, then) in whens {
                    see(when);
                    see(then);
                }
                if let Some(otherwise) = otherwise {
                    see(otherwise);
                }
            }
            Self::Call(_, arguments) => arguments.iter().for_each(see),
        }
    }
}
