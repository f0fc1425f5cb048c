/// Whether a setting lies within its bounds; a `low` of the least positive number
/// stands for 0, which is not within.
pub(super) fn within(name: &str, value: f64, low: f64, high: f64) -> Result<(), String> {
    if (low..=high).contains(&value) {
        Ok(())
    } else if low == f64::MIN_POSITIVE {
        Err(format!(
            "`{name}` is {value}, it must lie above 0 and not above {high}"
        ))
    } else {
        Err(format!(
            "`{name}` is {value}, it must lie in [{low}, {high}]"
        ))
    }
}
