//! The state of a training in a file, from which a training that was killed goes on.
//!
//! Magic, version, the digest of what follows; epochs, steps, the best epoch and its loss, both curves, then every number of the
//! state in its order. The file is read only by the training that wrote it: its folder belongs to the fingerprint of the step.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tidemill_core::{Code, ComponentError};

use super::state::{Best, State};

const FILE_NAME: &str = "network.checkpoint";
const MAGIC: &[u8; 4] = b"TMNC";
const VERSION: u32 = 1;
/// A training spends at most one part in so many on writing.
const PARTS: u32 = 50;

/// Writes states, and finds the last.
#[derive(Debug)]
pub(super) struct Checkpoints {
    file: PathBuf,
    /// When the last was written, and how long to wait after it.
    last: (Instant, Duration),
    least_pause: Duration,
    /// A pause lasts so many times as long as the writing before it.
    parts: u32,
}

impl Checkpoints {
    /// Checkpoints in the folder of the step's unfinished work.
    pub(super) fn new(folder: &Path) -> Self {
        Self::with_pauses(folder, Duration::from_secs(1), PARTS)
    }

    /// A checkpoint after every epoch.
    #[cfg(test)]
    pub(super) fn after_every_epoch(folder: &Path) -> Self {
        Self::with_pauses(folder, Duration::ZERO, 0)
    }

    fn with_pauses(folder: &Path, least_pause: Duration, parts: u32) -> Self {
        Self { file: folder.join(FILE_NAME), last: (Instant::now(), least_pause), least_pause, parts }
    }

    /// Puts the last state into `state`, which is that before the first epoch. A file that is damaged, or of another
    /// network, counts as none.
    pub(super) fn resume(&self, state: &mut State) {
        let Ok(bytes) = std::fs::read(&self.file) else { return };
        let mut found = state.clone();
        if read(&bytes, &mut found).is_some() {
            *state = found;
        }
    }

    /// Writes the state if it is time to.
    pub(super) fn keep(&mut self, state: &mut State) -> Result<(), ComponentError> {
        if self.last.0.elapsed() < self.last.1 {
            return Ok(());
        }
        let start = Instant::now();
        tidemill_files::create_parent(&self.file)
            .and_then(|()| tidemill_files::write(&self.file, written(state)))
            .map_err(|error| ComponentError::new(Code::Io, error.to_string()))?;
        self.last = (Instant::now(), self.least_pause.max(start.elapsed() * self.parts));
        Ok(())
    }
}

fn written(state: &mut State) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(state.epochs.to_le_bytes());
    body.extend(state.steps.to_le_bytes());
    let (epoch, loss) = state.best.as_ref().map_or((0, f64::NAN), |best| (best.epoch, best.loss));
    body.extend(epoch.to_le_bytes());
    body.extend(loss.to_le_bytes());
    for curve in [&state.train_curve, &state.validation_curve] {
        body.extend((curve.len() as u64).to_le_bytes());
        body.extend(curve.iter().flat_map(|loss| loss.to_le_bytes()));
    }
    let best = state.best.clone();
    let mut put = |numbers: Vec<&mut [f32]>| {
        for numbers in numbers {
            body.extend((numbers.len() as u64).to_le_bytes());
            body.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
    };
    put(state.numbers());
    if let Some(mut best) = best {
        put(best.net.numbers());
    }
    let mut file = Vec::with_capacity(body.len() + 40);
    file.extend(MAGIC);
    file.extend(VERSION.to_le_bytes());
    file.extend(blake3::hash(&body).as_bytes());
    file.extend(body);
    file
}

/// Reads what was written of a state of the same shape; `None` leaves `state` in pieces.
fn read(bytes: &[u8], state: &mut State) -> Option<()> {
    let mut bytes = Bytes(bytes);
    (bytes.take(4)? == MAGIC && bytes.u32()? == VERSION).then_some(())?;
    let digest = bytes.array()?;
    (blake3::hash(bytes.0) == digest).then_some(())?;
    state.epochs = bytes.u32()?;
    state.steps = bytes.u64()?;
    let (epoch, loss) = (bytes.u32()?, bytes.f64()?);
    for curve in [&mut state.train_curve, &mut state.validation_curve] {
        let count = bytes.u64()?;
        for _ in 0..count {
            curve.push(bytes.f64()?);
        }
    }
    for numbers in state.numbers() {
        bytes.numbers(numbers)?;
    }
    if epoch > 0 {
        let mut net = state.net.clone();
        for numbers in net.numbers() {
            bytes.numbers(numbers)?;
        }
        state.best = Some(Best { epoch, loss, net });
    }
    bytes.0.is_empty().then_some(())
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn f64(&mut self) -> Option<f64> {
        self.array().map(f64::from_le_bytes)
    }

    fn numbers(&mut self, into: &mut [f32]) -> Option<()> {
        (self.u64()? == into.len() as u64).then_some(())?;
        for number in into {
            *number = self.array().map(f32::from_le_bytes)?;
        }
        Some(())
    }
}
