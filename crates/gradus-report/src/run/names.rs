//! What runs are called.

use std::path::{Component, Path, PathBuf};

/// A name for each folder: its own, with as many of the folders above as tell
/// it from the others. The same folder twice has the same name.
pub(super) fn distinct_names(roots: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = roots.iter().map(|root| parts(root)).collect();
    parts
        .iter()
        .map(|own| {
            let mut depth = 1;
            let alike = |other: &&Vec<String>, depth| tail(other, depth) == tail(own, depth);
            while depth < own.len()
                && parts
                    .iter()
                    .any(|other| other != own && alike(&other, depth))
            {
                depth += 1;
            }
            tail(own, depth).join("/")
        })
        .collect()
}

fn tail(parts: &[String], depth: usize) -> &[String] {
    &parts[parts.len().saturating_sub(depth)..]
}

/// The folders on the way to a folder, as it is really called.
fn parts(root: &Path) -> Vec<String> {
    let absolute = root
        .canonicalize()
        .or_else(|_| std::path::absolute(root))
        .unwrap_or_else(|_| root.to_path_buf());
    let named = absolute.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    let parts: Vec<String> = named.collect();
    match parts.is_empty() {
        true => vec![absolute.display().to_string()],
        false => parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_base_name_are_told_apart() {
        let names = |roots: &[&str]| {
            let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
            distinct_names(&roots)
        };
        assert_eq!(names(&["/nowhere/a/run"]), ["run"]);
        assert_eq!(
            names(&["/nowhere/a/run", "/nowhere/b/run", "/nowhere/b/other"]),
            ["a/run", "b/run", "other"]
        );
        assert_eq!(
            names(&["/nowhere/x/a/run", "/nowhere/y/a/run", "/run"]),
            ["x/a/run", "y/a/run", "run"]
        );
        assert_eq!(names(&["/"]), ["/"]);
    }
}
