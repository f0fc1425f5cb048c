//! How many texts a second are tokenised: as the program does it, and all by the library.
//!
//!     GRADUS_TEXTS=texts.txt GRADUS_MODEL=FOLDER cargo bench -p gradus --bench tokens
//!
//! The file has a text a line. `RAYON_NUM_THREADS` sets the threads.

use gradus::text::Tokenizer;
use std::path::Path;
use std::time::Instant;

/// Each way in turn, so often; the median counts.
const ROUNDS: usize = 7;

fn main() {
    let (Ok(texts), Ok(model)) = (std::env::var("GRADUS_TEXTS"), std::env::var("GRADUS_MODEL"))
    else {
        return println!(
            "skipped: GRADUS_TEXTS names a file of texts, GRADUS_MODEL a model's folder"
        );
    };
    let text = std::fs::read_to_string(texts).expect("a file of texts");
    let lines: Vec<&str> = text.lines().collect();
    let own = Tokenizer::load(Path::new(&model), 128, usize::MAX, 2).expect("a model's folder");
    let apart = own.without_short_way();
    let once = |tokenizer: &Tokenizer| {
        let begun = Instant::now();
        let tokens = tokenizer.encode(&lines).expect("texts with tokens");
        assert_eq!(tokens.len(), lines.len());
        lines.len() as f64 / begun.elapsed().as_secs_f64()
    };
    let mut rates = [vec![], vec![]];
    for _ in 0..ROUNDS {
        for (tokenizer, rates) in [&own, &apart].into_iter().zip(&mut rates) {
            rates.push(once(tokenizer));
        }
    }
    let [own, library] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[ROUNDS / 2]
    });
    let ratio = own / library;
    println!("{own:.0} texts/s; all by the library {library:.0}: {ratio:.1} times as many");
}
