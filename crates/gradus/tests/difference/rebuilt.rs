//! What the generator fills, and texts that leave it nothing to fill.

use crate::common::slope::unit;
use crate::common::{fixture, load};
use crate::{SEED, difference, settings, streams, tokens};
use gradus::Embeddings;
use gradus::models::MaskedLm;
use gradus::recipe::{DifferenceSettings, Fill, Filled};
use gradus::tasks::diffcse::Rebuilt;
use gradus::text::Masking;
use gradus::text::Tokens;
use gradus_kernels::cpu::Cpu;

/// Texts of the model's own vocabulary.
fn corpus(count: usize) -> Vec<Tokens> {
    let text = std::fs::read_to_string(fixture("training/pairs.tsv")).unwrap();
    let texts: Vec<&str> = text
        .lines()
        .filter_map(|l| l.split('\t').nth(1))
        .take(count)
        .collect();
    let model = load(&fixture("pretraining/bert"));
    model.tokenizer().encode(&texts).unwrap()
}

fn settings_of(fill: Fill, positions: Filled) -> DifferenceSettings {
    DifferenceSettings {
        fill,
        positions,
        ..settings()
    }
}

#[test]
fn texts_keep_their_length_and_special_tokens() {
    let texts = corpus(150);
    let vocabulary = load(&fixture("pretraining/bert")).tokenizer().vocabulary();
    for (fill, positions) in [
        (Fill::Argmax, Filled::All),
        (Fill::Argmax, Filled::Masked),
        (Fill::Sample, Filled::Masked),
        (Fill::Sample, Filled::All),
    ] {
        let settings = DifferenceSettings {
            fill,
            positions,
            ..settings()
        };
        let difference = difference("bert-small", settings, 2);
        let rebuilt = difference.rebuild(4, &streams(&texts));
        let masking = Masking::new(&vocabulary, vocabulary.mask().unwrap(), 0.3, false, SEED);
        let (mut masked, mut ordinary, mut changed) = (0, 0, 0);
        for ((text, rebuilt), stream) in texts.iter().zip(&rebuilt).zip(0..) {
            assert_eq!(rebuilt.ids.len(), text.ids.len());
            let chosen = masking.apply(4, stream, &text.ids).targets;
            assert_eq!(rebuilt.masked, chosen.len());
            for (place, (new, old)) in rebuilt.ids.iter().zip(&text.ids).enumerate() {
                assert_eq!(rebuilt.replaced[place] == 1, new != old);
                let was_chosen = chosen.iter().any(|t| t.0 as usize == place);
                if vocabulary.is_special(*old) || (positions == Filled::Masked && !was_chosen) {
                    assert_eq!(new, old);
                }
                changed += usize::from(new != old);
                ordinary += usize::from(!vocabulary.is_special(*old));
            }
            masked += rebuilt.masked;
        }
        let share = masked as f64 / ordinary as f64;
        let deviation = (0.3 * 0.7 / ordinary as f64).sqrt();
        assert!((share - 0.3).abs() < 5.0 * deviation, "{share}");
        assert!(changed > masked / 4);
        // Each text alone, on another number of threads, is filled alike; every
        // step and stream has masks of its own.
        let alone = self::difference("bert-small", settings_of(fill, positions), 3);
        let one = alone.rebuild(4, &streams(&texts)[7..8]);
        assert_eq!(one[0], rebuilt[7]);
        assert_ne!(difference.rebuild(5, &streams(&texts)), rebuilt);
        assert_ne!(difference.rebuild(4, &[(&texts[7], 8)])[0], rebuilt[7]);
    }
}

#[test]
fn the_generator_tells_what_the_language_model_tells() {
    let texts = corpus(60);
    let folder = fixture("pretraining/bert");
    let model = MaskedLm::load(&folder, Cpu::new(1), 1).unwrap();
    let vocabulary = model.encoder().tokenizer().vocabulary();
    let masking = Masking::new(&vocabulary, vocabulary.mask().unwrap(), 0.3, false, SEED);
    let masked: Vec<_> = texts
        .iter()
        .zip(0..)
        .map(|(text, stream)| masking.apply(9, stream, &text.ids))
        .collect();
    let score = model.score(&model.pack(masked.iter().zip(0..)));
    for positions in [Filled::All, Filled::Masked] {
        let difference = difference("bert-small", settings_of(Fill::Argmax, positions), 2);
        let rebuilt = difference.rebuild(9, &streams(&texts));
        let restored: usize = rebuilt.iter().map(|r| r.restored).sum();
        assert_eq!(restored, score.correct);
        assert_eq!(
            rebuilt.iter().map(|r| r.masked).sum::<usize>(),
            score.masked
        );
    }
}

#[test]
fn odd_texts_are_no_trouble() {
    let difference = difference("bert-small", settings(), 2);
    // Special tokens alone; nothing at all; one word.
    let texts = [tokens(&[2, 3]), tokens(&[]), tokens(&[2, 40, 3])];
    let vectors = Embeddings::new(32, (0..96).map(unit).collect());
    let mut grads = difference.discriminator().gradient_arena();
    let batch = (1, &streams(&texts)[..]);
    let term = difference.evaluate(batch, &vectors, None, 1.0, &mut grads);
    assert!(term.score.loss.is_finite() && term.score.tokens == 5);
    assert!(term.vectors[..32].iter().any(|g| *g != 0.0));
    assert!(term.vectors[32..64].iter().all(|g| *g == 0.0));
    // The text of special tokens is as it was.
    let rebuilt = difference.rebuild(1, &streams(&texts));
    assert_eq!((&rebuilt[0].ids[..], rebuilt[0].masked), (&[2, 3][..], 0));
    assert!(rebuilt[1].ids.is_empty());
    // Nothing was replaced, and there is one text only.
    let same = Rebuilt {
        replaced: vec![0; 3],
        ..rebuilt[2].clone()
    };
    let one = Embeddings::new(32, vec![0.5; 32]);
    let batch = (1, &streams(&texts)[2..]);
    let term = difference.discriminate(batch, &[same], &one, None, 1.0, &mut grads);
    assert!(term.score.loss.is_finite() && term.score.replaced == 0);
    assert_eq!(term.score.report().accuracy_on_replaced, None);
    // No texts.
    let none = Embeddings::new(32, vec![]);
    let term = difference.evaluate((1, &[]), &none, None, 1.0, &mut grads);
    assert_eq!((term.score.loss, term.vectors.len()), (0.0, 0));
    // A vector that is no number is not hidden.
    let bad = Embeddings::new(32, vec![f32::NAN; 32]);
    let batch = (1, &streams(&texts)[2..]);
    let term = difference.evaluate(batch, &bad, None, 1.0, &mut grads);
    assert!(!term.score.loss.is_finite());
}
