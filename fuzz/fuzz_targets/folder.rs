use gradus::models::SentenceEncoder;
use gradus_kernels::cpu::Cpu;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// The files of a small stored model, in a folder of this process's own.
static MODEL: LazyLock<TempDir> = LazyLock::new(|| {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/gradus/tests/fixtures/models/bert-small");
    let into = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(from.join(file), into.path().join(file)).unwrap();
    }
    into
});

/// Loads the model with one file replaced.
pub fn with(file: &str, bytes: &[u8]) -> gradus::Result<SentenceEncoder<Cpu>> {
    std::fs::write(MODEL.path().join(file), bytes).unwrap();
    SentenceEncoder::load(MODEL.path(), Cpu::new(1))
}
