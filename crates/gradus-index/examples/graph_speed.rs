//! How long approximate search takes: for `bench/ann.py`, which says with what.

use gradus::util::Silent;
use gradus_index::IndexError;
use gradus_index::graph::{Graph, Walks, graph};
use gradus_index::neighbours::{Hit, PackedVectors, nearest};
use gradus_index::store::Index;
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::copy_row;
use std::error::Error;
use std::time::Instant;

/// What is searched: `width` 0 is the exact search.
trait Searched {
    fn search(&self, cpu: &Cpu, queries: &[f32], top: usize, width: usize) -> Found;
}

type Found = Result<Vec<Vec<Hit>>, IndexError>;

impl Searched for Index {
    fn search(&self, cpu: &Cpu, queries: &[f32], top: usize, width: usize) -> Found {
        match width {
            0 => self.nearest(cpu, queries, top, self.rows()),
            width => self.approximate(cpu, queries, top, width, self.rows()),
        }
    }
}

/// Vectors of a file in memory.
struct InMemory {
    packed: PackedVectors,
    graph: Graph,
    dim: usize,
}

impl Searched for InMemory {
    fn search(&self, cpu: &Cpu, queries: &[f32], top: usize, width: usize) -> Found {
        let matrix = self.packed.matrix();
        let queries = (queries, self.dim);
        if width == 0 {
            return Ok(nearest(cpu, queries, matrix.stretches(), top, None));
        }
        let walks = Walks {
            graph: self.graph.view(),
            allowed: matrix.rows(),
            most: top,
            width,
            without: None,
        };
        let panels = matrix.stretches()[0].panels;
        Ok(walks.nearest(cpu, queries, |row, out| copy_row(panels, row, out)))
    }
}

fn floats(path: &str) -> std::io::Result<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    let (values, _) = bytes.as_chunks::<4>();
    Ok(values.iter().map(|x| f32::from_le_bytes(*x)).collect())
}

/// INDEX|VECTORS.f32 QUERIES.f32 DIM TOP THREADS AT-A-TIME WIDTHS...
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize| arguments[place].parse::<usize>();
    let queries = floats(&arguments[2])?;
    let (dim, top, at_a_time) = (number(3)?, number(4)?, number(6)?);
    let searched: Box<dyn Searched> = match arguments[1].strip_suffix(".f32") {
        None => Box::new(Index::open(&arguments[1])?),
        Some(_) => {
            let packed = PackedVectors::new(&floats(&arguments[1])?, dim);
            let began = Instant::now();
            let graph = graph(&Cpu::new(0), &packed.matrix(), &mut Silent)?;
            println!("{{\"made\": {}}}", began.elapsed().as_secs_f64());
            Box::new(InMemory { packed, graph, dim })
        }
    };
    let cpu = Cpu::new(number(5)?);
    for width in &arguments[7..] {
        let width: usize = width.parse()?;
        let mut found = vec![];
        let (began, mut repeats) = (Instant::now(), 0u32);
        while repeats == 0 || began.elapsed().as_secs_f64() < 1.0 {
            found.clear();
            for some in queries.chunks(at_a_time * dim) {
                found.extend(searched.search(&cpu, some, top, width)?);
            }
            repeats += 1;
        }
        let count = f64::from(repeats) * found.len() as f64;
        let seconds = began.elapsed().as_secs_f64() / count;
        let rows = found
            .iter()
            .map(|hits| hits.iter().map(|hit| hit.row).collect());
        let rows: Vec<Vec<usize>> = rows.collect();
        println!("{{\"width\": {width}, \"seconds\": {seconds}, \"rows\": {rows:?}}}");
    }
    Ok(())
}
