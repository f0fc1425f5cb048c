//! What an endpoint's answer says.

use serde_json::Value;

/// A model's answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatReply {
    /// What it says.
    pub text: String,
    /// Whether it was cut off because it grew too long.
    pub cut: bool,
    /// The tokens that it took, where the endpoint says so.
    pub usage: Option<Usage>,
}

/// Tokens of a request and of its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Those of the request.
    pub input: u64,
    /// Those of the answer, with what the model thought.
    pub output: u64,
}

/// The most of a server's words that a message repeats.
const MOST_WORDS: usize = 300;

impl ChatReply {
    /// Reads the body of an answer: one object, or a stream of events, which some
    /// servers send whatever was asked for.
    ///
    /// # Errors
    /// What is wrong with it, in words: it is no answer, or half of one.
    pub(super) fn parse(body: &str) -> Result<Self, String> {
        let begin = body.trim_start();
        if begin.starts_with("data:") || begin.starts_with("event:") || begin.starts_with(':') {
            return Self::of_stream(body);
        }
        let value: Value = serde_json::from_str(body)
            .map_err(|e| format!("the answer is no whole JSON ({e}): {}", shortened(body)))?;
        if let Some(message) = message_of(&value) {
            return Err(format!("the answer is an error: {message}"));
        }
        let choice = value.get("choices").and_then(|c| c.get(0));
        let message = choice.and_then(|c| c.get("message"));
        let Some((choice, message)) = choice.zip(message) else {
            return Err(format!("the answer has no choices: {}", shortened(body)));
        };
        let content = message.get("content").map(text_of).unwrap_or_default();
        let refusal = message.get("refusal").map(text_of).unwrap_or_default();
        Ok(Self {
            text: if content.is_empty() { refusal } else { content },
            cut: is_cut(choice),
            usage: usage_of(&value),
        })
    }

    fn of_stream(body: &str) -> Result<Self, String> {
        let mut reply = Self::default();
        let mut ended = false;
        let lines = body.lines().filter_map(|line| line.strip_prefix("data:"));
        for data in lines.map(str::trim) {
            if data == "[DONE]" {
                ended = true;
                continue;
            }
            let Ok(value) = serde_json::from_str::<Value>(data) else {
                return Err("the stream of the answer breaks off".into());
            };
            if let Some(message) = message_of(&value) {
                return Err(format!("the answer is an error: {message}"));
            }
            reply.usage = usage_of(&value).or(reply.usage);
            let Some(choice) = value.get("choices").and_then(|c| c.get(0)) else {
                continue;
            };
            let part = choice.get("delta").or_else(|| choice.get("message"));
            if let Some(content) = part.and_then(|part| part.get("content")) {
                reply.text += &text_of(content);
            }
            reply.cut |= is_cut(choice);
            ended |= choice.get("finish_reason").is_some_and(Value::is_string);
        }
        match ended {
            true => Ok(reply),
            false => Err("the stream of the answer breaks off".into()),
        }
    }
}

/// A content: a string, or a list of parts.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect()
        }
        _ => String::new(),
    }
}

fn is_cut(choice: &Value) -> bool {
    choice.get("finish_reason").and_then(Value::as_str) == Some("length")
}

fn usage_of(value: &Value) -> Option<Usage> {
    let usage = value.get("usage")?;
    let count = |name: &str| usage.get(name)?.as_u64();
    Some(Usage {
        input: count("prompt_tokens")?,
        output: count("completion_tokens").unwrap_or_default(),
    })
}

/// The words of an error: `{"error": {"message": ...}}`, and what servers make of it.
fn message_of(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|error| !error.is_null());
    let found = match error {
        Some(Value::String(text)) => text.as_str(),
        Some(error) => error.get("message")?.as_str()?,
        None if value.get("choices").is_none() => {
            let known = ["message", "detail"]
                .iter()
                .find_map(|name| value.get(name));
            known?.as_str()?
        }
        None => return None,
    };
    Some(shortened(found))
}

/// A code by which an error says that waiting does not help.
pub(super) fn is_out_of_credit(body: &str) -> bool {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let error = value.get("error");
    let names = ["code", "type"]
        .iter()
        .filter_map(|name| error?.get(name)?.as_str());
    let mut names = names;
    names.any(|name| name == "insufficient_quota")
}

/// The server's own words in an answer of another status than success.
pub(super) fn words_of(body: &str) -> String {
    let value = serde_json::from_str::<Value>(body).ok();
    match value.as_ref().and_then(message_of) {
        Some(message) => message,
        None if body.trim().is_empty() => "(no words)".into(),
        None => shortened(body),
    }
}

fn shortened(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MOST_WORDS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let body = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        let reply = ChatReply::parse(body).unwrap();
        assert_eq!((reply.text.as_str(), reply.cut), ("hi", false));
        assert_eq!(
            reply.usage,
            Some(Usage {
                input: 3,
                output: 2
            })
        );
        let parts = r#"{"choices":[{"message":{"content":[{"type":"text","text":"a"},{"text":"b"}]},
            "finish_reason":"length"}]}"#;
        let reply = ChatReply::parse(parts).unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.cut, reply.usage),
            ("ab", true, None)
        );
        let refusal = r#"{"choices":[{"message":{"content":null,"refusal":"no"}}]}"#;
        assert_eq!(ChatReply::parse(refusal).unwrap().text, "no");
    }

    #[test]
    fn streams_are_put_together() {
        let body = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n";
        let reply = ChatReply::parse(&format!("{body}data: [DONE]\n")).unwrap();
        assert_eq!(reply.text, "ab");
        assert_eq!(
            reply.usage,
            Some(Usage {
                input: 1,
                output: 2
            })
        );
        assert!(ChatReply::parse(&body[..120]).is_err());
        assert!(
            ChatReply::parse("data: {\"error\": \"busy\"}")
                .unwrap_err()
                .contains("busy")
        );
    }

    #[test]
    fn what_is_no_answer_is_said() {
        for (body, words) in [
            ("", "no whole JSON"),
            ("{\"choices\":[{\"mess", "no whole JSON"),
            ("{\"choices\":[]}", "no choices"),
            ("{\"answer\":\"hi\"}", "no choices"),
            ("[]", "no choices"),
            ("{\"error\":{\"message\":\"overloaded\"}}", "overloaded"),
        ] {
            let error = ChatReply::parse(body).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
        assert_eq!(
            words_of("{\"error\":{\"message\":\"no such model\"}}"),
            "no such model"
        );
        assert_eq!(words_of("{\"detail\":\"Not Found\"}"), "Not Found");
        assert_eq!(words_of("<h1>Bad\n gateway</h1>"), "<h1>Bad gateway</h1>");
        assert_eq!(words_of(""), "(no words)");
        assert!(is_out_of_credit(
            "{\"error\":{\"code\":\"insufficient_quota\"}}"
        ));
        assert!(!is_out_of_credit("{\"error\":{\"code\":\"rate_limit\"}}"));
    }
}
