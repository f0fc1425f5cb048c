//! The clusters of an index, whatever way they are found.

use super::{ClusterSettings, Method, usual_clusters};
use crate::Result;
use crate::groups::{self, KMeans, Keywords, Plane};
use crate::neighbours::Matrix;
use crate::store::Index;
use gradus::util::{Observer, check_cancelled};
use gradus_kernels::cpu::Cpu;
use serde::Serialize;

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cluster {
    /// Its number: 0 for the largest, of equal ones the one with the first text.
    pub cluster: usize,
    /// How many texts it has.
    pub size: usize,
    /// The mean cosine of its texts with their mean.
    pub cosine: f64,
    /// What words tell it from the others, most telling ones first.
    pub keywords: Vec<String>,
    /// The texts nearest to its mean.
    pub examples: Vec<Example>,
}

/// A text of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// What it is called.
    pub id: String,
    /// Its cosine with the mean.
    pub cosine: f32,
    /// Itself.
    pub text: String,
}

/// Clusters, and the place of each text.
pub struct Clustering {
    /// How they were found.
    pub method: &'static str,
    /// The largest first.
    pub clusters: Vec<Cluster>,
    /// Of each row of the index its cluster; none of texts in no cluster, and of removed
    /// rows.
    pub of: Vec<Option<u32>>,
    /// Of each row its cosine with the mean of its cluster.
    pub cosines: Vec<f32>,
    /// Of each row how firmly it belongs there, where the method says.
    pub membership: Option<Vec<f32>>,
    /// How many texts are in no cluster.
    pub alone: usize,
    /// The directions of the map.
    pub(super) plane: Plane,
}

/// Finds clusters, counts their words, and puts all texts on a plane.
pub(super) fn find(
    cpu: &Cpu,
    index: &Index,
    settings: &ClusterSettings,
    observer: &mut dyn Observer,
) -> Result<Clustering> {
    let matrix = index.matrix()?;
    let mut membership = None;
    let of = match &settings.method {
        Method::KMeans(wanted) => {
            let usual = KMeans {
                clusters: match wanted.clusters {
                    0 => usual_clusters(matrix.rows().count()),
                    given => given,
                },
                ..wanted.clone()
            };
            groups::kmeans(cpu, &matrix, &usual, observer)?.of
        }
        Method::Communities(settings) => {
            let found = groups::communities(cpu, &matrix, settings, observer)?;
            let mut of = vec![None; matrix.rows().len()];
            for (number, rows) in (0..).zip(&found) {
                rows.iter().for_each(|row| of[*row] = Some(number));
            }
            of
        }
        Method::Density(settings) => {
            let found = groups::density(cpu, &matrix, settings, observer)?;
            membership = Some(found.membership);
            found.of
        }
    };
    let (of, count) = numbered(of);
    let members = groups::members(&of, count);
    let (mut means, mut cosines) = (vec![], vec![0.0; of.len()]);
    for rows in &members {
        let mean = groups::mean_of(&matrix, rows);
        for (row, cosine) in rows.iter().zip(groups::cosines_with(&matrix, rows, &mean)) {
            cosines[*row] = cosine;
        }
        means.extend(mean);
    }
    let plane = plane(&matrix, &means, &members);
    let clusters = described(index, &members, &of, &cosines, settings, observer)?;
    Ok(Clustering {
        method: settings.method.name(),
        clusters,
        alone: matrix.rows().count() - members.iter().map(Vec::len).sum::<usize>(),
        of,
        cosines,
        membership,
        plane,
    })
}

/// Clusters by size, without empty ones.
fn numbered(of: Vec<Option<u32>>) -> (Vec<Option<u32>>, usize) {
    let count = of
        .iter()
        .flatten()
        .max()
        .map_or(0, |most| *most as usize + 1);
    let members = groups::members(&of, count);
    let mut order: Vec<usize> = (0..count).filter(|c| !members[*c].is_empty()).collect();
    order.sort_by_key(|c| (std::cmp::Reverse(members[*c].len()), members[*c][0]));
    let mut numbers = vec![0; count];
    for (number, cluster) in (0..).zip(&order) {
        numbers[*cluster] = number;
    }
    let of = of
        .into_iter()
        .map(|cluster| Some(numbers[cluster? as usize]));
    (of.collect(), order.len())
}

/// The map's directions: in which clusters differ, or else texts.
fn plane(matrix: &Matrix<'_>, means: &[f32], members: &[Vec<usize>]) -> Plane {
    /// More texts do not change directions much.
    const SOME: usize = 2000;
    if members.len() >= 3 {
        let sizes: Vec<f64> = members.iter().map(|rows| rows.len() as f64).collect();
        return Plane::of(means, matrix.dim(), &sizes);
    }
    let some = groups::evenly(&matrix.live(), SOME);
    Plane::of(&matrix.gather(&some), matrix.dim(), &vec![1.0; some.len()])
}

fn described(
    index: &Index,
    members: &[Vec<usize>],
    of: &[Option<u32>],
    cosines: &[f32],
    settings: &ClusterSettings,
    observer: &mut dyn Observer,
) -> Result<Vec<Cluster>> {
    const WHAT: &str = "counting words";
    let mut words = Keywords::new(members.len());
    for record in index.records() {
        let (row, record) = record?;
        if row % 4096 == 0 {
            check_cancelled(observer, WHAT)?;
            observer.progress(WHAT, row as u64, of.len() as u64);
        }
        if let Some(cluster) = of[row] {
            words.add(cluster as usize, &record.text);
        }
    }
    observer.progress(WHAT, of.len() as u64, of.len() as u64);
    let words = words.best(settings.keywords);
    let mut clusters = vec![];
    for (number, (rows, words)) in members.iter().zip(words).enumerate() {
        let mut near = rows.clone();
        near.sort_by(|a, b| cosines[*b].total_cmp(&cosines[*a]).then(a.cmp(b)));
        near.truncate(settings.examples);
        let example = |row: usize| -> Result<Example> {
            let record = index.record(row)?;
            Ok(Example {
                id: record.id,
                cosine: cosines[row],
                text: record.text,
            })
        };
        let sum: f64 = rows.iter().map(|row| f64::from(cosines[*row])).sum();
        clusters.push(Cluster {
            cluster: number,
            size: rows.len(),
            cosine: sum / rows.len() as f64,
            keywords: words.into_iter().map(|keyword| keyword.word).collect(),
            examples: near.into_iter().map(example).collect::<Result<_>>()?,
        });
    }
    Ok(clusters)
}
