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
mod smooth_k2;
mod translated_relu;

pub use cosine_form::CosineForm;
pub use cross_entropy::CrossEntropy;
pub use head_form::HeadForm;
pub use l1::L1;
pub use mse::MeanSquaredError;
pub use out_of_range::OutOfRange;
pub use point_loss::PointLoss;
pub use smooth_k2::SmoothK2;
pub use translated_relu::TranslatedRelu;
