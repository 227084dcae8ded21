//! Endpoints: routes, splits, shadows, protection, caches and combinations, as clients see them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidemill_serving::endpoint::spec::EndpointSpec;
use tidemill_serving::{InferenceLogOptions, ServerOptions, StaticSource};

use crate::support::{Packages, Running, agent, options, servable};

/// A row of the taxi model.
fn row(fare: f64) -> Value {
    json!({ "fare": fare, "seconds": 600, "company": "Flash", "shared": true })
}

/// A server with the versions 1 and 2 of the taxi model, and an endpoint.
struct Served {
    server: Running,
    source: StaticSource,
    _packages: Packages,
}

fn parsed(spec: &Value) -> EndpointSpec {
    EndpointSpec::parse(spec).unwrap_or_else(|issues| panic!("{issues:?}"))
}

impl Served {
    fn start(spec: &Value) -> Self {
        Self::with(options(), spec)
    }

    fn with(options: ServerOptions, spec: &Value) -> Self {
        let packages = Packages::new();
        let servables = [(1, 0.0, "champion"), (2, 1.5, "challenger")];
        let servables =
            servables.map(|(version, score, label)| servable("taxi", version, &packages.taxi(score), &[label]));
        let source = StaticSource::new(servables.to_vec());
        source.set_endpoints(vec![parsed(spec)]);
        let server = Running::start(options, Arc::new(source.clone()));
        Self { server, source, _packages: packages }
    }

    fn change(&self, spec: &Value) {
        self.source.set_endpoints(vec![parsed(spec)]);
        self.server.poll();
    }

    /// Predictions for rows, and the route that the answer names.
    fn predict(&self, model: &str, rows: &[Value], headers: &[(&str, &str)]) -> (u16, Value, String) {
        let body = json!({ "instances": rows }).to_string();
        let mut request = agent().post(self.server.url(&format!("/v1/models/{model}:predict")));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.send(body).unwrap();
        let route = response.headers().get("x-tidemill-route").map_or("", |route| route.to_str().unwrap()).to_owned();
        let text = response.body_mut().read_to_string().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        (response.status().as_u16(), value, route)
    }

    fn one(&self, row: &Value) -> (u16, Value, String) {
        let (status, body, route) = self.predict("rides", std::slice::from_ref(row), &[]);
        (status, if status == 200 { body["predictions"][0].clone() } else { body }, route)
    }

    fn status(&self) -> Value {
        self.server.get("/endpoints/rides").1
    }

    /// The state of a model in the status.
    fn model(&self, name: &str) -> Value {
        let status = self.status();
        let models = status["models"].as_array().unwrap();
        models.iter().find(|model| model["model"] == name).unwrap_or_else(|| panic!("{name} in {status}")).clone()
    }

    /// Waits until something holds of the status.
    fn wait(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "{status:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn spec(more: &Value) -> Value {
    let mut spec = json!({
        "version": 1,
        "endpoint": "rides",
        "models": { "champion": { "model": "taxi@champion" }, "challenger": { "model": "taxi:2" } },
        "route": [{ "split": { "champion": 60, "challenger": 40 }, "by": "rider" }],
    });
    merge(&mut spec, more);
    spec
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

/// An address where nothing listens.
fn dead_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_split_is_sticky_by_its_unit_and_every_row_goes_its_own_way() {
    let served = Served::start(&spec(&json!({})));
    let with_rider = |rider: usize| {
        let mut row = row(12.5);
        row["rider"] = json!(format!("rider-{rider}"));
        row
    };
    let rows: Vec<Value> = (0..200).map(with_rider).collect();
    let (status, together, route) = served.predict("rides", &rows, &[]);
    assert_eq!(status, 200, "{together}");
    assert!(route == "champion/1, challenger/2" || route == "challenger/2, champion/1", "{route}");
    let of = |version: u64| {
        let path = format!("/v1/models/taxi/versions/{version}:predict");
        served.server.post(&path, json!({ "instances": [row(12.5)] }).to_string()).1["predictions"][0].clone()
    };
    let (champion, challenger) = (of(1), of(2));
    assert_ne!(champion, challenger);
    let answers = together["predictions"].as_array().unwrap();
    let to_champion = answers.iter().filter(|answer| **answer == champion).count();
    assert!((100..140).contains(&to_champion), "{to_champion} of 200");
    assert_eq!(answers.iter().filter(|answer| **answer == challenger).count(), 200 - to_champion);
    // A rider alone gets the same answer as among others, over both protocols.
    for (rider, together) in answers.iter().enumerate().take(20) {
        let (_, alone, route) = served.one(&with_rider(rider));
        assert_eq!(alone, *together);
        assert_eq!(route, if alone == champion { "champion/1" } else { "challenger/2" });
        let columns = json!({ "inputs": [
            { "name": "fare", "datatype": "FP64", "shape": [1], "data": [12.5] },
            { "name": "seconds", "datatype": "INT64", "shape": [1], "data": [600] },
            { "name": "company", "datatype": "BYTES", "shape": [1], "data": ["Flash"] },
            { "name": "shared", "datatype": "BOOL", "shape": [1], "data": [true] },
            { "name": "rider", "datatype": "BYTES", "shape": [1], "data": [format!("rider-{rider}")] },
        ] });
        let (status, answer) = served.server.post("/v2/models/rides/infer", columns.to_string());
        assert_eq!((status, &answer["outputs"][0]["data"][0]), (200, together), "{answer}");
    }
    let (status, metadata) = served.server.get("/v2/models/rides");
    assert_eq!(status, 200);
    let inputs: Vec<&str> = metadata["inputs"].as_array().unwrap().iter().filter_map(|i| i["name"].as_str()).collect();
    assert_eq!(inputs, ["fare", "seconds", "miles", "company", "shared", "rider"]);
    assert_eq!(served.server.get("/v2/models/rides/ready").0, 200);
    assert_eq!(served.server.get("/v1/models/rides").1["model_version_status"][0]["state"], "AVAILABLE");
}

#[test]
fn rules_look_at_inputs_and_headers_and_the_log_has_the_route() {
    let dir = tempfile::tempdir().unwrap();
    let options = ServerOptions { inference_log: Some(InferenceLogOptions::new(dir.path())), ..options() };
    let served = Served::with(
        options,
        &spec(&json!({
            "models": { "rules": { "expression": "case when fare > 100 then 0.9 else 0.05 end" } },
            "route": [
                { "when": "fare > 50", "to": "rules" },
                { "header": { "x-target": ["mountain", "sea*"] }, "to": "challenger" },
                { "to": "champion" },
            ],
        })),
    );
    let route = |fare: f64, headers: &[(&str, &str)]| served.predict("rides", &[row(fare)], headers).2;
    assert_eq!(route(60.0, &[]), "rules");
    assert_eq!(route(10.0, &[("x-target", "seaside")]), "challenger/2");
    assert_eq!(route(10.0, &[("X-Target", "mountains")]), "champion/1");
    assert_eq!(served.one(&row(60.0)).1, json!(0.05));
    assert_eq!(served.one(&row(101.0)).1, json!(0.9));
    let (status, _, both) = served.predict("rides", &[row(10.0), row(60.0)], &[]);
    assert_eq!((status, both.as_str()), (200, "champion/1, rules"));
    drop(served);
    let folder = std::fs::read_dir(dir.path().join("rides")).unwrap();
    let text: String = folder.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let routes: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["_route"].clone()).collect();
    assert_eq!(routes, ["rules", "challenger/2", "champion/1", "rules", "rules", "champion/1", "rules"]);
}

#[test]
fn a_change_of_the_file_takes_effect_without_a_failed_request() {
    let to = |model: &str| {
        let mut spec = spec(&json!({}));
        spec["route"] = json!([{ "to": model }]);
        let other = if model == "champion" { "challenger" } else { "champion" };
        spec["models"].as_object_mut().unwrap().remove(other);
        spec
    };
    let served = Served::start(&to("champion"));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut routes = Vec::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let (status, body, route) = served.one(&row(12.5));
                assert_eq!(status, 200, "{body}");
                routes.push(route);
            }
            routes
        });
        for round in 0..20 {
            served.change(&to(if round % 2 == 0 { "challenger" } else { "champion" }));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let routes = client.join().expect("no request failed");
        assert!(!routes.is_empty());
    });
    // An endpoint that is gone leaves the models.
    served.source.set_endpoints(Vec::new());
    served.server.poll();
    assert_eq!(served.one(&row(12.5)).0, 404);
    assert_eq!(served.predict("taxi", &[row(12.5)], &[]).0, 200);
}

#[test]
fn fallbacks_answer_in_their_order_and_mistakes_of_clients_are_theirs() {
    let served = Served::start(&spec(&json!({
        "models": {
            "night": { "model": "x", "url": dead_address() },
            "rules": { "expression": "0.25" },
        },
        "route": [{ "when": "fare > 50", "to": "night" }, { "to": "champion" }],
        "shadow": [{ "to": "challenger" }],
        "fallback": ["rules"],
    })));
    let (status, answer, route) = served.one(&row(60.0));
    assert_eq!((status, answer, route.as_str()), (200, json!(0.25), "night > rules"));
    let (status, body, _) = served.one(&json!({ "fare": 12.5, "seconds": "long" }));
    assert_eq!(status, 400, "{body}");
    let night = served.model("night");
    assert_eq!((&night["errors"], &night["fallbacks"]), (&json!(1), &json!(1)), "{night}");

    served.change(&spec(&json!({
        "models": { "night": { "model": "x", "url": dead_address(), "fallback": [{ "default": { "probability": 0.5 } }] } },
        "route": [{ "when": "fare > 50", "to": "night" }, { "to": "champion" }],
        "shadow": [{ "to": "challenger" }],
    })));
    let (status, answer, route) = served.one(&row(60.0));
    assert_eq!((status, answer, route.as_str()), (200, json!(0.5), "night > default"));

    served.change(&spec(&json!({
        "models": { "night": { "model": "x", "url": dead_address() } },
        "route": [{ "when": "fare > 50", "to": "night" }, { "to": "champion" }],
        "shadow": [{ "to": "challenger" }],
    })));
    let (status, body, route) = served.one(&row(60.0));
    assert_eq!((status, route.as_str()), (502, "night failed"), "{body}");
    assert!(body["error"].as_str().unwrap().contains("no connection"), "{body}");
}

#[test]
fn the_breaker_opens_and_no_request_waits_past_its_deadline() {
    // A server that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let served = Served::start(&spec(&json!({
        "models": {
            "night": {
                "model": "x", "url": url, "limits": { "timeout_ms": 150 },
                "circuit_breaker": { "errors": 0.5, "min_requests": 3, "window_secs": 60, "open_secs": 60 },
            },
        },
        "route": [{ "when": "fare > 50", "to": "night" }, { "to": "champion" }],
        "shadow": [{ "to": "challenger" }],
    })));
    for _ in 0..3 {
        let started = Instant::now();
        let (status, body, _) = served.one(&row(60.0));
        assert_eq!(status, 504, "{body}");
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    let (status, body, _) = served.one(&row(60.0));
    assert_eq!(status, 503, "{body}");
    assert!(body["error"].as_str().unwrap().contains("fails too often"), "{body}");
    let night = served.model("night");
    assert_eq!((&night["breaker"]["state"], &night["rejected"]), (&json!("open"), &json!(1)), "{night}");
    // Other models are not concerned.
    assert_eq!(served.one(&row(10.0)).0, 200);
    let metrics = agent().get(served.server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(
        metrics.contains("tidemill_endpoint_model_breaker_open{endpoint=\"rides\",model=\"night\"} 1"),
        "{metrics}"
    );
}

#[test]
fn a_shadow_is_compared_and_a_dead_one_is_invisible() {
    let served = Served::start(&spec(&json!({
        "models": { "gone": { "model": "x", "url": dead_address() } },
        "route": [{ "to": "champion" }],
        "shadow": [{ "to": "challenger" }, { "to": "gone" }],
    })));
    for fare in 0..50 {
        let (status, body, route) = served.one(&row(f64::from(fare)));
        assert_eq!((status, route.as_str()), (200, "champion/1"), "{body}");
    }
    let all = |status: &Value| {
        status["shadows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|shadow| shadow["requests"].as_u64().unwrap() + shadow["dropped"].as_u64().unwrap() == 50)
    };
    let status = served.wait(all);
    let (challenger, gone) = (&status["shadows"][0], &status["shadows"][1]);
    assert_eq!((&challenger["pairs"], &challenger["errors"]), (&json!(50), &json!(0)), "{status:#}");
    assert_eq!(challenger["equal"], json!(0.0));
    assert!(challenger["mean_difference"].as_f64().unwrap() > 0.1, "{challenger}");
    assert_eq!(gone["errors"], gone["requests"]);
    assert!(gone["last_error"].as_str().unwrap().contains("no connection"), "{gone}");
}

#[test]
fn equal_rows_are_remembered_until_another_version_answers() {
    let cached = |model: &str| {
        let mut spec = spec(&json!({ "cache": { "predictions": { "ttl_secs": 600, "bytes_max": "1MiB" } } }));
        spec["models"] = json!({ "m": { "model": model } });
        spec["route"] = json!([{ "to": "m" }]);
        spec
    };
    let served = Served::start(&cached("taxi:1"));
    let (_, first, route) = served.one(&row(12.5));
    assert_eq!(route, "m/1");
    let (_, again, route) = served.one(&row(12.5));
    assert_eq!((&again, route.as_str()), (&first, "m/1 (cache)"));
    // Some rows are remembered, others are not.
    let (_, mixed, route) = served.predict("rides", &[row(1.0), row(12.5), row(40.0)], &[]);
    assert_eq!((&mixed["predictions"][1], route.as_str()), (&first, "m/1"));
    let plain = served.predict("taxi/versions/1", &[row(1.0), row(12.5), row(40.0)], &[]).1;
    assert_eq!(mixed, plain);
    let status = served.status();
    assert_eq!((&status["cache"]["rows"], &status["cache"]["hits"]), (&json!(3), &json!(2)), "{status:#}");
    served.change(&cached("taxi:2"));
    let (_, other, route) = served.one(&row(12.5));
    assert_eq!(route, "m/2");
    assert_ne!(other, first);
}

#[test]
fn the_last_answer_stands_in_for_a_model_that_is_gone() {
    let spec = |model: &Value| {
        let mut spec = spec(&json!({ "cache": { "predictions": {} }, "fallback": ["cached", "unavailable"] }));
        spec["models"] = json!({ "m": model, "other": { "model": "taxi:2" } });
        spec["route"] = json!([{ "when": "fare > 1000", "to": "other" }, { "to": "m" }]);
        spec
    };
    let served = Served::start(&spec(&json!({ "model": "taxi:1" })));
    let known = served.one(&row(12.5)).1;
    served.change(&spec(&json!({ "model": "taxi:7" })));
    let (status, answer, route) = served.one(&row(12.5));
    assert_eq!((status, answer, route.as_str()), (200, known, "m > cached"));
    let (status, body, _) = served.one(&row(13.5));
    assert_eq!(status, 503, "{body}");
    assert!(body["error"].as_str().unwrap().contains("not available"), "{body}");
}

#[test]
fn models_answer_together_and_one_after_the_other() {
    let combined = |combine: &Value| {
        let mut spec = spec(&json!({}));
        spec["models"]["both"] = json!({ "parallel": combine });
        spec["route"] = json!([{ "to": "both" }]);
        spec
    };
    let served = Served::start(&combined(&json!({ "models": ["champion", "challenger"], "combine": "mean" })));
    let of = |path: &str| served.predict(path, &[row(12.5)], &[]).1["predictions"][0].as_f64().unwrap();
    let (first, second) = (of("taxi/versions/1"), of("taxi/versions/2"));
    let (_, mean, route) = served.one(&row(12.5));
    assert!((mean.as_f64().unwrap() - f64::midpoint(first, second)).abs() < 1e-12);
    assert_eq!(route, "both(champion/1, challenger/2)");
    served.change(&combined(&json!({
        "models": ["champion", "challenger"], "combine": "weighted", "weights": { "champion": 3, "challenger": 1 },
    })));
    let weighted = served.one(&row(12.5)).1.as_f64().unwrap();
    assert!((weighted - (0.75 * first + 0.25 * second)).abs() < 1e-12);
    served.change(&combined(&json!({ "models": ["champion", "challenger"], "combine": "map" })));
    assert_eq!(served.one(&row(12.5)).1, json!({ "champion": first, "challenger": second }));
    served.change(&combined(&json!({ "models": ["champion", "challenger"], "combine": "argmax" })));
    let best = if first > second { "champion" } else { "challenger" };
    assert_eq!(served.one(&row(12.5)).1, json!({ "model": best, "value": first.max(second) }));

    // One of two is dead: an error, or the answer of the other.
    let partial = |policy: &str| {
        let parallel = json!({ "models": ["champion", "gone"], "combine": "mean", "partial": policy });
        let mut spec = combined(&parallel);
        spec["models"]["gone"] = json!({ "model": "x", "url": dead_address() });
        spec["shadow"] = json!([{ "to": "challenger" }]);
        spec
    };
    served.change(&partial("fail"));
    assert_eq!(served.one(&row(12.5)).0, 502);
    served.change(&partial("answer"));
    let (status, answer, route) = served.one(&row(12.5));
    assert_eq!((status, answer.as_f64().unwrap(), route.as_str()), (200, first, "both(champion/1, gone failed)"));

    // A model, then a rule about its answer.
    let mut chain = spec(&json!({
        "models": {
            "decide": {
                "expression": "case when probability > 0.999 then 1.0 else probability / 2 end",
                "outputs": { "probability": "value" },
            },
            "chain": { "sequence": [{ "model": "champion" }, { "model": "decide", "when": "probability > 0.0001" }] },
        },
    }));
    chain["route"] = json!([{ "to": "chain" }]);
    chain["shadow"] = json!([{ "to": "challenger" }]);
    served.change(&chain);
    let (status, answer, route) = served.one(&row(12.5));
    assert_eq!(status, 200, "{answer}");
    assert!((answer.as_f64().unwrap() - first / 2.0).abs() < 1e-12, "{answer} {first}");
    assert!(route.starts_with("chain(champion/1 ") && route.contains("decide"), "{route}");
}

#[test]
fn a_model_on_another_server_answers_bit_for_bit_as_one_here() {
    let there = Served::start(&spec(&json!({})));
    let url = format!("http://{}", there.server.handle.local_addr());
    let mut remote = spec(&json!({}));
    remote["models"] = json!({ "far": { "model": "taxi", "url": url } });
    remote["route"] = json!([{ "to": "far" }]);
    let source = StaticSource::default();
    source.set_endpoints(vec![parsed(&remote)]);
    let here = Running::start(options(), Arc::new(source));
    let deadline = Instant::now() + Duration::from_secs(20);
    while here.get("/v2/models/rides/ready").0 != 200 {
        assert!(Instant::now() < deadline, "{}", here.get("/endpoints/rides").1);
        std::thread::sleep(Duration::from_millis(20));
    }
    let rows: Vec<Value> = (0..100).map(|fare| row(f64::from(fare) * 0.731)).collect();
    let body = json!({ "instances": rows }).to_string();
    let (status, far) = here.post("/v1/models/rides:predict", &body);
    assert_eq!(status, 200, "{far}");
    assert_eq!(far, there.server.post("/v1/models/taxi:predict", &body).1);
    let (status, error) = here.post("/v1/models/rides:predict", r#"{"instances": [{"fare": 1.5}]}"#);
    assert_eq!(status, 400, "{error}");
    drop(there);
    assert_eq!(here.post("/v1/models/rides:predict", &body).0, 502);
}

#[test]
fn a_file_that_does_not_fit_its_models_changes_nothing_and_says_why() {
    let served = Served::start(&spec(&json!({})));
    let mut wrong = spec(&json!({}));
    wrong["route"] = json!([{ "when": "fair > 3", "to": "champion" }, { "to": "challenger" }]);
    served.change(&wrong);
    assert_eq!(served.one(&row(12.5)).0, 200);
    let problem = served.status()["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("no model takes an input `fair`"), "{problem}");
    served.change(&spec(&json!({})));
    assert_eq!(served.status()["problem"], Value::Null);
}

#[test]
fn a_model_that_is_off_is_passed_over_and_a_threshold_decides() {
    let mut off = spec(&json!({ "models": { "challenger": { "off": true }, "champion": { "threshold": 0.1 } } }));
    off["route"] = json!([{ "when": "fare > 5", "to": "challenger" }, { "to": "champion" }]);
    let served = Served::start(&off);
    let (status, answer, route) = served.one(&row(12.5));
    assert_eq!((status, answer, route.as_str()), (200, json!(1.0), "champion/1"));
    assert_eq!(served.model("challenger")["off"], json!(true));
}

#[test]
fn a_rollout_goes_on_while_its_guards_hold_and_back_when_they_do_not() {
    let ramp = |candidate: &Value| {
        let mut spec = spec(&json!({
            "models": { "challenger": candidate },
            "rollout": {
                "candidate": "challenger", "steps": [20, 100], "every": "0s", "min_requests": 20,
                "guards": { "error_rate": { "at_most": 0.2 } },
            },
            "fallback": ["rules"],
        }));
        spec["models"]["rules"] = json!({ "expression": "0.5" });
        spec["models"]["challenger"] = candidate.clone();
        spec
    };
    let served = Served::start(&ramp(&json!({ "model": "taxi:2" })));
    let send = |until: &dyn Fn(&Value) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        for rider in 0.. {
            let mut row = row(12.5);
            row["rider"] = json!(format!("rider-{rider}"));
            let (status, body, _) = served.one(&row);
            assert_eq!(status, 200, "{body}");
            let status = served.status();
            if until(&status["rollout"]) {
                return status["rollout"].clone();
            }
            assert!(Instant::now() < deadline, "{status:#}");
        }
        Value::Null
    };
    let done = send(&|rollout| rollout["state"] == "done");
    assert_eq!(done["share"], json!(100.0), "{done}");
    assert_eq!(served.one(&row(12.5)).2, "challenger/2");
    // A candidate that fails: users get the fallback, and soon the other arm.
    served.change(&ramp(&json!({ "model": "x", "url": dead_address() })));
    let back = send(&|rollout| rollout["state"] == "rolled_back");
    assert!(back["reason"].as_str().unwrap().contains("error_rate"), "{back}");
    assert_eq!(served.one(&row(12.5)).2, "champion/1");
    let metrics = agent().get(served.server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(metrics.contains("tidemill_endpoint_rollout_share{endpoint=\"rides\"} 0"), "{metrics}");
}
