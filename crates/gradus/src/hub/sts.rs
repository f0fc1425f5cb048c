//! The seven STS tasks as the `mteb` organisation publishes them on the hub.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::pull::Pull;
use super::repo::RepoKind;
use super::{HubConfig, HubError, Progress};
use crate::atomic::write_file;
use crate::{Error, Result};

/// The tasks, by their names in `mteb/`.
pub const STS_SETS: [&str; 7] = [
    "sts12-sts",
    "sts13-sts",
    "sts14-sts",
    "sts15-sts",
    "sts16-sts",
    "stsbenchmark-sts",
    "sickr-sts",
];

/// `test` comes last: where it is, the others are.
const SPLITS: [&str; 4] = ["train", "validation", "dev", "test"];

/// Fetches the seven tasks and writes their splits, checked, to
/// `{data_root}/mteb/{name}/{split}.jsonl`, one object with `sentence1`,
/// `sentence2` and `score` a line. Returns the seven folders. A task that is
/// there already is left alone unless [`HubConfig::refresh`] is set.
pub fn pull_sts(
    config: &HubConfig,
    data_root: &Path,
    progress: &mut dyn Progress,
) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for name in STS_SETS {
        let folder = data_root.join("mteb").join(name);
        if config.refresh || !folder.join("test.jsonl").is_file() {
            pull_set(config, name, &folder, progress)?;
        }
        folders.push(folder);
    }
    Ok(folders)
}

fn pull_set(
    config: &HubConfig,
    name: &str,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<()> {
    let id = format!("mteb/{name}");
    let mut pull = Pull::new(config, RepoKind::Dataset, &id, None)?;
    let listing = pull.listing()?;
    let names = listing.names();
    let splits: Vec<_> = SPLITS
        .iter()
        .filter_map(|split| Some((*split, find_split(&names, split)?)))
        .collect();
    if !splits.iter().any(|(split, _)| *split == "test") {
        let parquet = names.iter().any(|name| name.ends_with(".parquet"));
        return Err(HubError::NoJsonLines {
            what: pull.repo.label(),
            found: if parquet {
                "Parquet files"
            } else {
                "no test split"
            }
            .into(),
            folder: folder.into(),
        }
        .into());
    }
    let files: Vec<&str> = splits.iter().map(|(_, file)| *file).collect();
    pull.fetch(&listing, &files, progress)?;
    let snapshot = pull.finish(&listing)?;
    for (split, file) in splits {
        let to = folder.join(format!("{split}.jsonl"));
        let pairs = unpack(&snapshot.join(file), &format!("{id}/{file}"), &to)?;
        progress.note(&format!("{id}: {pairs} pairs in {split}"));
    }
    Ok(())
}

/// The file that holds a split as JSON lines: the one nearest to the root.
fn find_split<'a>(names: &[&'a str], split: &str) -> Option<&'a str> {
    let plain = format!("{split}.jsonl");
    let is_split = |name: &&&str| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.strip_suffix(".gz").unwrap_or(file) == plain
    };
    names
        .iter()
        .filter(is_split)
        .min_by_key(|name| name.matches('/').count())
        .copied()
}

/// Writes the rows of `from`, unpacked and checked, to `to`; returns how many.
fn unpack(from: &Path, shown: &str, to: &Path) -> Result<usize> {
    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only whether they are there is of interest")]
    struct Row {
        sentence1: String,
        sentence2: String,
        score: f64,
    }
    let file = File::open(from).map_err(Error::io(from))?;
    let text: Box<dyn Read> = match from.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut reader = BufReader::new(text);
    let mut rows = 0;
    write_file(to, |out| {
        let bad = |line: usize, reason: String| HubError::BadRow {
            file: shown.into(),
            line,
            reason,
        };
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let length = reader
                .read_until(b'\n', &mut bytes)
                .map_err(|e| bad(line, e.to_string()))?;
            if length == 0 {
                break;
            }
            let row = bytes.trim_ascii();
            if row.is_empty() {
                continue;
            }
            serde_json::from_slice::<Row>(row).map_err(|e| bad(line, e.to_string()))?;
            out.write_all(row)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(Error::io(to))?;
            rows += 1;
        }
        if rows == 0 {
            return Err(bad(1, "the file has no rows".into()).into());
        }
        Ok(())
    })?;
    Ok(rows)
}
