//! Tab- and comma-separated rows. The first byte chooses the dialect.
#![no_main]

use gradus::data::{DelimitedReader, Dialect, Lines, Quoting};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, text)) = bytes.split_first() else {
        return;
    };
    let dialect = Dialect {
        delimiter: if choice & 1 == 0 { ',' } else { '\t' },
        quoting: [Quoting::On, Quoting::Off, Quoting::Auto][usize::from(choice >> 1) % 3],
    };
    let Ok(lines) = Lines::new(Cursor::new(text.to_vec()), Path::new("fuzz")) else {
        return;
    };
    let mut before = 0;
    for row in DelimitedReader::new(lines, dialect).flatten() {
        assert!(before < row.line && !row.cells.is_empty());
        before = row.line;
    }
});
