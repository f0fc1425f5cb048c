//! DifferencePrediction prediction: what a sentence's vector must hold so that another
//! network can tell which words of the sentence were exchanged (DiffCSE; Chuang
//! et al. 2022).
//!
//! Some tokens of a text are masked, a frozen masked language model
//! ([`Generator`]) fills the text up again, and a discriminator reads what came
//! out of that behind the vector of the text as it was: for each token it says
//! whether it was replaced. What that costs is a term of the loss whose gradient
//! reaches the sentence encoder through the vector alone. Generator and
//! discriminator exist in training only.

mod auxiliary;
mod choice;
mod generator;
mod score;
mod term;

pub(crate) use auxiliary::Auxiliary;
pub use generator::Generator;
pub use score::{DifferenceReport, DifferenceScore};
pub use term::{DifferencePrediction, Rebuilt, Term};
