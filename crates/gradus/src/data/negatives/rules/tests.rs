use super::*;
use proptest::prelude::*;

/// What one rule makes of a sentence among others.
fn made_among(rule: Rule, sentence: &str, others: &[&str]) -> Option<String> {
    let mut all: Vec<String> = others.iter().map(|s| s.to_string()).collect();
    all.push(sentence.to_owned());
    let rules = Rules::new(&[rule], 1, &all);
    let mut made = rules.make(0, sentence, 1);
    made.pop().map(|made| made.text)
}

fn made(rule: Rule, sentence: &str) -> Option<String> {
    made_among(rule, sentence, &[])
}

#[test]
fn negations_are_inserted_and_removed() {
    for (sentence, expected) in [
        (
            "A man is playing a guitar.",
            "A man is not playing a guitar.",
        ),
        (
            "A man isn't playing a guitar.",
            "A man is playing a guitar.",
        ),
        ("They can't swim.", "They can swim."),
        ("They can swim.", "They cannot swim."),
        ("He won’t come.", "He will come."),
        ("He wo n't come.", "He will come."),
        ("The dog never barks.", "The dog barks."),
        ("Never stop.", "Stop."),
        ("No man is an island.", "A man is an island."),
        ("There are no dogs here.", "There are some dogs here."),
        ("Nobody is there.", "Somebody is there."),
        ("Is the man tall?", "Isn't the man tall?"),
        ("It's a dog.", "It's not a dog."),
        ("She has a dog.", "She does not have a dog."),
        ("She has eaten.", "She has not eaten."),
        ("She has just been there.", "She has not just been there."),
        ("He plays chess.", "He does not play chess."),
        ("The man went home.", "The man did not go home."),
        (
            "Two dogs run in the snow.",
            "Two dogs do not run in the snow.",
        ),
        ("A man riding a horse.", "A man not riding a horse."),
        ("Riding a horse.", "Not riding a horse."),
    ] {
        assert_eq!(made(Rule::Negation, sentence).as_deref(), Some(expected));
    }
    for none in ["The plays of the season.", "A green car.", "Not only that"] {
        assert_eq!(made(Rule::Negation, none), None);
    }
}

#[test]
fn other_rules_change_one_thing() {
    for (rule, sentence, expected) in [
        (Rule::Antonym, "An ancient tree.", "A modern tree."),
        (Rule::Antonym, "BOYS only", "GIRLS only"),
        (Rule::Number, "Once it rained.", "Twice it rained."),
        (Rule::Role, "The cat chases a dog.", "A dog chases the cat."),
        (
            Rule::Role,
            "A man is playing a guitar.",
            "A guitar is playing a man.",
        ),
        (
            Rule::Role,
            "The boy is taller than his sister.",
            "His sister is taller than the boy.",
        ),
        (
            Rule::Role,
            "They drove from Bonn to Paris.",
            "They drove from Paris to Bonn.",
        ),
        (
            Rule::Role,
            "we saw that Anna helped Tom.",
            "we saw that Tom helped Anna.",
        ),
        (
            Rule::Preposition,
            "In front of the house.",
            "Behind the house.",
        ),
        (Rule::Preposition, "Eat before noon.", "Eat after noon."),
        (
            Rule::Preposition,
            "He ran away from us.",
            "He ran toward us.",
        ),
    ] {
        assert_eq!(made(rule, sentence).as_deref(), Some(expected), "{rule:?}");
    }
    // What holds both ways would say the same again.
    for same in [
        "A car is next to a house.",
        "we saw that Anna and Tom left.",
        "The man is kissing the woman.",
    ] {
        assert_eq!(made(Rule::Role, same), None, "{same}");
    }
    assert_eq!(made(Rule::Antonym, "A black and white cow."), None);
    let number = made(Rule::Number, "It has 7 doors.").unwrap();
    assert!(number != "It has 7 doors." && number.starts_with("It has "));
    let word = made(Rule::Number, "Three dogs.").unwrap();
    assert!(word.ends_with(" dogs.") && word.starts_with(char::is_uppercase));
    for rule in Rule::ALL {
        assert_eq!(made(rule, "hm"), None);
    }
}

#[test]
fn names_come_from_other_sentences() {
    let others = [
        "He met Maria in town.",
        "It was on Monday.",
        "See you on Friday",
    ];
    let of = |sentence| made_among(Rule::Entity, sentence, &others);
    assert_eq!(
        of("I saw John's dog.").as_deref(),
        Some("I saw Maria's dog.")
    );
    // A name that begins a sentence is known from another.
    let others = ["He met Maria in town.", "They like Rome."];
    let of_rome = made_among(Rule::Entity, "Maria is here.", &others);
    assert_eq!(of_rome.as_deref(), Some("Rome is here."));
    assert_eq!(
        of("It rained on Monday.").as_deref(),
        Some("It rained on Friday.")
    );
    assert_eq!(of("The dog is here."), None);
    assert_eq!(of("A Day In The Life"), None);
}

#[test]
fn more_negatives_come_from_more_rules() {
    let sentence = "Two old men are standing before the house.".to_owned();
    let rules = Rules::new(&Rule::ALL, 7, std::slice::from_ref(&sentence));
    let made = rules.make(3, &sentence, 4);
    assert_eq!(made.len(), 4);
    let texts: std::collections::HashSet<_> = made.iter().map(|m| &m.text).collect();
    assert_eq!(texts.len(), 4);
    assert_eq!(rules.make(3, &sentence, 2), made[..2]);
    // Which rule comes first differs from sentence to sentence.
    let first = |number| rules.make(number, &sentence, 1)[0].rule;
    assert!((0..30).any(|number| first(number) != first(0)));
    let named = Made {
        text: String::new(),
        rule: Rule::Antonym,
        change: "big -> small".into(),
    };
    assert_eq!(named.describe(), "antonym: big -> small");
    for rule in Rule::ALL {
        assert_eq!(Rule::parse(rule.name()), Some(rule));
    }
}

/// Sentences of words that rules know, with signs and letters of all kinds between.
fn sentences() -> impl Strategy<Value = String> {
    let words = [
        "The",
        "a",
        "not",
        "never",
        "isn't",
        "n't",
        "can",
        "is",
        "has",
        "no",
        "one",
        "plays",
        "dog",
        "John",
        "Paris",
        "Monday",
        "from",
        "to",
        "before",
        "in",
        "front",
        "of",
        "big",
        "An",
        "old",
        "two",
        "1984",
        "3.5",
        "playing",
        "İ",
        "ß",
        "ﬁ",
        "日本語",
        "’s",
        "'",
        ".",
        "\"",
        "—",
        "👍🏽",
        "e\u{301}",
        "\u{200d}",
        "Do",
        "No",
        "away",
        "١٢",
        "Ⅷ",
        "x7",
    ];
    let word = prop_oneof![
        4 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let space = proptest::sample::select(vec![" ", "", "  ", "\u{a0}"]);
    proptest::collection::vec((word, space), 0..14)
        .prop_map(|all| all.into_iter().map(|(word, space)| word + space).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn what_is_made_differs_from_the_sentence_and_is_the_same_again(
        sentence in sentences(), other in sentences(), seed: u64, number: u64,
    ) {
        let all = [sentence.clone(), other];
        for rule in Rule::ALL {
            let make = || Rules::new(&[rule], seed, &all).make(number, &sentence, 3);
            let made = make();
            prop_assert_eq!(&made, &make());
            for one in &made {
                prop_assert_ne!(normalised(&one.text), normalised(&sentence));
                prop_assert_eq!(one.rule, rule);
            }
        }
        let every = Rules::new(&Rule::ALL, seed, &all).make(number, &sentence, 5);
        let mut texts: Vec<_> = every.iter().map(|m| normalised(&m.text)).collect();
        texts.sort();
        texts.dedup();
        prop_assert_eq!(texts.len(), every.len());
    }
}
