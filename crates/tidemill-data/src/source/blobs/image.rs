//! Images: whether they are whole, and how large they are.

use std::io::Cursor;
use std::path::Path;

use image::{ImageDecoder, ImageReader, Limits};

use crate::DataError;

/// Bytes of the pixels of an image, at most.
const PIXEL_BYTES_MAX: u64 = 256 << 20;

/// How large an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ImageFacts {
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) channels: i64,
}

/// Decodes the image from end to end.
pub(super) fn check(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    guarded(path, || reader(bytes)?.decode().map(|_| ()).map_err(|error| error.to_string()))
}

/// What the head of the image says.
pub(super) fn facts(path: &Path, bytes: &[u8]) -> Result<ImageFacts, DataError> {
    guarded(path, || {
        let decoder = reader(bytes)?.into_decoder().map_err(|error| error.to_string())?;
        let (width, height) = decoder.dimensions();
        let channels = i64::from(decoder.color_type().channel_count());
        Ok(ImageFacts { width: i64::from(width), height: i64::from(height), channels })
    })
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(PIXEL_BYTES_MAX);
    reader.limits(limits);
    Ok(reader)
}

/// Runs a decoder, which may panic on damaged bytes instead of giving an error.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, String>) -> Result<T, DataError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("its bytes contradict each other".to_owned()))
        .map_err(|message| {
            DataError::malformed(path, None, format!("it is no image, or cut short or damaged: {message}"))
        })
}
