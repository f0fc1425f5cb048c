//! How long approximate search takes: for `bench/ann.py`, which says with what.

use gradus_index::store::Index;
use gradus_kernels::cpu::Cpu;
use std::error::Error;
use std::time::Instant;

/// INDEX QUERIES DIM TOP THREADS AT-A-TIME WIDTHS...
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize| arguments[place].parse::<usize>();
    let index = Index::open(&arguments[1])?;
    let bytes = std::fs::read(&arguments[2])?;
    let (values, _) = bytes.as_chunks::<4>();
    let queries: Vec<f32> = values.iter().map(|x| f32::from_le_bytes(*x)).collect();
    let (dim, top, at_a_time) = (number(3)?, number(4)?, number(6)?);
    let cpu = Cpu::new(number(5)?);
    for width in &arguments[7..] {
        let width: usize = width.parse()?;
        let mut found = vec![];
        let (began, mut repeats) = (Instant::now(), 0u32);
        while repeats == 0 || began.elapsed().as_secs_f64() < 1.0 {
            found.clear();
            for some in queries.chunks(at_a_time * dim) {
                found.extend(match width {
                    0 => index.nearest(&cpu, some, top, index.rows())?,
                    _ => index.approximate(&cpu, some, top, width, index.rows())?,
                });
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
