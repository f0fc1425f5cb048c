//! Recipes by which cross-encoders are trained.

mod recipe;
mod stage;

pub use recipe::{CrossEncoderRecipe, CrossEncoderTask};
pub use stage::CrossEncoderStage;
