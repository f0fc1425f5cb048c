//! Arguments: columns of texts, and the literal that names a model.

use datafusion_common::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion_common::cast::as_string_array;
use datafusion_common::{Result, ScalarValue, plan_err};
use datafusion_expr::ColumnarValue;

/// The literal that names a model.
pub fn model(function: &str, argument: &ColumnarValue) -> Result<String> {
    match argument {
        ColumnarValue::Scalar(ScalarValue::Utf8(Some(name))) => Ok(name.clone()),
        _ => plan_err!("{function}: the model is no literal text, such as 'all-MiniLM-L6-v2'"),
    }
}

/// Columns of texts, each of as many rows; whether all were single values.
pub fn columns(arguments: &[ColumnarValue]) -> Result<(Vec<ArrayRef>, bool)> {
    let alone = |argument: &ColumnarValue| matches!(argument, ColumnarValue::Scalar(_));
    let all_alone = arguments.iter().all(alone);
    Ok((ColumnarValue::values_to_arrays(arguments)?, all_alone))
}

/// A column's texts.
pub fn texts(column: &ArrayRef) -> Result<&StringArray> {
    as_string_array(column)
}

/// The text of a row, where it is not null.
pub fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// What a function returns: a column, or the value of its one row.
pub fn returned(column: ArrayRef, alone: bool) -> Result<ColumnarValue> {
    match alone {
        true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
            &column, 0,
        )?)),
        false => Ok(ColumnarValue::Array(column)),
    }
}

/// The values of a row of a column of lists of `Float32`.
pub fn values(column: &ArrayRef, row: usize) -> Vec<f32> {
    let list = column.as_list::<i32>().value(row);
    let values = list.as_primitive::<datafusion_common::arrow::datatypes::Float32Type>();
    values
        .iter()
        .map(|value| value.unwrap_or(f32::NAN))
        .collect()
}
