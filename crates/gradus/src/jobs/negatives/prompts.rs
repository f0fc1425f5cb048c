//! What a language model is asked, in several variants.

use crate::jobs::JobError;
use crate::util::content_hash::ContentHash;
use crate::{Error, Result};
use gradus_kernels::dropout::mix64;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The built-in variants.
const BUILT_IN: [&str; 4] = [
    include_str!("prompts/contrast.toml"),
    include_str!("prompts/detail.toml"),
    include_str!("prompts/entailment.toml"),
    include_str!("prompts/plain.toml"),
];

const SENTENCE: &str = "{sentence}";
const NEGATIVES: &str = "{negatives}";

/// One way to ask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Its name in results: letters, digits, `-` and `_`.
    pub id: String,
    /// What the model is told of its task, where anything.
    #[serde(default)]
    pub system: String,
    /// What it is asked. `{sentence}` and `{negatives}` stand for the sentence and for
    /// how many negatives are wanted.
    pub user: String,
}

impl Prompt {
    fn read(text: &str) -> Result<Self, String> {
        let prompt: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if prompt.id.is_empty() || !prompt.id.chars().all(plain) {
            return Err("`id` is to be letters, digits, `-` and `_`".into());
        }
        match prompt.user.contains(SENTENCE) {
            true => Ok(prompt),
            false => Err("`user` does not hold {sentence}".into()),
        }
    }

    /// System and user text for a sentence. What the sentence holds in braces stays.
    pub fn filled(&self, sentence: &str, negatives: usize) -> (String, String) {
        let count = negatives.to_string();
        let fill = |text: &str| {
            let mut filled = String::with_capacity(text.len() + sentence.len());
            let mut rest = text.trim();
            while let Some(at) = rest.find('{') {
                filled.push_str(&rest[..at]);
                rest = &rest[at..];
                let (value, from) = match rest {
                    r if r.starts_with(SENTENCE) => (sentence, SENTENCE.len()),
                    r if r.starts_with(NEGATIVES) => (count.as_str(), NEGATIVES.len()),
                    _ => ("{", 1),
                };
                filled.push_str(value);
                rest = &rest[from..];
            }
            filled + rest
        };
        (fill(&self.system), fill(&self.user))
    }

    /// A hash of its texts, by which answers to another text are told apart.
    pub fn hash(&self) -> String {
        let mut hash = ContentHash::default();
        hash.part(&self.system);
        hash.part(&self.user);
        hash.finish()
    }
}

/// All variants, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompts(Vec<Prompt>);

impl Prompts {
    /// Those that come with Gradus.
    ///
    /// # Errors
    /// None, as tests hold.
    pub fn built_in() -> Result<Self> {
        let read = |text: &&str| Prompt::read(text).map_err(Error::Internal);
        Ok(Self(BUILT_IN.iter().map(read).collect::<Result<_>>()?))
    }

    /// Those in a folder: its `.toml` files, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Io`]; [`JobError::Prompt`] for a file that holds none, or an id that
    /// two have; [`JobError::Settings`] for a folder without.
    pub fn of_folder(folder: &Path) -> Result<Self> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
            let path = entry.map_err(Error::io(folder))?.path();
            if path.extension().is_some_and(|end| end == "toml") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut prompts: Vec<Prompt> = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
            let mut prompt = Prompt::read(&text);
            if let Ok(found) = &prompt
                && prompts.iter().any(|other| other.id == found.id)
            {
                prompt = Err(format!("another file has the id `{}` too", found.id));
            }
            prompts.push(prompt.map_err(|reason| JobError::Prompt { path, reason })?);
        }
        match prompts.is_empty() {
            false => Ok(Self(prompts)),
            true => {
                let message = format!(
                    "--prompts {}: no .toml file there; --print-prompts writes the built-in ones",
                    folder.display()
                );
                Err(JobError::Settings(message).into())
            }
        }
    }

    /// The variant for a sentence: a function of seed and number.
    pub fn of(&self, seed: u64, number: u64) -> &Prompt {
        let key = mix64(mix64(seed ^ 0x7072_6f6d_7074) ^ number);
        &self.0[(key % self.0.len() as u64) as usize]
    }

    /// All of them.
    pub fn all(&self) -> &[Prompt] {
        &self.0
    }
}

/// Writes the built-in variants to `folder`, a file each; returns their paths.
///
/// # Errors
/// [`Error::Io`], also where a file of that name is there.
pub fn print_prompts(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut written = Vec::new();
    for (prompt, text) in Prompts::built_in()?.all().iter().zip(BUILT_IN) {
        let path = folder.join(format!("{}.toml", prompt.id));
        let file = File::create_new(&path);
        let done = file.and_then(|mut file| file.write_all(text.as_bytes()));
        done.map_err(Error::io(&path))?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_prompts_are_sound_and_can_be_replaced() {
        let built_in = Prompts::built_in().unwrap();
        for prompt in built_in.all() {
            let (system, user) = prompt.filled("A {negatives} {sentence}.", 3);
            assert!(user.contains("A {negatives} {sentence}."), "{user}");
            assert!(
                user.contains('3') && user.contains("\"negatives\""),
                "{user}"
            );
            assert_eq!(
                (system.trim(), user.trim()),
                (system.as_str(), user.as_str())
            );
        }
        let place = tempfile::tempdir().unwrap();
        let written = print_prompts(place.path()).unwrap();
        assert_eq!(written.len(), BUILT_IN.len());
        assert_eq!(Prompts::of_folder(place.path()).unwrap(), built_in);
        assert!(print_prompts(place.path()).is_err());
        let all: std::collections::HashSet<&str> =
            (0..50).map(|n| built_in.of(1, n).id.as_str()).collect();
        assert_eq!(all.len(), BUILT_IN.len());
    }

    #[test]
    fn prompts_that_are_none_are_named() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
        let error = || Prompts::of_folder(place.path()).unwrap_err().to_string();
        assert!(error().contains("--print-prompts"));
        write("a.toml", "id = 'a'\nuser = '{sentence}'");
        assert_eq!(Prompts::of_folder(place.path()).unwrap().all().len(), 1);
        for (text, words) in [
            ("id = 'a'\nuser = '{sentence}'", "the id `a` too"),
            ("id = 'b'\nuser = 'sentence'", "{sentence}"),
            ("id = 'b c'\nuser = '{sentence}'", "letters"),
            (
                "id = 'b'\nuser = '{sentence}'\nuse = 1",
                "unknown field `use`",
            ),
        ] {
            write("b.toml", text);
            assert!(error().contains(words), "{}", error());
            assert!(error().contains("b.toml"), "{}", error());
        }
    }
}
