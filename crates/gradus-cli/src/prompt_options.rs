//! Which prompt goes before texts.

use gradus::format::PromptChoice;

/// The options of commands that turn texts into vectors.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PromptOptions {
    /// Put the model's prompt NAME before every text; by default its default
    /// prompt, where it has one
    #[arg(long, value_name = "NAME", conflicts_with = "prompt_text")]
    pub prompt: Option<String>,
    /// Put TEXT before every text, in place of a prompt of the model
    #[arg(long, value_name = "TEXT")]
    pub prompt_text: Option<String>,
}

impl PromptOptions {
    /// The choice, where there is one.
    pub fn choice(&self) -> Option<PromptChoice> {
        match (&self.prompt, &self.prompt_text) {
            (Some(name), _) => Some(PromptChoice::Named(name.clone())),
            (None, Some(text)) => Some(PromptChoice::Text(text.clone())),
            (None, None) => None,
        }
    }

    /// The same as settings of a recipe.
    pub fn recipe_keys(&self) -> Option<String> {
        // TOML's basic strings escape as JSON's do.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        match (&self.prompt, &self.prompt_text) {
            (Some(name), _) => Some(format!("prompt={}", quoted(name))),
            (None, Some(text)) => Some(format!("prompt_text={}", quoted(text))),
            (None, None) => None,
        }
    }
}
