//! Clusters of texts: found, named by their words, drawn on a map.

mod found;
mod page;
mod rows;

pub use found::{Cluster, Clustering, Example};
pub use rows::RowsFormat;

use super::folder::{ResultFolder, line};
use super::input::Input;
use crate::Result;
use crate::groups::{Communities, Density, KMeans};
use gradus::jobs::Environment;
use gradus::util::Observer;
use std::path::{Path, PathBuf};

/// How clusters are found.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Around means: every text is in one.
    KMeans(KMeans),
    /// Neighbourhoods above a threshold; other texts are in none.
    Communities(Communities),
    /// Dense regions (HDBSCAN); other texts are in none.
    Density(Density),
}

impl Method {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::KMeans(_) => "k-means",
            Self::Communities(_) => "communities",
            Self::Density(_) => "density",
        }
    }
}

/// How many clusters [`Method::KMeans`] is given where nobody says: the root of half the
/// number of texts.
pub fn usual_clusters(texts: usize) -> usize {
    ((texts as f64 / 2.0).sqrt().round() as usize).clamp(1, texts.max(1))
}

/// What is done with clusters.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// How they are found; of k-means with 0 clusters [`usual_clusters`].
    pub method: Method,
    /// Words of each.
    pub keywords: usize,
    /// Texts of each that are shown, those nearest to its mean.
    pub examples: usize,
    /// At most so many texts are drawn on the map.
    pub drawn: usize,
    /// The form of the list of texts.
    pub rows: RowsFormat,
}

/// What was found, and where it is written.
pub struct Clustered {
    /// The clusters.
    pub clustering: Clustering,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// Finds the clusters of an input's texts and writes to the folder `output`: each text
/// with its cluster (`texts.jsonl` or `texts.parquet`), the clusters (`clusters.jsonl`),
/// and a page with a map (`map.html`).
///
/// # Errors
/// Those of the input; [`IndexError::Settings`](crate::IndexError::Settings) where settings do not go with the number
/// of texts; [`IndexError::Foreign`](crate::IndexError::Foreign) where the folder holds other things.
pub fn cluster(
    input: &Input,
    settings: &ClusterSettings,
    output: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Clustered> {
    input.check()?;
    let folder = ResultFolder::claim(output, "cluster")?;
    let index = input.open(environment, observer)?;
    let cpu = environment.comparer()?;
    let clustering = found::find(&cpu, &index, settings, observer)?;
    let mut files = vec![rows::write(&folder, &index, &clustering, settings.rows)?];
    files.push(folder.file("clusters.jsonl", |file| {
        let path = folder.path().join("clusters.jsonl");
        clustering
            .clusters
            .iter()
            .try_for_each(|cluster| line(file, &path, cluster))
    })?);
    files.push(page::write(&folder, &index, &clustering, settings.drawn)?);
    Ok(Clustered { clustering, files })
}
