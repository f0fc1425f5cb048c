//! Self distillation: the two forms of a model, bi-encoder and cross-encoder, teach
//! each other on pairs without labels (Trans-Encoder; Liu et al. 2022).
//!
//! In each cycle the bi-encoder's cosines label the pairs, a cross-encoder made anew
//! from the plain model learns them by binary cross-entropy in both orders, labels the
//! pairs again by its scores, and a bi-encoder made anew from the given model learns
//! those by the squared error of its cosine. With two models the labels are the means
//! of both models' (mutual distillation).
//!
//! A run goes on by what its folder holds: pairs and labels that are written are not
//! made again, forms that are trained are passed over, and one whose training was
//! stopped goes on by its checkpoint.

mod folder;
mod form;
mod job;
mod labels;
mod measuring;
mod pairs;
mod phase;
mod plan;
mod settings;
mod table;

pub use form::Form;
pub use job::SelfDistillation;
pub use settings::{FormSettings, ModelPair, SelfDistillSettings, SelfDistillTask};
pub use table::{FormRow, SelfDistillTable};
