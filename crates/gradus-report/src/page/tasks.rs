//! Scores on the test tasks.

use super::about::numbers;
use super::html::{Cell, paragraph, table};
use super::percent;
use crate::compare::{Difference, RESAMPLES, differences, scores};
use crate::published::{Published, ROWS, SOURCE};
use crate::run::{Run, StoredScores};
use gradus::eval::Suite;

const TITLE: &str = "<h2>Test tasks</h2>\n";

/// The model a run began with, its own, and the difference.
pub(super) fn before_and_after(run: &Run, suite: Option<&Suite>) -> String {
    let Some(suite) = suite.filter(|s| !s.tasks.is_empty()) else {
        return TITLE.to_owned()
            + &paragraph(
                "Not scored: the sets were not asked for or are not there. `gradus pull sts` fetches them, --data says where they are.",
            );
    };
    let mut rows = Vec::new();
    let sides = [("before", &run.before), ("after", &run.after)];
    for (name, stored_scores) in sides {
        if let Some(stored_scores) = stored_scores {
            rows.push(row(name, suite, stored_scores));
        }
    }
    if let (Some(before), Some(after)) = (&run.before, &run.after) {
        let (each, average) = differences(suite, &after.tasks, &before.tasks);
        rows.push(difference_row("difference", "95 %", &each, average.as_ref()).0);
        rows.push(difference_row("difference", "95 % interval", &each, average.as_ref()).1);
    }
    if rows.is_empty() {
        return TITLE.to_owned() + &paragraph("Not scored: there is no model yet.");
    }
    let caption = format!(
        "{} Before: {}. The interval of a difference is where 95 % of {RESAMPLES} paired draws of a task's pairs put it (bootstrap); how much training with other seeds would change is not part of it.",
        protocol(run, suite),
        run.recipe.model()
    );
    TITLE.to_owned() + &table(&caption, &head("", suite), &rows)
}

/// How the numbers of a table came about.
fn protocol(run: &Run, suite: &Suite) -> String {
    let backend = run
        .after
        .as_ref()
        .or(run.before.as_ref())
        .map(|j| j.backend.as_str());
    format!(
        "Spearman x 100 of the {}; aggregation all (one correlation over all pairs of a task); {} text; selected by {}; seed {}; scored on {}.",
        run.numbers(),
        suite.text.name(),
        run.selection(),
        run.recipe.seed(),
        backend.unwrap_or("nothing")
    )
}

fn head(first: &str, suite: &Suite) -> Vec<String> {
    let names = suite.tasks.iter().map(|task| task.name.clone());
    std::iter::once(first.to_owned())
        .chain(names)
        .chain(["average".to_owned()])
        .collect()
}

fn row(name: &str, suite: &Suite, stored_scores: &StoredScores) -> Vec<Cell> {
    let (each, average) = scores(suite, &stored_scores.tasks);
    let mut row = vec![Cell::text(name)];
    row.extend(
        each.into_iter()
            .chain([average])
            .map(|s| Cell::number(percent(s))),
    );
    row
}

/// A row of differences and one of their intervals.
fn difference_row(
    name: &str,
    interval_name: &str,
    each: &[Option<Difference>],
    average: Option<&Difference>,
) -> (Vec<Cell>, Vec<Cell>) {
    let (mut values, mut intervals) = (vec![Cell::text(name)], vec![Cell::text(interval_name)]);
    for difference in each.iter().map(Option::as_ref).chain([average]) {
        let interval = difference.and_then(|d| d.interval);
        let value = difference.map_or("n/a".into(), |d| format!("{:+.2}", 100.0 * d.value));
        values.push(Cell::number(value).best(interval.is_some_and(|i| i.excludes_zero())));
        let ends = interval.map_or("n/a".into(), |i| {
            format!("{:+.2}, {:+.2}", 100.0 * i.low, 100.0 * i.high)
        });
        intervals.push(Cell::range(ends));
    }
    (values, intervals)
}

/// Runs under each other, what they differ by, and published rows.
pub(super) fn side_by_side(runs: &[Run], suite: Option<&Suite>) -> String {
    let pair_scores: Vec<(&Run, &StoredScores)> = runs
        .iter()
        .filter_map(|run| Some((run, run.after.as_ref()?)))
        .collect();
    let (Some(suite), Some(&(first, reference))) =
        (suite.filter(|s| !s.tasks.is_empty()), pair_scores.first())
    else {
        return TITLE.to_owned() + &paragraph("Not scored: no test sets, or no models yet.");
    };
    let mut all = Vec::new();
    for run in runs {
        // Runs from one model have one row before.
        let seen = all
            .iter()
            .any(|(name, _): &(String, _)| *name == format!("{} (before)", run.recipe.model()));
        if let Some(before) = run.before.as_ref().filter(|_| !seen) {
            all.push((format!("{} (before)", run.recipe.model()), before));
        }
    }
    all.extend(
        pair_scores
            .iter()
            .map(|(run, stored_scores)| (run.name.clone(), *stored_scores)),
    );
    let averages: Vec<f64> = all
        .iter()
        .filter_map(|(_, j)| scores(suite, &j.tasks).1)
        .collect();
    let top = averages.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let rows: Vec<Vec<Cell>> = all
        .iter()
        .map(|(name, stored_scores)| {
            let mut row = row(name, suite, stored_scores);
            let best = scores(suite, &stored_scores.tasks).1 == Some(top);
            if let Some(last) = row.pop() {
                row.push(last.best(best));
            }
            row
        })
        .collect();
    let seeds: Vec<String> = pair_scores
        .iter()
        .map(|(r, _)| format!("{} {}", r.name, r.recipe.seed()))
        .collect();
    let mut chosen: Vec<String> = pair_scores.iter().map(|(run, _)| run.selection()).collect();
    chosen.dedup();
    let caption = format!(
        "Spearman x 100 of the {}; aggregation all (one correlation over all pairs of a task); {} text; selected by {}; seeds: {}; scored on {}.",
        numbers(pair_scores.iter().map(|(run, _)| *run)),
        suite.text.name(),
        chosen.join("; "),
        seeds.join(", "),
        reference.backend
    );
    let mut out = TITLE.to_owned() + &table(&caption, &head("model", suite), &rows);
    let mut rows = Vec::new();
    for (run, stored_scores) in pair_scores.iter().skip(1) {
        let (each, average) = differences(suite, &stored_scores.tasks, &reference.tasks);
        let (values, intervals) =
            difference_row(&run.name, "95 % interval", &each, average.as_ref());
        rows.extend([values, intervals]);
    }
    if !rows.is_empty() {
        let caption = format!(
            "Each run less {}, same protocol as above. Bold: zero lies outside of the interval, where 95 % of {RESAMPLES} paired draws of a task's pairs put the difference (bootstrap). How much training with other seeds would change is not part of it.",
            first.name
        );
        out += &format!(
            "<h3>Differences to {}</h3>\n",
            crate::markup::escaped(&first.name)
        );
        out += &table(&caption, &head("run", suite), &rows);
    }
    out + &published(runs)
}

/// What papers print of models of the runs' size; nothing without such.
fn published(runs: &[Run]) -> String {
    let sizes = runs.iter().filter_map(|run| run.record.as_ref());
    let of_size = |row: &&Published| sizes.clone().any(|r| row.is_of_size(r.parameters));
    let shown: Vec<&Published> = ROWS.iter().filter(of_size).collect();
    if shown.is_empty() {
        return String::new();
    }
    let names = [
        "STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R", "average",
    ];
    let head: Vec<String> = std::iter::once("model")
        .chain(names)
        .map(str::to_owned)
        .collect();
    let rows: Vec<Vec<Cell>> = shown
        .iter()
        .map(|published| {
            let mut row = vec![Cell::text(published.model)];
            match published.tasks {
                Some(tasks) => row.extend(tasks.iter().map(|t| Cell::number(format!("{t:.2}")))),
                None => row.extend((0..7).map(|_| Cell::number(""))),
            }
            row.push(Cell::number(format!("{:.2}", published.average)));
            row
        })
        .collect();
    let caption = format!(
        "{SOURCE} Models of about the size of those above, on other data; most published tables read the text as SentEval tokenised it."
    );
    format!("<h3>Published rows</h3>\n{}", table(&caption, &head, &rows))
}
