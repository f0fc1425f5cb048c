//! The model card of a trained model.

use super::{Plan, Recipe, State};
use std::fmt::Write;

/// README.md of the best model at some point of a run.
pub(super) fn card(recipe: &Recipe, plan: &Plan, state: &State) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line("---\npipeline_tag: sentence-similarity\nlibrary_name: sentence-transformers\ntags: [sentence-transformers, gradus]\n---\n".into());
    line(format!("# {} trained with Gradus\n", plan.model));
    if !recipe.description.is_empty() {
        line(format!("{}\n", recipe.description));
    }
    line("The folder is in sentence-transformers' layout. Where there is a `gradus_head.json`, `gradus score` also predicts grades on the labels' scale.\n".into());
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
    if let Ok(recipe) = toml::to_string(recipe) {
        line(format!("## Recipe\n\n```toml\n{recipe}```"));
    }
    out
}
