//! Records of a TFRecord file: length, its checksum, data, its checksum.

/// CRC-32C (Castagnoli), as RFC 3720 has it.
fn crc32c(bytes: &[u8]) -> u32 {
    const REVERSED: u32 = 0x82F6_3B78;
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (REVERSED * carry);
        }
    }
    !crc
}

/// The checksum as records hold it: turned and shifted, since data may hold
/// checksums itself.
fn masked(bytes: &[u8]) -> [u8; 4] {
    let crc = crc32c(bytes).rotate_right(15);
    crc.wrapping_add(0xA282_EAD8).to_le_bytes()
}

/// Frames `data`.
pub(crate) fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked(&length));
    out.extend(data);
    out.extend(masked(data));
    out
}

/// Whether `bytes` are whole and sound records, one after another.
pub(crate) fn are_sound(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
            return false;
        };
        let Some((check, rest)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        let data = usize::try_from(u64::from_le_bytes(*length)).ok();
        let Some((data, rest)) = data.and_then(|n| rest.split_at_checked(n)) else {
            return false;
        };
        let Some((end, rest)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        if *check != masked(length) || *end != masked(data) {
            return false;
        }
        bytes = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(b""), 0);
    }

    #[test]
    fn any_damage_is_seen() {
        let whole = [record(b"one"), record(b""), record(b"three")].concat();
        assert!(are_sound(&whole) && are_sound(b""));
        let ends = [0, 19, 35, 56];
        for cut in 0..whole.len() {
            assert_eq!(are_sound(&whole[..cut]), ends.contains(&cut), "{cut}");
            let mut hurt = whole.clone();
            hurt[cut] ^= 4;
            assert!(!are_sound(&hurt), "{cut}");
        }
    }
}
