//! What a column is by its name and the form of its values, where that bounds the values for a reason.

use tidemill_core::FeatureStatistics;

/// Words in the names of amounts that cannot be below zero.
const AMOUNTS: &[&str] = &[
    "age",
    "area",
    "bathrooms",
    "bedrooms",
    "bytes",
    "cost",
    "costs",
    "count",
    "counts",
    "distance",
    "duration",
    "fare",
    "fares",
    "fee",
    "fees",
    "horsepower",
    "hours",
    "kilometers",
    "km",
    "length",
    "mileage",
    "miles",
    "minutes",
    "passengers",
    "population",
    "price",
    "prices",
    "qty",
    "quantity",
    "rooms",
    "salary",
    "seconds",
    "size",
    "speed",
    "tip",
    "tips",
    "toll",
    "tolls",
    "volume",
    "wage",
    "weight",
    "width",
];

/// Words beside which the others promise nothing: differences, scores and positions have both signs.
const SIGNED: &[&str] = &[
    "balance",
    "change",
    "delay",
    "delta",
    "diff",
    "difference",
    "early",
    "error",
    "gain",
    "growth",
    "lag",
    "late",
    "log",
    "net",
    "offset",
    "relative",
    "residual",
    "return",
    "score",
    "standardized",
    "trend",
    "z",
];

/// Bounds that a name gives its numbers: amounts are not negative, latitudes and longitudes lie on the globe.
///
/// Nothing else bounds numbers that were seen: a summer of temperatures has no negative ones either.
pub(super) fn bounds_by_name(name: &str) -> (Option<f64>, Option<f64>) {
    let words = words(name);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if has(SIGNED) {
        return (None, None);
    }
    if has(&["latitude", "lat"]) {
        return (Some(-90.0), Some(90.0));
    }
    if has(&["longitude", "lon", "lng"]) {
        return (Some(-180.0), Some(180.0));
    }
    (has(AMOUNTS).then_some(0.0), None)
}

/// The words of `tripMiles`, `trip_miles` and `Trip Miles (total)`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the texts are points or spans of time, of which new ones come with every day.
pub(crate) fn is_of_time(feature: &FeatureStatistics) -> bool {
    if feature.time.is_some() {
        return true;
    }
    let Some(text) = &feature.string else { return false };
    let known: Vec<&str> = match &text.values {
        Some(values) => values.iter().map(|(value, _)| value).collect(),
        None => text.top_values.iter().map(|top| top.value.as_str()).collect(),
    };
    let of_time = known.iter().filter(|value| names_a_period(value)).count();
    !known.is_empty() && of_time * 2 >= known.len()
}

/// `2024`, `2024-02`, `02/2024`, `2024W07`, `2024-Q1`, `Feb 2024`, `12 February 2024`, `20240229`: a year, and beside it nothing but
/// small numbers, the names of months and marks of weeks, quarters and halves.
fn names_a_period(text: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let text = text.trim();
    if text.len() > 40 {
        return false;
    }
    let is_year = |digits: &str| digits.parse::<u32>().is_ok_and(|year| (1900..2100).contains(&year));
    let mut years = 0;
    for part in parts(text) {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        let lower = part.to_ascii_lowercase();
        match (digits, part.len()) {
            (true, 4) if is_year(part) => years += 1,
            (true, 6 | 8) if is_year(&part[..4]) && (1..=12).contains(&part[4..6].parse::<u32>().unwrap_or(0)) => {
                years += 1;
            }
            (true, 1..=3) => {}
            (false, _) if matches!(lower.as_str(), "w" | "wk" | "week" | "q" | "h" | "t" | "z" | "fy" | "kw") => {}
            (false, 3..) if MONTHS.iter().any(|month| lower.starts_with(month)) => {}
            _ => return false,
        }
    }
    years == 1
}

/// Runs of digits and runs of letters.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).flat_map(|word| {
        let mut rest = word;
        std::iter::from_fn(move || {
            let first = rest.bytes().next()?.is_ascii_digit();
            let end = rest.bytes().position(|byte| byte.is_ascii_digit() != first).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            rest = after;
            Some(part)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_bound_amounts_and_places_only() {
        for name in ["fare", "trip_miles", "tripSeconds", "Age", "ticket price", "loan-duration"] {
            assert_eq!(bounds_by_name(name), (Some(0.0), None), "{name}");
        }
        for name in ["celsius", "x", "price_change", "ageing", "elevation", "delay_minutes", "log_price", ""] {
            assert_eq!(bounds_by_name(name), (None, None), "{name}");
        }
        assert_eq!(bounds_by_name("pickup_longitude"), (Some(-180.0), Some(180.0)));
    }

    #[test]
    fn periods_are_told_from_codes() {
        for text in
            ["2024", "2024-02", "02/2024", "2024W07", "2024-Q1", "Q3 2023", "Feb 2024", "12 February 2024", "20240229"]
        {
            assert!(names_a_period(text), "{text}");
        }
        for text in ["", "1", "Feb", "60629", "20249999", "A-2024", "v2.0", "1850", "2024-2025-x", "monday"] {
            assert!(!names_a_period(text), "{text}");
        }
    }
}
