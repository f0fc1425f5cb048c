use std::collections::BTreeMap;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::{Measure, Qrels, Ranking};

/// How well a ranking follows relevance judgments.
///
/// Every query with a judgment counts; one that the ranking lacks has 0, as in
/// `trec_eval -c`, and so has one without a relevant document. Queries without
/// judgments are passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrievalScores {
    measures: Vec<Measure>,
    means: Vec<f64>,
    queries: BTreeMap<String, Vec<f64>>,
}

impl RetrievalScores {
    /// The values of these measures.
    pub fn new(qrels: &Qrels, ranking: &Ranking, measures: &[Measure]) -> Self {
        let mut queries = BTreeMap::new();
        for (query, judged) in qrels.queries() {
            let documents = ranking.documents(query).iter();
            let relevance = |id: &String| judged.get(id).copied().unwrap_or(0);
            let ranked: Vec<i32> = documents.map(|(id, _)| relevance(id)).collect();
            let judged: Vec<i32> = judged.values().copied().collect();
            let values = measures.iter().map(|m| m.of(&ranked, &judged));
            queries.insert(query.to_owned(), values.collect::<Vec<f64>>());
        }
        let count = queries.len().max(1) as f64;
        let mean = |at: usize| queries.values().map(|values| values[at]).sum::<f64>() / count;
        let means = (0..measures.len()).map(mean).collect();
        Self {
            measures: measures.to_vec(),
            means,
            queries,
        }
    }

    /// The measures, in the order of values.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The means over the queries, a measure each.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// The mean of a measure, where it is there.
    pub fn mean(&self, measure: Measure) -> Option<f64> {
        let place = self.measures.iter().position(|m| *m == measure)?;
        Some(self.means[place])
    }

    /// The values of each query by its id, a measure each.
    pub fn queries(&self) -> &BTreeMap<String, Vec<f64>> {
        &self.queries
    }
}

/// The means by the measures' names, and the values of each query in their order.
impl Serialize for RetrievalScores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("RetrievalScores", 3)?;
        let means = self.measures.iter().zip(&self.means);
        all.serialize_field("measures", &self.measures)?;
        all.serialize_field("means", &means.collect::<BTreeMap<_, _>>())?;
        all.serialize_field("per_query", &self.queries)?;
        all.end()
    }
}
