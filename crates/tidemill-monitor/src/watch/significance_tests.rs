/// Value, degrees of freedom, tail.
#[allow(clippy::excessive_precision, clippy::unreadable_literal, reason = "recorded numbers")]
const TAILS: &[(f64, f64, f64)] = &[
    (0.5, 1.0, 0.47950012218695337),
    (3.84, 1.0, 0.05004352124870519),
    (10.2, 4.0, 0.03719015404964539),
    (20.0, 19.0, 0.394578182086001),
    (60.0, 19.0, 3.869826300664181e-06),
    (300.0, 19.0, 2.0005232442947767e-52),
    (100.0, 120.0, 0.907734948041067),
    (5.0, 50.0, 1.0),
    (0.01, 3.0, 0.9997348349413444),
    (1500.0, 40.0, 6.7816667323024015e-289),
    (50.3, 50.0, 0.4615074443554709),
];

#[allow(clippy::excessive_precision, clippy::unreadable_literal, reason = "recorded numbers")]
const HOMOGENEITY: (f64, f64) = (20.47155459521373, 0.00013552381761849203);
