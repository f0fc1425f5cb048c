use std::collections::BTreeMap;

/// Documents in the order in which they were found, query by query.
///
/// The order is trec_eval's: by falling score, and where scores are equal by falling
/// id of the document, so that ties say nothing of how the ranking was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranking {
    queries: BTreeMap<String, Vec<(String, f64)>>,
}

impl Ranking {
    /// Sets a query's documents with their scores, in any order. Of a document that
    /// is there twice the better score counts.
    pub fn insert(&mut self, query: impl Into<String>, mut documents: Vec<(String, f64)>) {
        documents.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
        let mut seen = std::collections::HashSet::new();
        let new: Vec<bool> = documents.iter().map(|(id, _)| seen.insert(id)).collect();
        let mut new = new.into_iter();
        documents.retain(|_| new.next().unwrap_or(true));
        self.queries.insert(query.into(), documents);
    }

    /// A query's documents, best first; none where it has no ranking.
    pub fn documents(&self, query: &str) -> &[(String, f64)] {
        self.queries.get(query).map_or(&[], Vec::as_slice)
    }

    /// The queries with their documents, by id.
    pub fn queries(&self) -> impl Iterator<Item = (&str, &[(String, f64)])> {
        self.queries.iter().map(|(id, all)| (&**id, &**all))
    }

    /// The same with other scores for the first `count` documents of each query:
    /// `rescore` gets the query's id and theirs, and gives a score each. The others
    /// stay behind them in their order.
    ///
    /// # Errors
    /// Those of `rescore`.
    pub fn reranked<E>(
        &self,
        count: usize,
        mut rescore: impl FnMut(&str, &[&str]) -> Result<Vec<f64>, E>,
    ) -> Result<Self, E> {
        let mut reranked = Self::default();
        for (query, documents) in self.queries() {
            let (first, rest) = documents.split_at(count.min(documents.len()));
            let ids: Vec<&str> = first.iter().map(|(id, _)| id.as_str()).collect();
            let scores = rescore(query, &ids)?;
            let lowest = scores.iter().copied().fold(f64::INFINITY, f64::min);
            let lowest = if lowest.is_finite() { lowest } else { 0.0 };
            let ids = ids.into_iter().map(str::to_owned);
            let mut all: Vec<(String, f64)> = ids.zip(scores).collect();
            for (place, (id, _)) in rest.iter().enumerate() {
                all.push((id.clone(), lowest - (place + 1) as f64));
            }
            reranked.insert(query, all);
        }
        Ok(reranked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<'a>(ranking: &'a Ranking, query: &str) -> Vec<&'a str> {
        let all = ranking.documents(query).iter();
        all.map(|(id, _)| id.as_str()).collect()
    }

    fn hits(all: &[(&str, f64)]) -> Vec<(String, f64)> {
        all.iter().map(|(id, s)| (id.to_string(), *s)).collect()
    }

    #[test]
    fn equal_scores_stand_by_falling_id() {
        let mut ranking = Ranking::default();
        let all = [
            ("a", 0.5),
            ("c", 0.5),
            ("b", 0.9),
            ("d", 0.1),
            ("a", 0.7),
            ("10", 0.1),
            ("9", 0.1),
        ];
        ranking.insert("q", hits(&all));
        assert_eq!(ids(&ranking, "q"), ["b", "a", "c", "d", "9", "10"]);
        assert!(ranking.documents("r").is_empty());
    }

    #[test]
    fn the_first_are_ranked_again() {
        let mut ranking = Ranking::default();
        ranking.insert("q", hits(&[("a", 4.0), ("b", 3.0), ("c", 2.0), ("d", 1.0)]));
        let again = ranking.reranked(2, |query, ids| {
            assert_eq!((query, ids), ("q", &["a", "b"][..]));
            Ok::<_, ()>(vec![-8.0, -7.0])
        });
        assert_eq!(ids(&again.unwrap(), "q"), ["b", "a", "c", "d"]);
        assert_eq!(ranking.reranked(9, |_, _| Err(1)), Err(1));
    }
}
