//! InfoNCE in its plain form, which a device can compute by itself.

use std::collections::HashMap;

/// [`InfoNce`](super::InfoNce) with a temperature that is given, in one direction, with hard
/// negatives as any others: softmax cross-entropy of each anchor's cosines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlainContrast {
    /// Texts of an example.
    pub columns: usize,
    /// What cosines are divided by.
    pub temperature: f64,
    /// Whether vectors go through [`Projection::Mlp`](crate::losses::Projection::Mlp) before,
    /// whose parameters are then the objective's.
    pub through_mlp: bool,
}

/// Candidates that are no negatives, each `anchor * candidates + candidate`: their text is the
/// anchor's or that of its positive. `texts` has all first ones, then all second ones, and so on.
pub(crate) fn left_out(texts: &[u32], examples: usize) -> Vec<u32> {
    let (anchors, candidates) = texts.split_at(examples);
    let mut places: HashMap<u32, Vec<usize>> = HashMap::new();
    for (j, text) in candidates.iter().enumerate() {
        places.entry(*text).or_default().push(j);
    }
    let mut all = vec![];
    for (i, anchor) in anchors.iter().enumerate() {
        let positive = candidates[i];
        let own = [Some(*anchor), (positive != *anchor).then_some(positive)];
        let equal = own.into_iter().flatten();
        let equal = equal.flat_map(|text| places.get(&text).into_iter().flatten());
        let others = equal.filter(|j| **j != i);
        all.extend(others.map(|j| (i * candidates.len() + j) as u32));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::left_out;

    #[test]
    fn own_texts_elsewhere_are_no_negatives() {
        // Anchors, positives, hard negatives of three examples.
        let texts = [1, 2, 3, 11, 12, 13, 2, 13, 23];
        // The second anchor's text is a hard negative of the first, the third positive's of the
        // second.
        assert_eq!(left_out(&texts, 3), [6 + 3, 12 + 4]);
        // Two views of a text, which is there twice.
        assert_eq!(left_out(&[5, 6, 5, 5, 6, 5], 3), [2, 6]);
        assert!(left_out(&[1, 2, 1, 2], 2).is_empty());
    }
}
