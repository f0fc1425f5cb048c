use gradus_kernels::Backend;

use super::Ranking;
use crate::eval::ExactSearch;
use crate::{Embeddings, Result};

/// The ids of a corpus with vectors, part after part.
pub trait Corpus {
    /// The next documents; `None` at the end.
    ///
    /// # Errors
    /// Whatever reading or encoding them fails with.
    fn next_part(&mut self) -> Result<Option<(Vec<String>, Embeddings)>>;
}

/// Ranks the `top` nearest documents for each query by cosine, all compared. A
/// document of a query's own id is left out, as BEIR leaves it out.
///
/// # Errors
/// Those of the corpus; where the device fails.
pub fn retrieve<B: Backend>(
    ids: &[&str],
    queries: &Embeddings,
    corpus: &mut dyn Corpus,
    top: usize,
    backend: &B,
) -> Result<Ranking> {
    // One more, as the query itself may be among them.
    let mut search = ExactSearch::new(queries, top + 1);
    let mut documents: Vec<String> = Vec::new();
    while let Some((part, vectors)) = corpus.next_part()? {
        search.add(backend, &vectors);
        backend.check()?;
        documents.extend(part);
    }
    let mut ranking = Ranking::default();
    for (&id, hits) in ids.iter().zip(search.finish()) {
        let hits = hits.into_iter();
        let hits = hits.map(|(place, score)| (documents[place as usize].clone(), score));
        let hits = hits.filter(|(document, _)| document != id).take(top);
        ranking.insert(id, hits.collect());
    }
    Ok(ranking)
}
