//! Loss and dev scores over the steps.

use super::about::{metrics, numbers};
use super::html::{figure, paragraph};
use crate::chart::{Curve, curves};
use crate::markup::COLOURS;
use crate::run::{Evaluation, Metrics, Run};

type Points = Vec<(f64, f64)>;

/// How a run went.
pub(super) fn section(run: &Run) -> String {
    let mut out = String::from("<h2>Training</h2>\n");
    let metrics = &run.metrics;
    if metrics.steps.is_empty() && metrics.evaluations.is_empty() {
        return out + &paragraph("metrics.jsonl holds nothing yet.");
    }
    let marks = marks(metrics);
    let names = metrics.stages.iter().map(|(name, _)| name.as_str());
    let stages: Vec<&str> = names.collect();
    let stages = match stages[..] {
        [one] => format!("Stage {one}, {}.", steps_logged(metrics.steps.len())),
        _ => format!("Stages, parted by dashed lines: {}.", stages.join(", ")),
    };
    if !metrics.steps.is_empty() {
        let loss = losses(metrics);
        let few = metrics.steps.len() <= FEW;
        let curve = |points: Points, faint| Curve {
            points,
            colour: 0,
            faint,
            dots: few,
        };
        let mean = smoothed(metrics);
        // A short run has nothing to take a mean of.
        let (all, how) = match mean == loss {
            true => (vec![curve(loss, false)], ""),
            false => (
                vec![curve(loss, true), curve(mean, false)],
                ", faint as logged, strong as a moving mean within each stage",
            ),
        };
        let svg = curves("Loss over steps", ("step", "loss"), &all, &marks);
        let caption = format!("Loss of the training batches{how}. {stages}");
        out += &figure(&svg, &[(0, "loss")], &caption);
        let rate = metrics.steps.iter();
        let rate = rate.map(|s| (metrics.overall(&s.stage, s.step), 1e6 * s.learning_rate));
        let rate = Curve {
            colour: 2,
            ..curve(rate.collect(), false)
        };
        let names = ("step", "learning rate, millionths");
        let svg = curves("Learning rate over steps", names, &[rate], &marks);
        out += "<details><summary>Learning rate</summary>";
        out += &figure(
            &svg,
            &[(2, "learning rate")],
            "Of the head and the top layer.",
        );
        out += "</details>\n";
    }
    if metrics.evaluations.is_empty() {
        return out + &paragraph("No dev scores: the recipe names no dev set.");
    }
    let (raw, head) = dev(metrics);
    let name = metrics.evaluations.first().map_or("", |e| e.dev.as_str());
    // Each has axes of its own: a head's score may begin near 0, where the
    // cosine's changes would not be seen.
    let figure_of = |points: Points, colour, what: &str, then: &str| {
        let scored = points.len();
        let curve = Curve {
            points,
            colour,
            faint: false,
            dots: true,
        };
        let title = format!("Dev score of the {what} over steps");
        let metric = run.metric();
        let axis = format!("{metric} x 100");
        let svg = curves(&title, ("step", &axis), &[curve], &marks);
        let times = match scored {
            1 => ", scored once".to_owned(),
            n => format!(", scored {n} times"),
        };
        let seed = run.recipe.seed();
        let caption = format!("{metric} x 100 of the {what} on {name}{times}, seed {seed}.{then}");
        figure(&svg, &[(colour, what)], &caption)
    };
    out += &figure_of(raw, 0, run.number(), " Models are selected by it.");
    // The head of the cosine form follows the cosine.
    if run.own_head().is_some() && !head.is_empty() {
        out += &figure_of(head, 1, "regression head", "");
    }
    out
}

/// So few points are drawn as dots: a line of one cannot be seen.
const FEW: usize = 30;

fn steps_logged(steps: usize) -> String {
    match steps {
        1 => "one step was logged".into(),
        n => format!("{n} steps were logged"),
    }
}

/// The runs' dev scores in one drawing.
pub(super) fn side_by_side(runs: &[Run]) -> String {
    let scored: Vec<&Run> = runs
        .iter()
        .filter(|r| !r.metrics.evaluations.is_empty())
        .collect();
    if scored.is_empty() {
        return String::new();
    }
    let curve = |(colour, run): (usize, &&Run)| Curve {
        points: dev(&run.metrics).0,
        colour,
        faint: false,
        dots: true,
    };
    let shown = &scored[..scored.len().min(COLOURS)];
    let all: Vec<Curve> = shown.iter().enumerate().map(curve).collect();
    let legend: Vec<(usize, &str)> = shown
        .iter()
        .enumerate()
        .map(|(c, run)| (c, run.name.as_str()))
        .collect();
    let axis = format!("{} x 100", metrics(shown.iter().copied()));
    let svg = curves("Dev scores over steps", ("step", &axis), &all, &[]);
    let number = numbers(shown.iter().copied());
    let mut caption = format!("{axis} of the {number} on each run's own dev set.");
    if shown.len() < scored.len() {
        caption += &format!(" The first {} runs are drawn.", shown.len());
    }
    format!("<h2>Dev scores</h2>\n{}", figure(&svg, &legend, &caption))
}

fn marks(metrics: &Metrics) -> Vec<f64> {
    metrics
        .stages
        .iter()
        .skip(1)
        .map(|(_, before)| *before as f64)
        .collect()
}

fn losses(metrics: &Metrics) -> Points {
    let steps = metrics.steps.iter();
    steps
        .map(|s| (metrics.overall(&s.stage, s.step), s.loss))
        .collect()
}

/// A mean over a fifteenth of a stage's points around each.
fn smoothed(metrics: &Metrics) -> Points {
    let mut out = Vec::new();
    for stage in metrics.steps.chunk_by(|a, b| a.stage == b.stage) {
        let half = stage.len() / 30;
        for (i, step) in stage.iter().enumerate() {
            // As far to the left as to the right, so that ends are not pulled.
            let reach = half.min(i).min(stage.len() - 1 - i);
            let near = &stage[i - reach..=i + reach];
            let mean = near.iter().map(|s| s.loss).sum::<f64>() / near.len() as f64;
            out.push((metrics.overall(&step.stage, step.step), mean));
        }
    }
    out
}

/// The dev scores of cosine (or score) and head, x 100.
fn dev(metrics: &Metrics) -> (Points, Points) {
    let at = |e: &Evaluation| metrics.overall(&e.stage, e.step);
    let evaluations = metrics.evaluations.iter();
    let raw = evaluations
        .clone()
        .filter_map(|e| Some((at(e), 100.0 * e.score()?)));
    let head = evaluations.filter_map(|e| Some((at(e), 100.0 * e.head_spearman?.value()?)));
    (raw.collect(), head.collect())
}
