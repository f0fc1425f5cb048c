//! Where a path leads, whatever its spelling.

use std::io;
use std::path::{Path, PathBuf};

/// More links than this in a row lead in a circle.
const MOST_LINKS: u32 = 40;

/// The place that `path` names: absolute, without links, `.` and `..`, also of
/// something that does not exist yet.
pub(super) fn real(path: &Path) -> io::Result<PathBuf> {
    resolve(path, MOST_LINKS)
}

fn resolve(path: &Path, links: u32) -> io::Result<PathBuf> {
    if let Ok(found) = path.canonicalize() {
        return Ok(found);
    }
    let path = std::path::absolute(path)?;
    // A link whose target does not exist yet.
    if let (Ok(target), Some(folder), Some(left)) =
        (path.read_link(), path.parent(), links.checked_sub(1))
    {
        return resolve(&folder.join(target), left);
    }
    let Some(folder) = path.parent() else {
        return Ok(path);
    };
    let mut place = resolve(folder, links)?;
    match path.file_name() {
        Some(name) => place.push(name),
        // The path ends in `..`.
        None => {
            place.pop();
        }
    }
    Ok(place)
}

/// Whether two places are the same file or folder, also by another of its names
/// (a hard link, other letter case where the file system ignores that).
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    a == b || identity(a).is_some_and(|of_a| identity(b) == Some(of_a))
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let meta = path.metadata().ok()?;
    Some((meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// Whether a place lies somewhere below another.
pub(super) fn is_within(inner: &Path, outer: &Path) -> bool {
    inner.ancestors().skip(1).any(|above| is_same(above, outer))
}

/// The first of `path-2`, `path-3`, ... that does not exist.
pub(super) fn free_name(path: &Path) -> PathBuf {
    let named = match path.file_name() {
        Some(_) => path.to_path_buf(),
        None => real(path).unwrap_or_else(|_| path.to_path_buf()),
    };
    let name = named.file_name().unwrap_or("run".as_ref()).to_os_string();
    let numbered = |i: u32| {
        let mut name = name.clone();
        name.push(format!("-{i}"));
        named.with_file_name(name)
    };
    let free = (2..1000)
        .map(numbered)
        .find(|path| path.symlink_metadata().is_err());
    free.unwrap_or_else(|| numbered(1000))
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    match text.starts_with('-') {
        true => quoted(&Path::new(".").join(path)),
        false => quoted_word(&text),
    }
}

/// A word of a command line as a shell takes it, an option as it is.
pub fn quoted_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%=".contains(c) || !c.is_ascii();
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_the_place() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        let expected = root.join("a/b/new/deep");
        for spelling in [
            "a/b/new/deep",
            "a/b/new/deep/",
            "a/./b//new/deep/.",
            "a/b/../b/new/deep",
            "a/b/new/other/../deep",
        ] {
            assert_eq!(real(&root.join(spelling)).unwrap(), expected, "{spelling}");
        }
        assert!(is_within(&expected, &root.join("a")));
        assert!(!is_within(&root.join("a"), &root.join("a")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            symlink(root.join("a"), root.join("link")).unwrap();
            symlink("link/b/new", root.join("dangling")).unwrap();
            symlink("round", root.join("round")).unwrap();
            for spelling in ["link/b/new/deep", "dangling/deep"] {
                assert_eq!(real(&root.join(spelling)).unwrap(), expected, "{spelling}");
            }
            assert!(real(&root.join("round/x")).is_ok());
            std::fs::write(root.join("one"), "").unwrap();
            std::fs::hard_link(root.join("one"), root.join("two")).unwrap();
            assert!(is_same(&root.join("one"), &root.join("two")));
        }
    }

    #[test]
    fn names_are_free_and_typed_as_they_are() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("run");
        std::fs::create_dir(place.path().join("run-2")).unwrap();
        assert_eq!(free_name(&run), place.path().join("run-3"));
        assert_eq!(quoted(Path::new("runs/a")), "runs/a");
        assert_eq!(quoted(Path::new("my runs/it's")), r"'my runs/it'\''s'");
        assert_eq!(quoted(Path::new("-x")), "./-x");
        assert_eq!(quoted_word("--extra"), "--extra");
        assert_eq!(quoted_word("{\"a\": 1}"), "'{\"a\": 1}'");
        assert_eq!(quoted_word(""), "''");
    }
}
