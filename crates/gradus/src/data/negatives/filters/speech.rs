//! Words by which a model speaks of itself or of its answer.

/// How refusals begin.
const REFUSALS: [&str; 26] = [
    "as an ai",
    "as a language model",
    "as a large language model",
    "i'm an ai",
    "i am an ai",
    "i'm just an ai",
    "i'm sorry, but",
    "i am sorry, but",
    "i'm sorry, i can",
    "sorry, but i",
    "sorry, i can",
    "i apologize, but",
    "i apologise, but",
    "i cannot assist",
    "i can't assist",
    "i cannot help",
    "i can't help",
    "i cannot provide",
    "i can't provide",
    "i cannot generate",
    "i can't generate",
    "i cannot create",
    "i can't create",
    "i cannot fulfill",
    "i can't fulfill",
    "i cannot comply",
];

/// More of them, with a verb that a sentence may have too: only with what follows.
const UNABLE: [&str; 8] = [
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i won't be able to",
    "i will not be able to",
    "i can not",
    "i must decline",
];

const TASKS: [&str; 14] = [
    "assist",
    "help with that",
    "provide",
    "generate",
    "create",
    "fulfill",
    "fulfil",
    "comply",
    "paraphrase",
    "rewrite",
    "rephrase",
    "produce",
    "this request",
    "your request",
];

/// How words about the answer begin.
const ABOUT: [&str; 30] = [
    "here is a",
    "here is the",
    "here is one",
    "here's a",
    "here's the",
    "here's one",
    "here are",
    "sure,",
    "sure!",
    "sure.",
    "certainly!",
    "certainly,",
    "of course!",
    "of course,",
    "paraphrase:",
    "a paraphrase:",
    "paraphrased:",
    "paraphrased sentence:",
    "positive:",
    "negative:",
    "hard negative:",
    "a hard negative:",
    "hard negative sentence:",
    "rewritten sentence:",
    "rewritten:",
    "output:",
    "answer:",
    "the paraphrase is",
    "note that the",
    "this sentence",
];

/// Words behind "here is" that make it one about the answer.
const OBJECTS: [&str; 9] = [
    "paraphrase",
    "sentence",
    "negative",
    "positive",
    "version",
    "example",
    "rewrite",
    "rewritten",
    "json",
];

/// In lower case, with straight apostrophes.
fn lower(text: &str) -> String {
    text.trim_start().to_lowercase().replace('’', "'")
}

fn begins(text: &str, with: &[&str]) -> bool {
    with.iter().any(|begin| text.starts_with(begin))
}

/// Whether a model declines.
pub(crate) fn is_refusal(text: &str) -> bool {
    let text = lower(text);
    let has_task = TASKS.iter().any(|task| text.contains(task));
    begins(&text, &REFUSALS) || (begins(&text, &UNABLE) && has_task)
}

/// Whether a text speaks of the answer. What merely begins so ("Here is a dog")
/// does not.
pub(super) fn is_about_itself(text: &str) -> bool {
    let text = lower(text);
    if !begins(&text, &ABOUT) {
        return false;
    }
    let open = text.starts_with("here") || text.starts_with("this") || text.starts_with("note");
    !open || OBJECTS.iter().any(|object| text.contains(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_known_by_how_they_begin() {
        for text in [
            "I’m sorry, but I can’t help with that.",
            "As an AI, I have no feelings.",
            "I am unable to rewrite this sentence.",
            "I cannot generate that.",
        ] {
            assert!(is_refusal(text), "{text}");
        }
        for text in [
            "I cannot see the dog.",
            "I am unable to swim.",
            "He is sorry.",
        ] {
            assert!(!is_refusal(text), "{text}");
        }
    }

    #[test]
    fn words_about_the_answer_are_known() {
        for text in [
            "Here is a paraphrase: A dog ran.",
            "Sure! A dog ran.",
            "Hard negative: A dog slept.",
            "This sentence means the same.",
        ] {
            assert!(is_about_itself(text), "{text}");
        }
        for text in ["Here is a dog.", "This is it.", "Surely he ran."] {
            assert!(!is_about_itself(text), "{text}");
        }
    }
}
