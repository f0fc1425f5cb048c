//! Parts together again.

use super::part::{Files, Manifest, Whole};
use super::{JobError, Shard};
use crate::output::npy;
use crate::util::atomic::write_file;
use crate::util::content_hash::sha256_of_file;
use crate::util::{Observer, check_cancelled};
use crate::{Error, Result};
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const WHAT: &str = "putting parts together";

/// What was put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Rows.
    pub rows: u64,
    /// Values of each.
    pub width: usize,
    /// Parts.
    pub parts: u64,
    /// Texts that were cut to the model's length.
    pub truncated: u64,
}

/// Puts the parts in a folder together in one array, in the order of the file that they
/// are of. Every part is checked against its checksum first.
///
/// # Errors
/// Where a part is missing, damaged, or made otherwise than the first.
pub fn merge(folder: &Path, output: &Path, observer: &mut dyn Observer) -> Result<Merged> {
    let parts = parts(folder, observer)?;
    let first = &parts[0].1;
    let width = first.made.width;
    let rows: u64 = parts.iter().map(|(_, manifest)| manifest.rows).sum();
    let mut files = vec![];
    for (files_of, _) in &parts {
        let path = &files_of.vectors;
        let mut file = File::open(path).map_err(Error::io(path))?;
        let at = file.seek(SeekFrom::Start(npy::HEADER as u64));
        at.map_err(Error::io(path))?;
        files.push((path, BufReader::new(file)));
    }
    write_file(output, |out| {
        let failed = Error::io(output);
        out.write_all(&npy::header(rows, width)).map_err(failed)?;
        let mut row = vec![0; 4 * width];
        for place in 0..rows {
            if place % 65_536 == 0 {
                check_cancelled(observer, WHAT)?;
                observer.progress(WHAT, place, rows);
            }
            let (path, file) = &mut files[(place % parts.len() as u64) as usize];
            file.read_exact(&mut row).map_err(Error::io(&**path))?;
            out.write_all(&row).map_err(Error::io(output))?;
        }
        Ok(())
    })?;
    observer.progress(WHAT, rows, rows);
    Ok(Merged {
        rows,
        width,
        parts: parts.len() as u64,
        truncated: parts.iter().map(|(_, manifest)| manifest.truncated).sum(),
    })
}

/// All parts in their order, each whole and as its checksum says.
fn parts(folder: &Path, observer: &mut dyn Observer) -> Result<Vec<(Files, Manifest)>> {
    let of = count(folder)?;
    let mut parts: Vec<(Files, Manifest)> = vec![];
    let mut missing = vec![];
    let shards = (1..=of).map(|number| Shard { number, of });
    for shard in shards {
        let files = Files::of(folder, shard);
        let manifest = Manifest::read(&files.manifest)?;
        match manifest.filter(|_| files.vectors.exists()) {
            Some(manifest) => parts.push((files, manifest)),
            None => missing.push(shard.to_string()),
        }
    }
    if !missing.is_empty() {
        let shown = missing.iter().take(8).cloned().collect::<Vec<_>>();
        let more = match missing.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        return Err(JobError::Settings(format!(
            "{}: parts {}{more} are missing or have not ended; run their commands (--shard {}) again",
            folder.display(),
            shown.join(", "),
            missing[0]
        ))
        .into());
    }
    for (place, (files, manifest)) in parts.iter().enumerate() {
        observer.progress("checking parts", place as u64, of);
        check_cancelled(observer, "checking parts")?;
        check(files, manifest, &parts[0].1)?;
    }
    observer.progress("checking parts", of, of);
    Ok(parts)
}

/// How many parts there should be, by the names of those that are there.
fn count(folder: &Path) -> Result<u64> {
    let mut counts = vec![];
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let name = entry.map_err(Error::io(folder))?.file_name();
        let name = name.to_string_lossy();
        let of = name.strip_suffix(".json").and_then(|name| {
            let (number, of) = name.strip_prefix("part-")?.split_once("-of-")?;
            format!("{number}/{of}").parse::<Shard>().ok()
        });
        counts.extend(of.map(|shard| shard.of));
    }
    counts.sort_unstable();
    counts.dedup();
    match counts[..] {
        [of] => Ok(of),
        [] => Err(JobError::Settings(format!(
            "{}: holds no parts; `gradus encode --shard I/N --output` makes them",
            folder.display()
        ))
        .into()),
        [a, b, ..] => Err(JobError::Settings(format!(
            "{}: holds parts of {a} and of {b}; remove those that are not wanted",
            folder.display()
        ))
        .into()),
    }
}

fn check(files: &Files, manifest: &Manifest, first: &Manifest) -> Result<()> {
    let wrong = |what: String| -> Error {
        JobError::Settings(format!("{}: {what}", files.vectors.display())).into()
    };
    if let Some((what, here, there)) = manifest.made.difference(&first.made) {
        let of = match here {
            "" => String::new(),
            _ => format!(" ({here:.16}, and {there:.16})"),
        };
        return Err(wrong(format!(
            "was made with another {what} than part 1{of}; encode it again with that of the others and --overwrite"
        )));
    }
    let (Some(whole), Some(of_first)) = (&manifest.whole, &first.whole) else {
        return Err(wrong("has not ended; run its command again".into()));
    };
    let Whole { input_rows, sha256 } = whole;
    let shard: Shard = manifest.shard.parse().map_err(&wrong)?;
    let expected = shard.rows_of(*input_rows);
    let found = sha256_of_file(&files.vectors).map_err(Error::io(&files.vectors))?;
    let as_written = found == *sha256
        && manifest.rows == expected
        && *input_rows == of_first.input_rows
        && files.is_of(shard);
    match as_written {
        true => Ok(()),
        false => Err(wrong(format!(
            "is not as it was written; remove it and {}, and run --shard {shard} again",
            files.manifest.display()
        ))),
    }
}
