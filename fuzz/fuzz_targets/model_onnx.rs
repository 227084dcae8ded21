//! ONNX models.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod foreign;

fuzz_target!(init: let_tract_panic(), |data: &[u8]| {
    if data.first() == Some(&8) {
        foreign::run(data, "model.onnx");
    }
});

/// libFuzzer ends the process at any panic. Those of tract are caught where it is called, and are no finding.
fn let_tract_panic() {
    let fatal = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|place| place.file().contains("/tract-") || place.file().contains("/ndarray-")) {
            fatal(panic);
        }
    }));
}
