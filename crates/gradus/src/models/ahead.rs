//! Inputs that are tokenised while a device works on those before them.

use crate::text::Tokens;
use crate::{Error, Result};
use gradus_kernels::Backend;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// How many inputs are tokenised at a time: about a batch of sentences.
const AHEAD: usize = 1024;

/// Whether that pays.
pub(super) fn pays<B: Backend>(backend: &B, inputs: usize) -> bool {
    backend.is_apart() && inputs > AHEAD
}

/// How many inputs are worked on at a time where there is something to do in between, such as to
/// ask whether to go on: `of_host` of them, or so many that a device that works apart is seldom
/// without work.
pub fn inputs_at_a_time<B: Backend>(backend: &B, of_host: usize) -> usize {
    match backend.is_apart() {
        true => of_host.max(16 * AHEAD),
        false => of_host,
    }
}

/// A batch, by its place.
type Numbered = (usize, Vec<Tokens>);

/// The tokens of inputs, and what `infer` makes of each batch of them, one after the other: some
/// are tokenised on the host's threads while the lanes of the device have others.
pub(super) fn ahead<B: Backend, I: Sync>(
    backend: &B,
    inputs: &[I],
    limit: usize,
    tokenise: impl Fn(&[I]) -> Result<Vec<Tokens>> + Send,
    infer: impl Fn(&B, &[Tokens]) -> Vec<f32> + Send + Sync,
) -> Result<(Vec<Tokens>, Vec<f32>)> {
    let lanes = backend.lanes().max(1);
    let (batches, work) = sync_channel(2 * lanes);
    let work = Mutex::new(work);
    std::thread::scope(|scope| {
        let tokenising = scope.spawn(move || send_batches(inputs, limit, tokenise, &batches));
        // The lanes' alone, so that nothing waits for them where they break down.
        let infer = &infer;
        let done = backend.in_lanes(vec![(); lanes], move |lane, ()| {
            let mut own = vec![];
            while let Some((place, tokens)) = next(&work) {
                let values = infer(lane, &tokens);
                own.push((place, tokens, values));
            }
            own
        });
        let broke_down = |_| {
            Err(Error::Internal(
                "the thread that tokenises broke down".into(),
            ))
        };
        tokenising.join().unwrap_or_else(broke_down)?;
        let mut done: Vec<_> = done.into_iter().flatten().collect();
        done.sort_unstable_by_key(|(place, ..)| *place);
        let (mut all, mut values) = (Vec::with_capacity(inputs.len()), vec![]);
        for (_, tokens, own) in done {
            all.extend(tokens);
            values.extend(own);
        }
        Ok((all, values))
    })
}

fn next(work: &Mutex<Receiver<Numbered>>) -> Option<Numbered> {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner);
    work.recv().ok()
}

/// Tokenises inputs and sends them in batches of at most `limit` tokens, or a single input.
fn send_batches<I>(
    inputs: &[I],
    limit: usize,
    tokenise: impl Fn(&[I]) -> Result<Vec<Tokens>>,
    batches: &SyncSender<Numbered>,
) -> Result<()> {
    let (mut batch, mut size, mut place) = (vec![], 0, 0);
    for some in inputs.chunks(AHEAD) {
        for tokens in tokenise(some)? {
            if size + tokens.ids.len() > limit && !batch.is_empty() {
                let whole = std::mem::take(&mut batch);
                if batches.send((place, whole)).is_err() {
                    // A lane broke down, which is said there.
                    return Ok(());
                }
                (size, place) = (0, place + 1);
            }
            size += tokens.ids.len();
            batch.push(tokens);
        }
    }
    let _ = batches.send((place, batch));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{EncodeOptions, SentenceEncoder};
    use gradus_kernels::cpu::Cpu;
    use std::path::Path;

    fn model(threads: usize) -> SentenceEncoder<Cpu> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
        SentenceEncoder::load(fixtures.join("bert-small"), Cpu::new(threads)).unwrap()
    }

    #[test]
    fn tokens_and_vectors_are_those_of_one_after_the_other() {
        for (threads, count) in [(1, AHEAD + 7), (2, 0), (2, 3), (2, 2 * AHEAD), (3, 5000)] {
            let model = model(threads);
            let texts: Vec<String> = (0..count)
                .map(|i| "a dog in the park ".repeat(i % 5))
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let expected = model.tokenizer().encode(&texts).unwrap();
            let vectors = model.encode_tokens(&expected, EncodeOptions::default());
            for limit in [1, 900] {
                let infer =
                    |lane: &Cpu, tokens: &[Tokens]| model.batch_vectors(lane, tokens, false, 0);
                let tokenise = |texts: &[&str]| model.tokenizer().encode(texts);
                let (tokens, values) =
                    ahead(model.backend(), &texts, limit, tokenise, infer).unwrap();
                assert!(tokens == expected);
                assert!(values == vectors.as_slice(), "{threads} {count} {limit}");
            }
        }
    }

    #[test]
    fn an_error_of_the_tokenizer_ends_it() {
        let model = model(2);
        let texts = vec!["a"; 9000];
        let seen = std::sync::atomic::AtomicUsize::new(0);
        let tokenise = |texts: &[&str]| {
            if seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 3 {
                return Err(Error::Internal("of the fourth".into()));
            }
            model.tokenizer().encode(texts)
        };
        let infer = |lane: &Cpu, tokens: &[Tokens]| model.batch_vectors(lane, tokens, false, 0);
        let error = ahead(model.backend(), &texts, 100, tokenise, infer).unwrap_err();
        assert!(error.to_string().contains("of the fourth"), "{error}");
    }
}
