//! `gradus report`.

use crate::support::{gradus, model, stdout, tiny_data};
use predicates::str::contains;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A place with data and two short runs, the first with a head of its own.
fn workplace() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    tiny_data(&place.path().join("data"));
    let pairs = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../gradus/tests/fixtures/training/pairs.tsv"
    );
    let mut text = fs::read_to_string(pairs).unwrap();
    text += "5\t<script>alert(1)</script> & so on\tnothing of the kind at all\n";
    fs::write(place.path().join("pairs.tsv"), text).unwrap();
    let run = |name: &str, form: &str| {
        let recipe = format!(
            "model = '{}'\nlog_every = 1\n[evaluation]\ndev = {{ path = 'pairs.tsv' }}\nevery = 3\n\
             [[stage]]\nname = 'tune'\nobjective = {{ loss = 'mse', form = '{form}' }}\n\
             train = [{{ path = 'pairs.tsv' }}]\nsteps = 6\nlearning_rate = 1e-3\n",
            model("bert-small")
        );
        let path = place.path().join(format!("{name}.toml"));
        fs::write(&path, recipe).unwrap();
        let root = place.path().join(name);
        stdout(gradus().arg("train").arg(path).arg("--output").arg(&root));
        root
    };
    let (first, second) = (run("headed", "head"), run("plain", "cosine"));
    (place, first, second)
}

/// A short run of a cross-encoder in that place.
fn of_cross_encoder(place: &Path) -> PathBuf {
    let recipe = format!(
        "task = 'cross-encoder'\nmodel = '{}'\nlog_every = 1\n[evaluation]\n\
         dev = {{ path = 'pairs.tsv' }}\nevery = 3\n\
         [[stage]]\nname = 'tune'\nobjective = {{ loss = 'bce' }}\n\
         train = [{{ path = 'pairs.tsv' }}]\nsteps = 6\nlearning_rate = 1e-3\n",
        model("bert-small")
    );
    let path = place.join("cross.toml");
    fs::write(&path, recipe).unwrap();
    let root = place.join("cross");
    stdout(gradus().arg("train").arg(path).arg("--output").arg(&root));
    root
}

fn report(place: &Path, runs: &[&Path], args: &[&str]) -> String {
    let mut command = gradus();
    command
        .current_dir(place)
        .arg("report")
        .args(runs)
        .args(args);
    command.arg("--data").arg(place.join("data"));
    let path = stdout(&mut command);
    fs::read_to_string(place.join(path.trim())).unwrap()
}

/// What must hold of any page.
fn sound(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(
        !page.contains("<script"),
        "texts are escaped and there is no script"
    );
    for outside in ["http-equiv", "src=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(
        page.matches("<svg ").count(),
        page.matches("</svg>").count()
    );
    for (open, close) in [
        ("<table>", "</table>"),
        ("<figure>", "</figure>"),
        ("<tr>", "</tr>"),
    ] {
        assert_eq!(
            page.matches(open).count(),
            page.matches(close).count(),
            "{open}"
        );
    }
}

#[test]
fn a_run_is_shown_on_one_page() {
    let (place, run, _) = workplace();
    let page = report(place.path(), &[&run], &[]);
    sound(&page);
    for there in [
        "Spearman x 100 of the cosine; aggregation all",
        "original text",
        "selected by Spearman of the cosine on pairs.tsv",
        "seed 777",
        "SICK-R",
        "calibration.json of the model",
        "regression head on [u; v; |u-v|]",
        "Rounded grades",
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; so on",
        "<th class=\"number\">in training: exact</th>",
        "steps = 6",
        "peak memory",
    ] {
        assert!(page.contains(there), "{there}");
    }
    // What the models say is asked once.
    let kept = run.join("report/after.json");
    let when = || fs::metadata(&kept).unwrap().modified().unwrap();
    let before: SystemTime = when();
    assert_eq!(report(place.path(), &[&run], &[]), page);
    assert_eq!(when(), before);
    // Not for other pairs.
    let page = report(place.path(), &[&run], &["--tasks", "stsb"]);
    assert!(when() > before && !page.contains("SICK-R</th>"));
}

#[test]
fn runs_are_set_side_by_side() {
    let (place, first, second) = workplace();
    let page = report(place.path(), &[&first, &second], &["--output", "both.html"]);
    sound(&page);
    for there in ["2 runs side by side", "Differences to headed"] {
        assert!(page.contains(there), "{there}");
    }
    assert!(
        !page.contains("Jina v2 base"),
        "published rows are of larger models"
    );
    assert_eq!(
        page.matches("bert-small (before)").count(),
        1,
        "one row for one model"
    );
}

#[test]
fn what_is_missing_is_said() {
    let (place, run, _) = workplace();
    let page = report(place.path(), &[&run], &["--tasks", "none"]);
    assert!(page.contains("gradus pull sts"));
    fs::remove_dir_all(place.path().join("data")).unwrap();
    fs::remove_dir_all(run.join("model")).unwrap();
    fs::remove_file(run.join("run.json")).unwrap();
    fs::remove_file(place.path().join("pairs.tsv")).unwrap();
    let page = report(place.path(), &[&run], &[]);
    sound(&page);
    for there in [
        "no model yet",
        "tasks are not shown",
        "dev set is not shown",
        "no run.json",
    ] {
        assert!(page.contains(there), "{there}");
    }
    let fails = |args: &[&str], code: i32, says: &str| {
        let mut command = gradus();
        command.current_dir(place.path()).arg("report").args(args);
        command.assert().code(code).stderr(contains(says));
    };
    fails(&["nowhere"], 2, "there is no recipe.toml");
    for unknown in ["nli", "stsx"] {
        let known = "STS12, STS13, STS14, STS15, STS16, STS-B, SICK-R, all, none";
        fails(&["headed", "--tasks", unknown], 2, known);
    }
    fails(&["headed", "./headed"], 2, "named twice");
    fails(
        &["headed", "--tensorboard", "--output", "x"],
        2,
        "cannot be used with",
    );
}

#[test]
fn event_files_are_made_anew() {
    let (place, run, _) = workplace();
    let events = || -> Vec<PathBuf> {
        let entries = fs::read_dir(run.join("tensorboard")).unwrap();
        entries.map(|e| e.unwrap().path()).collect()
    };
    let live = events();
    assert_eq!(live.len(), 1, "training wrote one");
    let length = fs::metadata(&live[0]).unwrap().len();
    let mut command = gradus();
    command
        .current_dir(place.path())
        .args(["report", "headed", "--tensorboard"]);
    let printed = stdout(&mut command);
    let anew = events();
    assert!(anew.len() == 1 && anew != live, "{anew:?}");
    assert!(anew[0].ends_with(printed.trim()), "{printed}");
    assert_eq!(fs::metadata(&anew[0]).unwrap().len(), length);
}

#[test]
fn pages_of_cross_encoders_show_scores() {
    let (place, _, plain) = workplace();
    let place = place.path();
    let cross = of_cross_encoder(place);
    let page = report(place, &[&cross], &[]);
    sound(&page);
    assert!(page.contains("Dev score of the score over steps") || page.contains("Dev scores"));
    assert!(
        page.contains("Spearman x 100 of the score on"),
        "dev scores"
    );
    assert!(page.contains("score of the cross-encoder"), "calibration");
    assert!(page.contains("of the cosine before training and of the score after it"));
    assert!(!page.contains("<th>cosine</th>") && page.contains("score stretched to"));
    let both = report(place, &[&plain, &cross], &["--output", "both.html"]);
    sound(&both);
    assert!(both.contains("Spearman x 100 of the cosine or score"));
    // The stored scores say what they are.
    let stored = fs::read_to_string(cross.join("report/after.json")).unwrap();
    assert!(stored.contains("\"similarity\":\"score\""));
    let stored = fs::read_to_string(plain.join("report/after.json")).unwrap();
    assert!(stored.contains("\"cosines\":[") && !stored.contains("\"similarity\""));
    let events = gradus()
        .arg("report")
        .arg(&cross)
        .arg("--tensorboard")
        .assert();
    events.success();
}
