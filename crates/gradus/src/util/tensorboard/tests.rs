use super::*;

const LINES: &str = "{\"kind\":\"step\",\"stage\":\"a\",\"step\":1,\"loss\":0.5}\n\
    {\"kind\":\"evaluation\",\"stage\":\"a\",\"step\":1,\"dev\":\"d\",\"spearman\":0.25,\
    \"head_spearman\":{\"value\":null,\"reason\":\"constant\"},\"geometry\":{\"mean_cosine\":0.1}}\n";

fn contents(folder: &Path) -> (String, Vec<u8>) {
    let files = files(folder).unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    let path = &files[0].1;
    (path.display().to_string(), std::fs::read(path).unwrap())
}

#[test]
fn the_numbers_of_a_line_are_scalars() {
    let value: Value = serde_json::from_str(LINES.lines().nth(1).unwrap()).unwrap();
    let mut scalars = Vec::new();
    numbers("a", &value, &mut scalars);
    let expected = [("a/spearman", 0.25), ("a/geometry/mean_cosine", 0.1)];
    assert_eq!(
        scalars,
        expected.map(|(tag, value)| (tag.to_owned(), value))
    );
    for none in [
        "",
        "{",
        "[]",
        "{\"stage\":\"a\"}",
        "{\"stage\":\"a\",\"step\":1}",
    ] {
        assert_eq!(record_of(none.as_bytes(), 0.0), None, "{none}");
    }
}

#[test]
fn a_run_that_goes_on_takes_back_what_came_after_its_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("tensorboard");
    let mut writer = EventWriter::open(&folder, 0, "").unwrap();
    let line = |step: u64| format!("{{\"stage\":\"a\",\"step\":{step},\"loss\":0.5}}");
    writer.write(line(1).as_bytes()).unwrap();
    let checkpoint = writer.len();
    let (_, kept) = contents(&folder);
    assert_eq!(kept.len() as u64, checkpoint, "events are there at once");
    writer.write(line(2).as_bytes()).unwrap();
    drop(writer);
    let (before, _) = contents(&folder);
    let mut writer = EventWriter::open(&folder, checkpoint, &line(1)).unwrap();
    let (after, bytes) = contents(&folder);
    assert!(before < after, "a later name");
    assert_eq!(bytes, kept);
    writer.write(line(2).as_bytes()).unwrap();
    let (_, bytes) = contents(&folder);
    assert!(bytes.len() > kept.len() && are_sound(&bytes));
}

#[test]
fn lost_or_damaged_events_are_made_anew() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    // A checkpoint of a run that wrote no events yet.
    let whole = EventWriter::open(folder, 0, LINES).unwrap().len();
    assert_eq!(whole, all(LINES, 0.0).len() as u64);
    for damage in [true, false] {
        let path = PathBuf::from(contents(folder).0);
        if damage {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[40] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        assert_eq!(
            EventWriter::open(folder, whole, LINES).unwrap().len(),
            whole
        );
        assert!(are_sound(&contents(folder).1));
    }
}

#[test]
fn events_are_made_of_metrics_and_leave_others_files_alone() {
    let place = tempfile::tempdir().unwrap();
    let (metrics, folder) = (
        place.path().join("metrics.jsonl"),
        place.path().join("events"),
    );
    assert!(write_events(&metrics, &folder).is_err());
    std::fs::write(&metrics, LINES).unwrap();
    std::fs::create_dir(&folder).unwrap();
    let other = folder.join("events.out.tfevents.1.host");
    std::fs::write(&other, "x").unwrap();
    let first = write_events(&metrics, &folder).unwrap();
    let second = write_events(&metrics, &folder).unwrap();
    assert!(!first.exists() && second.exists() && other.exists());
}
