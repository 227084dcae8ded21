//! `date_part` as nodes of ONNX: parts of a time, in floating-point arithmetic that is exact for whole seconds of years 1 to 9999.
//!
//! The same formulas as the executor's (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
//!
//! A time in text is read by patterns, for ONNX has no operator that takes a text apart at a place: one says whether the text is
//! a time, and for each digit four say which bits of it are set.

use tidemill_core::calendar::DatePart;
use tidemill_model::steps;

use super::{Decoded, ExportStep, Output, Position};
use crate::export::builder::{Builder, Name};
use crate::export::pattern::space;
use crate::export::source::Raw;
use crate::onnx::value::datatype;

const FIRST: f64 = -62_135_596_800.0;
const END: f64 = 253_402_300_800.0;

impl ExportStep for steps::DatePart {
    fn decodes(&self, is_text: bool) -> bool {
        is_text
    }

    fn decode(&self, graph: &mut Builder, raw: &Raw, _: &Position<'_>) -> Result<Decoded, String> {
        let Raw::Text { name, .. } = raw else { return Err("only texts are read as times".to_owned()) };
        Ok(Decoded::one(seconds_of(graph, name), 0))
    }

    fn over_numbers(&self, graph: &mut Builder, x: &str, _: &Position<'_>) -> Result<Output, String> {
        Ok(Output::Value(part(graph, x, self.part)))
    }
}

/// The part of `x` seconds since 1970; NaN outside of years 1 to 9999.
fn part(graph: &mut Builder, x: &str, part: DatePart) -> Name {
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
    in_calendar(graph, x, &value)
}

/// `value` where `x` seconds since 1970 lie in the years 1 to 9999, NaN elsewhere.
pub(super) fn in_calendar(graph: &mut Builder, x: &str, value: &str) -> Name {
    let (early, late) = (graph.with("GreaterOrEqual", x, FIRST), graph.with("Less", x, END));
    let inside = graph.both("And", &early, &late);
    let none = graph.number(f64::NAN);
    graph.choose(&inside, value, &none)
}

struct CalendarDate {
    year: Name,
    month: Name,
    day: Name,
}

fn weekday(graph: &mut Builder, days: &str) -> Name {
    let shifted = graph.with("Add", days, 3.0);
    graph.modulo(&shifted, 7.0)
}

fn civil(graph: &mut Builder, days: &str) -> CalendarDate {
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
    CalendarDate { year, month, day }
}

/// Days of so many years of an era.
fn days_of_years(graph: &mut Builder, years: &str) -> Name {
    let plain = graph.with("Mul", years, 365.0);
    let (fours, hundreds) = (graph.floor_div(years, 4.0), graph.floor_div(years, 100.0));
    let more = graph.both("Add", &plain, &fours);
    graph.both("Sub", &more, &hundreds)
}

/// Seconds since 1970 of texts, as `tidemill_core::calendar` reads them, without fractions of a second; NaN for other
/// texts.
pub(super) fn seconds_of(graph: &mut Builder, text: &str) -> Name {
    let s = space();
    let (hour, sixty) = ("(?:[01][0-9]|2[0-3])", "[0-5][0-9]");
    let offset = format!("(?:[Zz]| UTC| Z|[+-]{hour}(?::?{sixty})?)");
    let rest = format!(":{sixty}(?::{sixty}(?:[.,][0-9]+)?)?");
    let time = format!("[Tt ](?:(?:[01]?[0-9]|2[0-3]){rest}{offset}?|(?:0?[1-9]|1[0-2]){rest} [AaPp][Mm])");
    let is_time = graph.matches(text, format!("{s}*{}(?:{time})?{s}*", dates()));
    // No year 0.
    let no_year = graph.matches(text, format!("{s}*(?:0000[-/]|[0-9]{{1,2}}/[0-9]{{1,2}}/0000)(?s:.*)"));
    let year_one = graph.of("Not", &no_year);
    let is_time = graph.both("And", &is_time, &year_one);

    // What follows a number, and what comes before the time of day.
    let (end, date) = ("(?:[^0-9](?s:.*))?", format!("{s}*[0-9/-]{{8,10}}[Tt ]"));
    let year =
        number(graph, text, 4, |digits| format!("{s}*(?:{digits}[-/](?s:.*)|[0-9]{{1,2}}/[0-9]{{1,2}}/{digits}{end})"));
    let month = number(graph, text, 2, |digits| {
        format!("{s}*(?:[0-9]{{4}}[-/]{digits}[-/](?s:.*)|{digits}/[0-9]{{1,2}}/(?s:.*))")
    });
    let day = number(graph, text, 2, |digits| {
        format!("{s}*(?:[0-9]{{4}}[-/][0-9]{{2}}[-/]{digits}{end}|[0-9]{{1,2}}/{digits}/(?s:.*))")
    });
    let hour = number(graph, text, 2, |digits| format!("{date}{digits}:(?s:.*)"));
    let minute = number(graph, text, 2, |digits| format!("{date}[0-9]{{1,2}}:{digits}{end}"));
    let second = number(graph, text, 2, |digits| format!("{date}[0-9]{{1,2}}:[0-9]{{2}}:{digits}{end}"));
    let clock = format!("{date}[0-9:.,]+");
    // Hours of time zones have two digits: a third begins the minutes.
    let ahead_hours = number(graph, text, 2, |digits| format!("{clock}[+-]{digits}(?::?[0-9]{{2}})?{s}*"));
    let ahead_minutes = number(graph, text, 2, |digits| format!("{clock}[+-][0-9]{{2}}:?{digits}{s}*"));
    let behind = graph.matches(text, format!("{clock}-(?s:.*)"));
    let hour = {
        let halves = graph.matches(text, format!("{clock} [AaPp][Mm]{s}*"));
        let afternoon = graph.matches(text, format!("{clock} [Pp][Mm]{s}*"));
        let afternoon = graph.cast(&afternoon, datatype::DOUBLE);
        let morning = graph.modulo(&hour, 12.0);
        let added = graph.with("Mul", &afternoon, 12.0);
        let of_day = graph.both("Add", &morning, &added);
        graph.choose(&halves, &of_day, &hour)
    };

    let days = days_of(graph, &year, &month, &day);
    let mut seconds = graph.with("Mul", &days, 86_400.0);
    let ahead = {
        let (hours, minutes) = (graph.with("Mul", &ahead_hours, 3600.0), graph.with("Mul", &ahead_minutes, 60.0));
        let ahead = graph.both("Add", &hours, &minutes);
        let negative = graph.of("Neg", &ahead);
        graph.choose(&behind, &negative, &ahead)
    };
    for (value, unit) in [(hour, 3600.0), (minute, 60.0), (second, 1.0), (ahead, -1.0)] {
        let part = graph.with("Mul", &value, unit);
        seconds = graph.both("Add", &seconds, &part);
    }
    let none = graph.number(f64::NAN);
    graph.choose(&is_time, &seconds, &none)
}

/// Dates that exist: year-month-day with either separator, and month/day/year.
fn dates() -> String {
    let fours = "(?:0[48]|[2468][048]|[13579][26])";
    // Years that are multiples of 4 and not of 100, or of 400.
    let leap = format!("(?:[0-9][0-9]{fours}|{fours}00|0000)");
    let days = |zero: &str, mark: &str| {
        format!(
            "(?:(?:{zero}[13578]|1[02]){mark}(?:{zero}[1-9]|[12][0-9]|3[01])|(?:{zero}[469]|11){mark}(?:{zero}[1-9]|[12][0-9]|30)|{zero}2{mark}(?:{zero}[1-9]|1[0-9]|2[0-8]))"
        )
    };
    let year_first = |mark: &str| format!("[0-9]{{4}}{mark}{}|{leap}{mark}02{mark}29", days("0", mark));
    let year_last = format!("{}/[0-9]{{4}}|0?2/29/{leap}", days("0?", "/"));
    format!("(?:{}|{}|{year_last})", year_first("-"), year_first("/"))
}

/// The number of `count` digits where `pattern` of them matches a text, 0 elsewhere. Of two digits the first may be
/// absent, which `pattern` must leave no doubt about.
fn number(graph: &mut Builder, text: &str, count: usize, pattern: impl Fn(&str) -> String) -> Name {
    let mut sum = graph.number(0.0);
    for place in 0..count {
        for (bit, set) in [(1.0, "[13579]"), (2.0, "[2367]"), (4.0, "[4567]"), (8.0, "[89]")] {
            let digits = match (count, place) {
                (2, 1) => format!("[0-9]?{set}"),
                _ => format!("[0-9]{{{place}}}{set}[0-9]{{{}}}", count - 1 - place),
            };
            let is_set = graph.matches(text, pattern(&digits));
            let is_set = graph.cast(&is_set, datatype::DOUBLE);
            let worth = graph.with("Mul", &is_set, bit * 10_f64.powi((count - 1 - place) as i32));
            sum = graph.both("Add", &sum, &worth);
        }
    }
    sum
}

/// Days since 1970 of a date.
fn days_of(graph: &mut Builder, year: &str, month: &str, day: &str) -> Name {
    // The year begins in March.
    let winter = graph.with("LessOrEqual", month, 2.0);
    let winter = graph.cast(&winter, datatype::DOUBLE);
    let year = graph.both("Sub", year, &winter);
    let era = graph.floor_div(&year, 400.0);
    let of_era = graph.modulo(&year, 400.0);
    let moved = graph.with("Sub", month, 3.0);
    let later = graph.with("Mul", &winter, 12.0);
    let from_march = graph.both("Add", &moved, &later);
    let scaled = graph.with("Mul", &from_march, 153.0);
    let scaled = graph.with("Add", &scaled, 2.0);
    let month_start = graph.floor_div(&scaled, 5.0);
    let within = graph.both("Add", &month_start, day);
    let years = days_of_years(graph, &of_era);
    let eras = graph.with("Mul", &era, 146_097.0);
    let sum = graph.both("Add", &eras, &years);
    let sum = graph.both("Add", &sum, &within);
    graph.with("Sub", &sum, 719_469.0)
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
