//! What evaluation needs of a model.

use crate::{Embeddings, Result};

/// Turns texts into vectors.
pub trait Embedder {
    /// One vector a text, in the order of the texts.
    ///
    /// # Errors
    /// Whatever the model fails with.
    fn embed(&self, texts: &[&str]) -> Result<Embeddings>;
}

impl<E: Embedder + ?Sized> Embedder for &E {
    fn embed(&self, texts: &[&str]) -> Result<Embeddings> {
        (**self).embed(texts)
    }
}

/// Calls `embedder`, holding it to its contract.
///
/// # Panics
/// If it gives another number of vectors than it got texts: a bug of the
/// embedder, never of the texts.
pub(super) fn embed_all(embedder: &dyn Embedder, texts: &[&str]) -> Result<Embeddings> {
    let embeddings = embedder.embed(texts)?;
    assert_eq!(
        embeddings.rows(),
        texts.len(),
        "an embedder must give one vector a text"
    );
    Ok(embeddings)
}
