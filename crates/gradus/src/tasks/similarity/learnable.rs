//! Stages that could learn nothing are refused before any work, with the reason.

use super::examples::Examples;
use crate::losses::{ExampleTexts, Objective, ObjectiveError};
use crate::recipe::{BatchSizes, Freeze, Stage, check_batch_size};
use crate::text::Tokens;
use crate::training::Schedule;
use std::collections::HashSet;

/// Whether the objective has a gradient in some batch.
///
/// # Errors
/// What is missing, and what to do.
pub(crate) fn check_batches(
    settings: &Stage,
    texts: ExampleTexts<'_>,
    objective: &dyn Objective,
) -> Result<(), String> {
    let (least, n) = (objective.min_batch(), texts.examples());
    let what = objective.describe();
    if n < least {
        return Err(format!(
            "{what} compares the examples of a batch: it needs at least {least}, and there {}",
            match n {
                1 => "is 1 example".to_owned(),
                n => format!("are {n} examples"),
            }
        ));
    }
    check_batch_size(settings, objective)?;
    let in_words = |e: ObjectiveError| format!("objective: {e}");
    objective.check_examples(texts).map_err(in_words)
}

/// What of the stage's epochs is lost, where the last batch is too small.
pub(crate) fn small_last_batch(
    settings: &Stage,
    examples: usize,
    objective: &dyn Objective,
) -> Option<String> {
    let (least, last) = (
        objective.min_batch(),
        BatchSizes::of(settings, examples).last,
    );
    (last < least).then(|| {
        format!(
            "stage `{}`: the last batch of an epoch has {last} of the {least} examples that its objective needs, and adds nothing; {examples} examples do not divide well by `batch = {}`",
            settings.name, settings.batch
        )
    })
}

/// Whether some step has a rate above 0, in the precision of the weights.
///
/// # Errors
/// Which setting leaves none.
pub(crate) fn check_rates(settings: &Stage, schedule: &Schedule, steps: u64) -> Result<(), String> {
    let rates = match (settings.freeze, settings.head_learning_rate) {
        (Freeze::Encoder, Some(head)) => head,
        (_, head) => settings.learning_rate.max(head.unwrap_or(0.0)),
    };
    if schedule.moves(rates, steps) {
        return Ok(());
    }
    Err(match schedule.warmup() {
        0 => format!(
            "a learning rate of {rates:e} is 0 in the precision of the weights: nothing would be trained"
        ),
        warmup => format!(
            "the learning rate is 0 in all of its {steps} steps, of which {warmup} warm up: nothing would be trained; set a smaller `warmup`, or more `steps` or `epochs`"
        ),
    })
}

/// Whether texts that differ still do once they are tokens.
///
/// # Errors
/// Where none is left that differs, or the two texts of all graded pairs are one.
/// `Ok` holds a warning where most are lost.
pub(crate) fn check_texts(
    examples: &Examples,
    tokens: &[Tokens],
    graded: bool,
    max_tokens: usize,
) -> Result<Option<String>, String> {
    if graded {
        let same = |row: &[u32]| tokens[row[0] as usize].ids == tokens[row[1] as usize].ids;
        if examples.rows.chunks_exact(examples.columns).all(same) {
            return Err(format!(
                "the two texts of all {} pairs are the same to the model, which reads {max_tokens} tokens of each; check `first` and `second` of its sources, `max_tokens`, and whether the model's vocabulary knows these texts",
                examples.len()
            ));
        }
    }
    let different: HashSet<&[u32]> = tokens.iter().map(|t| t.ids.as_slice()).collect();
    let (texts, left) = (tokens.len(), different.len());
    if texts > 1 && left == 1 {
        return Err(format!(
            "all {texts} texts are the same to the model, which reads {max_tokens} tokens of each; allow more by `max_tokens`, or take a model whose vocabulary knows these texts"
        ));
    }
    Ok((2 * left < texts).then(|| {
        format!(
            "only {left} of {texts} texts differ for the model, which reads {max_tokens} tokens of each: allow more by `max_tokens`, or take a model whose vocabulary knows these texts"
        )
    }))
}
