//! What several tests share.

use std::path::PathBuf;

use gradus::data::DataRoot;

/// The folder with the real data sets: `GRADUS_DATA`, else `../shared/data`
/// beside the workspace. `None`, with the reason printed, if it is not there.
pub fn real_data() -> Option<DataRoot> {
    let path = match std::env::var_os("GRADUS_DATA") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
    };
    if path.join("sts").is_dir() {
        return Some(DataRoot::resolve(Some(&path)));
    }
    println!("skipped: no data sets under {}", path.display());
    None
}
