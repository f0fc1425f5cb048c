//! `docs/choosing.md` maps data, and sentence-transformers' names, to ours: what it
//! says can be read, and the program says the same.

use std::fs;
use std::path::{Path, PathBuf};

use gradus::recipe::{Recipe, parse_recipe};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A row of a table of a page, its cells trimmed.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{1}");
    let cells = line.trim().trim_matches('|').split('|');
    cells
        .map(|cell| cell.trim().replace('\u{1}', "|"))
        .collect()
}

/// What stands between back quotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A recipe of one stage.
fn stage(objective: &str) -> String {
    format!(
        "model = 'm'\n[[stage]]\nname = 'a'\nobjective = {objective}\ntrain = [{{ path = 'a.tsv' }}]\n\
         steps = 100\nlearning_rate = 1e-5\nteachers = [{{ model = 't' }}]\n"
    )
}

fn read(text: &str) -> Result<Recipe, String> {
    parse_recipe(Path::new("r.toml"), text, &[]).map_err(|e| e.to_string())
}

/// The page that maps sentence-transformers' names to ours is true: what it says
/// is a valid objective, and the program says the same of the foreign name.
#[test]
fn foreign_losses_are_what_the_page_says() {
    let page = fs::read_to_string(root().join("docs/choosing.md")).unwrap();
    let mut seen = 0;
    for row in page.lines().filter(|l| l.starts_with("| `")).map(cells) {
        for name in quoted(&row[0]).iter().filter(|n| n.ends_with("Loss")) {
            seen += 1;
            let error = read(&stage(&format!("{{ loss = '{name}' }}"))).unwrap_err();
            let hint = error.rsplit("Did you mean").next().unwrap();
            assert!(error.contains("Did you mean"), "{name}: {error}");
            let Some(ours) = quoted(&row[1]).first().copied() else {
                assert!(row[2].contains("gradus pretrain") && hint.contains("gradus pretrain"));
                continue;
            };
            let recipe = read(&stage(ours)).unwrap_or_else(|e| panic!("{ours}: {e}"));
            let loss = toml::Value::try_from(recipe.stages[0].objective.loss.name()).unwrap();
            let wanted = match *name {
                "MatryoshkaLoss" => "widths = [".to_owned(),
                _ => format!("loss = {loss}"),
            };
            assert!(hint.contains(&wanted), "{name}: {hint} for {wanted}");
        }
    }
    assert!(seen >= 15, "only {seen}");
}

/// The same for settings.
#[test]
fn foreign_settings_are_what_the_page_says() {
    let page = fs::read_to_string(root().join("docs/choosing.md")).unwrap();
    let table = page.split("| sentence-transformers, transformers |").nth(1);
    let mut seen = 0;
    for row in table.unwrap().lines().filter(|l| l.starts_with("| `")) {
        let row = cells(row);
        let ours = quoted(&row[1]);
        for name in quoted(&row[0]) {
            if ours.contains(&name) {
                continue;
            }
            seen += 1;
            let text = stage("{ loss = 'mse' }") + &format!("{name} = 7\n");
            let error = read(&text).unwrap_err();
            let hint = error.rsplit("Did you mean").next().unwrap_or_default();
            let said = ours.iter().any(|key| hint.contains(&format!("`{key}")));
            assert!(error.contains("Did you mean") && said, "{name}: {error}");
        }
    }
    assert!(seen >= 15, "only {seen}");
}

/// Objectives in the table by data can be read as they stand, and its links lead
/// somewhere.
#[test]
fn what_is_chosen_by_data_exists() {
    let docs = root().join("docs");
    let page = fs::read_to_string(docs.join("choosing.md")).unwrap();
    let mut seen = 0;
    for cell in page.lines().filter(|l| l.starts_with('|')).flat_map(cells) {
        for objective in quoted(&cell).iter().filter(|q| q.starts_with("{ loss")) {
            read(&stage(objective)).unwrap_or_else(|e| panic!("{objective}: {e}"));
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen}");
    for link in page.split("](").skip(1) {
        let link = link.split(')').next().unwrap();
        let (file, place) = link.split_once('#').unwrap_or((link, ""));
        let text = fs::read_to_string(docs.join(file)).unwrap_or_else(|e| panic!("{link}: {e}"));
        let heading = |line: &str| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            words.replace(' ', "-") == place
        };
        let there = |line: &str| line.starts_with('#') && heading(line);
        assert!(place.is_empty() || text.lines().any(there), "{link}");
    }
}
