//! `cosine(a, b)`.

use crate::embed::item;
use crate::texts::{columns, returned, values};
use datafusion_common::arrow::array::{Array, Float64Array};
use datafusion_common::arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Two vectors to their cosine.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Cosine {
    signature: Signature,
}

impl Cosine {
    pub fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Cosine {
    fn name(&self) -> &str {
        "cosine"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.len() != 2 {
            return plan_err!(
                "cosine: expected two vectors, and there are {} arguments",
                types.len()
            );
        }
        let list = |of: &DataType| match of {
            DataType::Null => Ok(DataType::List(item())),
            DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _)
                if of.data_type().is_numeric() || of.data_type().is_null() =>
            {
                Ok(DataType::List(item()))
            }
            other => plan_err!("cosine: expected a list of numbers, and there is {other}"),
        };
        types.iter().map(list).collect()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    /// Null where a vector is, or has no length.
    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (vectors, alone) = columns(&arguments.args)?;
        let [first, second] = &vectors[..] else {
            return exec_err!("cosine: expected two vectors");
        };
        let mut cosines = Vec::with_capacity(first.len());
        for row in 0..first.len() {
            if first.is_null(row) || second.is_null(row) {
                cosines.push(None);
                continue;
            }
            let (a, b) = (values(first, row), values(second, row));
            if a.len() != b.len() {
                let (a, b) = (a.len(), b.len());
                return exec_err!(
                    "cosine: vectors of {a} and of {b} values; they are of different models"
                );
            }
            cosines.push(cosine(&a, &b));
        }
        returned(Arc::new(Float64Array::from(cosines)), alone)
    }
}

fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let lengths = product(a, a).sqrt() * product(b, b).sqrt();
    (lengths > 0.0).then(|| product(a, b) / lengths)
}
