//! Answers keep step with rows, and no text slips into another column.

use crate::support::{gradus, model, stdout};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a command wrote: its exit code, standard output and standard error.
fn run(args: &[&str], input: &[u8]) -> (i32, String, String) {
    let assert = gradus().args(args).write_stdin(input).assert();
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

fn score(args: &[&str], input: &str) -> String {
    let model = model("bert-small");
    let all = [&["score", &model], args].concat();
    stdout(gradus().args(all).write_stdin(input))
}

/// A file in a folder of its own.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn score_file(name: &str, bytes: impl AsRef<[u8]>, args: &[&str]) -> (i32, String, String) {
    let (_folder, path) = file(name, bytes);
    let model = model("bert-small");
    let base = ["score", &model, "--pairs", path.to_str().unwrap()];
    run(&[&base, args].concat(), b"")
}

#[test]
fn a_line_in_is_a_line_out() {
    let two = score(&[], "a cat\ttwo dogs\nthe mat\tthe man\n");
    let (first, second) = two.split_once('\n').unwrap();
    let second = second.trim_end_matches('\n');
    let blanks = score(&[], "\n\na cat\ttwo dogs\n\n  \nthe mat\tthe man\n\n");
    assert_eq!(blanks, format!("\n\n{first}\n\n\n{second}\n\n"));
    let json = "{\"first\": \"a cat\", \"second\": \"two dogs\"}\n\n\
                {\"first\": \"the mat\", \"second\": \"the man\"}\n";
    assert_eq!(score(&["--jsonl"], json), format!("{first}\n\n{second}\n"));
    // More blank lines than a chunk holds.
    let many = "\n".repeat(3000);
    let out = score(&[], &format!("{many}a cat\ttwo dogs\n"));
    assert_eq!(out, format!("{many}{first}\n"));
}

#[test]
fn names_of_two_columns_are_no_pair() {
    let alone = score(&[], "a cat\ttwo dogs\n");
    for names in [
        "sentence1\tsentence2",
        "premise\thypothesis",
        "Text_A\tText_B",
        "anchor\tpositive",
        "query\tdocument",
    ] {
        let input = format!("{names}\na cat\ttwo dogs\n");
        let (code, out, err) = run(&["score", &model("bert-small")], input.as_bytes());
        assert_eq!((code, &out), (0, &alone), "{names}: {err}");
        assert!(err.contains("holds the columns' names"), "{err}");
        let both = score(&["--no-header"], &input);
        assert_eq!(both.lines().count(), 2, "{names}");
        assert!(both.ends_with(&alone));
        let named = score(&["--output-header"], &input);
        assert_eq!(named.lines().count(), 2, "{names}");
        assert!(named.starts_with("recommended\t") && named.ends_with(&alone));
    }
    // Where columns are places too.
    let placed = score(
        &["--columns", "0,1"],
        "sentence1\tsentence2\na cat\ttwo dogs\n",
    );
    assert_eq!(placed, alone);
    let (code, _, err) = run(
        &["score", &model("bert-small")],
        b"sentence1\tsentence2\na\tb\nsentence1\tsentence2\nc\td\n",
    );
    assert_eq!(code, 3);
    assert!(
        err.contains("input:3: the names of the columns again"),
        "{err}"
    );
}

#[test]
fn a_row_of_another_width_is_an_error() {
    for (name, text, args, line) in [
        ("a.tsv", "a\tb\nc\td\te\n", &[][..], 2),
        ("a.tsv", "a\tb\te\nc\td\n", &["--columns", "0,1"], 2),
        (
            "a.tsv",
            "sentence1\tid\tsentence2\na\t1\tb\nc\tx\t2\td\n",
            &[],
            3,
        ),
        (
            "a.tsv",
            "l\tid\tr\na\t1\tb\nc\tx\t2\td\n",
            &["--header", "--columns", "l,r"],
            3,
        ),
        ("a.tsv", "1\ta\tb\n\n2\tc\td\te\n", &[], 3),
        ("a.csv", "sentence1,sentence2\na,b\nc, d,e\n", &[], 3),
        ("a.csv", "sentence1,sentence2,note\na,b,\nc,d\n", &[], 3),
        (
            "a.csv",
            "a,b,x\nc,d\n",
            &["--no-header", "--columns", "0,1"],
            2,
        ),
    ] {
        let (code, _, err) = score_file(name, text, args);
        assert_eq!(code, 3, "{text:?}: {err}");
        let place = format!("{name}:{line}: ");
        assert!(
            err.contains(&place) && err.contains("where the first row has"),
            "{err}"
        );
    }
    let (code, _, err) = run(&["score", &model("bert-small")], b"a\tb\nc\td\te\n");
    assert_eq!(code, 3);
    assert!(
        err.contains("standard input:2: 3 columns where the first row has 2"),
        "{err}"
    );
}

#[test]
fn two_columns_of_one_name_are_an_error() {
    for (name, text) in [
        ("a.csv", "sentence1,sentence2,sentence2\na,b,c\n"),
        ("a.csv", "sentence1,sentence2,id,id\na,b,1,2\n"),
        ("a.csv", "sentence1,Sentence1,sentence2\na,b,c\n"),
        ("a.tsv", "sentence1\tsentence2\tsentence1\na\tb\tc\n"),
    ] {
        let (code, _, err) = score_file(name, text, &[]);
        assert_eq!(code, 3, "{text}: {err}");
        assert!(err.contains("two columns are named"), "{err}");
    }
    let json = "{\"first\": \"a\", \"second\": \"b\", \"first\": \"c\"}\n";
    let (code, _, err) = score_file("a.jsonl", json, &[]);
    assert_eq!(code, 3);
    assert!(
        err.contains("a.jsonl:1: ") && err.contains("\"first\" is there twice"),
        "{err}"
    );
}

#[test]
fn quotes_are_read_as_they_were_written() {
    let want = score(
        &["--jsonl"],
        "{\"first\": \"say \\\"x\\\"\", \"second\": \"a, b\"}\n",
    );
    let quoted = "\"say \"\"x\"\"\"\t\"a, b\"\n";
    for (name, text, args) in [
        ("a.tsv", quoted, &[][..]),
        ("a.tsv", quoted, &["--quoting", "on"]),
        ("a.tsv", "say \"x\"\ta, b\n", &[]),
        ("a.csv", "first,second\n\"say \"\"x\"\"\",\"a, b\"\n", &[]),
        (
            "a.csv",
            "first;second\n\"say \"\"x\"\"\";a, b\n",
            &["--delimiter", ";"],
        ),
    ] {
        let (code, out, err) = score_file(name, text, args);
        assert_eq!((code, &out), (0, &want), "{text:?} {args:?}: {err}");
    }
    let (code, _, err) = score_file("a.csv", "first,second\nsay, \"a, b\"\n", &[]);
    assert_eq!(code, 3);
    assert!(err.contains("a.csv:2: a space before a quote"), "{err}");
    assert!(err.contains("add --quoting off"), "{err}");
    let (_, _, err) = score_file("a.csv", "\"first\";\"second\"\n\"a\";\"b\"\n", &[]);
    assert!(err.contains("add --delimiter ';'"), "{err}");
    // A question, whose answers are options.
    let unclear = "\"Well, yes.\"\tA cat.\n";
    let (code, _, err) = score_file("a.tsv", unclear, &[]);
    assert_eq!(code, 3);
    assert!(
        err.contains("add --quoting on if quotes enclose cells, or add --quoting off"),
        "{err}"
    );
    let (_, on, _) = score_file("a.tsv", unclear, &["--quoting", "on"]);
    assert_eq!(on, score(&[], "Well, yes.\tA cat.\n"));
}

#[test]
fn what_people_have_is_read() {
    let want = score(&[], "a cat\tzwei H\u{fc}te\n");
    let text = "a cat\tzwei H\u{fc}te\n";
    let wide: Vec<u8> = "\u{feff}a cat\tzwei H\u{fc}te\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut gz = flate2_gz(text.as_bytes());
    let zst = ZSTD;
    for (name, bytes) in [
        ("wide.tsv", wide.clone()),
        ("mac.tsv", text.replace('\n', "\r").into_bytes()),
        ("packed.tsv", gz.clone()),
        ("packed.txt.gz", gz.clone()),
        ("packed.tsv.zst", zst.to_vec()),
        (
            "rows.json",
            "[{\"first\": \"a cat\",\n\"second\": \"zwei H\u{fc}te\"}]".into(),
        ),
        (
            "marked.csv",
            "\u{feff}first,second\r\na cat,zwei H\u{fc}te\r\n".into(),
        ),
    ] {
        let (code, out, err) = score_file(name, &bytes, &[]);
        assert_eq!((code, &out), (0, &want), "{name}: {err}");
    }
    // The same from standard input.
    for bytes in [&wide, &gz] {
        let (code, out, err) = run(&["score", &model("bert-small")], bytes);
        assert_eq!((code, &out), (0, &want), "{err}");
    }
    gz.truncate(gz.len() - 9);
    let (code, _, err) = score_file("cut.tsv.gz", &gz, &[]);
    assert_eq!(code, 3);
    assert!(err.contains("damaged or cut off"), "{err}");
}

/// `a cat TAB zwei Hüte`, packed by zstd without compression.
const ZSTD: &[u8] = &[
    0x28, 0xb5, 0x2f, 0xfd, 0x20, 17, 0x89, 0, 0, b'a', b' ', b'c', b'a', b't', b'\t', b'z', b'w',
    b'e', b'i', b' ', b'H', 0xc3, 0xbc, b't', b'e', b'\n',
];

/// Packed by gzip without compression.
fn flate2_gz(text: &[u8]) -> Vec<u8> {
    let mut gz = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let length = text.len() as u16;
    gz.extend(length.to_le_bytes());
    gz.extend((!length).to_le_bytes());
    gz.extend(text);
    let mut crc = !0u32;
    for byte in text {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    gz.extend((!crc).to_le_bytes());
    gz.extend((text.len() as u32).to_le_bytes());
    gz
}

#[test]
fn what_is_no_text_is_named_with_a_remedy() {
    for (name, bytes, says) in [
        (
            "a.csv",
            &b"PK\x03\x04\x14\0\x06\0[Content_Types].xml"[..],
            "a workbook",
        ),
        // Also where its name does not say how to read it.
        (
            "a.xlsx",
            b"PK\x03\x04\x14\0\x06\0[Content_Types].xml",
            "a workbook",
        ),
        ("a.pkl", b"\x80\x04\x95\0\0\0\0", "a pickled Python object"),
        ("a.tsv", b"\x80\x04\x95\0\0\0\0", "a pickled Python object"),
        (
            "a.tsv",
            b"version https://git-lfs.github.com/spec/v1\noid x\n",
            "git lfs pull",
        ),
        ("a.csv", b"PAR1\x15\x04", "it is Parquet"),
        ("a.tsv", b"a\0\t\0b\0\n\0", "iconv -f UTF-16LE -t UTF-8"),
        ("a.tsv", b"BZh91AY&SY\xff\xff", "bzip2 -dc"),
        (
            "a.tsv",
            b"a\tb\nc\tcaf\xe9\n",
            "iconv -f WINDOWS-1252 -t UTF-8",
        ),
        ("a.parquet", b"a\tb\n", "not readable as Parquet"),
        (
            "a.json",
            b"[{\"first\": \"a\", \"second\": \"b\"}, 3]",
            "it is a number",
        ),
    ] {
        let (code, _, err) = score_file(name, bytes, &[]);
        assert_eq!(code, 3, "{name}: {err}");
        assert!(err.contains(says), "{name}: {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}

#[test]
fn the_command_that_a_message_names_works_as_printed() {
    let (folder, path) = file("it's caf\u{e9}.tsv", b"a\tb\nc\tcaf\xe9\n");
    let model = model("bert-small");
    let (_, _, err) = run(&["score", &model, "--pairs", path.to_str().unwrap()], b"");
    let command = err.split('`').nth(1).unwrap();
    let shell = std::process::Command::new("sh")
        .arg("-c")
        .arg(command)
        .output();
    let shell = shell.unwrap();
    if !shell.status.success() {
        println!("not checked: no iconv here");
        return;
    }
    let converted = folder.path().join("it's caf\u{e9}.utf8.txt");
    assert_eq!(
        fs::read_to_string(converted).unwrap(),
        "a\tb\nc\tcaf\u{e9}\n"
    );
}

#[test]
fn numbers_and_labels_as_people_write_them() {
    let model = model("bert-small");
    let (_folder, path) = file(
        "a.csv",
        "first;second;score\na cat;two dogs;1,5\nthe mat;the man;4,0\na b;c d;-\nq;r;2,25\n",
    );
    let path = path.to_str().unwrap();
    let base = ["eval", &model, "--only-pairs", "--pairs", path];
    let says = |more: &[&str], says: &str| {
        let (code, _, err) = run(&[&base, more].concat(), b"");
        assert_eq!(code, 3, "{err}");
        assert!(err.contains(says), "{err}");
        assert!(!err.contains("labels.") && !err.contains('`'), "{err}");
    };
    says(&[], "add --delimiter ';'");
    says(&["--delimiter", ";"], "add --decimal comma");
    let comma = ["--delimiter", ";", "--decimal", "comma"];
    says(&comma, "add --skip-label '-'");
    let whole = [&base[..], &comma, &["--skip-label", "-"]].concat();
    let (code, _, err) = run(&whole, b"");
    assert_eq!(code, 0, "{err}");

    let (_folder, path) = file("b.tsv", "a\tb\tyes\nc\td\tno\ne\tf\tyes\ng\th\tno\n");
    let path = path.to_str().unwrap();
    let base = [
        "eval",
        &model,
        "--only-pairs",
        "--pairs",
        path,
        "--columns",
        "0,1,2",
    ];
    let (_, _, err) = run(&base, b"");
    assert!(
        err.contains("add --classes NAME=NUMBER,... for classes"),
        "{err}"
    );
    let (code, _, err) = run(&[&base[..], &["--classes", "yes=1,no=0"]].concat(), b"");
    assert_eq!(code, 0, "{err}");
}

/// Rows of two strings.
fn parquet_file(path: &Path, rows: &[(&str, &str)]) {
    let schema =
        "message schema { required binary title (STRING); required binary note (STRING); }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let out = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(out, schema.into(), Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in 0..2 {
        let texts = rows.iter().map(|row| [row.0, row.1][column]);
        let values: Vec<ByteArray> = texts.map(ByteArray::from).collect();
        let mut out = group.next_column().unwrap().unwrap();
        let typed = out.typed::<ByteArrayType>();
        typed.write_batch(&values, None, None).unwrap();
        out.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn a_column_of_texts_is_encoded_and_not_its_lines() {
    let model = model("bert-small");
    let encode = |args: &[&str], input: &str| {
        let all = [&["encode", &model], args].concat();
        stdout(gradus().args(all).write_stdin(input))
    };
    let want = encode(&[], "a, \"cat\"\n\ntwo dogs\n");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let csv = path("a.csv", "id,text\n1,\"a, \"\"cat\"\"\"\n2,\n3,two dogs\n");
    assert_eq!(encode(&["--input", &csv], ""), want);
    assert_eq!(encode(&["--input", &csv, "--column", "1"], ""), want);
    let tsv = path("a.tsv", "x\ta, \"cat\"\ny\t\nz\ttwo dogs\n");
    assert_eq!(encode(&["--input", &tsv, "--column", "1"], ""), want);
    let json = path(
        "a.json",
        "[{\"q\": \"a, \\\"cat\\\"\"}, {\"q\": \"\"}, {\"q\": \"two dogs\"}]",
    );
    assert_eq!(encode(&["--input", &json], ""), want);
    let table = folder.path().join("a.parquet");
    parquet_file(&table, &[("1", "a, \"cat\""), ("2", ""), ("3", "two dogs")]);
    let table = table.to_str().unwrap();
    assert_eq!(encode(&["--input", table, "--column", "note"], ""), want);

    let refuses = |args: &[&str], says: &str| {
        let (code, _, err) = run(&[&["encode", &model], args].concat(), b"");
        assert!(code == 3 || code == 2, "{err}");
        assert!(err.contains(says), "{err}");
    };
    refuses(
        &["--input", table],
        "it has: \"title\", \"note\"; add --column NAME",
    );
    refuses(
        &["--input", table, "--column", "nte"],
        "did you mean \"note\"?",
    );
    refuses(&["--input", &tsv], "which column is the text");
    let csv = path("b.csv", "A cat.\nA dog.\n");
    refuses(
        &["--input", &csv],
        "add --header if the first row holds names",
    );
    let csv = path("c.csv", "text,id\na,1\n\nb,2\n");
    refuses(&["--input", &csv], "c.csv:3: a blank line between rows");
    let txt = path("a.txt", "a\tb\n");
    refuses(&["--input", &txt, "--column", "1"], "add --pairs-format");
    refuses(
        &["--input", &txt, "--delimiter", ",", "--jsonl"],
        "--delimiter is for files of cells",
    );
    let bench = [
        "bench", &model, "--repeat", "1", "--text", table, "--column", "note",
    ];
    let (code, out, err) = run(&bench, b"");
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn pairs_of_parquet_are_scored_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    parquet_file(&path, &[("a cat", "two dogs"), ("the mat", "the man")]);
    let path = path.to_str().unwrap();
    let want = score(&[], "a cat\ttwo dogs\nthe mat\tthe man\n");
    assert_eq!(
        score(&["--pairs", path, "--columns", "title,note"], ""),
        want
    );
    let model = model("bert-small");
    let (code, _, err) = run(&["score", &model, "--pairs-format", "parquet"], b"PAR1");
    assert_eq!(code, 3);
    assert!(err.contains("from a file"), "{err}");
    // Rows are found whatever the command.
    let (code, out, err) = run(
        &[
            "data",
            "overlap",
            path,
            path,
            "--columns",
            "title,note",
            "--no-near",
        ],
        b"",
    );
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("2 rows"), "{out}");
}

#[test]
fn hostile_files_are_errors_or_read() {
    let long = "x".repeat(17 << 20);
    let mut nul = b"a\0b\tc\n".to_vec();
    nul.write_all(b"d\te\n").unwrap();
    for (name, bytes, code) in [
        ("nul.tsv", nul, 0),
        ("long.tsv", format!("a\tb\n{long}\tc\n").into_bytes(), 3),
        (
            "long.json",
            format!("[{{\"first\": \"{long}").into_bytes(),
            3,
        ),
        ("open.csv", b"first,second\n\"a,b\nc,d\n".to_vec(), 3),
        ("mixed.tsv", b"a\tb\r\nc\td\ne\tf\r\n".to_vec(), 0),
        ("nameless.csv", b",,\na,b,c\n".to_vec(), 3),
        ("header.csv", b"first,second\n".to_vec(), 0),
        ("mark.tsv", "a\tb\n\u{feff}c\td\n".into(), 0),
        (
            "nested.json",
            b"[{\"first\": {\"x\": \"a\"}, \"second\": \"b\"}]".to_vec(),
            3,
        ),
        ("half.tsv", b"\xff\xfea\0\t\0b".to_vec(), 3),
        ("empty.parquet", Vec::new(), 3),
        ("empty.csv", Vec::new(), 0),
        (
            "triplets.csv",
            b"anchor,positive,negative\na,b,c\n".to_vec(),
            3,
        ),
    ] {
        let (found, _, err) = score_file(name, bytes, &[]);
        assert_eq!(found, code, "{name}: {err}");
        assert!(!err.contains("panicked"), "{name}: {err}");
    }
}
