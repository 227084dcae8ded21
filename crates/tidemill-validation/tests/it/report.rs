//! The report: data cannot break out of it, it stays small, and the same input gives the same page.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
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
    let page = render_report(&[&data, &data], Some(&anomalies));
    assert!(!page.contains("<img") && !page.contains("<!-- &"));
    assert_eq!(page.matches("</script>").count(), 2, "the two script elements of the page itself");
    // The data reads back as it was.
    let json = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["features"][0]["name"], EVIL);
    assert_eq!(value["features"][0]["anomalies"][0]["severity"], "ERROR");
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
    let page = render_report(&[&a, &b], None);
    assert!(page.len() < 2000 * 2 * 2048, "{} bytes", page.len());
    assert_eq!(page, render_report(&[&a, &b], None));
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
