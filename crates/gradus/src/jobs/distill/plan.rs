//! What a distillation would do.

use super::job::is_finished;
use super::{Distillation, Texts};
use crate::Result;
use crate::jobs::JobError;
use crate::models::ModelFolder;
use crate::tasks::similarity::seconds_per_text;
use crate::text::Tokenizer;
use crate::training::RunFolder;
use crate::util::Observer;
use std::path::PathBuf;

/// What a distillation would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The teacher's layers.
    pub layers: usize,
    /// The width of its token vectors.
    pub hidden: usize,
    /// Texts to learn from.
    pub train: usize,
    /// Texts held out.
    pub held_out: usize,
    /// What is to be known of texts that the teacher cannot read as they are.
    pub notes: Vec<String>,
    /// Steps that go once over the texts.
    pub steps_per_epoch: usize,
    /// Texts to learn from that the teacher encodes, once.
    pub encoded: usize,
    /// Whether `encoded` is the most that it can be.
    pub at_most: bool,
    /// Seconds that the teacher takes for these and those held out.
    pub encoding_seconds: f64,
    /// The students' folders and how far they are.
    pub students: Vec<(PathBuf, StudentState)>,
}

/// How far a student is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StudentState {
    /// It is trained.
    Finished,
    /// Its training was begun.
    Begun,
    /// Nothing of it is there.
    ToDo,
}

impl Distillation {
    /// Works out what would be done. Nothing is written.
    ///
    /// # Errors
    /// Where texts or teacher cannot be used.
    pub fn plan(&self, observer: &mut dyn Observer) -> Result<Plan> {
        let texts = self.read_texts()?;
        let notes = notes(&self.described, &texts.train)?;
        let (encoded, at_most) = self.encoded(&texts);
        let encoder = self.environment.load(&self.teacher, None, observer)?;
        let sample: Vec<&str> = texts.train.iter().map(String::as_str).collect();
        let a_text = seconds_per_text(&encoder, &sample).map_err(JobError::model)?;
        let student = |label: String| {
            let folder = self.root.join(label);
            let state = match (is_finished(&folder), RunFolder::is_taken(&folder)) {
                (true, _) => StudentState::Finished,
                (false, true) => StudentState::Begun,
                (false, false) => StudentState::ToDo,
            };
            (folder, state)
        };
        let students = self.settings.students.iter();
        Ok(Plan {
            layers: self.described.config.layers,
            hidden: self.described.config.hidden_size,
            train: texts.train.len(),
            held_out: texts.held_out.len(),
            notes,
            steps_per_epoch: texts.train.len().div_ceil(self.settings.batch.max(1)),
            encoded,
            at_most,
            encoding_seconds: a_text * (encoded + texts.held_out.len()) as f64,
            students: students.map(|s| student(s.label())).collect(),
        })
    }

    /// How many texts the steps of a student see, and whether that is a bound.
    fn encoded(&self, texts: &Texts) -> (usize, bool) {
        let (all, settings) = (texts.train.len(), &self.settings);
        let batch = settings.batch.max(1);
        let steps = match (settings.steps, settings.minutes) {
            (Some(steps), _) => usize::try_from(steps).unwrap_or(usize::MAX),
            (None, Some(_)) => return (all, true),
            (None, None) => {
                let a_pass = all.div_ceil(batch) as f64;
                (settings.epochs.unwrap_or(1.0) * a_pass).ceil() as usize
            }
        };
        (
            steps.saturating_mul(batch).min(all),
            settings.steps == Some(0),
        )
    }
}

/// What is to be said of texts that the teacher cannot read as they are.
fn notes(teacher: &ModelFolder, texts: &[String]) -> Result<Vec<String>> {
    let config = &teacher.config;
    let tokenizer = Tokenizer::load(
        &teacher.encoder,
        teacher.max_tokens,
        config.vocab_size,
        config.type_vocab_size,
    );
    let tokenizer = tokenizer.map_err(JobError::model)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    tokenizer.encode(&texts).map_err(JobError::model)?;
    Ok(tokenizer.counts().describe(tokenizer.max_tokens()))
}
