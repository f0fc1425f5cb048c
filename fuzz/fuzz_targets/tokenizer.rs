//! A whole model folder whose `tokenizer.json` is the input.
//!
//! The tokenizers library panics on some files. The loader turns that into an
//! error; the fuzzer's own panic hook would end the run first, so it is put
//! aside.
#![no_main]

mod folder;

use libfuzzer_sys::fuzz_target;

fuzz_target!(
    init: {
        std::panic::set_hook(Box::new(|_| ()));
    },
    |bytes: &[u8]| {
        if let Ok(model) = folder::with("tokenizer.json", bytes) {
            let texts = ["", "a word, another", "\u{0}\u{65e5}\u{1f600}"];
            if let Ok(vectors) = model.encode(&texts) {
                assert_eq!((vectors.rows(), vectors.dim()), (3, model.dim()));
            }
        }
    }
);
