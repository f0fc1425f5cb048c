//! The model card of a trained model.

use super::{RunOverlap, TrainingPlan};

use crate::models::TemplateSettings;
use crate::recipe::Recipe;
use crate::training::{RunFolder, State};
use crate::util::text_table::TextTable;
use std::fmt::Write;

/// README.md of the best model at some point of a run.
pub(crate) fn card(
    recipe: &Recipe,
    plan: &TrainingPlan,
    state: &State,
    template: Option<&TemplateSettings>,
) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    let tags = match template {
        None => "library_name: sentence-transformers\ntags: [sentence-transformers, gradus]",
        Some(_) => "tags: [gradus]",
    };
    line(format!(
        "---\npipeline_tag: sentence-similarity\n{tags}\n---\n"
    ));
    // A student begins as a folder of the run, whose name says nothing.
    let is_student = plan.model == RunFolder::START && !recipe.description.is_empty();
    line(match is_student {
        true => format!("# {}, trained with Gradus\n", recipe.description),
        false => format!("# {} trained with Gradus\n", plan.model),
    });
    if !recipe.description.is_empty() && !is_student {
        line(format!("{}\n", recipe.description));
    }
    let mut teachers: Vec<&str> = vec![];
    for teacher in recipe.stages.iter().flat_map(|stage| &stage.teachers) {
        if !teachers.contains(&teacher.model.as_str()) {
            teachers.push(&teacher.model);
        }
    }
    if !teachers.is_empty() {
        line(format!(
            "It learned from the vectors of {}.\n",
            teachers.join(", ")
        ));
    }
    line(match template {
        None => "The folder is in sentence-transformers' layout.\n".into(),
        Some(template) => format!(
            "Every text is put into the template `{}`; its vector is that of the mask{}. Gradus does this by itself; sentence-transformers has no such module and refuses the folder.\n",
            template.text,
            match template.denoise {
                true =>
                    ", less that of the mask where the text is left out and its positions are kept",
                false => "",
            }
        ),
    });
    line("Where there is a `gradus_head.json`, `gradus score` also predicts grades on the labels' scale.\n".into());
    if let (Some(dev), Some(best)) = (&plan.dev, state.best) {
        let before = state.initial.map_or(String::new(), |i| {
            format!(", {:.2} before training", 100.0 * i)
        });
        line(format!(
            "Chosen by Spearman x 100 of the cosines on {dev}: {:.2} at step {} of stage `{}`{before}.\n",
            100.0 * best,
            state.best_step,
            plan.stages.get(state.stage).map_or("", |s| s.name.as_str())
        ));
    }
    line(format!(
        "Seed {}. Scores on a dev set are one correlation over all of its pairs, in the text that its files have.\n",
        recipe.seed
    ));
    line("## Stages\n\n| stage | pairs | left out | objective | steps x batch | peak rate |\n|---|---|---|---|---|---|".into());
    for stage in &plan.stages {
        line(format!(
            "| {} | {} | {} in test sets, {} without label | {} | {} x {} | {:e} |",
            stage.name,
            stage.pairs,
            stage.excluded,
            stage.skipped,
            stage.objective.replace('|', "\\|"),
            stage.steps,
            stage.effective_batch,
            if stage.encoder_frozen {
                stage.head_peak_rate
            } else {
                stage.peak_rate
            },
        ));
    }
    let mut data = String::new();
    for (stage, settings) in plan.stages.iter().zip(&recipe.stages) {
        for source in &settings.train {
            let _ = writeln!(
                data,
                "- {}: {}{}",
                stage.name,
                source.describe(),
                match source.exclude.as_slice() {
                    [] => String::new(),
                    list => format!(", without the pairs of {}", list.join(", ")),
                }
            );
        }
    }
    line(format!("\n## Data\n\n{data}"));
    line(overlap(plan));
    if let Ok(recipe) = toml::to_string(recipe) {
        line(format!("## Recipe\n\n```toml\n{recipe}```"));
    }
    out
}

/// What the training data shares with the sets that the model is scored on.
pub(crate) fn overlap(plan: &TrainingPlan) -> String {
    let found = &plan.overlap;
    let mut out = String::from("## Overlap with evaluation sets\n\n");
    if found.excluded {
        out += "All sources were read without the pairs of these sets. ";
    }
    let shared = found.run.shared_sets();
    let _ = match (&found.run.tests[..], &shared[..]) {
        ([], _) => writeln!(out, "No evaluation set was at hand to compare with."),
        (_, []) => writeln!(out, "The training data holds no pair of these sets."),
        (_, sets) => writeln!(
            out,
            "The training data holds pairs of {}: scores on these sets are inflated.",
            sets.join(", ")
        ),
    };
    if !found.not_compared.is_empty() {
        let sets = found.not_compared.join(", ");
        let _ = writeln!(out, "Not compared, as not in the data folder: {sets}.");
    }
    if found.run.tests.is_empty() {
        return out;
    }
    let mut table = vec![RunOverlap::COLUMNS.map(String::from).to_vec()];
    table.extend(found.table().into_iter().map(Vec::from));
    let _ = write!(out, "\n{}", TextTable(table).markdown());
    out
}
