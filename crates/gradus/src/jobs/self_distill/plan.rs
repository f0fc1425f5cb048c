//! What a self distillation would do.

use super::SelfDistillation;
use super::pairs::transductive;
use crate::Result;
use crate::util::Observer;

impl SelfDistillation {
    /// The pairs and their overlap with evaluation sets, in words; nothing is written.
    ///
    /// # Errors
    /// Where pairs or texts cannot be used.
    pub fn plan(&self, observer: &mut dyn Observer) -> Result<Vec<String>> {
        let found = self.make_pairs(observer)?;
        let settings = &self.settings;
        let mut lines = vec![
            format!("pairs          {}", found.pairs.len()),
            format!("overlap        {}", found.overlap.describe()),
        ];
        if let Some(line) = transductive(&found.overlap) {
            lines.push(format!("setting        {line}"));
        }
        for (name, form, sides) in [
            ("cross-encoder", &settings.cross_encoder, 2),
            ("bi-encoder", &settings.bi_encoder, 1),
        ] {
            let per_epoch = (sides * found.pairs.len()).div_ceil(form.batch);
            let length = match (form.steps, form.epochs) {
                (Some(steps), _) => format!("{steps} steps"),
                (None, epochs) => format!("{} epochs", epochs.unwrap_or(1.0)),
            };
            lines.push(format!(
                "{name:<14} {length} of {} pairs a step, {per_epoch} steps an epoch, rate {:e}, in each of {} cycles",
                form.batch, form.learning_rate, settings.cycles
            ));
        }
        Ok(lines)
    }
}
