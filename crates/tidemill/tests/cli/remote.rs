//! Data that is elsewhere: object stores.

use std::process::Output;

use serde_json::Value;

use crate::bucket::Bucket;
use crate::support::{Sandbox, Server};

/// A command with the environment of a store.
struct Shell<'a> {
    sandbox: &'a Sandbox,
    environment: Vec<(&'static str, String)>,
}

impl Shell<'_> {
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = self.sandbox.command(args);
        let of_a_store =
            |name: &str| ["AWS_", "GOOGLE_", "AZURE_", "AZURITE_"].iter().any(|maker| name.starts_with(maker));
        for (name, _) in std::env::vars().filter(|(name, _)| of_a_store(name)) {
            command.env_remove(name);
        }
        let Output { status, stdout, stderr } =
            command.envs(self.environment.iter().cloned()).output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    }

    fn good(&self, args: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(args);
        assert_eq!(code, 0, "{args:?}: {stderr}");
        stdout
    }

    /// Exit code and what is said of a command that fails.
    fn bad(&self, args: &[&str]) -> (i32, String) {
        let (code, _, stderr) = self.run(args);
        assert_ne!(code, 0, "{args:?}");
        (code, stderr)
    }
}

fn shell<'a>(sandbox: &'a Sandbox, bucket: &Bucket) -> Shell<'a> {
    Shell { sandbox, environment: bucket.environment().to_vec() }
}

/// Reads and writes through the store at `bucket_url`, whoever runs it.
fn round_trip(sandbox: &Sandbox, shell: &Shell<'_>, bucket_url: &str) {
    let at = |key: &str| format!("{bucket_url}/{key}");
    let here = shell.good(&["predict", "data/trips.csv", "--out", "predictions.parquet", "-o", "json"]);
    let there = shell.good(&["predict", "data/trips.csv", "--out", &at("out/all.parquet"), "-o", "json"]);
    let rows = |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["rows"].clone();
    assert_eq!(rows(&here), rows(&there));
    let stats = |file: &str| {
        let mut stats: Value = serde_json::from_str(&shell.good(&["stats", file, "-o", "json"])).expect("JSON");
        stats["name"] = Value::Null;
        stats
    };
    let expected = stats("predictions.parquet");
    for path in ["out/all.parquet", "out", "out/*.parquet", "**/a*.parquet"] {
        assert_eq!(stats(&at(path)), expected, "{path}");
    }
    let drift = shell.good(&["drift", &at("out"), "predictions.parquet"]);
    assert!(drift.contains("no drift"), "{drift}");
    let (code, said) = shell.bad(&["stats", &at("none/*.csv")]);
    assert_eq!(code, 2);
    assert!(said.contains(&format!("no file at `{bucket_url}/none/*.csv`")), "{said}");
    assert!(sandbox.path("predictions.parquet").is_file());
}

#[test]
fn commands_read_and_write_objects() {
    let (sandbox, bucket) = (Sandbox::trained(1500), Bucket::start());
    round_trip(&sandbox, &shell(&sandbox, &bucket), "s3://data");
}

/// Google's store speaks the same protocol but for how requests are signed and written on condition.
#[test]
fn googles_store_is_read_and_written() {
    let (sandbox, bucket) = (Sandbox::trained(1500), Bucket::start());
    let account = serde_json::json!({
        "gcs_base_url": bucket.endpoint,
        "disable_oauth": true,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    });
    let environment = vec![
        ("GOOGLE_SERVICE_ACCOUNT_KEY", account.to_string()),
        ("GOOGLE_BASE_URL", bucket.endpoint.clone()),
        ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
    ];
    round_trip(&sandbox, &Shell { sandbox: &sandbox, environment }, "gs://data");
}

/// Azure's, against the emulator of its maker; `scripts/test-services` starts it.
#[test]
fn azures_store_is_read_and_written() {
    let Ok(endpoint) = std::env::var("TIDEMILL_TEST_AZURE") else {
        eprintln!("skipped: TIDEMILL_TEST_AZURE is not set; `scripts/test-services cargo test` starts Azurite");
        return;
    };
    let sandbox = Sandbox::trained(1500);
    let environment = vec![
        ("AZURITE_BLOB_STORAGE_URL", endpoint),
        ("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()),
        ("AZURE_ALLOW_HTTP", "true".to_owned()),
    ];
    round_trip(&sandbox, &Shell { sandbox: &sandbox, environment }, "az://tidemill-test");
}

/// The same against a server that others wrote; `scripts/test-services` starts one.
#[test]
fn another_makers_store_is_read_and_written() {
    let Ok(endpoint) = std::env::var("TIDEMILL_TEST_S3") else {
        eprintln!("skipped: TIDEMILL_TEST_S3 is not set; `scripts/test-services cargo test` starts an S3 server");
        return;
    };
    let sandbox = Sandbox::trained(1500);
    let mut environment = Bucket::start().environment().to_vec();
    environment[0].1 = endpoint;
    round_trip(&sandbox, &Shell { sandbox: &sandbox, environment }, "s3://tidemill-test");
}

#[test]
fn a_pipeline_reads_spans_of_a_bucket_and_knows_them_again() {
    let (sandbox, bucket) = (Sandbox::taxi(600), Bucket::start());
    let shell = shell(&sandbox, &bucket);
    let trips = sandbox.read("data/trips.csv");
    sandbox.edit("pipeline.yaml", "{ csv: data/trips.csv }", "{ csv: \"s3://data/rides/span-{SPAN}/*.csv\" }");
    for span in [9, 10] {
        bucket.put(&format!("rides/span-{span}/part 1.csv"), trips.as_bytes());
    }
    shell.good(&["run"]);
    let examples = shell.good(&["artifacts", "--type", "Examples", "-o", "json"]);
    assert!(examples.contains("\"span\": 10"), "{examples}");
    bucket.change(|contents| assert_eq!(contents.reads.remove("rides/span-10/part 1.csv"), Some(1)));
    // The listing says that nothing changed: nothing is read again.
    let again = shell.good(&["plan"]);
    assert!(again.contains("nothing to do"), "{again}");
    bucket.change(|contents| assert!(contents.reads.is_empty(), "{:?}", contents.reads));
    let longer = format!("{trips}{}\n", trips.lines().last().expect("a line"));
    bucket.put("rides/span-10/part 1.csv", longer);
    let plan = shell.good(&["plan"]);
    assert!(plan.contains("`s3://data/rides/span-10/part 1.csv` has changed"), "{plan}");
}

#[test]
fn errors_name_the_object_and_say_what_to_do() {
    let (sandbox, bucket) = (Sandbox::empty(), Bucket::start());
    let mut shell = shell(&sandbox, &bucket);
    bucket.put("bad.csv", "a,b\n1,2\n3\n");
    bucket.put("good.csv", "a,b\n1,2\n3,4\n");
    for (path, code, message) in [
        ("s3://data/bad.csv", 2, "`s3://data/bad.csv` line 3: the row has 1 cells, the header has 2"),
        ("s3://data/none.csv", 2, "no file at `s3://data/none.csv`"),
        ("s3://nowhere/x.csv", 2, "there is no bucket `s3://nowhere`"),
        ("s3://", 2, "names no bucket"),
        ("ftp://data/x.csv", 2, "is of no kind that is read"),
    ] {
        let (exit, said) = shell.bad(&["stats", path]);
        assert!(said.contains(message), "{path}: {said}");
        assert_eq!(exit, code, "{path}: {said}");
    }
    bucket.change(|contents| contents.restless = true);
    let (code, said) = shell.bad(&["stats", "s3://data/good.csv"]);
    assert!(said.contains("`s3://data/good.csv` changed while it was read: it is another one now"), "{said}");
    assert_eq!(code, 3);
    for (status, answer, message) in [
        (403, "AccessDenied", "the credentials are valid but may not do this"),
        (403, "SignatureDoesNotMatch", "the credentials are not valid here"),
        (400, "ExpiredToken", "the session has ended"),
    ] {
        bucket.change(|contents| contents.refuse = Some((status, answer)));
        let (code, said) = shell.bad(&["stats", "s3://data/*.csv"]);
        assert!(said.contains("access to `s3://data` is denied") && said.contains(message), "{said}");
        assert!(!said.contains("a-secret"), "{said}");
        assert_eq!(code, 3);
        // The same for what is written.
        let (code, said) = shell.bad(&["sql", "SELECT 1 AS one", "--out", "s3://data/one.parquet"]);
        assert!(said.contains("access to `s3://data/one.parquet` is denied") && said.contains(message), "{said}");
        assert_eq!(code, 3);
    }
    // Nobody says who we are, and this machine is of no cloud.
    shell.environment.retain(|(name, _)| !name.contains("KEY"));
    shell.environment.push(("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9".to_owned()));
    let (code, said) = shell.bad(&["stats", "s3://data/*.csv"]);
    assert!(said.contains("there are no credentials for `s3://data`") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
    assert_eq!(code, 3);
}

#[test]
fn a_server_serves_the_newest_version_of_a_bucket() {
    let (sandbox, bucket) = (Sandbox::trained(1500), Bucket::start());
    let package = find(&sandbox.path(".tidemill/artifacts"), "model.json");
    let upload = |version: u64| {
        for file in files_in(&package) {
            let name = file.strip_prefix(&package).expect("inside").display().to_string();
            bucket.put(&format!("models/taxi/{version}/{name}"), std::fs::read(&file).expect("a file"));
        }
    };
    upload(1);
    let cache = sandbox.path("cache").display().to_string();
    let mut environment = bucket.environment().to_vec();
    environment.push(("XDG_CACHE_HOME", cache));
    let server = Server::start_with(
        &sandbox,
        &["--model_base_path", "s3://data/models/taxi", "--model_name", "taxi"],
        &environment,
    );
    let version = |server: &Server| server.get("/v1/models/taxi").1["model_version_status"][0]["version"].clone();
    assert_eq!(version(&server), "1");
    upload(2);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while version(&server) != "2" {
        assert!(std::time::Instant::now() < deadline, "version 2 is not served");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // Nothing is read twice.
    bucket.change(|contents| assert!(contents.reads.values().all(|reads| *reads == 1), "{:?}", contents.reads));
}

/// The folder that has a file of this name.
fn find(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let files = files_in(folder);
    let file =
        files.iter().find(|file| file.file_name().is_some_and(|found| found == name)).expect("the file is there");
    file.parent().expect("a folder").to_owned()
}

fn files_in(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files
}
