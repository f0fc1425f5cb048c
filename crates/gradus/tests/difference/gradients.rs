//! The term's loss and gradients beside PyTorch's, and beside its slope.

use crate::common::slope::{follows_the_slope, unit};
use crate::common::{distance, fixture, json, numbers};
use crate::{difference, settings, streams, tokens};
use gradus::Embeddings;
use gradus::recipe::{Average, DifferenceSettings};
use gradus::tasks::diffcse::{DifferencePrediction, Rebuilt, Term};
use gradus::text::Tokens;
use gradus_kernels::Backend;
use gradus_kernels::cpu::{Arena, Cpu};
use serde_json::Value;

/// Texts with the tokens that the reference calls replaced.
fn stored(expected: &Value) -> (Vec<Tokens>, Vec<Rebuilt>) {
    let ids = expected["texts"].as_array().unwrap().iter();
    let replaced = expected["replaced"].as_array().unwrap();
    let narrow = |v: &Value| numbers(v).iter().map(|&x| x as u32).collect::<Vec<u32>>();
    ids.zip(replaced)
        .map(|(ids, replaced)| {
            let rebuilt = Rebuilt {
                ids: narrow(ids),
                replaced: narrow(replaced),
                masked: 0,
                restored: 0,
            };
            (tokens(&rebuilt.ids), rebuilt)
        })
        .unzip()
}

fn narrow(values: &Value) -> Vec<f32> {
    numbers(values).iter().map(|&x| x as f32).collect()
}

#[test]
fn loss_and_gradients_are_those_of_pytorch() {
    let expected = json(fixture("difference.json"));
    let (texts, rebuilt) = stored(&expected);
    let vectors = Embeddings::new(32, narrow(&expected["vectors"]));
    for (average, rows) in [(Average::Real, 20.0), (Average::All, 30.0)] {
        let settings = DifferenceSettings {
            average,
            ..settings()
        };
        let mut difference = difference("bert-small", settings, 2);
        let (backend, params) = difference.discriminator_mut().params_mut();
        let len = params.values().len();
        let head = [&expected["weight"], &expected["bias"]]
            .map(narrow)
            .concat();
        backend.write_arena(params, len - head.len(), &head);
        let discriminator = difference.discriminator();
        // The sum is the same whatever it is divided by.
        let part = 20.0 / rows;
        for (limit, share) in [(None, 1.0), (Some(9), 0.25)] {
            let mut grads = discriminator.gradient_arena();
            let texts = (3, &streams(&texts)[..]);
            let term = difference.discriminate(texts, &rebuilt, &vectors, limit, share, &mut grads);
            let loss = part * expected["loss"].as_f64().unwrap();
            assert!((term.score.loss / loss - 1.0).abs() < 1e-5, "{term:?}");
            let told = |name: &str| expected[name].as_u64().unwrap() as usize;
            assert_eq!(term.score.correct_on_replaced, told("told_replaced"));
            assert_eq!(term.score.correct_on_original, told("told_kept"));
            assert_eq!((term.score.tokens, term.score.replaced), (20, 6));
            let scaled = |values: &Value, by: f64| -> Vec<f64> {
                numbers(values).iter().map(|x| by * x).collect()
            };
            let near = |got: &[f32], want: &[f64], name: &str| {
                let largest = want.iter().fold(0f64, |a, b| a.max(b.abs()));
                let off = distance(got, want) / largest;
                assert!(largest > 0.0 && off < 1e-4, "{name}: off by {off:e}");
            };
            let want = scaled(&expected["vector_gradients"], part);
            near(&term.vectors, &want, "vectors");
            for (name, want) in expected["gradients"].as_object().unwrap() {
                let layout = discriminator.layout().named();
                let named = layout.iter().find(|n| n.name == *name).unwrap();
                let got = discriminator
                    .backend()
                    .read_arena(&grads, named.view.range());
                near(&got, &scaled(want, share * part), name);
            }
        }
    }
}

#[test]
fn the_whole_term_follows_the_slope() {
    let expected = json(fixture("difference.json"));
    let (texts, rebuilt) = stored(&expected);
    let texts = streams(&texts);
    for (name, width) in [("bert-small", 32), ("mpnet-small", 24), ("nomic-small", 24)] {
        let mut difference = difference(name, settings(), 2);
        difference.discriminator_mut().set_dropout(0.1, 0.1);
        let given: Vec<f32> = (0..3 * width as u64).map(unit).collect();
        let term =
            |difference: &DifferencePrediction<Cpu>, given: &[f32], grads: &mut Arena| -> Term {
                let vectors = Embeddings::new(width, given.to_vec());
                difference.discriminate((2, &texts), &rebuilt, &vectors, None, 1.0, grads)
            };
        let mut grads = difference.discriminator().gradient_arena();
        let vectors = term(&difference, &given, &mut grads).vectors;
        let grads = grads.values().to_vec();
        let mut spare = difference.discriminator().gradient_arena();
        for text in 0..3 {
            let own = text * width..(text + 1) * width;
            let loss = |values: &[f32]| {
                let mut moved = given.clone();
                moved[own.clone()].copy_from_slice(values);
                term(&difference, &moved, &mut spare).score.loss
            };
            let name = format!("{name}: vector {text}");
            let (given, gradient) = (&given[own.clone()], &vectors[own.clone()]);
            assert!(
                follows_the_slope(loss, given, gradient, (&name, 900)) > 0.0,
                "{name}"
            );
        }
        let layout = difference.discriminator().layout().named().to_vec();
        for (named, seed) in layout.into_iter().zip(0..) {
            let range = named.view.range();
            let values = difference.discriminator().params().values()[range.clone()].to_vec();
            let set = |difference: &mut DifferencePrediction<Cpu>, values: &[f32]| {
                let (backend, params) = difference.discriminator_mut().params_mut();
                backend.write_arena(params, range.start, values);
            };
            let loss = |moved: &[f32]| {
                set(&mut difference, moved);
                term(&difference, &given, &mut spare).score.loss
            };
            let name = format!("{name}: {}", named.name);
            let norm = follows_the_slope(loss, &values, &grads[range.clone()], (&name, seed));
            assert!(norm > 0.0, "{name}");
            set(&mut difference, &values);
        }
    }
}
