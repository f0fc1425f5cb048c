//! Lines over the steps of a run.

use super::{GRID, around, drawn, frame, series};
use plotters::prelude::*;

/// A line.
pub(crate) struct Curve {
    /// Its points, x rising; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// Which of the series' colours it has.
    pub colour: usize,
    /// Whether it stands behind the others.
    pub faint: bool,
    /// Whether each point has a dot.
    pub dots: bool,
}

/// Draws lines; `marks` are places on the x axis that get an upright.
pub(crate) fn curves(alt: &str, names: (&str, &str), all: &[Curve], marks: &[f64]) -> String {
    drawn((760, 320), alt, |area| {
        let points = || all.iter().flat_map(|c| &c.points);
        let x = around(points().map(|p| p.0));
        let x = x.start.max(0.0)..x.end;
        let y = around(points().map(|p| p.1));
        let mut chart = frame(area, (x, names.0), (y.clone(), names.1))?;
        for &at in marks {
            let upright = vec![(at, y.start), (at, y.end)];
            chart.draw_series(DashedLineSeries::new(upright, 4, 4, GRID.stroke_width(2)))?;
        }
        for curve in all {
            let finite = curve.points.iter().copied();
            let finite: Vec<(f64, f64)> = finite
                .filter(|p| p.0.is_finite() && p.1.is_finite())
                .collect();
            let colour = series(curve.colour);
            let style = match curve.faint {
                true => colour.mix(0.3).stroke_width(1),
                false => colour.mix(1.0).stroke_width(2),
            };
            if curve.dots {
                let dot = |&p: &(f64, f64)| Circle::new(p, 3, colour.filled());
                chart.draw_series(finite.iter().map(dot))?;
            }
            chart.draw_series(LineSeries::new(finite, style))?;
        }
        Ok(())
    })
}
