//! Operations, one file for each family.

pub(crate) mod attention;
pub(crate) mod ends;
pub(crate) mod norms;
pub(crate) mod optimizer;
pub(crate) mod pointwise;
pub(crate) mod products;
pub(crate) mod rows;
