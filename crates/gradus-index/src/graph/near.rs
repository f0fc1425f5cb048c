//! The nearest of each row, to choose edges from.

use super::{NONE, lists};
use crate::Result;
use crate::groups::{KMeans, kmeans, members};
use crate::neighbours::{Hit, Matrix, PackedVectors, Rows, nearest};
use gradus::util::{Observer, check_cancelled};
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{ByteRowsView, PANEL, Stretch, pack_rows, unpack_rows};

/// Neighbours that are found of each.
pub(super) const NEAREST: usize = 64;

/// Rows that are compared together.
const BLOCK: usize = 1024;

/// Rows of a cell of k-means, about, of larger sets, and the cells near to one whose rows
/// are compared with its own.
const CELL: usize = 256;
const CELLS: usize = 32;

/// How often, and of how many neighbours, how many neighbours are looked at besides.
const ROUNDS: usize = 4;
const VIA: usize = 24;
const THEIRS: usize = 32;

const WHAT: &str = "finding neighbours";

/// The places of the nearest of each of some rows, `[rows, NEAREST]`, best first; of more
/// than `all` rows nearly the nearest.
pub(super) fn neighbours(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    (rows, step): (&[usize], usize),
    bytes: ByteRowsView<'_>,
    all: usize,
    observer: &mut dyn Observer,
) -> Result<Vec<u32>> {
    let mut near = vec![NONE; rows.len() * NEAREST];
    if rows.len() <= all {
        let dim = matrix.dim();
        let vectors = matrix.gather(rows);
        let packed = PackedVectors::new(&vectors, dim);
        for (block, vectors) in vectors.chunks(BLOCK * dim).enumerate() {
            check_cancelled(observer, WHAT)?;
            observer.progress(WHAT, (block * BLOCK) as u64, rows.len() as u64);
            let hits = nearest(cpu, (vectors, dim), &[packed.stretch()], NEAREST + 1, None);
            for (place, hits) in (block * BLOCK..).zip(hits) {
                let others = hits.iter().map(|hit| hit.row as u32);
                put(&mut near, place as u32, others);
            }
        }
    } else {
        if rows.len() == matrix.rows().count() {
            by_cells(cpu, matrix, rows, &mut near, observer)?;
        } else {
            // Those of a level above alone.
            let own = PackedVectors::plain(&matrix.gather(rows), matrix.dim());
            let places: Vec<usize> = (0..rows.len()).collect();
            by_cells(cpu, &own.matrix(), &places, &mut near, observer)?;
        }
        for _ in 0..ROUNDS {
            check_cancelled(observer, WHAT)?;
            near = through_neighbours(cpu, bytes, step, &near);
        }
    }
    observer.progress(WHAT, rows.len() as u64, rows.len() as u64);
    Ok(near)
}

fn put(near: &mut [u32], place: u32, others: impl Iterator<Item = u32>) {
    let out = &mut near[place as usize * NEAREST..][..NEAREST];
    let others = others.filter(|other| *other != place);
    out.iter_mut()
        .zip(others)
        .for_each(|(out, other)| *out = other);
}

/// Looks for nearer ones among the neighbours of neighbours.
fn through_neighbours(cpu: &Cpu, bytes: ByteRowsView<'_>, step: usize, near: &[u32]) -> Vec<u32> {
    let rows = near.len() / NEAREST;
    let list = |place: u32, most: usize| {
        let own = near[place as usize * NEAREST..][..most].iter().copied();
        own.take_while(|other| *other != NONE)
    };
    lists(cpu, (rows, NEAREST), |places, part| {
        let (mut seen, mut scores) = (vec![0u64; rows.div_ceil(64)], vec![]);
        for (place, out) in (places.start as u32..).zip(part.chunks_mut(NEAREST)) {
            let mut met: Vec<u32> = vec![place];
            seen[place as usize / 64] |= 1 << (place % 64);
            let theirs = list(place, VIA).flat_map(|via| list(via, THEIRS));
            for other in list(place, NEAREST).chain(theirs) {
                let (word, bit) = (&mut seen[other as usize / 64], 1 << (other % 64));
                if *word & bit == 0 {
                    *word |= bit;
                    met.push(other);
                }
            }
            met.iter().for_each(|other| seen[*other as usize / 64] = 0);
            met.iter_mut().for_each(|other| *other *= step as u32);
            let (own, others) = (met[0], &met[1..]);
            cpu.byte_scores(&bytes.query(own as usize), bytes, others, &mut scores);
            let all = others.iter().zip(&scores);
            let all = all.map(|(node, score)| Hit {
                row: *node as usize / step,
                score: *score,
            });
            let mut all: Vec<Hit> = all.collect();
            if all.len() > NEAREST {
                all.select_nth_unstable_by(NEAREST - 1, Hit::order);
                all.truncate(NEAREST);
            }
            all.sort_unstable_by(Hit::order);
            out.iter_mut()
                .zip(all)
                .for_each(|(out, hit)| *out = hit.row as u32);
        }
    })
}

/// A cell of k-means.
struct Cell {
    places: Vec<u32>,
    panels: Vec<f32>,
}

/// Compares the rows of each cell of k-means with those of the cells near to it; `rows` are
/// all of the matrix that count.
fn by_cells(
    cpu: &Cpu,
    matrix: &Matrix<'_>,
    rows: &[usize],
    near: &mut [u32],
    observer: &mut dyn Observer,
) -> Result<()> {
    let dim = matrix.dim();
    let settings = KMeans {
        rounds: 6,
        rows_a_cluster: 32,
        ..KMeans::new(rows.len().div_ceil(CELL))
    };
    let found = kmeans(cpu, matrix, &settings, observer)?;
    let mut place_of = vec![NONE; matrix.rows().len()];
    (0..)
        .zip(rows)
        .for_each(|(place, row)| place_of[*row] = place);
    let mut cells = vec![];
    for members in members(&found.of, settings.clusters) {
        check_cancelled(observer, WHAT)?;
        cells.push(Cell {
            panels: pack_rows(&matrix.gather(&members), dim),
            places: members.iter().map(|row| place_of[*row]).collect(),
        });
    }
    let means = PackedVectors::new(&found.means, dim);
    let (mut done, mut panels, mut places) = (0, vec![], vec![]);
    for (cell, mean) in cells.iter().zip(found.means.chunks(dim)) {
        check_cancelled(observer, WHAT)?;
        observer.progress(WHAT, done, rows.len() as u64);
        done += cell.places.len() as u64;
        panels.clear();
        places.clear();
        for hit in &nearest(cpu, (mean, dim), &[means.stretch()], CELLS, None)[0] {
            let other = &cells[hit.row];
            panels.extend_from_slice(&other.panels);
            places.extend_from_slice(&other.places);
            places.resize(places.len().next_multiple_of(PANEL), NONE);
        }
        let mut there = Rows::all(places.len());
        let empty = (0..places.len()).filter(|place| places[*place] == NONE);
        empty.for_each(|place| there.remove(place));
        let stretch = Stretch {
            panels: &panels,
            rows: places.len(),
            coarse: None,
        };
        let mut own = vec![];
        unpack_rows(&cell.panels, dim, 0..cell.places.len(), &mut own);
        let hits = nearest(cpu, (&own, dim), &[stretch], NEAREST + 1, Some(&there));
        for (place, mut hits) in cell.places.iter().zip(hits) {
            hits.iter_mut()
                .for_each(|hit| hit.row = places[hit.row] as usize);
            hits.sort_by(Hit::order);
            put(near, *place, hits.iter().map(|hit| hit.row as u32));
        }
    }
    Ok(())
}
