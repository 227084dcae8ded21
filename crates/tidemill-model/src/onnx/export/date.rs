//! Parts of a time, in floating-point arithmetic that is exact for whole seconds of years 1 to 9999.
//!
//! The same formulas as the executor's (Hinnant, "chrono-Compatible Low-Level Date Algorithms").

use super::builder::{Builder, Name};
use crate::DatePart;

const FIRST: f64 = -62_135_596_800.0;
const END: f64 = 253_402_300_800.0;

/// The part of `x` seconds since 1970; NaN outside of years 1 to 9999.
pub(super) fn part(graph: &mut Builder, x: &str, part: DatePart) -> Name {
    let seconds = graph.of("Floor", x);
    let days = graph.floor_div(&seconds, 86_400.0);
    let within = graph.modulo(&seconds, 86_400.0);
    let value = match part {
        DatePart::Hour => graph.floor_div(&within, 3600.0),
        DatePart::Minute => {
            let minutes = graph.floor_div(&within, 60.0);
            graph.modulo(&minutes, 60.0)
        }
        DatePart::Second => graph.modulo(&within, 60.0),
        DatePart::DayOfWeek => weekday(graph, &days),
        DatePart::Year => civil(graph, &days).year,
        DatePart::Month => civil(graph, &days).month,
        DatePart::Day => civil(graph, &days).day,
        DatePart::Quarter => {
            let month = civil(graph, &days).month;
            let raised = graph.with("Add", &month, 2.0);
            graph.floor_div(&raised, 3.0)
        }
        DatePart::DayOfYear => {
            let year = civil(graph, &days).year;
            let start = start_of(graph, &year);
            let passed = graph.both("Sub", &days, &start);
            graph.with("Add", &passed, 1.0)
        }
        DatePart::Week => {
            let weekday = weekday(graph, &days);
            let monday = graph.both("Sub", &days, &weekday);
            let thursday = graph.with("Add", &monday, 3.0);
            let year = civil(graph, &thursday).year;
            let start = start_of(graph, &year);
            let passed = graph.both("Sub", &thursday, &start);
            let weeks = graph.floor_div(&passed, 7.0);
            graph.with("Add", &weeks, 1.0)
        }
    };
    let (early, late) = (graph.with("GreaterOrEqual", x, FIRST), graph.with("Less", x, END));
    let inside = graph.both("And", &early, &late);
    let none = graph.number(f64::NAN);
    graph.choose(&inside, &value, &none)
}

struct Civil {
    year: Name,
    month: Name,
    day: Name,
}

fn weekday(graph: &mut Builder, days: &str) -> Name {
    let shifted = graph.with("Add", days, 3.0);
    graph.modulo(&shifted, 7.0)
}

fn civil(graph: &mut Builder, days: &str) -> Civil {
    let shifted = graph.with("Add", days, 719_468.0);
    let era = graph.floor_div(&shifted, 146_097.0);
    let of_era = graph.modulo(&shifted, 146_097.0);
    let (leaps, centuries) = (graph.floor_div(&of_era, 1460.0), graph.floor_div(&of_era, 36_524.0));
    let eras = graph.floor_div(&of_era, 146_096.0);
    let lower = graph.both("Sub", &of_era, &leaps);
    let higher = graph.both("Add", &lower, &centuries);
    let even = graph.both("Sub", &higher, &eras);
    let year_of_era = graph.floor_div(&even, 365.0);
    let until = days_of_years(graph, &year_of_era);
    let day_of_year = graph.both("Sub", &of_era, &until);
    let five = graph.with("Mul", &day_of_year, 5.0);
    let five = graph.with("Add", &five, 2.0);
    let from_march = graph.floor_div(&five, 153.0);
    let (spring, winter) = (graph.with("Add", &from_march, 3.0), graph.with("Sub", &from_march, 9.0));
    let before_january = graph.with("Less", &from_march, 10.0);
    let month = graph.choose(&before_january, &spring, &winter);
    let scaled = graph.with("Mul", &from_march, 153.0);
    let scaled = graph.with("Add", &scaled, 2.0);
    let month_start = graph.floor_div(&scaled, 5.0);
    let day = graph.both("Sub", &day_of_year, &month_start);
    let day = graph.with("Add", &day, 1.0);
    let era_years = graph.with("Mul", &era, 400.0);
    let year = graph.both("Add", &year_of_era, &era_years);
    let next = graph.with("Add", &year, 1.0);
    let year = graph.choose(&before_january, &year, &next);
    Civil { year, month, day }
}

/// Days of so many years of an era.
fn days_of_years(graph: &mut Builder, years: &str) -> Name {
    let plain = graph.with("Mul", years, 365.0);
    let (fours, hundreds) = (graph.floor_div(years, 4.0), graph.floor_div(years, 100.0));
    let more = graph.both("Add", &plain, &fours);
    graph.both("Sub", &more, &hundreds)
}

/// The first of January of a year, in days since 1970.
fn start_of(graph: &mut Builder, year: &str) -> Name {
    let before = graph.with("Sub", year, 1.0);
    let era = graph.floor_div(&before, 400.0);
    let of_era = graph.modulo(&before, 400.0);
    let days = days_of_years(graph, &of_era);
    let eras = graph.with("Mul", &era, 146_097.0);
    let sum = graph.both("Add", &days, &eras);
    // January begins 306 days after March, and 1970 is day 719468 of the first era.
    graph.with("Add", &sum, 306.0 - 719_468.0)
}
