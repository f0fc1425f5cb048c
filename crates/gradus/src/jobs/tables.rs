//! Tables of results in a job's folder.

use crate::util::atomic::write_bytes;
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// Writes a table to `table.json` and `table.md` in `folder`.
pub(super) fn publish(folder: &Path, table: &impl Serialize, markdown: &str) -> Result<()> {
    let json = serde_json::to_string_pretty(table);
    let json = json.map_err(|e| Error::Internal(format!("table: {e}")))? + "\n";
    write_bytes(&folder.join("table.json"), json.as_bytes())?;
    write_bytes(&folder.join("table.md"), markdown.as_bytes())
}
