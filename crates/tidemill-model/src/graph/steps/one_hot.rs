//! `one_hot`: a column for each code.

use super::super::feature::{category_name, first_code};
use super::super::mapper::{COLUMNS_MAX, MapStep};
use super::super::run::{Expander, each};
use super::super::{Mapper, Stage};

/// See [`Mapper::OneHot`].
pub(super) struct OneHot;

impl MapStep for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        match stage {
            Stage::Code(size) | Stage::Bucket(size) if size > COLUMNS_MAX => {
                Err(format!("`one_hot` would give {size} columns, and {COLUMNS_MAX} are the most"))
            }
            Stage::Bool | Stage::Code(_) | Stage::Bucket(_) => Ok(Stage::Columns),
            _ => Err(self.does_not_apply(stage)),
        }
    }

    /// `feature=value`, and `feature.other` or `feature.other_0` and so on for buckets of other values.
    fn columns(&self, feature: &str, before: &[Mapper], stage: Stage) -> Option<Vec<String>> {
        let size = match stage {
            Stage::Bool => 2,
            Stage::Code(size) | Stage::Bucket(size) => size,
            _ => 0,
        };
        Some((first_code(before)..size).map(|code| category_name(feature, before, code)).collect())
    }

    fn expander(&self, before: &[Mapper]) -> Option<Box<dyn Expander>> {
        Some(Box::new(ColumnForEach { first: first_code(before) }))
    }
}

/// A column for each code from `first`.
#[derive(Debug)]
struct ColumnForEach {
    first: u32,
}

impl Expander for ColumnForEach {
    fn run(&self, main: &mut [f64], others: &mut [Vec<f64>]) {
        let first = f64::from(self.first);
        for (at, other) in others.iter_mut().enumerate() {
            let code = first + (at + 1) as f64;
            for (other, value) in other.iter_mut().zip(&*main) {
                *other = f64::from(u8::from(*value == code));
            }
        }
        each(main, |x| f64::from(u8::from(x == first)));
    }
}
