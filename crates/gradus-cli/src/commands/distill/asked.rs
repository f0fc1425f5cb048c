//! What was typed, as settings.

use super::{Args, Shape};
use crate::commands::pretrain::source;
use crate::context::Context;
use crate::exit::Failure;
use crate::pair_options::{PairOptions, TextOptions};
use gradus::Error;
use gradus::data::{Known, Source, Split};
use gradus::jobs::distill::Settings;
use gradus::models::{ModelFolder, StudentShape, evenly_spaced};
use std::path::Path;

/// All of it.
pub(super) fn settings(args: &Args, context: &Context) -> Result<Settings, Failure> {
    let teacher = args.teacher.clone().unwrap_or_default();
    let folder = ModelFolder::open(context.find(&teacher)?).map_err(Failure::Model)?;
    let (training, course) = (&args.training, &args.training.course);
    let texts = args
        .texts
        .iter()
        .map(|text| named(text, &args.pairs, &args.column));
    let length = (course.steps, course.minutes);
    if course.minutes.is_some_and(|m| !(m > 0.0 && m <= 1e6)) {
        return Err(Failure::Usage(
            "--minutes must lie above 0 and not above a million".into(),
        ));
    }
    Ok(Settings {
        teacher,
        base_dir: std::path::absolute(".").map_err(Error::io(Path::new(".")))?,
        objective: training.objective,
        epochs: training.epochs.or((length == (None, None)).then_some(3.0)),
        steps: course.steps,
        minutes: course.minutes,
        batch: training.batch,
        learning_rate: training.learning_rate,
        warmup: course.warmup,
        max_tokens: training.max_tokens,
        seed: course.seed,
        evaluate_every: training.evaluate_every,
        checkpoint_seconds: course.checkpoint_seconds,
        checkpoint_steps: course.checkpoint_steps,
        dev: args.dev.as_ref().map(|dev| graded(dev, args)).transpose()?,
        no_tests: args.no_tests,
        texts: texts.collect::<Result<_, _>>()?,
        students: students(&args.shape, &folder)?,
    })
}

/// The students asked for, each once.
fn students(shape: &Shape, teacher: &ModelFolder) -> Result<Vec<StudentShape>, Failure> {
    let config = &teacher.config;
    let usual = [config.layers.div_ceil(3).to_string()];
    let layers: &[String] = match shape.layers.is_empty() {
        true => &usual,
        false => &shape.layers,
    };
    let mut students: Vec<StudentShape> = vec![];
    for text in layers {
        let bad = |why: String| Failure::Usage(format!("--layers {text}: {why}"));
        let numbers = text.split(',').filter(|word| !word.is_empty());
        let numbers = numbers.map(|word| word.trim().parse::<usize>());
        let numbers: Vec<usize> = numbers
            .collect::<Result<_, _>>()
            .map_err(|_| bad("give a number of layers, or their numbers, as in 0,3".into()))?;
        let student = match (shape.fresh, &numbers[..]) {
            (true, &[layers]) => {
                let hidden = shape.hidden.unwrap_or((config.hidden_size / 2).max(1));
                StudentShape::Fresh {
                    layers,
                    hidden,
                    heads: shape.heads.unwrap_or_else(|| usual_heads(hidden)),
                    intermediate: shape.intermediate.unwrap_or(hidden.saturating_mul(4)),
                }
            }
            (true, _) => return Err(bad("a fresh student needs a number of layers".into())),
            (false, &[count]) if !text.contains(',') => {
                let layers = evenly_spaced(config.layers, count).ok_or_else(|| {
                    bad(format!("give 1 to {}, the teacher's layers", config.layers))
                })?;
                picked(layers, shape)
            }
            (false, list) => picked(list.to_vec(), shape),
        };
        if !students.contains(&student) {
            students.push(student);
        }
    }
    Ok(students)
}

fn picked(layers: Vec<usize>, shape: &Shape) -> StudentShape {
    StudentShape::Picked {
        layers,
        intermediate: shape.intermediate,
    }
}

/// One for 32 values or more, as many as divide the width.
fn usual_heads(hidden: usize) -> usize {
    let most = (hidden / 32).max(1);
    (1..=most)
        .rev()
        .find(|heads| hidden.is_multiple_of(*heads))
        .unwrap_or(1)
}

/// Graded pairs: a file, or a known data set.
fn graded(name: &str, args: &Args) -> Result<Source, Failure> {
    let source = named(name, &args.pairs, &TextOptions::default())?;
    Ok(match source.path {
        Some(_) => Source {
            labels: args.labels.map(),
            ..source
        },
        None => source,
    })
}

/// A file, or a known data set where there is no such file.
fn named(name: &str, pairs: &PairOptions, column: &TextOptions) -> Result<Source, Failure> {
    let path = Path::new(name);
    let (set, split) = match name.split_once('/') {
        Some((set, split)) => (set, Split::parse(split)),
        None => (name, None),
    };
    let known = Known::parse(set).is_ok() && (split.is_some() || !name.contains('/'));
    if path.is_file() || !known {
        return source(path, pairs, column);
    }
    Ok(Source {
        dataset: Some(set.to_owned()),
        split,
        ..Source::default()
    })
}
