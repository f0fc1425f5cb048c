use gradus_kernels::dropout::mix64;

/// The order of `n` examples in an epoch: a permutation drawn from `key`.
pub(crate) fn order(n: usize, key: Option<u64>) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    let Some(key) = key else { return order };
    // Fisher-Yates; the counter is the place, so nothing needs to be saved.
    for i in (1..n).rev() {
        let bits = mix64(mix64(key) ^ i as u64);
        let j = ((u128::from(bits) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

/// The key of an epoch's order.
pub(crate) fn epoch_key(seed: u64, stage: usize, epoch: u64) -> u64 {
    mix64(mix64(mix64(seed ^ 0x006F_7264_6572) ^ stage as u64) ^ epoch)
}

/// Which of a stage's examples each optimizer step has.
pub(crate) struct StepExamples {
    /// How many there are.
    pub examples: usize,
    /// How many a step has.
    pub per_step: usize,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
}

impl StepExamples {
    /// Those of a step, counted from 0. `cache` keeps the order of the epoch last asked
    /// for.
    pub fn of(
        &self,
        (seed, stage, step): (u64, usize, u64),
        cache: &mut Option<(u64, Vec<u32>)>,
    ) -> Vec<u32> {
        let steps_per_epoch = self.examples.div_ceil(self.per_step) as u64;
        let epoch = step / steps_per_epoch;
        if cache.as_ref().is_none_or(|c| c.0 != epoch) {
            let key = self.shuffle.then(|| epoch_key(seed, stage, epoch));
            *cache = Some((epoch, order(self.examples, key)));
        }
        let from = (step % steps_per_epoch) as usize * self.per_step;
        let order = cache.as_ref().map_or(&[][..], |c| &c.1);
        order[from..(from + self.per_step).min(order.len())].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_permutations_that_differ() {
        for n in [0, 1, 2, 97] {
            let mut shuffled = order(n, Some(epoch_key(1, 0, 0)));
            shuffled.sort_unstable();
            assert_eq!(shuffled, order(n, None));
        }
        let keys = [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)];
        let orders: Vec<_> = keys
            .iter()
            .map(|&(s, t, e)| order(50, Some(epoch_key(s, t, e))))
            .collect();
        for (i, a) in orders.iter().enumerate() {
            assert!(orders[..i].iter().all(|b| a != b));
        }
    }

    #[test]
    fn every_place_is_as_likely() {
        let mut counts = [0u32; 5];
        for epoch in 0..5000 {
            counts[order(5, Some(epoch_key(3, 0, epoch)))
                .iter()
                .position(|&x| x == 0)
                .unwrap()] += 1;
        }
        // Five standard deviations around 1000.
        assert!(counts.iter().all(|c| c.abs_diff(1000) < 142), "{counts:?}");
    }
}
