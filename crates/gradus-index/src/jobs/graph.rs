//! The graph of an index, for approximate search.

use crate::graph::graph;
use crate::neighbours::Hit;
use crate::store::{Index, Recall, Writer};
use crate::{IndexError, Result};
use gradus::jobs::Environment;
use gradus::util::{Observer, check_cancelled};
use serde::Serialize;
use std::path::Path;

/// Texts whose neighbours are looked for to measure the recall.
const ASKED: usize = 500;

/// Neighbours of each.
const NEAREST: usize = 10;

/// Texts of a higher cosine are equal.
const EQUAL: f32 = 0.9999;

/// The widths that are measured: half as many more each time, up to this.
const WIDEST: usize = 2000;

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GraphMade {
    /// Texts.
    pub texts: usize,
    /// What was found of the ten nearest of some texts, for several widths.
    pub recall: Vec<Recall>,
}

/// Makes a graph of the texts of an index, and measures on some of them what searches of
/// several widths find. Texts that are added later are searched beside it, exactly, until
/// this is done again.
///
/// # Errors
/// [`IndexError::Settings`] for an index without texts; [`IndexError::Locked`].
pub fn make_graph(
    index: &Path,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<GraphMade> {
    const WHAT: &str = "measuring recall";
    let mut writer = Writer::open(index)?;
    let open = Index::open(index)?;
    let cpu = environment.comparer()?;
    let texts = open.rows().count();
    if texts == 0 {
        let none = format!("{} has no texts", index.display());
        return Err(IndexError::Settings(none));
    }
    writer.keep_graph(&graph(&cpu, &open.matrix()?, observer)?)?;
    // Measured on what was written, as searches read it.
    let made = Index::open(index)?;
    let (matrix, rows) = (made.matrix()?, made.rows());
    let asked = crate::groups::evenly(&matrix.live(), ASKED);
    let nearest = |asked: &[usize]| made.nearest(&cpu, &matrix.gather(asked), NEAREST + 1, rows);
    let (asked, exact) = without_twins(asked, nearest)?;
    let queries = matrix.gather(&asked);
    let (mut recall, mut width) = (vec![], NEAREST);
    loop {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, recall.len() as u64, 0);
        let found = made.approximate_others(&cpu, (&asked, &queries), NEAREST, width)?;
        let share = share(&asked, &exact, &found);
        recall.push(Recall {
            width,
            recall: share,
        });
        if share > 0.9995 || width >= WIDEST.min(texts) {
            break;
        }
        width += width.div_ceil(2);
    }
    writer.measured(recall.clone())?;
    Ok(GraphMade { texts, recall })
}

/// Rows and their neighbours; of those rows that no other one equals, where there are any.
/// A graph may lead to equal ones through each other alone, which are not there when they
/// are asked for.
fn without_twins(
    asked: Vec<usize>,
    nearest: impl Fn(&[usize]) -> Result<Vec<Vec<Hit>>>,
) -> Result<(Vec<usize>, Vec<Vec<Hit>>)> {
    let exact = nearest(&asked)?;
    let alone = |(row, hits): &(&usize, &Vec<Hit>)| {
        let mut others = hits.iter().filter(|hit| hit.row != **row);
        others.all(|hit| hit.score < EQUAL)
    };
    let pairs = asked.iter().zip(&exact).filter(alone);
    let some: (Vec<usize>, Vec<Vec<Hit>>) = pairs.map(|(row, hits)| (*row, hits.clone())).unzip();
    Ok(match some.0.is_empty() {
        true => (asked, exact),
        false => some,
    })
}

/// The share of exact neighbours that were found, each text itself left out.
fn share(asked: &[usize], exact: &[Vec<Hit>], found: &[Vec<Hit>]) -> f64 {
    let (mut there, mut all) = (0, 0);
    for (row, (exact, found)) in asked.iter().zip(exact.iter().zip(found)) {
        for hit in exact.iter().filter(|hit| hit.row != *row).take(NEAREST) {
            all += 1;
            there += usize::from(found.iter().any(|other| other.row == hit.row));
        }
    }
    match all {
        0 => 1.0,
        all => f64::from(there as u32) / f64::from(all as u32),
    }
}
