//! Some rows of a matrix, and back; others in their place; others subtracted.

use super::{Cpu, Tensor};

pub(super) fn forward(cpu: &Cpu, x: &Tensor, rows: &[u32]) -> Tensor {
    let width = x.cols();
    let mut out = cpu.uninit(rows.len(), width);
    for (out, &row) in out.values_mut().chunks_exact_mut(width.max(1)).zip(rows) {
        out.copy_from_slice(x.row(row as usize));
    }
    out
}

pub(super) fn backward(cpu: &Cpu, dy: &Tensor, rows: &[u32], total: usize) -> Tensor {
    let width = dy.cols();
    let mut dx = cpu.uninit(total, width);
    let values = dx.values_mut();
    values.fill(0.0);
    for (i, &row) in rows.iter().enumerate() {
        let from = row as usize * width;
        for (sum, x) in values[from..from + width].iter_mut().zip(dy.row(i)) {
            *sum += x;
        }
    }
    dx
}

pub(super) fn replace(mut x: Tensor, rows: &[u32], values: &Tensor) -> Tensor {
    let width = x.cols();
    assert_eq!(
        (rows.len(), width),
        (values.rows(), values.cols()),
        "one row of values for each row"
    );
    let out = x.values_mut();
    for (i, &row) in rows.iter().enumerate() {
        let from = row as usize * width;
        out[from..from + width].copy_from_slice(values.row(i));
    }
    x
}

pub(super) fn subtract(cpu: &Cpu, x: &Tensor, of: &[u32]) -> Tensor {
    let width = x.cols();
    let mut out = cpu.uninit(of.len(), width);
    for (i, &row) in of.iter().enumerate() {
        let place = &mut out.values_mut()[i * width..(i + 1) * width];
        for ((out, x), other) in place.iter_mut().zip(x.row(i)).zip(x.row(row as usize)) {
            *out = x - other;
        }
    }
    out
}

pub(super) fn subtract_backward(cpu: &Cpu, dy: &Tensor, of: &[u32], total: usize) -> Tensor {
    let (rows, width) = (dy.rows(), dy.cols());
    assert_eq!(rows, of.len(), "one row for each");
    let mut dx = cpu.uninit(total, width);
    let values = dx.values_mut();
    values[..rows * width].copy_from_slice(dy.values());
    values[rows * width..].fill(0.0);
    for (i, &row) in of.iter().enumerate() {
        assert!(
            row as usize >= rows,
            "row {row} has another's subtracted itself"
        );
        let from = row as usize * width;
        for (sum, dy) in values[from..from + width].iter_mut().zip(dy.row(i)) {
            *sum -= dy;
        }
    }
    dx
}
