//! Models whose vector is that of a template's mask (PromptBERT; Jiang et al.
//! 2022).

use super::SentenceEncoder;
use super::save::write_json;
use crate::Result;
use crate::families::Positions;
use crate::format::ModelError;
use crate::format::fields::Fields;
use crate::format::files::{read_json, require};
use crate::format::keys::TEMPLATE;
use gradus_kernels::{Backend, Pooling};
use std::path::Path;

/// The template of a model, and what becomes of its own share in a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSettings {
    /// The template: see [`Template`](crate::text::Template).
    pub text: String,
    /// Whether the template's own bias is taken from every vector: the mask's
    /// vector where the text's positions are kept and its tokens are not there.
    pub denoise: bool,
}

impl TemplateSettings {
    /// Reads a module's description.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let remedy = "modules.json names this template; fetch the whole folder";
        require(path, remedy)?;
        let config = read_json(path)?;
        let config = Fields::of(path, &config, TEMPLATE)?;
        let text = config.required("template", config.string("template")?)?;
        Ok(Self {
            text: text.to_owned(),
            denoise: config.flag("denoise")?.unwrap_or(false),
        })
    }

    /// Writes a module's description into `folder`.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let config = serde_json::json!({ "template": self.text, "denoise": self.denoise });
        write_json(folder, "config.json", &config)
    }
}

impl<B: Backend> SentenceEncoder<B> {
    /// Makes the mask of a template the vector of every text, in place of the
    /// pooling. A head that came with the model was made for the other kind of
    /// vector and goes.
    ///
    /// # Errors
    /// [`ModelError::Template`]; [`ModelError::Config`] where a Dense module
    /// wants another width.
    pub fn set_template(&mut self, settings: TemplateSettings) -> Result<()> {
        if settings.denoise {
            self.check_denoising(&settings.text)?;
        }
        let template = self.tokenizer.template(&settings.text)?;
        self.tokenizer.set_template(Some(template));
        let modules = &mut self.folder.modules;
        if modules.template.as_ref() != Some(&settings) {
            modules.template = Some(settings);
            modules.pooling = vec![Pooling::Marked];
            self.head = None;
        }
        modules.check_widths(&self.folder.root, self.folder.config.hidden_size)
    }

    /// The model's template, where it has one.
    pub fn template(&self) -> Option<&TemplateSettings> {
        self.folder.modules.template.as_ref()
    }

    /// Whether positions can be kept while tokens are not there.
    ///
    /// # Errors
    /// [`ModelError::Template`] where attention knows distances by itself.
    pub(crate) fn check_denoising(&self, template: &str) -> Result<()> {
        match self.folder.config.positions {
            Positions::Learned | Positions::Rotary(_) => Ok(()),
            Positions::Alibi | Positions::Relative { .. } => Err(ModelError::Template {
                template: template.to_owned(),
                message: "its bias cannot be told in this model, whose attention counts the tokens in between; leave `denoise` out".into(),
            }
            .into()),
        }
    }
}
