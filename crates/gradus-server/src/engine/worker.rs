//! Batches, computed one after the other.

use super::queue::{Engine, Job, Share};
use crate::measures;
use crate::model::{Ask, ServedModel};
use gradus::text::Tokens;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// What an input comes to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub values: Vec<f32>,
    /// How long it waited.
    pub queued: Duration,
    /// How long its batch took.
    pub computed: Duration,
}

/// Why an input has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ItemError {
    #[error("the model gives values for it that are no finite numbers")]
    NotFinite,
    #[error("computing it failed: {0}")]
    Failed(String),
    #[error("it was not computed in time")]
    Late,
}

/// An input that is being computed, and where its answer goes.
struct Place {
    place: usize,
    entered: Instant,
    reply: UnboundedSender<(usize, Result<Answer, ItemError>)>,
}

impl Engine {
    /// Computes batches until there will be no more. Models are there before requests
    /// for them are.
    pub fn work(&self, models: &[Arc<OnceLock<Arc<ServedModel>>>], batch_tokens: Option<usize>) {
        let most = |model: usize| {
            let model = models[model].get();
            batch_tokens.unwrap_or_else(|| model.map_or(1, |model| model.batch_tokens()))
        };
        while let Some((model, shares)) = self.take(most) {
            let Some(model) = models[model].get() else {
                continue;
            };
            for (ask, places, tokens) in by_ask(shares) {
                answer(ask, places, &tokens, |tokens| model.compute(ask, tokens));
            }
        }
    }
}

/// Inputs of which the same is asked go together.
fn by_ask(shares: Vec<Share>) -> Vec<(Ask, Vec<Place>, Vec<Tokens>)> {
    let mut groups: Vec<(Ask, Vec<Place>, Vec<Tokens>)> = vec![];
    for share in shares {
        for Job { place, tokens, ask } in share.jobs {
            let place = Place {
                place,
                entered: share.entered,
                reply: share.reply.clone(),
            };
            let group = groups.iter_mut().find(|(other, ..)| *other == ask);
            match group {
                Some((_, places, all)) => {
                    places.push(place);
                    all.push(tokens);
                }
                None => groups.push((ask, vec![place], vec![tokens])),
            }
        }
    }
    groups
}

type Computed = Result<Vec<Vec<f32>>, String>;

/// Computes inputs together; where that fails each alone, so that one costs none of the
/// others their answers.
fn answer(
    ask: Ask,
    places: Vec<Place>,
    tokens: &[Tokens],
    compute: impl Fn(&[Tokens]) -> gradus::Result<Vec<Vec<f32>>>,
) {
    let began = Instant::now();
    let size = tokens.iter().map(|t| t.ids.len()).sum();
    measures::batch(tokens.len(), size);
    let guarded = |tokens: &[Tokens]| -> Computed {
        match catch_unwind(AssertUnwindSafe(|| compute(tokens))) {
            Ok(values) => values.map_err(|e| e.to_string()),
            Err(panic) => Err(message_of(&*panic)),
        }
    };
    let all = guarded(tokens);
    let computed = began.elapsed();
    measures::computed(ask, computed);
    let give = |at: &Place, values: Result<Vec<f32>, ItemError>, computed| {
        let queued = began.duration_since(at.entered);
        let answer = values.map(|values| Answer {
            values,
            queued,
            computed,
        });
        // Nobody waits where this fails.
        let _ = at.reply.send((at.place, answer));
    };
    match all {
        Ok(values) => {
            for (at, values) in places.iter().zip(values) {
                give(at, finite(values), computed);
            }
        }
        Err(_) => {
            for (at, tokens) in places.iter().zip(tokens) {
                let alone = guarded(std::slice::from_ref(tokens));
                let values = alone.map_err(ItemError::Failed);
                let values = values.map(|mut values| values.pop().unwrap_or_default());
                if let Err(error) = &values {
                    tracing::error!(%error, "an input failed");
                }
                give(at, values.and_then(finite), began.elapsed());
            }
        }
    }
}

fn finite(values: Vec<f32>) -> Result<Vec<f32>, ItemError> {
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(values),
        false => Err(ItemError::NotFinite),
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::unbounded_channel;

    type Told = Vec<(usize, Result<Vec<f32>, ItemError>)>;

    fn told_of(ids: &[u32], compute: impl Fn(u32) -> gradus::Result<Vec<f32>>) -> Told {
        let (reply, mut receiver) = unbounded_channel();
        let place = |place| Place {
            place,
            entered: Instant::now(),
            reply: reply.clone(),
        };
        let tokens = |&id| Tokens {
            ids: vec![id],
            ..Tokens::default()
        };
        let tokens: Vec<Tokens> = ids.iter().map(tokens).collect();
        let places = (0..ids.len()).map(place).collect();
        answer(Ask::Logits, places, &tokens, |tokens| {
            tokens.iter().map(|t| compute(t.ids[0])).collect()
        });
        let mut told = vec![];
        while let Ok((place, answer)) = receiver.try_recv() {
            told.push((place, answer.map(|a| a.values)));
        }
        told.sort_by_key(|(place, _)| *place);
        told
    }

    #[test]
    fn a_panic_costs_one_input() {
        let told = told_of(&[1, 2, 3], |id| match id {
            2 => panic!("two"),
            id => Ok(vec![id as f32]),
        });
        assert_eq!(told[0].1, Ok(vec![1.0]));
        assert_eq!(told[1].1, Err(ItemError::Failed("two".into())));
        assert_eq!(told[2].1, Ok(vec![3.0]));
    }

    #[test]
    fn what_is_no_number_costs_one_input() {
        let told = told_of(&[1, 2], |id| Ok(vec![if id == 1 { f32::NAN } else { 0.5 }]));
        assert_eq!(told[0].1, Err(ItemError::NotFinite));
        assert_eq!(told[1].1, Ok(vec![0.5]));
    }

    #[test]
    fn an_error_costs_one_input() {
        let told = told_of(&[1, 2], |id| match id {
            1 => Err(gradus::Error::Internal("one".into())),
            _ => Ok(vec![0.5]),
        });
        assert!(matches!(&told[0].1, Err(ItemError::Failed(e)) if e.contains("one")));
        assert_eq!(told[1].1, Ok(vec![0.5]));
    }
}
