//! How work is shared out: first a large part for each thread, then small ones for those
//! that are done first. Cores are seldom equally fast: some are built slower, and on a
//! shared machine each loses what its neighbours take.

use std::ops::Range;

/// Percent of a thread's fair share that it is given at once. Of two threads one may be
/// 1.4 / 0.6 times as fast as the other before it waits for that one's large part.
const AT_ONCE: usize = 60;

/// Small parts for each thread. Products read all weights again for each of their parts.
const SMALL: usize = 2;

/// Cuts `0..units` into consecutive parts of at least `grain`, if there are as many.
pub(super) fn shares(units: usize, grain: usize, threads: usize) -> Vec<Range<usize>> {
    let grain = grain.max(1);
    let most = units / grain;
    if threads == 1 || most <= 2 * threads {
        let parts = most.clamp(1, threads).min(units);
        let bound = |i: usize| i * units / parts;
        return (0..parts).map(|i| bound(i)..bound(i + 1)).collect();
    }
    let large = (units * AT_ONCE / 100 / threads).max(grain);
    let small = (units - large * threads)
        .div_ceil(SMALL * threads)
        .max(grain);
    let mut parts: Vec<Range<usize>> = (0..threads).map(|i| i * large..(i + 1) * large).collect();
    let mut at = large * threads;
    while at < units {
        // What would be less than the grain goes with the last.
        let size = if units - at < small + grain {
            units - at
        } else {
            small
        };
        parts.push(at..at + size);
        at += size;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_and_none_is_too_small() {
        for threads in [1, 2, 3, 8, 64] {
            for grain in [0, 1, 7, 32, usize::MAX] {
                for units in (0..200).chain([1_000, 4_097]) {
                    let parts = shares(units, grain, threads);
                    let mut at = 0;
                    for part in &parts {
                        assert_eq!(part.start, at);
                        assert!(!part.is_empty());
                        assert!(part.len() >= grain.min(units), "{units} {grain} {threads}");
                        at = part.end;
                    }
                    assert_eq!(at, units);
                    assert!(parts.len() <= (1 + SMALL) * threads, "{parts:?}");
                }
            }
        }
    }

    #[test]
    fn a_slow_thread_is_waited_for_but_briefly() {
        // As threads take them: the next part goes to who is free first.
        let speeds = [1.0, 2.0];
        let mut busy = [0.0; 2];
        for part in shares(1_000, 10, 2) {
            let first = usize::from(busy[1] < busy[0]);
            busy[first] += part.len() as f64 / speeds[first];
        }
        let end = busy[0].max(busy[1]);
        // At most one small part later than if both ended at once; equal parts: 500.
        assert!(end <= 1_000.0 / 3.0 + 100.0, "{end}");
    }
}
