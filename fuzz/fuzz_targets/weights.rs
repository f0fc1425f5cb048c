//! A whole model folder whose `model.safetensors` is the input.
#![no_main]

mod folder;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = folder::with("model.safetensors", bytes) {
        let vectors = model.encode(&["a word", ""]);
        assert_eq!(vectors.map(|v| v.rows()).ok(), Some(2));
    }
});
