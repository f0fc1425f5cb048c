//! Where the known data sets are kept.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder that holds the known data sets, and how it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRoot {
    path: PathBuf,
    origin: RootOrigin,
}

/// How a [`DataRoot`] was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootOrigin {
    /// The caller named it.
    Explicit,
    /// The environment variable `GRADUS_DATA`.
    Environment,
    /// The user's cache folder.
    Cache,
}

impl RootOrigin {
    /// In words, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            RootOrigin::Explicit => "given explicitly",
            RootOrigin::Environment => "from GRADUS_DATA",
            RootOrigin::Cache => "the cache folder; GRADUS_DATA is not set",
        }
    }
}

impl DataRoot {
    /// `explicit`, else `GRADUS_DATA`, else `gradus/data` in the user's cache
    /// folder (`$XDG_CACHE_HOME`, else `~/.cache`). Nothing is looked up yet:
    /// what is missing shows when a data set is asked for.
    pub fn resolve(explicit: Option<&Path>) -> Self {
        Self::resolve_in(explicit, |name| std::env::var_os(name))
    }

    fn resolve_in(explicit: Option<&Path>, var: impl Fn(&str) -> Option<OsString>) -> Self {
        let var = |name: &str| var(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(path) = explicit {
            return Self::new(path, RootOrigin::Explicit);
        }
        if let Some(path) = var("GRADUS_DATA") {
            return Self::new(path, RootOrigin::Environment);
        }
        // The XDG specification has relative paths ignored.
        let cache = var("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(var("HOME")?.join(".cache")))
            .unwrap_or_else(|| PathBuf::from(".cache"));
        Self::new(cache.join("gradus").join("data"), RootOrigin::Cache)
    }

    fn new(path: impl Into<PathBuf>, origin: RootOrigin) -> Self {
        let path = path.into();
        Self { path, origin }
    }

    /// The folder. It need not exist.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it was chosen.
    pub fn origin(&self) -> RootOrigin {
        self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(explicit: Option<&str>, vars: &[(&str, &str)]) -> DataRoot {
        let value = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
        DataRoot::resolve_in(explicit.map(Path::new), value)
    }

    #[test]
    fn the_nearest_wish_wins() {
        let all = [
            ("GRADUS_DATA", "/d"),
            ("XDG_CACHE_HOME", "/c"),
            ("HOME", "/h"),
        ];
        let path = |explicit, vars| resolve(explicit, vars).path().to_path_buf();
        assert_eq!(path(Some("here"), &all), Path::new("here"));
        assert_eq!(path(None, &all), Path::new("/d"));
        assert_eq!(path(None, &all[1..]), Path::new("/c/gradus/data"));
        assert_eq!(path(None, &all[2..]), Path::new("/h/.cache/gradus/data"));
        let odd = [("GRADUS_DATA", ""), ("XDG_CACHE_HOME", "c"), ("HOME", "/h")];
        assert_eq!(path(None, &odd), Path::new("/h/.cache/gradus/data"));
        assert_eq!(resolve(None, &odd).origin(), RootOrigin::Cache);
    }
}
