//! Which columns hold a list.

use crate::data::columns::{Unclear, places};
use crate::data::{Column, Columns};

/// Names of the query.
const QUERIES: [&str; 6] = ["query", "question", "anchor", "sentence1", "text1", "first"];
/// Names of the query where there is none of those: of files of made negatives.
const SENTENCES: [&str; 2] = ["sentence", "sent0"];
/// Names of a list of documents.
const LISTS: [&str; 5] = ["docs", "documents", "passages", "candidates", "texts"];
/// Names of one document, or of a list in its place.
const DOCUMENTS: [&str; 10] = [
    "positive",
    "pos",
    "document",
    "passage",
    "answer",
    "response",
    "sentence2",
    "text2",
    "second",
    "sent1",
];
/// Names of a negative, alone or with a number.
const NEGATIVES: [&str; 4] = ["negative", "neg", "negatives", "hard_neg"];
/// Names of a list of labels or scores.
const LABELS: [&str; 6] = ["labels", "label", "scores", "score", "relevance", "grades"];

/// The columns of rows that are lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListForm {
    pub query: String,
    pub documents: Documents,
    pub labels: Option<String>,
    /// Whether values are cells, where lists are written as JSON.
    pub of_cells: bool,
}

/// Where the documents are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Documents {
    /// All in one column.
    List(String),
    /// The positive, and the negatives in order.
    Tuple {
        positive: String,
        negatives: Vec<String>,
    },
}

impl ListForm {
    /// The form of rows with columns of these names; `None` where they are no lists.
    /// `is_list` says whether a column holds lists.
    pub fn find(
        names: &[&str],
        columns: &Columns,
        of_cells: bool,
        is_list: impl Fn(&str) -> bool,
    ) -> Result<Option<Self>, Unclear> {
        let given = |column: &Option<Column>| match column {
            None => Ok(None),
            Some(Column::Name(name)) if names.contains(&name.as_str()) => Ok(Some(name.clone())),
            Some(Column::Name(name)) => Err(Unclear::Unknown(name.clone())),
            Some(Column::Index(index)) => match names.get(*index).filter(|_| of_cells) {
                Some(name) => Ok(Some(name.to_string())),
                None => Err(Unclear::Unknown(format!("column {index}"))),
            },
        };
        let usual = |of: &[&str]| -> Vec<String> {
            let found = of.iter().flat_map(|usual| places(names, usual));
            found.map(|place| names[place].to_string()).collect()
        };
        let negatives = match &columns.negative {
            Some(Column::Name(base)) => match numbered(names, base) {
                none if none.is_empty() => return Err(Unclear::Unknown(base.clone())),
                found => found,
            },
            Some(index) => given(&Some(index.clone()))?.into_iter().collect(),
            None => NEGATIVES
                .iter()
                .map(|usual| numbered(names, usual))
                .find(|found| !found.is_empty())
                .unwrap_or_default(),
        };
        let second = given(&columns.second)?;
        let lists = || usual(&LISTS).into_iter().chain(usual(&DOCUMENTS));
        let documents = if negatives.is_empty() {
            let list = match &second {
                Some(second) => Some(second.clone()),
                None => lists().find(|name| is_list(name)),
            };
            match list.filter(|name| is_list(name)) {
                Some(list) => Documents::List(list),
                None => return Ok(None),
            }
        } else {
            let positive = match second {
                Some(second) => second,
                None => one(usual(&DOCUMENTS), "positive")?,
            };
            Documents::Tuple {
                positive,
                negatives,
            }
        };
        let query = match (given(&columns.first)?, usual(&QUERIES)) {
            (Some(first), _) => first,
            (None, found) if found.is_empty() => one(usual(&SENTENCES), "query")?,
            (None, found) => one(found, "query")?,
        };
        let labels = match (given(&columns.label)?, &documents) {
            (Some(label), _) => Some(label),
            (None, Documents::List(_)) => Some(one(usual(&LABELS), "list of labels")?),
            // A tuple's labels are its columns, unless a teacher's scores are there.
            (None, Documents::Tuple { .. }) => usual(&LABELS)
                .into_iter()
                .find(|name| of_cells || is_list(name)),
        };
        Ok(Some(Self {
            query,
            documents,
            labels,
            of_cells,
        }))
    }

    /// Every column that is read.
    pub fn columns(&self) -> Vec<&str> {
        let mut all = vec![self.query.as_str()];
        match &self.documents {
            Documents::List(list) => all.push(list),
            Documents::Tuple {
                positive,
                negatives,
            } => {
                all.push(positive);
                all.extend(negatives.iter().map(String::as_str));
            }
        }
        all.extend(self.labels.as_deref());
        all
    }

    /// Whether a cell of this column may hold a list.
    pub fn may_be_list(&self, key: &str) -> bool {
        let documents = matches!(&self.documents, Documents::List(list) if list == key);
        documents || self.labels.as_deref() == Some(key)
    }
}

/// Whether a column of cells has a name that is of lists.
pub(super) fn is_of_lists(name: &str) -> bool {
    places(&LISTS, name.trim()).len() == 1
}

/// The only one of `found`.
fn one(found: Vec<String>, what: &str) -> Result<String, Unclear> {
    match &found[..] {
        [only] => Ok(only.clone()),
        [] => Err(Unclear::List(format!("no usual name of the {what}"))),
        several => Err(Unclear::List(format!(
            "several usual names of the {what}: {}",
            several.join(", ")
        ))),
    }
}

/// The columns named `base`, `base_1`, `base_2`, ..., by their numbers.
fn numbered(names: &[&str], base: &str) -> Vec<String> {
    let number = |name: &str| -> Option<u64> {
        let name = name.trim();
        let head = name.get(..base.len())?;
        if !head.eq_ignore_ascii_case(base) {
            return None;
        }
        match &name[base.len()..] {
            "" => Some(0),
            rest => rest.strip_prefix('_')?.parse().ok(),
        }
    };
    let mut found: Vec<(u64, &str)> = names
        .iter()
        .filter_map(|name| Some((number(name)?, *name)))
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found
        .into_iter()
        .map(|(_, name)| name.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &[&str]) -> Result<Option<ListForm>, Unclear> {
        let lists = ["docs", "labels", "answer"];
        ListForm::find(names, &Columns::default(), false, |name| {
            lists.contains(&name)
        })
    }

    #[test]
    fn forms_are_known_by_their_names() {
        let form = find(&["labels", "docs", "Query", "id"]).unwrap().unwrap();
        assert_eq!(form.columns(), ["Query", "docs", "labels"]);
        let form = find(&["question", "answer", "labels"]).unwrap().unwrap();
        assert_eq!(form.documents, Documents::List("answer".into()));
        let names = ["anchor", "positive", "negative_10", "negative_2", "score"];
        let form = find(&names).unwrap().unwrap();
        // `score` holds no list.
        assert_eq!(
            form.columns(),
            ["anchor", "positive", "negative_2", "negative_10"]
        );
        let form = find(&["query", "pos", "neg", "labels"]).unwrap().unwrap();
        assert_eq!(form.columns(), ["query", "pos", "neg", "labels"]);
        for names in [
            &["query", "document", "score"][..],
            &["sentence1", "sentence2", "label"],
            &["a", "b"],
            &[],
        ] {
            assert_eq!(find(names), Ok(None), "{names:?}");
        }
    }

    #[test]
    fn what_is_unclear_is_a_question() {
        for names in [
            &["query", "question", "docs", "labels"][..],
            &["id", "docs", "labels"],
            &["query", "docs"],
            &["query", "docs", "labels", "scores"],
            &["query", "negative"],
            &["query", "positive", "answer", "negative"],
        ] {
            assert!(matches!(find(names), Err(Unclear::List(_))), "{names:?}");
        }
    }
}
