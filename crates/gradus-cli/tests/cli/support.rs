//! What the tests share.

use assert_cmd::Command;
use gradus::Precision;
use gradus::models::SentenceEncoder;
use gradus::nn::{Features, RegressionHead};
use gradus_kernels::cpu::Cpu;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The folder of a stored model.
pub fn model(name: &str) -> String {
    let models = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/models"
    );
    format!("{models}/{name}")
}

/// A stored cross-encoder.
pub fn cross_encoder(name: &str) -> String {
    model(&format!("../cross_encoders/{name}"))
}

/// The command in an environment without a hub, caches or data of the user's.
pub fn gradus() -> Command {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("gradus");
    for (name, value) in environment() {
        command.env(name, value);
    }
    command.env_remove("GRADUS_DATA");
    command
}

/// Its variables. What an earlier build left in the cache is gone: its arithmetic may
/// have been another.
pub fn environment() -> [(&'static str, PathBuf); 5] {
    static CLEAN: Once = Once::new();
    let nowhere = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("nobody");
    CLEAN.call_once(|| match fs::remove_dir_all(&nowhere) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{nowhere:?}: {e}"),
        _ => {}
    });
    [
        ("HOME", nowhere.clone()),
        ("XDG_CACHE_HOME", nowhere.join("cache")),
        ("HF_HOME", nowhere.join("huggingface")),
        ("HF_HUB_CACHE", nowhere.join("huggingface").join("hub")),
        ("HF_HUB_OFFLINE", "1".into()),
    ]
}

/// The backend that the command takes on this processor.
pub fn backend() -> Cpu {
    Precision::Auto.backend(1).unwrap().0
}

/// What the command printed.
pub fn stdout(command: &mut Command) -> String {
    let output = command.assert().success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

/// Writes the model `bert-small` with a regression head to `folder`.
pub fn with_head(folder: &Path) {
    let mut encoder = SentenceEncoder::load(model("bert-small"), Cpu::new(1)).unwrap();
    let width = Features::Difference.width(encoder.dim());
    // The grade falls with the distance: 5 for equal texts.
    let mut values = vec![-1.0; width];
    values.push(5.0);
    encoder.set_head(Some(RegressionHead {
        features: Features::Difference,
        scale: vec![0.0, 5.0],
        outputs: 1,
        values,
    }));
    encoder.save(folder, "A test.").unwrap();
}

/// A data root in the released layout with a few pairs for each task.
pub fn tiny_data(root: &Path) {
    let pairs = [
        ("5.0", "the cat is sleeping", "the cat is sleeping"),
        ("3.5", "a dog is in the park", "the dog is in a park"),
        ("2.0", "a man is walking", "the old woman is walking"),
        ("0.5", "two dogs playing", "1000 readers read books!"),
    ];
    let write = |path: &str, text: String| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let rows = |row: &dyn Fn(&str, &str, &str) -> String| -> String {
        pairs.iter().map(|(s, a, b)| row(s, a, b)).collect()
    };
    for known in &gradus::data::Known::SUITE[..5] {
        for (folder, subset) in known
            .subsets()
            .iter()
            .flat_map(|s| [("sts", s), ("sts-senteval", s)])
        {
            let path = format!("{folder}/{}/{subset}.tsv", known.title());
            write(&path, rows(&|s, a, b| format!("{s}\t{a}\t{b}\n")));
        }
    }
    let stsb = rows(&|s, a, b| format!("genre\tfile\tyear\t1\t{s}\t{a}\t{b}\n"));
    write("stsb/sts-test.csv", stsb);
    let head = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n";
    let sick = rows(&|s, a, b| {
        let score: f64 = s.parse().unwrap();
        format!("1\t{a}\t{b}\t{}\tNEUTRAL\n", 1.0 + score * 0.8)
    });
    write("sick/SICK_test_annotated.txt", format!("{head}{sick}"));
}
