//! BM25 by its definition.

use super::*;
use proptest::prelude::*;
use std::io::Write;

fn open(bytes: &[u8]) -> Result<Words, WordsError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    // SAFETY: nobody else has the file.
    #[allow(unsafe_code)]
    Words::open(unsafe { Mmap::map(&file) }.unwrap())
}

fn words(texts: &[String]) -> Words {
    open(&Words::pack(texts.iter().map(String::as_str)).unwrap()).unwrap()
}

/// The scores of all texts that have a word of the query, by the definition; lengths of up
/// to 40 words are counted exactly.
fn plain(texts: &[String], query: &str) -> Vec<(usize, f64)> {
    let split = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let texts: Vec<Vec<String>> = texts.iter().map(|text| split(text)).collect();
    let count = texts.len() as f64;
    let mean = texts.iter().map(Vec::len).sum::<usize>() as f64 / count;
    let mut terms = split(query);
    terms.sort();
    terms.dedup();
    let score = |text: &Vec<String>| {
        let mut sum = 0.0;
        for term in &terms {
            let times = text.iter().filter(|word| *word == term).count() as f64;
            let having = texts.iter().filter(|text| text.contains(term)).count() as f64;
            let idf = (1.0 + (count - having + 0.5) / (having + 0.5)).ln();
            let length = 0.25 + 0.75 * text.len() as f64 / mean;
            sum += idf * times * 2.2 / (times + 1.2 * length);
        }
        sum
    };
    let all = texts.iter().map(score).enumerate();
    all.filter(|(_, score)| *score > 0.0).collect()
}

fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "the", "Cat", "dog", "is", "ISO", "9001", "über", "a-b",
    ]);
    prop::collection::vec(word, 0..30).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn scores_are_those_of_all_stretches_together(
        texts in prop::collection::vec(text(), 1..60),
        query in text(),
        cut in 0usize..60,
        most in 1usize..20,
        without in 2usize..9,
    ) {
        let cut = cut.min(texts.len());
        let stretches = [words(&texts[..cut]), words(&texts[cut..])];
        let number = |hit: &Hit| hit.place + [0, cut][hit.stretch];
        let counts = |stretch: usize, place: usize| !(place + [0, cut][stretch]).is_multiple_of(without);
        let found = best(&stretches, &query, most, counts).unwrap();
        let mut expected = plain(&texts, &query);
        expected.retain(|(text, _)| !text.is_multiple_of(without));
        expected.sort_by(|a, b| b.1.total_cmp(&a.1));
        prop_assert_eq!(found.len(), expected.len().min(most));
        for (hit, (_, score)) in found.iter().zip(&expected) {
            prop_assert!((f64::from(hit.score) - score).abs() < 1e-4, "{} {score}", hit.score);
            let own = expected.iter().find(|(text, _)| *text == number(hit));
            prop_assert!(own.is_some_and(|own| (own.1 - score).abs() < 1e-4));
        }
        // Equal ones in order.
        for pair in found.windows(2) {
            prop_assert!(pair[0].score > pair[1].score || number(&pair[0]) < number(&pair[1]));
        }
        let again = best(&stretches, &query, most, counts).unwrap();
        prop_assert_eq!(found, again);
    }
}

#[test]
fn signs_of_query_languages_are_words_like_others() {
    let texts = [
        "heat AND pumps".to_owned(),
        "text:heat".to_owned(),
        String::new(),
    ];
    let stretches = [words(&texts)];
    for query in [
        "\"heat",
        "heat AND (",
        "-heat +pumps",
        "text:heat^2",
        "*:*",
        "",
    ] {
        best(&stretches, query, 5, |_, _| true).unwrap();
    }
    let found = best(&stretches, "text:heat", 5, |_, _| true).unwrap();
    assert_eq!(found[0].place, 1);
    assert!(best(&[], "heat", 5, |_, _| true).unwrap().is_empty());
}

#[test]
fn what_is_no_words_is_an_error() {
    let whole = Words::pack(["a cat", "a dog"]).unwrap();
    assert_eq!(open(&whole).unwrap().texts(), 2);
    for bytes in [
        &b"x"[..],
        b"{}\n",
        b"{\"files\":{}}\n",
        b"{\"files\":{\"meta.json\":[3,1]}}\n",
        &whole[..whole.len() / 2],
    ] {
        assert!(open(bytes).is_err());
    }
}
