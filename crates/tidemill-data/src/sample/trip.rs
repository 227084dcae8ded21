//! One taxi trip.

use super::city::{
    AREAS, Area, COMPANIES, Company, HOURS, MIDWAY, OHARE, WEEKDAYS, street_miles, tract_centre, tract_number,
};
use super::random::Random;
use super::{Plant, TaxiOptions};

/// A trip, missing cells as `None`.
#[derive(Debug, Clone, PartialEq)]
// Fields have the names of their columns.
#[allow(clippy::struct_field_names)]
pub(super) struct Trip {
    pub(super) pickup_community_area: Option<i64>,
    pub(super) fare: f64,
    pub(super) trip_start_month: i64,
    pub(super) trip_start_hour: i64,
    pub(super) trip_start_day: i64,
    pub(super) trip_start_timestamp: i64,
    pub(super) pickup: Option<(f64, f64)>,
    pub(super) dropoff: Option<(f64, f64)>,
    pub(super) trip_miles: Option<f64>,
    pub(super) pickup_census_tract: Option<i64>,
    pub(super) dropoff_census_tract: Option<i64>,
    pub(super) payment_type: &'static str,
    pub(super) company: Option<&'static str>,
    pub(super) trip_seconds: Option<i64>,
    pub(super) dropoff_community_area: Option<i64>,
    pub(super) tips: f64,
}

/// When a trip begins.
struct Start {
    month: i64,
    hour: i64,
    /// 1 is Sunday.
    weekday: i64,
    timestamp: i64,
}

/// The first moment of 2013, in seconds since 1970. A Tuesday.
const FIRST_DAY: i64 = 1_356_998_400;
const FIRST_WEEKDAY: i64 = 2;
const DAY_SECS: i64 = 86_400;

/// Days of a span: four years.
const SPAN_DAYS: u32 = 1_461;

/// Days by which a span is later than the one before.
const SPAN_STEP_DAYS: i64 = 7;

impl Trip {
    /// The trip of row `row`: the same for the same options whatever rows are made around it.
    pub(super) fn make(options: &TaxiOptions, row: u64) -> Self {
        let random = &mut Random::for_row(options.seed, options.span, row);
        let shifted = options.has(Plant::ShiftedSpan);
        let start = start(random, options.span, shifted);
        let (from, to) = ends(random);
        let (from_tract, to_tract) = (random.below(from.tracts), random.below(to.tracts));
        let (pickup, dropoff) = (tract_centre(from, from_tract), tract_centre(to, to_tract));

        let miles = (street_miles(pickup, dropoff) * random.between(0.85, 1.15) + random.between(0.1, 0.7)).max(0.1);
        let seconds = seconds(random, &start, miles);
        let mut fare = fare(random, miles, seconds);
        if shifted {
            fare = cents(fare * 1.18);
        }
        let company = random.pick(&COMPANIES, |company| company.share);
        let payment_type = payment_type(random, fare);
        let tips = tips(random, payment_type, fare, &Ride { start: &start, company, from, to });

        let trip_miles = recorded_miles(random, company, miles);
        let trip_seconds = if random.chance(0.03) { 0 } else { seconds };
        let known_end = !random.chance(0.032);
        let mut trip = Self {
            pickup_community_area: Some(from.number),
            fare,
            trip_start_month: start.month,
            trip_start_hour: start.hour,
            trip_start_day: start.weekday,
            trip_start_timestamp: start.timestamp,
            pickup: Some(pickup),
            dropoff: known_end.then_some(dropoff),
            trip_miles: Some(trip_miles),
            pickup_census_tract: random.chance(0.0005).then(|| tract_number(from, from_tract)),
            dropoff_census_tract: (known_end && !random.chance(0.26)).then(|| tract_number(to, to_tract)),
            payment_type,
            company: company.name,
            trip_seconds: (!random.chance(0.0004)).then_some(trip_seconds),
            dropoff_community_area: known_end.then_some(to.number),
            tips,
        };
        if random.chance(0.0003) {
            (trip.pickup_community_area, trip.pickup) = (None, None);
        }
        plant(options, random, &mut trip);
        trip
    }
}

/// Trouble that was asked for. The draws come last, so that all other cells are those of the sound data.
fn plant(options: &TaxiOptions, random: &mut Random, trip: &mut Trip) {
    let (category, misspelt, null, negative) = (random.unit(), random.unit(), random.unit(), random.unit());
    if options.has(Plant::NewCategory) {
        if category < 0.01 {
            trip.company = Some("Prairie Wind Cab Cooperative");
        }
        if misspelt < 0.005 {
            trip.payment_type = "Prcard";
        }
    }
    if options.has(Plant::NullBurst) && null < 0.8 {
        trip.trip_miles = None;
    }
    if options.has(Plant::NegativeFares) && negative < 0.002 {
        trip.fare = -trip.fare;
    }
    if options.has(Plant::MissingCompanies) && random.chance(0.08) {
        trip.company = None;
    }
}

fn start(random: &mut Random, span: u32, shifted: bool) -> Start {
    let by_hour: [usize; 24] = std::array::from_fn(|hour| hour);
    let night = |hour: usize| shifted && !(5..22).contains(&hour);
    let hour = *random.pick(&by_hour, |&hour| HOURS[hour] * if night(hour) { 2.5 } else { 1.0 }) as i64;
    // A day that its weekday's share rejects is drawn again.
    let (day, weekday) = loop {
        let day = i64::from(random.below(SPAN_DAYS)) + i64::from(span) * SPAN_STEP_DAYS;
        let weekday = (day + FIRST_WEEKDAY).rem_euclid(7);
        if random.chance(WEEKDAYS[weekday as usize] / 2502.0) {
            break (day, weekday + 1);
        }
    };
    let quarter = i64::from(random.below(4));
    let timestamp = FIRST_DAY + day * DAY_SECS + hour * 3_600 + quarter * 900;
    Start { month: month_of(FIRST_DAY / DAY_SECS + day), hour, weekday, timestamp }
}

/// The month of a day counted from 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
fn month_of(day: i64) -> i64 {
    let day_of_era = (day + 719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 }
}

fn ends(random: &mut Random) -> (&'static Area, &'static Area) {
    let from = random.pick(&AREAS, |area| area.pickups);
    if random.chance(0.12) {
        return (from, from);
    }
    // Most trips are short: a far end is often drawn again, unless an airport is one of the two.
    let is_airport = |area: &Area| matches!(area.number, OHARE | MIDWAY);
    let mut to = random.pick(&AREAS, |area| area.dropoffs);
    for _ in 0..2 {
        let miles = street_miles((from.latitude, from.longitude), (to.latitude, to.longitude));
        if is_airport(from) || is_airport(to) || !random.chance(miles / (miles + 2.0)) {
            break;
        }
        to = random.pick(&AREAS, |area| area.dropoffs);
    }
    (from, to)
}

fn seconds(random: &mut Random, start: &Start, miles: f64) -> i64 {
    let rush = matches!(start.hour, 7..=9 | 16..=18) && (2..=6).contains(&start.weekday);
    let street = if rush { 10.5 } else { 14.0 };
    // Longer trips take the expressway.
    let mph = (street + 1.1 * miles.min(15.0)) * (1.0 + 0.22 * random.bell()).max(0.4);
    let minutes = (miles / mph * 60.0 + random.between(0.2, 2.0)).max(1.0);
    let outlier = if random.chance(0.0008) { random.between(5.0, 40.0) } else { 1.0 };
    (minutes * outlier).round() as i64 * 60
}

fn fare(random: &mut Random, miles: f64, seconds: i64) -> f64 {
    if random.chance(0.03) {
        // The meter was started and stopped.
        return 3.25;
    }
    if random.chance(0.0006) {
        return *random.pick(&[0.0, 0.01, 150.0, 255.55, 700.07], |_| 1.0);
    }
    // A fifth of a dollar for a ninth of a mile or 36 seconds of waiting, here a sixth of the time.
    let steps = (miles * 9.0 + seconds as f64 / 6.0 / 36.0) * (1.0 + 0.03 * random.bell());
    cents(3.25 + 0.2 * steps.max(0.0).round())
}

fn recorded_miles(random: &mut Random, company: &Company, miles: f64) -> f64 {
    if random.chance(company.no_miles) {
        return 0.0;
    }
    let tenths = (miles * 10.0).round() / 10.0;
    if random.chance(0.0006) { tenths * 100.0 } else { tenths }
}

/// Riders pay longer trips by card more often.
fn payment_type(random: &mut Random, fare: f64) -> &'static str {
    let card =
        along(fare, &[(3.5, 0.06), (4.5, 0.24), (6.0, 0.28), (10.0, 0.34), (20.0, 0.41), (35.0, 0.62), (60.0, 0.4)]);
    let other = random.unit();
    if other < 0.0054 {
        "No Charge"
    } else if other < 0.0073 {
        "Unknown"
    } else if other < 0.0079 {
        "Dispute"
    } else if other < 0.0085 {
        "Pcard"
    } else if random.chance(card) {
        "Credit Card"
    } else {
        "Cash"
    }
}

/// How often a card payer tips more than a fifth of the fare, by fare: two dollars are a lot on a short trip.
const GENEROUS: [(f64, f64); 11] = [
    (4.5, 0.83),
    (5.6, 0.72),
    (8.0, 0.72),
    (9.8, 0.69),
    (10.3, 0.48),
    (13.0, 0.41),
    (18.0, 0.47),
    (25.0, 0.59),
    (35.0, 0.64),
    (48.0, 0.57),
    (70.0, 0.30),
];

/// What bears on a tip besides the fare.
struct Ride<'a> {
    start: &'a Start,
    company: &'a Company,
    from: &'a Area,
    to: &'a Area,
}

impl Ride<'_> {
    /// How much more likely than others of its fare the ride is to end in a good tip.
    fn generous(&self) -> f64 {
        let hour = match self.start.hour {
            6..=9 => -0.05,
            18..=22 => 0.04,
            2..=4 => -0.08,
            _ => 0.0,
        };
        let end = match self.to.number {
            8 | 32 => 0.05,
            OHARE | MIDWAY => 0.03,
            6 | 22 | 77 => -0.1,
            _ => 0.0,
        };
        let begin = match self.from.number {
            MIDWAY => 0.05,
            1 | 3 | 5 | 41 | 77 => -0.1,
            _ => 0.0,
        };
        hour + end + begin + self.company.generous
    }
}

/// Card payers choose a button on the screen (of fare and extras) or a round sum of dollars; nobody else's tip is known.
fn tips(random: &mut Random, payment_type: &str, fare: f64, ride: &Ride<'_>) -> f64 {
    let pays_by_card = match payment_type {
        "Credit Card" => true,
        "Unknown" => random.chance(0.25),
        _ => false,
    };
    if !pays_by_card || fare < 1.0 {
        return 0.0;
    }
    let extras = 1.0 + f64::from(random.below(3)) * 0.5;
    let button = |percent: f64| cents((fare + extras) * percent);
    let base = along(fare, &GENEROUS);
    let (round_sum, kind) = (random.unit(), random.unit());
    if random.chance((base + ride.generous()).clamp(0.02, 0.98)) {
        match round_sum {
            u if fare < 4.9 && u < 0.25 => 1.0,
            u if fare < 9.9 && u < 0.6 => 2.0,
            u if fare < 14.9 && u < 0.8 => 3.0,
            u if fare < 24.9 && u < 0.2 => 5.0,
            _ if kind < 0.55 => button(0.20),
            _ if kind < 0.8 => button(0.25),
            _ if kind < 0.96 => button(0.30),
            _ => button(0.45),
        }
    } else {
        match round_sum {
            u if u < 0.15 => 0.0,
            u if u < 0.4 && fare > 5.1 => 1.0,
            u if u < 0.65 && fare > 10.1 => 2.0,
            u if u < 0.8 && fare > 25.1 => 5.0,
            // A button below a fifth, small enough that extras do not lift it there.
            _ => cents(fare * [0.10, 0.15, 0.17, 0.185][((kind * 4.0) as usize).min(3)]),
        }
    }
}

/// The height of a line through `points` at `x`; level before the first and after the last.
fn along(x: f64, points: &[(f64, f64)]) -> f64 {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return 0.0 };
    if x <= first.0 {
        return first.1;
    }
    points
        .windows(2)
        .find(|pair| x <= pair[1].0)
        .map_or(last.1, |pair| pair[0].1 + (pair[1].1 - pair[0].1) * (x - pair[0].0) / (pair[1].0 - pair[0].0))
}

fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        // 1970-01-01, 2013-02-28, 2016-02-29, 2016-12-31 as days since 1970.
        for (day, month) in [(0, 1), (15_764, 2), (16_860, 2), (17_166, 12)] {
            assert_eq!(month_of(day), month, "day {day}");
        }
    }

    #[test]
    fn a_line_is_followed() {
        let points = [(1.0, 0.0), (3.0, 1.0)];
        assert_eq!([0.0, 1.0, 2.0, 3.0, 9.0].map(|x| along(x, &points)), [0.0, 0.0, 0.5, 1.0, 1.0]);
    }
}
