//! `config.json`, and the layout of what it describes.
#![no_main]

use gradus::families::EncoderConfig;
use gradus::nn::Layout;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    match EncoderConfig::parse(Path::new("fuzz"), text) {
        Ok(config) => {
            let layout = Layout::new(&config, &[]);
            assert!(config.max_tokens() > 0 && layout.layer_count() == config.layers);
        }
        Err(error) => assert!(error.to_string().starts_with("fuzz: ")),
    }
});
