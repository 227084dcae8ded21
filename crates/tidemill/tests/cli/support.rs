//! Running the binary in a folder of its own.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a project in it.
pub struct Sandbox {
    dir: TempDir,
}

/// What a command did.
pub struct Transcript {
    command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    /// An empty folder.
    pub fn empty() -> Self {
        Self { dir: TempDir::new().expect("a temporary folder") }
    }

    /// The taxi project with `rows` trips, not run yet.
    pub fn taxi(rows: u32) -> Self {
        let sandbox = Self::empty();
        let made = sandbox.tidemill(&["init", "taxi", ".", "--rows", &rows.to_string()]);
        assert_eq!(made.code, 0, "{made}");
        sandbox
    }

    /// The taxi project, run once.
    pub fn trained(rows: u32) -> Self {
        let sandbox = Self::taxi(rows);
        let run = sandbox.tidemill(&["run"]);
        assert_eq!(run.code, 0, "{run}");
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    }

    /// Replaces a piece of a file that must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.write(name, text.replace(from, to));
    }

    /// The command, ready to start: nothing of the caller's environment changes what it does.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("NO_COLOR", "1").env("XDG_CONFIG_HOME", self.dir.path().join("config"));
        for variable in ["TIDEMILL_PROJECT", "TIDEMILL_PROFILE", "TIDEMILL_LOG", "TIDEMILL_STORE"] {
            command.env_remove(variable);
        }
        // One step after the other: a transcript shows steps in the order they end in.
        command.env("TIDEMILL_STEPS_AT_ONCE", "1");
        command
    }

    /// Runs the command to its end.
    pub fn tidemill(&self, args: &[&str]) -> Transcript {
        self.run(self.command(args), args)
    }

    /// Runs a command that starts the binary in its own way, in the folder and environment of [`command`](Self::command).
    pub fn run(&self, mut command: Command, args: &[&str]) -> Transcript {
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        let environment = self.command(&[]);
        for (name, value) in environment.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Transcript {
            command: args.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs the command with `-o json` and gives the document.
    pub fn json(&self, args: &[&str]) -> Value {
        let transcript = self.tidemill(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&transcript.stdout).unwrap_or_else(|error| panic!("{error}: {transcript}"))
    }

    /// What is left in the staging folder of the store.
    pub fn staged(&self) -> usize {
        let staging = self.path(".tidemill/artifacts/staging");
        fs::read_dir(staging).map_or(0, |entries| entries.flatten().filter(|entry| entry.path().is_dir()).count())
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ tidemill {}\nexit {}", self.command, self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {name}")?;
                for line in text.lines() {
                    writeln!(f, "{}", line.trim_end())?;
                }
            }
        }
        Ok(())
    }
}

/// Compares with the golden text, whatever the machine's speed, the folder and the ids.
pub fn golden(name: &str, shown: impl fmt::Display) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("golden");
    settings.set_omit_expression(true);
    for (pattern, replacement) in [
        (r"/[^ `]*\.tidemill/", "[STORE]/"),
        (r"/tmp/[^ `/]*", "[DIR]"),
        (r"/[0-9a-f]{2}/", "/[..]/"),
        (r" +\d+(\.\d+)?s\b", " [TIME]"),
        (r"\(\d+(\.\d+)?s", "([TIME]"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "[RUN]"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}\b", "[RUN]"),
        (r"\b[0-9a-f]{64}\b", "[DIGEST]"),
        (r"\b[0-9a-f]{12}\b", "[DIGEST]"),
        (r"(just now|\d+ \w+ ago)", "[AGO]"),
        (r"\d+\.\d+ ms", "[MS]"),
        (r"p99 [\d.]+ ms", "p99 [MS]"),
        (r"\d+(\.\d+)? [KM]iB", "[SIZE]"),
        (r"process \d+", "process [PID]"),
        (r"─+", "─"),
        (r"[ ]{3,}", "  "),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings.bind(|| insta::assert_snapshot!(name, shown.to_string()));
}

/// A server that stops with the test.
pub struct Server {
    child: Child,
    pub url: String,
    /// Host and port of gRPC.
    pub grpc: String,
}

impl Server {
    /// Serves the project's registry on a free port, looking for new versions all the time.
    pub fn start(sandbox: &Sandbox) -> Self {
        Self::start_with(sandbox, &[], &[])
    }

    /// The same with more arguments and environment.
    pub fn start_with(sandbox: &Sandbox, more: &[&str], environment: &[(&str, String)]) -> Self {
        let ports = ["--rest_api_port", "0", "--port", "0"];
        let args = [&["serve"], &ports[..], &["--file_system_poll_wait_seconds", "0.05", "-o", "json"], more].concat();
        let mut command = sandbox.command(&args);
        command.envs(environment.iter().map(|(name, value)| (*name, value.as_str())));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let grpc = said["grpc"].as_str().expect("an address");
        assert!(std::net::TcpStream::connect(grpc).is_ok(), "nobody listens at {grpc}");
        let grpc = grpc.to_owned();
        Self { child, grpc, url: said["rest"].as_str().expect("an address").to_owned() }
    }

    /// Asks the server to stop, and waits until it has.
    pub fn terminate(&mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().expect("`kill` starts");
        assert!(asked.success());
        let ended = self.child.wait().expect("the server ends");
        assert!(ended.success(), "{ended}");
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        answer(ureq::get(format!("{}{path}", self.url)).config().http_status_as_error(false).build().call())
    }

    pub fn post(&self, path: &str, body: &str) -> (u16, Value) {
        answer(ureq::post(format!("{}{path}", self.url)).config().http_status_as_error(false).build().send(body))
    }
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut response = response.expect("the server answers");
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().expect("an answer is text");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of a CSV file as maps of its columns, empty cells left out, numbers as numbers.
pub fn rows(path: &Path, limit: usize) -> Vec<serde_json::Map<String, Value>> {
    let text = fs::read_to_string(path).expect("the file can be read");
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let cell = |text: &str| {
        text.parse::<f64>().ok().and_then(|_| serde_json::from_str(text).ok()).unwrap_or_else(|| text.into())
    };
    lines
        .take(limit)
        .map(|line| {
            let cells = head.iter().zip(line.split(',')).filter(|(_, text)| !text.is_empty());
            cells.map(|(name, text)| ((*name).to_owned(), cell(text))).collect()
        })
        .collect()
}
