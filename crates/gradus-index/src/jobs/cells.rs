//! An index laid out by cells, for approximate search.

use crate::ivf::cells;
use crate::neighbours::Hit;
use crate::store::{Index, Recall, Writer};
use crate::{IndexError, Result};
use gradus::jobs::Environment;
use gradus::util::{Observer, check_cancelled};
use std::path::Path;

/// Texts whose neighbours are looked for to measure the recall.
const ASKED: usize = 500;

/// Neighbours of each.
const NEAREST: usize = 10;

/// How an index was laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct CellsMade {
    /// Texts.
    pub texts: usize,
    /// Cells.
    pub cells: usize,
    /// What was found of the ten nearest of some texts, for several numbers of cells.
    pub recall: Vec<Recall>,
}

/// The number of cells where nobody says: four times the root of the number of texts.
pub fn usual_cells(texts: usize) -> usize {
    ((4.0 * (texts as f64).sqrt()).round() as usize).clamp(1, (texts / 8).max(1))
}

/// Lays the texts of an index out by cells, and measures on some of them how many cells a
/// search must look into. Texts that are added later are searched beside the cells,
/// exactly, until this is done again.
///
/// # Errors
/// [`IndexError::Settings`] for more cells than texts; [`IndexError::Locked`].
pub fn lay_out(
    index: &Path,
    wanted: Option<usize>,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<CellsMade> {
    const WHAT: &str = "measuring recall";
    let mut writer = Writer::open(index)?;
    let open = Index::open(index)?;
    let cpu = environment.backend(gradus::Precision::F32, observer)?;
    let texts = open.rows().count();
    if texts == 0 {
        let none = format!("{} has no texts", index.display());
        return Err(IndexError::Settings(none));
    }
    let count = wanted.unwrap_or_else(|| usual_cells(texts));
    writer.lay_out(&cells(&cpu, &open.matrix()?, count, observer)?)?;
    // Measured on what was written, as searches read it.
    let laid = Index::open(index)?;
    let (matrix, rows) = (laid.matrix()?, laid.rows());
    let asked = crate::groups::evenly(&matrix.live(), ASKED);
    let queries = matrix.gather(&asked);
    let exact = laid.nearest(&cpu, &queries, NEAREST + 1, rows)?;
    let (mut recall, mut probes) = (vec![], 1);
    loop {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, recall.len() as u64, 0);
        let found = laid.approximate(&cpu, &queries, NEAREST + 1, probes, rows)?;
        let share = share(&asked, &exact, &found);
        recall.push(Recall {
            probes,
            recall: share,
        });
        if share > 0.999 || probes >= count {
            break;
        }
        // Half as many more each time.
        probes = (probes + probes.div_ceil(2)).min(count);
    }
    writer.measured(recall.clone())?;
    Ok(CellsMade {
        texts,
        cells: count,
        recall,
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
