//! The column that names texts.

use super::Column;
use serde_json::Value;

/// Names under which files keep what a text is called, the likelier ones first.
const ID_NAMES: [&str; 9] = [
    "id",
    "_id",
    "doc_id",
    "docid",
    "document_id",
    "passage_id",
    "pid",
    "query_id",
    "qid",
];

/// Whether a text has an id, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IdColumn {
    /// None is read.
    #[default]
    None,
    /// Under a usual name (`id`, `_id`, `docid`, `qid`, ...), where there is one.
    Usual,
    /// In this column.
    Given(Column),
}

/// The column with a usual name that stands first among them.
pub(super) fn usual_id(names: &[&str]) -> Option<usize> {
    ID_NAMES.iter().find_map(|usual| {
        let is = |name: &&str| name.trim().eq_ignore_ascii_case(usual);
        names.iter().position(is)
    })
}

/// An id as JSON or Parquet hold it: a string or a whole number.
pub(super) fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}
