//! JSON objects: one a line, or in an array.
#![no_main]

use gradus::data::{JsonReader, Lines};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(lines) = Lines::new(Cursor::new(bytes.to_vec()), Path::new("fuzz")) else {
        return;
    };
    let mut before = 0;
    for row in JsonReader::new(lines).flatten() {
        assert!(before <= row.line);
        before = row.line;
    }
});
