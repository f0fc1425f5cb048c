use serde::{Deserialize, Serialize};

/// Which piece the generator puts into a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// The likeliest.
    #[default]
    Argmax,
    /// One drawn by its probability.
    Sample,
}

/// Which places of a text the generator fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Filled {
    /// All but special tokens, as DiffCSE has it: where the generator does not
    /// give back a token that it saw, that is a replaced one, too.
    #[default]
    All,
    /// Those that were masked.
    Masked,
}

/// What the sum over tokens is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// The tokens of the batch.
    #[default]
    Real,
    /// As many as there would be if all texts were filled up to the length of
    /// the batch's longest, as in DiffCSE's code. The filling itself costs
    /// nothing here.
    All,
}

/// A stage's difference prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceSettings {
    /// A masked language model with the vocabulary of the model that is trained:
    /// a folder, or a name that `gradus pull` knows.
    pub generator: String,
    /// The share of the tokens that are masked.
    #[serde(default = "default_mask_rate")]
    pub mask_rate: f64,
    /// What the term is multiplied by.
    #[serde(default = "default_weight")]
    pub weight: f64,
    /// What the generator puts into a place.
    #[serde(default)]
    pub fill: Fill,
    /// Which places it fills.
    #[serde(default)]
    pub positions: Filled,
    /// What the sum over tokens is divided by.
    #[serde(default)]
    pub average: Average,
}

fn default_mask_rate() -> f64 {
    0.3
}

fn default_weight() -> f64 {
    0.005
}

impl DifferenceSettings {
    /// Checks the numbers.
    ///
    /// # Errors
    /// A message naming the setting and its bounds.
    pub fn check(&self) -> Result<(), String> {
        if !(self.mask_rate > 0.0 && self.mask_rate < 1.0) {
            return Err(format!(
                "`difference.mask_rate` is {}, it must lie between 0 and 1",
                self.mask_rate
            ));
        }
        if !(self.weight > 0.0 && self.weight <= 1e6) {
            return Err(format!(
                "`difference.weight` is {}, it must lie above 0, at most 1e6; leave `difference` out to do without",
                self.weight
            ));
        }
        Ok(())
    }

    /// One phrase for people.
    pub fn describe(&self) -> String {
        format!(
            "{} x difference prediction ({:.0} % masked, filled by {})",
            self.weight,
            100.0 * self.mask_rate,
            self.generator
        )
    }
}
