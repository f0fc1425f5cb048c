//! What each cycle gave, the best of each form, and the test scores of these.

use super::{Form, FormRow, SelfDistillTable, SelfDistillation};
use crate::eval::{Correlation, Suite};
use crate::jobs::{JobError, ObservedPairs};
use crate::output::{Held, replace_folder};
use crate::tasks::similarity::RunOverlap;
use crate::training::RunRecord;
use crate::util::Observer;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

impl SelfDistillation {
    /// The dev scores of all forms, the best models copied, and their test scores.
    pub(super) fn table(
        &self,
        overlap: Option<&RunOverlap>,
        setting: Option<String>,
        held: &Held,
        observer: &mut dyn Observer,
    ) -> Result<SelfDistillTable> {
        let models = 0..self.given.len();
        let given = models.clone().map(|model| self.before_training(model));
        let mut rows = given.collect::<Result<Vec<_>>>()?;
        for form in [Form::CrossEncoder, Form::BiEncoder] {
            for model in models.clone() {
                rows.append(&mut self.cycles(form, model, held)?);
            }
        }
        if let Some(suite) = self.tests.at_hand(&self.environment, observer) {
            for row in rows.iter_mut().filter(|row| row.best || row.cycle == 0) {
                let folder = PathBuf::from(&row.model);
                row.average = Some(self.test(&suite, row, &folder, observer)?);
            }
        }
        let header = self.header(overlap, setting);
        Ok(SelfDistillTable { header, rows })
    }

    /// A given bi-encoder, by the score that its first training began with.
    fn before_training(&self, model: usize) -> Result<FormRow> {
        let first = RunRecord::read(&self.folder(1, Form::BiEncoder, model))?;
        Ok(FormRow {
            name: format!("{} before training", self.settings.models[model].bi_encoder),
            form: Form::BiEncoder.name(),
            cycle: 0,
            model: self.given[model].0.display().to_string(),
            dev: first.and_then(|record| record.initial),
            best: false,
            average: None,
        })
    }

    /// A model's form in each cycle; the best is copied to its place.
    fn cycles(&self, form: Form, model: usize, held: &Held) -> Result<Vec<FormRow>> {
        let mut rows = vec![];
        for cycle in 1..=self.settings.cycles {
            let folder = self.folder(cycle, form, model);
            rows.push(FormRow {
                name: format!("cycle {cycle}, {}", self.numbered(form, model)),
                form: form.name(),
                cycle,
                model: folder.join("model").display().to_string(),
                dev: RunRecord::read(&folder)?.and_then(|record| record.best),
                best: false,
                average: None,
            });
        }
        // The first of equal ones.
        let better = |best: Option<usize>, i: usize| match best {
            Some(b) if rows[b].dev >= rows[i].dev => Some(b),
            _ => Some(i),
        };
        if let Some(best) = (0..rows.len()).fold(None, better) {
            rows[best].best = true;
            let target = self.root.join(self.numbered(form, model));
            copy_model(Path::new(&rows[best].model), &target, &held.marker().id)?;
        }
        Ok(rows)
    }

    /// A model's average on the test sets.
    fn test(
        &self,
        suite: &Suite,
        row: &FormRow,
        folder: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Correlation> {
        let what = format!("{}: scoring the test sets", row.name);
        let model = self.environment.load_pair_model(folder, None, observer)?;
        let scores = suite.evaluate(&ObservedPairs::new(&model, what, observer));
        let scores = scores.map_err(JobError::model)?;
        Ok(scores.average.all.spearman)
    }

    /// How the numbers came about.
    fn header(&self, overlap: Option<&RunOverlap>, setting: Option<String>) -> Vec<String> {
        let settings = &self.settings;
        let dev = settings.evaluation.dev.as_ref();
        let mut header = vec![
            format!(
                "{} cycles, seed {}{}",
                settings.cycles,
                settings.seed,
                match self.given.len() {
                    1 => "",
                    _ => ", mutual: labels are the means of both models' scores",
                }
            ),
            format!(
                "dev: Spearman x 100 on {}, by which the best cycle of each form is chosen",
                dev.map_or_else(String::new, |source| source.describe())
            ),
        ];
        header.extend(overlap.map(|found| format!("overlap of the pairs: {}", found.describe())));
        header.extend(setting);
        header
    }
}

/// Copies a model's folder.
fn copy_model(from: &Path, to: &Path, owner: &str) -> Result<()> {
    replace_folder(to, Some(owner), |fresh| copy_all(from, fresh))?;
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).map_err(Error::io(from))? {
        let entry = entry.map_err(Error::io(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            std::fs::create_dir_all(&target).map_err(Error::io(&target))?;
            copy_all(&path, &target)?;
        } else if entry.file_name() != ".gradus-files" {
            std::fs::copy(&path, &target).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}
