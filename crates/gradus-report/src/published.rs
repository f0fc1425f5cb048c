//! Published rows to set beside one's own.

/// A row of a paper's table: Spearman x 100 on the seven tasks.
pub(crate) struct Published {
    /// The model.
    pub model: &'static str,
    /// STS12 to STS16, STS-B, SICK-R; `None` where only the average is given
    /// here.
    pub tasks: Option<[f64; 7]>,
    /// The average as printed.
    pub average: f64,
    /// Millions of parameters.
    pub millions: f64,
}

impl Published {
    /// Whether a model of so many parameters is of about the same size.
    pub fn is_of_size(&self, parameters: usize) -> bool {
        let ratio = parameters as f64 / 1e6 / self.millions;
        (1.0 / NEAR..=NEAR).contains(&ratio)
    }
}

/// Models whose sizes differ by a larger factor are not set side by side.
const NEAR: f64 = 1.5;

/// Where the rows come from.
pub(crate) const SOURCE: &str = "Zhang & Li, EMNLP 2024 (arXiv 2406.05326). Spearman x 100 of the cosine over all pairs of a task; checkpoints chosen on STS-B dev.";

const fn row(model: &'static str, millions: f64, tasks: [f64; 7], average: f64) -> Published {
    Published {
        model,
        tasks: Some(tasks),
        average,
        millions,
    }
}

const fn average(model: &'static str, millions: f64, average: f64) -> Published {
    Published {
        model,
        tasks: None,
        average,
        millions,
    }
}

/// The rows.
pub(crate) const ROWS: [Published; 10] = [
    row(
        "Nomic v1",
        137.0,
        [73.75, 85.03, 80.52, 87.40, 83.55, 83.90, 76.52],
        81.52,
    ),
    row(
        "Nomic v1 + contrastive",
        137.0,
        [76.10, 85.79, 80.58, 87.35, 83.54, 85.16, 72.33],
        81.55,
    ),
    row(
        "Nomic v1 + regression",
        137.0,
        [73.06, 86.63, 81.06, 87.67, 83.43, 85.18, 82.75],
        82.83,
    ),
    row(
        "Jina v2 base",
        137.0,
        [74.28, 84.18, 78.81, 87.55, 85.35, 84.85, 78.98],
        82.00,
    ),
    row(
        "Jina v2 base + contrastive",
        137.0,
        [76.04, 86.37, 80.16, 86.53, 85.24, 84.31, 74.18],
        81.83,
    ),
    row(
        "Jina v2 base + regression",
        137.0,
        [75.17, 86.10, 79.96, 88.44, 85.01, 86.83, 83.34],
        83.55,
    ),
    average("BERT base, cross-entropy on NLI", 110.0, 73.01),
    average("BERT base, Smooth K2 on NLI", 110.0, 76.03),
    average("RoBERTa base, cross-entropy on NLI", 125.0, 74.46),
    average("RoBERTa base, Smooth K2 on NLI", 125.0, 76.04),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_models_have_no_published_rows() {
        let rows = |parameters| ROWS.iter().filter(|r| r.is_of_size(parameters)).count();
        assert_eq!((rows(22_600_000), rows(335_000_000)), (0, 0));
        assert_eq!((rows(109_000_000), rows(137_000_000)), (10, 10));
    }

    #[test]
    fn averages_are_those_of_the_rows() {
        for row in ROWS {
            if let Some(tasks) = row.tasks {
                let mean = tasks.iter().sum::<f64>() / 7.0;
                assert!((mean - row.average).abs() < 0.0051, "{}: {mean}", row.model);
            }
        }
    }
}
