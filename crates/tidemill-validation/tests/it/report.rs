//! The report: data cannot break out of it, it stays small, and the same input gives the same page.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use tidemill_core::markup::About;
use tidemill_core::{Anomalies, Anomaly, AnomalyType, DatasetStatistics, Evidence, Severity};
use tidemill_validation::{DatasetAccumulator, attention_score, render_report};

fn statistics(name: &str, columns: Vec<(String, ArrayRef)>) -> DatasetStatistics {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut accumulator = DatasetAccumulator::new(&batch.schema());
    accumulator.update(&batch);
    accumulator.finish(name)
}

fn anomaly(feature: &str, severity: Severity, value: &str) -> Anomaly {
    Anomaly {
        feature: feature.to_owned(),
        anomaly_type: AnomalyType::EnumTypeUnexpectedStringValues,
        severity,
        short_description: String::new(),
        description: format!("`{feature}`: {value}"),
        evidence: vec![Evidence { file: "train".to_owned(), row: 1, value: value.to_owned() }],
    }
}

#[test]
fn nothing_in_the_data_can_break_out_of_the_page() {
    const EVIL: &str = "</script><img src=x onerror=alert(1)> {{data}} <!-- & \u{2028}";
    let data = statistics(EVIL, vec![(EVIL.to_owned(), Arc::new(StringArray::from(vec![EVIL, "b"])) as ArrayRef)]);
    let mut anomalies = Anomalies::default();
    anomalies.splits.insert(EVIL.to_owned(), vec![anomaly(EVIL, Severity::Error, EVIL)]);
    let page = render_report(&[&data, &data], Some(&anomalies), None);
    assert!(!page.contains("<img") && !page.contains("<!-- &"));
    assert_eq!(page.matches("</script>").count(), 2, "the two script elements of the page itself");
    // The data reads back as it was.
    let json = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["features"][0]["name"], EVIL);
    assert_eq!(value["features"][0]["anomalies"][0]["severity"], "ERROR");
}

#[test]
fn alerts_stand_on_top_with_their_reasons_whether_scripts_run_or_not() {
    let gone: ArrayRef = Arc::new((0..100).map(|i| (i < 10).then_some(i as f64)).collect::<Float64Array>());
    let fixed: ArrayRef = Arc::new(Float64Array::from(vec![5.0; 100]));
    let columns = |names: [&str; 2]| names.map(str::to_owned).into_iter().zip([gone.clone(), fixed.clone()]).collect();
    let a = statistics("a", columns(["<gone>", "fixed"]));
    let page = render_report(&[&a], None, None);
    let list = page.split("id=\"alerts\"").nth(1).unwrap().split("</section>").next().unwrap();
    let text = "<a href=\"#f0\">&lt;gone&gt;</a></span><span class=\"chip warn\">mostly missing</span><span>90 % of the values are missing: 10 of 100 rows have one</span>";
    assert!(list.contains(text), "{list}");
    assert!(list.find("all 100 values are 5").unwrap() < list.find("90 %").unwrap(), "the worst is first");
    // Of several datasets, an alert says whose it is.
    let b = statistics("b", columns(["<gone>", "other"]));
    let page = render_report(&[&a, &b], None, None);
    assert!(page.contains("rows have one (in a, also in b)</span>") && page.contains("all 100 values are 5 (in b)"));
    let plain = statistics("c", vec![("plain".to_owned(), Arc::new(Float64Array::from(vec![1.0, 2.0])) as ArrayRef)]);
    assert!(!render_report(&[&plain], None, None).contains("id=\"alerts\""));
}

#[test]
fn many_alerts_are_folded() {
    let fixed: ArrayRef = Arc::new(Float64Array::from(vec![5.0; 10]));
    let columns = (0..1000).map(|i| (format!("c{i}"), fixed.clone())).collect();
    let page = render_report(&[&statistics("a", columns)], None, None);
    assert!(page.contains("Alerts<span>1,000</span>") && page.contains("<summary>Show 992 more</summary>"));
    assert_eq!(page.matches("<li>").count(), 400, "the rest stands beside the features");
    assert!(page.contains("and 600 more, beside their features"));
}

#[test]
fn the_heading_says_what_the_statistics_are_of() {
    let data = statistics("a", vec![("x".to_owned(), Arc::new(Float64Array::from(vec![1.0])) as ArrayRef)]);
    let about = About { title: "taxi, run 12ab".into(), ..About::default() }.with("Source", "<trips>.csv");
    let page = render_report(&[&data], None, Some(&about));
    assert!(page.contains("<dt>Source</dt><dd>&lt;trips&gt;.csv</dd>"));
    assert!(page.contains("<title>Statistics of a – taxi, run 12ab</title>"));
}

#[test]
fn two_thousand_features_make_a_page_of_bounded_size_that_needs_no_network() {
    let column = |i: usize| -> ArrayRef {
        if i.is_multiple_of(4) {
            Arc::new((0..200).map(|row| Some(format!("value {}", row % (i + 1)))).collect::<StringArray>())
        } else {
            Arc::new((0..200).map(|row| Some((row * i) as f64 / 7.0)).collect::<Float64Array>())
        }
    };
    let columns = |from: usize| (from..from + 2000).map(|i| (format!("feature_{i}"), column(i))).collect();
    let (a, b) = (statistics("a", columns(0)), statistics("b", columns(100)));
    let page = render_report(&[&a, &b], None, None);
    assert!(page.len() < 2000 * 2 * 2048, "{} bytes", page.len());
    assert_eq!(page, render_report(&[&a, &b], None, None));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        let hits: Vec<_> = page.match_indices(outside).collect();
        assert!(hits.iter().all(|(at, _)| page[*at..].starts_with("http://www.w3.org/2000/svg")), "{outside}");
    }
}

#[test]
fn what_is_wrong_comes_before_what_is_odd_before_what_is_plain() {
    let plain: ArrayRef = Arc::new((0..100).map(|i| Some(1.0 + (i % 10) as f64)).collect::<Float64Array>());
    let gappy: ArrayRef = Arc::new((0..100).map(|i| (i % 3 > 0).then_some(i as f64)).collect::<Float64Array>());
    let constant: ArrayRef = Arc::new(Float64Array::from(vec![5.0; 100]));
    let columns = vec![("plain".to_owned(), plain), ("gappy".to_owned(), gappy), ("constant".to_owned(), constant)];
    let data = statistics("d", columns);
    let score = |name: &str, anomalies: &[&Anomaly]| attention_score(data.feature(name).unwrap(), anomalies);
    let (error, warning) = (anomaly("plain", Severity::Error, ""), anomaly("plain", Severity::Warning, ""));
    let ranked = [
        score("plain", &[&error]),
        score("plain", &[&warning]),
        score("constant", &[]),
        score("gappy", &[]),
        score("plain", &[]),
    ];
    assert!(ranked.is_sorted_by(|a, b| a > b), "{ranked:?}");
}
