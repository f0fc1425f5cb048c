//! Teacher and students side by side.

use super::job::{Measures, record, vectors};
use super::{Distillation, Sizes, StudentRow, StudentTable};
use crate::Result;
use crate::eval::Correlation;
use crate::jobs::{JobError, Observed, bench};
use crate::models::SentenceEncoder;
use crate::tasks::similarity::{DevSet, RunOverlap};
use crate::util::Observer;
use std::path::Path;

impl Distillation {
    /// Measures all.
    pub(super) fn table(
        &self,
        measures: &Measures,
        observer: &mut dyn Observer,
    ) -> Result<StudentTable> {
        observer.note("measuring the teacher and its students");
        let mut rows = vec![self.row("teacher", &self.teacher, measures, observer)?];
        for student in &self.settings.students {
            let folder = self.root.join(student.label());
            let model = folder.join("model");
            let mut row = self.row(&student.label(), &model, measures, observer)?;
            row.seconds = record(&folder).map(|record| record.seconds);
            rows.push(row);
        }
        rows[0].model.clone_from(&self.settings.teacher);
        let of_teacher = rows[0].sentences_per_second;
        for row in &mut rows {
            row.speed_up = row.sentences_per_second / of_teacher;
        }
        let header = self.header(measures);
        Ok(StudentTable { header, rows })
    }

    /// How the numbers came about.
    fn header(&self, measures: &Measures) -> Vec<String> {
        let settings = &self.settings;
        let chosen = match &settings.dev {
            Some(dev) => format!(
                "dev: Spearman x 100 of cosines on {}, which chose the models",
                dev.describe()
            ),
            None => "the agreement chose the models".to_owned(),
        };
        let mut header = vec![
            format!(
                "teacher: {}; objective: {:?}; seed: {}",
                settings.teacher, settings.objective, settings.seed
            ),
            format!(
                "agreement: Spearman x 100 of a student's cosines and the teacher's, on random pairs of {} texts held out",
                measures.held_out.len()
            ),
            chosen,
        ];
        if let Some(suite) = &measures.suite {
            header.push(format!(
                "STS average: Spearman x 100 of cosines, aggregation all, {} text",
                suite.text.name()
            ));
            // All students learn from the same texts.
            let mut folders = settings.students.iter().map(|s| self.root.join(s.label()));
            let overlap = folders.find_map(|folder| RunOverlap::read(&folder));
            let overlap = overlap.map_or("not known".to_owned(), |found| found.describe());
            header.push(format!("overlap: {overlap}"));
        }
        header
    }

    fn row(
        &self,
        name: &str,
        folder: &Path,
        measures: &Measures,
        observer: &mut dyn Observer,
    ) -> Result<StudentRow> {
        let encoder = self.environment.load(folder, None, observer)?;
        let texts: Vec<&str> = measures.held_out.iter().map(String::as_str).collect();
        let speed = bench::speed(name, &encoder, &texts, observer)?;
        let agreement = measures
            .agreement
            .of(&vectors(&encoder, &measures.held_out)?);
        let dev = self.dev(measures, &encoder)?;
        let sizes = Sizes::of(&encoder).map_err(JobError::model)?;
        let mut average = None;
        if let Some(suite) = &measures.suite {
            let what = format!("{name}: scoring the test sets");
            let scores = suite.evaluate(&Observed::new(&encoder, what, observer));
            average = Some(scores.map_err(JobError::model)?.average.all.spearman);
        }
        Ok(StudentRow {
            name: name.to_owned(),
            model: folder.display().to_string(),
            sizes,
            sentences_per_second: speed,
            speed_up: 1.0,
            agreement,
            dev,
            average,
            seconds: None,
        })
    }

    fn dev(&self, measures: &Measures, encoder: &SentenceEncoder) -> Result<Option<Correlation>> {
        let Some(source) = &measures.dev else {
            return Ok(None);
        };
        let loaded = source.load(&self.settings.base_dir, &self.environment.data)?;
        let dev = DevSet::new(source.describe(), &loaded.pairs, loaded.scale, encoder)?;
        Ok(Some(dev.evaluate(encoder, None, "", 0).spearman))
    }
}
