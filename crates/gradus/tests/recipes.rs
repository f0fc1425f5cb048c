//! Every recipe under `recipes/`, and every command that a page beside them
//! names.

use std::fs;
use std::path::{Path, PathBuf};

use gradus::data::{Known, RowKind, Source};
use gradus::jobs::self_distill::SelfDistillSettings;
use gradus::jobs::sweep::{Axis, Grid};
use gradus::losses::{Objective, TrainingSet, WeightedSum};
use gradus::recipe::{AnyRecipe, Recipe};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The files below a folder whose names end so.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What the tests want to know of a recipe of any task.
struct Checked {
    command: &'static str,
    description: String,
    output: Option<String>,
    train: Vec<Source>,
    dev: Option<Source>,
}

/// Parses a recipe and all that it describes without touching data or models.
fn check(path: &Path, set: &[String]) -> Checked {
    let text = fs::read_to_string(path).unwrap();
    let checked = match text.contains("\ntask = \"self-distillation\"") {
        true => self_distillation(path, &text, set),
        false => trained(path, &text, set),
    };
    for source in checked.train.iter().chain(&checked.dev) {
        source.validate().unwrap();
    }
    checked
}

fn self_distillation(path: &Path, text: &str, set: &[String]) -> Checked {
    let settings = SelfDistillSettings::parse(path, text, set);
    let settings = settings.unwrap_or_else(|e| panic!("{set:?}: {e}"));
    Checked {
        command: "self-distill",
        description: settings.description,
        output: settings.output,
        train: [settings.pairs.sources, settings.pairs.corpus].concat(),
        dev: settings.evaluation.dev,
    }
}

fn trained(path: &Path, text: &str, set: &[String]) -> Checked {
    let recipe = AnyRecipe::parse(path, text, set).unwrap_or_else(|e| panic!("{set:?}: {e}"));
    let description = match &recipe {
        AnyRecipe::Similarity(recipe) => {
            check_objectives(path, set, recipe);
            recipe.description.clone()
        }
        AnyRecipe::CrossEncoder(recipe) => recipe.description.clone(),
    };
    Checked {
        command: "train",
        description,
        output: recipe.output().map(str::to_owned),
        train: recipe.sources().into_iter().cloned().collect(),
        dev: recipe.dev().cloned(),
    }
}

fn check_objectives(path: &Path, set: &[String], recipe: &Recipe) {
    for stage in &recipe.stages {
        let columns = |source: &Source| match source.rows {
            Some(RowKind::Triplets) => 2 + source.negatives.unwrap_or(1),
            Some(RowKind::Texts) => stage.views,
            _ => 2,
        };
        let columns: Vec<usize> = stage.train.iter().map(columns).collect();
        let data = TrainingSet {
            labels: &[0.0, 1.0, 2.0],
            weights: &[1.0; 3],
            columns: columns[0],
            teachers: &stage.teachers.iter().map(|t| t.weight).collect::<Vec<_>>(),
        };
        let all = std::iter::once(&stage.objective).chain(&stage.also);
        let parts: Result<Vec<_>, _> = all.map(|o| Ok((o.weight, o.build(data)?))).collect();
        let sum = parts.and_then(WeightedSum::new);
        let sum = sum.unwrap_or_else(|e| panic!("{}, {set:?}: {e}", path.display()));
        // As a stage does: what its objectives want is what its sources give.
        for there in columns {
            assert_eq!(sum.columns(), there, "{}", path.display());
        }
    }
}

/// The words of a command line: blanks part them, but not within single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The commands of a page, in lines of their own or between back quotes.
fn commands(page: &str) -> Vec<Vec<String>> {
    let vocabulary = page.split(['`', '\n']);
    let commands = vocabulary.filter(|p| {
        let begins = ["train", "sweep", "self-distill"];
        let begins = begins.map(|command| format!("gradus {command} recipes/"));
        begins.iter().any(|begin| p.starts_with(begin))
    });
    commands.map(words).collect()
}

#[test]
fn every_recipe_can_be_read() {
    let all = files(&root().join("recipes"), ".toml");
    assert!(all.len() >= 11, "{all:?}");
    let mut outputs = Vec::new();
    for path in &all {
        let recipe = check(path, &[]);
        assert!(!recipe.description.is_empty(), "{}", path.display());
        let stem = path.file_stem().unwrap().to_string_lossy();
        outputs.push(recipe.output.unwrap_or_else(|| format!("runs/{stem}")));
    }
    outputs.sort();
    let count = outputs.len();
    outputs.dedup();
    assert_eq!(outputs.len(), count, "two recipes write to one folder");
}

/// What pages give commands beside recipes.
const OPTIONS: [&str; 6] = [
    "--set",
    "--grid",
    "--output",
    "--seeds",
    "--before",
    "--against",
];

#[test]
fn every_command_of_the_pages_is_sound() {
    let mut checked = 0;
    for page in files(&root().join("recipes"), "README.md") {
        for command in commands(&fs::read_to_string(&page).unwrap()) {
            let recipe = root().join(&command[2]);
            let after = |flag: &str| -> Vec<String> {
                let pairs = command.windows(2).filter(|pair| pair[0] == flag);
                pairs.map(|pair| pair[1].clone()).collect()
            };
            let options = command[3..].iter().filter(|word| word.starts_with("--"));
            for option in options {
                assert!(OPTIONS.contains(&option.as_str()), "{option}");
            }
            let axes: Vec<Axis> = after("--grid")
                .iter()
                .map(|axis| Axis::parse(axis).unwrap())
                .collect();
            for row in Grid::new(&[String::new()], &axes, vec![1]).unwrap().rows {
                let mut set = after("--set");
                set.extend(row.settings);
                check(&recipe, &set);
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "only {checked}");
}

/// The names that `gradus pull` must be given for a source's data set.
fn pulls(source: &Source) -> Option<&'static str> {
    let known = Known::parse(source.dataset.as_deref()?).unwrap();
    Some(match (known, source.rows) {
        (Known::Nli | Known::NliTriplets, Some(RowKind::Triplets)) => "nli-triplets",
        (Known::Nli | Known::AllNli, _) => "nli",
        (Known::Wiki | Known::Wiki1m, _) => "wiki1m",
        _ => "sts",
    })
}

#[test]
fn every_recipe_says_which_two_commands_carry_it_out() {
    let root = root();
    for path in files(&root.join("recipes"), ".toml") {
        let recipe = check(&path, &[]);
        let text = fs::read_to_string(&path).unwrap();
        let head: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        let sources = recipe.train.iter().chain(&recipe.dev);
        let mut names: Vec<_> = sources.filter_map(pulls).collect();
        for source in &recipe.train {
            // A file is one that a command in the head makes.
            let made = source.path.as_ref().is_none_or(|path| {
                path.strip_prefix("../../").is_ok_and(|path| {
                    let output = format!("--output {}", path.display());
                    head.iter().any(|line| line.ends_with(&output))
                })
            });
            assert!(made, "{}: a file that nobody has", path.display());
        }
        names.sort_by_key(|name| {
            ["sts", "nli", "nli-triplets", "wiki1m"]
                .iter()
                .position(|n| n == name)
        });
        names.dedup();
        let name = path.strip_prefix(&root).unwrap().display();
        let pull = format!("#   gradus pull {}", names.join(" "));
        let train = format!("#   gradus {} {name}", recipe.command);
        assert_eq!(head[head.len() - 2..], [pull, train], "{name}");
    }
}
