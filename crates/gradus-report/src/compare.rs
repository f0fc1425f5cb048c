//! Scores of judgements on a suite, and how two differ.

use gradus::eval::{Interval, PairScores, Suite, resampled_spearman, spearman};

/// Draws of the test pairs behind each interval.
pub(crate) const RESAMPLES: usize = 1000;
const SEED: u64 = 1;

/// Spearman's correlation of the raw scores on each task, and their average over
/// the tasks that count in it. `None` where it does not exist.
pub(crate) fn scores(suite: &Suite, pair_scores: &[PairScores]) -> (Vec<Option<f64>>, Option<f64>) {
    let of = |(task, pair_scores): (&gradus::eval::EvalTask, &PairScores)| {
        let grades: Vec<f64> = task.iter().map(|p| p.label).collect();
        spearman(&pair_scores.raw, &grades).value()
    };
    let each: Vec<Option<f64>> = suite.tasks.iter().zip(pair_scores).map(of).collect();
    let counted = suite.tasks.iter().zip(&each).filter(|(t, _)| t.in_average);
    let counted: Option<Vec<f64>> = counted.map(|(_, score)| *score).collect();
    let average = counted.filter(|c| !c.is_empty());
    let average = average.map(|c| c.iter().sum::<f64>() / c.len() as f64);
    (each, average)
}

/// How much higher one stored_scores scores than another.
pub(crate) struct Difference {
    /// The difference of the correlations.
    pub value: f64,
    /// Where 95 % of paired draws of the test pairs put it.
    pub interval: Option<Interval>,
}

/// The differences on each task and of the average, `a` less `b`.
pub(crate) fn differences(
    suite: &Suite,
    a: &[PairScores],
    b: &[PairScores],
) -> (Vec<Option<Difference>>, Option<Difference>) {
    let ((a_each, a_average), (b_each, b_average)) = (scores(suite, a), scores(suite, b));
    let mut sums = vec![0.0; RESAMPLES];
    let mut counted = 0;
    let mut each = Vec::new();
    for (t, task) in suite.tasks.iter().enumerate() {
        let grades: Vec<f64> = task.iter().map(|p| p.label).collect();
        let models = [a[t].raw.as_slice(), b[t].raw.as_slice()];
        let draws = resampled_spearman(&grades, &models, RESAMPLES, SEED + t as u64);
        let drawn: Vec<f64> = draws[0].iter().zip(&draws[1]).map(|(a, b)| a - b).collect();
        if task.in_average {
            counted += 1;
            sums.iter_mut().zip(&drawn).for_each(|(sum, d)| *sum += d);
        }
        each.push(difference(a_each[t], b_each[t], &drawn));
    }
    sums.iter_mut().for_each(|sum| *sum /= f64::from(counted));
    (each, difference(a_average, b_average, &sums))
}

fn difference(a: Option<f64>, b: Option<f64>, drawn: &[f64]) -> Option<Difference> {
    Some(Difference {
        value: a? - b?,
        interval: Interval::percentile(drawn, 0.95),
    })
}
