//! NumPy's array file, version 1.0.

/// Bytes of a header; room for any shape, and a multiple of 64 as the format
/// asks.
pub const HEADER: usize = 128;

/// The header of a float32 array of `rows` rows in C order. It is as long
/// whatever the shape, so that it can be written again once the number of rows
/// is known.
pub fn header(rows: u64, width: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(((HEADER - 10) as u16).to_le_bytes());
    let fields =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}");
    bytes.extend(fields.as_bytes());
    bytes.resize(HEADER - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// Values as the array file holds them.
pub fn values(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_room() {
        for (rows, width) in [(0, 1), (12, 384), (u64::MAX, usize::MAX)] {
            let bytes = header(rows, width);
            assert_eq!(bytes.len(), HEADER);
            let text = String::from_utf8(bytes[10..].to_vec()).unwrap();
            assert!(text.contains(&format!("({rows}, {width}), }}")), "{text}");
            assert!(text.ends_with(" \n"), "{text}");
        }
    }
}
