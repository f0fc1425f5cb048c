//! How well models retrieve.

use super::chunks::CHUNK;
use super::observed::{check_finite, finite_scores_of_bare, notes_on_texts};
use super::{Environment, JobError, Model, Observed};
use crate::Result;
use crate::eval::{
    BeirFolder, Corpus, Documents, Embedder, Measure, ModelRetrieval, Ranking, RetrievalReport,
    RetrievalScores, SetScores, retrieve,
};
use crate::format::PromptChoice;
use crate::models::{CrossEncoder, ModelFolder, SentenceEncoder};
use crate::output::Inputs;
use crate::text::BareText;
use crate::util::{Observer, check_cancelled};
use crate::{Embeddings, Error};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// What retrieves, and from what.
#[derive(Debug, Clone)]
pub struct RetrievalSettings {
    /// The models by name, one row of the report each.
    pub models: Vec<String>,
    /// The folders of BEIR's form.
    pub folders: Vec<PathBuf>,
    /// Whose judgments count.
    pub split: String,
    /// How many documents are ranked for a query.
    pub top: usize,
    /// The prompt before queries; by default the model's prompt `query`.
    pub query_prompt: PromptChoice,
    /// The prompt before documents; by default the model's prompt `document`.
    pub document_prompt: PromptChoice,
    /// Cross-encoders by name, each of which ranks what each model found again: a row
    /// more.
    pub rerank: Vec<String>,
    /// What is measured; measures of more documents than `top` are left out.
    pub measures: Vec<Measure>,
}

impl RetrievalSettings {
    /// Models on folders: the split `test`, the best 100 documents, all usual
    /// measures.
    pub fn new(
        models: impl IntoIterator<Item = impl Into<String>>,
        folders: impl IntoIterator<Item = impl Into<PathBuf>>,
    ) -> Self {
        Self {
            models: models.into_iter().map(Into::into).collect(),
            folders: folders.into_iter().map(Into::into).collect(),
            split: "test".into(),
            top: 100,
            query_prompt: PromptChoice::Query,
            document_prompt: PromptChoice::Document,
            rerank: vec![],
            measures: Measure::usual(),
        }
    }
}

/// Models and retrieval sets, both at hand.
#[derive(Debug)]
pub struct Retrieval {
    /// The models.
    pub models: Vec<Model>,
    /// Those that rank again.
    pub rerankers: Vec<Model>,
    /// The sets.
    pub sets: Vec<BeirFolder>,
    settings: RetrievalSettings,
}

impl Retrieval {
    /// Reads queries and judgments and finds the models; corpora are read as they are
    /// encoded.
    ///
    /// # Errors
    /// [`JobError::Settings`] where nothing would be ranked or measured; where a
    /// folder cannot be read, or a model cannot be had.
    pub fn prepare(
        settings: &RetrievalSettings,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let mut settings = settings.clone();
        let top = settings.top;
        settings.measures.retain(|measure| measure.k() <= top);
        if settings.measures.is_empty() {
            let message = format!("with the best {top} documents alone nothing is measured");
            return Err(JobError::Settings(message).into());
        }
        let open = |path: &PathBuf| BeirFolder::open(path, &settings.split);
        let sets = settings.folders.iter();
        let sets = sets.map(|path| open(path).map_err(JobError::input));
        let sets = sets.collect::<Result<_>>()?;
        let mut find = |names: &[String]| {
            let found = names.iter().map(|name| environment.find(name, observer));
            found.collect::<Result<Vec<Model>>>()
        };
        let (models, rerankers) = (find(&settings.models)?, find(&settings.rerank)?);
        for model in &models {
            if ModelFolder::is_cross_encoder(&model.folder).map_err(JobError::model)? {
                return Err(JobError::Settings(format!(
                    "{} is a cross-encoder, which ranks what another model found: give that model, and add --rerank {}",
                    model.name, model.name
                ))
                .into());
            }
        }
        Ok(Self {
            models,
            rerankers,
            sets,
            settings,
        })
    }

    /// What is read, which no report may replace.
    pub fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::new();
        for model in self.models.iter().chain(&self.rerankers) {
            inputs.add("the model", &model.folder);
        }
        for set in &self.sets {
            inputs.add("a retrieval set", &set.path);
        }
        inputs
    }

    /// Ranks and measures, set by set and model by model.
    ///
    /// # Errors
    /// Where a corpus cannot be read or a model cannot be used;
    /// [`Error::Stopped`].
    pub fn run(
        &self,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<RetrievalReport> {
        let mut report = RetrievalReport::default();
        for set in &self.sets {
            let mut scores = SetScores {
                set: set.name(),
                split: set.split.clone(),
                queries: set.qrels.len(),
                documents: 0,
                top: self.settings.top,
                models: vec![],
            };
            for model in &self.models {
                let (ranking, documents) = self.rank(set, model, environment, observer)?;
                scores.documents = documents;
                scores.models.push(self.scored(set, model, &ranking));
                for reranker in &self.rerankers {
                    let again = self.rerank(set, reranker, &ranking, environment, observer)?;
                    let both = Model {
                        name: format!("{}, then {}", model.name, reranker.name),
                        folder: reranker.folder.clone(),
                    };
                    scores.models.push(self.scored(set, &both, &again));
                }
            }
            report.sets.push(scores);
        }
        Ok(report)
    }

    /// The row of a model, for any ranking of a set: its own, or one that another
    /// model made of it.
    pub fn scored(&self, set: &BeirFolder, model: &Model, ranking: &Ranking) -> ModelRetrieval {
        ModelRetrieval {
            model: model.name.clone(),
            scores: RetrievalScores::new(&set.qrels, ranking, &self.settings.measures),
        }
    }

    /// The documents of a ranking by a cross-encoder's scores with their queries.
    ///
    /// # Errors
    /// As [`Retrieval::run`]; where the model is no cross-encoder of one score.
    pub fn rerank(
        &self,
        set: &BeirFolder,
        model: &Model,
        ranking: &Ranking,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<Ranking> {
        let backend = environment.backend_for(&model.folder, observer)?;
        let cross = CrossEncoder::load(&model.folder, backend).map_err(JobError::model)?;
        cross
            .check_one_label("rank documents")
            .map_err(JobError::model)?;
        let found = ranking.queries().flat_map(|(_, all)| all);
        let ids: HashSet<&str> = found.map(|(id, _)| id.as_str()).collect();
        let contents = set.contents(&ids).map_err(JobError::input)?;
        let what = format!("{}: ranking again", model.name);
        // A document that several queries found is tokenised once.
        let mut tokens: HashMap<&str, BareText> = HashMap::with_capacity(contents.len());
        let all: Vec<(&str, &str)> = contents.iter().map(|(id, c)| (&**id, &**c)).collect();
        for chunk in all.chunks(CHUNK) {
            check_cancelled(observer, &what)?;
            let (ids, texts): (Vec<&str>, Vec<&str>) = chunk.iter().copied().unzip();
            let bare = cross.tokenizer().bare_texts(&texts);
            tokens.extend(ids.into_iter().zip(bare.map_err(JobError::model)?));
        }
        let nothing = cross.tokenizer().bare_text("").map_err(JobError::model)?;
        let (mut done, total) = (0, ranking.queries().count() as u64);
        ranking.reranked(self.settings.top, |query, ids| {
            check_cancelled(observer, &what)?;
            observer.progress(&what, done, total);
            done += 1;
            let text = set.queries.get(query).map_or("", String::as_str);
            let bare = cross.tokenizer().bare_text(text).map_err(JobError::model)?;
            let document = |id: &&str| (&bare, tokens.get(*id).unwrap_or(&nothing));
            let pairs: Vec<_> = ids.iter().map(document).collect();
            let texts = |place: usize| {
                let content = contents.get(ids[place]).map_or("", String::as_str);
                (text, content)
            };
            let scores = finite_scores_of_bare(&model.name, &cross, &pairs, texts)?;
            observer.progress(&what, done, total);
            Ok::<_, Error>(scores)
        })
    }

    /// The best documents of a set for each query by a model's vectors, and how many
    /// documents there are.
    ///
    /// # Errors
    /// As [`Retrieval::run`].
    pub fn rank(
        &self,
        set: &BeirFolder,
        model: &Model,
        environment: &Environment,
        observer: &mut dyn Observer,
    ) -> Result<(Ranking, usize)> {
        let RetrievalSettings {
            query_prompt,
            document_prompt,
            top,
            ..
        } = &self.settings;
        let Model { name, folder } = model;
        let mut encoder = environment.load(folder, Some(query_prompt.clone()), observer)?;
        let (ids, texts): (Vec<&str>, Vec<&str>) = set
            .queries
            .iter()
            .map(|(id, text)| (&**id, &**text))
            .unzip();
        let what = format!("{name}: encoding queries");
        let queries = Observed::new(&encoder, what, observer).embed(&texts);
        let queries = queries.map_err(JobError::model)?;
        check_finite(name, &texts, &queries)?;
        note_other_prompts(&encoder, &self.settings, environment, observer);
        encoder
            .set_prompt(document_prompt.clone())
            .map_err(JobError::model)?;
        let mut corpus = EncodedCorpus {
            documents: set.documents().map_err(JobError::input)?,
            encoder: &encoder,
            name,
            observer: &mut *observer,
            done: 0,
        };
        let ranking = retrieve(&ids, &queries, &mut corpus, *top, encoder.backend())?;
        let documents = corpus.done;
        for note in notes_on_texts(&encoder) {
            observer.note(&note);
        }
        Ok((ranking, documents))
    }
}

/// Documents that are encoded at a time.
const PART: usize = 4096;

/// A corpus that is encoded as it is read.
struct EncodedCorpus<'a> {
    documents: Documents,
    encoder: &'a SentenceEncoder,
    name: &'a str,
    observer: &'a mut dyn Observer,
    done: usize,
}

impl Corpus for EncodedCorpus<'_> {
    fn next_part(&mut self) -> Result<Option<(Vec<String>, Embeddings)>> {
        let what = format!("{}: encoding documents", self.name);
        let (mut ids, mut texts) = (Vec::new(), Vec::new());
        for document in self.documents.by_ref().take(PART) {
            let document = document.map_err(JobError::input)?;
            texts.push(document.content());
            ids.push(document.id);
        }
        self.observer.progress(&what, self.done as u64, 0);
        if ids.is_empty() {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(texts.len() * self.encoder.dim());
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for texts in texts.chunks(256) {
            check_cancelled(&*self.observer, &what)?;
            let vectors = self.encoder.encode(texts).map_err(JobError::model)?;
            check_finite(self.name, texts, &vectors)?;
            values.extend(vectors.into_vec());
            self.done += texts.len();
            self.observer.progress(&what, self.done as u64, 0);
        }
        let vectors = Embeddings::new(self.encoder.dim(), values);
        Ok::<_, Error>(Some((ids, vectors)))
    }
}

/// Says which prompt may be meant for documents, of a model whose own has another
/// name.
fn note_other_prompts(
    encoder: &SentenceEncoder,
    settings: &RetrievalSettings,
    environment: &Environment,
    observer: &mut dyn Observer,
) {
    let prompts = &encoder.folder().modules.prompts.named;
    let has = |name: &str| prompts.iter().any(|(known, _)| known == name);
    let other = ["passage", "corpus"].into_iter().find(|name| has(name));
    let unset = settings.document_prompt == PromptChoice::Document && !has("document");
    if let Some(other) = other.filter(|_| unset) {
        let note = format!(
            "note: the model has no prompt `document`, so documents go without one, as in sentence-transformers; --document-prompt {other} takes its prompt `{other}`"
        );
        environment.note_once(&note, observer);
    }
}
