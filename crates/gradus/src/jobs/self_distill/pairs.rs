//! The pairs that the forms of a model label for each other.

use super::SelfDistillation;
use crate::jobs::pairing::{PairMaker, Unlabelled, files};
use crate::tasks::similarity::RunOverlap;
use crate::util::Observer;
use crate::{Error, Result};

impl SelfDistillation {
    /// The pairs, which are made once.
    pub(super) fn pairs(&self, observer: &mut dyn Observer) -> Result<Vec<(String, String)>> {
        let path = self.file("pairs");
        if path.is_file() {
            return files::read(&path);
        }
        let found = self.make_pairs(observer)?;
        observer.note(&format!("pairs      {}", found.pairs.len()));
        observer.note(&format!("overlap    {}", found.overlap.describe()));
        found.overlap.write(&self.root)?;
        let folder = self.root.join("pairs");
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        files::write(&path, &found.pairs, None)?;
        Ok(found.pairs)
    }

    /// Reads pairs, or makes them; nothing is written.
    pub(super) fn make_pairs(&self, observer: &mut dyn Observer) -> Result<Unlabelled> {
        let maker = PairMaker {
            settings: &self.settings.pairs,
            dev: self.settings.evaluation.dev.as_ref(),
            base: &self.base,
            data: &self.environment.data,
            seed: self.settings.seed,
        };
        maker.make(
            |observer| self.bi_encoder(&self.given[0].0, observer),
            observer,
        )
    }
}

/// What is to be said of a run whose pairs are those of test sets: their texts were
/// seen, though not their grades.
pub(super) fn transductive(overlap: &RunOverlap) -> Option<String> {
    let shared = overlap.run.shared_sets();
    (!shared.is_empty()).then(|| {
        format!(
            "transductive: the pairs hold test pairs of {}, without their grades, so that scores on these sets cannot be compared with those of models that never saw them",
            shared.join(", ")
        )
    })
}
