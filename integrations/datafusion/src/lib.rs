//! Functions of DataFusion for graded similarity, in SQL and on data frames:
//!
//! - `embed(text, 'model')`: the text's vector, a list of `Float32`;
//! - `cosine(a, b)`: the cosine of two vectors, `Float64`;
//! - `grade(a, b, 'model')`: how alike two texts are, `Float64`: what `gradus score` prints
//!   first, on the labels' scale where the model is calibrated.
//!
//! ```no_run
//! use datafusion::prelude::SessionContext;
//! use gradus_datafusion::{Models, register};
//!
//! # async fn run() -> datafusion::error::Result<()> {
//! let mut context = SessionContext::new();
//! register(&mut context, &Models::default())?;
//! let sql = "SELECT title, cosine(embed(title, 'all-MiniLM-L6-v2'),
//!                                 embed('a red car', 'all-MiniLM-L6-v2')) AS likeness
//!            FROM items ORDER BY likeness DESC LIMIT 10";
//! context.sql(sql).await?.show().await?;
//! # Ok(())
//! # }
//! ```
//!
//! A model is a folder or a name that `gradus pull` knows, and a literal: it is loaded once a
//! process, when it is needed first. Vectors are those of `gradus encode`, bit by bit, however
//! rows are partitioned. A text that is null has no vector and no grade.
//!
//! Ballista sends functions by their names: the session states of its scheduler and executors
//! have them too, and find the model under the same name.

mod cosine;
mod embed;
mod grade;
mod models;
mod texts;

pub use models::Models;

use datafusion_expr::ScalarUDF;
use datafusion_expr::registry::FunctionRegistry;
use std::sync::Arc;

/// The functions, for whatever takes some: a session's state, an executor's registry.
pub fn functions(models: &Models) -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::new_from_impl(embed::Embed::new(models))),
        Arc::new(ScalarUDF::new_from_impl(cosine::Cosine::new())),
        Arc::new(ScalarUDF::new_from_impl(grade::Grade::new(models))),
    ]
}

/// Adds the functions to a registry, such as a session's.
///
/// # Errors
/// Where the registry takes none.
pub fn register(
    registry: &mut dyn FunctionRegistry,
    models: &Models,
) -> datafusion_common::Result<()> {
    for function in functions(models) {
        registry.register_udf(function)?;
    }
    Ok(())
}
