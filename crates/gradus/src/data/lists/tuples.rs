//! Tuples without labels, which contrastive objectives learn from: a text, one that
//! means the same, and several that do not.

use super::form::Documents;
use super::table::Table;
use super::{text, texts};
use crate::Result;
use crate::data::{DataError, PairFile, Place, Remedy};

impl PairFile {
    /// Hands on rows of an anchor, a positive and `negatives` hard negatives, until
    /// `add` says that it is enough.
    ///
    /// The negatives are those of all columns named `negative`, `neg`, `negatives` or
    /// `hard_neg`, alone or with a number as in `negative_1`, and of lists in them; the
    /// first `negatives` count. A row that has fewer has them again, in turn. Several
    /// positives make a row each.
    ///
    /// # Errors
    /// [`DataError::UnclearColumns`] where no column is named so, and those of
    /// [`PairFile::rows`].
    pub(in crate::data) fn each_tuple(
        &self,
        negatives: usize,
        add: &mut impl FnMut(Vec<String>) -> bool,
    ) -> Result<()> {
        let Some((table, form)) = Table::open(self)? else {
            return Err(self.no_negatives());
        };
        let Documents::Tuple {
            positive,
            negatives: columns,
        } = &form.documents
        else {
            return Err(self.no_negatives());
        };
        for row in table.rows {
            let row = row?;
            let at = Place {
                is_row: table.is_row,
                ..Place::new(&table.path, row.line)
            };
            let value = |key: &str| form.value(&row.object, key);
            let anchor = text(&form.query, value(&form.query).as_ref(), &at)?;
            let (mut positives, mut others) = (vec![], vec![]);
            texts(positive, value(positive).as_ref(), &at, &mut positives)?;
            form.negatives(columns, &row.object, &at, &mut others)?;
            for positive in positives {
                let pair = [anchor.clone(), positive].into_iter();
                let others = others.iter().cycle().take(negatives).cloned();
                if !add(pair.chain(others).collect()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn no_negatives(&self) -> crate::Error {
        DataError::UnclearColumns {
            path: self.path.clone(),
            role: "negatives",
            reason: "no column has a usual name for them".into(),
            remedies: vec![Remedy::from(
                "name the columns anchor, positive, negative_1, negative_2 and so on in the first row",
            )],
        }
        .into()
    }
}
