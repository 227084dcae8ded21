//! Expresses comparisons of 32-bit numbers in 64 bits.

/// The largest `f64` that, rounded to `f32`, is below `threshold`.
///
/// Comparing `value as f32 < threshold` in 32 bits and `value <= less_than(threshold)` in 64 bits gives the same result
/// for every `value`.
pub(super) fn less_than(threshold: f32) -> f64 {
    largest_rounding_to(threshold.next_down())
}

/// The largest `f64` that rounds to `value` or below it: half way to the next one, by ties to even.
fn largest_rounding_to(value: f32) -> f64 {
    if value == f32::INFINITY {
        return f64::INFINITY;
    }
    if value == f32::NEG_INFINITY {
        // Below the lowest finite number by half a step; the tie itself rounds to infinity.
        return -largest_finite_bound();
    }
    if value == f32::MAX {
        return largest_finite_bound().next_down();
    }
    // Both neighbours and their middle are exact in 64 bits. The next one above −0 is that above 0.
    let (low, high) = (f64::from(value), f64::from((value + 0.0).next_up()));
    let middle = f64::midpoint(low, high);
    let rounds_down = (middle as f32) <= value;
    if rounds_down { middle } else { middle.next_down() }
}

/// 2¹²⁸ less half a step: from here on numbers are infinite in 32 bits.
fn largest_finite_bound() -> f64 {
    f64::from(f32::MAX) + f64::from(f32::MAX) * f64::from(f32::EPSILON) / 4.0 / (1.0 - f64::from(f32::EPSILON) / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_widths_take_the_same_side(bits in any::<u32>(), step in -3..4_i32, wide in any::<f64>()) {
            let threshold = f32::from_bits(bits);
            prop_assume!(!threshold.is_nan());
            let mut near = f64::from(threshold);
            for _ in 0..step.abs() {
                near = if step > 0 { near.next_up() } else { near.next_down() };
            }
            let half_way = |other: f32| f64::midpoint(f64::from(threshold), f64::from(other));
            let (up, down) = (half_way(threshold.next_up()), half_way(threshold.next_down()));
            for value in [near, wide, up, up.next_up(), up.next_down(), down, down.next_up(), down.next_down()] {
                if !value.is_nan() {
                    prop_assert_eq!((value as f32) < threshold, value <= less_than(threshold), "{} {}", value, threshold);
                }
            }
        }
    }

    #[test]
    fn the_edges_of_the_range_hold() {
        for threshold in [0.0_f32, -0.0, f32::MIN_POSITIVE, 1e-45, -1e-45, f32::MAX, f32::MIN, f32::INFINITY] {
            for value in [
                0.0,
                -0.0,
                1e-46,
                -1e-46,
                f64::MIN_POSITIVE,
                f64::MAX,
                f64::MIN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::from(f32::MAX),
                f64::from(f32::MIN),
                f64::from(f32::MAX) * (1.0 + 2e-8),
                f64::from(f32::MIN) * (1.0 + 2e-8),
                340_282_356_779_733_661_637_539_395_458_142_568_448.0,
                -340_282_356_779_733_661_637_539_395_458_142_568_448.0,
            ] {
                assert_eq!((value as f32) < threshold, value <= less_than(threshold), "{value:e} < {threshold:e}");
            }
        }
    }
}
