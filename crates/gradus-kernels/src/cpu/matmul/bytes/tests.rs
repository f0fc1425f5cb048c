//! Every kernel beside plain definitions.

use super::super::panels::{COLS, Data, Panels, Rhs};
use super::super::sweep::{Multiply, ROWS, RowBlock, STEP_LINES};
use super::super::{Left, Rows, product};
use super::{ByteKernel, QuantizedRows, Ready, TERMS, plain};
use crate::cpu::matmul::line::ByteLine;
use crate::cpu::{Cpu, Isa, Precision};
use proptest::prelude::*;

/// Bytes that take all values, the extreme ones often.
fn bytes(lines: usize, seed: u64) -> Vec<ByteLine> {
    let mut state = seed | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        match state >> 60 {
            0..4 => 255,
            4..6 => 127,
            6..8 => 128,
            _ => (state >> 40) as u8,
        }
    };
    let line = |_| ByteLine(std::array::from_fn(|_| next()));
    (0..lines).map(line).collect()
}

#[test]
fn kernels_agree_on_all_bytes() {
    for kernel in ByteKernel::ALL {
        if !kernel.is_available() {
            eprintln!("not on this processor, not tested: {kernel:?}");
            continue;
        }
        let ready = Ready::new(kernel);
        for (steps, rows) in [
            (1usize, 1usize),
            (1, 32),
            (3, 7),
            (6, 16),
            (2, 17),
            (24, 31),
            (0, 5),
        ] {
            let a = bytes(rows.next_multiple_of(16) * steps, 3);
            let panel = bytes(STEP_LINES * steps, 8);
            let mut expected = vec![0; ROWS * COLS];
            plain::product(&a, rows, &panel, (&mut expected, COLS));
            let mut sums = vec![7; ROWS * COLS];
            let mut under_way = 0;
            // All terms at once, and where a kernel takes parts, in two.
            let whole = ready.steps() == usize::MAX || steps < 2;
            let first = if whole { steps } else { 1 };
            for terms in [0..first, first..steps] {
                if terms.is_empty() && terms.start > 0 {
                    continue;
                }
                let panel = &panel[terms.start * STEP_LINES..terms.end * STEP_LINES];
                let block = RowBlock {
                    lines: &a,
                    rows,
                    terms,
                };
                let out = (&mut sums[..], COLS);
                ready.product(&block, panel, out, |share| under_way = share);
                assert_eq!(under_way, ROWS);
            }
            let len = rows * COLS;
            assert!(
                sums[..len] == expected[..len],
                "{kernel:?}, {steps} steps, {rows} rows"
            );
        }
    }
}

/// `a b^T` by the definition: rows in 256 levels, weights in 255.
fn expected(a: &[f32], b: &[f32], [rows, n, k]: [usize; 3]) -> Vec<f64> {
    let mut out = vec![];
    for row in a.chunks(k) {
        let low = row.iter().fold(0f32, |m, x| m.min(*x));
        let high = row.iter().fold(0f32, |m, x| m.max(*x));
        let scale = f64::from(high / 255.0 - low / 255.0);
        let zero = if scale > 0.0 {
            (f64::from(-low) / scale).round()
        } else {
            0.0
        };
        for column in b.chunks(k) {
            let mut q = vec![0; k];
            let weight = f64::from(crate::int8::quantize(column, &mut q));
            let terms = row.iter().zip(&q).map(|(x, q)| {
                let byte = if scale > 0.0 {
                    (f64::from(*x) / scale + zero)
                        .round_ties_even()
                        .clamp(0.0, 255.0)
                } else {
                    0.0
                };
                (byte - zero) * f64::from(*q)
            });
            out.push(terms.sum::<f64>() * scale * weight);
        }
    }
    assert_eq!(out.len(), rows * n);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]
    #[test]
    fn products_are_those_of_the_definition(
        rows in 1usize..90,
        n in 1usize..100,
        k in 1usize..200,
        seed in 0u64..1 << 40,
        offset in -2f32..2.0,
    ) {
        let mut state = seed;
        let mut value = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let a: Vec<f32> = (0..rows * k).map(|_| value() + offset).collect();
        let b: Vec<f32> = (0..n * k).map(|_| value()).collect();
        let expected = expected(&a, &b, [rows, n, k]);
        let most = expected.iter().fold(1e-6, |m: f64, x| m.max(x.abs()));
        let mut first: Option<Vec<f32>> = None;
        for isa in Isa::ALL.into_iter().filter(|i| i.is_available()) {
            for threads in [1, 3] {
                let cpu = Cpu::with(threads, Precision::Int8, isa).unwrap();
                let panels = Panels::pack(&cpu, &b, Rhs::Bytes, n, k, None);
                let is_bytes = matches!(panels.data, Data::Bytes(_));
                prop_assert!(is_bytes);
                let mut out = vec![f32::NAN; rows * n];
                product(&cpu, Left::Rows(&a), rows, &panels, None,
                    Rows::new([&mut out], n, |row, [out]| *out = *row));
                let first = first.get_or_insert_with(|| out.clone());
                prop_assert!(*first == out, "{isa}, {threads} threads");
            }
        }
        // A value that lies between two bytes may go either way.
        for (x, e) in first.into_iter().flatten().zip(expected) {
            prop_assert!((f64::from(x) - e).abs() < 0.01 * most, "{x} {e}");
        }
    }
}

#[test]
fn values_that_are_not_finite_stay_so_and_zeros_are_exact() {
    let k = TERMS + 3;
    let mut rows = vec![1.5; 3 * k];
    rows[k + 5] = f32::NAN;
    rows[2 * k + 6] = f32::NEG_INFINITY;
    let mut packed = QuantizedRows::default();
    packed.fill(&rows, 3, k);
    assert!(packed.scale(0).scale > 0.0);
    assert!(packed.scale(1).scale.is_nan() && packed.scale(2).scale.is_nan());
    packed.fill(&vec![0.0; k], 1, k);
    assert_eq!(packed.scale(0).scale, 0.0);
    let mut row = vec![0.0; k];
    (row[3], row[4]) = (-3.0, 8.0);
    packed.fill(&row, 1, k);
    assert_eq!(f32::from(packed.lines()[0].0[0]), packed.scale(0).zero);
}

#[test]
fn products_of_too_many_terms_for_a_sum_are_not_in_bytes() {
    use crate::{Backend, Linear, View};
    let cpu = Cpu::with(1, Precision::Int8, Isa::best()).unwrap();
    for (terms, same) in [(super::MOST_TERMS, false), (super::MOST_TERMS + 1, true)] {
        let value = |i: usize| (i % 97) as f32 / 97.0 - 0.4;
        let params = cpu.arena((0..terms).map(value).collect());
        let layer = Linear {
            weight: View::new(0, 1, terms),
            bias: None,
        };
        let x = cpu.tensor(
            1,
            terms,
            &(0..terms).map(|i| value(3 * i)).collect::<Vec<_>>(),
        );
        let (bytes, other) = (
            cpu.linear_inferred(&params, &layer, &x),
            cpu.linear(&params, &layer, &x),
        );
        assert_eq!(bytes.values() == other.values(), same, "{terms}");
    }
}
