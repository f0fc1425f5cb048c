//! Stretches of texts, and the best of several.

use crate::packed::{Packed, pack};
use memmap2::Mmap;
use std::path::PathBuf;
use tantivy::directory::{OwnedBytes, RamDirectory};
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, EnableScoring, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::TokenStream;
use tantivy::{Directory, Index, ReloadPolicy, Searcher, TantivyDocument, Term};

/// Why words cannot be packed or read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WordsError(String);

impl WordsError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl From<tantivy::TantivyError> for WordsError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::new(error)
    }
}

/// What texts are called where they are counted.
const FIELD: &str = "text";

/// Memory that packing takes before it is grown.
const MEMORY: usize = 15 << 20;

fn schema() -> Schema {
    let mut schema = Schema::builder();
    let words = TextFieldIndexing::default()
        .set_tokenizer("default")
        .set_index_option(IndexRecordOption::WithFreqs);
    schema.add_text_field(FIELD, TextOptions::default().set_indexing_options(words));
    schema.build()
}

/// The words of some texts, in a file.
pub struct Words {
    index: Index,
    searcher: Searcher,
    field: Field,
}

/// A text that has words of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The text's stretch.
    pub stretch: usize,
    /// Its number there.
    pub place: usize,
    /// Its BM25 score.
    pub score: f32,
}

impl Words {
    /// Packs the words of texts, which are numbered in order from 0.
    ///
    /// # Errors
    /// Where they are more than 4 billion, or memory runs out.
    pub fn pack<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, WordsError> {
        let schema = schema();
        let field = schema.get_field(FIELD)?;
        let memory = RamDirectory::create();
        let builder = Index::builder().schema(schema);
        let mut writer = builder.single_segment_index_writer(memory.clone(), MEMORY)?;
        for text in texts {
            let mut document = TantivyDocument::new();
            document.add_text(field, text);
            writer.add_document(document)?;
        }
        let index = writer.finalize()?;
        let mut names: Vec<PathBuf> = index.directory().list_managed_files().into_iter().collect();
        names.sort();
        let mut files = vec![];
        for name in names {
            // Some are managed before they are there.
            if memory.exists(&name).map_err(WordsError::new)? {
                let file = memory.open_read(&name).map_err(WordsError::new)?;
                let bytes = file.read_bytes().map_err(WordsError::new)?;
                files.push((name, bytes.to_vec()));
            }
        }
        pack(&files).map_err(WordsError::new)
    }

    /// Opens what was packed.
    ///
    /// # Errors
    /// Where the file is not one of those.
    pub fn open(file: Mmap) -> Result<Self, WordsError> {
        let packed = Packed::new(OwnedBytes::new(file));
        let packed = packed.ok_or_else(|| WordsError::new("these are no words of texts"))?;
        let index = Index::open(packed)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        Ok(Self {
            searcher: reader.searcher(),
            field: index.schema().get_field(FIELD)?,
            index,
        })
    }

    /// How many texts there are.
    pub fn texts(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// The different words of a query, in its order.
    fn terms(&self, query: &str) -> Result<Vec<Term>, WordsError> {
        let mut analyzer = self.index.tokenizer_for_field(self.field)?;
        let mut tokens = analyzer.token_stream(query);
        let mut terms = vec![];
        while let Some(token) = tokens.next() {
            let term = Term::from_field_text(self.field, &token.text);
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        Ok(terms)
    }
}

/// Several stretches as one collection.
struct Collection<'a>(&'a [Words]);

impl Collection<'_> {
    fn sum(&self, of: impl Fn(&Searcher) -> tantivy::Result<u64>) -> tantivy::Result<u64> {
        self.0.iter().map(|words| of(&words.searcher)).sum()
    }
}

impl Bm25StatisticsProvider for Collection<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.sum(|searcher| searcher.total_num_tokens(field))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        self.sum(Bm25StatisticsProvider::total_num_docs)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.sum(|searcher| searcher.doc_freq(term))
    }
}

/// The `most` texts of highest score with the words of a query, best first, of those that
/// `counts(stretch, place)`; of equal scores the first. A text without any of the words is
/// not among them.
///
/// # Errors
/// Where a file is damaged.
pub fn best(
    stretches: &[Words],
    query: &str,
    most: usize,
    counts: impl Fn(usize, usize) -> bool,
) -> Result<Vec<Hit>, WordsError> {
    let (Some(first), true) = (stretches.first(), most > 0) else {
        return Ok(vec![]);
    };
    let terms = first.terms(query)?.into_iter().map(|term| {
        let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
        Box::new(query) as Box<dyn Query>
    });
    let query = BooleanQuery::union(terms.collect());
    let collection = Collection(stretches);
    let mut hits: Vec<Hit> = vec![];
    let mut floor = f32::MIN;
    for (stretch, words) in stretches.iter().enumerate() {
        let scoring = EnableScoring::enabled_from_statistics_provider(&collection, &words.searcher);
        let weight = query.weight(scoring)?;
        for reader in words.searcher.segment_readers() {
            weight.for_each_pruning(floor, reader, &mut |place, score| {
                let place = place as usize;
                if counts(stretch, place) {
                    hits.push(Hit {
                        stretch,
                        place,
                        score,
                    });
                    if hits.len() >= 2 * most {
                        keep(&mut hits, most);
                        floor = hits[most - 1].score;
                    }
                }
                floor
            })?;
        }
    }
    keep(&mut hits, most);
    Ok(hits)
}

/// Leaves the best, in order.
fn keep(hits: &mut Vec<Hit>, most: usize) {
    hits.sort_by(|a, b| {
        let places = (a.stretch, a.place).cmp(&(b.stretch, b.place));
        b.score.total_cmp(&a.score).then(places)
    });
    hits.truncate(most);
}

#[cfg(test)]
mod tests;
