//! Several columns projected on directions.

use arrow::array::RecordBatch;

use super::load::load_numbers;

/// Means, and a weight for each column and direction.
#[derive(Debug)]
pub(super) struct Projection {
    means: Vec<f64>,
    components: Vec<Vec<f64>>,
}

impl Projection {
    pub(super) fn new(means: &[f64], components: &[Vec<f64>]) -> Self {
        Self { means: means.to_vec(), components: components.to_vec() }
    }

    /// Into `out`, a column for each direction; `inputs` are positions in `columns`, which are those of the batch.
    ///
    /// Terms are added in the order of the columns, so a row gives the same bits alone and in any batch. `false`: a
    /// column has another type than was bound.
    pub(super) fn run(&self, batch: &RecordBatch, columns: &[usize], inputs: &[usize], out: &mut [Vec<f64>]) -> bool {
        for column in out.iter_mut() {
            column.fill(0.0);
        }
        let mut values = vec![0.0; batch.num_rows()];
        for (at, (input, mean)) in inputs.iter().zip(&self.means).enumerate() {
            let Some(array) = columns.get(*input).and_then(|column| batch.columns().get(*column)) else { return false };
            if !load_numbers(array, &mut values) {
                return false;
            }
            for (column, component) in out.iter_mut().zip(&self.components) {
                let weight = component.get(at).copied().unwrap_or(0.0);
                for (sum, value) in column.iter_mut().zip(&values) {
                    *sum += (value - mean) * weight;
                }
            }
        }
        true
    }
}
