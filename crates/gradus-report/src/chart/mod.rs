//! Drawings, as SVG text that takes its colours from the page.
//!
//! plotters writes colours as numbers; each number of the palette is replaced
//! by the name of a CSS variable, so that one drawing suits light and dark.

mod curves;
mod grades;
mod reliability;

pub(crate) use curves::{Curve, curves};
pub(crate) use grades::{Spread, scatter, spreads};
pub(crate) use reliability::{Bin, bins, reliability};

use crate::markup::{COLOURS, escaped};
use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

/// The colours of series, in order. What they look like stands in `style.css`.
const SERIES: [RGBColor; COLOURS] = [
    RGBColor(1, 1, 1),
    RGBColor(2, 2, 2),
    RGBColor(3, 3, 3),
    RGBColor(4, 4, 4),
    RGBColor(5, 5, 5),
    RGBColor(6, 6, 6),
];
const INK: RGBColor = RGBColor(7, 7, 7);
const GRID: RGBColor = RGBColor(8, 8, 8);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Frame<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
/// What goes wrong while drawing. Text takes any drawing, so in practice
/// nothing does.
type Fault = Box<dyn std::error::Error>;

fn series(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

/// Draws on an area of this size; `alt` says what there is to see.
fn drawn(size: (u32, u32), alt: &str, draw: impl FnOnce(&Area<'_>) -> Result<(), Fault>) -> String {
    let mut svg = String::new();
    let done = {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&area).and_then(|()| area.present().map_err(Fault::from))
    };
    let alt = escaped(alt);
    if let Err(e) = done {
        let e = escaped(&e.to_string());
        return format!("<p class=\"missing\">{alt}: not drawn, {e}</p>");
    }
    for (i, colour) in SERIES.iter().enumerate() {
        svg = coloured(&svg, *colour, &format!("var(--series-{})", i + 1));
    }
    svg = coloured(&svg, INK, "var(--muted)");
    svg = coloured(&svg, GRID, "var(--grid)");
    // The page sets the size; the proportions stay.
    let sized = format!("<svg width=\"{}\" height=\"{}\" ", size.0, size.1);
    svg.replacen(
        &sized,
        &format!("<svg role=\"img\" aria-label=\"{alt}\" "),
        1,
    )
}

fn coloured(svg: &str, RGBColor(r, g, b): RGBColor, name: &str) -> String {
    svg.replace(
        &format!("\"#{r:02X}{g:02X}{b:02X}\""),
        &format!("\"{name}\""),
    )
}

/// Axes with a grid and their names.
fn frame<'a, 'b>(
    area: &'a Area<'b>,
    x: (Range<f64>, &str),
    y: (Range<f64>, &str),
) -> Result<Frame<'a, 'b>, Fault> {
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(x.0, y.0.clone())?;
    let style = || ("sans-serif", 13).into_font().color(&INK);
    let digits = match y.0.end - y.0.start {
        span if span >= 5.0 => 0,
        span if span >= 0.5 => 1,
        span if span >= 0.05 => 2,
        _ => 3,
    };
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(style())
        .axis_desc_style(style())
        .x_labels(8)
        .y_labels(7)
        .y_label_formatter(&|v| format!("{v:.digits$}"))
        .x_label_formatter(&|v| short(*v))
        .x_desc(x.1)
        .y_desc(y.1)
        .draw()?;
    Ok(chart)
}

/// A number as an axis has it: no more digits than it needs.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}

/// The range of values with some room around.
fn around(values: impl IntoIterator<Item = f64>) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|v| v.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return 0.0..1.0;
    }
    let room = match high - low {
        span if span > 0.0 => 0.06 * span,
        _ => 0.05 * high.abs().max(1.0),
    };
    low - room..high + room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_the_pages() {
        let curve = |i: usize| Curve {
            points: vec![(0.0, i as f64), (1.0, 2.0)],
            colour: i,
            faint: i == 0,
            dots: true,
        };
        let all: Vec<Curve> = (0..COLOURS).map(curve).collect();
        let svg = curves("a < b", ("step", "loss"), &all, &[0.5]);
        assert!(
            svg.starts_with("<svg role=\"img\" aria-label=\"a &lt; b\" viewBox="),
            "{svg}"
        );
        assert!(!svg.contains("\"#"), "{svg}");
        assert!(
            svg.contains("var(--series-6)") && svg.contains("\nloss\n"),
            "{svg}"
        );
    }

    #[test]
    fn odd_values_are_drawn_too() {
        let odd = |points: Vec<(f64, f64)>| {
            let curve = Curve {
                points,
                colour: 0,
                faint: false,
                dots: true,
            };
            curves("odd", ("x", "y"), &[curve], &[])
        };
        for points in [
            vec![],
            vec![(1.0, f64::NAN)],
            vec![(3.0, 0.0)],
            vec![(1.0, 1e-12), (2.0, 1e12)],
        ] {
            assert!(odd(points).contains("</svg>"));
        }
        assert_eq!(short(-0.001), "0");
        assert_eq!(short(1200.0), "1200");
    }
}
