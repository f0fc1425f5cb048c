//! The model card of a pretrained model.

use super::{HeldOutScores, PretrainingPlan, PretrainingSettings};

/// README.md of a model at some step.
pub(crate) fn card(
    settings: &PretrainingSettings,
    plan: &PretrainingPlan,
    held_out: &HeldOutScores,
) -> String {
    let origin = match &plan.from {
        Some(model) => {
            format!("{model}, trained further with Gradus on the masked tokens of texts")
        }
        None => "A BERT trained with Gradus on the masked tokens of texts".into(),
    };
    let texts: String = settings
        .texts
        .iter()
        .map(|source| format!("- {}\n", source.describe()))
        .collect();
    let words = if plan.whole_words {
        " (whole words)"
    } else {
        ""
    };
    let settings = toml::to_string(settings).unwrap_or_default();
    format!(
        "---\npipeline_tag: fill-mask\ntags: [gradus]\n---\n\n# {origin}\n\n\
         The folder is in sentence-transformers' layout; its weights have the \
         masked-language-model head. It is no model of sentence similarity yet: train it on \
         pairs.\n\n\
         {} steps of {} ({:.2} epochs), {:.0} % of the tokens{words} masked. On {} held-out \
         texts: masked-token accuracy {:.2} % ({} tokens), loss {:.4} nats.\n\n\
         ## Data\n\n{} texts, {} tokens:\n\n{texts}\n## Settings\n\n```toml\n{settings}```\n",
        held_out.step,
        plan.steps,
        held_out.step as f64 / plan.steps_per_epoch as f64,
        100.0 * plan.mask_rate,
        plan.held_out,
        100.0 * held_out.masked_accuracy,
        held_out.masked,
        held_out.loss,
        plan.texts,
        plan.tokens,
    )
}
