//! Reading the files of a model folder: nothing that is not a plain file of a
//! believable size is opened.

use super::ModelError;
use crate::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Component, Path};

/// No description is larger; a parser may need many times its text's size.
const MAX_DESCRIPTION: u64 = 16 << 20;

/// Whether the file at `path` is there. What cannot be read as one, such as a
/// folder, a pipe or a dangling link, is an error rather than an absence: the
/// model would be taken for another one.
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => Ok(true),
        Ok(_) => Err(ModelError::NotAFile(path.to_path_buf()).into()),
        Err(e) if e.kind() == ErrorKind::NotFound => match path.symlink_metadata() {
            Ok(_) => Err(ModelError::NotAFile(path.to_path_buf()).into()),
            Err(_) => Ok(false),
        },
        Err(e) => Err(Error::io(path)(e)),
    }
}

/// Fails with `remedy` where the file at `path` is not there.
pub(crate) fn require(path: &Path, remedy: &'static str) -> Result<()> {
    if is_there(path)? {
        return Ok(());
    }
    let path = path.to_path_buf();
    Err(ModelError::MissingFile { path, remedy }.into())
}

/// The text of a file of at most `most` bytes.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    let bad = |message: String| ModelError::Config {
        path: path.to_path_buf(),
        message,
    };
    let file = File::open(path).map_err(Error::io(path))?;
    let len = file.metadata().map_err(Error::io(path))?.len();
    if len > most {
        let message = format!("{len} bytes long, more than the {most} that are read");
        return Err(bad(message).into());
    }
    let mut bytes = Vec::new();
    // It may have grown since.
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(Error::io(path))?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to() + 1;
        bad(format!("byte {at} is not UTF-8 text")).into()
    })
}

/// The text of a description.
pub(crate) fn read_description(path: &Path) -> Result<String> {
    read_text(path, MAX_DESCRIPTION)
}

/// A description's JSON.
pub(crate) fn read_json(path: &Path) -> Result<serde_json::Value> {
    Ok(parse_json(path, &read_description(path)?)?)
}

/// `text`, which was read from `path`, as JSON.
pub(crate) fn parse_json(path: &Path, text: &str) -> Result<serde_json::Value, ModelError> {
    serde_json::from_str(text).map_err(|e| ModelError::Config {
        path: path.to_path_buf(),
        message: format!("not JSON: {e}"),
    })
}

/// Whether `name` names something directly within a folder.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let one = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
    // A backslash is a separator elsewhere, and no model's files need one.
    one && !name.contains(['/', '\\', '\0'])
}
