//! `tokenizer.json` and `vocab.txt`: what fails at once, and what only a text
//! brings out.

use crate::folder::Folder;
use gradus::models::EncodeOptions;
use serde_json::{Value, json};

const JSON: &str = "tokenizer.json";
const VOCAB: &str = "vocab.txt";

/// Takes tokenizer.json as it is, segments too.
fn as_filed(folder: &Folder) {
    const FILE: &str = "tokenizer_config.json";
    let inputs = json!(["input_ids", "token_type_ids"]);
    folder
        .set(FILE, "tokenizer_class", json!("PreTrainedTokenizerFast"))
        .set(FILE, "model_input_names", inputs);
}

#[test]
fn tokenizers_that_fail_at_once() {
    let charsmap = |base64: &str| {
        let map = json!({"type": "Precompiled", "precompiled_charsmap": base64});
        json!({"type": "Sequence", "normalizers": [map]})
    };
    let cases = [
        ("/model", json!(null), ""),
        ("/model/type", json!("Oracle"), ""),
        ("/model/vocab", json!([]), ""),
        ("/model/vocab/[CLS]", json!(-1), ""),
        ("/model/vocab/[CLS]", json!(1u64 << 40), ""),
        ("/added_tokens", json!("[CLS]"), ""),
        ("/added_tokens/0/id", json!(-1), ""),
        ("/normalizer", json!({"type": "Rot13"}), ""),
        (
            "/normalizer",
            charsmap("/////wAA"),
            "`precompiled_charsmap` is shorter than it says",
        ),
        (
            "/post_processor/special_tokens/[CLS]/ids",
            json!([1 << 20]),
            "token id 1048576 lies outside of the model's vocabulary of 150",
        ),
        (
            "/post_processor/special_tokens/[CLS]/ids",
            json!(vec![4; 1000]),
            "1001 of them special, has no room for text",
        ),
        ("/post_processor/special_tokens", json!({}), ""),
        (
            "/post_processor/single/0/SpecialToken/type_id",
            json!(1 << 20),
            "segment 1048576 is outside of the model's 2",
        ),
    ];
    let folder = Folder::of("bert-small");
    as_filed(&folder);
    let sound = folder.read(JSON);
    for (place, value, part) in cases {
        folder.write(JSON, &sound);
        folder.edit(JSON, |t| *t.pointer_mut(place).unwrap() = value);
        folder.refuses("Tokenizer", JSON, &["tokenizer: ", part]);
    }
}

#[test]
fn unigrams_that_fail_at_once() {
    let folder = Folder::of("xlmr-small");
    let sound = folder.read(JSON);
    for (key, value) in [
        ("unk_id", json!(140)),
        ("unk_id", json!(-1)),
        ("vocab", json!([])),
        ("vocab", json!([["<unk>", "low"]])),
    ] {
        folder.write(JSON, &sound);
        folder.edit(JSON, |t| t["model"][key] = value);
        folder.refuses("Tokenizer", JSON, &[]);
    }
}

/// Sound by themselves, and met by a text for which they are not.
#[test]
fn tokenizers_that_fail_on_a_text() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &str); 6] = [
        (
            "bert-small",
            |t| t["model"]["vocab"]["a"] = json!(150),
            "token id 150 lies outside of the model's vocabulary of 150",
        ),
        (
            "bert-small",
            |t| drop(t["model"]["vocab"].as_object_mut().unwrap().remove("[UNK]")),
            "[UNK]",
        ),
        (
            "xlmr-small",
            |t| t["model"]["unk_id"] = json!(null),
            "unk_id",
        ),
        // Twice the text, once cut.
        (
            "bert-small",
            |t| {
                let text = json!({"Sequence": {"id": "A", "type_id": 0}});
                t["post_processor"]["single"] = json!([text, text]);
            },
            "it makes 48 tokens of an input cut to 24",
        ),
        // A character map without a trie, a place of which is then looked up.
        (
            "xlmr-small",
            |t| {
                t["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": "AAAAAAAA"})
            },
            "it makes the tokenizers library fail: index out of bounds",
        ),
        // A one-node trie without text, a place of which is then cut out.
        (
            "xlmr-small",
            |t| {
                t["normalizer"] =
                    json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAAA"})
            },
            "it makes the tokenizers library fail",
        ),
    ];
    for (model, change, part) in cases {
        let folder = Folder::of(model);
        as_filed(&folder);
        folder.edit(JSON, change);
        let loaded = folder.load().unwrap();
        let text = "a \u{65e5}\u{672c} ".repeat(100);
        let error = loaded.encode(&[&text]);
        folder.check(
            &error.unwrap_err(),
            "Tokenizer",
            JSON,
            &["tokenizer: ", part],
        );
    }
}

/// A trainer's truncation and padding are not the model's.
#[test]
fn stored_truncation_is_passed_over() {
    let folder = Folder::of("bert-small");
    let sound = folder.load().unwrap();
    folder.edit(JSON, |t| {
        t["truncation"] = json!({"direction": "Left", "max_length": 0,
            "strategy": "OnlySecond", "stride": 1u64 << 40});
        t["padding"] = json!({"strategy": {"Fixed": 1u64 << 40}, "direction": "Right",
            "pad_to_multiple_of": 0, "pad_id": 1 << 20, "pad_type_id": 9, "pad_token": "x"});
    });
    let texts = ["a word", ""];
    let tokens = folder.load().unwrap().tokenizer().encode(&texts).unwrap();
    assert_eq!(tokens, sound.tokenizer().encode(&texts).unwrap());
}

#[test]
fn word_lists() {
    let folder = Folder::of("bert-relu-prefixed");
    let sound = String::from_utf8(folder.read(VOCAB)).unwrap();
    let without = |piece: &str| sound.replace(piece, "[gone]");
    for (list, part) in [
        (String::new(), "the vocabulary has no [SEP]"),
        ("\n".repeat(100_000), "the vocabulary has no [SEP]"),
        (without("[SEP]"), "the vocabulary has no [SEP]"),
        (without("[CLS]"), "the vocabulary has no [CLS]"),
        (without("[UNK]"), "the vocabulary has no [UNK]"),
        ("x".repeat(10 << 20), "the vocabulary has no [SEP]"),
        (
            format!("{}{}", "\n".repeat(200), sound),
            "lies outside of the model's vocabulary of 164",
        ),
    ] {
        folder.write(VOCAB, list);
        folder.refuses("Tokenizer", VOCAB, &[part]);
    }
    folder.write(VOCAB, b"[UNK]\n[CLS]\n[SEP]\n\xc3\x28\n");
    folder.refuses("Config", VOCAB, &["byte 19 is not UTF-8"]);

    let options = EncodeOptions::default();
    folder.write(VOCAB, format!("{sound}\nzzzz\n"));
    let error = folder.load().unwrap().encode_with(&["zzzz"], options);
    folder.check(&error.unwrap_err(), "Tokenizer", VOCAB, &["token id 16"]);

    // Line ends of the other kind and a token of 1 MiB are sound.
    let lines: Vec<&str> = sound.lines().collect();
    let last = "x".repeat(1 << 20);
    let list = [&lines[..lines.len() - 1], &[&last]].concat().join("\r\n");
    let model = folder.write(VOCAB, list).load().unwrap();
    model.encode_with(&["word", &last], options).unwrap();
}

#[test]
fn word_list_options() {
    const OPTIONS: &str = "tokenizer_config.json";
    for key in ["do_lower_case", "strip_accents", "tokenize_chinese_chars"] {
        let folder = Folder::of("bert-relu-prefixed");
        folder.set(OPTIONS, key, json!("no"));
        folder.refuses("Config", OPTIONS, &[key, "not true or false"]);
    }
}
