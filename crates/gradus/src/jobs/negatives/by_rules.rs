//! Negatives by rules.

use super::sentences::Sentences;
use super::summary::counts;
use super::writing::write;
use super::{NegativesSettings, RuleSettings, Summary, UnmadeSentence};
use crate::Result;
use crate::data::negatives::NegativeRow;
use crate::data::negatives::filters::LeftOut;
use crate::data::negatives::rules::{Made, Rules};
use crate::jobs::{Environment, JobError};
use crate::util::{Observer, check_cancelled};

/// What files say in the model's place.
const NAME: &str = "rules";

/// Sentences between two looks at the observer.
const CHUNK: u64 = 1024;

/// Makes negatives of each sentence by rules, and writes those that the teacher, if
/// there is one, does not find too near. The sentence itself is the positive: in
/// training its two passes differ by dropout, as in unsupervised SimCSE.
///
/// # Errors
/// Where settings, texts or teacher cannot be used, or the output cannot be written;
/// [`Error::Stopped`](crate::Error::Stopped).
pub fn by_rules(
    settings: &NegativesSettings,
    chosen: &RuleSettings,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    let form = settings.form()?;
    if chosen.rules.is_empty() {
        return Err(
            JobError::Settings("no rule is chosen; leave --rule out for all".into()).into(),
        );
    }
    let (inputs, teacher) = settings.inputs(environment, observer)?;
    let output = settings.output.as_path();
    inputs.check_file(output, "--output", settings.overwrite)?;
    let sentences = Sentences::read(&settings.texts, settings.most)?;
    let rules = Rules::new(&chosen.rules, settings.seed, &sentences.all);
    let (mut rows, mut unmade) = (Vec::new(), Vec::new());
    for (number, sentence) in (0u64..).zip(&sentences.all) {
        if number.is_multiple_of(CHUNK) {
            check_cancelled(observer, "making negatives")?;
            observer.progress("making negatives", number, sentences.all.len() as u64);
        }
        let made = rules.make(number, sentence, settings.negatives);
        if made.is_empty() {
            unmade.push(UnmadeSentence {
                number: number + 1,
                sentence: sentence.clone(),
            });
            continue;
        }
        rows.push(NegativeRow {
            sentence: sentence.clone(),
            positive: sentence.clone(),
            rules: made.iter().map(Made::describe).collect(),
            negatives: made.into_iter().map(|made| made.text).collect(),
            model: NAME.into(),
            ..NegativeRow::default()
        });
    }
    let total = sentences.all.len() as u64;
    observer.progress("making negatives", total, total);
    let mut left_out = LeftOut::default();
    let judges = (teacher.as_ref(), &settings.filters);
    let rows = write(
        output,
        form,
        rows.into_iter(),
        judges,
        &mut left_out,
        observer,
    )?;
    Ok(Summary {
        output: Some(output.to_path_buf()),
        model: NAME.into(),
        sentences: sentences.all.len() as u64,
        repeated: sentences.repeated,
        rows,
        left_out: counts(&left_out),
        asking: None,
        unmade,
    })
}
