//! Which of alike texts stays.

use crate::groups;
use crate::neighbours::Matrix;
use crate::store::Index;
use crate::{IndexError, Result};
use serde_json::Value;

/// Which of alike texts stays; of equal ones the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// The first.
    First,
    /// The last.
    Last,
    /// The longest.
    Longest,
    /// The shortest.
    Shortest,
    /// The one nearest to the mean of its cluster, or of all texts ("easy" in SemDeDup).
    Central,
    /// The one farthest from it ("hard").
    Outlying,
    /// The one with the highest number in a column.
    Highest(String),
    /// The one with the lowest.
    Lowest(String),
}

/// The rows that count, those first that are rather kept.
pub(super) fn by_preference(
    index: &Index,
    matrix: &Matrix<'_>,
    live: &[usize],
    clusters: &[Vec<usize>],
    keep: &Keep,
) -> Result<Vec<usize>> {
    let mut order = live.to_vec();
    let mut worth = vec![0f64; matrix.rows().len()];
    match keep {
        Keep::First => return Ok(order),
        Keep::Last => {
            order.reverse();
            return Ok(order);
        }
        Keep::Longest | Keep::Shortest => {
            for record in index.records() {
                let (row, record) = record?;
                worth[row] = record.text.chars().count() as f64;
            }
        }
        Keep::Central | Keep::Outlying => {
            for rows in clusters {
                let mean = groups::mean_of(matrix, rows);
                for (row, cosine) in rows.iter().zip(groups::cosines_with(matrix, rows, &mean)) {
                    worth[*row] = f64::from(cosine);
                }
            }
        }
        Keep::Highest(column) | Keep::Lowest(column) => {
            for record in index.records() {
                let (row, record) = record?;
                if matrix.rows().has(row) {
                    worth[row] = number(record.columns.get(column)).ok_or_else(|| {
                        IndexError::Settings(format!(
                            "the text {:?} has no number in a column {column:?}; its columns are {}",
                            record.id,
                            names(record.columns.keys())
                        ))
                    })?;
                }
            }
        }
    }
    let rising = matches!(keep, Keep::Shortest | Keep::Outlying | Keep::Lowest(_));
    order.sort_by(|a, b| {
        let (a_worth, b_worth) = match rising {
            true => (worth[*a], worth[*b]),
            false => (worth[*b], worth[*a]),
        };
        a_worth.total_cmp(&b_worth).then(a.cmp(b))
    });
    Ok(order)
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    match names.is_empty() {
        true => "none (ids and texts aside)".into(),
        false => names.join(", "),
    }
}

/// Numbers, and cells that are such.
fn number(value: Option<&Value>) -> Option<f64> {
    let number = match value? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}
