/// A lane's batch has at least this many tokens: below, lanes would spend
/// their time on reading all weights, each for itself.
const LANE_TOKENS: usize = 128;

/// Cuts `inputs`, of so many `tokens` each, into runs of at most `limit` tokens
/// (or a single input), of nearly equal size and a multiple of `lanes` where
/// they have enough.
pub(crate) fn batches<T>(
    inputs: &[T],
    tokens: impl Fn(&T) -> usize,
    limit: usize,
    lanes: usize,
) -> Vec<&[T]> {
    let total: usize = inputs.iter().map(&tokens).sum();
    let count = total.div_ceil(limit.max(1)).next_multiple_of(lanes.max(1));
    let even = count > 0 && total / count >= LANE_TOKENS;
    let mut batches = vec![];
    let (mut rest, mut done) = (inputs, 0);
    while !rest.is_empty() {
        let end = match even {
            true => total * (batches.len() + 1) / count,
            false => total,
        };
        let mut sum = 0;
        let fits = rest.iter().take_while(|t| {
            sum += tokens(t);
            sum <= limit && done + sum <= end
        });
        let (batch, after) = rest.split_at(fits.count().max(1));
        done += batch.iter().map(&tokens).sum::<usize>();
        batches.push(batch);
        rest = after;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(lengths: &[usize], limit: usize, lanes: usize) -> Vec<usize> {
        let cut = batches(lengths, |&len| len, limit, lanes);
        assert_eq!(cut.concat(), lengths);
        cut.iter().map(|batch| batch.iter().sum()).collect()
    }

    #[test]
    fn batches_keep_order_and_limit_and_are_even() {
        for lanes in 1..4 {
            let sizes = sizes(&[7; 500], 1024, lanes);
            assert!(sizes.len().is_multiple_of(lanes), "{sizes:?}");
            let spread = sizes.iter().max().unwrap() - sizes.iter().min().unwrap();
            assert!(spread <= 14 && sizes.iter().all(|&s| s <= 1024));
        }
        // A few texts stay together; one beyond the limit goes alone.
        assert_eq!(sizes(&[9, 9, 9], 1024, 2).len(), 1);
        assert_eq!(sizes(&[9, 900, 9], 100, 1).len(), 3);
        assert_eq!(sizes(&[], 100, 2).len(), 0);
        assert_eq!(sizes(&[3, 4, 9, 1, 1, 5], 7, 1), [7, 9, 7]);
        assert_eq!(sizes(&[3, 4, 9, 1, 1, 5], 1, 1).len(), 6);
        assert_eq!(sizes(&[3, 4, 9, 1, 1, 5], usize::MAX, 1).len(), 1);
    }
}
