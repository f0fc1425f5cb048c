//! Texts in templates, as a recipe asks for them (PromptBERT; Jiang et al.
//! 2022).

use crate::Result;
use crate::format::PromptChoice;
use crate::models::{SentenceEncoder, TemplateSettings};
use crate::recipe::{Recipe, Stage};
use crate::text::Tokens;
use crate::training::{Observer, TrainError};
use gradus_kernels::Backend;

/// Puts the recipe's prompt before the model's texts, and says what a user should
/// know of the model.
pub(crate) fn set_prompt<B: Backend>(
    recipe: &Recipe,
    model: &mut SentenceEncoder<B>,
    observer: &mut dyn Observer,
) -> Result<()> {
    let mut unchosen = None;
    match (&recipe.prompt, &recipe.prompt_text) {
        (Some(name), _) => model.set_prompt(PromptChoice::Named(name.clone()))?,
        (None, Some(text)) => model.set_prompt(PromptChoice::Text(text.clone()))?,
        (None, None) => unchosen = model.folder().modules.prompts.note(),
    }
    let unchosen = unchosen.map(|note| format!("{note}; `prompt` in the recipe chooses one"));
    let notes = model.notes().map(str::to_owned).chain(unchosen);
    for note in notes {
        let folder = model.folder().root.display();
        observer.note(&format!("note: {folder}: {note}"));
    }
    Ok(())
}

/// Puts the model's texts into the recipe's template.
pub(crate) fn set_template<B: Backend>(
    recipe: &Recipe,
    model: &mut SentenceEncoder<B>,
) -> Result<()> {
    let own = model.template().cloned();
    let text = recipe
        .template
        .clone()
        .or(own.as_ref().map(|t| t.text.clone()));
    match (text, recipe.denoise) {
        (None, Some(true)) => Err(fail(
            "recipe",
            "`denoise` is set, and neither recipe nor model has a template",
        )),
        (None, _) => Ok(()),
        (Some(text), denoise) => {
            let before = own.is_some_and(|t| t.denoise && t.text == text);
            let denoise = denoise.unwrap_or(before);
            model.set_template(TemplateSettings { text, denoise })
        }
    }
}

/// How a stage feeds its texts to the model.
pub(crate) struct Prompting {
    /// Every text in the stage's second template, where it has one.
    second: Option<Vec<Tokens>>,
    /// Whether templates' biases are subtracted.
    pub denoise: bool,
}

impl Prompting {
    pub fn new<B: Backend>(
        settings: &Stage,
        model: &SentenceEncoder<B>,
        texts: &[&str],
    ) -> Result<Self> {
        let Some(template) = model.template() else {
            let needed = [
                ("second_template", settings.second_template.is_some()),
                ("denoise", settings.denoise == Some(true)),
            ];
            return match needed.iter().find(|(_, set)| *set) {
                Some((key, _)) => {
                    let message = format!(
                        "`{key}` needs `template` at the top of the recipe, or a model that has one"
                    );
                    Err(fail(&settings.name, &message))
                }
                None => Ok(Self {
                    second: None,
                    denoise: false,
                }),
            };
        };
        let denoise = settings.denoise.unwrap_or(template.denoise);
        if denoise {
            model.check_denoising(&template.text)?;
        }
        let tokenizer = model.tokenizer();
        let second = match &settings.second_template {
            Some(second) => Some(tokenizer.encode_within(&tokenizer.template(second)?, texts)?),
            None => None,
        };
        Ok(Self { second, denoise })
    }

    /// The tokens of a text in one of an example's columns: all but the first
    /// have the second template.
    pub fn tokens<'a>(&'a self, first: &'a [Tokens], text: u32, column: usize) -> &'a Tokens {
        match &self.second {
            Some(second) if column > 0 => &second[text as usize],
            _ => &first[text as usize],
        }
    }

    /// Tokens of a text in all templates together, at most.
    pub fn longest(&self, first: &[Tokens], text: u32) -> usize {
        let len = |column| self.tokens(first, text, column).ids.len();
        len(0).max(len(1))
    }
}

fn fail(stage: &str, message: &str) -> crate::Error {
    let (stage, message) = (stage.to_owned(), message.to_owned());
    TrainError::Stage { stage, message }.into()
}
