//! Stages that could learn nothing are refused before any work, with the reason.

use super::examples::Examples;
use crate::losses::{Objective, ObjectiveError, Rows};
use crate::recipe::{Freeze, Stage};
use crate::text::Tokens;
use crate::training::Schedule;
use std::collections::HashSet;

/// The sizes of the batches that meet the objective.
pub(crate) struct BatchSizes {
    /// Of a full one, or of all examples where there are fewer.
    pub largest: usize,
    /// Of the last one of an epoch.
    pub last: usize,
}

impl BatchSizes {
    /// Where the encoder is frozen, the examples of a step are one batch.
    pub fn of(settings: &Stage, examples: usize) -> Self {
        let a_step = settings.batch * settings.accumulate;
        let batch = match settings.freeze {
            Freeze::Encoder => a_step,
            Freeze::None => settings.batch,
        };
        let rest = |of: usize, by: usize| match of % by {
            0 => by,
            rest => rest,
        };
        Self {
            largest: batch.min(examples),
            last: rest(rest(examples, a_step).min(examples), batch).min(examples),
        }
    }
}

/// Whether the objective has a gradient in some batch.
///
/// # Errors
/// What is missing, and what to do.
pub(crate) fn check_batches(
    settings: &Stage,
    examples: &Examples,
    objective: &dyn Objective,
) -> Result<(), String> {
    let (least, n) = (objective.min_batch(), examples.len());
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
    let rows = Rows {
        columns: examples.columns,
        texts: &examples.rows,
    };
    let in_words = |e: ObjectiveError| format!("objective: {e}");
    objective.check_rows(rows).map_err(in_words)
}

/// Whether a full batch has as many examples as the objective compares.
///
/// # Errors
/// How many it needs.
pub(crate) fn check_batch_size(settings: &Stage, objective: &dyn Objective) -> Result<(), String> {
    let least = objective.min_batch();
    if BatchSizes::of(settings, usize::MAX).largest >= least {
        return Ok(());
    }
    Err(format!(
        "{} compares the examples of a batch: with `batch = {}` it learns nothing, as `accumulate` does not join batches; set `batch` to at least {least}",
        objective.describe(),
        settings.batch
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_steps() {
        let text = "name = 'a'\ntrain = [{ path = 'a.tsv' }]\nobjective = { loss = 'mse' }\n\
                    steps = 1\nlearning_rate = 1.0\n";
        for batch in 1..6 {
            for accumulate in 1..4 {
                for n in 1usize..40 {
                    let text = format!("{text}batch = {batch}\naccumulate = {accumulate}");
                    let stage: Stage = toml::from_str(&text).unwrap();
                    let examples: Vec<usize> = (0..n).collect();
                    let steps = examples.chunks(batch * accumulate);
                    let sizes: Vec<usize> = steps
                        .flat_map(|step| step.chunks(batch).map(<[usize]>::len))
                        .collect();
                    let found = BatchSizes::of(&stage, n);
                    let what = (batch, accumulate, n);
                    assert_eq!(Some(&found.largest), sizes.iter().max(), "{what:?}");
                    assert_eq!(Some(&found.last), sizes.last(), "{what:?}");
                }
            }
        }
    }
}
