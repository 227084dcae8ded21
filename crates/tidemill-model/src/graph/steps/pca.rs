//! `pca`: several columns projected on directions.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::decode::load_numbers;
use super::super::mapper::{MapStep, Position};
use super::super::run::{Columns, Decoder, Rows};
use super::super::{Mapper, Stage};

/// Values of several columns less their means, projected on directions: a column for each. A row with any value missing
/// is missing in every column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// By column.
    pub means: Vec<f64>,
    /// By direction: a weight for each column.
    pub components: Vec<Vec<f64>>,
}

impl MapStep for Project {
    fn name(&self) -> &'static str {
        "project"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        for value in self.means.iter().chain(self.components.iter().flatten()) {
            self.finite("components", *value)?;
        }
        let fits = self.components.iter().all(|component| component.len() == self.means.len());
        match stage {
            Stage::Vector(columns) if columns as usize == self.means.len() && fits && !self.components.is_empty() => {
                Ok(Stage::Columns)
            }
            Stage::Vector(columns) => Err(format!("`project` has constants for other than {columns} columns")),
            _ => Err(self.does_not_apply(stage)),
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {} columns on {}", self.means.len(), self.components.len())
    }

    fn columns(&self, feature: &str, _: &[Mapper], _: Stage) -> Option<Vec<String>> {
        Some((1..=self.components.len()).map(|direction| format!("{feature}.{direction}")).collect())
    }

    fn reads_raw(&self, _: bool) -> bool {
        true
    }

    fn decoder(&self, _: &Position<'_>) -> Option<(Box<dyn Decoder>, usize)> {
        Some((Box::new(self.clone()), 1))
    }
}

impl Decoder for Project {
    /// Terms are added in the order of the columns, so a row gives the same bits alone and in any batch.
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        let Some(inputs) = rows.source.positions() else { return false };
        out.fill(0.0);
        let mut values = vec![0.0; rows.place.batch.num_rows()];
        for (at, (input, mean)) in inputs.iter().zip(&self.means).enumerate() {
            if !rows.place.column(*input).is_some_and(|array| load_numbers(array, &mut values)) {
                return false;
            }
            let others = out.others.iter_mut().map(Vec::as_mut_slice);
            for (column, component) in std::iter::once(&mut *out.main).chain(others).zip(&self.components) {
                let weight = component.get(at).copied().unwrap_or(0.0);
                for (sum, value) in column.iter_mut().zip(&values) {
                    *sum += (value - mean) * weight;
                }
            }
        }
        true
    }
}
