//! Which files of a repository hold a split, however it is laid out: JSON Lines
//! named after the split, `data/train-00000-of-00002.parquet`, or what the hub
//! itself makes on `refs/convert/parquet`, `default/train/0000.parquet`.

use std::collections::BTreeMap;

/// How a table is stored; the first is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TableFormat {
    /// One JSON object a line, or one array of them.
    Json,
    /// Parquet.
    Parquet,
    /// Comma-separated, with a header.
    Csv,
    /// Tab-separated, with a header.
    Tsv,
    /// A text a line.
    Text,
}

/// The files of one split, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SplitFiles {
    pub(super) format: TableFormat,
    pub(super) files: Vec<String>,
}

/// A split of which files are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Incomplete {
    /// What is there.
    pub(super) have: Vec<String>,
    /// How many files there should be, if they say so.
    pub(super) of: Option<usize>,
}

/// A file that may be of the split.
struct Candidate<'a> {
    name: &'a str,
    format: TableFormat,
    /// The folder that all of the split's files share.
    folder: &'a str,
    part: usize,
    of: Option<usize>,
}

/// The files among `names` that hold the split known as one of `splits`, the
/// earlier the better; with `config` only those in a folder of this name. Text
/// files count where `text` is wanted. `None` without any.
pub(super) fn find_split(
    names: &[&str],
    config: Option<&str>,
    splits: &[&str],
    text: bool,
) -> Result<Option<SplitFiles>, Incomplete> {
    for split in splits {
        let of_config = |name: &&&str| {
            config.is_none_or(|config| name.split('/').rev().skip(1).any(|part| part == config))
        };
        let mut groups: BTreeMap<_, Vec<Candidate>> = BTreeMap::new();
        for name in names.iter().filter(of_config) {
            let found = candidate(name, split);
            if let Some(found) = found.filter(|f| text || f.format != TableFormat::Text) {
                let depth = found.name.matches('/').count();
                let key = (found.format, depth, found.folder, found.of);
                groups.entry(key).or_default().push(found);
            }
        }
        let mut incomplete = None;
        for ((format, ..), mut parts) in groups {
            parts.sort_by_key(|found| found.part);
            let whole = parts.iter().enumerate().all(|(i, found)| i == found.part);
            let of = parts[0].of;
            let files: Vec<String> = parts.iter().map(|found| found.name.to_string()).collect();
            if whole && of.is_none_or(|of| of == files.len()) {
                return Ok(Some(SplitFiles { format, files }));
            }
            incomplete = incomplete.or(Some(Incomplete { have: files, of }));
        }
        if let Some(incomplete) = incomplete {
            return Err(incomplete);
        }
    }
    Ok(None)
}

fn candidate<'a>(name: &'a str, split: &str) -> Option<Candidate<'a>> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let plain = [".gz", ".zst"]
        .iter()
        .find_map(|end| file.strip_suffix(end))
        .unwrap_or(file);
    let (stem, extension) = plain.rsplit_once('.')?;
    let format = match extension {
        "jsonl" | "ndjson" | "json" => TableFormat::Json,
        "parquet" => TableFormat::Parquet,
        "csv" => TableFormat::Csv,
        "tsv" => TableFormat::Tsv,
        "txt" => TableFormat::Text,
        _ => return None,
    };
    let mut found = Candidate {
        name,
        format,
        folder,
        part: 0,
        of: None,
    };
    // The hub's own conversion: a folder a split, files by number.
    if !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_digit()) {
        let (parent, last) = folder.rsplit_once('/').unwrap_or(("", folder));
        found.folder = parent;
        found.part = stem.parse().ok()?;
        return (last == split).then_some(found);
    }
    let mut stem = stem;
    if let Some((before, part, of)) = numbered(stem) {
        (stem, found.part, found.of) = (before, part, Some(of));
    }
    // Older conversions put the builder's or the set's name first: json-test.
    // Those called partial-test hold only the beginning.
    let last = stem
        .rsplit_once('-')
        .filter(|(first, _)| *first != "partial");
    (stem == split || last.is_some_and(|(_, last)| last == split)).then_some(found)
}

/// Reads `train-00001-of-00003`, with a hash after it or not.
fn numbered(stem: &str) -> Option<(&str, usize, usize)> {
    let (before, after) = stem.split_once("-of-")?;
    let (before, part) = before.rsplit_once('-')?;
    let of = after.split('-').next()?;
    let number = |text: &str| match text.len() {
        5 => text.parse::<usize>().ok(),
        _ => None,
    };
    Some((before, number(part)?, number(of)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &[&str], config: Option<&str>, splits: &[&str]) -> Option<Vec<String>> {
        find_split(names, config, splits, false)
            .unwrap()
            .map(|f| f.files)
    }

    #[test]
    fn every_form_that_the_hub_has() {
        for (name, split) in [
            ("test.jsonl.gz", "test"),
            ("test.json.gz", "test"),
            ("train.parquet", "train"),
            ("data/train-00000-of-00001.parquet", "train"),
            (
                "data/train-00000-of-00001-0123456789abcdef.parquet",
                "train",
            ),
            ("default/validation/0000.parquet", "validation"),
            ("mteb--sts13-sts/json-test.parquet", "test"),
            ("mteb--sts13-sts/test/0000.parquet", "test"),
            ("plain_text/snli-train.parquet", "train"),
            (
                "data/validation_matched-00000-of-00001.parquet",
                "validation_matched",
            ),
            ("nli_for_simcse.csv", "nli_for_simcse"),
        ] {
            let others = ["README.md", "x.py", "data/other.jsonl", name];
            let found = find(&others, None, &[split]);
            assert_eq!(found, Some(vec![name.to_string()]), "{name}");
        }
        for other in [
            "default/partial-train/0000.parquet",
            "default/partial-train.parquet",
            "train_extra.jsonl",
            "train.txt",
            "test/index.duckdb",
        ] {
            assert_eq!(find(&[other], None, &["train", "test"]), None, "{other}");
        }
    }

    #[test]
    fn the_form_wanted_and_the_nearest_and_the_first_name() {
        let names = [
            "pair/train-00000-of-00001.parquet",
            "pair-class/train-00000-of-00001.parquet",
            "pair-class/dev-00000-of-00001.parquet",
        ];
        let class = Some("pair-class");
        assert_eq!(find(&names, class, &["train"]).unwrap()[0], names[1]);
        assert_eq!(
            find(&names, class, &["validation", "dev"]).unwrap()[0],
            names[2]
        );
        assert_eq!(find(&names, class, &["test"]), None);
        let names = [
            "old/train.jsonl",
            "data/train-00000-of-00001.parquet",
            "train.jsonl.gz",
        ];
        assert_eq!(find(&names, None, &["train"]).unwrap(), ["train.jsonl.gz"]);
    }

    #[test]
    fn parts_are_put_in_order_and_must_all_be_there() {
        let names = [
            "data/train-00001-of-00002.parquet",
            "data/train-00000-of-00002.parquet",
        ];
        assert_eq!(
            find(&names, None, &["train"]).unwrap(),
            [names[1], names[0]]
        );
        for missing in [&names[..1], &names[1..], &["default/train/0001.parquet"]] {
            let found = find_split(missing, None, &["train"], false);
            assert!(found.is_err(), "{found:?}");
        }
        let two = ["default/train/0001.parquet", "default/train/0000.parquet"];
        assert_eq!(find(&two, None, &["train"]).unwrap(), [two[1], two[0]]);
    }
}
