//! The city: where trips begin and end, who drives, when people ride. Shares are those of Chicago's published trips
//! of 2013 to 2016.

/// A community area: number, trips that begin there and that end there (of 15,000), centre, census tracts in use.
pub(super) struct Area {
    pub(super) number: i64,
    pub(super) pickups: f64,
    pub(super) dropoffs: f64,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) tracts: u32,
}

const fn area(number: i64, pickups: f64, dropoffs: f64, latitude: f64, longitude: f64, tracts: u32) -> Area {
    Area { number, pickups, dropoffs, latitude, longitude, tracts }
}

pub(super) const AREAS: [Area; 34] = [
    area(8, 4908.0, 4307.0, 41.8932, -87.6289, 20),
    area(32, 3303.0, 2736.0, 41.8810, -87.6252, 6),
    area(28, 1284.0, 1450.0, 41.8793, -87.6428, 10),
    area(6, 1180.0, 1107.0, 41.9442, -87.6560, 34),
    area(OHARE, 895.0, 516.0, 41.9791, -87.9030, 3),
    area(7, 893.0, 1036.0, 41.9227, -87.6495, 21),
    area(24, 598.0, 753.0, 41.9012, -87.6764, 21),
    area(33, 309.0, 411.0, 41.8593, -87.6174, 4),
    area(3, 269.0, 301.0, 41.9658, -87.6559, 10),
    area(MIDWAY, 255.0, 181.0, 41.7860, -87.7509, 2),
    area(77, 180.0, 192.0, 41.9867, -87.6634, 8),
    area(22, 175.0, 293.0, 41.9228, -87.6992, 12),
    area(5, 111.0, 157.0, 41.9478, -87.6838, 11),
    area(1, 71.0, 104.0, 42.0096, -87.6702, 4),
    area(41, 71.0, 84.0, 41.7941, -87.5923, 4),
    area(4, 57.0, 116.0, 41.9752, -87.6875, 4),
    area(2, 57.0, 70.0, 42.0016, -87.6950, 2),
    area(16, 56.0, 90.0, 41.9536, -87.7235, 3),
    area(21, 51.0, 71.0, 41.9387, -87.7112, 4),
    area(14, 49.0, 55.0, 41.9681, -87.7216, 2),
    area(39, 23.0, 23.0, 41.8089, -87.5962, 2),
    area(35, 21.0, 35.0, 41.8351, -87.6187, 3),
    area(34, 20.0, 48.0, 41.8421, -87.6340, 3),
    area(31, 17.0, 52.0, 41.8503, -87.6676, 2),
    area(10, 12.0, 18.0, 41.9850, -87.8045, 1),
    area(11, 12.0, 17.0, 41.9788, -87.7712, 2),
    area(59, 10.0, 13.0, 41.8335, -87.6814, 1),
    area(25, 9.0, 10.0, 41.8906, -87.7560, 1),
    area(42, 8.0, 14.0, 41.7789, -87.5949, 1),
    area(60, 7.0, 22.0, 41.8362, -87.6488, 1),
    area(23, 7.0, 23.0, 41.9001, -87.7209, 1),
    area(43, 7.0, 12.0, 41.7616, -87.5728, 1),
    area(19, 7.0, 16.0, 41.9273, -87.7655, 1),
    area(58, 2.0, 7.0, 41.8174, -87.6989, 1),
];

/// The area of the larger airport.
pub(super) const OHARE: i64 = 76;
/// The area of the smaller airport.
pub(super) const MIDWAY: i64 = 56;

/// A company: its name (missing in a third of all trips), its share of trips, how often its meters give no miles, and
/// how much more likely its riders are to tip well.
pub(super) struct Company {
    pub(super) name: Option<&'static str>,
    pub(super) share: f64,
    pub(super) no_miles: f64,
    pub(super) generous: f64,
}

const fn company(name: Option<&'static str>, share: f64, no_miles: f64, generous: f64) -> Company {
    Company { name, share, no_miles, generous }
}

pub(super) const COMPANIES: [Company; 23] = [
    company(Some("Taxi Affiliation Services"), 5176.0, 0.43, 0.02),
    company(None, 5140.0, 0.03, 0.02),
    company(Some("Dispatch Taxi Affiliation"), 1636.0, 0.25, -0.06),
    company(Some("Blue Ribbon Taxi Association Inc."), 1090.0, 0.77, 0.0),
    company(Some("Choice Taxi Association"), 872.0, 0.28, -0.04),
    company(Some("Northwest Management LLC"), 551.0, 0.30, 0.0),
    company(Some("KOAM Taxi Association"), 246.0, 0.02, 0.0),
    company(Some("Top Cab Affiliation"), 132.0, 0.07, 0.03),
    company(Some("Chicago Elite Cab Corp. (Chicago Carriag"), 26.0, 0.3, 0.0),
    company(Some("Chicago Medallion Leasing INC"), 22.0, 0.3, 0.05),
    company(Some("Chicago Medallion Management"), 17.0, 0.3, -0.1),
    company(Some("Chicago Elite Cab Corp."), 9.0, 0.3, 0.0),
    // Owners of one or a few cabs.
    company(Some("1085 - Lakeview Cab Co"), 12.0, 0.05, 0.0),
    company(Some("2192 - Goose Island Corp"), 10.0, 0.05, 0.0),
    company(Some("2733 - Wabash Cab"), 9.0, 0.05, 0.0),
    company(Some("3011 - JBL Cab Inc."), 8.0, 0.05, 0.0),
    company(Some("3152 - North Branch Taxi"), 7.0, 0.05, 0.0),
    company(Some("3201 - C&D Cab Co Inc"), 7.0, 0.05, 0.0),
    company(Some("3623 - Halsted Enterprises"), 6.0, 0.05, 0.0),
    company(Some("4197 - Royal Star"), 6.0, 0.05, 0.0),
    company(Some("5074 - Pilsen \"Night\" Cab, Inc."), 6.0, 0.05, 0.0),
    company(Some("5997 - AW Services Inc."), 6.0, 0.05, 0.0),
    company(Some("6743 - Uptown Corp"), 6.0, 0.05, 0.0),
];

/// Trips by hour of the day.
pub(super) const HOURS: [f64; 24] = [
    602.0, 544.0, 419.0, 292.0, 197.0, 143.0, 193.0, 302.0, 530.0, 664.0, 687.0, 619.0, 745.0, 698.0, 736.0, 722.0,
    763.0, 829.0, 941.0, 1010.0, 966.0, 838.0, 837.0, 725.0,
];

/// Trips by day of the week, from Sunday.
pub(super) const WEEKDAYS: [f64; 7] = [1957.0, 1948.0, 1943.0, 2016.0, 2201.0, 2502.0, 2435.0];

/// Miles from one point to another along streets: the city is small enough to be flat, and a degree of longitude is
/// 51.5 miles there, one of latitude 69.
pub(super) fn street_miles(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (north, east) = ((to.0 - from.0) * 69.0, (to.1 - from.1) * 51.5);
    1.25 * (north * north + east * east).sqrt()
}

/// The centre of a census tract: spread around its area's centre, always the same for the same tract.
pub(super) fn tract_centre(area: &Area, tract: u32) -> (f64, f64) {
    // Multiples of the golden ratio spread evenly over a square.
    let spread = |ratio: f64| {
        let at = f64::from(tract + 1) * ratio;
        (at - at.floor() - 0.5) * 0.018
    };
    let round = |degrees: f64| (degrees * 1e9).round() / 1e9;
    if tract == 0 {
        return (area.latitude, area.longitude);
    }
    (round(area.latitude + spread(0.618_033_988_75)), round(area.longitude + spread(0.754_877_666_25)))
}

/// The number of a census tract as the Census Bureau writes it: Cook County, area, tract.
pub(super) fn tract_number(area: &Area, tract: u32) -> i64 {
    17_031_000_000 + area.number * 10_000 + i64::from(tract + 1) * 100
}
