//! Negatives from a language model.

use super::asking::{Early, ask};
use super::sentences::Sentences;
use super::summary::{Asking, Rows, counts};
use super::writing::{Teacher, write};
use super::{Answer, Journal, ModelSettings, NegativesSettings, Request, Summary};
use crate::chat::Chat;
use crate::data::negatives::NegativeRow;
use crate::data::negatives::filters::{LeftOut, Part, Reason, tidy};
use crate::jobs::Environment;
use crate::output::Inputs;
use crate::util::Observer;
use crate::{Error, Result};
use std::fs;
use std::path::Path;

/// Asks a language model for a paraphrase and negatives of each sentence, and writes
/// what is fit for use. Answers are kept in the [`Journal`] beside the output; what is
/// there is not asked for again, and what filters leave out can be taken in later.
///
/// The output is written also where asking ended early; the summary says what is
/// missing.
///
/// # Errors
/// Where settings, texts or teacher cannot be used, or the output cannot be written.
/// After the output was written: [`ChatError`](crate::chat::ChatError) where the
/// endpoint refuses or is down, and [`Error::Stopped`].
pub fn by_model(
    settings: &NegativesSettings,
    model: &ModelSettings,
    environment: &Environment,
    observer: &mut dyn Observer,
) -> Result<Summary> {
    let form = settings.form()?;
    model.validate()?;
    let output = settings.output.as_path();
    let (inputs, teacher) = settings.inputs(environment, observer)?;
    let sentences = Sentences::read(&settings.texts, settings.most)?;
    inputs.check_file(&Journal::path_of(output), "--output", true)?;
    let ours = Journal::look(output)?.wrote(output);
    inputs.check_file(output, "--output", settings.overwrite || ours)?;
    if let Some(folder) = output.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    let mut journal = Journal::open(output)?;
    say(model, &journal, observer);

    let requests = requests(settings, model, &sentences);
    let settled = |journal: &Journal| {
        let known = requests
            .iter()
            .filter_map(|request| journal.get(&request.key));
        known.filter(|known| known.is_settled()).count() as u64
    };
    let before = settled(&journal);
    let chat = Chat::new(model.chat.clone())?;
    let asked = (model, settings.negatives);
    let early = ask(&requests, asked, &chat, &mut journal, observer)?;

    let mut asking = Asking {
        endpoint: model.chat.address.shown().to_owned(),
        journal: journal.path().to_path_buf(),
        requests: chat.sent(),
        sent_again: chat.sent_again(),
        from_journal: before,
        missing: requests.len() as u64 - settled(&journal),
        unreadable: 0,
        cut: 0,
        refused: 0,
        spent: journal.spent(),
        stopped: early.as_ref().map(|early| match early {
            Early::Cancelled => "cancelled",
            Early::Limit => "limit",
            Early::Error(_) => "error",
        }),
    };
    let mut left_out = LeftOut::default();
    let mut rows = Rows::default();
    let any = requests
        .iter()
        .any(|request| journal.get(&request.key).is_some());
    if any {
        let mut candidates = Vec::new();
        for request in &requests {
            let known = journal.get(&request.key).filter(|known| known.is_settled());
            let Some(known) = known else { continue };
            let answer = Answer::parse(&known.text);
            match &answer {
                Answer::Texts { .. } => {}
                Answer::Refusal => asking.refused += 1,
                Answer::Unreadable => {
                    asking.unreadable += 1;
                    asking.cut += u64::from(known.cut);
                }
            }
            candidates.extend(candidate(settings, model, request, answer, &mut left_out));
        }
        let mut unstoppable = Unstoppable(observer);
        let observer: &mut dyn Observer = match early {
            // What came is written all the same.
            Some(_) => &mut unstoppable,
            None => unstoppable.0,
        };
        let judges = (teacher.as_ref(), &settings.filters);
        let candidates = candidates.into_iter();
        rows = write(output, form, candidates, judges, &mut left_out, observer)?;
        journal.note_output(output)?;
    }
    let summary = Summary {
        output: any.then(|| output.to_path_buf()),
        model: model.model.clone(),
        sentences: sentences.all.len() as u64,
        repeated: sentences.repeated,
        rows,
        left_out: counts(&left_out),
        asking: Some(asking),
        unmade: vec![],
    };
    let missing = summary.asking.as_ref().map_or(0, |asking| asking.missing);
    match early {
        None | Some(Early::Limit) => Ok(summary),
        Some(Early::Cancelled) => {
            let total = summary.sentences;
            Err(Error::Stopped(format!(
                "with answers to {} of {total} sentences",
                total - missing
            )))
        }
        Some(Early::Error(error)) => {
            let written = match any {
                true => format!("; {} holds what came before", output.display()),
                false => String::new(),
            };
            observer.note(&format!(
                "{missing} of {} sentences have no answer{written}; the same command goes on",
                summary.sentences
            ));
            Err(error)
        }
    }
}

/// Says what is asked, and what a user may not expect.
fn say(model: &ModelSettings, journal: &Journal, observer: &mut dyn Observer) {
    let chat = &model.chat;
    observer.note(&format!(
        "asking {} at {}",
        model.model,
        chat.address.shown()
    ));
    if chat.address.is_open() && chat.key.is_some() {
        observer.warn("the key goes over the network unencrypted; use an https address");
    }
    if !chat.address.is_local() && chat.key.is_none() {
        observer.note(&format!("note: there is no key in {}", chat.key_variable));
    }
    if journal.damaged() > 0 {
        observer.warn(&format!(
            "{}: {} lines cannot be read and are passed over",
            journal.path().display(),
            journal.damaged()
        ));
    }
}

/// The requests of all sentences, in their order.
pub(super) fn requests<'a>(
    settings: &NegativesSettings,
    model: &'a ModelSettings,
    sentences: &'a Sentences,
) -> Vec<Request<'a>> {
    let wanted = (settings.seed, settings.negatives);
    let all = (0..).zip(&sentences.all);
    all.map(|(number, sentence)| Request::new(model, sentence, number, wanted))
        .collect()
}

/// The row of an answer, as far as its texts are fit for use; `None` without texts.
fn candidate(
    settings: &NegativesSettings,
    model: &ModelSettings,
    request: &Request,
    answer: Answer,
    left_out: &mut LeftOut,
) -> Option<NegativeRow> {
    let sentence = request.sentence;
    let (positive, negatives) = match answer {
        Answer::Texts {
            positive,
            negatives,
        } => (tidy(&positive, sentence), negatives),
        Answer::Refusal => {
            left_out.add(Part::Positive, Reason::Refusal);
            return None;
        }
        Answer::Unreadable => return None,
    };
    let mut judge = settings.filters.judge(sentence);
    let mut row = NegativeRow {
        sentence: sentence.to_owned(),
        model: model.model.clone(),
        prompt: request.prompt.id.clone(),
        ..NegativeRow::default()
    };
    match judge.positive(&positive) {
        Ok(()) => row.positive = positive,
        Err(reason) => left_out.add(Part::Positive, reason),
    }
    for negative in negatives {
        let negative = tidy(&negative, sentence);
        match judge.negative(&negative) {
            Ok(()) if row.negatives.len() < settings.negatives => row.negatives.push(negative),
            // More than were asked for.
            Ok(()) => {}
            Err(reason) => left_out.add(Part::Negative, reason),
        }
    }
    Some(row)
}

impl NegativesSettings {
    /// What is read, and the teacher. It is loaded before anything is paid for.
    pub(super) fn inputs(
        &self,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<(Inputs, Option<Teacher>)> {
        let mut inputs = Inputs::new();
        for source in &self.texts {
            inputs.add_source("a text file", source, Path::new(""), &environment.data);
        }
        let Some(name) = &self.teacher else {
            return Ok((inputs, None));
        };
        let model = environment.find(name, observer)?;
        inputs.add("the teacher", &model.folder);
        let teacher = Teacher::load(&model, environment, observer)?;
        Ok((inputs, Some(teacher)))
    }
}

/// Hears all, and ends nothing.
struct Unstoppable<'a>(&'a mut dyn Observer);

impl Observer for Unstoppable<'_> {
    fn note(&mut self, message: &str) {
        self.0.note(message);
    }

    fn warn(&mut self, message: &str) {
        self.0.warn(message);
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        self.0.progress(what, done, total);
    }
}
