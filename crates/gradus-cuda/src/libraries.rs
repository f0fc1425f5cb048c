//! NVIDIA's libraries, where toolkits and Python packages put them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Those that are used: each by the start of its file's name, and what for.
const NEEDED: [(&str, &str); 2] = [
    ("libcublasLt.so", "products"),
    ("libnvrtc.so", "tests of kernels, nothing else"),
];

/// A library that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The start of its file's name.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// Where it is, if anywhere.
    pub path: Option<PathBuf>,
}

/// Where libraries may be: folders of `GRADUS_CUDA_LIBS`, of toolkits, of the system, of
/// Python packages.
pub(crate) fn folders() -> Vec<PathBuf> {
    let mut all = named();
    let roots = ["CUDA_HOME", "CUDA_PATH"]
        .into_iter()
        .filter_map(std::env::var_os);
    let roots = roots.map(PathBuf::from).chain(["/usr/local/cuda".into()]);
    for root in roots {
        all.extend([root.join("lib64"), root.join("targets/x86_64-linux/lib")]);
    }
    if let Some(list) = std::env::var_os("LD_LIBRARY_PATH") {
        all.extend(std::env::split_paths(&list));
    }
    let system = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
    ];
    all.extend(system.map(PathBuf::from));
    for packages in python_packages() {
        let nvidia = packages.join("nvidia");
        let parts = ["cu13/lib", "cu12/lib", "cublas/lib", "cuda_nvrtc/lib"];
        all.extend(parts.map(|part| nvidia.join(part)));
    }
    all
}

/// The folders that the user named.
pub(crate) fn named() -> Vec<PathBuf> {
    let list = std::env::var_os("GRADUS_CUDA_LIBS").unwrap_or_default();
    std::env::split_paths(&list)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

/// Where the Python of this environment imports from: asked once.
fn python_packages() -> &'static [PathBuf] {
    static FOUND: OnceLock<Vec<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(ask_python)
}

fn ask_python() -> Vec<PathBuf> {
    let code = "import site,sys;print('\\n'.join(sys.path+[site.getusersitepackages()]))";
    let answer = Command::new("python3").args(["-c", code]).output();
    let text = answer.map(|answer| answer.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(PathBuf::from)
        .collect()
}

/// The first file whose name begins so, the highest version of a folder.
fn found(folders: &[PathBuf], name: &str) -> Option<PathBuf> {
    let of = |folder: &Path| {
        let entries = std::fs::read_dir(folder).ok()?;
        let paths = entries.flatten().map(|entry| entry.path());
        let own = paths.filter(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        own.max()
    };
    folders.iter().find_map(|folder| of(folder))
}

/// The libraries that are used, where they are.
pub(crate) fn all(folders: &[PathBuf]) -> Vec<Library> {
    NEEDED
        .iter()
        .map(|&(name, purpose)| Library {
            name,
            purpose,
            path: found(folders, name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_of_the_first_folder_is_taken() {
        let place = tempfile::tempdir().unwrap();
        let (first, second) = (place.path().join("a"), place.path().join("b"));
        for (folder, names) in [
            (
                &first,
                &["libnvrtc.so.12", "libnvrtc-builtins.so.13", "libcublas.so"][..],
            ),
            (
                &second,
                &["libnvrtc.so.13", "libcublasLt.so.12", "libcublasLt.so.13"],
            ),
        ] {
            std::fs::create_dir(folder).unwrap();
            names
                .iter()
                .for_each(|name| std::fs::write(folder.join(name), "").unwrap());
        }
        let folders = [place.path().join("nowhere"), first.clone(), second.clone()];
        let found: Vec<_> = all(&folders).into_iter().map(|own| own.path).collect();
        let expected = [
            second.join("libcublasLt.so.13"),
            first.join("libnvrtc.so.12"),
        ];
        assert_eq!(found, expected.map(Some));
        assert!(all(&folders[..1]).iter().all(|own| own.path.is_none()));
    }
}
