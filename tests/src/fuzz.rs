//! A small fuzzer: mutates a corpus, keeps what behaves in a new way, saves what breaks.
//!
//! A target returns a *signature* of what it saw (which branch, how many parts, which error). An
//! input with a signature that nobody had before joins the corpus for this run and, below
//! `target/fuzz`, for later ones; inputs worth keeping for good are committed in `tests/corpus`.
//! `WARREN_FUZZ_SECONDS` says how long each target runs.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::random::Random;

const DEFAULT_SECONDS: u64 = 2;
const LONG_SECONDS: u64 = 600;
/// Longest input: beyond every limit of the formats under test.
const MAX_INPUT: usize = 80 * 1024;
const MAX_CORPUS: usize = 4_096;

/// Fuzzes one target; panics, with the input saved, when the target does.
pub fn fuzz<S: Hash>(name: &str, words: &[&[u8]], target: impl Fn(&[u8]) -> S) {
    let mut random = Random::new();
    let found = found_folder(name);
    let mut corpus = read_all(&committed_folder(name));
    assert!(!corpus.is_empty(), "{name} has no corpus");
    corpus.extend(read_all(&found));
    let mut seen = HashSet::new();
    let mut runs = 0u64;
    for input in &corpus {
        seen.insert(run(name, input, &target));
    }
    let end = Instant::now() + duration();
    while Instant::now() < end {
        for _ in 0..256 {
            let input = mutated(&corpus, words, &mut random);
            runs += 1;
            if seen.insert(run(name, &input, &target)) && corpus.len() < MAX_CORPUS {
                save(&found, &input);
                corpus.push(input);
            }
        }
    }
    println!(
        "{name}: {runs} inputs, {} kinds of behaviour, {} in the corpus",
        seen.len(),
        corpus.len()
    );
}

fn run<S: Hash>(name: &str, input: &[u8], target: &impl Fn(&[u8]) -> S) -> u64 {
    match catch_unwind(AssertUnwindSafe(|| target(input))) {
        Ok(signature) => hash(&signature),
        Err(_) => {
            let path = save(&committed_folder(name), input);
            panic!("{name} broke; the input is in {}", path.display());
        }
    }
}

fn duration() -> Duration {
    let asked = std::env::var("WARREN_FUZZ_SECONDS").ok();
    let seconds = match asked.map(|text| text.parse()) {
        Some(Ok(seconds)) => seconds,
        Some(Err(_)) => panic!("WARREN_FUZZ_SECONDS is not a number"),
        None => crate::count(DEFAULT_SECONDS as usize, LONG_SECONDS as usize) as u64,
    };
    Duration::from_secs(seconds)
}

fn mutated(corpus: &[Vec<u8>], words: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(6) {
        mutate(&mut input, corpus, words, random);
    }
    input.truncate(MAX_INPUT);
    input
}

fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let length = random.below(16.min(input.len() - at) + 1);
    match random.below(8) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.number() as u8,
        2 => drop(input.drain(at..at + length)),
        3 => {
            let piece = input[at..at + length].to_vec();
            input.splice(at..at, piece);
        }
        4 if !words.is_empty() => {
            let word = words[random.below(words.len())];
            input.splice(at..at + length, word.iter().copied());
        }
        5 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len() + 1);
            input.splice(at.., other[from..].iter().copied());
        }
        6 => {
            let bytes = [0x00, 0x01, 0x7f, 0x80, 0xff][random.below(5)];
            let times = 1 + random.below(10);
            input.splice(at..at, std::iter::repeat_n(bytes, times));
        }
        _ => {
            let size = random.below(40);
            let bytes = random.bytes(size);
            input.splice(at..at, bytes);
        }
    }
}

fn committed_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name)
}

fn found_folder(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this executable");
    // target/debug/deps/fuzz-1234 → target/fuzz
    let target = test.ancestors().nth(3).expect("a target directory");
    target.join("fuzz").join(name)
}

fn read_all(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| std::fs::read(entry.path()).expect("a readable corpus"))
        .collect()
}

fn save(folder: &Path, input: &[u8]) -> PathBuf {
    std::fs::create_dir_all(folder).expect("a folder for the corpus");
    let path = folder.join(format!("{:016x}", hash(&input)));
    std::fs::write(&path, input).expect("room for the corpus");
    path
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
