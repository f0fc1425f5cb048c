//! What asking would take, without asking.

use super::by_model::requests;
use super::sentences::Sentences;
use super::{Journal, ModelSettings, NegativesSettings};
use crate::Result;
use crate::chat::Usage;
use crate::util::words::thousands;
use serde::Serialize;

/// What asking would take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The address that would be asked.
    pub endpoint: String,
    /// The model's name there.
    pub model: String,
    /// Different sentences.
    pub sentences: u64,
    /// Sentences whose answer is in the journal.
    pub from_journal: u64,
    /// Requests, where none has to be sent again.
    pub requests: u64,
    /// About so many tokens of requests, at four characters each.
    pub tokens_in: u64,
    /// About so many tokens of answers.
    pub tokens_out: u64,
    /// About what they cost, where prices are given.
    pub cost: Option<f64>,
}

/// Counts what [`by_model`](super::by_model) would ask for. Nothing is sent or written.
///
/// # Errors
/// Where settings or texts cannot be used.
pub fn estimate(settings: &NegativesSettings, model: &ModelSettings) -> Result<Estimate> {
    settings.form()?;
    model.validate()?;
    let sentences = Sentences::read(&settings.texts, settings.most)?;
    let journal = Journal::look(&settings.output)?;
    let requests = requests(settings, model, &sentences);
    let mut usage = Usage::default();
    let mut pending = 0;
    for request in &requests {
        if journal
            .get(&request.key)
            .is_some_and(|known| known.is_settled())
        {
            continue;
        }
        let (input, output) = request.tokens(model, settings.negatives);
        pending += 1;
        usage.input += input;
        usage.output += output;
    }
    let limits = &model.limits;
    let priced = limits.price_in.is_some() || limits.price_out.is_some();
    Ok(Estimate {
        endpoint: model.chat.address.shown().to_owned(),
        model: model.model.clone(),
        sentences: requests.len() as u64,
        from_journal: requests.len() as u64 - pending,
        requests: pending,
        tokens_in: usage.input,
        tokens_out: usage.output,
        cost: priced.then(|| limits.spent(usage).cost),
    })
}

impl Estimate {
    /// In lines for people.
    pub fn text(&self) -> String {
        let n = |count: u64| thousands(count as usize);
        let cost = match self.cost {
            Some(cost) => format!(", cost about {cost:.4}"),
            None => String::new(),
        };
        format!(
            "{} sentences, {} of them answered already\n\
             {} requests to {} for {}\n\
             about {} tokens in, {} out{cost}\n",
            n(self.sentences),
            n(self.from_journal),
            n(self.requests),
            self.endpoint,
            self.model,
            n(self.tokens_in),
            n(self.tokens_out)
        )
    }
}
