//! Random numbers that are a function of a seed and a place.

/// The `k`-th number of the SplitMix64 sequence of `seed` (Steele, Lea and Flood, OOPSLA
/// 2014).
pub fn random(seed: u64, k: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(k.wrapping_add(1)));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
