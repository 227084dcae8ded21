//! Running a program within its limits.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tidemill_core::{CancelFlag, Code, ComponentError, Progress};

use super::events::{BYTES_MAX, Events};
use super::job::{Scratch, environment, io};
use super::kept::{JobFolder, LogFile};
use super::{PAUSE, TrainingCommand, failed};
use crate::learner::TrainingData;

/// Lines of output that an error shows.
const TAIL_LINES: usize = 20;
/// A longer line is cut.
const LINE_BYTES: u64 = 2_000;
/// How long the end of the output is waited for: a grandchild that left the process group may hold the pipe open for ever.
const LOG_WAIT: Duration = Duration::from_secs(1);
/// How often memory is looked at.
const MEMORY_PAUSE: Duration = Duration::from_millis(200);

/// The end of what a program printed, and the file that has all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    tail: Arc<Mutex<VecDeque<String>>>,
    file: Option<Arc<Mutex<LogFile>>>,
}

impl Log {
    /// The last lines.
    pub(super) fn tail(&self) -> String {
        let lines = self.tail.lock().map(|lines| lines.iter().cloned().collect::<Vec<_>>()).unwrap_or_default();
        lines.join("\n")
    }

    /// The file with the whole output, if it is kept.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.file.as_ref()?.lock().ok().map(|file| file.path.clone())
    }

    fn push(&self, line: &[u8]) {
        if let Some(mut file) = self.file.as_ref().and_then(|file| file.lock().ok()) {
            file.push(line);
        }
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        if let Ok(mut lines) = self.tail.lock() {
            lines.push_back(line);
            if lines.len() > TAIL_LINES {
                lines.pop_front();
            }
        }
    }

    /// Reads lines until there are no more; keeps the last ones, however many there are and however long they are. The
    /// receiver hears of the end.
    fn follow(&self, output: impl Read + Send + 'static) -> Receiver<()> {
        let log = self.clone();
        let (end, ended) = channel();
        std::thread::spawn(move || {
            let _end = end;
            let mut reader = BufReader::new(output);
            loop {
                let mut line = Vec::new();
                match reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => log.push(&line),
                }
            }
        });
        ended
    }
}

/// The end of a log, as the cause of an error.
#[derive(Debug)]
pub(super) struct LogTail {
    pub(super) tail: String,
    pub(super) file: Option<PathBuf>,
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all =
            self.file.as_ref().map_or_else(String::new, |file| format!(" (all of it is in `{}`)", file.display()));
        write!(f, "the last lines of its output{all}:\n{}", self.tail)
    }
}

impl std::error::Error for LogTail {}

/// A program that ended well.
pub(super) struct Ended {
    pub(super) metrics: Vec<Value>,
    pub(super) warnings: Vec<String>,
    pub(super) log: Log,
}

/// Why a program was stopped.
enum Stopped {
    Cancelled,
    Time,
    Memory(u64),
    Events,
}

/// A program to run, with its limits.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "plain data")]
pub struct Program<'a> {
    /// What it is to a person: `training command`.
    pub what: &'static str,
    /// The program and its arguments.
    pub run: &'a [String],
    /// Where it runs; empty for the current folder.
    pub folder: &'a Path,
    pub environment: &'a [(String, String)],
    pub timeout_secs: u64,
    /// Largest memory of the program and its children together.
    pub memory_mib: Option<u64>,
    /// Seconds that it has to end itself after it is asked to.
    pub grace_secs: u64,
    /// The file that it writes events to.
    pub events: &'a Path,
    /// The file in which it may say why it failed.
    pub result: &'a Path,
    pub progress: &'a dyn Progress,
    pub cancel: &'a CancelFlag,
}

impl fmt::Debug for Program<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("run", &self.run).finish_non_exhaustive()
    }
}

/// What a program of a component reported.
#[derive(Debug, Clone, Default)]
pub struct ProgramReport {
    /// Metrics, as it wrote them.
    pub metrics: Vec<Value>,
    /// Things worth knowing, a line each.
    pub warnings: Vec<String>,
}

impl Program<'_> {
    /// Runs the program to its end. It gets a process group of its own, and nothing of the group is left afterwards, however
    /// it ends: children and their children are stopped too, unless they left the group.
    pub fn run_to_end(&self) -> Result<ProgramReport, ComponentError> {
        let ended = run_program(self, None)?;
        Ok(ProgramReport { metrics: ended.metrics, warnings: ended.warnings })
    }
}

/// Runs the program of a training job to its end.
pub(super) fn run(
    command: &TrainingCommand,
    data: &TrainingData<'_>,
    scratch: &Scratch,
    job: &Value,
) -> Result<Ended, ComponentError> {
    let mut environment = environment(scratch, job);
    environment.extend(command.env.clone());
    let (events, result) = (scratch.events(), scratch.out().join("result.json"));
    let program = Program {
        what: "training command",
        run: &command.run,
        folder: data.project_dir,
        environment: &environment,
        timeout_secs: command.timeout_secs,
        memory_mib: command.memory_mib,
        grace_secs: command.grace_secs,
        events: &events,
        result: &result,
        progress: data.progress,
        cancel: data.cancel,
    };
    run_program(&program, data.job.map(JobFolder::log).transpose()?)
}

fn run_program(program: &Program<'_>, file: Option<LogFile>) -> Result<Ended, ComponentError> {
    let (name, what) = (&program.run[0], program.what);
    let mut process = Command::new(name);
    // An empty path is the current folder, which the operating system would not find.
    let folder = if program.folder.as_os_str().is_empty() { Path::new(".") } else { program.folder };
    process
        .args(&program.run[1..])
        .current_dir(folder)
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    // One pipe for both, so that lines keep their order.
    let piped = std::io::pipe().and_then(|(reader, writer)| {
        process.stdout(writer.try_clone()?).stderr(writer);
        Ok(reader)
    });
    let output = piped.map_err(|error| io(&format!("cannot make a pipe for the {what}"), error))?;
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut process, 0);
    let child = process.spawn().map_err(|error| {
        let message = format!("cannot start the {what} `{name}`");
        let hint = "`run` names a program on the PATH, or a file of the project as `./train.sh`";
        let error = ComponentError { source: Some(Box::new(error)), ..ComponentError::new(Code::JobFailed, message) };
        error.with_hint(hint)
    })?;
    // This process must not hold the pipe open itself.
    drop(process);
    let log = Log { file: file.map(|file| Arc::new(Mutex::new(file))), ..Log::default() };
    let log_ended = log.follow(output);
    let mut group = Group { child, grace: Duration::from_secs(program.grace_secs) };
    let mut events = Events::default();
    let watched = watch(program, &mut group, &mut events);
    let stopped = match watched {
        Ok(status) => {
            group.end();
            events.poll(program.events, program.progress);
            let _ = log_ended.recv_timeout(LOG_WAIT);
            if status.success() {
                let (metrics, warnings) = events.finish();
                return Ok(Ended { metrics, warnings, log });
            }
            return Err(unsuccessful(program, status, &log));
        }
        Err(stopped) => stopped,
    };
    group.stop();
    let _ = log_ended.recv_timeout(LOG_WAIT);
    Err(match stopped {
        Stopped::Cancelled => {
            program.cancel.check()?;
            ComponentError::new(Code::Canceled, format!("the {what} was cancelled"))
        }
        Stopped::Time => {
            let message = format!("the {what} `{name}` ran for more than {} s", program.timeout_secs);
            failed(Code::JobLimit, message, &log).with_hint("raise `timeout_secs`, or give it less to do")
        }
        Stopped::Memory(mib) => {
            let limit = program.memory_mib.unwrap_or_default();
            let message = format!("the {what} `{name}` took {mib} MiB of memory, and {limit} MiB are allowed");
            failed(Code::JobLimit, message, &log).with_hint("raise `memory_mib`, or give it less data at once")
        }
        Stopped::Events => {
            let message = format!("the {what} `{name}` wrote more than {} MiB of events", BYTES_MAX >> 20);
            failed(Code::JobLimit, message, &log).with_hint("report a metric once a step")
        }
    })
}

/// Waits for the end of the program.
fn watch(program: &Program<'_>, group: &mut Group, events: &mut Events) -> Result<ExitStatus, Stopped> {
    let start = Instant::now();
    let deadline = Duration::from_secs(program.timeout_secs);
    let mut memory_looked_at = start;
    loop {
        if let Ok(Some(status)) = group.child.try_wait() {
            return Ok(status);
        }
        if program.cancel.is_set() {
            return Err(Stopped::Cancelled);
        }
        if start.elapsed() > deadline {
            return Err(Stopped::Time);
        }
        if !events.poll(program.events, program.progress) {
            return Err(Stopped::Events);
        }
        if let Some(limit) = program.memory_mib.filter(|_| memory_looked_at.elapsed() > MEMORY_PAUSE) {
            memory_looked_at = Instant::now();
            if let Some(mib) = group.memory_mib().filter(|mib| *mib > limit) {
                return Err(Stopped::Memory(mib));
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// The error of a program that ended with another status than 0.
fn unsuccessful(program: &Program<'_>, status: ExitStatus, log: &Log) -> ComponentError {
    let (name, what) = (&program.run[0], program.what);
    // The program may say itself why.
    let said = std::fs::read(program.result).ok();
    let said = said.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let reason = said.as_ref().and_then(|result| result["failure"]["message"].as_str());
    match reason {
        Some(reason) => failed(Code::JobFailed, format!("the {what} `{name}` failed: {reason}"), log),
        None => failed(Code::JobFailed, format!("the {what} `{name}` failed ({status})"), log),
    }
}

/// A program and everything that it started, unless it left the group.
struct Group {
    child: Child,
    grace: Duration,
}

impl Group {
    /// Asks the group to end, and kills what is left after the grace.
    fn stop(&mut self) {
        self.signal(false);
        let asked = Instant::now();
        while asked.elapsed() < self.grace {
            if let Ok(Some(_)) = self.child.try_wait() {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        self.end();
    }

    /// Kills what is left of the group.
    fn end(&mut self) {
        self.signal(true);
        let _ = self.child.wait();
    }

    #[cfg(unix)]
    fn signal(&self, kill: bool) {
        use rustix::process::{Pid, Signal, kill_process_group};
        if let Some(group) = Pid::from_raw(self.child.id() as i32) {
            // The group may be gone already.
            let _ = kill_process_group(group, if kill { Signal::KILL } else { Signal::TERM });
        }
    }

    #[cfg(not(unix))]
    fn signal(&mut self, _kill: bool) {
        let _ = self.child.kill();
    }

    /// The memory of all processes of the group.
    #[cfg(target_os = "linux")]
    fn memory_mib(&self) -> Option<u64> {
        let group = self.child.id().to_string();
        let mut pages = 0_u64;
        for process in std::fs::read_dir("/proc").ok()?.flatten() {
            let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { continue };
            // The name, which may hold anything, ends with the last parenthesis.
            let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
            let fields: Vec<&str> = fields.split(' ').collect();
            if fields.get(2) == Some(&group.as_str()) {
                pages += fields.get(21).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
            }
        }
        Some((pages * rustix::param::page_size() as u64) >> 20)
    }

    #[cfg(not(target_os = "linux"))]
    fn memory_mib(&self) -> Option<u64> {
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.end();
        }
    }
}
