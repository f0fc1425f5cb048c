//! The lists of all keys: no key twice, and as the documentation has them.

use super::transformer;
use crate::families;
use crate::format::keys::{
    CROSS_ENCODER, CROSS_TRANSFORMER, DENSE, Keys, MODULE, NORMALIZE, POOLING, PROMPTS,
    SPECIAL_TOKENS, TEMPLATE, TOKENIZER, TRANSFORMER, Treatment,
};

/// Every list, in the order of the documentation.
fn all() -> Vec<Keys> {
    let mut all = vec![
        MODULE,
        TRANSFORMER,
        CROSS_TRANSFORMER,
        transformer::MODEL_KWARGS,
        transformer::CONFIG_KWARGS,
        transformer::PROCESSING,
        transformer::PROCESSING_TEXT,
        POOLING,
        DENSE,
        NORMALIZE,
        TEMPLATE,
        PROMPTS,
        CROSS_ENCODER,
        TOKENIZER,
        SPECIAL_TOKENS,
    ];
    all.extend(families::keys::ALL);
    all
}

/// The lists as a page shows them.
fn page() -> String {
    let mut page = String::new();
    let names = |keys: &[&str]| {
        let quoted: Vec<String> = keys.iter().map(|k| format!("`{k}`")).collect();
        quoted.join(", ")
    };
    for list in all() {
        page += &format!("\n### {}\n\n", list.title);
        for (treatment, keys) in list.groups.iter().flat_map(|g| g.iter()) {
            let treatment = match treatment {
                Treatment::Obeyed => "obeyed".to_owned(),
                Treatment::NoEffect(why) => format!("without effect ({why})"),
                Treatment::Only([], why) => format!("refused ({why})"),
                Treatment::Only(values, why) => {
                    format!("refused unless {} ({why})", values.join(" or "))
                }
            };
            page += &format!("- **{treatment}**: {}\n", names(keys));
        }
    }
    page
}

#[test]
fn no_list_has_a_key_twice() {
    for list in all() {
        let keys = list.groups.iter().flat_map(|g| g.iter());
        let mut keys: Vec<&str> = keys.flat_map(|(_, keys)| keys.iter().copied()).collect();
        keys.sort_unstable();
        let twice = keys.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "{}", list.title);
    }
}

/// The page of the documentation holds these lists. `GRADUS_WRITE_DOCS=1`
/// writes them into it.
#[test]
fn the_documentation_lists_every_key() {
    const BEGIN: &str = "<!-- keys: written by a test, see models/keys_page.rs -->\n";
    const END: &str = "<!-- end of keys -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page's begin mark");
    let (found, after) = rest.split_once(END).expect("the page's end mark");
    if std::env::var_os("GRADUS_WRITE_DOCS").is_some() {
        let text = format!("{before}{BEGIN}{}\n{END}{after}", page());
        std::fs::write(path, text).unwrap();
        return;
    }
    assert!(
        found.trim() == page().trim(),
        "docs/models.md lags; run this test with GRADUS_WRITE_DOCS=1"
    );
}
