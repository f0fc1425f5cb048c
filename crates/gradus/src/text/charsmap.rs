use serde::Deserialize;
use serde_json::Value;

/// The part of `tokenizer.json` that is looked at before the library sees it.
#[derive(Deserialize)]
struct Normalized {
    #[serde(default)]
    normalizer: Value,
}

/// Whether every SentencePiece character map in `json` is as long as it says.
/// The tokenizers library allocates what the first number claims, up to 8 GiB,
/// before it looks.
pub(super) fn check_charsmaps(json: &str) -> Result<(), String> {
    let parsed: Normalized = serde_json::from_str(json).map_err(|e| format!("not JSON: {e}"))?;
    check(&parsed.normalizer)
}

fn check(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter().try_for_each(check),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            match (key.as_str(), value) {
                ("precompiled_charsmap", Value::String(base64)) => match claimed(base64) {
                    // Four characters are three bytes.
                    Some(bytes) if bytes <= base64.len() / 4 * 3 => Ok(()),
                    _ => Err("`precompiled_charsmap` is shorter than it says".into()),
                },
                (_, value) => check(value),
            }
        }),
        _ => Ok(()),
    }
}

/// The length of the map's trie in bytes: a little-endian u32 at its start.
fn claimed(base64: &str) -> Option<usize> {
    let mut bits = 0u64;
    for &c in base64.as_bytes().get(..8)? {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            // Padding: a map of less than six bytes, which holds nothing.
            _ => return None,
        };
        bits = bits << 6 | u64::from(digit);
    }
    Some(((bits >> 16) as u32).swap_bytes() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_longer_than_its_text_is_refused() {
        // Bytes 08 00 00 00, then 8 of trie and one of text.
        let fits = "CAAAAAAAAAAAAAAAAA==";
        for (map, good) in [(fits, true), ("CAEAAAAAAAAAAAAAAA==", false), ("", false)] {
            let json = serde_json::json!({"model": {}, "normalizer": {"type": "Sequence",
                "normalizers": [{"type": "NFC"}, {"type": "Precompiled", "precompiled_charsmap": map}]}});
            assert_eq!(check_charsmaps(&json.to_string()).is_ok(), good, "{map}");
        }
        assert_eq!(claimed("BAMCAQAA"), Some(0x01_02_03_04));
        assert!(check_charsmaps("{}").is_ok());
        assert!(check_charsmaps("[1").is_err());
    }
}
