//! How long exact search takes: for `bench/search.py`, which says with what.

use gradus_index::neighbours::nearest;
use gradus_kernels::cpu::Cpu;
use gradus_kernels::cpu::search::{CoarseRows, Stretch, pack_rows};
use std::path::Path;
use std::time::Instant;

fn values(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|x| f32::from_le_bytes(*x)).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize| arguments[place].parse::<usize>().unwrap_or(1);
    let folder = Path::new(&arguments[1]);
    let (dim, count, top) = (number(2), number(3), number(4));
    let cpu = Cpu::new(number(5));
    let rows = values(&folder.join("rows.f32"));
    let panels = pack_rows(&rows, dim);
    // As indexes have them; without these it is how older ones are searched.
    let plain = std::env::var_os("PLAIN").is_some();
    let coarse = CoarseRows::pack(&rows, dim).filter(|_| !plain);
    let stretches = [Stretch {
        panels: &panels,
        rows: rows.len() / dim,
        coarse: coarse.as_ref().map(CoarseRows::view),
    }];
    let queries = values(&folder.join("queries.f32"));
    let queries = (&queries[..count * dim], dim);
    let mut found = nearest(&cpu, queries, &stretches, top, None);
    let (began, mut repeats) = (Instant::now(), 0);
    while began.elapsed().as_secs_f64() < 1.0 {
        found = nearest(&cpu, queries, &stretches, top, None);
        repeats += 1;
    }
    let seconds = began.elapsed().as_secs_f64() / f64::from(repeats);
    let rows: Vec<Vec<usize>> = found
        .iter()
        .map(|hits| hits.iter().map(|hit| hit.row).collect())
        .collect();
    println!("{{\"seconds\": {seconds}, \"rows\": {rows:?}}}");
}
