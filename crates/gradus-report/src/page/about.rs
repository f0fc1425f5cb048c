//! What a run was, and on what it ran.

use super::grades::Graded;
use super::html::{Cell, paragraph, table};
use super::{duration, percent};
use crate::compare::scores;
use crate::markup::escaped;
use crate::run::Run;
use gradus::eval::Suite;
use gradus::tasks::similarity::RunOverlap;

/// The figures that matter, and what is missing.
pub(super) fn summary(run: &Run, suite: Option<&Suite>, graded: Option<&Graded>) -> String {
    let mut out = String::new();
    if !run.description().is_empty() {
        out += &paragraph(run.description());
    }
    let mut tiles: Vec<(String, String)> = Vec::new();
    let (initial, best) = dev_scores(run);
    if let Some(best) = best {
        let better = initial.is_none_or(|initial| best > initial);
        let before = match (initial, better) {
            (None, _) => String::new(),
            (Some(i), true) => format!(", {} before", percent(Some(i))),
            (Some(i), false) => format!(", no better than {} before", percent(Some(i))),
        };
        let which = if better { "best" } else { "after training" };
        let dev = run
            .metrics
            .evaluations
            .first()
            .map_or("dev", |e| e.dev.as_str());
        tiles.push((
            percent(Some(best)),
            format!("{which} on {dev}, {} x 100{before}", run.metric()),
        ));
    }
    if let (Some(suite), Some(after)) = (suite, &run.after)
        && let (_, Some(average)) = scores(suite, &after.tasks)
    {
        let before = run.before.as_ref().and_then(|b| scores(suite, &b.tasks).1);
        let before = before.map_or(String::new(), |b| format!(", {} before", percent(Some(b))));
        let tasks = suite.tasks.iter().filter(|t| t.in_average).count();
        tiles.push((
            percent(Some(average)),
            format!("average of {tasks} test tasks{before}"),
        ));
    }
    if let Some(graded) = graded {
        let (low, high) = graded.scale();
        tiles.push((
            format!("{:.2}", graded.mean_error()),
            format!("mean error of calibrated grades on {low} to {high}"),
        ));
        if let Some(share) = graded.rounding() {
            tiles.push((
                format!("{:.0} %", 100.0 * share),
                "round to the right grade".into(),
            ));
        }
    }
    if let Some(record) = &run.record {
        let memory = record.peak_memory_bytes.map_or(String::new(), |bytes| {
            format!(", at most {:.0} MB of memory", bytes as f64 / 1e6)
        });
        let state = if record.finished {
            "trained in all"
        } else {
            "trained so far; not finished"
        };
        tiles.push((duration(record.seconds), format!("{state}{memory}")));
    }
    if !tiles.is_empty() {
        out += "<div class=\"tiles\">";
        for (value, what) in tiles {
            out += &format!(
                "<div class=\"tile\"><b>{}</b><span>{}</span></div>",
                escaped(&value),
                escaped(&what)
            );
        }
        out += "</div>\n";
    }
    for note in &run.notes {
        out += &paragraph(note);
    }
    out
}

/// The dev score before training, and the best one of the last stage that was
/// selected from.
fn dev_scores(run: &Run) -> (Option<f64>, Option<f64>) {
    if let Some(record) = run.record.as_ref().filter(|r| r.best.is_some()) {
        return (record.initial, record.best);
    }
    let evaluations = &run.metrics.evaluations;
    let initial = evaluations
        .first()
        .filter(|e| e.step == 0)
        .and_then(|e| e.score());
    let last = evaluations.last().map(|e| e.stage.as_str());
    let of_last = evaluations
        .iter()
        .filter(|e| Some(e.stage.as_str()) == last && e.step > 0);
    let best = of_last.filter_map(|e| e.score()).max_by(f64::total_cmp);
    (initial, best)
}

/// Runs in a table.
pub(super) fn side_by_side(runs: &[Run]) -> String {
    let head = [
        "run",
        "model",
        "seed",
        "dev before",
        "dev best",
        "time",
        "memory",
        "finished",
    ];
    let head: Vec<String> = head.iter().map(|s| (*s).to_owned()).collect();
    let row = |run: &Run| {
        let (initial, best) = dev_scores(run);
        let record = run.record.as_ref();
        let memory = record.and_then(|r| r.peak_memory_bytes);
        vec![
            Cell::text(&run.name),
            Cell::text(run.recipe.model()),
            Cell::number(run.recipe.seed().to_string()),
            Cell::number(percent(initial)),
            Cell::number(percent(best)),
            Cell::number(record.map_or("not recorded".into(), |r| duration(r.seconds))),
            Cell::number(memory.map_or("not recorded".into(), |m| {
                format!("{:.0} MB", m as f64 / 1e6)
            })),
            Cell::number(record.map_or("not recorded", |r| if r.finished { "yes" } else { "no" })),
        ]
    };
    let rows: Vec<Vec<Cell>> = runs.iter().map(row).collect();
    let mut chosen: Vec<String> = runs.iter().map(Run::selection).collect();
    chosen.dedup();
    let caption = format!(
        "Dev scores are {} x 100 of the {}; selected by {}.",
        metrics(runs),
        numbers(runs),
        chosen.join("; ")
    );
    let mut out = table(&caption, &head, &rows);
    for run in runs {
        for note in &run.notes {
            out += &paragraph(&format!("{}: {note}", run.name));
        }
    }
    out
}

/// What the runs' models give pairs, in words.
pub(super) fn numbers<'a>(runs: impl IntoIterator<Item = &'a Run>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.number()) {
            names.push(run.number());
        }
    }
    names.join(" or ")
}

/// What the runs' models are chosen by, in words.
pub(super) fn metrics<'a>(runs: impl IntoIterator<Item = &'a Run>) -> String {
    let mut names: Vec<String> = Vec::new();
    for run in runs {
        let name = run.metric().to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" or ")
}

/// What was found of pairs that training and test sets share.
pub(super) fn overlap(run: &Run) -> String {
    let mut out = String::from("<h2>Data overlap</h2>\n");
    if let Some(record) = &run.record {
        for stage in &record.stages {
            out += &paragraph(&format!(
                "Stage {}: {} {}; {} left out because an excluded set holds them, {} by their label.",
                stage.name, stage.examples, stage.unit, stage.excluded, stage.skipped
            ));
        }
    }
    let Some(found) = &run.overlap else {
        return out
            + &paragraph(
                "No overlap.json in the run's folder: overlap was not looked for beyond the recipe's exclusions.",
            );
    };
    out += &paragraph(&capitalised(&found.describe()));
    let rows: Vec<Vec<Cell>> = found.table().into_iter().map(overlap_row).collect();
    if !rows.is_empty() {
        let caption = "How many pairs and sentences of each evaluation set the training data of all stages holds: the same characters, and the same words. Sources, one by one, are in overlap.json.";
        out += &table(caption, &RunOverlap::COLUMNS.map(String::from), &rows);
    }
    out
}

fn overlap_row([set, numbers @ ..]: [String; 7]) -> Vec<Cell> {
    let numbers = numbers.into_iter().map(Cell::number);
    std::iter::once(Cell::text(set)).chain(numbers).collect()
}

/// A sentence of words that stood behind a colon elsewhere.
fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// Machine, stages and recipe.
pub(super) fn circumstances(run: &Run) -> String {
    let mut out = String::from("<h2>Circumstances</h2>\n");
    if let Some(record) = &run.record {
        let mut rows = vec![
            ("processor", record.processor.clone()),
            ("trained on", record.backend.clone()),
            ("begun", record.started.clone()),
            ("duration", duration(record.seconds)),
            ("resumed", format!("{} times", record.resumed)),
            ("Gradus", record.version.clone()),
            (
                "parameters",
                format!("{:.1} million", record.parameters as f64 / 1e6),
            ),
        ];
        if let Some(bytes) = record.peak_memory_bytes {
            rows.push(("peak memory", format!("{:.0} MB", bytes as f64 / 1e6)));
        }
        let rows: Vec<Vec<Cell>> = rows
            .into_iter()
            .map(|(k, v)| vec![Cell::text(k), Cell::text(v)])
            .collect();
        out += &table("", &[], &rows);
        let head = [
            "stage",
            "objective",
            "examples",
            "steps",
            "batch",
            "peak rate",
        ];
        let head: Vec<String> = head.iter().map(|s| (*s).to_owned()).collect();
        let rows: Vec<Vec<Cell>> = record
            .stages
            .iter()
            .map(|stage| {
                let frozen = if stage.encoder_frozen {
                    ", encoder frozen"
                } else {
                    ""
                };
                vec![
                    Cell::text(&stage.name),
                    Cell::text(format!("{}{frozen}", stage.objective)),
                    Cell::number(stage.examples.to_string()),
                    Cell::number(stage.steps.to_string()),
                    Cell::number(stage.batch.to_string()),
                    Cell::number(format!("{:.1e}", stage.peak_rate)),
                ]
            })
            .collect();
        out += &table("", &head, &rows);
    } else {
        out += &paragraph("Machine, time and memory were not recorded: the run has no run.json.");
    }
    out += &format!(
        "<h3>Recipe</h3>\n<pre>{}</pre>\n",
        escaped(run.recipe_text.trim_end())
    );
    out
}
