//! Pairs of texts made from a corpus: neighbours by vectors, and others at random.

use crate::Embeddings;
use gradus_kernels::dropout::mix64;
use rayon::prelude::*;

/// The pairs of each text, in order: its neighbours of these ranks (1 is the nearest)
/// by the cosine, those of equal cosine in their own order, then `random` others drawn
/// from `seed`. A pair comes once, whichever of its texts it was found from.
pub(super) fn pairs(
    vectors: &Embeddings,
    ranks: &[usize],
    random: usize,
    seed: u64,
) -> Vec<(u32, u32)> {
    let n = vectors.rows();
    let unit = vectors.clone().normalized();
    let deepest = ranks
        .iter()
        .copied()
        .max()
        .unwrap_or(0)
        .min(n.saturating_sub(1));
    let found: Vec<Vec<u32>> = (0..n)
        .into_par_iter()
        .map(|i| {
            let near = match deepest {
                0 => vec![],
                _ => nearest(&unit, i, deepest),
            };
            let ranked = ranks.iter().filter_map(|rank| near.get(rank - 1).copied());
            let drawn = (0..random as u64).map(|draw| {
                let bits = mix64(mix64(seed ^ ((i as u64) << 20)) ^ draw);
                (bits % n.max(1) as u64) as u32
            });
            ranked.chain(drawn).filter(|&j| j as usize != i).collect()
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    let each = found.iter().enumerate();
    let each = each.flat_map(|(i, others)| others.iter().map(move |&j| (i as u32, j)));
    each.filter(|&(i, j)| seen.insert((i.min(j), i.max(j))))
        .collect()
}

/// The `most` rows nearest to row `i`, the nearest first.
fn nearest(unit: &Embeddings, i: usize, most: usize) -> Vec<u32> {
    let own = unit.row(i);
    let mut scored: Vec<(f32, u32)> = (0..unit.rows())
        .filter(|&j| j != i)
        .map(|j| (dot(own, unit.row(j)), j as u32))
        .collect();
    let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if most < scored.len() {
        scored.select_nth_unstable_by(most, order);
        scored.truncate(most);
    }
    scored.sort_unstable_by(order);
    scored.into_iter().map(|(_, j)| j).collect()
}

/// In eight sums, which the processor takes at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (left, right) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = left
        .remainder()
        .iter()
        .zip(right.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in left.zip(right) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_from_the_nearest_and_pairs_come_once() {
        // Angles that grow: the nearest of each is its neighbour in the row.
        let angles = [0.0f32, 0.1, 0.3, 0.59, 1.0];
        let values = angles.iter().flat_map(|a| [a.cos(), a.sin()]).collect();
        let vectors = Embeddings::new(2, values);
        assert_eq!(nearest(&vectors, 0, 3), [1, 2, 3]);
        assert_eq!(nearest(&vectors, 2, 2), [1, 3]);
        assert_eq!(
            pairs(&vectors, &[1], 0, 1),
            [(0, 1), (2, 1), (3, 2), (4, 3)]
        );
        let both = pairs(&vectors, &[1, 4], 2, 1);
        assert_eq!(both, pairs(&vectors, &[1, 4], 2, 1));
        let mut unordered: Vec<_> = both.iter().map(|&(i, j)| (i.min(j), i.max(j))).collect();
        assert!(both.iter().all(|(i, j)| i != j));
        unordered.sort_unstable();
        unordered.dedup();
        assert_eq!(unordered.len(), both.len());
        // Ranks beyond the corpus give nothing.
        assert!(pairs(&vectors, &[9], 0, 1).is_empty());
    }

    #[test]
    fn dots_are_those_of_a_plain_sum() {
        for n in [0usize, 1, 7, 8, 9, 31] {
            let a: Vec<f32> = (0..n).map(|i| i as f32 - 3.0).collect();
            let b: Vec<f32> = (0..n).map(|i| 1.0 + i as f32).collect();
            let plain: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert_eq!(dot(&a, &b), plain, "{n}");
        }
    }
}
