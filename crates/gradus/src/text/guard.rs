use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `job`, which calls the tokenizers library, and turns a panic of its
/// into a message. It indexes by what `tokenizer.json` says in places, and that
/// is a file like any other: it must not end the program.
///
/// What a panic leaves behind is not looked at again: loading drops it, and
/// encoding changes nothing but a cache behind a lock, which passes over a
/// poisoned one.
pub(super) fn guarded<T>(job: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("no reason given");
        Err(format!("it makes the tokenizers library fail: {text}"))
    })
}
