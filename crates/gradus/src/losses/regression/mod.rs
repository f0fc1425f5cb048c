//! The regression framework of Zhang & Li (2024): one prediction against one
//! grade ([`PointLoss`]), predicted by a linear head ([`HeadForm`]) or from the
//! cosine ([`CosineForm`]); and the classes that it is compared with
//! ([`CrossEntropy`]).

mod cosine_form;
mod cross_entropy;
mod head_form;
mod l1;
mod mse;
mod out_of_range;
mod point_loss;
mod settings;
mod smooth_k2;
mod translated_relu;

pub use cosine_form::{CosineForm, CosineSettings};
pub use cross_entropy::{CrossEntropy, CrossEntropySettings};
pub use head_form::{HeadForm, HeadSettings};
pub use l1::{L1, L1Settings};
pub use mse::{MeanSquaredError, MseSettings};
pub use out_of_range::OutOfRange;
pub use point_loss::PointLoss;
pub use settings::{Form, PointLossSettings, RegressionSettings};
pub use smooth_k2::{SmoothK2, SmoothK2Settings};
pub use translated_relu::{TranslatedRelu, TranslatedReluSettings};
