//! Texts that nobody writes: finite vectors of the right shape, and the same
//! bits alone, in company, and however batches are cut.

use crate::common::{load, model_folder};
use gradus::models::{EncodeOptions, SentenceEncoder};
use gradus::text::Tokens;
use gradus_kernels::cpu::Cpu;
use proptest::prelude::*;

const MODELS: [&str; 4] = [
    "bert-small",
    "bert-relu-prefixed",
    "roberta-small",
    "xlmr-small",
];

/// Each vector's bits, by way of batches of so many tokens.
fn bits(model: &SentenceEncoder<Cpu>, tokens: &[Tokens], batch_tokens: usize) -> Vec<Vec<u32>> {
    let vectors = model.encode_tokens(
        tokens,
        EncodeOptions {
            batch_tokens: Some(batch_tokens),
        },
    );
    assert_eq!((vectors.rows(), vectors.dim()), (tokens.len(), model.dim()));
    assert!(vectors.as_slice().iter().all(|x| x.is_finite()));
    let rows = (0..vectors.rows()).map(|i| vectors.row(i));
    rows.map(|row| row.iter().map(|x| x.to_bits()).collect())
        .collect()
}

fn tokens(model: &SentenceEncoder<Cpu>, texts: &[&str]) -> Vec<Tokens> {
    let tokens = model.tokenizer().encode(texts);
    tokens.unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn texts_that_nobody_writes() {
    let mega = 1 << 20;
    let texts = [
        String::new(),
        "a".repeat(mega),
        "a ".repeat(100_000),
        "\u{65e5}".repeat(100_000),
        "\u{1f600}".repeat(100_000),
        "\u{1f468}\u{200d}\u{1f469}\u{200d}".repeat(10_000),
        "\0".repeat(10_000),
        "a\0b\0".into(),
        "\u{301}".repeat(100_000),
        format!("a{}", "\u{301}".repeat(100_000)),
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{645}\u{631}\u{62d}\u{628}\u{627}".into(),
        "\u{202e}abc\u{202c}\u{feff}".repeat(1000),
        " \t\r\n\u{a0}\u{3000}\u{2028}".repeat(10_000),
        "[CLS] [SEP] [MASK] [UNK] [PAD] <s> </s> <pad> <mask>".repeat(1000),
        "\u{fffd}\u{fffe}\u{10ffff}\u{e000}".repeat(100),
        "!?.,;:-()".repeat(10_000),
        // One character that becomes eighteen.
        "\u{fdfa}".repeat(10_000),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for name in MODELS {
        let model = load(&model_folder(name));
        let all = tokens(&model, &texts);
        let together = bits(&model, &all, 2048);
        for batch_tokens in [0, 1, 50, usize::MAX] {
            assert_eq!(bits(&model, &all, batch_tokens), together, "{name}");
        }
        for (i, text) in texts.iter().enumerate() {
            let alone = model.encode(&[text]).unwrap();
            let alone: Vec<u32> = alone.row(0).iter().map(|x| x.to_bits()).collect();
            assert_eq!(alone, together[i], "{name}: text {i}");
        }
    }
}

/// Text with a liking for what is odd.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        '\0',
        '\u{301}',
        '\u{200d}',
        '\u{feff}',
        '\u{202e}',
        '\u{fdfa}',
        '\u{1f600}',
        '\u{ac00}',
        '\u{130}',
        '\u{df}',
        '\u{fb03}',
        ' ',
        '\n',
        '\u{3000}',
        '[',
        '#',
        '<',
        '\u{2581}',
        'a',
    ]);
    let some = prop_oneof![any::<char>(), odd];
    prop::collection::vec(some, 0..60).prop_map(|c| c.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn bits_do_not_depend_on_company(
        name in prop::sample::select(MODELS.to_vec()),
        texts in prop::collection::vec(text(), 1..12),
        batch_tokens in prop_oneof![0usize..200, Just(usize::MAX)],
    ) {
        let model = load(&model_folder(name));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = bits(&model, &tokens(&model, &texts), batch_tokens);
        for (text, vector) in texts.iter().zip(&together) {
            prop_assert_eq!(&bits(&model, &tokens(&model, &[text]), 2048)[0], vector);
        }
    }
}
