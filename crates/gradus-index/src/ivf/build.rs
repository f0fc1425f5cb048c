//! Rows put into cells.

use crate::Result;
use crate::groups::{KMeans, kmeans, members};
use crate::neighbours::Matrix;
use gradus::util::Observer;
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{CoarseRows, PANEL, pack_rows};

/// A place of a panel that holds no row.
pub(super) const NONE: u64 = u64::MAX;

/// Rows laid out by cells, each of which begins with a panel of its own.
pub struct CellRows {
    /// The means of cells, `[cells, dim]`.
    pub means: Vec<f32>,
    /// The panel with which each cell begins, and their number.
    pub starts: Vec<u64>,
    /// Of each place of the panels its row; `u64::MAX` of none.
    pub rows: Vec<u64>,
    /// Vectors, as they are searched.
    pub panels: Vec<f32>,
    /// The same as bytes.
    pub coarse: Option<CoarseRows>,
}

/// Puts the rows of a matrix into cells.
///
/// # Errors
/// As [`kmeans`].
pub fn cells(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    cells: usize,
    observer: &mut dyn Observer,
) -> Result<CellRows> {
    let settings = KMeans {
        // Search needs no more, and this takes most of the time.
        rounds: 12,
        rows_a_cluster: 64,
        ..KMeans::new(cells)
    };
    let found = kmeans(cpu, matrix, &settings, observer)?;
    let dim = matrix.dim();
    let (mut starts, mut rows, mut vectors) = (vec![0u64], vec![], vec![]);
    for members in members(&found.of, cells) {
        vectors.extend(matrix.gather(&members));
        rows.extend(members.iter().map(|row| *row as u64));
        let whole = rows.len().next_multiple_of(PANEL);
        rows.resize(whole, NONE);
        vectors.resize(whole * dim, 0.0);
        starts.push((whole / PANEL) as u64);
    }
    Ok(CellRows {
        means: found.means,
        starts,
        rows,
        panels: pack_rows(&vectors, dim),
        coarse: CoarseRows::pack(&vectors, dim),
    })
}
