//! The slice finder against slices that were planted.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use tidemill_evaluate::finder::{Condition, RankBy, SearchOptions};
use tidemill_evaluate::slices::SliceValue;
use tidemill_evaluate::{EvaluateOptions, EvaluationTable, SliceSearch, TableBuilder, TableColumns, evaluate};
use tidemill_model::Task;

const ROWS: usize = 20_000;

struct Lcg(u64);

impl Lcg {
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The high bits of a step apart: low-order structure would be found as a slice.
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Trips with a well-calibrated model, but for the rows that `bad` picks by company, hour and fare: their labels
/// are flipped.
fn table(seed: u64, bad: impl Fn(&str, i64, f64) -> bool) -> EvaluationTable {
    let mut random = Lcg(seed);
    let (mut companies, mut hours, mut fares) = (Vec::new(), Vec::new(), Vec::new());
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..ROWS {
        let company = ["Blue", "Green", "Red", "White", "Yellow"][(random.draw() * 5.0) as usize];
        let hour = (random.draw() * 24.0) as i64;
        let fare = 5.0 - 10.0 * (1.0 - random.draw()).ln();
        let score = if random.draw() < 0.5 { 0.1 } else { 0.9 };
        let mut label = random.draw() < score;
        label ^= bad(company, hour, fare);
        companies.push((random.draw() > 0.02).then_some(company));
        hours.push(hour);
        fares.push(fare);
        scores.push(score);
        labels.push(f64::from(u8::from(label)));
    }
    let schema = Schema::new(vec![
        Field::new("company", DataType::Utf8, true),
        Field::new("hour", DataType::Int64, true),
        Field::new("fare", DataType::Float64, true),
        Field::new("id", DataType::Utf8, true),
    ]);
    let ids: Vec<String> = (0..ROWS).map(|row| format!("trip-{row}")).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(companies)),
        Arc::new(Int64Array::from(hours)),
        Arc::new(Float64Array::from(fares)),
        Arc::new(StringArray::from(ids)),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let keep = TableColumns {
        finder: ["company", "hour", "fare", "id"].map(str::to_owned).into(),
        rows: ROWS as u64,
        ..TableColumns::default()
    };
    let mut builder = TableBuilder::new(Task::Binary, "eval", "tipped", &batch.schema(), &keep).unwrap();
    // In pieces, as a scan brings them.
    for start in (0..ROWS).step_by(7_000) {
        let length = 7_000.min(ROWS - start);
        let piece = batch.slice(start, length);
        builder.push(&piece, &labels[start..start + length], &scores[start..start + length], None).unwrap();
    }
    builder.finish()
}

fn find(table: &EvaluationTable) -> SliceSearch {
    find_with(table, SearchOptions::default())
}

fn find_with(table: &EvaluationTable, search: SearchOptions) -> SliceSearch {
    let options =
        EvaluateOptions { confidence_intervals: None, find_slices: Some(search), ..EvaluateOptions::default() };
    evaluate(table, &options).unwrap().found_slices.unwrap()
}

#[test]
fn flipped_labels_in_one_company_at_night_are_found_first_and_alone() {
    for seed in 1..=5 {
        let search = find(&table(seed, |company, hour, _| company == "Red" && hour > 20));
        let first = &search.slices[0];
        assert_eq!(first.to_string(), "company=Red, hour≥21", "seed {seed}: {search:?}");
        assert!(first.effect_size > 1.0 && first.adjusted_p_value < 1e-10, "{first:?}");
        assert!(first.loss > 3.0 * first.rest_loss);
        // The company as a whole and the night as a whole do badly only because of these rows.
        assert_eq!(search.slices.len(), 1, "seed {seed}: {:?}", search.slices);
    }
}

#[test]
fn two_planted_slices_are_both_found_the_worse_one_first() {
    let search = find(&table(11, |company, hour, fare| {
        (company == "Green" && hour < 4) || (company != "Green" && fare >= 40.0 && hour % 2 == 0)
    }));
    let names: Vec<String> = search.slices.iter().map(ToString::to_string).collect();
    assert_eq!(names[0], "company=Green, hour<4", "{names:?}");
    assert!(names.len() >= 2 && names[1..].iter().any(|name| name.contains("fare≥")), "{names:?}");
}

#[test]
fn a_range_of_a_number_is_found_by_its_quantile() {
    let search = find(&table(3, |_, _, fare| fare > 28.0));
    let [Condition::Range { column, at_least: Some(low), below: None }] = search.slices[0].conditions.as_slice() else {
        panic!("{:?}", search.slices)
    };
    // One in ten fares exceeds 5 + 10 ln 10 = 28.03.
    assert_eq!(column, "fare");
    assert!((low - 28.03).abs() < 0.6, "{low}");
}

/// Only the crossing of three is bad: every crossing of two of its columns is as good as the rest.
#[test]
fn a_slice_of_three_conditions_is_found_first_and_told_in_a_sentence() {
    let search = find(&table(31, |company, hour, fare| {
        company == "Blue" && (6..12).contains(&hour) && (10.0..28.0).contains(&fare)
    }));
    let first = &search.slices[0];
    let columns: Vec<String> = first.to_string().split(", ").map(str::to_owned).collect();
    assert_eq!(first.conditions.len(), 3, "{:?}", search.slices);
    assert!(columns[0] == "company=Blue" && first.effect_size > 0.5, "{first}");
    let confirmed = first.confirmed.unwrap();
    assert!(
        confirmed.p_value < 1e-3 && confirmed.effect_size > 0.5 && confirmed.rows * 3 > first.rows,
        "{confirmed:?}"
    );
    let sentence = first.sentence(&search.loss);
    assert!(sentence.starts_with("company is Blue and hour ") && sentence.ends_with(" rows, p < 0.001"), "{sentence}");
    assert_eq!(find_with(&table(31, |_, _, _| true), SearchOptions { depth: 1, ..SearchOptions::default() }).depth, 1);
}

/// A small slice that is very bad, and a large one that costs more.
#[test]
fn slices_are_ranked_by_effect_or_by_what_they_cost() {
    let planted = table(5, |company, hour, fare| {
        (company == "Red" && hour < 2) || (company != "Red" && fare > 12.0 && (fare * 1e4) as i64 % 3 == 0)
    });
    let by = |rank_by| find_with(&planted, SearchOptions { rank_by, ..SearchOptions::default() });
    let (effect, cost) = (by(RankBy::Effect), by(RankBy::Cost));
    assert_eq!(effect.slices[0].to_string(), "company=Red, hour<2");
    assert!(cost.slices[0].to_string().contains("fare≥"), "{:?}", cost.slices);
    assert!(cost.slices[0].cost_share > effect.slices[0].cost_share);
}

#[test]
fn an_even_model_has_no_bad_slices() {
    for seed in 21..=25 {
        let search = find(&table(seed, |_, _, _| false));
        assert_eq!(search.slices, [], "seed {seed}");
        assert!(search.tried > 500);
        assert_eq!(search.skipped_columns, ["id"]);
    }
}

#[test]
fn an_empty_cell_is_a_slice_too() {
    let mut planted = table(9, |_, _, _| false);
    let sample = planted.finder.clone().unwrap();
    // Flip where the company is missing: its bin is the one that two in a hundred rows have.
    let search = {
        let missing: Vec<usize> = (0..ROWS).filter(|row| is_missing(&sample, *row)).collect();
        for row in &missing {
            planted.labels[*row] = 1.0 - planted.labels[*row];
        }
        assert!(missing.len() > 300);
        find(&planted)
    };
    assert_eq!(
        search.slices[0].conditions,
        [Condition::Equals { column: "company".into(), equals: SliceValue::Missing }]
    );
}

/// A table of `width` columns of noise and two whose crossing is bad.
fn wide(width: usize) -> EvaluationTable {
    let mut random = Lcg(17);
    let rows = 4_000;
    let noise: Vec<Vec<i64>> = (0..width).map(|_| (0..rows).map(|_| (random.draw() * 6.0) as i64).collect()).collect();
    let (first, second) = (width / 3, width / 2);
    let (mut labels, mut scores) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let score = if random.draw() < 0.5 { 0.1 } else { 0.9 };
        let label = (random.draw() < score) ^ (noise[first][row] == 2 && noise[second][row] >= 4);
        scores.push(score);
        labels.push(f64::from(u8::from(label)));
    }
    let names: Vec<String> = (0..width).map(|at| format!("c{at}")).collect();
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Int64, true)).collect();
    let arrays: Vec<ArrayRef> =
        noise.into_iter().map(|values| Arc::new(Int64Array::from(values)) as ArrayRef).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let keep = TableColumns { finder: names, rows: rows as u64, ..TableColumns::default() };
    let mut builder = TableBuilder::new(Task::Binary, "eval", "y", &batch.schema(), &keep).unwrap();
    builder.push(&batch, &labels, &scores, None).unwrap();
    builder.finish()
}

#[test]
fn many_columns_are_searched_one_by_one_and_the_telling_ones_in_pairs() {
    // Slices of one column: 6 values and 4 + 4 ranges. Of pairs: 14 × 14.
    let pairs = |columns: u64| columns * (columns - 1) / 2 * 14 * 14;
    let pairs_at_most = || SearchOptions { depth: 2, ..SearchOptions::default() };
    let few = find_with(&wide(32), pairs_at_most());
    assert_eq!((few.columns_alone.len(), few.tried <= 32 * 14 + pairs(32)), (0, true));
    assert!(few.tried > pairs(31));
    let many = find_with(&wide(1_000), pairs_at_most());
    assert_eq!(many.columns_alone.len(), 1_000 - 32);
    assert!(many.tried <= 1_000 * 14 + pairs(32), "{}", many.tried);
    for (width, search) in [(32, few), (1_000, many)] {
        assert_eq!(search.slices[0].to_string(), format!("c{}=2, c{}≥4", width / 3, width / 2));
    }
}

fn is_missing(sample: &tidemill_evaluate::finder::FinderSample, row: usize) -> bool {
    sample.columns[0].value(row) == Some(&SliceValue::Missing)
}
