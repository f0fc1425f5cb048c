//! A whole model folder whose `model.safetensors` is the input.
#![no_main]

mod folder;

use gradus::models::EncodeOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = folder::with("model.safetensors", bytes) {
        let vectors = model.encode(&["a word", ""], EncodeOptions::default());
        assert_eq!(vectors.map(|v| v.rows()).ok(), Some(2));
    }
});
