//! `gradus negatives`.

use crate::chat_server::{ChatServer, Gate, Reply, good, sentence};
use crate::support::{environment, gradus, model, stdout};
use gradus::data::{DataRoot, PairIndex, RowKind, Source};
use predicates::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const KEY: &str = "sk-very-secret-4711";

/// A folder with `texts.txt`, which holds so many sentences.
fn workplace(sentences: u64) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let lines: String = (0..sentences).map(|n| sentence(n) + "\n").collect();
    fs::write(place.path().join("texts.txt"), lines).unwrap();
    place
}

/// The command there, asking this server, with `--output out.jsonl`.
fn asking(place: &Path, server: &ChatServer, more: &[&str]) -> assert_cmd::Command {
    let mut command = gradus();
    command.current_dir(place).env("OPENAI_API_KEY", KEY);
    command.args(arguments(server, more));
    command
}

fn arguments(server: &ChatServer, more: &[&str]) -> Vec<String> {
    let fixed = [
        "negatives",
        "texts.txt",
        "--endpoint",
        &server.address,
        "--model",
        "m",
        "--output",
        "out.jsonl",
        "--retry-wait",
        "0.01",
        "--format",
        "json",
    ];
    fixed
        .iter()
        .chain(more)
        .map(|word| word.to_string())
        .collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn rows(place: &Path) -> Vec<Value> {
    let text = fs::read_to_string(place.join("out.jsonl")).unwrap();
    text.lines().map(json).collect()
}

fn triplets(place: &Path, name: &str) -> Vec<Vec<String>> {
    let source = Source {
        rows: Some(RowKind::Triplets),
        ..Source::file(name)
    };
    let root = DataRoot::resolve(Some(place));
    let found = source.unlabelled(&PairIndex::default(), place, &root);
    found.unwrap().rows
}

#[test]
fn rows_come_in_the_order_of_the_sentences_and_read_as_triplets() {
    let place = workplace(20);
    // Later sentences are answered sooner.
    let server = ChatServer::start(|number, _| {
        std::thread::sleep(Duration::from_millis(40 - 2 * number));
        Reply::Says(good(number, 2))
    });
    let options = [
        "--negatives",
        "2",
        "--concurrency",
        "8",
        "--temperature",
        "0.5",
    ];
    let mut command = asking(place.path(), &server, &options);
    let output = command
        .args(["--max-tokens", "300", "--extra", "{\"top_p\": 0.9}"])
        .output();
    let output = output.unwrap();
    let summary = json(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(summary["rows"]["sentences"], 20);
    assert_eq!(summary["rows"]["negatives"], 40);
    assert_eq!(summary["asking"]["requests"], 20);
    assert_eq!(summary["asking"]["spent"]["tokens_out"], 800);
    let rows = rows(place.path());
    for (number, row) in (0..).zip(&rows) {
        assert_eq!(row["sentence"], sentence(number));
        assert_eq!(row["model"], "m");
        assert!(row["negative_2"].as_str().unwrap().contains(" 3 men"));
    }
    let prompts: std::collections::HashSet<_> = rows
        .iter()
        .map(|row| row["prompt"].as_str().unwrap())
        .collect();
    assert!(prompts.len() > 1, "{prompts:?}");
    let triplets = triplets(place.path(), "out.jsonl");
    assert_eq!(triplets.len(), 20);
    assert_eq!(triplets[3][0], sentence(3));
    assert!(triplets[3][2].contains(" 2 men"));
    for seen in server.seen() {
        assert_eq!(seen.path, "/v1/chat/completions");
        assert_eq!(
            seen.authorization.as_deref(),
            Some(&*format!("Bearer {KEY}"))
        );
        let body = seen.body;
        assert_eq!(body["stream"], false);
        assert_eq!(
            (&body["temperature"], &body["top_p"]),
            (&0.5.into(), &0.9.into())
        );
        assert_eq!(
            (&body["model"], &body["max_tokens"]),
            (&"m".into(), &300.into())
        );
    }
    for file in fs::read_dir(place.path()).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains(KEY));
    }
    assert!(!String::from_utf8(output.stderr).unwrap().contains(KEY));
}

#[test]
fn a_server_that_misbehaves_is_asked_again() {
    let place = workplace(10);
    let server = ChatServer::start(|number, before| match (number, before) {
        (0, 0) => Reply::Status("429 Slow", "Retry-After: 1\r\n".into(), "{}".into()),
        (1, 0) => Reply::Status("500 Oops", String::new(), "<h1>oops</h1>".into()),
        (2, 0) => Reply::Half(good(2, 1)),
        (3, 0) => Reply::Silent(Duration::from_secs(60)),
        (4, _) => Reply::Streams(good(4, 1)),
        (5, 0) => Reply::Status("200 OK", String::new(), "{\"answer\": 42}".into()),
        (6, _) => Reply::Says("I'm sorry, but I can't help with that.".into()),
        (7, 0) => Reply::Says("{\"positive\": \"broken".into()),
        (8, _) => Reply::Says("no idea".into()),
        (9, 0) => Reply::Status(
            "200 OK",
            String::new(),
            "{\"error\": {\"message\": \"busy\"}}".into(),
        ),
        (number, _) => Reply::Says(format!("Sure:\n```json\n{}\n```", good(number, 1))),
    });
    let mut command = asking(
        place.path(),
        &server,
        &["--timeout", "3", "--concurrency", "10"],
    );
    let summary = json(&stdout(&mut command));
    let asking = &summary["asking"];
    assert_eq!(summary["rows"]["sentences"], 8, "{summary}");
    assert_eq!(
        (&asking["refused"], &asking["unreadable"]),
        (&1.into(), &1.into())
    );
    assert_eq!(asking["missing"], 0);
    let counts = server.counts();
    for (number, count) in [
        (0, 2),
        (1, 2),
        (2, 2),
        (3, 2),
        (4, 1),
        (5, 2),
        (6, 1),
        (7, 2),
        (8, 3),
        (9, 2),
    ] {
        assert_eq!(counts[&number], count, "sentence {number}");
    }
    let seen = server.seen();
    let times: Vec<Instant> = seen
        .iter()
        .filter(|s| s.number == 0)
        .map(|s| s.at)
        .collect();
    assert!(times[1] - times[0] >= Duration::from_secs(1));
    let refusals = summary["left_out"].as_array().unwrap();
    assert!(
        refusals
            .iter()
            .any(|l| l["reason"] == "refusal" && l["count"] == 1)
    );
    // Nothing is asked again, not even what cannot be read.
    stdout(&mut crate::negatives::asking(place.path(), &server, &[]));
    assert_eq!(server.seen().len(), seen.len());
}

#[test]
fn what_will_not_succeed_ends_at_once_with_the_servers_words() {
    for (status, remedy) in [
        ("400 Bad Request", "--extra"),
        ("401 Unauthorized", "check the key in OPENAI_API_KEY"),
        ("403 Forbidden", "may use this model"),
        ("404 Not Found", "check --endpoint and --model"),
    ] {
        let place = workplace(5);
        let server = ChatServer::start(move |number, _| match number {
            0 => Reply::Says(good(0, 1)),
            _ => {
                let body = format!("{{\"error\": {{\"message\": \"no, not {KEY}\"}}}}");
                Reply::Status(status, String::new(), body)
            }
        });
        let mut command = asking(place.path(), &server, &["--concurrency", "1"]);
        let says = predicate::str::contains("no, not ***")
            .and(predicate::str::contains(remedy))
            .and(predicate::str::contains(&status[..3]))
            .and(predicate::str::contains("out.jsonl holds what came before"))
            .and(predicate::str::contains(KEY).not());
        command.assert().code(5).stdout("").stderr(says);
        assert_eq!(server.seen().len(), 2);
        assert_eq!(rows(place.path()).len(), 1);
    }
    // Nor does it go where it is sent.
    let place = workplace(1);
    let server = ChatServer::start(|_, _| {
        Reply::Status(
            "307 There",
            "Location: http://127.0.0.1:9/x\r\n".into(),
            String::new(),
        )
    });
    let says = predicate::str::contains("sends requests on to http://127.0.0.1:9/x");
    asking(place.path(), &server, &[])
        .assert()
        .code(5)
        .stderr(says);
    // An endpoint that is down is not asked for every sentence.
    let place = workplace(50);
    let server = ChatServer::start(|_, _| Reply::Status("503 Busy", String::new(), String::new()));
    let options = ["--retries", "1", "--concurrency", "1"];
    let says = predicate::str::contains("no usable answer to 2 requests in a row");
    asking(place.path(), &server, &options)
        .assert()
        .code(5)
        .stderr(says);
    assert_eq!(server.seen().len(), 6);
    assert!(!place.path().join("out.jsonl").exists());
}

fn spawn(place: &Path, arguments: &[String]) -> Child {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("gradus"));
    command
        .envs(environment())
        .env("OPENAI_API_KEY", KEY)
        .current_dir(place)
        .args(arguments);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The sentences that the journal has answers for.
fn journaled(place: &Path) -> usize {
    let text = fs::read(place.join("out.jsonl.journal")).unwrap_or_default();
    let lines = text.split_inclusive(|b| *b == b'\n');
    let whole = lines.filter(|line| line.ends_with(b"\n"));
    whole
        .filter(|line| line.starts_with(b"{\"answer\""))
        .count()
}

#[test]
fn a_killed_run_goes_on_and_asks_for_nothing_twice() {
    const SENTENCES: u64 = 60;
    let whole = workplace(SENTENCES);
    stdout(&mut asking(
        whole.path(),
        &ChatServer::good(),
        &["--concurrency", "8"],
    ));
    let place = workplace(SENTENCES);
    let gate = Gate::default();
    let server = gate.server();
    let arguments = arguments(&server, &["--concurrency", "3"]);
    let mut kills = 0;
    for stop_at in [5, 17, 31, 48] {
        // Answers on their way at a kill are lost, three at a time.
        gate.open_for(stop_at + 3 * kills);
        let mut child = spawn(place.path(), &arguments);
        while journaled(place.path()) < stop_at && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        assert!(!place.path().join("out.jsonl").exists());
        // Also where the last line was torn.
        let journal = place.path().join("out.jsonl.journal");
        let mut bytes = fs::read(&journal).unwrap();
        bytes.extend_from_slice(b"{\"answer\":{\"key\":\"");
        fs::write(&journal, bytes).unwrap();
        // What is answered and written down stays so.
        let known = journaled(place.path());
        let asked = server.seen().len();
        assert!(
            asked <= known + 3 * kills,
            "{asked} requests for {known} answers"
        );
    }
    gate.open_for(usize::MAX);
    let summary = json(&stdout(&mut asking(
        place.path(),
        &server,
        &["--concurrency", "3"],
    )));
    assert_eq!(summary["rows"]["sentences"], SENTENCES);
    // Only what was under way at a kill may have been asked for again.
    let again: usize = server.counts().values().map(|count| count - 1).sum();
    assert!(again <= 3 * kills, "{again}");
    let written = |place: &Path| {
        let texts = rows(place).into_iter().map(|row| row["sentence"].clone());
        texts.collect::<Vec<_>>()
    };
    assert_eq!(written(place.path()), written(whole.path()));
    let before = server.seen().len();
    let summary = json(&stdout(&mut asking(place.path(), &server, &[])));
    assert_eq!(summary["asking"]["from_journal"], SENTENCES);
    assert_eq!(server.seen().len(), before);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_with_what_came_and_the_line_that_goes_on() {
    use std::io::{BufRead, Read};
    let place = workplace(40);
    let gate = Gate::default();
    gate.open_for(4);
    let server = gate.server();
    let mut child = spawn(place.path(), &arguments(&server, &["--concurrency", "2"]));
    while journaled(place.path()) < 4 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    let kill = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(kill.unwrap().success());
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    // From now on nothing is asked any more; what was comes.
    while !said.contains("stopping when") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    gate.open_for(usize::MAX);
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{said}");
    assert!(
        said.contains("stopping when the answers under way are here"),
        "{said}"
    );
    let answered = rows(place.path()).len();
    assert!((4..40).contains(&answered));
    assert_eq!(answered, journaled(place.path()));
    assert!(
        said.contains(&format!("with answers to {answered} of 40 sentences")),
        "{said}"
    );
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("  gradus "))
        .unwrap();
    let mut command = gradus();
    command.current_dir(place.path()).args(line.split(' '));
    command.assert().success();
    assert_eq!(rows(place.path()).len(), 40);
    assert!(server.counts().values().all(|count| *count == 1));
}

#[test]
fn limits_end_cleanly_and_go_on_when_raised() {
    let place = workplace(30);
    let server = ChatServer::good();
    let priced = [
        "--price-in",
        "10",
        "--price-out",
        "25",
        "--max-tokens",
        "40",
    ];
    // A request costs 0.001 + 0.001.
    let run = |limit: &[&str]| {
        let mut command = asking(place.path(), &server, &priced);
        json(&stdout(command.args(limit)))
    };
    let summary = run(&["--max-cost", "0.0201"]);
    let asking = &summary["asking"];
    assert_eq!(asking["stopped"], "limit");
    let cost = asking["spent"]["cost"].as_f64().unwrap();
    assert!(cost > 0.01 && cost <= 0.0201, "{cost}");
    let first = summary["rows"]["sentences"].as_u64().unwrap();
    assert_eq!(asking["missing"].as_u64().unwrap(), 30 - first);
    let summary = run(&["--max-tokens-total", "2100"]);
    let tokens = &summary["asking"]["spent"];
    let tokens = tokens["tokens_in"].as_u64().unwrap() + tokens["tokens_out"].as_u64().unwrap();
    assert!(tokens <= 2100 && summary["rows"]["sentences"].as_u64().unwrap() > first);
    let summary = run(&[]);
    assert_eq!(summary["asking"]["stopped"], Value::Null);
    assert_eq!(rows(place.path()).len(), 30);
    assert!(server.counts().values().all(|count| *count == 1));
    let mut command = crate::negatives::asking(place.path(), &server, &["--max-cost", "1"]);
    let says = predicate::str::contains("--max-cost needs --price-in and --price-out");
    command.assert().code(2).stderr(says);
}

#[test]
fn filters_are_applied_anew_without_a_request() {
    let place = workplace(6);
    let server = ChatServer::start(|number, _| {
        let [positive, negative] = match number {
            0 => [
                sentence(0),
                "The dog walks with nobody at all in sentence number 0.".into(),
            ],
            1 => [
                "Ein Mann.".into(),
                "Не тот человек, не та собака, всё не так.".into(),
            ],
            2 => [
                "In sentence number 2 a man walks his dog.".into(),
                sentence(2).to_uppercase(),
            ],
            _ => return Reply::Says(good(number, 2)),
        };
        Reply::Says(serde_json::json!({"positive": positive, "negatives": [negative]}).to_string())
    });
    let run = |more: &[&str]| json(&stdout(&mut asking(place.path(), &server, more)));
    let summary = run(&[]);
    assert_eq!(summary["rows"]["sentences"], 3);
    let found: Vec<String> = summary["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| {
            format!(
                "{} {} {}",
                l["part"].as_str().unwrap(),
                l["reason"].as_str().unwrap(),
                l["count"]
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "positive copy_of_sentence 1",
            "positive too_short 1",
            "negative copy_of_sentence 1",
            "negative other_script 1",
        ]
    );
    let summary = run(&["--min-length", "0.1", "--min-script", "0"]);
    assert_eq!(summary["rows"]["sentences"], 4);
    assert_eq!(server.seen().len(), 6);
    // What somebody else changed is not replaced.
    fs::write(place.path().join("out.jsonl"), "mine").unwrap();
    let says = predicate::str::contains("--overwrite");
    asking(place.path(), &server, &[])
        .assert()
        .code(2)
        .stderr(says);
    run(&["--overwrite"]);
    assert_eq!(rows(place.path()).len(), 3);
    // Another prompt, model or parameter is another question.
    run(&["--temperature", "1"]);
    assert_eq!(server.seen().len(), 12);
}

#[test]
fn a_dry_run_counts_and_sends_nothing() {
    let place = workplace(8);
    let server = ChatServer::good();
    let dry = ["--dry-run", "--price-in", "1", "--price-out", "1"];
    let found = json(&stdout(&mut asking(place.path(), &server, &dry)));
    assert_eq!(
        (&found["requests"], &found["sentences"]),
        (&8.into(), &8.into())
    );
    assert!(found["tokens_in"].as_u64().unwrap() > 400 && found["cost"].as_f64().unwrap() > 0.0);
    assert!(server.seen().is_empty());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    stdout(&mut asking(
        place.path(),
        &server,
        &["--max-sentences", "3"],
    ));
    let found = json(&stdout(&mut asking(place.path(), &server, &dry)));
    assert_eq!(
        (&found["requests"], &found["from_journal"]),
        (&5.into(), &3.into())
    );
}

#[test]
fn prompts_can_be_printed_and_replaced() {
    let place = workplace(4);
    let server = ChatServer::good();
    let mut command = gradus();
    command.current_dir(place.path());
    let printed = stdout(command.args(["negatives", "--print-prompts", "prompts"]));
    assert!(printed.lines().count() > 2 && printed.contains("contrast.toml"));
    for path in printed.lines() {
        fs::remove_file(place.path().join(path)).unwrap();
    }
    let own = "id = 'own'\nuser = 'Give {negatives} of: {sentence}'";
    fs::write(place.path().join("prompts/own.toml"), own).unwrap();
    stdout(&mut asking(
        place.path(),
        &server,
        &["--prompts", "prompts", "--negatives", "2"],
    ));
    assert!(rows(place.path()).iter().all(|row| row["prompt"] == "own"));
    let asked = &server.seen()[0].body["messages"];
    assert!(
        asked[0]["content"]
            .as_str()
            .unwrap()
            .starts_with("Give 2 of: Sentence number")
    );
    fs::write(place.path().join("prompts/own.toml"), "id = 'own'").unwrap();
    let mut command = asking(place.path(), &server, &["--prompts", "prompts"]);
    command
        .assert()
        .code(3)
        .stderr(predicate::str::contains("own.toml: no prompt"));
}

#[test]
fn rules_need_no_model() {
    let place = tempfile::tempdir().unwrap();
    let texts = "A man is playing the guitar.\nTwo old dogs run.\nHm.\nTwo old dogs run.\n\
                 She met Anna on Monday.\nHe saw Berlin on Friday.\n";
    fs::write(place.path().join("texts.txt"), texts).unwrap();
    let run = |output: &str, more: &[&str]| {
        let mut command = gradus();
        command
            .current_dir(place.path())
            .args(["negatives", "texts.txt", "--rules", "--output"]);
        let printed = stdout(command.arg(output).args(["--format", "json"]).args(more));
        (
            json(&printed),
            fs::read_to_string(place.path().join(output)).unwrap(),
        )
    };
    let (summary, first) = run("a.tsv", &["--negatives", "2"]);
    assert_eq!(
        (&summary["sentences"], &summary["repeated"]),
        (&5.into(), &1.into())
    );
    assert_eq!(summary["rows"]["sentences"], 4);
    assert_eq!(summary["unmade"][0]["sentence"], "Hm.");
    assert_eq!(summary["unmade"][0]["number"], 3);
    let header = "sentence\tpositive\tnegative_1\tnegative_2\tmodel\tprompt\trule";
    assert_eq!(first.lines().next(), Some(header));
    for triplet in triplets(place.path(), "a.tsv") {
        assert_eq!(triplet[0], triplet[1]);
        assert_ne!(triplet[0], triplet[2]);
    }
    assert_eq!(
        run("b.tsv", &["--negatives", "2", "--threads", "1"]).1,
        first
    );
    let seeds: Vec<String> = (2..6)
        .map(|s| {
            run(
                &format!("{s}.tsv"),
                &["--negatives", "2", "--seed", &s.to_string()],
            )
            .1
        })
        .collect();
    assert!(seeds.iter().any(|other| *other != first));
    let (summary, text) = run("c.jsonl", &["--rule", "negation", "--long"]);
    assert!(text.contains("A man is not playing the guitar."), "{text}");
    assert!(
        text.contains("\"rule\":\"negation: is -> is not\""),
        "{text}"
    );
    let only = summary["rows"]["by_rule"].as_object().unwrap();
    assert_eq!(only.keys().collect::<Vec<_>>(), ["negation"]);
    assert_eq!(
        triplets(place.path(), "c.jsonl").len(),
        text.lines().count()
    );
    let mut command = gradus();
    command.current_dir(place.path());
    command.args(["negatives", "texts.txt", "--rules", "--output", "a.tsv"]);
    command
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--overwrite"));
}

#[test]
fn a_teacher_judges_and_its_cosines_are_written() {
    let place = workplace(5);
    let server = ChatServer::good();
    let teacher = model("bert-small");
    let run = |more: &[&str]| {
        let mut command = asking(
            place.path(),
            &server,
            &["--negatives", "2", "--teacher", &teacher],
        );
        json(&stdout(command.args(more)))
    };
    run(&["--negative-below", "1", "--positive-above", "-1"]);
    let written = rows(place.path());
    let cosine = |row: &Value, name: &str| row[name].as_f64().unwrap();
    assert_eq!(written.len(), 5);
    let names = ["positive_cosine", "negative_1_cosine", "negative_2_cosine"];
    assert!(
        written
            .iter()
            .all(|row| names.iter().all(|n| cosine(row, n).abs() <= 1.0))
    );
    let first = |row| cosine(row, "negative_1_cosine");
    let mut cosines: Vec<f64> = written.iter().map(first).collect();
    cosines.sort_by(f64::total_cmp);
    let middle = cosines[2];
    let bound = middle.to_string();
    let summary = run(&["--negative-below", &bound, "--positive-above", "-1"]);
    for row in rows(place.path()) {
        assert!(cosine(&row, "negative_1_cosine") <= middle);
    }
    let near = summary["left_out"].as_array().unwrap();
    assert!(
        near.iter().any(|l| l["reason"] == "teacher_near"),
        "{summary}"
    );
    let summary = run(&["--positive-above", "1"]);
    assert_eq!(summary["rows"]["sentences"], 0);
    assert_eq!(summary["rows"]["without_positive"], 5);
    assert_eq!(server.seen().len(), 5);
}

#[test]
fn wrong_usage_is_answered() {
    let place = workplace(2);
    for (words, says) in [
        (&["--rules", "--output", "o.csv"][..], ".tsv or .jsonl"),
        (
            &["--rules", "--output", "o.tsv", "--negatives", "0"],
            "--negatives must lie",
        ),
        (&["--output", "o.tsv"], "--endpoint"),
        (
            &["--rules", "--output", "texts.txt.tsv", "--rule", "nothing"],
            "negation",
        ),
        (
            &[
                "--endpoint",
                "localhost:1",
                "--model",
                "m",
                "--output",
                "o.tsv",
            ],
            "http://host:port",
        ),
        (
            &[
                "--endpoint",
                "http://localhost:1",
                "--model",
                "m",
                "--output",
                "o.tsv",
                "--extra",
                "[]",
            ],
            "JSON object",
        ),
        (
            &[
                "--endpoint",
                "http://localhost:1",
                "--model",
                "m",
                "--output",
                "o.tsv",
                "--extra",
                "{\"stream\": true}",
            ],
            "leave it out",
        ),
    ] {
        let mut command = gradus();
        command
            .current_dir(place.path())
            .args(["negatives", "texts.txt"])
            .args(words);
        command
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains(says));
    }
    fs::write(place.path().join("empty.txt"), "\n").unwrap();
    let mut command = gradus();
    command.current_dir(place.path());
    command.args(["negatives", "empty.txt", "--rules", "--output", "o.tsv"]);
    command
        .assert()
        .code(3)
        .stderr(predicate::str::contains("holds no sentences"));
}
