//! The model card of a trained cross-encoder.

use crate::recipe::CrossEncoderRecipe;
use crate::tasks::similarity::{TrainingPlan, overlap_card};
use crate::training::State;
use std::fmt::Write;

/// README.md of the best model at some point of a run.
pub(crate) fn card(recipe: &CrossEncoderRecipe, plan: &TrainingPlan, state: &State) -> String {
    let mut out = String::from(
        "---\npipeline_tag: text-ranking\nlibrary_name: sentence-transformers\ntags: [sentence-transformers, cross-encoder, gradus]\n---\n\n",
    );
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!(
        "# Cross-encoder of {}, trained with Gradus\n",
        plan.model
    ));
    if !recipe.description.is_empty() {
        line(format!("{}\n", recipe.description));
    }
    line("It reads two texts as one input and scores the pair. The folder is in the layout of sentence-transformers' CrossEncoder.\n".into());
    if let (Some(dev), Some(best)) = (&plan.dev, state.best) {
        let before = state.initial.map_or(String::new(), |i| {
            format!(", {:.2} before training", 100.0 * i)
        });
        line(format!(
            "Chosen by {} x 100 of the scores on {dev}: {:.2} at step {} of stage `{}`{before}.\n",
            plan.metric,
            100.0 * best,
            state.best_step,
            plan.stages.get(state.stage).map_or("", |s| s.name.as_str())
        ));
    }
    line(format!("Seed {}.\n", recipe.seed));
    line("## Stages\n\n| stage | examples | objective | steps x batch | peak rate |\n|---|---|---|---|---|".into());
    for stage in &plan.stages {
        line(format!(
            "| {} | {} {}, {} in test sets and {} without label left out | {} | {} x {} | {:e} |",
            stage.name,
            stage.pairs,
            stage.unit,
            stage.excluded,
            stage.skipped,
            stage.objective.replace('|', "\\|"),
            stage.steps,
            stage.effective_batch,
            stage.peak_rate,
        ));
    }
    let mut data = String::new();
    for stage in &recipe.stages {
        for source in &stage.train {
            let _ = writeln!(data, "- {}: {}", stage.name, source.describe());
        }
    }
    line(format!("\n## Data\n\n{data}"));
    line(overlap_card(plan));
    if let Ok(recipe) = toml::to_string(recipe) {
        line(format!("## Recipe\n\n```toml\n{recipe}```"));
    }
    out
}
