//! Scripts of letters, as a cheap sign of another language.
//!
//! It tells Russian from English, not French from English.

/// Scripts that are told apart. Chinese characters and Japanese kana count as one, as
/// Japanese mixes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Indic,
    Thai,
    Georgian,
    Hangul,
    Han,
    Other,
}

const ALL: [Script; 12] = [
    Script::Latin,
    Script::Greek,
    Script::Cyrillic,
    Script::Armenian,
    Script::Hebrew,
    Script::Arabic,
    Script::Indic,
    Script::Thai,
    Script::Georgian,
    Script::Hangul,
    Script::Han,
    Script::Other,
];

fn script_of(c: char) -> Script {
    match u32::from(c) {
        0x41..=0x24F
        | 0x1E00..=0x1EFF
        | 0x2C60..=0x2C7F
        | 0xA720..=0xA7FF
        | 0xFB00..=0xFB06
        | 0xFF21..=0xFF5A => Script::Latin,
        0x370..=0x3FF | 0x1F00..=0x1FFF => Script::Greek,
        0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Script::Cyrillic,
        0x530..=0x58F => Script::Armenian,
        0x590..=0x5FF | 0xFB1D..=0xFB4F => Script::Hebrew,
        0x600..=0x6FF | 0x750..=0x77F | 0x8A0..=0x8FF | 0xFB50..=0xFDFF | 0xFE70..=0xFEFF => {
            Script::Arabic
        }
        0x900..=0xDFF => Script::Indic,
        0xE00..=0xE7F => Script::Thai,
        0x10A0..=0x10FF | 0x1C90..=0x1CBF | 0x2D00..=0x2D2F => Script::Georgian,
        0x1100..=0x11FF | 0x3130..=0x318F | 0xAC00..=0xD7FF => Script::Hangul,
        0x3005..=0x3007
        | 0x3040..=0x30FF
        | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xF900..=0xFAFF
        | 0x20000..=0x323AF => Script::Han,
        _ => Script::Other,
    }
}

fn counts(text: &str) -> [usize; 12] {
    let mut counts = [0; 12];
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        counts[script_of(c) as usize] += 1;
    }
    counts
}

/// The share of a text's letters that are of the script of most of the sentence's.
/// `None` where either has no letters.
pub(super) fn share_in_script_of(sentence: &str, text: &str) -> Option<f64> {
    let (of_sentence, of_text) = (counts(sentence), counts(text));
    let main = ALL
        .into_iter()
        .rev()
        .max_by_key(|s| of_sentence[*s as usize])?;
    let total: usize = of_text.iter().sum();
    (of_sentence[main as usize] > 0 && total > 0)
        .then(|| of_text[main as usize] as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted_by_script() {
        for (sentence, text, share) in [
            ("A dog.", "Ein Hündchen", Some(1.0)),
            ("A dog.", "Собака", Some(0.0)),
            ("東京に行く", "京都へいく", Some(1.0)),
            ("A dog.", "犬dog", Some(0.75)),
            ("A dog.", "123", None),
            ("123", "A dog", None),
        ] {
            assert_eq!(share_in_script_of(sentence, text), share, "{text}");
        }
    }
}
