use serde_json::json;
use tidemill_metadata::{NewRun, OrderBy, Run, RunSearch, RunState, RunValue, StoreError, ValueKind};

use super::world::Store;

async fn logged(store: &Store, experiment: &str, auc: f64, rounds: &str) -> Run {
    let environment = Some(json!({ "user": "ann" }));
    let run = store.create_run(NewRun { pipeline: experiment.into(), environment, ..NewRun::default() }).await.unwrap();
    let values = vec![
        RunValue::metric("auc", auc, 1),
        RunValue::text(ValueKind::Param, "rounds", rounds),
        RunValue::text(ValueKind::Tag, "a note", "Kept_it"),
    ];
    store.log_values(&run.id, values).await.unwrap();
    store.finish_run(&run.id, RunState::Complete, json!({})).await.unwrap()
}

pub async fn values_are_kept_as_they_are(store: &Store) {
    let run = logged(store, "taxi", 0.9, "300").await;
    let long = "x".repeat(100_000);
    let values = vec![
        RunValue::metric("loss", f64::NAN, 0),
        RunValue::metric("ratio", f64::INFINITY, 0),
        RunValue::metric("auc", 0.95, 2),
        RunValue::metric("auc", 0.8, 0),
        RunValue::text(ValueKind::Param, "query", &*long),
        RunValue::text(ValueKind::Tag, "a note", "dropped"),
    ];
    store.log_values(&run.id, values).await.unwrap();
    let values = store.run_values(&run.id).await.unwrap();
    let text = |key: &str| values.iter().find(|value| value.key == key).unwrap().text.clone();
    assert_eq!((text("loss"), text("ratio"), text("query") == long), ("NaN".into(), "Infinity".into(), true));
    assert_eq!((text("auc"), text("a note")), ("0.95".into(), "dropped".into()), "the highest step, the last label");
    let history: Vec<(i64, String)> =
        store.metric_history(&run.id, "auc").await.unwrap().into_iter().map(|value| (value.step, value.text)).collect();
    assert_eq!(history, [(0, "0.8".into()), (1, "0.9".into()), (2, "0.95".into())]);
    let again = store.log_values(&run.id, vec![RunValue::text(ValueKind::Param, "rounds", "300")]).await;
    assert!(again.is_ok(), "the same value again");
    let changed = store.log_values(&run.id, vec![RunValue::text(ValueKind::Param, "rounds", "20")]).await;
    assert!(matches!(&changed, Err(StoreError::ParamIsSet { set, .. }) if set == "300"), "{changed:?}");
    let nobody = store.log_values(&"nobody".into(), Vec::new()).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
}

pub async fn runs_are_searched_by_their_values(store: &Store) {
    let low = logged(store, "taxi", 0.7, "20").await;
    let high = logged(store, "taxi", 0.9, "300").await;
    let other = logged(store, "churn", 0.8, "300").await;
    let odd = logged(store, "churn", f64::NAN, "1*[").await;
    let bare = store.create_run(NewRun { pipeline: "bare".into(), ..NewRun::default() }).await.unwrap();
    let search = async |filter: &str, order: &[&str]| -> Vec<String> {
        let orders: Vec<OrderBy> = order.iter().map(|text| OrderBy::parse(text).unwrap()).collect();
        let found = store.search_runs(&RunSearch::parse(filter).unwrap(), &orders, 10).await.unwrap();
        found.into_iter().map(|found| found.run.id.to_string()).collect()
    };
    let ids = |runs: &[&Run]| runs.iter().map(|run| run.id.to_string()).collect::<Vec<_>>();
    assert_eq!(search("metrics.auc > 0.75", &["metrics.auc ASC"]).await, ids(&[&other, &high]));
    assert_eq!(search("metrics.auc >= 0.7 and params.rounds = '300'", &[]).await, ids(&[&other, &high]));
    let all = search("", &["metrics.auc DESC"]).await;
    assert_eq!(all[..3], ids(&[&high, &other, &low]), "NaN and what is missing come last");
    assert_eq!(search("params.rounds != '300'", &[]).await, ids(&[&bare, &odd, &low]), "what is absent is different");
    assert_eq!(search("metrics.auc != 0.7", &[]).await, ids(&[&bare, &odd, &other, &high]));
    assert_eq!(search("params.rounds LIKE '1*[' and status = 'COMPLETE'", &[]).await, ids(&[&odd]));
    assert_eq!(search("tags.`a note` LIKE 'K%_it'", &["run_id ASC"]).await, ids(&[&low, &high, &other, &odd]));
    assert!(search("tags.`a note` LIKE 'k%'", &[]).await.is_empty(), "LIKE minds case");
    assert_eq!(search("tags.`a note` ILIKE 'k%IT'", &[]).await.len(), 4);
    assert_eq!(search("tags.`a note` IS NULL", &[]).await, ids(&[&bare]));
    assert_eq!(search("params.rounds IN ('20', '300') and pipeline NOT IN ('churn')", &[]).await, ids(&[&high, &low]));
    assert_eq!(search("user != 'ann'", &[]).await, ids(&[&bare]));
    assert_eq!(search(&format!("run_id = '{}'", low.id), &[]).await, ids(&[&low]));
    assert_eq!(search("start_time > '2020-01-01'", &[]).await.len(), 5);
    assert!(search("start_time < 1000", &[]).await.is_empty());
    let found = store.search_runs(&RunSearch::parse("metrics.auc > 0.85").unwrap(), &[], 1).await.unwrap();
    assert_eq!(found[0].value(ValueKind::Param, "rounds").unwrap().text, "300");
}
