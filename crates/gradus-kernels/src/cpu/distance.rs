//! The bias on scores by distance, one row a head, and its scatter.

use super::arena::Arena;
use super::{Cpu, Tensor};
use crate::{DistanceBias, Packed, alibi_slopes};

/// How many distances a batch has, from the last key before the first query to
/// the first behind the last.
fn distances(batch: &Packed) -> usize {
    (2 * batch.longest()).saturating_sub(1)
}

/// The distance of a column.
fn distance(column: usize, batch: &Packed) -> isize {
    column as isize - (batch.longest() as isize - 1)
}

pub(super) fn forward(
    cpu: &Cpu,
    params: &Arena,
    bias: &DistanceBias,
    batch: &Packed,
    heads: usize,
) -> Tensor {
    let columns = distances(batch);
    let mut out = cpu.uninit(heads, columns);
    let values = out.values_mut();
    match bias {
        DistanceBias::Alibi => {
            for (head, slope) in alibi_slopes(heads).into_iter().enumerate() {
                let row = &mut values[head * columns..(head + 1) * columns];
                for (column, x) in row.iter_mut().enumerate() {
                    *x = -slope * distance(column, batch).unsigned_abs() as f32;
                }
            }
        }
        DistanceBias::Learned {
            table,
            max_distance,
        } => {
            assert_eq!(table.cols, heads, "a column of the table for each head");
            let table_values = params.view(*table);
            for column in 0..columns {
                let far = distance(column, batch);
                let bucket = DistanceBias::bucket(far, table.rows, *max_distance);
                for head in 0..heads {
                    values[head * columns + column] = table_values[bucket * heads + head];
                }
            }
        }
    }
    out
}

pub(super) fn backward(bias: &DistanceBias, batch: &Packed, dy: &Tensor, grads: &mut Arena) {
    let DistanceBias::Learned {
        table,
        max_distance,
    } = bias
    else {
        return;
    };
    let (heads, columns) = (table.cols, distances(batch));
    assert_eq!((dy.rows(), dy.cols()), (heads, columns), "gradient shape");
    let grads = grads.part(*table);
    for column in 0..columns {
        let far = distance(column, batch);
        let bucket = DistanceBias::bucket(far, table.rows, *max_distance);
        for head in 0..heads {
            grads[bucket * heads + head] += dy.values()[head * columns + column];
        }
    }
}
