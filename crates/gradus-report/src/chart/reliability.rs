//! Whether predictions mean what they say: the mean grade of pairs with about
//! the same prediction (reliability diagram; Murphy & Winkler 1977).

use super::{INK, drawn, frame, series};
use plotters::prelude::*;

/// Pairs with neighbouring predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bin {
    /// The mean prediction.
    pub predicted: f64,
    /// The mean grade.
    pub grade: f64,
    /// How many pairs there are.
    pub pairs: usize,
}

/// At most `most` bins of about equally many pairs; equal predictions share
/// one.
pub(crate) fn bins(predicted: &[f64], grades: &[f64], most: usize) -> Vec<Bin> {
    let mut order: Vec<usize> = (0..predicted.len()).collect();
    order.sort_by(|&a, &b| predicted[a].total_cmp(&predicted[b]));
    let (mut bins, mut start) = (Vec::new(), 0);
    for b in 1..=most {
        let mut end = order.len() * b / most;
        while end > 0 && end < order.len() && predicted[order[end]] == predicted[order[end - 1]] {
            end += 1;
        }
        if end > start {
            let pairs = (end - start) as f64;
            let mean = |of: &[f64]| order[start..end].iter().map(|&i| of[i]).sum::<f64>() / pairs;
            bins.push(Bin {
                predicted: mean(predicted),
                grade: mean(grades),
                pairs: end - start,
            });
            start = end;
        }
    }
    bins
}

/// Lines through bins; the diagonal is where predictions are right on average.
pub(crate) fn reliability(
    alt: &str,
    names: (&str, &str),
    all: &[(usize, Vec<Bin>)],
    scale: (f64, f64),
) -> String {
    drawn((760, 360), alt, |area| {
        let (low, high) = scale;
        let room = 0.04 * (high - low).max(0.1);
        let (from, to) = (low - room, high + room);
        let mut chart = frame(area, (from..to, names.0), (from..to, names.1))?;
        let diagonal = vec![(low, low), (high, high)];
        chart.draw_series(DashedLineSeries::new(
            diagonal,
            5,
            5,
            INK.mix(0.6).stroke_width(1),
        ))?;
        for (colour, bins) in all {
            let inside = |b: &&Bin| (from..=to).contains(&b.predicted);
            let points = bins.iter().filter(inside).map(|b| (b.predicted, b.grade));
            let points: Vec<(f64, f64)> = points.collect();
            let dot = |&p: &(f64, f64)| Circle::new(p, 4, series(*colour).filled());
            chart.draw_series(points.iter().map(dot))?;
            chart.draw_series(LineSeries::new(points, series(*colour).stroke_width(2)))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_every_pair_once() {
        let predicted = [0.1, 0.2, 0.2, 0.2, 0.9, 1.0];
        let bins = bins(&predicted, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 3);
        assert_eq!(bins.iter().map(|b| b.pairs).collect::<Vec<_>>(), [4, 2]);
        assert_eq!(bins[0].grade, 1.5);
        assert_eq!(bins[1].predicted, 0.95);
        assert!(super::bins(&[], &[], 3).is_empty());
    }
}
