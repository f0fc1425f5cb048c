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
