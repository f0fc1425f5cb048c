//! Predictions beside people's grades.

use super::{INK, around, drawn, frame, series};
use gradus::calibration::Calibration;
use plotters::prelude::*;

/// The pairs as points of raw score and grade, the calibration's map and the
/// ends of its interval as lines.
pub(crate) fn scatter(
    alt: &str,
    names: (&str, &str),
    points: &[(f64, f64)],
    calibration: &Calibration,
) -> String {
    drawn((760, 400), alt, |area| {
        let x = around(points.iter().map(|p| p.0));
        let (low, high) = calibration.scale;
        let room = 0.04 * (high - low).max(0.1);
        let y = low - room..high + room;
        let mut chart = frame(area, (x.clone(), names.0), (y, names.1))?;
        let dot = |&p: &(f64, f64)| Circle::new(p, 3, series(0).mix(0.35).filled());
        chart.draw_series(points.iter().map(dot))?;
        const ACROSS: u32 = 240;
        let at = |i: u32| x.start + (x.end - x.start) * f64::from(i) / f64::from(ACROSS);
        let predicted: Vec<_> = (0..=ACROSS)
            .map(|i| (at(i), calibration.apply(at(i))))
            .collect();
        let line = |of: &dyn Fn(&gradus::calibration::Calibrated) -> f64| -> Vec<(f64, f64)> {
            predicted.iter().map(|(x, t)| (*x, of(t))).collect()
        };
        let middle = series(1).stroke_width(3);
        chart.draw_series(LineSeries::new(line(&|t| t.grade), middle))?;
        for ends in [line(&|t| t.low), line(&|t| t.high)] {
            let thin = series(1).stroke_width(1);
            chart.draw_series(LineSeries::new(ends, thin))?;
        }
        Ok(())
    })
}

/// How predictions are spread for the pairs of one grade.
pub(crate) struct Spread {
    /// The grade.
    pub grade: f64,
    /// How many pairs have it.
    pub pairs: usize,
    /// The 5th, 25th, 50th, 75th and 95th percentile of their predictions.
    pub percentiles: [f64; 5],
}

impl Spread {
    /// The spread of some predictions; `None` without any.
    pub fn of(grade: f64, mut predicted: Vec<f64>) -> Option<Self> {
        let last = predicted.len().checked_sub(1)?;
        predicted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * last as f64;
            let (below, part) = (place.floor() as usize, place.fract());
            predicted[below] + part * (predicted[(below + 1).min(last)] - predicted[below])
        };
        Some(Self {
            grade,
            pairs: predicted.len(),
            percentiles: [0.05, 0.25, 0.5, 0.75, 0.95].map(at),
        })
    }
}

/// A box for each grade, whiskers from the 5th to the 95th percentile, with the
/// diagonal of predictions that are right.
pub(crate) fn spreads(alt: &str, names: (&str, &str), all: &[Spread], scale: (f64, f64)) -> String {
    drawn((760, 360), alt, |area| {
        let (low, high) = scale;
        let room = 0.04 * (high - low).max(0.1);
        let apart = all.windows(2).map(|w| w[1].grade - w[0].grade);
        let apart = apart.fold(high - low, f64::min).max(1e-9);
        let x = low - 0.5 * apart..high + 0.5 * apart;
        let mut chart = frame(area, (x, names.0), (low - room..high + room, names.1))?;
        let diagonal = vec![(low, low), (high, high)];
        chart.draw_series(DashedLineSeries::new(
            diagonal,
            5,
            5,
            INK.mix(0.6).stroke_width(1),
        ))?;
        for spread in all {
            let [p5, p25, p50, p75, p95] = spread.percentiles;
            let (x, half) = (spread.grade, 0.28 * apart);
            let line = |points: Vec<(f64, f64)>, width| {
                PathElement::new(points, series(0).stroke_width(width))
            };
            chart.draw_series([
                line(vec![(x, p5), (x, p25)], 1),
                line(vec![(x, p75), (x, p95)], 1),
                line(vec![(x - 0.5 * half, p5), (x + 0.5 * half, p5)], 1),
                line(vec![(x - 0.5 * half, p95), (x + 0.5 * half, p95)], 1),
            ])?;
            let corners = [(x - half, p75), (x + half, p25)];
            let filled = Rectangle::new(corners, series(0).mix(0.35).filled());
            let edge = Rectangle::new(corners, series(0).stroke_width(1));
            chart.draw_series([filled, edge])?;
            let median = vec![(x - half, p50), (x + half, p50)];
            chart.draw_series(std::iter::once(line(median, 3)))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_percentiles() {
        let hundred: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let spread = Spread::of(3.0, hundred).unwrap();
        assert_eq!(spread.percentiles, [5.0, 25.0, 50.0, 75.0, 95.0]);
        assert_eq!(Spread::of(1.0, vec![2.0]).unwrap().percentiles, [2.0; 5]);
        assert!(Spread::of(1.0, vec![]).is_none());
    }
}
