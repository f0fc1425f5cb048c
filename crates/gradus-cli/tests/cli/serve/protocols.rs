//! What is asked is answered, in the words of each protocol, with the bits of the other
//! commands.

use super::server::Server;
use crate::support::{cross_encoder, gradus, model, stdout};
use serde_json::{Value, json};
use std::fs;

const TEXTS: [&str; 4] = ["a dog in the park", "the dog is in a park", "", "two birds"];

fn floats(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|x| x.as_f64().unwrap() as f32).collect()
}

/// What `gradus encode` gives.
fn encoded(name: &str, arguments: &[&str]) -> Vec<Vec<f32>> {
    let mut command = gradus();
    command.args(["encode", &model(name)]).args(arguments);
    let lines = stdout(command.write_stdin(TEXTS.join("\n") + "\n"));
    let line = |line: &str| floats(&serde_json::from_str::<Value>(line).unwrap()["embedding"]);
    lines.lines().map(line).collect()
}

fn vectors(value: &Value) -> Vec<Vec<f32>> {
    value.as_array().unwrap().iter().map(floats).collect()
}

#[test]
fn vectors_have_the_bits_of_encode() {
    // The first divides its vectors by their length itself, the second does not.
    for (name, normalized) in [("bert-small", &[][..]), ("roberta-small", &["--normalize"])] {
        let server = Server::start(&[&model(name)]);
        let given = server.post("/embed", &json!({"inputs": TEXTS}));
        assert_eq!(vectors(&given.json()), encoded(name, normalized));
        assert!(given.header("x-compute-time").is_some());
        assert!(given.header("x-truncated").is_none());
        let raw = server.post("/embed", &json!({"inputs": TEXTS, "normalize": false}));
        assert_eq!(vectors(&raw.json()), encoded(name, &[]));
        let cut = server.post("/embed", &json!({"inputs": TEXTS, "dimensions": 7}));
        let expected = encoded(name, &["--normalize", "--dim", "7"]);
        assert_eq!(vectors(&cut.json()), expected);
        let one = server.post("/embed", &json!({"inputs": TEXTS[0]}));
        assert_eq!(vectors(&one.json()), encoded(name, normalized)[..1]);
    }
}

#[test]
fn token_ids_stand_for_their_text() {
    let server = Server::start(&[&model("bert-small")]);
    let text = TEXTS[0];
    let expected = encoded("bert-small", &[])[..1].to_vec();
    for special in [true, false] {
        let asked = json!({"inputs": text, "add_special_tokens": special});
        let tokens = server.post("/tokenize", &asked).json();
        let tokens = tokens[0].as_array().unwrap();
        let first = tokens.iter().find(|t| t["special"] == false).unwrap();
        assert_eq!((&first["start"], &first["stop"]), (&json!(0), &json!(1)));
        assert_eq!(tokens[0]["special"], json!(special));
        let ids: Vec<&Value> = tokens.iter().map(|t| &t["id"]).collect();
        let given = server.post("/embed", &json!({"inputs": ids}));
        assert_eq!(vectors(&given.json()), expected);
        let both = server.post("/embed", &json!({"inputs": [ids, text]}));
        assert_eq!(
            vectors(&both.json()),
            [&expected[..], &expected[..]].concat()
        );
        let decoded = server.post("/decode", &json!({"ids": ids}));
        assert_eq!(decoded.json(), json!([text]));
    }
    let foreign = server.post("/embed", &json!({"inputs": [1, 4_000_000]}));
    let foreign = foreign.refusal(422);
    assert!(
        foreign["error"].as_str().unwrap().contains("4000000"),
        "{foreign}"
    );
}

#[test]
fn token_vectors_have_the_hidden_size() {
    let server = Server::start(&[&model("roberta-small")]);
    let all = server.post("/embed_all", &json!({"inputs": [TEXTS[0], TEXTS[3]]}));
    let all = all.json();
    let tokens = server
        .post("/tokenize", &json!({"inputs": TEXTS[0]}))
        .json();
    let own = all[0].as_array().unwrap();
    assert_eq!(own.len(), tokens[0].as_array().unwrap().len());
    assert!(own.iter().all(|vector| floats(vector).len() == 32));
    // The model's pooling is their mean.
    let pooled = server.post("/embed", &json!({"inputs": TEXTS[0], "normalize": false}));
    let pooled = floats(&pooled.json()[0]);
    for (place, value) in pooled.iter().enumerate() {
        let sum: f32 = own.iter().map(|vector| floats(vector)[place]).sum();
        assert!((sum / own.len() as f32 - value).abs() < 2e-2, "{place}");
    }
}

#[test]
fn openai_clients_find_their_shapes() {
    let server = Server::start(&["--model", &format!("small={}", model("bert-small"))]);
    let texts = [TEXTS[0], TEXTS[3]];
    let expected = encoded("bert-small", &[]);
    let expected = [expected[0].clone(), expected[3].clone()];
    for path in ["/v1/embeddings", "/embeddings"] {
        let given = server.post(path, &json!({"input": texts, "model": "small"}));
        let given = given.json();
        assert_eq!(
            (&given["object"], &given["model"]),
            (&json!("list"), &json!("small"))
        );
        assert!(given["usage"]["total_tokens"].as_u64().unwrap() > 6);
        let data = given["data"].as_array().unwrap();
        for (place, object) in data.iter().enumerate() {
            assert_eq!(object["index"], json!(place));
            assert_eq!(floats(&object["embedding"]), expected[place]);
        }
    }
    let asked = json!({"input": texts, "encoding_format": "base64", "dimensions": 4});
    let given = server.post("/v1/embeddings", &asked).json();
    let text = given["data"][0]["embedding"].as_str().unwrap();
    assert_eq!(text.len(), 24, "16 bytes");
    let models = server.get("/v1/models").json();
    assert_eq!(models["data"][0]["id"], json!("small"));
    assert_eq!(
        server.get("/v1/models/small").json()["object"],
        json!("model")
    );
    let asked = json!({"input": texts, "model": "large"});
    let none = server.post("/v1/embeddings", &asked).refusal(404);
    assert_eq!(none["error"]["code"], json!("model_not_found"));
    let said = none["error"]["message"].as_str().unwrap();
    assert!(said.contains("small"), "{said}");
    for empty in [json!(""), json!([]), json!(["a", ""])] {
        let empty = server.post("/v1/embeddings", &json!({ "input": empty }));
        assert!(empty.refusal(400)["error"]["message"].is_string());
    }
    let wide = server.post("/v1/embeddings", &json!({"input": "a", "dimensions": 33}));
    let wide = wide.refusal(422);
    assert_eq!(wide["error"]["param"], json!("dimensions"), "{wide}");
}

#[test]
fn rankings_come_in_three_shapes() {
    let ranks = format!("ranks={}", cross_encoder("bert"));
    let words = format!("words={}", model("bert-small"));
    let server = Server::start(&["--model", &words, "--model", &ranks]);
    let tei = json!({"query": "the dog", "texts": TEXTS, "raw_scores": true, "return_text": true});
    let tei = server.post("/rerank", &tei).json();
    let rows = tei.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    let scores: Vec<f64> = rows.iter().map(|r| r["score"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let order: Vec<usize> = rows
        .iter()
        .map(|r| r["index"].as_u64().unwrap() as usize)
        .collect();
    assert!(
        rows.iter()
            .zip(&order)
            .all(|(r, &i)| r["text"] == json!(TEXTS[i]))
    );
    let documents = json!([TEXTS[0], {"text": TEXTS[1]}, TEXTS[2], TEXTS[3]]);
    for path in ["/v1/rerank", "/v2/rerank", "/rerank"] {
        let asked = json!({"query": "the dog", "documents": documents, "top_n": 2, "return_documents": true});
        let given = server.post(path, &asked).json();
        assert_eq!(
            given["model"],
            json!("ranks"),
            "the one that reads both texts"
        );
        let results = given["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        for (result, &index) in results.iter().zip(&order) {
            assert_eq!(result["index"], json!(index));
            assert_eq!(result["document"]["text"], json!(TEXTS[index]));
            let score = result["relevance_score"].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&score));
        }
    }
    // By cosines, of a model that makes vectors.
    let asked = json!({"query": TEXTS[0], "documents": TEXTS, "model": "words"});
    let given = server.post("/v1/rerank", &asked).json();
    assert_eq!(given["results"][0]["index"], json!(0));
    let score = given["results"][0]["relevance_score"].as_f64().unwrap();
    assert!((score - 1.0).abs() < 1e-6, "{score}");
    let similar = json!({"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS}});
    let cosines = floats(&server.post("/similarity", &similar).json());
    assert_eq!(cosines.len(), 4);
    assert!((cosines[0] - 1.0).abs() < 1e-6);
    let wrong = json!({"inputs": "a", "model": "ranks"});
    let wrong = server.post("/embed", &wrong).refusal(422);
    assert!(
        wrong["error"].as_str().unwrap().contains("ranks"),
        "{wrong}"
    );
}

#[test]
fn classes_come_likeliest_first() {
    let server = Server::start(&[&cross_encoder("bert-three-labels")]);
    let given = server.post("/predict", &json!({"inputs": ["a dog", "two birds"]}));
    let pair = given.json();
    let classes = pair.as_array().unwrap();
    assert_eq!(classes.len(), 3);
    let sum: f64 = classes.iter().map(|c| c["score"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    let many = json!({"inputs": [["a dog", "two birds"], ["two birds"]]});
    let many = server.post("/predict", &many).json();
    assert_eq!(many[0], pair);
    assert_eq!(many[1].as_array().unwrap().len(), 3);
    let three = server.post("/predict", &json!({"inputs": ["a", "b", "c"]}));
    assert_eq!(three.status, 422, "{}", three.text);
    let rank = json!({"query": "a", "texts": ["b"]});
    assert_eq!(server.post("/rerank", &rank).status, 422);
}

#[test]
fn grades_are_those_of_score() {
    let (_place, calibrated, pairs) = crate::calibrate::workplace();
    let mut command = gradus();
    command.arg("calibrate").arg(&calibrated).arg(&pairs);
    command
        .args(["--score", "cosine", "--scale", "0,6"])
        .assert()
        .success();
    let name = calibrated.to_str().unwrap();
    let server = Server::start(&[name, &cross_encoder("bert")]);
    for model in [name.to_owned(), cross_encoder("bert")] {
        let mut command = gradus();
        command.args(["score", &model, TEXTS[0], TEXTS[1], "--format", "json"]);
        let expected: Value = serde_json::from_str(&stdout(&mut command)).unwrap();
        let called = model.rsplit('/').next().unwrap();
        let asked = json!({"pairs": [[TEXTS[0], TEXTS[1]], ["a", "b"]], "model": called});
        let given = server.post("/grade", &asked).json();
        assert_eq!(given["grades"].as_array().unwrap().len(), 2);
        let grade = given["grades"][0].as_object().unwrap();
        for (key, value) in grade {
            assert_eq!(value, &expected[key], "{key}");
        }
        assert_eq!(given["scale"].is_array(), model == name);
    }
    let unknown = server.post("/grade", &json!({"pairs": [], "pears": 1}));
    assert!(
        unknown.refusal(422)["error"]
            .as_str()
            .unwrap()
            .contains("pears")
    );
}

#[test]
fn the_server_describes_itself() {
    let server = Server::start(&[&model("bert-small")]);
    let info = server.get("/info").json();
    assert_eq!(info["model_id"], json!("bert-small"));
    assert_eq!(info["model_type"]["embedding"]["pooling"], json!("mean"));
    assert_eq!(info["dimensions"], json!(32));
    let api = server.get("/api-doc/openapi.json").json();
    for path in [
        "/embed",
        "/v1/embeddings",
        "/v1/rerank",
        "/grade",
        "/health",
    ] {
        assert!(api["paths"][path].is_object(), "{path}");
    }
    assert_eq!(server.get("/docs/").status, 200);
    let page = server.get("/");
    assert!(page.text.contains("<title>") && page.header("content-security-policy").is_some());
    server.post("/embed", &json!({"inputs": TEXTS}));
    assert!(server.metric("te_request_count") >= 1.0);
    assert!(server.metric("te_request_success") >= 1.0);
    assert!(server.metric("te_request_duration_count") >= 1.0);
    assert!(server.metric("te_batch_next_tokens_count") >= 1.0);
    assert!(server.metric("process_resident_memory_bytes") > 1e6);
    assert_eq!(server.metric("te_queue_size"), 0.0);
}

#[test]
fn prompts_and_cuts_are_as_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("prompted");
    copy(&model("bert-small"), &folder);
    let prompts =
        json!({"prompts": {"query": "the dog ", "document": ""}, "default_prompt_name": null});
    let file = folder.join("config_sentence_transformers.json");
    fs::write(&file, prompts.to_string()).unwrap();
    let server = Server::start(&[folder.to_str().unwrap()]);
    let asked = json!({"inputs": "in the park", "prompt_name": "query"});
    let behind = server.post("/embed", &asked).json();
    let whole = server
        .post("/embed", &json!({"inputs": "the dog in the park"}))
        .json();
    assert_eq!(behind, whole);
    let asked = json!({"inputs": "a", "prompt_name": "nothing"});
    let refused = server.post("/embed", &asked).refusal(422);
    let said = refused["error"].as_str().unwrap();
    assert!(said.contains("query"), "{said}");
    let path = folder.to_str().unwrap();
    assert!(
        !said.contains(path),
        "where files are is not for clients: {said}"
    );
    let long = "dog park ".repeat(600);
    let cut = server.post("/embed", &json!({"inputs": ["a", long]}));
    assert_eq!(cut.header("x-truncated"), Some("1"));
    let asked = json!({"inputs": ["a", long], "truncate": false});
    let refused = server.post("/embed", &asked).refusal(422);
    assert!(
        refused["error"].as_str().unwrap().starts_with("input 1 "),
        "{refused}"
    );
    let ends = json!({"inputs": format!("cat {long}"), "truncation_direction": "Right"});
    let ends = server.post("/embed", &ends).json();
    let beginnings = json!({"inputs": format!("cat {long}"), "truncation_direction": "left"});
    assert_ne!(server.post("/embed", &beginnings).json(), ends);
}

fn copy(from: &str, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(entry.path().to_str().unwrap(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
