//! What a sweep's table says of its numbers.

use super::Sweep;
use crate::recipe::{AnyRecipe, SelectionMetric};
use crate::tasks::similarity::RunOverlap;

impl Sweep {
    /// Says what was trained, on what, and chosen how.
    pub(super) fn header(&self) -> Vec<String> {
        let recipes: Vec<String> = self
            .recipes
            .iter()
            .map(|s| s.shown.display().to_string())
            .collect();
        let dev = self.recipes[0].recipe.dev().map_or_else(
            || "dev: none, so no setting is the best".to_owned(),
            |dev| {
                let of = match SelectionMetric::of(dev) {
                    SelectionMetric::Spearman => {
                        format!("Spearman's correlation x 100 of {}", self.correlated())
                    }
                    SelectionMetric::Ndcg => "mean NDCG@10 x 100 of scores".to_owned(),
                };
                format!("dev: {of} on {}, which chose the steps", dev.describe())
            },
        );
        let seeds: Vec<String> = self.grid.seeds.iter().map(u64::to_string).collect();
        let mut lines = vec![
            format!("recipe: {}", recipes.join(", ")),
            format!(
                "model: {}; seeds: {}",
                self.models().join(", "),
                seeds.join(", ")
            ),
            dev,
        ];
        lines.extend(self.overlap());
        lines
    }

    /// What models give a pair.
    pub(super) fn correlated(&self) -> &'static str {
        let cross = |recipe: &AnyRecipe| matches!(recipe, AnyRecipe::CrossEncoder(_));
        let cross = self.recipes.iter().filter(|s| cross(&s.recipe)).count();
        match cross {
            0 => "cosines",
            n if n == self.recipes.len() => "scores",
            _ => "cosines or scores",
        }
    }

    /// What the training data shares with the test sets, as the runs found it: a
    /// line for each different finding.
    fn overlap(&self) -> Vec<String> {
        let mut findings: Vec<(String, Vec<String>)> = vec![];
        for row in &self.grid.rows {
            let mut seeds = self.grid.seeds.iter();
            let found = seeds.find_map(|&seed| RunOverlap::read(&self.folder(row, seed)));
            let found = found.map_or("not known".to_owned(), |found| found.describe());
            match findings.iter_mut().find(|(words, _)| *words == found) {
                Some((_, labels)) => labels.push(row.label()),
                None => findings.push((found, vec![row.label()])),
            }
        }
        match &findings[..] {
            [(only, _)] => vec![format!("overlap: {only}")],
            several => several
                .iter()
                .map(|(words, labels)| format!("overlap: {words} (`{}`)", labels.join("`, `")))
                .collect(),
        }
    }
}
