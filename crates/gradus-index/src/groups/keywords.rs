//! What words tell a group from the others: class-based TF-IDF as in BERTopic
//! (Grootendorst, 2022). A word's weight in a group is its share of the group's words
//! times `ln(1 + A / f)`, with `A` the mean number of words of a group and `f` how often
//! the word comes in all.

use std::collections::HashMap;

/// A word of a group and its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyword {
    /// In small letters.
    pub word: String,
    /// Its weight.
    pub weight: f64,
}

/// Counts the words of groups.
pub struct Keywords {
    groups: Vec<HashMap<u32, u32>>,
    numbers: HashMap<String, u32>,
    words: Vec<String>,
}

impl Keywords {
    /// Of so many groups, which have no texts yet.
    pub fn new(groups: usize) -> Self {
        Self {
            groups: vec![HashMap::new(); groups],
            numbers: HashMap::new(),
            words: vec![],
        }
    }

    /// Counts a group's text: runs of two or more letters or digits, in small letters;
    /// numbers do not count.
    ///
    /// # Panics
    /// Where there is no such group.
    pub fn add(&mut self, group: usize, text: &str) {
        let parts = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
        for part in parts {
            let word = part.trim_matches(['\'', '’']).to_lowercase();
            if word.chars().count() < 2 || !word.chars().any(char::is_alphabetic) {
                continue;
            }
            let number = match self.numbers.get(&word) {
                Some(number) => *number,
                None => {
                    let number = self.words.len() as u32;
                    self.words.push(word.clone());
                    self.numbers.insert(word, number);
                    number
                }
            };
            *self.groups[group].entry(number).or_insert(0) += 1;
        }
    }

    /// The `most` words of highest weight of each group, of equal ones the first by the
    /// alphabet. Words that more than half of four groups or more have say little of one
    /// and are left out.
    pub fn best(&self, most: usize) -> Vec<Vec<Keyword>> {
        let mut in_all = vec![0u64; self.words.len()];
        let mut groups_with = vec![0usize; self.words.len()];
        for group in &self.groups {
            for (word, count) in group {
                in_all[*word as usize] += u64::from(*count);
                groups_with[*word as usize] += 1;
            }
        }
        let all: u64 = in_all.iter().sum();
        let mean = all as f64 / self.groups.len().max(1) as f64;
        let common = |word: u32| {
            self.groups.len() >= 4 && 2 * groups_with[word as usize] > self.groups.len()
        };
        let of = |group: &HashMap<u32, u32>| {
            let total: u64 = group.values().map(|count| u64::from(*count)).sum();
            let weighted = group.iter().filter(|(word, _)| !common(**word));
            let weighted = weighted.map(|(word, count)| {
                let often = in_all[*word as usize] as f64;
                let share = f64::from(*count) / total as f64;
                Keyword {
                    word: self.words[*word as usize].clone(),
                    weight: share * (1.0 + mean / often).ln(),
                }
            });
            let mut weighted: Vec<Keyword> = weighted.collect();
            weighted.sort_by(|a, b| {
                let weights = b.weight.total_cmp(&a.weight);
                weights.then_with(|| a.word.cmp(&b.word))
            });
            weighted.truncate(most);
            weighted
        };
        self.groups.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_the_formula() {
        let mut keywords = Keywords::new(2);
        keywords.add(0, "The cat, the CAT's whiskers: 12 cats!");
        keywords.add(1, "the dog 'barks' at the dog");
        let best = keywords.best(9);
        // 6 words each: "12" is a number; f(the) = 4, f(dog) = 2, f(cat) = 1.
        let of = |count: f64, often: f64| count / 6.0 * (1.0f64 + 6.0 / often).ln();
        assert_eq!(best[1][0].word, "dog");
        assert!((best[1][0].weight - of(2.0, 2.0)).abs() < 1e-12);
        let the = best[0]
            .iter()
            .find(|keyword| keyword.word == "the")
            .unwrap();
        assert!((the.weight - of(2.0, 4.0)).abs() < 1e-12, "{best:?}");
        let words: Vec<&str> = best[0].iter().map(|k| k.word.as_str()).collect();
        // Of equal weights by the alphabet.
        assert_eq!(
            words,
            ["cat", "cat's", "cats", "whiskers", "the"],
            "{best:?}"
        );
    }

    #[test]
    fn words_of_most_groups_are_left_out() {
        let mut keywords = Keywords::new(4);
        for (group, text) in ["the cat", "the dog", "the cow", "a goat is"]
            .iter()
            .enumerate()
        {
            keywords.add(group, text);
        }
        let best = keywords.best(9);
        assert!(best.iter().flatten().all(|keyword| keyword.word != "the"));
        assert_eq!(best[0].len(), 1);
        assert!(Keywords::new(0).best(3).is_empty());
    }
}
