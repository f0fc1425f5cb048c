//! Limits on the tokens of an input.

use crate::folder::Folder;
use serde_json::json;

const FILE: &str = "sentence_bert_config.json";
const KEY: &str = "max_seq_length";

#[test]
fn limits_that_leave_no_room() {
    let folder = Folder::of("bert-small");
    for limit in [json!(0), json!(-1), json!(-1e300), json!(0.5)] {
        folder.set(FILE, KEY, limit);
        folder.refuses(
            "Config",
            FILE,
            &["`max_seq_length` is ", "no room for text"],
        );
    }
    for limit in [json!("24"), json!([24]), json!(true)] {
        folder.set(FILE, KEY, limit);
        folder.refuses("Config", FILE, &["`max_seq_length` is ", "not a number"]);
    }
    // [CLS] and [SEP] take two.
    for limit in [1, 2] {
        folder.set(FILE, KEY, json!(limit));
        let part = format!("an input of {limit} tokens, 2 of them special, has no room");
        folder.refuses("Tokenizer", "tokenizer.json", &[&part]);
    }
}

#[test]
fn limits_that_are_cut_to_what_there_is() {
    let folder = Folder::of("bert-small");
    for limit in [json!(3), json!(64), json!(1u64 << 40), json!(1e300)] {
        folder.set(FILE, KEY, limit.clone());
        let model = folder.load().unwrap();
        let most = limit.as_f64().unwrap().min(64.0) as usize;
        assert_eq!(model.folder().max_tokens, most);
        let text = "word ".repeat(1000);
        assert_eq!(
            model.tokenizer().encode(&[&text]).unwrap()[0].ids.len(),
            most
        );
        model.encode(&[&text]).unwrap();
    }
    // Null leaves it to the tokenizer's own.
    folder.set(FILE, KEY, json!(null));
    folder.set("tokenizer_config.json", "model_max_length", json!(7));
    assert_eq!(folder.load().unwrap().folder().max_tokens, 7);
    folder.set("tokenizer_config.json", "model_max_length", json!(-7));
    folder.refuses("Config", "tokenizer_config.json", &["is -7"]);
}

/// RoBERTa's pairs need four special tokens and its texts two.
#[test]
fn pairs_need_more_room_than_texts() {
    let mut model = Folder::of("roberta-small").load().unwrap();
    let tokenizer = model.tokenizer_mut();
    assert!(tokenizer.set_max_tokens(2).is_err());
    for (limit, fits) in [(3, false), (4, false), (5, false), (6, true)] {
        tokenizer.set_max_tokens(limit).unwrap();
        assert_eq!(tokenizer.encode(&["a b c d"]).unwrap()[0].ids.len(), limit);
        let pair = tokenizer.encode_pairs(&[("a b c d", "e f g h")]);
        match pair {
            Ok(tokens) => assert!(fits && tokens[0].ids.len() == limit),
            Err(e) => assert!(!fits && e.to_string().contains("has no room for text")),
        }
    }
}

/// Every token that is cut off, paired with every other, would be gigabytes.
#[test]
fn long_pairs() {
    let mut model = Folder::of("bert-small").load().unwrap();
    model.tokenizer_mut().set_max_tokens(5).unwrap();
    let text = "word ".repeat(5000);
    let tokens = model.tokenizer().encode_pairs(&[(&text, &text)]).unwrap();
    assert_eq!(tokens[0].ids.len(), 5);
    assert_eq!(tokens[0].segments.iter().sum::<u32>(), 2);
}
