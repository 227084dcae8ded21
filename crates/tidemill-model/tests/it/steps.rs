//! Features of several columns, of expressions, crosses and times: values, names, files and laws.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray};
use proptest::prelude::*;
use tidemill_core::calendar::DatePart;
use tidemill_core::{Code, Coded as _, DataType, TensorSpec};
use tidemill_model::{
    Feature, FeatureBlock, FeatureKind, Keys, LabelSpec, Mapper, ModelError, Scalar, Source, TransformGraph,
    ValueCheck, steps,
};

const NAN: f64 = f64::NAN;

fn input(name: &str, datatype: DataType) -> TensorSpec {
    TensorSpec::new(name, datatype, true)
}

fn strings(values: &[&str]) -> Keys {
    Keys::Strings(values.iter().map(ToString::to_string).collect())
}

fn inputs() -> Vec<TensorSpec> {
    vec![
        input("text", DataType::Bytes),
        input("whole", DataType::Int64),
        input("real", DataType::Fp64),
        input("flag", DataType::Bool),
    ]
}

fn row_batch(texts: &[Option<&str>], wholes: &[Option<i64>], reals: &[Option<f64>]) -> RecordBatch {
    let flags = (0..texts.len()).map(|row| [Some(true), Some(false), None][row % 3]);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("real", Arc::new(reals.iter().copied().collect::<Float64Array>()), true),
        ("flag", Arc::new(flags.collect::<BooleanArray>()), true),
        ("text", Arc::new(texts.iter().copied().collect::<StringArray>()), true),
        ("whole", Arc::new(wholes.iter().copied().collect::<Int64Array>()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn of(source: Source, mappers: Vec<Mapper>) -> Feature {
    Feature { name: "f".into(), source, mappers }
}

fn column(name: &str, nodes: Vec<Mapper>) -> Feature {
    of(Source::Column(name.into()), nodes)
}

fn expression(text: &str, nodes: Vec<Mapper>) -> Feature {
    of(Source::Expression(text.into()), nodes)
}

fn cross(columns: &[&str], nodes: Vec<Mapper>) -> Feature {
    of(Source::Cross(columns.iter().map(ToString::to_string).collect()), nodes)
}

/// The names and values of one feature's columns.
fn run(feature: Feature, batch: &RecordBatch) -> Vec<(String, Vec<f64>)> {
    let graph = TransformGraph::new(inputs(), None, vec![feature]).unwrap();
    let mut block = FeatureBlock::new();
    graph.bind(batch.schema_ref()).unwrap().apply(batch, &mut block).unwrap();
    graph.features().iter().map(|spec| spec.name.clone()).zip(block.columns).collect()
}

fn refuse(feature: Feature) -> String {
    let error = TransformGraph::new(inputs(), None, vec![feature]).unwrap_err();
    assert!(matches!(error.code(), Code::TransformGraph | Code::Expression | Code::ColumnNotFound), "{error}");
    error.to_string()
}

/// Equal bit for bit, any NaN being the same.
fn assert_columns(got: &[(String, Vec<f64>)], expected: &[(&str, &[f64])]) {
    let bits = |value: &f64| if value.is_nan() { u64::MAX } else { value.to_bits() };
    let shown: Vec<(&str, Vec<u64>)> =
        got.iter().map(|(name, values)| (name.as_str(), values.iter().map(bits).collect())).collect();
    let wanted: Vec<(&str, Vec<u64>)> =
        expected.iter().map(|(name, values)| (*name, values.iter().map(bits).collect())).collect();
    assert_eq!(shown, wanted, "{got:?} is not {expected:?}");
}

fn payments() -> RecordBatch {
    let texts = [Some("Cash"), Some("Card"), None, Some("Cash"), Some("Other")];
    row_batch(
        &texts,
        &[Some(5), Some(-7), Some(0), None, Some(1)],
        &[Some(1.5), None, Some(-4.0), Some(0.0), Some(2.0)],
    )
}

#[test]
fn one_hot_gives_a_column_to_each_code() {
    // pandas 3: get_dummies(Series(["Cash", "Card", None, "Cash", "Other"]), prefix="f", prefix_sep="=")
    let all = Mapper::Categorical(steps::Categorical { values: Some(strings(&["Card", "Cash", "Other"])) });
    assert_columns(
        &run(column("text", vec![all, Mapper::OneHot]), &payments()),
        &[
            ("f=Card", &[0.0, 1.0, 0.0, 0.0, 0.0]),
            ("f=Cash", &[1.0, 0.0, 0.0, 1.0, 0.0]),
            ("f=Other", &[0.0, 0.0, 0.0, 0.0, 1.0]),
        ],
    );
    // Other than listed: no column, one for all, or buckets by hash.
    let listed = |oov_buckets| {
        vec![Mapper::Vocabulary(steps::Vocabulary { values: strings(&["Cash"]), oov_buckets }), Mapper::OneHot]
    };
    assert_columns(&run(column("text", listed(0)), &payments()), &[("f=Cash", &[1.0, 0.0, 0.0, 1.0, 0.0])]);
    assert_columns(
        &run(column("text", listed(1)), &payments()),
        &[("f=Cash", &[1.0, 0.0, 0.0, 1.0, 0.0]), ("f.other", &[0.0, 1.0, 0.0, 0.0, 1.0])],
    );
    let names: Vec<String> = run(column("text", listed(2)), &payments()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["f=Cash", "f.other_0", "f.other_1"]);
    assert_columns(
        &run(column("flag", vec![Mapper::OneHot]), &payments()),
        &[("f=false", &[0.0, 1.0, 0.0, 0.0, 1.0]), ("f=true", &[1.0, 0.0, 0.0, 1.0, 0.0])],
    );
    let buckets = Mapper::Bucketize(steps::Bucketize { boundaries: vec![0.0] });
    assert_columns(
        &run(column("real", vec![buckets, Mapper::OneHot]), &payments()),
        &[("f=0", &[0.0, 0.0, 1.0, 0.0, 0.0]), ("f=1", &[1.0, 0.0, 0.0, 1.0, 1.0])],
    );
}

#[test]
fn hash_buckets_are_those_of_xxh3() {
    // Python, package xxhash 4.1: xxhash.xxh3_64_intdigest(s.encode()) % 1000
    let hash = || vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 1000 })];
    let texts = row_batch(&[Some("Cash"), Some("Prcard"), Some(""), None], &[Some(-7), None, None, None], &[None; 4]);
    assert_columns(&run(column("text", hash()), &texts), &[("f", &[652.0, 592.0, 138.0, NAN])]);
    assert_columns(&run(column("whole", hash()), &texts), &[("f", &[912.0, NAN, NAN, NAN])]);
    let imputed = vec![
        Mapper::Impute(steps::Impute { value: Scalar::Text("Prcard".into()) }),
        Mapper::HashBuckets(steps::HashBuckets { buckets: 1000 }),
    ];
    assert_columns(&run(column("text", imputed), &texts), &[("f", &[652.0, 592.0, 138.0, 592.0])]);
    let pair = row_batch(&[Some("Cash"), None, Some("Cash")], &[Some(23), Some(1), None], &[None; 3]);
    // "Cash × 23"
    assert_columns(&run(cross(&["text", "whole"], hash()), &pair), &[("f", &[474.0, NAN, NAN])]);
    let listed = vec![Mapper::Vocabulary(steps::Vocabulary { values: strings(&["true × Cash"]), oov_buckets: 0 })];
    assert_columns(&run(cross(&["flag", "text"], listed), &pair), &[("f", &[0.0, NAN, NAN])]);
    let graph = TransformGraph::new(inputs(), None, vec![column("text", hash())]).unwrap();
    assert_eq!(graph.features()[0].kind, FeatureKind::Categorical { cardinality: 1000 });
}

#[test]
fn parts_of_a_time_are_those_of_pandas() {
    // pandas 3: Series(seconds) by to_datetime(unit="s", utc=True), then .dt.year and so on, the week by isocalendar().
    let seconds = [0, 1_709_209_805, -1, 1_388_534_399, 1_609_459_200, 4_102_444_799];
    for (part, expected) in [
        (DatePart::Year, [1970.0, 2024.0, 1969.0, 2013.0, 2021.0, 2099.0]),
        (DatePart::Quarter, [1.0, 1.0, 4.0, 4.0, 1.0, 4.0]),
        (DatePart::Month, [1.0, 2.0, 12.0, 12.0, 1.0, 12.0]),
        (DatePart::Week, [1.0, 9.0, 1.0, 1.0, 53.0, 53.0]),
        (DatePart::Day, [1.0, 29.0, 31.0, 31.0, 1.0, 31.0]),
        (DatePart::DayOfYear, [1.0, 60.0, 365.0, 365.0, 1.0, 365.0]),
        (DatePart::DayOfWeek, [3.0, 3.0, 2.0, 1.0, 4.0, 3.0]),
        (DatePart::Hour, [0.0, 12.0, 23.0, 23.0, 0.0, 23.0]),
        (DatePart::Minute, [0.0, 30.0, 59.0, 59.0, 0.0, 59.0]),
        (DatePart::Second, [0.0, 5.0, 59.0, 59.0, 0.0, 59.0]),
    ] {
        let texts = [
            "1970-01-01",
            "2024-02-29T12:30:05Z",
            "1969-12-31 23:59:59",
            "2013-12-31T23:59:59",
            "2021-01-01T01:00+01:00",
            "2099-12-31T23:59:59.999",
        ];
        let batch = row_batch(&texts.map(Some), &seconds.map(Some), &seconds.map(|second| Some(second as f64 + 0.75)));
        let node = || vec![Mapper::DatePart(steps::DatePart { part })];
        assert_columns(&run(column("whole", node()), &batch), &[("f", &expected)]);
        assert_columns(&run(column("real", node()), &batch), &[("f", &expected)]);
        assert_columns(&run(column("text", node()), &batch), &[("f", &expected)]);
    }
}

#[test]
fn times_that_are_none_are_missing() {
    let hour = |nodes: &[Mapper]| [nodes, &[Mapper::DatePart(steps::DatePart { part: DatePart::Hour })]].concat();
    let batch = row_batch(
        &[None, Some("yesterday"), Some("2024-02-30"), Some("2024-02-29T05:00")],
        &[None, Some(1_709_209_805_000), Some(i64::MIN), Some(18_000)],
        &[None, Some(f64::INFINITY), Some(-1e300), Some(18_000.0)],
    );
    for name in ["text", "whole", "real"] {
        assert_columns(&run(column(name, hour(&[])), &batch), &[("f", &[NAN, NAN, NAN, 5.0])]);
    }
    let imputed = hour(&[
        Mapper::MissingIndicator,
        Mapper::Impute(steps::Impute { value: Scalar::Text("1970-01-01T07:00".into()) }),
    ]);
    assert_columns(
        &run(column("text", imputed), &batch),
        &[("f", &[7.0, NAN, NAN, 5.0]), ("f.missing", &[1.0, 0.0, 0.0, 0.0])],
    );
    // Months begin at 1, and so do their columns.
    let names: Vec<String> = run(
        column("whole", vec![Mapper::DatePart(steps::DatePart { part: DatePart::Quarter }), Mapper::OneHot]),
        &batch,
    )
    .into_iter()
    .map(|(name, _)| name)
    .collect();
    assert_eq!(names, ["f=1", "f=2", "f=3", "f=4"]);
    let codes = vec![
        Mapper::DatePart(steps::DatePart { part: DatePart::Hour }),
        Mapper::Categorical(steps::Categorical { values: None }),
    ];
    let graph = TransformGraph::new(inputs(), None, vec![column("whole", codes)]).unwrap();
    assert_eq!(graph.features()[0].kind, FeatureKind::Categorical { cardinality: 24 });
}

#[test]
fn cycles_and_powers_are_those_of_numpy() {
    // numpy 2: np.sin(2 * np.pi * x / 24), np.cos(2 * np.pi * x / 24)
    let hours = row_batch(&[None; 6], &[Some(0), Some(5), Some(6), Some(23), Some(-1), None], &[None; 6]);
    let columns = run(column("whole", vec![Mapper::Cyclic(steps::Cyclic { period: 24.0 })]), &hours);
    assert_eq!([&columns[0].0, &columns[1].0], ["f.sin", "f.cos"]);
    let sines = [0.0, 0.965_925_826_289_068_3, 1.0, -0.258_819_045_102_521_57, -0.258_819_045_102_520_74];
    let cosines =
        [1.0, 0.258_819_045_102_520_74, 6.123_233_995_736_766e-17, 0.965_925_826_289_068_1, 0.965_925_826_289_068_3];
    for (got, expected) in columns.iter().zip([sines, cosines]) {
        for (got, expected) in got.1.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-15, "{got} is not {expected}");
        }
        assert!(got.1[5].is_nan());
    }
    let batch =
        row_batch(&[None; 6], &[None; 6], &[Some(4.0), Some(2.0), Some(-8.0), Some(0.0), None, Some(f64::INFINITY)]);
    // np.power(x, 1.5), np.sqrt(x); where numpy has NaN with a warning or an infinity out of 0, there is no value.
    let power = |exponent| run(column("real", vec![Mapper::Power(steps::Power { exponent })]), &batch);
    assert_columns(&power(1.5), &[("f", &[8.0, 2.828_427_124_746_190_3, NAN, 0.0, NAN, f64::INFINITY])]);
    assert_columns(&power(-1.0), &[("f", &[0.25, 0.5, -0.125, NAN, NAN, 0.0])]);
    assert_columns(&power(0.0), &[("f", &[1.0, 1.0, 1.0, 1.0, NAN, 1.0])]);
    let root = 2.0f64.sqrt();
    assert_columns(
        &run(column("real", vec![Mapper::Sqrt]), &batch),
        &[("f", &[2.0, root, NAN, 0.0, NAN, f64::INFINITY])],
    );
}

#[test]
fn an_indicator_tells_what_was_missing_before_it_was_filled() {
    let filled = |value| vec![Mapper::MissingIndicator, Mapper::Impute(steps::Impute { value })];
    let missing: (&str, &[f64]) = ("f.missing", &[0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_columns(
        &run(column("real", filled(Scalar::Float(9.0))), &payments()),
        &[("f", &[1.5, 9.0, -4.0, 0.0, 2.0]), missing],
    );
    let scaled = [filled(Scalar::Float(9.0)), vec![Mapper::ZScore(steps::ZScore { mean: 1.0, std_dev: 2.0 })]].concat();
    assert_columns(&run(column("real", scaled), &payments()), &[("f", &[0.25, 4.0, -2.5, -0.5, 0.5]), missing]);
    let coded = [
        filled(Scalar::Text("none".into())),
        vec![
            Mapper::Vocabulary(steps::Vocabulary { values: strings(&["Cash", "none"]), oov_buckets: 0 }),
            Mapper::OneHot,
        ],
    ];
    assert_columns(
        &run(column("text", coded.concat()), &payments()),
        &[
            ("f=Cash", &[1.0, 0.0, 0.0, 1.0, 0.0]),
            ("f=none", &[0.0, 0.0, 1.0, 0.0, 0.0]),
            ("f.missing", &[0.0, 0.0, 1.0, 0.0, 0.0]),
        ],
    );
    // What a step before makes missing counts as missing.
    let logs = [vec![Mapper::Log], filled(Scalar::Int(0))].concat();
    assert_columns(
        &run(column("real", logs), &payments()),
        &[("f", &[1.5f64.ln(), 0.0, 0.0, 0.0, 2.0f64.ln()]), ("f.missing", &[0.0, 1.0, 1.0, 1.0, 0.0])],
    );
}

#[test]
fn an_expression_is_a_column_of_its_own() {
    assert_columns(
        &run(expression("real / greatest(whole, 1)", vec![]), &payments()),
        &[("f", &[1.5 / 5.0, NAN, -4.0, 0.0, 2.0])],
    );
    assert_columns(
        &run(expression("real > 0 and text = 'Cash'", vec![Mapper::OneHot]), &payments()),
        &[("f=false", &[0.0, 1.0, 1.0, 1.0, 1.0]), ("f=true", &[1.0, 0.0, 0.0, 0.0, 0.0])],
    );
    let lower = vec![Mapper::Categorical(steps::Categorical { values: Some(strings(&["card", "cash"])) })];
    assert_columns(&run(expression("trim(lower(text))", lower), &payments()), &[("f", &[1.0, 0.0, NAN, 1.0, NAN])]);
    let digits = vec![Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers(vec![0, 10])) })];
    assert_columns(&run(expression("whole * 2", digits), &payments()), &[("f", &[1.0, NAN, 0.0, NAN, NAN])]);
}

#[test]
fn whole_numbers_stand_for_numbers_inside_expressions_too() {
    let graph = TransformGraph::new(inputs(), None, vec![expression("real % 2 + real", vec![])]).unwrap();
    let mut block = FeatureBlock::new();
    let mut with = |array: ArrayRef| {
        let none = || Arc::new(NullArray::new(2)) as ArrayRef;
        let columns = [("text", none()), ("real", array), ("whole", none()), ("flag", none())];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
        graph.bind(batch.schema_ref()).unwrap().apply(&batch, &mut block).unwrap();
        block.columns[0].clone()
    };
    assert_eq!(
        with(Arc::new(Int64Array::from(vec![5, i64::MAX]))),
        with(Arc::new(Float64Array::from(vec![5.0, i64::MAX as f64])))
    );
    assert!(with(Arc::new(NullArray::new(2))).iter().all(|value| value.is_nan()));
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    assert!(refuse(column("real", vec![Mapper::OneHot])).contains("`one_hot` does not apply to numbers"));
    assert!(refuse(column("text", vec![Mapper::OneHot])).contains("`one_hot` does not apply to text"));
    let cyclic = Mapper::Cyclic(steps::Cyclic { period: 7.0 });
    assert!(
        refuse(column("real", vec![cyclic.clone(), Mapper::Log])).contains("`log` does not apply to several columns")
    );
    assert!(refuse(column("real", vec![Mapper::Cyclic(steps::Cyclic { period: 0.0 })])).contains("not above 0"));
    assert!(refuse(column("text", vec![cyclic])).contains("`cyclic` does not apply to text"));
    assert!(
        refuse(column("real", vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 2 })]))
            .contains("does not apply to numbers")
    );
    assert!(
        refuse(column("text", vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 0 })]))
            .contains("at least 1 bucket")
    );
    let wide = vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 1025 }), Mapper::OneHot];
    assert!(refuse(column("text", wide)).contains("would give 1025 columns, and 1024 are the most"));
    assert!(
        refuse(column("flag", vec![Mapper::DatePart(steps::DatePart { part: DatePart::Day })]))
            .contains("true and false")
    );
    assert!(
        refuse(column("real", vec![Mapper::Power(steps::Power { exponent: NAN })]))
            .contains("`exponent` of `power` is NaN")
    );
    let late = vec![Mapper::Impute(steps::Impute { value: Scalar::Int(0) }), Mapper::MissingIndicator];
    assert!(refuse(column("real", late)).contains("nothing is missing after `impute`"));
    assert!(refuse(column("real", vec![Mapper::MissingIndicator; 2])).contains("can stand once"));
    let empty = vec![Mapper::Categorical(steps::Categorical { values: Some(strings(&[])) }), Mapper::OneHot];
    assert!(refuse(column("text", empty)).contains("no value to give a column to"));
    assert!(
        refuse(cross(&["text"], vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 2 })]))
            .contains("at least two columns")
    );
    assert!(
        refuse(cross(&["text", "text"], vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 2 })]))
            .contains("at least two columns")
    );
    assert!(
        refuse(cross(&["text", "real"], vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 2 })]))
            .contains("real numbers")
    );
    assert!(refuse(cross(&["text", "whole"], vec![])).contains("text cannot be a feature"));
    assert!(refuse(cross(&["text", "hole"], vec![])).contains("its column `hole` is not among the inputs"));
    assert_eq!(
        refuse(expression("rael / 2", vec![])),
        "feature `f`: there is no column `rael` at column 1 of `rael / 2`"
    );
    assert!(refuse(expression("real +", vec![])).contains("a value is expected"));
    assert!(refuse(expression("null", vec![])).contains("always null"));
    assert!(refuse(expression("lower(text)", vec![])).contains("text cannot be a feature"));

    // Columns that one_hot names may meet a feature of that name.
    let taken = Feature::new("f=true", "real", vec![]);
    let error = TransformGraph::new(inputs(), None, vec![column("flag", vec![Mapper::OneHot]), taken]).unwrap_err();
    assert_eq!(error.to_string(), "feature `f=true`: two features have this name");
}

#[test]
fn no_way_leads_around_the_label() {
    let graph = |label: LabelSpec, feature| TransformGraph::new(inputs(), Some(label), vec![feature]);
    let about_real = || LabelSpec::new("y", "real > whole");
    let leaked = |result: Result<TransformGraph, ModelError>| match result {
        Err(ModelError::LabelLeak { column, .. }) => column,
        other => panic!("{other:?}"),
    };
    assert_eq!(leaked(graph(about_real(), expression("whole - real", vec![]))), "real");
    let hash = || vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 2 })];
    let about_text = LabelSpec::new("y", "real > 2 and text = 'a'").with_target(vec!["real".into(), "text".into()]);
    assert_eq!(leaked(graph(about_text, cross(&["whole", "text"], hash()))), "text");
    // With an explicit target the order in the expression decides nothing.
    let about_whole = || about_real().with_target(vec!["whole".into()]);
    assert_eq!(leaked(graph(about_whole(), column("whole", vec![]))), "whole");
    assert!(graph(about_whole(), column("real", vec![])).is_ok());
    assert_eq!(serde_json::to_string(&about_real()).unwrap(), r#"{"name":"y","expression":"real > whole"}"#);
    assert_eq!(
        serde_json::to_string(&about_whole()).unwrap(),
        r#"{"name":"y","expression":"real > whole","target":["whole"]}"#
    );
}

#[test]
fn several_missing_columns_are_one_error() {
    let graph = TransformGraph::new(
        inputs(),
        None,
        vec![cross(&["text", "whole"], vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 2 })])],
    )
    .unwrap();
    let none = || Arc::new(NullArray::new(1)) as ArrayRef;
    let columns = [("texts", none()), ("flag", none()), ("real", none())];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let error = graph.bind(batch.schema_ref()).unwrap_err();
    assert_eq!(error.to_string(), "the data does not have 2 columns: `text` (feature `f`), `whole` (feature `f`)");
    assert_eq!((error.code(), error.hint().as_deref()), (Code::ColumnNotFound, Some("the data has `texts`")));
}

fn everything() -> TransformGraph {
    let named = |name: &str, feature: Feature| Feature { name: name.into(), ..feature };
    let vocabulary = Mapper::Vocabulary(steps::Vocabulary { values: strings(&["a", "bb"]), oov_buckets: 2 });
    let features = vec![
        named(
            "words",
            column(
                "text",
                vec![
                    Mapper::MissingIndicator,
                    Mapper::Impute(steps::Impute { value: Scalar::Text("a".into()) }),
                    vocabulary,
                    Mapper::OneHot,
                ],
            ),
        ),
        named("hashed", column("whole", vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 7 })])),
        named("pair", cross(&["text", "whole", "flag"], vec![Mapper::HashBuckets(steps::HashBuckets { buckets: 50 })])),
        named("root", column("real", vec![Mapper::Sqrt, Mapper::Power(steps::Power { exponent: -0.3 })])),
        named(
            "hour",
            column(
                "whole",
                vec![
                    Mapper::DatePart(steps::DatePart { part: DatePart::Hour }),
                    Mapper::Cyclic(steps::Cyclic { period: 24.0 }),
                ],
            ),
        ),
        named(
            "weekday",
            column("text", vec![Mapper::DatePart(steps::DatePart { part: DatePart::DayOfWeek }), Mapper::OneHot]),
        ),
        named(
            "ratio",
            expression(
                "real / whole",
                vec![
                    Mapper::MissingIndicator,
                    Mapper::Impute(steps::Impute { value: Scalar::Float(0.5) }),
                    Mapper::ZScore(steps::ZScore { mean: 0.1, std_dev: 0.7 }),
                ],
            ),
        ),
        named(
            "said",
            expression(
                "case when flag then upper(text) else 'no' end",
                vec![Mapper::Categorical(steps::Categorical { values: Some(strings(&["A", "BB", "no"])) })],
            ),
        ),
    ];
    let label = LabelSpec::new("label", "known < other").with_target(vec!["other".into()]);
    TransformGraph::new(inputs(), Some(label), features).unwrap()
}

#[test]
fn the_file_is_as_recorded_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("transform.json");
    everything().save(&path).unwrap();
    insta::assert_snapshot!("steps_transform.json", std::fs::read_to_string(&path).unwrap());
    assert_eq!(TransformGraph::load(&path).unwrap(), everything());
    let both = r#"{"format":1,"inputs":[{"name":"x","datatype":"FP64"}],"features":[{"name":"f","column":"x","expression":"x","nodes":[]}]}"#;
    std::fs::write(&path, both).unwrap();
    let error = TransformGraph::load(&path).unwrap_err().to_string();
    assert!(error.contains("needs one of `column`, `expression`, `cross`, `columns` and `history`"), "{error}");
}

type Row = (Option<f64>, Option<i64>, Option<&'static str>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let real = prop::option::weighted(0.8, prop_oneof![4 => -3.0..3.0f64, 1 => any::<f64>()]);
    let whole = prop::option::weighted(0.8, prop_oneof![4 => -100_000i64..100_000, 1 => any::<i64>()]);
    let texts = vec!["a", "bb", "é", "", "2024-02-29", "1999-12-31T23:59:59+02:00", "zzz"];
    prop::collection::vec((real, whole, prop::option::weighted(0.8, prop::sample::select(texts))), 1..40)
}

fn batch(rows: &[Row]) -> RecordBatch {
    let flags = rows.iter().map(|row| row.1.map(|whole| whole % 2 == 0));
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("whole", Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()), true),
        ("text", Arc::new(rows.iter().map(|row| row.2).collect::<StringArray>()), true),
        ("flag", Arc::new(flags.collect::<BooleanArray>()), true),
        ("real", Arc::new(rows.iter().map(|row| row.0).collect::<Float64Array>()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn applied(batch: &RecordBatch, block: &mut FeatureBlock) -> Vec<Vec<u64>> {
    everything().bind(batch.schema_ref()).unwrap().apply(batch, block).unwrap();
    block.columns.iter().map(|column| column.iter().map(|value| value.to_bits()).collect()).collect()
}

proptest! {
    #[test]
    fn a_row_alone_a_slice_and_a_batch_give_the_same_bits(rows in rows()) {
        let whole = batch(&rows);
        let mut block = FeatureBlock::new();
        let expected = applied(&whole, &mut block);
        prop_assert_eq!(expected.len(), everything().features().len());
        for row in 0..rows.len() {
            let alone = applied(&batch(&rows[row..=row]), &mut block);
            let view = applied(&whole.slice(row, 1), &mut block);
            for (feature, column) in expected.iter().enumerate() {
                prop_assert_eq!(column[row], alone[feature][0]);
                prop_assert_eq!(column[row], view[feature][0]);
            }
        }
    }

    #[test]
    fn one_hot_columns_hold_at_most_one_one(rows in rows()) {
        let mut block = FeatureBlock::new();
        applied(&batch(&rows), &mut block);
        let graph = everything();
        for prefix in ["words", "weekday"] {
            let mut sums = vec![0.0; rows.len()];
            for (spec, column) in graph.features().iter().zip(&block.columns) {
                if spec.name.starts_with(&format!("{prefix}=")) || spec.name.starts_with(&format!("{prefix}.other")) {
                    for (sum, value) in sums.iter_mut().zip(column) {
                        prop_assert!(*value == 0.0 || *value == 1.0);
                        *sum += value;
                    }
                }
            }
            prop_assert!(sums.iter().all(|sum| *sum <= 1.0));
            if prefix == "words" {
                prop_assert!(sums.iter().all(|sum| *sum == 1.0), "imputed and hashed, so every row has its column");
            }
        }
    }
}

#[test]
fn days_since_counts_days() {
    let since = |origin: f64| Mapper::DaysSince(steps::DaysSince { origin_seconds: origin });
    let graph = |datatype, origin| {
        TransformGraph::new(
            vec![TensorSpec::new("t", datatype, true)],
            None,
            vec![Feature::new("days", "t", vec![since(origin)])],
        )
    };
    let days = |datatype, origin, column: ArrayRef| {
        let batch = RecordBatch::try_from_iter_with_nullable([("t", column, true)]).unwrap();
        let mut out = FeatureBlock::new();
        graph(datatype, origin).unwrap().bind(&batch.schema()).unwrap().apply(&batch, &mut out).unwrap();
        out.columns[0].clone()
    };
    // Python: (date(2024, 2, 29) - date(2020, 1, 1)).days == 1520
    let texts =
        StringArray::from(vec![Some("2020-01-01"), Some("2/29/2024"), Some("2019-12-31T12:00"), Some("x"), None]);
    let found = days(DataType::Bytes, 1_577_836_800.0, Arc::new(texts));
    assert_eq!(found[..3], [0.0, 1520.0, -0.5]);
    assert!(found[3].is_nan() && found[4].is_nan());
    let seconds = Float64Array::from(vec![86_400.0 * 2.5, 1e15]);
    let found = days(DataType::Fp64, 0.0, Arc::new(seconds));
    assert_eq!(found[0], 2.5);
    assert!(found[1].is_nan());
    let error = graph(DataType::Fp64, 1e15).unwrap_err().to_string();
    assert!(error.contains("`origin_seconds` of `days_since` is not in the years 1 to 9999"), "{error}");
}

#[test]
fn values_that_a_step_cannot_use_are_counted() {
    let listed = |values: &[&str]| steps::Vocabulary {
        values: Keys::Strings(values.iter().map(ToString::to_string).collect()),
        oov_buckets: 1,
    };
    let features = [
        Feature::new("island", "island", vec![Mapper::Strip, listed(&["Biscoe", "Dream"]).into()]),
        Feature::new("size", "size", vec![steps::Categorical { values: Some(Keys::Integers(vec![1, 2])) }.into()]),
        Feature::new("year", "when", vec![steps::DatePart { part: DatePart::Year }.into()]),
        Feature::new("plain", "size", Vec::new()),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "island",
            Arc::new(StringArray::from(vec![Some(" Dream"), Some("Mars"), None, Some("Mars")])) as ArrayRef,
            true,
        ),
        ("size", Arc::new(Int64Array::from(vec![Some(1), Some(7), Some(2), None])) as ArrayRef, true),
        (
            "when",
            Arc::new(StringArray::from(vec![Some("2024-01-01"), Some("1.1.2024"), None, Some("2/1/2024")])) as ArrayRef,
            true,
        ),
    ])
    .unwrap();
    let mut check = ValueCheck::new(&features, &batch.schema()).unwrap();
    check.update(&batch).unwrap();
    let found: Vec<String> = check.found().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "feature `island`: 2 of 3 values of column `island` were not seen in training, such as `Mars`",
            "feature `size`: 1 of 3 values of column `size` was not seen in training, such as `7`",
            "feature `year`: 1 of 3 values of column `when` is not a date that `date_part` reads, such as `1.1.2024`",
        ]
    );
}
