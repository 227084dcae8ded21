//! PostgreSQL's `numeric` as it comes over the wire: four 16-bit words (digits, weight, sign, scale), then base-10,000
//! digits, the first of which counts `10000^weight`.

/// The nearest 64-bit float; `None` for bytes that are no such number.
pub(super) fn to_float(bytes: &[u8]) -> Option<f64> {
    let word = |i: usize| Some(u16::from_be_bytes(bytes.get(2 * i..2 * i + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (word(0)? as usize, word(1)? as i16, word(2)?, word(3)? as usize);
    match sign {
        0xC000 => return Some(f64::NAN),
        0xD000 => return Some(f64::INFINITY),
        0xF000 => return Some(f64::NEG_INFINITY),
        0 | 0x4000 => {}
        _ => return None,
    }
    let digits = (0..count).map(|i| word(4 + i).filter(|digit| *digit < 10_000)).collect::<Option<Vec<u16>>>()?;
    // Reading its text gives the nearest float, which arithmetic on pieces would not.
    let mut text = String::with_capacity(4 * count + scale + 2);
    if sign == 0x4000 {
        text.push('-');
    }
    text.push('0');
    for digit in &digits {
        text.push_str(&format!("{digit:04}"));
    }
    let exponent = 4 * (i32::from(weight) + 1 - i32::try_from(count).ok()?);
    text.push_str(&format!("e{exponent}"));
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let head = [digits.len() as u16, weight as u16, sign, 0];
        head.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numbers_come_as_the_nearest_float() {
        assert_eq!(to_float(&wire(0, 0, &[12, 3400])), Some(12.34));
        assert_eq!(to_float(&wire(0, 0x4000, &[12, 3400])), Some(-12.34));
        assert_eq!(to_float(&wire(-1, 0, &[1])), Some(0.0001));
        assert_eq!(to_float(&wire(4, 0, &[1])), Some(1e16));
        assert_eq!(to_float(&wire(0, 0, &[])), Some(0.0));
        assert_eq!(to_float(&wire(4, 0, &[9, 71, 9925, 4740, 9931])), Some(90_071_992_547_409_931.0));
        assert!(to_float(&wire(0, 0xC000, &[])).is_some_and(f64::is_nan));
        assert_eq!(to_float(&wire(0, 0xF000, &[])), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn bytes_that_are_no_number_are_refused() {
        for bytes in [&[][..], &[0; 7], &wire(0, 7, &[]), &wire(0, 0, &[10_000]), &wire(0, 0, &[1])[..9]] {
            assert_eq!(to_float(bytes), None, "{bytes:?}");
        }
    }
}
