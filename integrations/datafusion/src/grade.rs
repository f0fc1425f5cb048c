//! `grade(a, b, 'model')`.

use crate::Models;
use crate::models::failed;
use crate::texts::{columns, model, returned, text, texts};
use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Two texts to how alike they are.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Grade {
    models: Models,
    signature: Signature,
}

impl Grade {
    pub fn new(models: &Models) -> Self {
        let texts = vec![DataType::Utf8, DataType::Utf8, DataType::Utf8];
        Self {
            models: models.clone(),
            signature: Signature::exact(texts, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Grade {
    fn name(&self) -> &str {
        "grade"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scorer = self.models.scorer(&model("grade", &arguments.args[2])?)?;
        let (given, alone) = columns(&arguments.args[..2])?;
        let (first, second) = (texts(&given[0])?, texts(&given[1])?);
        let pair = |row: usize| Some((text(first, row)?, text(second, row)?));
        let pairs: Vec<Option<(&str, &str)>> = (0..first.len()).map(pair).collect();
        let there: Vec<(&str, &str)> = pairs.iter().flatten().copied().collect();
        let scores = scorer.score(&there).map_err(failed)?;
        let mut scores = scores.into_iter().map(|score| score.recommended);
        // As many as there are pairs, in their order.
        let grades = pairs.iter().map(|pair| pair.and_then(|_| scores.next()));
        let grades: Float64Array = grades.collect();
        returned(Arc::new(grades), alone)
    }
}
