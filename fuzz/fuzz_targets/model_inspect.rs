//! SavedModels and `TFLite` models, which are read and not run.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidemill_onnx::inspect;

fuzz_target!(|data: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let name = if data.get(4..8) == Some(b"TFL3") { "model.tflite" } else { "saved_model.pb" };
    if std::fs::write(folder.path().join(name), data).is_ok()
        && let Ok(Some(model)) = inspect(folder.path())
    {
        assert_eq!(model.bytes, data.len() as u64);
        assert!(model.conversion().contains("tf2onnx"));
    }
});
