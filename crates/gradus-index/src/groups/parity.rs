//! What others make of the same vectors: `tests/reference/groups.py` made the values.

use super::*;
use crate::jobs::mine::{MineSettings, mine};
use crate::neighbours::{PackedVectors, nearest};
use gradus::util::Silent;
use gradus_kernels::cpu::Cpu;
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Expected {
    dim: usize,
    hdbscan: Vec<Hdbscan>,
    communities: Vec<Found>,
    nearest: Vec<Vec<(usize, f32)>>,
    pairs: Vec<(f32, usize, usize)>,
}

#[derive(Deserialize)]
struct Hdbscan {
    smallest: usize,
    neighbours: usize,
    select: String,
    labels: Vec<i64>,
    membership: Vec<f32>,
}

#[derive(Deserialize)]
struct Found {
    threshold: f32,
    smallest: usize,
    rows: Vec<Vec<usize>>,
}

fn read() -> (Expected, PackedVectors, Vec<f32>) {
    let expected = include_str!("../../tests/fixtures/groups/expected.json");
    let expected: Expected = serde_json::from_str(expected).unwrap();
    let bytes = include_bytes!("../../tests/fixtures/groups/vectors.f32");
    let (values, _) = bytes.as_chunks::<4>();
    let vectors: Vec<f32> = values.iter().map(|x| f32::from_le_bytes(*x)).collect();
    let packed = PackedVectors::new(&vectors, expected.dim);
    (expected, packed, vectors)
}

#[test]
fn dense_clusters_are_those_of_scikit_learn() {
    let (expected, packed, _) = read();
    for case in expected.hdbscan {
        let settings = Density {
            smallest: case.smallest,
            neighbours: case.neighbours,
            select: match case.select.as_str() {
                "leaf" => Select::Finest,
                _ => Select::Stable,
            },
        };
        let found = density(&Cpu::new(2), &packed.matrix(), &settings, &mut Silent).unwrap();
        // Numbers differ, so that they are matched.
        let mut names: HashMap<i64, u32> = HashMap::new();
        let (mut other, mut apart) = (0, 0f32);
        for (row, label) in case.labels.iter().enumerate() {
            let same = match (label, found.of[row]) {
                (-1, None) => true,
                (-1, Some(_)) | (_, None) => false,
                (label, Some(cluster)) => *names.entry(*label).or_insert(cluster) == cluster,
            };
            other += usize::from(!same);
            if same {
                apart = apart.max((found.membership[row] - case.membership[row]).abs());
            }
        }
        let what = format!("{} {} {}", case.smallest, case.neighbours, case.select);
        // Distances of reachability are often equal, and a row may fall out of a cluster
        // in the one order of joins and not in the other.
        assert!(other <= 1, "{what}: {other}");
        assert!(apart < 1e-3, "{what}: {apart}");
        assert_eq!(names.len(), found.clusters, "{what}");
    }
}

#[test]
fn communities_are_those_of_sentence_transformers() {
    let (expected, packed, _) = read();
    for case in expected.communities {
        let settings = Communities {
            threshold: case.threshold,
            smallest: case.smallest,
        };
        let found = communities(&Cpu::new(2), &packed.matrix(), &settings, &mut Silent);
        assert_eq!(found.unwrap(), case.rows, "{}", case.threshold);
    }
}

#[test]
fn neighbours_and_pairs_are_those_of_sentence_transformers() {
    let (expected, packed, vectors) = read();
    let dim = expected.dim;
    let queries = (&vectors[..20 * dim], dim);
    let found = nearest(&Cpu::new(2), queries, &[packed.stretch()], 7, None);
    for (found, expected) in found.iter().zip(&expected.nearest) {
        for (hit, (row, score)) in found.iter().zip(expected) {
            assert_eq!(hit.row, *row);
            assert!((hit.score - score).abs() < 2e-6);
        }
    }
    let settings = MineSettings {
        threshold: -1.0,
        most: expected.pairs.len(),
        neighbours: Some(100),
    };
    let found = mine(&Cpu::new(2), &packed.matrix(), &settings, &mut Silent).unwrap();
    for (found, (score, a, b)) in found.iter().zip(&expected.pairs) {
        assert_eq!((found.first, found.second), (*a.min(b), *a.max(b)));
        assert!((found.cosine - score).abs() < 2e-6);
    }
}
