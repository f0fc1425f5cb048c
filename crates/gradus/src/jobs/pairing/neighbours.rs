//! Pairs of texts made from a corpus: neighbours by vectors, and others at random.

use crate::Embeddings;
use crate::eval::exact_search;
use gradus_kernels::dropout::mix64;

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
    let deepest = ranks.iter().copied().max().unwrap_or(0);
    let nearest = match deepest {
        0 => vec![vec![]; n],
        // One more, as a text is its own nearest.
        _ => exact_search(vectors, vectors, (deepest + 1).min(n)),
    };
    let found: Vec<Vec<u32>> = nearest
        .into_iter()
        .enumerate()
        .map(|(i, near)| {
            let near = near.into_iter().map(|(j, _)| j);
            let near: Vec<u32> = near.filter(|&j| j as usize != i).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_from_the_nearest_and_pairs_come_once() {
        // Angles that grow: the nearest of each is its neighbour in the row.
        let angles = [0.0f32, 0.1, 0.3, 0.59, 1.0];
        let values = angles.iter().flat_map(|a| [a.cos(), a.sin()]).collect();
        let vectors = Embeddings::new(2, values);
        assert_eq!(
            pairs(&vectors, &[3], 0, 1)[..2],
            [(0, 3), (1, 3)],
            "the third nearest"
        );
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
}
