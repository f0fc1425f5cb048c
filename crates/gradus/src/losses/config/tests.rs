use super::*;

fn build(toml: &str) -> Result<Box<dyn Objective>, String> {
    let config: ObjectiveConfig = toml::from_str(toml).map_err(|e| e.to_string())?;
    config
        .build(data(&[0.0, 5.0, 2.0]))
        .map_err(|e| e.to_string())
}

fn data(labels: &[f64]) -> TrainingSet<'_> {
    TrainingSet {
        labels,
        weights: &[1.0; 8][..labels.len()],
        columns: 2,
        teachers: &[1.0],
    }
}

#[test]
fn settings_reach_the_objective() {
    for (toml, text) in [
        (
            "loss = 'smooth_k2'\nk = 3.5\nx0 = 0.2",
            "smooth K2 (k 3.5, x0 0.2) on a head over [u; v; |u-v|]",
        ),
        (
            "loss = 'translated_relu'\nfeatures = 'difference'",
            "translated ReLU (k 1, x0 0.25) on a head over [|u-v|]",
        ),
        ("loss = 'mse'\nform = 'cosine'", "MSE on 5 cos(u, v) + 0"),
        (
            "loss = 'l1'\nform = 'cosine'\nscale = 2.5\noffset = 2.5\nlearned = true",
            "L1 on 2.5 cos(u, v) + 2.5, learned",
        ),
        (
            "loss = 'cross_entropy'",
            "cross-entropy over 3 classes on a head over [u; v; |u-v|]",
        ),
        (
            "loss = 'info_nce'\nsymmetric = true",
            "InfoNCE (temperature 0.05, both directions)",
        ),
        (
            "loss = 'angle'\ntemperature = 0.1\nwidths = [64, 32]",
            "CoSENT (scale 10) on angles in complex space at widths 64, 32",
        ),
        (
            "loss = 'list_mle'",
            "ListMLE (temperature 0.05) after 1 teacher(s)",
        ),
        (
            "loss = 'consistency'",
            "ranking consistency (temperature 0.05)",
        ),
        (
            "loss = 'embedding_mse'",
            "squared distance to the vectors of 1 teacher(s)",
        ),
        (
            "loss = 'pearson'",
            "1 - Pearson's correlation of cosines and grades",
        ),
    ] {
        assert_eq!(build(toml).map(|o| o.describe()), Ok(text.to_owned()));
    }
}

#[test]
fn bad_settings_are_refused() {
    for (toml, part) in [
        ("loss = 'smooth_k2'\nx0 = 0.51", "0 <= x0 <= 0.5"),
        ("loss = 'smooth_k2'\nx0 = -0.1", "0 <= x0"),
        ("loss = 'smooth_k2'\nx0 = nan", "0 <= x0"),
        (
            "loss = 'translated_relu'\nx0 = 0.3\nspacing = 0.5",
            "<= 0.25",
        ),
        ("loss = 'smooth_k2'\nk = 0.0", "k = 0"),
        ("loss = 'mse'\nx0 = 0.1", "`x0` has no meaning"),
        ("loss = 'mse'\nscale = 5.0", "`scale` has no meaning"),
        (
            "loss = 'mse'\nform = 'cosine'\nfeatures = 'concat'",
            "`features` has no meaning",
        ),
        ("loss = 'mse'\nform = 'cosine'\nscale = 0.0", "not constant"),
        ("loss = 'cross_entropy'\nform = 'cosine'", "head form"),
        ("loss = 'info_nce'\nk = 2.0", "`k` has no meaning"),
        ("loss = 'info_nce'\ntemperature = 0.0", "temperature 0"),
        (
            "loss = 'mse'\ntemperature = 0.1",
            "`temperature` has no meaning",
        ),
        ("loss = 'cosent'\nsymmetric = true", "`symmetric`"),
        (
            "loss = 'list_mle'\nteacher_temperature = 0.1",
            "`teacher_temperature`",
        ),
        ("loss = 'pearson'\nform = 'cosine'", "`form` has no meaning"),
        (
            "loss = 'mse'\nwidths = [8]",
            "a regression head has one width",
        ),
        ("loss = 'pearson'\nwidths = []", "at least one"),
        (
            "loss = 'embedding_mse'\nwidths = [8]",
            "`widths` has no meaning",
        ),
        (
            "loss = 'embedding_mse'\ntemperature = 0.1",
            "`temperature` has no meaning",
        ),
        ("loss = 'smooth_k3'", "unknown variant"),
        ("loss = 'mse'\nlr = 1.0", "unknown field"),
    ] {
        let error = build(toml).err().unwrap_or_default();
        assert!(error.contains(part), "{toml}: {error}");
    }
    for (loss, allowed) in [
        ("info_nce", false),
        ("consistency", false),
        ("cosent", false),
        ("list_mle", true),
        ("embedding_mse", true),
    ] {
        let config: ObjectiveConfig = toml::from_str(&format!("loss = '{loss}'")).unwrap();
        let one_view = TrainingSet {
            columns: 1,
            ..data(&[0.0, 1.0])
        };
        let built = config.build(one_view);
        assert_eq!(built.is_ok(), allowed, "{loss}");
        assert!(built.is_err() || built.is_ok_and(|o| o.columns() == 1));
    }
    let classes: ObjectiveConfig = toml::from_str("loss = 'cross_entropy'").unwrap();
    assert_eq!(
        classes.build(data(&[0.0, 0.5])).err(),
        Some(ObjectiveError::NotAClass(0.5))
    );
    assert_eq!(
        classes.build(data(&[1.0, 1.0])).err(),
        Some(ObjectiveError::EqualGrades {
            count: 2,
            value: 1.0
        })
    );
}

#[test]
fn grades_that_do_not_differ_are_refused_with_their_value() {
    for loss in ["mse", "l1", "smooth_k2", "cosent", "angle", "pearson"] {
        let config: ObjectiveConfig = toml::from_str(&format!("loss = '{loss}'")).unwrap();
        let equal = ObjectiveError::EqualGrades {
            count: 3,
            value: 2.5,
        };
        assert_eq!(config.build(data(&[2.5; 3])).err(), Some(equal));
        // Those without weight do not count.
        let weighted = |weights| TrainingSet {
            weights,
            ..data(&[2.5, 2.5, 4.0])
        };
        assert!(config.build(weighted(&[1.0, 1.0, 1.0])).is_ok(), "{loss}");
        let two = ObjectiveError::EqualGrades {
            count: 2,
            value: 2.5,
        };
        assert_eq!(config.build(weighted(&[1.0, 0.5, 0.0])).err(), Some(two));
        assert_eq!(
            config.build(weighted(&[0.0; 3])).err(),
            Some(ObjectiveError::NoWeight(3))
        );
    }
    // A cosine's map that is given does not make something of them.
    let fixed = "loss = 'mse'\nform = 'cosine'\nscale = 5.0\noffset = 0.0";
    let config: ObjectiveConfig = toml::from_str(fixed).unwrap();
    let error = config.build(data(&[4.0; 8])).err().unwrap().to_string();
    assert!(error.contains("all 8 training grades are 4"), "{error}");
    // Texts without grades have none that could differ.
    let free: ObjectiveConfig = toml::from_str("loss = 'info_nce'").unwrap();
    assert!(free.build(data(&[0.0; 3])).is_ok());
}

#[test]
fn temperatures_have_bounds() {
    for (temperature, fits) in [
        ("1e-5", false),
        ("2e-4", true),
        ("0.05", true),
        ("1e4", true),
        ("1e5", false),
        ("nan", false),
        ("-0.05", false),
        ("inf", false),
    ] {
        for loss in [
            "info_nce",
            "cosent",
            "angle",
            "list_net",
            "list_mle",
            "consistency",
        ] {
            let built = build(&format!("loss = '{loss}'\ntemperature = {temperature}"));
            assert_eq!(built.is_ok(), fits, "{loss} {temperature}");
        }
        let built = build(&format!(
            "loss = 'list_net'\nteacher_temperature = {temperature}"
        ));
        assert_eq!(built.is_ok(), fits, "{temperature}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let mut texts = vec![
        "loss = 'smooth_k2'\nk = 3\nx0 = 0.5\nspacing = 2.0\nrange = [0, 5]\nfeatures = 'concat'".to_owned(),
        "loss = 'translated_relu'\nform = 'cosine'\nscale = -5\noffset = 5\nlearned = true".into(),
        "loss = 'l1'\nform = 'cosine'\nout_of_range = 'none'\nweight = 0.5\nwidths = [8, 4]".into(),
        "loss = 'cross_entropy'\nfeatures = 'difference'".into(),
        "loss = 'info_nce'\nlearned = true\nsymmetric = true\nnegative_weight = 2\ntemperature = 0.1".into(),
        "loss = 'list_net'\nteacher_temperature = 0.1\ninclude_self = true\nweight = 0".into(),
    ];
    texts.extend(LossName::ALL.iter().map(|loss| loss.in_recipe()));
    for text in texts {
        let read: ObjectiveConfig = toml::from_str(&text).unwrap();
        let written = toml::to_string(&read).unwrap();
        let again: ObjectiveConfig = toml::from_str(&written).unwrap();
        assert_eq!(again, read, "{text}\n{written}");
        let json = serde_json::to_string(&read).unwrap();
        let again: ObjectiveConfig = serde_json::from_str(&json).unwrap();
        assert_eq!(again, read, "{text}\n{json}");
    }
}

/// Runs of earlier versions wrote `form` and `out_of_range` with every loss, and
/// of the others those that were set.
#[test]
fn what_earlier_versions_wrote_is_read() {
    for loss in LossName::ALL {
        let loss = loss.in_recipe();
        let plain: ObjectiveConfig = toml::from_str(&loss).unwrap();
        let stored = format!("{loss}\nform = \"head\"\nout_of_range = \"label_aware\"\n");
        assert_eq!(toml::from_str(&stored), Ok(plain), "{stored}");
    }
    let stored =
        "loss = \"cross_entropy\"\nform = \"head\"\nout_of_range = \"both\"\nrange = [0.0, 5.0]\n";
    let plain: ObjectiveConfig = toml::from_str("loss = 'cross_entropy'").unwrap();
    assert_eq!(toml::from_str(stored), Ok(plain));
}

#[test]
fn mistakes_are_shown_where_they_are() {
    for (toml, parts) in [
        (
            "loss = 'mse'\ntemprature = 1",
            &[
                "line 2, column 1",
                "unknown field `temprature`, expected one of `loss`, `weight`",
                "`temperature`",
            ][..],
        ),
        (
            "loss = 'no'\nk = 1",
            &["line 1, column 8", "unknown variant `no`", "`info_nce`"],
        ),
        (
            "weight = 'heavy'\nloss = 'mse'",
            &["line 1, column 10", "expected f64"],
        ),
        (
            "loss = 'smooth_k2'\nk = 'steep'",
            &["invalid type: string \"steep\"", "`k`"],
        ),
        ("loss = 'mse'\nrange = 'all'", &["`range`: invalid type"]),
        ("weight = 1.0", &["missing field `loss`"]),
        (
            "loss = 'mse'\ntemperature = 0.1",
            &["`temperature` has no meaning for `loss = \"mse\"`; remove it"],
        ),
        (
            "loss = 'mse'\noffset = 0.1",
            &["`offset` has no meaning for the head form; remove it"],
        ),
    ] {
        let error = toml::from_str::<ObjectiveConfig>(toml)
            .unwrap_err()
            .to_string();
        for part in parts {
            assert!(error.contains(part), "{toml}: {error}");
        }
    }
}
