//! Texts in groups, by their vectors: around means, in neighbourhoods, by density; and
//! what a group is about.
//!
//! Every result is the same on any number of threads.

mod communities;
mod density;
mod keywords;
mod kmeans;
mod means;
#[cfg(test)]
mod parity;
mod plane;
#[cfg(test)]
pub(crate) mod testing;

pub use communities::{Communities, communities};
pub use density::{Dense, Density, Select, density};
pub use keywords::{Keyword, Keywords};
pub use kmeans::{Clusters, KMeans, kmeans, members};
pub(crate) use kmeans::{Random, evenly};
pub(crate) use means::{cosines_with, mean_of};
pub use plane::Plane;
