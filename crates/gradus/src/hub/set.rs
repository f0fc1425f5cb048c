//! Data sets known by name: fetched in whatever form the hub has them, checked,
//! and written to the data root in the one form that sources know.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::listing::Listing;
use super::pull::Pull;
use super::pulled::{Pulled, is_published};
use super::repo::RepoKind;
use super::rows::{Kept, Reader};
use super::sick::{self, Scored};
use super::split_files::{Incomplete, SplitFiles, find_split};
use super::{HubConfig, HubError, Progress};
use crate::data::{HubRows, HubSet, HubSplit, Known, Split};
use crate::{Error, Result};

/// Where the hub keeps what it converted to Parquet itself.
const CONVERTED: &str = "refs/convert/parquet";

/// The complaint that a repository holds another edition of a known set, if it
/// does.
pub fn other_edition(repository: &str) -> Option<HubError> {
    const SICK: &str = "RobZamp/sick";
    let bare = repository.strip_prefix("datasets/").unwrap_or(repository);
    bare.eq_ignore_ascii_case(SICK).then(|| HubError::OtherEdition {
        repository: SICK.into(),
        difference: "4,439, 495 and 4,906 pairs, where the released SICK has 4,500, 500 and 4,927",
        name: Known::SickR.name(),
    })
}

/// Fetches a data set and writes its splits, checked, to its folder under
/// `data_root`, which is returned. What is there whole is left alone, unless
/// [`HubConfig::refresh`] is set or another revision is asked for.
pub fn pull_set(
    config: &HubConfig,
    data_root: &Path,
    set: &HubSet,
    revision: Option<&str>,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let folder = data_root.join(set.repository);
    let before = Pulled::read(&folder, set);
    let refresh = config.refresh && !config.offline;
    if let Some(pulled) = before.as_ref().filter(|_| !refresh) {
        let asked = revision.is_none_or(|r| r == pulled.revision || r == pulled.commit);
        if asked && pulled.is_whole(&folder) {
            pulled.notes.iter().for_each(|note| progress.note(note));
            return Ok(folder);
        }
    }
    let others = before.is_none() && revision.is_none() && !refresh;
    if others && is_published(&folder, set) {
        return Ok(folder);
    }
    let mut found = Found::on_hub(config, set, revision, &folder)?;
    let files: Vec<String> = found
        .splits
        .iter()
        .flat_map(|(_, f)| f.files.clone())
        .collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    found.pull.fetch(&found.listing, &names, progress)?;
    let snapshot = found.pull.finish(&found.listing)?;
    let wanted = revision.unwrap_or("main");
    let pulled = Pulled::begin(set, wanted, &found.listing.commit, before);
    let mut writing = Writing {
        set,
        folder: &folder,
        snapshot: &snapshot,
        pulled,
        progress,
    };
    if let Some((old, new)) = found.moved() {
        writing.note(format!("{old} is now called {new} on the hub"));
    }
    // SICK's splits come out of whatever files there are.
    let absent = found.absent.iter().filter(|_| set.known != Known::SickR);
    for (split, why) in absent {
        writing.note(format!(
            "{}: no {} split: {why}",
            set.repository,
            split.split.name()
        ));
    }
    match set.known {
        Known::SickR => writing.sick(&found.splits)?,
        _ => {
            for (split, files) in &found.splits {
                writing.split(split, files)?;
            }
        }
    }
    writing.pulled.finish(&folder, set)?;
    Ok(folder)
}

/// The files of a set, found.
struct Found<'a> {
    pull: Pull<'a>,
    listing: Listing,
    splits: Vec<(&'static HubSplit, SplitFiles)>,
    /// Splits that the repository does not have, and what was looked for.
    absent: Vec<(&'static HubSplit, String)>,
}

impl<'a> Found<'a> {
    /// Looks in the repository, and if it holds no table at all, in what the
    /// hub converted of it.
    fn on_hub(
        config: &'a HubConfig,
        set: &HubSet,
        revision: Option<&str>,
        folder: &Path,
    ) -> Result<Self> {
        let gone = |e: Error| match e {
            Error::Hub(HubError::NotFound { what, endpoint, .. }) => HubError::SetGone {
                name: set.known.name(),
                what: what.into(),
                endpoint: endpoint.into(),
                wanted: wanted(set).into(),
                folder: folder.into(),
            }
            .into(),
            other => other,
        };
        let first = Self::at(config, set, revision).map_err(gone)?;
        if first.is_enough(set) {
            return Ok(first);
        }
        if revision.is_none()
            && let Ok(converted) = Self::at(config, set, Some(CONVERTED))
            && converted.is_enough(set)
        {
            return Ok(converted);
        }
        let reasons: Vec<&str> = first.absent.iter().map(|(_, why)| why.as_str()).collect();
        Err(HubError::NoTables {
            name: set.known.name(),
            what: first.pull.repo.label().into(),
            wanted: reasons.join("; ").into(),
            found: some(&first.listing.names()).into(),
            folder: folder.into(),
        }
        .into())
    }

    fn at(config: &'a HubConfig, set: &HubSet, revision: Option<&str>) -> Result<Self> {
        let mut pull = Pull::new(config, RepoKind::Dataset, set.repository, revision)?;
        let listing = pull.listing()?;
        let names = listing.names();
        let (mut splits, mut absent) = (Vec::new(), Vec::new());
        for split in set.splits {
            match find_split(&names, set.config, split.names, set.rows == HubRows::Lines) {
                Ok(Some(files)) => splits.push((split, files)),
                Ok(None) => {
                    absent.push((split, format!("no file is named {}", looked(set, split))))
                }
                Err(Incomplete { have, of }) => {
                    let of = of.map_or("more".into(), |n| n.to_string());
                    let have: Vec<&str> = have.iter().map(String::as_str).collect();
                    absent.push((split, format!("only {} of {of} files", some(&have))));
                }
            }
        }
        Ok(Found {
            pull,
            listing,
            splits,
            absent,
        })
    }

    /// Whether the split that matters is there: the test set of the tasks,
    /// the training set of others. SICK is all in one.
    fn is_enough(&self, set: &HubSet) -> bool {
        let main = match set.rows {
            HubRows::Scores(..) => Split::Test,
            _ => Split::Train,
        };
        self.splits.iter().any(|(split, _)| split.split == main)
    }

    /// The repository's old and new names, if it was moved.
    fn moved(&self) -> Option<(String, String)> {
        let (old, new) = (&self.pull.repo.id, self.listing.id.as_ref()?);
        (!old.eq_ignore_ascii_case(new)).then(|| (old.clone(), new.clone()))
    }
}

/// The names that a split's files may have.
fn looked(set: &HubSet, split: &HubSplit) -> String {
    let folder = set
        .config
        .map_or(String::new(), |config| format!("{config}/"));
    let end = match set.rows {
        HubRows::Triplets => "csv",
        HubRows::Lines => "txt",
        _ => "jsonl, .jsonl.gz, .json, .csv or .parquet",
    };
    let names: Vec<_> = split
        .names
        .iter()
        .map(|name| format!("{folder}{name}"))
        .collect();
    format!("{} with .{end}", names.join(" or "))
}

fn wanted(set: &HubSet) -> String {
    let splits: Vec<_> = set.splits.iter().map(|split| looked(set, split)).collect();
    splits.join("; ")
}

/// A few of many names.
fn some(names: &[&str]) -> String {
    const MOST: usize = 8;
    let shown = names[..names.len().min(MOST)].join(", ");
    match names.len() {
        0 => "nothing".into(),
        n if n > MOST => format!("{shown} and {} more", n - MOST),
        _ => shown,
    }
}

/// Writing the splits of one set.
struct Writing<'a> {
    set: &'a HubSet,
    folder: &'a Path,
    snapshot: &'a Path,
    pulled: Pulled,
    progress: &'a mut dyn Progress,
}

impl Writing<'_> {
    /// Says what is out of the ordinary, now and whenever the set is pulled.
    fn note(&mut self, note: String) {
        self.progress.note(&note);
        self.pulled.notes.push(note);
    }

    /// One split as it is.
    fn split(&mut self, split: &HubSplit, files: &SplitFiles) -> Result<()> {
        let (set, snapshot, to) = (self.set, self.snapshot, self.folder.join(split.file));
        let mut reader = Reader::new(set.rows);
        let rows = self
            .pulled
            .write(self.folder, split.file, self.progress, |out| {
                let mut rows = 0;
                if set.rows == HubRows::Triplets {
                    writeln!(out, "sent0,sent1,hard_neg").map_err(Error::io(&to))?;
                }
                reader = read(set, snapshot, files, &mut |row| {
                    rows += 1;
                    line(out, &row).map_err(Error::io(&to))
                })?;
                Ok(rows)
            })?;
        self.pulled.keep(self.folder, self.set)?;
        let (id, name) = (self.set.repository, split.split.name());
        let what = what(self.set.rows);
        self.progress
            .note(&format!("{id}: {rows} {what} in {name}"));
        if reader.unclassed > 0 {
            self.progress.note(&format!(
                "{id}: {} pairs of {name} left out, on which annotators did not agree",
                reader.unclassed
            ));
        }
        if reader.empty > 0 {
            self.note(format!(
                "{id}: {} {what} of {name} left out, which lack a text",
                reader.empty
            ));
        }
        if rows != split.rows {
            self.note(format!(
                "{id}: {name} has {rows} {what} where {} were published; \
                 what is measured on it is not comparable with published numbers",
                split.rows
            ));
        } else if let Some(classes) = split.classes.filter(|c| *c != reader.classes) {
            let list = |n: [usize; 3]| format!("{}, {} and {}", n[0], n[1], n[2]);
            self.note(format!(
                "{id}: {name} has {} pairs of entailment, neutral and contradiction where {} \
                 were published; its classes may be numbered otherwise than they were",
                list(reader.classes),
                list(classes)
            ));
        }
        Ok(())
    }

    /// SICK, whose splits are put back by content.
    fn sick(&mut self, files: &[(&'static HubSplit, SplitFiles)]) -> Result<()> {
        let id = self.set.repository;
        let mut all: Vec<(String, Vec<Scored>)> = Vec::new();
        let mut equal = Vec::new();
        for (_, files) in files {
            let mut rows = Vec::new();
            read(self.set, self.snapshot, files, &mut |row| {
                if let Kept::Scored(scored) = row {
                    rows.push(scored);
                }
                Ok(())
            })?;
            let name = files.files.join(", ");
            match all.iter().any(|(_, other)| *other == rows) {
                true => equal.push(name),
                false => all.push((name, rows)),
            }
        }
        if !equal.is_empty() {
            let first = &all[0].0;
            self.note(format!(
                "{id}: {} and {first} hold the same pairs; read once",
                equal.join(" and ")
            ));
        }
        let rows: Vec<Scored> = all.into_iter().flat_map(|(_, rows)| rows).collect();
        let found = rows.len();
        let sorted = sick::split(rows);
        for (split, rows) in self.set.splits.iter().zip(&sorted.splits) {
            let to = self.folder.join(split.file);
            self.pulled
                .write(self.folder, split.file, self.progress, |out| {
                    for row in rows {
                        line(out, &Kept::Scored(row.clone())).map_err(Error::io(&to))?;
                    }
                    Ok(rows.len())
                })?;
            self.pulled.keep(self.folder, self.set)?;
        }
        let sizes = sorted.splits.each_ref().map(Vec::len);
        let [train, dev, test] = sizes;
        self.note(format!(
            "{id}: {found} pairs, put into the released splits by content: {train} train, {dev} dev, \
             {test} test{}",
            match sorted.unknown {
                0 => String::new(),
                n => format!("; {n} that the released files do not hold were left out"),
            }
        ));
        if sizes != sick::SIZES {
            let [train, dev, test] = sick::SIZES;
            self.note(format!(
                "{id}: {train} train, {dev} dev and {test} test were released; what is measured on \
                 others is not comparable with published numbers"
            ));
        }
        if sorted.regraded > 0 {
            self.note(format!(
                "{id}: {} pairs have another grade than the released files",
                sorted.regraded
            ));
        }
        Ok(())
    }
}

/// Reads the files of a split, as fetched to `snapshot`.
fn read(
    set: &HubSet,
    snapshot: &Path,
    files: &SplitFiles,
    each: &mut dyn FnMut(Kept) -> Result<()>,
) -> Result<Reader> {
    let mut reader = Reader::new(set.rows);
    for file in &files.files {
        let shown = format!("{}/{file}", set.repository);
        reader.read(&snapshot.join(file), files.format, &shown, each)?;
    }
    reader.check_scale(&format!("{}/{}", set.repository, files.files[0]))?;
    Ok(reader)
}

fn what(rows: HubRows) -> &'static str {
    match rows {
        HubRows::Scores(..) | HubRows::Classes => "pairs",
        HubRows::Triplets => "triplets",
        HubRows::Lines => "texts",
    }
}

/// Writes a row in the form that sources know.
fn line(out: &mut dyn Write, row: &Kept) -> std::io::Result<()> {
    match row {
        Kept::Scored(row) => {
            let row = json!({"sentence1": row.first, "sentence2": row.second, "score": row.score});
            writeln!(out, "{row}")
        }
        Kept::Classed(first, second, class) => {
            let row = json!({"sentence1": first, "sentence2": second, "label": class});
            writeln!(out, "{row}")
        }
        Kept::Triplet(texts) => {
            let cells = texts.each_ref().map(|text| quoted(text));
            writeln!(out, "{}", cells.join(","))
        }
        Kept::Text(text) => writeln!(out, "{text}"),
    }
}

/// A cell of a CSV file.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}
