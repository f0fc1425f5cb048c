//! Texts of Python: a `str`, or anything that holds some.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Texts, and whether there was one alone.
pub fn texts(from: &Bound<'_, PyAny>) -> PyResult<(Vec<String>, bool)> {
    if let Ok(text) = from.cast::<PyString>() {
        return Ok((vec![text.to_str()?.to_owned()], true));
    }
    let all = items(from)?;
    let mut texts = vec![];
    for (place, item) in all.iter().enumerate() {
        texts.push(text(item, || format!("text {place}"))?);
    }
    Ok((texts, false))
}

/// Pairs of texts, and whether there was one alone.
pub fn pairs(from: &Bound<'_, PyAny>) -> PyResult<(Vec<(String, String)>, bool)> {
    let all = items(from)?;
    let alone = all.len() == 2 && all.iter().all(|item| item.is_instance_of::<PyString>());
    let pair = |item: &[Bound<'_, PyAny>], place: usize| match item {
        [first, second] => {
            let of = |which: &str| format!("the {which} text of pair {place}");
            Ok((text(first, || of("first"))?, text(second, || of("second"))?))
        }
        other => Err(PyTypeError::new_err(format!(
            "pair {place} has {} texts; give two",
            other.len()
        ))),
    };
    if alone {
        return Ok((vec![pair(&all, 0)?], true));
    }
    let mut pairs = vec![];
    for (place, item) in all.iter().enumerate() {
        if item.is_instance_of::<PyString>() {
            let why = format!("pair {place} is one text; give two");
            return Err(PyTypeError::new_err(why));
        }
        pairs.push(pair(&items(item)?, place)?);
    }
    Ok((pairs, false))
}

/// What lists, arrays of NumPy, columns of pandas and Arrow, and iterators hold.
fn items<'py>(from: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    // Far faster than one by one, and plain objects come out.
    let list = ["to_pylist", "tolist", "to_list"]
        .into_iter()
        .find(|name| from.hasattr(name).unwrap_or(false))
        .map(|name| from.call_method0(name))
        .transpose()?;
    let from = list.as_ref().unwrap_or(from);
    from.try_iter()?.collect()
}

fn text(item: &Bound<'_, PyAny>, what: impl FnOnce() -> String) -> PyResult<String> {
    match item.cast::<PyString>() {
        Ok(text) => Ok(text.to_str()?.to_owned()),
        Err(_) => {
            let kind = item.get_type().qualname()?;
            Err(PyTypeError::new_err(format!(
                "{} is a {kind}, not a str",
                what()
            )))
        }
    }
}
