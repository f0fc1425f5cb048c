//! Generators and settings that do not fit.

use crate::common::copy_of;
use crate::runs::{prepare, recipe, run, workplace};
use gradus::models::{FreshModel, TokenizerFiles, write_fresh};

#[test]
fn what_does_not_fit_is_refused() {
    let place = workplace();
    let base = place.path();
    let refused = |recipe: &str| match prepare(recipe, base, 1) {
        Ok(_) => panic!("it was taken: {recipe}"),
        Err(e) => e.to_string(),
    };
    let good = recipe("weight = 0.5", "");
    for (from, to) in [
        ("../pretraining/roberta", "other"),
        ("bert-small", "headless"),
        ("bert-gelu-new", "dense"),
        ("nomic-small", "unknown"),
    ] {
        let copy = copy_of(from);
        std::fs::rename(copy.path(), base.join(to)).unwrap();
    }
    let with = |name: &str| good.replace("'generator'", &format!("'{name}'"));
    for (recipe, part) in [
        (with("other"), "vocabulary is another: token"),
        (with("other"), "distilroberta-base"),
        (with("headless"), "without the masked-language-model head"),
        (with("unknown"), "unsupported family"),
        (good.replace("'model'", "'dense'"), "without Dense module"),
        (
            recipe("mask_rate = 1.0", ""),
            "`difference.mask_rate` is 1, it must lie between 0 and 1",
        ),
        (
            good.replace("pooling = 'cls'", "template = 'so {} is [MASK]'"),
            "does not go with a template",
        ),
        (recipe("weight = 0.0", ""), "`difference.weight` is 0"),
        (recipe("fill = 'best'", ""), "argmax"),
        (recipe("rate = 0.1", ""), "rate"),
        (recipe("", "freeze = 'encoder'\n"), "freeze"),
    ] {
        let error = refused(&recipe);
        assert!(error.contains(part), "{part}: {error}");
    }
    // A generator for shorter texts.
    let sizes = FreshModel {
        layers: 1,
        hidden: 16,
        heads: 2,
        intermediate: 16,
        max_tokens: 6,
        dropout: 0.1,
    };
    let files = TokenizerFiles::Of(base.join("model"));
    write_fresh(&base.join("short"), &sizes, &files, 1).unwrap();
    let error = refused(&with("short"));
    assert!(error.contains("set `max_tokens = 6`"), "{error}");
    let shorter = with("short").replace("pooling", "max_tokens = 6\npooling");
    run(&shorter, base, "shorter", 1).unwrap();
}
