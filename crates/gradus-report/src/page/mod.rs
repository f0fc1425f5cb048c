//! The page.

mod about;
mod grades;
mod html;
mod tasks;
mod training;

use crate::GENERATOR;
use crate::markup::escaped;
use crate::run::Run;
use gradus::eval::Suite;

const STYLE: &str = include_str!("style.css");

/// One HTML file about one or several runs. `suite` holds the tasks that their
/// models were pair_scores on; without it there are no scores on tasks.
pub fn page(runs: &[Run], suite: Option<&Suite>) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let title = format!("Gradus: {}", names.join(", "));
    let body = match runs {
        [run] => format!("<h1>{}</h1>\n{}", escaped(&run.name), single(run, suite)),
        _ => several(runs, suite),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n{GENERATOR}\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style></head>\n<body>\n{body}\
         <p class=\"muted\">Made by Gradus {}, from the runs' folders.</p>\n</body></html>\n",
        escaped(&title),
        env!("CARGO_PKG_VERSION")
    )
}

/// All about one run.
fn single(run: &Run, suite: Option<&Suite>) -> String {
    // PairScores once: fitting and resampling take a while.
    let graded = grades::Graded::of(run);
    let mut out = about::summary(run, suite, graded.as_ref());
    out += &training::section(run);
    out += &tasks::before_and_after(run, suite);
    if let Some(graded) = &graded {
        out += &graded.section(run);
        out += &graded.coverage(run, suite);
    }
    out += &about::overlap(run);
    out += &about::circumstances(run);
    out
}

/// Runs side by side, then each by itself.
fn several(runs: &[Run], suite: Option<&Suite>) -> String {
    let mut out = format!("<h1>{} runs side by side</h1>\n", runs.len());
    out += &about::side_by_side(runs);
    out += &tasks::side_by_side(runs, suite);
    out += &training::side_by_side(runs);
    for run in runs {
        out += &format!(
            "<details><summary>{}</summary>\n{}</details>\n",
            escaped(&run.name),
            single(run, suite)
        );
    }
    out
}

/// A correlation x 100.
fn percent(value: Option<f64>) -> String {
    value.map_or("n/a".into(), |v| format!("{:.2}", 100.0 * v))
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
