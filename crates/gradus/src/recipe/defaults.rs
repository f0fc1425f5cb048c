//! What keys mean that a file leaves out, in recipes of every kind.

pub(super) fn seed() -> u64 {
    777
}
pub(super) fn log_every() -> u64 {
    10
}
pub(super) fn checkpoint_seconds() -> u64 {
    120
}
pub(super) fn weight_decay() -> f64 {
    0.01
}
pub(super) fn one() -> usize {
    1
}
pub(super) fn one_f64() -> f64 {
    1.0
}
pub(super) fn yes() -> bool {
    true
}
pub(super) fn is_false(value: &bool) -> bool {
    !value
}
