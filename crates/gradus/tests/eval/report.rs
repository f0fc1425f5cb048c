//! Reports as people and programs read them.

use gradus::data::TextVariant;
use gradus::eval::{
    Aggregated, Aggregation, Correlation, Metric, Report, Scores, SubsetScores, SuiteScores,
    TaskScores, Undefined, View,
};

fn scores(spearman: f64) -> Scores {
    Scores {
        spearman: Correlation::Value(spearman),
        pearson: Correlation::Value(spearman / 2.0),
    }
}

fn aggregated(all: f64) -> Aggregated {
    Aggregated {
        all: scores(all),
        mean: scores(all - 0.1),
        weighted_mean: scores(all - 0.2),
    }
}

fn task(name: &str, text: TextVariant, all: f64, in_average: bool) -> TaskScores {
    let subset = |name: &str, value| SubsetScores {
        name: name.into(),
        pairs: 10,
        scores: scores(value),
    };
    TaskScores {
        name: name.into(),
        text,
        pairs: 20,
        in_average,
        scores: aggregated(all),
        subsets: match in_average {
            true => vec![subset("p", all - 0.01), subset("q", all + 0.01)],
            false => vec![subset("", all)],
        },
    }
}

fn suite(shift: f64) -> SuiteScores {
    SuiteScores {
        text: TextVariant::SentEval,
        similarity: "cosine".into(),
        average: aggregated(0.65 + shift),
        tasks: vec![
            task("STS12", TextVariant::SentEval, 0.7 + shift, true),
            task("STS-B", TextVariant::Original, 0.6 + shift, true),
            task("own", TextVariant::Original, 0.5 + shift, false),
        ],
        notes: vec!["a note".into()],
    }
}

fn report() -> Report {
    let mut report = Report::new("before", suite(0.0));
    report.push("after", suite(0.123_456));
    report
}

#[test]
fn text_is_aligned_and_says_what_it_shows() {
    let text = report().text(View::default());
    let want = "\
correlation: Spearman's x 100
similarity: cosine
aggregation: all (one correlation over all pairs of a task)
text: senteval (STS12), original (STS-B, own)

model   STS12  STS-B   Avg.    own
before  70.00  60.00  65.00  50.00
after   82.35  72.35  77.35  62.35

note: Avg. is over STS12, STS-B alone, not the seven tasks of published averages
note: a note
";
    assert_eq!(text, want);
}

#[test]
fn views_choose_what_is_shown() {
    let view = View {
        per_subset: true,
        aggregation: Aggregation::Mean,
        metric: Metric::Pearson,
    };
    let markdown = report().markdown(view);
    let want = "\
correlation: Pearson's x 100; similarity: cosine; aggregation: mean (of the subsets' correlations); text: senteval (STS12), original (STS-B, own)

| model | STS12 | STS-B | Avg. | own |
|---|--:|--:|--:|--:|
| before | 30.00 | 25.00 | 27.50 | 20.00 |
| after | 36.17 | 31.17 | 33.67 | 26.17 |

| subset | pairs | before | after |
|---|--:|--:|--:|
| STS12/p | 10 | 34.50 | 40.67 |
| STS12/q | 10 | 35.50 | 41.67 |
| STS-B/p | 10 | 29.50 | 35.67 |
| STS-B/q | 10 | 30.50 | 36.67 |
| own | 10 | 25.00 | 31.17 |

- Avg. is over STS12, STS-B alone, not the seven tasks of published averages
- a note
";
    assert_eq!(markdown, want);
}

#[test]
fn odd_rows_are_explained_not_hidden() {
    let mut report = report();
    let mut odd = suite(0.0);
    odd.tasks.remove(1);
    odd.tasks[0].text = TextVariant::Original;
    odd.tasks[0].scores.all.spearman = Correlation::Undefined(Undefined::Constant);
    odd.average.all.spearman = Correlation::Undefined(Undefined::UndefinedPart);
    report.push("\u{e9}|t\u{e9}", odd);
    let text = report.text(View::default());
    for line in [
        "\u{e9}|t\u{e9}      n/a      -    n/a  50.00",
        "before  70.00  60.00  65.00  50.00",
        "text: before, after: senteval (STS12), original (STS-B, own); \u{e9}|t\u{e9}: original",
        "note: \u{e9}|t\u{e9}: its Avg. is over STS12 alone",
        "note: \u{e9}|t\u{e9}, STS12: undefined, all values of a side are equal",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} not in:\n{text}");
    }
    let markdown = report.markdown(View::default());
    assert!(
        markdown.contains("| \u{e9}\\|t\u{e9} | n/a | - |"),
        "{markdown}"
    );
}

#[test]
fn json_is_whole_and_reads_back() {
    let report = report();
    let json = report.json();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let model = &value["models"][0];
    assert_eq!(model["model"], "before");
    assert_eq!(model["similarity"], "cosine");
    assert_eq!(model["text"], "senteval");
    assert_eq!(model["tasks"][1]["text"], "original");
    assert_eq!(model["tasks"][0]["weighted_mean"]["spearman"], 0.7 - 0.2);
    assert_eq!(model["tasks"][0]["subsets"][1]["name"], "q");
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn an_empty_report_is_no_accident() {
    let report = Report::default();
    let view = View {
        per_subset: true,
        ..View::default()
    };
    assert!(report.text(view).contains("model"));
    assert!(report.markdown(view).contains("| model |"));
}
