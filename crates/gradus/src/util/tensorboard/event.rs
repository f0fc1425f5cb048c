//! Events, in the wire format of protocol buffers. Only what scalars need of
//! `event.proto` and `summary.proto` of TensorBoard.

/// What an event says.
pub(crate) enum What<'a> {
    /// The first event of a file: its format.
    Version,
    /// A start: what was read of later steps counts no more.
    Start,
    /// Values under their names.
    Scalars(&'a [(String, f64)]),
}

/// An event at a time, in seconds since 1970, and a step.
pub(crate) fn event(wall_time: f64, step: u64, what: &What<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    fixed64(&mut out, 1, wall_time);
    if step > 0 {
        key(&mut out, 2, 0);
        varint(&mut out, step);
    }
    match what {
        What::Version => bytes(&mut out, 3, b"brain.Event:2"),
        What::Start => bytes(&mut out, 7, &[8, 1]),
        What::Scalars(scalars) => {
            let mut summary = Vec::new();
            for (tag, value) in *scalars {
                let mut one = Vec::new();
                bytes(&mut one, 1, tag.as_bytes());
                key(&mut one, 2, 5);
                one.extend((*value as f32).to_le_bytes());
                bytes(&mut summary, 1, &one);
            }
            bytes(&mut out, 5, &summary);
        }
    }
    out
}

/// A field's number and how its value is written.
fn key(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn fixed64(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

#[cfg(test)]
mod tests {
    use super::super::record::record;
    use super::*;

    #[test]
    fn records_are_those_of_tensorboards_own_writer() {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/reference/events.json")).unwrap();
        let hex = |what: &What<'_>, step| -> String {
            let record = record(&event(1_700_000_000.5, step, what));
            record.iter().map(|b| format!("{b:02x}")).collect()
        };
        let scalars = [
            ("cosine/loss".to_owned(), 0.4375),
            ("cosine/learning_rate".to_owned(), 2e-5),
        ];
        assert_eq!(hex(&What::Version, 0), reference["version"]);
        assert_eq!(hex(&What::Start, 0), reference["start"]);
        assert_eq!(hex(&What::Scalars(&scalars), 300), reference["scalars"]);
    }
}
