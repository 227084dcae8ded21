//! All combinations.

use crate::{Domain, Point, Space};

/// Values that stand for a range of numbers.
const LEVELS: u64 = 10;
/// Combinations are not listed beyond this.
const POINTS_MAX: usize = 100_000;

/// The points of a grid over `space`, the first parameter slowest; at most [`POINTS_MAX`].
pub(super) fn points(space: &Space) -> Vec<Point> {
    let mut points = vec![Point(vec![None; space.dimensions().len()])];
    for (at, dimension) in space.dimensions().iter().enumerate() {
        let levels = levels(&dimension.domain);
        let mut next = Vec::with_capacity(points.len());
        for point in points {
            if !space.is_active(at, &point) {
                next.push(point);
                continue;
            }
            for level in &levels {
                if next.len() >= POINTS_MAX {
                    break;
                }
                let mut point = point.clone();
                point.0[at] = Some(*level);
                next.push(point);
            }
        }
        points = next;
    }
    points
}

/// The values of a dimension that a grid has.
fn levels(domain: &Domain) -> Vec<f64> {
    match domain.len() {
        Some(count) if count <= LEVELS || domain.step().is_some_and(|step| step != 1.0) || is_choice(domain) => {
            let count = count.min(POINTS_MAX as u64);
            (0..count).map(|level| domain.at((level as f64 + 0.5) / count as f64)).collect()
        }
        _ => {
            // From end to end, which the middles of equal parts would not reach.
            let (low, high) = match domain {
                Domain::Float { low, high, .. } => (domain.search(*low), domain.search(*high)),
                Domain::Int { low, high, .. } => (domain.search(*low as f64), domain.search(*high as f64)),
                Domain::Choice(_) => domain.bounds(),
            };
            let at = |level: u64| domain.value(low + (high - low) * level as f64 / (LEVELS - 1) as f64);
            let mut levels: Vec<f64> = (0..LEVELS).map(at).collect();
            levels.dedup();
            levels
        }
    }
}

fn is_choice(domain: &Domain) -> bool {
    matches!(domain, Domain::Choice(_))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grid_reaches_both_ends_of_every_range() {
        let space = Space::parse(&json!({
            "rate": { "float": [0.001, 1], "log": true },
            "leaves": { "int": [2, 200], "log": true },
            "depth": { "int": [1, 3] },
            "share": { "float": [0.5, 1], "step": 0.25 },
        }))
        .unwrap();
        let points = points(&space);
        assert_eq!(points.len(), 10 * 10 * 3 * 3);
        let (first, last) = (space.params(&points[0]), space.params(&points[points.len() - 1]));
        assert_eq!(json!(first), json!({ "rate": 0.001, "leaves": 2, "depth": 1, "share": 0.5 }));
        assert_eq!((&last["leaves"], &last["depth"], &last["share"]), (&json!(200), &json!(3), &json!(1.0)));
        assert!((last["rate"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    }
}
