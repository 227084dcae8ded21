//! PostgreSQL's `numeric` as it comes over the wire: four 16-bit words (digits, weight, sign, scale), then base-10,000
//! digits, the first of which counts `10000^weight`.

/// Why a number is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumericError {
    /// The bytes are not a valid `numeric`.
    Damaged,
    /// It is a whole number that a float would round.
    Rounded,
}

/// Returns the nearest 64-bit float. A whole number that is not exactly a float, such as an identifier of 20 digits, is
/// rejected: it would become equal to its neighbours.
pub(super) fn to_float(bytes: &[u8]) -> Result<f64, NumericError> {
    let word = |i: usize| Some(u16::from_be_bytes(bytes.get(2 * i..2 * i + 2)?.try_into().ok()?));
    let head = || Some((word(0)? as usize, word(1)? as i16, word(2)?, word(3)? as usize));
    let (count, weight, sign, scale) = head().ok_or(NumericError::Damaged)?;
    match sign {
        0xC000 => return Ok(f64::NAN),
        0xD000 => return Ok(f64::INFINITY),
        0xF000 => return Ok(f64::NEG_INFINITY),
        0 | 0x4000 => {}
        _ => return Err(NumericError::Damaged),
    }
    let digits = (0..count).map(|i| word(4 + i).filter(|digit| *digit < 10_000)).collect::<Option<Vec<u16>>>();
    let digits = digits.ok_or(NumericError::Damaged)?;
    // Parsing its text gives the nearest float; arithmetic on the digits would not.
    let mut text = String::with_capacity(4 * count + scale + 2);
    if sign == 0x4000 {
        text.push('-');
    }
    text.push('0');
    for digit in &digits {
        text.push_str(&format!("{digit:04}"));
    }
    let exponent = 4 * (i32::from(weight) + 1 - i32::try_from(count).map_err(|_| NumericError::Damaged)?);
    let whole = text.clone();
    text.push_str(&format!("e{exponent}"));
    let number: f64 = text.parse().map_err(|_| NumericError::Damaged)?;
    let is_whole = scale == 0 && exponent >= 0;
    if is_whole && number.abs() >= 9_007_199_254_740_992.0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize);
        let same = format!("{whole}{zeros}").trim_start_matches(['-', '0']) == number.abs().to_string();
        return if same { Ok(number) } else { Err(NumericError::Rounded) };
    }
    Ok(number)
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
        assert_eq!(to_float(&wire(0, 0, &[12, 3400])), Ok(12.34));
        assert_eq!(to_float(&wire(0, 0x4000, &[12, 3400])), Ok(-12.34));
        assert_eq!(to_float(&wire(-1, 0, &[1])), Ok(0.0001));
        assert_eq!(to_float(&wire(4, 0, &[1])), Ok(1e16));
        assert_eq!(to_float(&wire(0, 0, &[])), Ok(0.0));
        assert!(to_float(&wire(0, 0xC000, &[])).is_ok_and(f64::is_nan));
        assert_eq!(to_float(&wire(0, 0xF000, &[])), Ok(f64::NEG_INFINITY));
    }

    #[test]
    fn whole_numbers_are_exact_or_refused() {
        // 9007199254740992 is a float, its neighbour is not.
        assert_eq!(to_float(&wire(3, 0, &[9007, 1992, 5474, 992])), Ok(9_007_199_254_740_992.0));
        assert_eq!(to_float(&wire(3, 0, &[9007, 1992, 5474, 993])), Err(NumericError::Rounded));
        assert_eq!(to_float(&wire(3, 0x4000, &[9007, 1992, 5474, 993])), Err(NumericError::Rounded));
        assert_eq!(to_float(&wire(3, 0, &[9007, 1992, 5474, 991])), Ok(9_007_199_254_740_991.0));
        assert_eq!(to_float(&wire(4, 0, &[9, 71, 9925, 4740, 9931])), Err(NumericError::Rounded));
    }

    #[test]
    fn bytes_that_are_no_number_are_refused() {
        for bytes in [&[][..], &[0; 7], &wire(0, 7, &[]), &wire(0, 0, &[10_000]), &wire(0, 0, &[1])[..9]] {
            assert_eq!(to_float(bytes), Err(NumericError::Damaged), "{bytes:?}");
        }
    }
}
