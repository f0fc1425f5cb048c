//! How alike two texts are, first the number to use:
//!
//!     cargo run --release -p gradus --example score -- all-MiniLM-L6-v2 "A plane is taking off." "An air plane takes off."

use gradus::jobs::{Environment, score::Scorer};
use gradus::util::Silent;

fn main() -> gradus::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, first, second] = &arguments[..] else {
        eprintln!("usage: score MODEL TEXT1 TEXT2");
        return Ok(());
    };
    let environment = Environment::default();
    let model = environment.find(name, &mut Silent)?;
    let scorer = Scorer::load(&model, None, &environment, &mut Silent)?;
    for score in scorer.score(&[(first, second)])? {
        println!("{:.4} ({:?})", score.recommended, score.recommended_is);
    }
    Ok(())
}
