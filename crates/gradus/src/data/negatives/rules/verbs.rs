//! Common English verbs and their forms.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A verb a line; behind it its past where that is irregular.
const VERBS: &str = include_str!("verbs.txt");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Base,
    Third,
    Past,
}

/// Every form with its verb. Where the past is as the base, the base counts.
static FORMS: LazyLock<HashMap<String, (Form, &str)>> = LazyLock::new(|| {
    let mut forms = HashMap::new();
    for line in VERBS.lines() {
        let mut words = line.split_whitespace();
        let Some(base) = words.next() else { continue };
        let past = words.next().map_or_else(|| past(base), str::to_owned);
        forms.entry(base.to_owned()).or_insert((Form::Base, base));
        forms.entry(third(base)).or_insert((Form::Third, base));
        forms.entry(past).or_insert((Form::Past, base));
    }
    forms
});

/// Whether a consonant and `y` end a verb.
fn ends_in_y(base: &str) -> bool {
    let mut last = base.chars().rev();
    last.next() == Some('y') && last.next().is_some_and(|c| !"aeiou".contains(c))
}

fn third(base: &str) -> String {
    match () {
        () if ends_in_y(base) => format!("{}ies", &base[..base.len() - 1]),
        () if ["s", "x", "z", "ch", "sh", "o"]
            .iter()
            .any(|end| base.ends_with(end)) =>
        {
            format!("{base}es")
        }
        () => format!("{base}s"),
    }
}

fn past(base: &str) -> String {
    match () {
        () if base.ends_with('e') => format!("{base}d"),
        () if ends_in_y(base) => format!("{}ied", &base[..base.len() - 1]),
        () => format!("{base}ed"),
    }
}

fn is(word: &str, form: Form) -> bool {
    FORMS.get(word).is_some_and(|(found, _)| *found == form)
}

/// Whether a word is a verb's base, as in "they play".
pub(super) fn is_base(word: &str) -> bool {
    is(word, Form::Base)
}

/// Whether a word is a verb's third person, as in "she plays".
pub(super) fn is_third(word: &str) -> bool {
    is(word, Form::Third)
}

/// Whether a word is a verb's past.
pub(super) fn is_past(word: &str) -> bool {
    is(word, Form::Past)
}

/// Whether a word is any form of a verb but its base, which many nouns share.
pub(super) fn is_form(word: &str) -> bool {
    is_third(word) || is_past(word)
}

/// The base of a form.
pub(super) fn base_of(word: &str) -> Option<&'static str> {
    FORMS.get(word).map(|(_, base)| *base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_lead_to_their_verb() {
        for (form, base) in [
            ("plays", "play"),
            ("carries", "carry"),
            ("watches", "watch"),
            ("went", "go"),
            ("stopped", "stop"),
            ("chased", "chase"),
        ] {
            assert_eq!(base_of(form), Some(base), "{form}");
            assert!(is_form(form));
        }
        assert!(is_base("run") && !is_form("run") && !is_form("dog"));
        let twice: Vec<&str> = VERBS.lines().collect();
        let unique: std::collections::HashSet<_> = twice.iter().collect();
        assert_eq!(unique.len(), twice.len());
    }
}
