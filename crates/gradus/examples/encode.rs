//! Texts to vectors, and how alike each is to the first:
//!
//!     cargo run --release -p gradus --example encode -- all-MiniLM-L6-v2 "A plane is taking off." "An air plane takes off." "A man plays a flute."

use gradus::SentenceEncoder;

fn main() -> gradus::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, texts @ ..] = &arguments[..] else {
        eprintln!("usage: encode MODEL TEXT...");
        return Ok(());
    };
    let model = SentenceEncoder::from_pretrained(name)?;
    let vectors = model.encode(texts)?;
    for (row, text) in texts.iter().enumerate() {
        println!("{:.4}  {text}", vectors.cosine(0, row));
    }
    Ok(())
}
