//! `embed(text, 'model')`.

use crate::Models;
use crate::models::failed;
use crate::texts::{columns, model, returned, text, texts};
use datafusion_common::Result;
use datafusion_common::arrow::array::{Array, Float32Array, ListArray};
use datafusion_common::arrow::buffer::OffsetBuffer;
use datafusion_common::arrow::datatypes::{DataType, Field};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

/// Texts to vectors.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Embed {
    models: Models,
    signature: Signature,
}

impl Embed {
    pub fn new(models: &Models) -> Self {
        let texts = vec![DataType::Utf8, DataType::Utf8];
        Self {
            models: models.clone(),
            signature: Signature::exact(texts, Volatility::Immutable),
        }
    }
}

/// A value of a vector.
pub fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Float32, true))
}

impl ScalarUDFImpl for Embed {
    fn name(&self) -> &str {
        "embed"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let encoder = self.models.encoder(&model("embed", &arguments.args[1])?)?;
        let (given, alone) = columns(&arguments.args[..1])?;
        let given = texts(&given[0])?;
        let there: Vec<&str> = (0..given.len())
            .filter_map(|row| text(given, row))
            .collect();
        let vectors = encoder.encode(&there).map_err(failed)?;
        let widths = (0..given.len()).map(|row| match given.is_valid(row) {
            true => vectors.dim(),
            false => 0,
        });
        let list = ListArray::try_new(
            item(),
            OffsetBuffer::from_lengths(widths),
            Arc::new(Float32Array::from(vectors.into_vec())),
            given.nulls().cloned(),
        )?;
        returned(Arc::new(list), alone)
    }
}
