//! Which names from outside may become paths here.

use std::path::PathBuf;

/// `name` as a path below some folder, or `None` if it could lead out of it (or
/// mean something else on another system). Hubs and wheels are not trusted.
pub(super) fn safe_relative(name: &str) -> Option<PathBuf> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let odd = |c: char| c == '\\' || c == ':' || c.is_control();
    (!name.contains(odd) && name.split('/').all(plain)).then(|| PathBuf::from(name))
}

/// Why `id` is not the name of a repository, by the hub's own rules.
pub(super) fn repo_id_fault(id: &str) -> Option<&'static str> {
    if id.is_empty() {
        return Some("it is empty");
    }
    if id.len() > 96 {
        return Some("it is longer than 96 characters");
    }
    if id.matches('/').count() > 1 {
        return Some("it has more than one slash");
    }
    if id.contains("--") || id.contains("..") {
        return Some("it contains -- or ..");
    }
    for part in id.split('/') {
        if part.is_empty() || part.starts_with(['.', '-']) || part.ends_with(['.', '-']) {
            return Some("a part of it is empty, or starts or ends with a dot or dash");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !part.chars().all(allowed) {
            return Some("it has characters other than letters, digits, '.', '_' and '-'");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "..\\x",
            "C:x",
            "a\0b",
            "a\nb",
        ] {
            assert_eq!(safe_relative(bad), None, "{bad:?}");
        }
        for good in [
            "config.json",
            "1_Pooling/config.json",
            "..a",
            "a b/c#1.json",
        ] {
            assert_eq!(safe_relative(good), Some(PathBuf::from(good)));
        }
    }

    #[test]
    fn repository_names() {
        for good in [
            "bert-base-uncased",
            "sentence-transformers/all-MiniLM-L6-v2",
            "a/b_c.d",
        ] {
            assert_eq!(repo_id_fault(good), None, "{good}");
        }
        for bad in [
            "", "a/b/c", "a--b/c", "a/../b", "/a", "a/", "-a/b", "a/b.", "a b", "a/b?x",
        ] {
            assert!(repo_id_fault(bad).is_some(), "{bad:?}");
        }
    }
}
