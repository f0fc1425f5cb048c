use super::{all_right, pages};
use gradus::data::Source;
use gradus::jobs::self_distill::SelfDistillSettings;
use gradus::recipe::AnyRecipe;
use gradus::training::TrainError;
use std::path::Path;

/// What a stage must have, beside what a page shows of it.
const STAGE: [(&str, &str); 5] = [
    ("learning_rate", "learning_rate = 1e-5\n"),
    ("name", "name = 'stage'\n"),
    ("objective", "objective = { loss = 'mse' }\n"),
    ("train", "train = [{ path = 'pairs.tsv' }]\n"),
    ("epochs", "epochs = 1\n"),
];

/// Whether a line of the text sets this key.
fn sets(text: &str, key: &str) -> bool {
    let mut lines = text.lines();
    lines.any(|line| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    })
}

/// A whole recipe of the part that a page shows: of a stage, or of all.
fn completed(shown: &str) -> String {
    if shown.contains("task = \"self-distillation\"") {
        return shown.to_owned();
    }
    let in_stage = |text: &str| {
        let length = sets(text, "steps");
        let missing = STAGE.iter().filter(|(key, _)| !sets(text, key));
        let missing = missing.filter(|(key, _)| *key != "epochs" || !length);
        missing.map(|(_, line)| *line).collect::<String>()
    };
    let mut parts = shown.split("[[stage]]");
    let mut top = parts.next().unwrap_or_default().to_owned();
    let mut stages: Vec<String> = parts.map(str::to_owned).collect();
    if stages.is_empty() && sets(&top, "train") {
        stages.push(std::mem::take(&mut top));
    }
    if stages.is_empty() {
        stages.push(String::new());
    }
    let model = match sets(&top, "model") {
        true => "",
        false => "model = 'all-MiniLM-L6-v2'\n",
    };
    let stages = stages.iter();
    let stages = stages.map(|stage| format!("[[stage]]\n{}{stage}\n", in_stage(stage)));
    format!("{model}{top}\n{}", stages.collect::<String>())
}

fn check(text: &str) -> Result<(), String> {
    let (page, in_words) = (Path::new("page"), |e: TrainError| e.to_string());
    let sources: Vec<Source> = if text.contains("task = \"self-distillation\"") {
        let found = SelfDistillSettings::parse(page, text, &[]).map_err(in_words)?;
        let pairs = [found.pairs.sources, found.pairs.corpus].concat();
        pairs.into_iter().chain(found.evaluation.dev).collect()
    } else {
        let recipe = AnyRecipe::parse(page, text, &[]).map_err(in_words)?;
        let all = recipe.sources().into_iter().chain(recipe.dev());
        all.cloned().collect()
    };
    let mut sources = sources.iter();
    sources
        .try_for_each(Source::validate)
        .map_err(|e| e.to_string())
}

/// Every recipe, or part of one, that a page shows has keys that there are.
#[test]
fn every_recipe_of_the_pages_can_be_read() {
    let (mut wrong, mut checked) = (Vec::new(), 0);
    for page in pages() {
        for block in page.blocks.iter().filter(|b| b.language == "toml") {
            let text = block.lines.join("\n");
            // Lines that show one key of a source in several ways.
            let shown: Vec<String> = match text.starts_with("labels") {
                true => block.lines.iter().map(|line| source(line)).collect(),
                false => vec![text],
            };
            for text in shown {
                checked += 1;
                if let Err(why) = check(&completed(&text)) {
                    wrong.push(format!("{}: {why}, in\n{text}", page.name));
                }
            }
        }
    }
    assert!(checked > 8, "only {checked} recipes");
    all_right(&wrong);
}

fn source(line: &str) -> String {
    let line = line.split(" #").next().unwrap_or_default();
    format!("train = [{{ path = 'pairs.tsv', {line} }}]")
}

#[test]
fn unknown_keys_are_found() {
    assert!(check(&completed("[[stage]]\nclip = 1.0\nsteps = 3")).is_ok());
    assert!(check(&completed("[[stage]]\nclipp = 1.0")).is_err());
    assert!(check(&completed(&source("labels = { fromm = [0, 5] }"))).is_err());
    assert!(check(&completed("pooling = 'cls'")).is_ok());
}
