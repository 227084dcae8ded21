//! Which learners a search tries.

use tidemill_core::TaskKind;

/// A learner of a search.
struct Family {
    name: &'static str,
    /// Whether its prediction is a sum of what each column adds.
    is_glass: bool,
    /// Rows above which it takes too long, or too much memory.
    rows_max: u64,
    /// Columns above which it does.
    columns_max: usize,
}

/// The learners, cheapest first.
const FAMILIES: [Family; 6] = [
    Family { name: "linear", is_glass: true, rows_max: u64::MAX, columns_max: usize::MAX },
    Family { name: "gradient_boosting", is_glass: false, rows_max: u64::MAX, columns_max: usize::MAX },
    Family { name: "random_forest", is_glass: false, rows_max: 2_000_000, columns_max: 5_000 },
    Family { name: "additive", is_glass: true, rows_max: 500_000, columns_max: 500 },
    Family { name: "neighbors", is_glass: false, rows_max: 30_000, columns_max: 200 },
    Family { name: "mlp", is_glass: false, rows_max: 500_000, columns_max: 1_000 },
];

/// The learners that fit a table of so many rows and columns, cheapest first.
pub fn learners(task: TaskKind, rows: u64, columns: usize, explain_only: bool) -> Vec<&'static str> {
    let fits = |family: &&Family| {
        (family.is_glass || !explain_only) && rows <= family.rows_max && columns <= family.columns_max
    };
    match task {
        TaskKind::Binary | TaskKind::MultiClass | TaskKind::Regression => {
            FAMILIES.iter().filter(fits).map(|family| family.name).collect()
        }
        TaskKind::MultiLabel | TaskKind::Ranking => vec!["gradient_boosting"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_tables_have_fewer_learners_and_glass_boxes_are_two() {
        assert_eq!(learners(TaskKind::Binary, 1_000, 10, false).len(), FAMILIES.len());
        assert_eq!(learners(TaskKind::Binary, 1_000, 10, true), ["linear", "additive"]);
        assert_eq!(learners(TaskKind::Regression, 10_000_000, 10_000, false), ["linear", "gradient_boosting"]);
    }
}
