//! Scores by the definition, with and without bytes.

use super::*;
use crate::cpu::{Isa, Precision};

struct All(Vec<(usize, usize, f32)>);

impl ScoreSink for All {
    #[inline(always)]
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        let scores = scores.iter().enumerate();
        self.0
            .extend(scores.map(|(i, &score)| (query, first + i, score)));
    }

    fn floor(&self, _: usize) -> f32 {
        f32::NEG_INFINITY
    }
}

fn values(count: usize, seed: u32) -> Vec<f32> {
    let value = |i: usize| {
        let bits = (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed);
        f32::from((bits >> 20) as u16) / 2048.0 - 1.0
    };
    (0..count).map(value).collect()
}

fn scores(cpu: &Cpu, queries: &[f32], dim: usize, rows: &[f32]) -> Vec<(usize, usize, f32)> {
    let panels = pack_rows(rows, dim);
    let stretch = Stretch {
        panels: &panels,
        rows: rows.len() / dim,
        coarse: None,
    };
    let sinks = cpu.score_panels((queries, dim), stretch, || All(vec![]));
    let mut all: Vec<_> = sinks.into_iter().flat_map(|sink| sink.0).collect();
    all.sort_by_key(|&(query, row, _)| (query, row));
    all
}

#[test]
fn every_score_is_handed_on_once_with_the_bits_of_one_chain() {
    for (queries, rows, dim) in [
        (1, 1, 1),
        (3, 70, 5),
        (13, 33, 64),
        (40, 1500, 33),
        (2, 0, 4),
    ] {
        let (q, r) = (values(queries * dim, 1), values(rows * dim, 7));
        let chain = |i: usize, j: usize| {
            let (a, b) = (&q[i * dim..][..dim], &r[j * dim..][..dim]);
            a.iter().zip(b).fold(0f32, |sum, (x, y)| x.mul_add(*y, sum))
        };
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            for threads in [1, 3] {
                let cpu = Cpu::with(threads, Precision::F32, isa).unwrap();
                let all = scores(&cpu, &q, dim, &r);
                assert_eq!(all.len(), queries * rows, "{isa}");
                for (place, &(query, row, score)) in all.iter().enumerate() {
                    assert_eq!((query, row), (place / rows, place % rows), "{isa}");
                    let exact = chain(query, row);
                    // Without fused sums the last bits differ.
                    let near = (score - exact).abs() <= 1e-5 * dim as f32;
                    let fused = isa == Isa::Portable || score.to_bits() == exact.to_bits();
                    assert!(near && fused, "{isa}: {score} and {exact}");
                }
            }
        }
    }
}

#[test]
fn rows_come_back_out_of_panels() {
    let rows = values(70 * 9, 3);
    let panels = pack_rows(&rows, 9);
    assert_eq!(panels.len(), 96 * 9);
    for (i, row) in rows.chunks_exact(9).enumerate() {
        let mut out = vec![];
        unpack_rows(&panels, 9, i..i + 1, &mut out);
        assert_eq!(out, row);
    }
}

/// Scores above a floor of each query.
struct Above<'a> {
    floors: &'a [f32],
    found: Vec<(usize, usize, u32)>,
    seen: usize,
}

impl ScoreSink for Above<'_> {
    #[inline(always)]
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        self.seen += 1;
        for (row, score) in (first..).zip(scores) {
            if *score > self.floors[query] {
                self.found.push((query, row, score.to_bits()));
            }
        }
    }

    #[inline(always)]
    fn floor(&self, query: usize) -> f32 {
        self.floors[query]
    }
}

fn screened(
    cpu: &Cpu,
    queries: &[f32],
    dim: usize,
    rows: &[f32],
    floors: &[f32],
    coarse: Option<Coarse<'_>>,
) -> (Vec<(usize, usize, u32)>, usize) {
    let panels = pack_rows(rows, dim);
    let stretch = Stretch {
        panels: &panels,
        rows: rows.len() / dim,
        coarse,
    };
    let sinks = cpu.score_panels((queries, dim), stretch, || Above {
        floors,
        found: vec![],
        seen: 0,
    });
    let seen = sinks.iter().map(|sink| sink.seen).sum();
    let mut found: Vec<_> = sinks.into_iter().flat_map(|sink| sink.found).collect();
    found.sort_unstable();
    (found, seen)
}

/// Values of very different sizes, also within a row.
fn uneven(count: usize, seed: u32) -> Vec<f32> {
    let powers = values(count, seed ^ 0x55aa);
    let all = values(count, seed).into_iter().zip(powers);
    all.map(|(x, power)| x * (6.0 * power).exp2()).collect()
}

#[test]
fn rows_as_bytes_leave_out_nothing() {
    for (round, (queries, rows, dim)) in [
        (1, 1, 1),
        (3, 70, 5),
        (17, 100, 64),
        (33, 700, 130),
        (70, 1500, 384),
        (2, 0, 4),
    ]
    .into_iter()
    .enumerate()
    {
        for make in [values, uneven] {
            let (q, r) = (make(queries * dim, 1), make(rows * dim, 7));
            let coarse = CoarseRows::pack(&r, dim).unwrap();
            let stored: Vec<u8> = coarse.parts().concat();
            assert_eq!(Coarse::len_of(rows, dim), Some(stored.len()));
            // From scores themselves, so that many lie at the very edge.
            let cpu = Cpu::new(1);
            let all = scores(&cpu, &q, dim, &r);
            let floor = |query: usize| {
                let mut own: Vec<f32> = all.iter().filter(|s| s.0 == query).map(|s| s.2).collect();
                own.sort_by(f32::total_cmp);
                let place = own.len().saturating_sub(1 + (query + round) % 9);
                own.get(place).map_or(0.0, |s| s.next_down())
            };
            let floors: Vec<f32> = (0..queries).map(floor).collect();
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                for threads in [1, 3] {
                    let cpu = Cpu::with(threads, Precision::F32, isa).unwrap();
                    let plain = screened(&cpu, &q, dim, &r, &floors, None).0;
                    let view = Some(coarse.view());
                    let (found, seen) = screened(&cpu, &q, dim, &r, &floors, view);
                    assert_eq!(found, plain, "{isa} {queries} {rows} {dim}");
                    let panels = queries * rows.div_ceil(PANEL);
                    let some = rows == 1500 && isa >= Isa::Avx2;
                    assert!(!some || seen < panels / 2, "{isa}: {seen} of {panels}");
                }
            }
        }
    }
}

/// All scores that are handed on, of which the best count.
struct Most {
    most: usize,
    found: Vec<(usize, usize, f32)>,
}

impl ScoreSink for Most {
    fn take(&mut self, query: usize, first: usize, scores: &[f32]) {
        let scores = (first..).zip(scores);
        self.found
            .extend(scores.map(|(row, score)| (query, row, *score)));
    }

    fn floor(&self, _: usize) -> f32 {
        f32::NEG_INFINITY
    }

    fn most(&self) -> Option<usize> {
        Some(self.most)
    }

    fn counts(&self, _: usize, row: usize) -> bool {
        !row.is_multiple_of(7)
    }
}

fn best_of(found: &[(usize, usize, f32)], query: usize, most: usize) -> Vec<(usize, u32)> {
    let own = found.iter().filter(|f| f.0 == query && f.1 % 7 > 0);
    let mut own: Vec<(usize, f32)> = own.map(|f| (f.1, f.2)).collect();
    own.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    own.truncate(most);
    own.into_iter()
        .map(|(row, score)| (row, score.to_bits()))
        .collect()
}

#[test]
fn the_best_are_found_without_computing_most_of_the_others() {
    let (queries, rows, dim, most) = (70, 6000, 96, 3);
    for make in [values, uneven] {
        let (q, r) = (make(queries * dim, 1), make(rows * dim, 7));
        let (coarse, panels) = (CoarseRows::pack(&r, dim).unwrap(), pack_rows(&r, dim));
        let all = scores(&Cpu::new(1), &q, dim, &r);
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            for threads in [1, 3] {
                let cpu = Cpu::with(threads, Precision::F32, isa).unwrap();
                let stretch = |coarse| Stretch {
                    panels: &panels,
                    rows,
                    coarse,
                };
                let sink = || Most {
                    most,
                    found: vec![],
                };
                let all = match isa {
                    // Without fused sums the last bits differ.
                    Isa::Portable => scores(&cpu, &q, dim, &r),
                    _ => all.clone(),
                };
                let parts = cpu.score_panels((&q, dim), stretch(Some(coarse.view())), sink);
                let found: Vec<_> = parts.into_iter().flat_map(|part| part.found).collect();
                let few = isa >= Isa::Avx2;
                assert!(
                    !few || found.len() < all.len() / 3,
                    "{isa}: {}",
                    found.len()
                );
                for query in 0..queries {
                    let of = |found: &[_]| best_of(found, query, most);
                    assert_eq!(of(&found), of(&all), "{isa} {query}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_is_computed() {
    let dim = 70;
    let (mut q, mut r) = (values(3 * dim, 1), values(80 * dim, 7));
    q[dim + 3] = f32::NAN;
    r[40 * dim] = f32::INFINITY;
    let coarse = CoarseRows::pack(&r, dim).unwrap();
    let floors = [1e9; 3];
    let cpu = Cpu::new(2);
    let view = Some(coarse.view());
    let (found, _) = screened(&cpu, &q, dim, &r, &floors, view);
    assert_eq!(found, screened(&cpu, &q, dim, &r, &floors, None).0);
    assert!(!found.is_empty());
}

#[test]
fn stored_bytes_are_read_where_they_fit() {
    let (dim, rows) = (10, 40);
    let coarse = CoarseRows::pack(&values(rows * dim, 3), dim).unwrap();
    // An address that is a multiple of 64.
    let stored = coarse.parts().concat();
    let mut memory = vec![0u8; stored.len() + 64];
    let from = memory.as_ptr().align_offset(64);
    memory[from..from + stored.len()].copy_from_slice(&stored);
    let bytes = &memory[from..from + stored.len()];
    let view = Coarse::stored(bytes, rows, dim).unwrap();
    assert_eq!(view.lines.len(), coarse.view().lines.len());
    assert!(Coarse::stored(&bytes[1..], rows, dim).is_none());
    assert!(Coarse::stored(bytes, rows + 32, dim).is_none());
    assert!(Coarse::stored(bytes, rows, 70).is_none());
    let odd = &memory[from + 1..from + 1 + stored.len()];
    assert!(Coarse::stored(odd, rows, dim).is_none());
    assert!(CoarseRows::pack(&[], 0).is_none() && Coarse::len_of(5, 70_000).is_none());
}

#[test]
fn picked_rows_have_the_scores_of_all_rows() {
    for (rows, dim) in [(1, 1), (70, 5), (33, 64), (90, 130)] {
        let (q, r) = (uneven(dim, 3), uneven(rows * dim, 5));
        let bytes = ByteRows::pack(&r, dim);
        let stored = bytes.view();
        let stored = ByteRowsView::stored(stored.bytes(), stored.scales(), dim).unwrap();
        assert!(ByteRowsView::stored(&stored.bytes()[1..], stored.scales(), dim).is_none());
        let picked: Vec<u32> = (0..rows as u32).rev().step_by(2).collect();
        let mut by_bytes: Option<Vec<f32>> = None;
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let cpu = Cpu::with(1, Precision::F32, isa).unwrap();
            let (exact, mut some) = (scores(&cpu, &q, dim, &r), vec![]);
            cpu.byte_scores(&ByteQuery::new(&q), stored, &picked, &mut some);
            let numbers: Vec<usize> = picked.iter().map(|row| *row as usize).collect();
            let panels = pack_rows(&r, dim);
            let all = cpu.exact_scores(&q, &numbers, |row, out| copy_row(&panels, row, out));
            let length = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
            for ((row, score), near) in numbers.iter().zip(&all).zip(&some) {
                assert_eq!(score.to_bits(), exact[*row].2.to_bits(), "{isa}");
                let lengths = length(&q) * length(&r[row * dim..][..dim]);
                assert!((score - near).abs() <= 0.02 * lengths, "{score} {near}");
            }
            assert_eq!(by_bytes.get_or_insert(some.clone()), &some, "{isa}");
        }
        // A row as a query is what it was packed from.
        let (mut own, mut same) = (vec![], vec![]);
        Cpu::new(1).byte_scores(&stored.query(0), stored, &picked, &mut own);
        Cpu::new(1).byte_scores(&ByteQuery::new(&r[..dim]), stored, &picked, &mut same);
        assert_eq!(own, same);
    }
}
