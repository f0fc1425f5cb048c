//! Graphs beside exact search.

use super::build::build;
use super::{DEGREE, Graph, NONE, Walks, edges_of};
use crate::groups::testing::blobs;
use crate::neighbours::{Hit, Matrix, PackedVectors, Rows, copy_vector, nearest};
use gradus::util::Silent;
use gradus_kernels::cpu::Cpu;

const DIM: usize = 20;

struct Place {
    vectors: Vec<f32>,
    packed: PackedVectors,
    there: Rows,
}

impl Place {
    /// Rows of which some are equal and some are not there.
    fn new(rows: usize) -> Self {
        let (mut vectors, _) = blobs(rows, DIM, rows.div_ceil(50), 0.8);
        vectors.copy_within(0..rows / 9 * DIM, rows / 2 * DIM);
        let mut there = Rows::all(rows);
        (0..rows).step_by(9).for_each(|row| there.remove(row));
        Self {
            packed: PackedVectors::new(&vectors, DIM),
            vectors,
            there,
        }
    }

    fn graph(&self, threads: usize, all: usize) -> Graph {
        let matrix = Matrix::new(vec![self.packed.stretch()], DIM, self.there.clone());
        build(&Cpu::new(threads), &matrix, all, &mut Silent).unwrap()
    }

    fn walk(
        &self,
        graph: &Graph,
        queries: &[f32],
        width: usize,
        threads: usize,
        allowed: &Rows,
    ) -> Vec<Vec<Hit>> {
        let walks = Walks {
            graph: graph.view(),
            allowed,
            most: 10,
            width,
            without: None,
        };
        self.run(&walks, queries, threads)
    }

    fn run(&self, walks: &Walks<'_>, queries: &[f32], threads: usize) -> Vec<Vec<Hit>> {
        let stretches = [self.packed.stretch()];
        walks.nearest(&Cpu::new(threads), (queries, DIM), |row, out| {
            copy_vector(&stretches, row, out)
        })
    }

    fn exact(&self, queries: &[f32], allowed: &Rows) -> Vec<Vec<Hit>> {
        let stretches = [self.packed.stretch()];
        nearest(&Cpu::new(1), (queries, DIM), &stretches, 10, Some(allowed))
    }
}

fn share(found: &[Vec<Hit>], exact: &[Vec<Hit>]) -> f64 {
    let pairs = found.iter().zip(exact);
    let same: usize = pairs
        .map(|(f, e)| f.iter().filter(|hit| e.contains(hit)).count())
        .sum();
    let all: usize = exact.iter().map(Vec::len).sum();
    same as f64 / all as f64
}

#[test]
fn wide_searches_are_exact_and_narrow_ones_nearly() {
    // No level above, one, and two; neighbours of all, and through cells.
    for (rows, all) in [
        (1, 1 << 14),
        (40, 1 << 14),
        (1500, 1 << 14),
        (2500, 500),
        (2500, 60),
    ] {
        let place = Place::new(rows);
        if place.there.count() == 0 {
            continue;
        }
        let graph = place.graph(2, all);
        let other = place.graph(3, all);
        assert_eq!((&graph.rows, &graph.edges), (&other.rows, &other.edges));
        assert_eq!(Some(graph.edges.len()), edges_of(graph.rows.len()));
        let mut allowed = place.there.clone();
        (0..rows).step_by(7).for_each(|row| allowed.remove(row));
        let queries = &place.vectors[..rows.min(40) * DIM];
        let exact = place.exact(queries, &allowed);
        let wide = place.walk(&graph, queries, rows, 1, &allowed);
        assert_eq!(wide, exact, "{rows}");
        let narrow = place.walk(&graph, queries, 30, 1, &allowed);
        assert!(share(&narrow, &exact) > 0.95, "{}", share(&narrow, &exact));
        // Whatever else is asked, on any threads.
        assert_eq!(narrow, place.walk(&graph, queries, 30, 3, &allowed));
        let last = (rows.min(40) - 1) * DIM;
        let alone = place.walk(&graph, &queries[last..], 30, 1, &allowed);
        assert_eq!(narrow.last(), alone.last());
    }
}

#[test]
fn a_row_is_not_there_for_its_own_search() {
    let place = Place::new(600);
    let graph = place.graph(2, 1 << 14);
    let asked: Vec<usize> = (1..600).filter(|row| row % 9 > 0).step_by(5).collect();
    let queries: Vec<f32> = asked
        .iter()
        .flat_map(|row| &place.vectors[row * DIM..][..DIM])
        .copied()
        .collect();
    let walks = Walks {
        graph: graph.view(),
        allowed: &place.there,
        most: 10,
        width: 600,
        without: Some(&asked),
    };
    let found = place.run(&walks, &queries, 2);
    let mut exact = vec![];
    for ((row, query), found) in asked.iter().zip(queries.chunks(DIM)).zip(&found) {
        let mut others = place.there.clone();
        others.remove(*row);
        exact.extend(place.exact(query, &others));
        assert!(found.iter().all(|hit| hit.row != *row));
    }
    // A few are reached through the row alone.
    assert!(share(&found, &exact) > 0.98, "{}", share(&found, &exact));
}

#[test]
fn rows_that_are_all_equal_are_found() {
    let vectors = [1.0f32, 0.0].repeat(700);
    let packed = PackedVectors::new(&vectors, 2);
    let graph = build(&Cpu::new(2), &packed.matrix(), 1 << 14, &mut Silent).unwrap();
    let stretches = [packed.stretch()];
    let walks = Walks {
        graph: graph.view(),
        allowed: &Rows::all(700),
        most: 700,
        width: 1,
        without: None,
    };
    let found = walks.nearest(&Cpu::new(1), (&[1.0, 0.0], 2), |row, out| {
        copy_vector(&stretches, row, out)
    });
    let rows: Vec<usize> = found[0].iter().map(|hit| hit.row).collect();
    assert_eq!(rows, (0..700).collect::<Vec<_>>());
}

#[test]
fn damaged_edges_are_left_out() {
    let place = Place::new(600);
    let mut graph = place.graph(1, 1 << 14);
    let count = graph.edges.len();
    for (i, end) in graph.edges.iter_mut().enumerate() {
        if i % 5 == 0 {
            *end = (i as u32).wrapping_mul(2_654_435_761);
        }
    }
    graph.rows[17] = u64::MAX;
    let queries = &place.vectors[..40 * DIM];
    let found = place.walk(&graph, queries, 50, 2, &place.there);
    assert!(found.iter().flatten().all(|hit| place.there.has(hit.row)));
    graph.edges.truncate(count / 2);
    place.walk(&graph, queries, 50, 2, &place.there);
}

#[test]
fn empty_places_are_behind_edges() {
    let graph = Place::new(300).graph(1, 1 << 14);
    let rows = graph.edges.chunks(DEGREE);
    assert!(
        rows.clone()
            .all(|ends| ends.is_sorted_by_key(|end| *end == NONE))
    );
    let (nodes, own) = (graph.rows.len() as u32, rows.enumerate());
    for (place, ends) in own {
        let mut there = ends.iter().filter(|end| **end != NONE);
        assert!(
            there.all(|end| *end < nodes && *end as usize != place),
            "{place}"
        );
    }
}
