//! Any change to any file: an error, or a model that encodes.

use crate::folder::Folder;
use gradus::models::EncodeOptions;
use proptest::prelude::*;
use proptest::sample::Index;

/// A model and the files that are read of it.
const FILES: [(&str, &[&str]); 4] = [
    (
        "bert-small",
        &[
            "config.json",
            "model.safetensors",
            "modules.json",
            "1_Pooling/config.json",
            "sentence_bert_config.json",
            "tokenizer.json",
        ],
    ),
    (
        "bert-gelu-new",
        &[
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "config_sentence_transformers.json",
        ],
    ),
    (
        "bert-relu-prefixed",
        &[
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json",
            "tokenizer_config.json",
            "vocab.txt",
        ],
    ),
    ("xlmr-small", &["config.json", "tokenizer.json"]),
];

#[derive(Debug, Clone)]
enum Change {
    /// A byte becomes another.
    Put(Index, u8),
    /// A bit flips, early in the file: where headers and descriptions are.
    Flip(Index, u8),
    /// A digit becomes other digits.
    Digit(Index, u64),
    /// Nothing stays from here on.
    Cut(Index),
    /// A part is copied over another place.
    Splice(Index, Index, usize),
    /// A part is put in at another place.
    Insert(Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(i, b)| Change::Put(i, b)),
        (at(), 0u8..8).prop_map(|(i, b)| Change::Flip(i, b)),
        (at(), any::<u64>(), 0u32..64).prop_map(|(i, n, s)| Change::Digit(i, n >> s)),
        at().prop_map(Change::Cut),
        (at(), at(), 1usize..100).prop_map(|(i, j, n)| Change::Splice(i, j, n)),
        (at(), at(), 1usize..100).prop_map(|(i, j, n)| Change::Insert(i, j, n)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    let part = |from: &Index, n: usize| {
        let from = from.index(len);
        from..(from + n).min(len)
    };
    match change {
        Change::Put(at, byte) => bytes[at.index(len)] = *byte,
        Change::Flip(at, bit) => bytes[at.index(len.min(2000))] ^= 1 << bit,
        Change::Digit(at, number) => {
            let from = at.index(len);
            let digit = (from..len.min(from + 5000)).find(|&i| bytes[i].is_ascii_digit());
            if let Some(i) = digit {
                bytes.splice(i..i + 1, number.to_string().into_bytes());
            }
        }
        Change::Cut(at) => bytes.truncate(at.index(len)),
        Change::Splice(from, to, n) => {
            let copy = bytes[part(from, *n)].to_vec();
            let to = part(to, copy.len());
            let copy = &copy[..to.len()];
            bytes[to].copy_from_slice(copy);
        }
        Change::Insert(from, to, n) => {
            let copy = bytes[part(from, *n)].to_vec();
            let to = to.index(len);
            bytes.splice(to..to, copy);
        }
    }
}

fn file() -> impl Strategy<Value = (&'static str, &'static str)> {
    let all = FILES
        .iter()
        .flat_map(|(m, files)| files.iter().map(|f| (*m, *f)));
    prop::sample::select(all.collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn an_error_or_a_model(
        (name, file) in file(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let folder = Folder::of(name);
        let mut bytes = folder.read(file);
        changes.iter().for_each(|c| apply(&mut bytes, c));
        folder.write(file, bytes);
        let root = folder.path("").display().to_string();
        let root = root.trim_end_matches('/');
        match folder.load() {
            Ok(model) => {
                let texts = ["", "a word, another", "\u{0}\u{65e5}\u{1f600}", &"long ".repeat(99)];
                match model.encode_with(&texts, EncodeOptions { batch_tokens: Some(16) }) {
                    Ok(vectors) => {
                        prop_assert_eq!((vectors.rows(), vectors.dim()), (4, model.dim()));
                    }
                    Err(e) => prop_assert!(e.to_string().contains(": tokenizer: "), "{}", e),
                }
            }
            Err(e) => prop_assert!(e.to_string().starts_with(root), "{}", e),
        }
    }
}
