//! Writes the `.br` and `.gz` siblings of the page's files, so that the relay never compresses anything.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::failure::{CHECK_DISK, Failure, OrFail, Result};

const COMPRESSIBLE: [&str; 10] = [
    "css",
    "html",
    "ico",
    "js",
    "json",
    "mjs",
    "svg",
    "txt",
    "wasm",
    "webmanifest",
];

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For what users download: brotli 11, gzip 9.
    Best,
    /// For a developer who waits: fast, a little larger.
    Quick,
}

/// Compresses every suitable file below a folder, on all cores.
pub fn siblings(folder: &Path, effort: Effort) -> Result {
    let mut files = Vec::new();
    find(folder, &mut files)?;
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let started: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| work(&files, &next, effort)))
            .collect();
        started.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| {
                Err(Failure::new(
                    "compressing the page panicked",
                    "run the command again with RUST_BACKTRACE=1 and report it",
                ))
            })
        })
    })
}

fn work(files: &[PathBuf], next: &AtomicUsize, effort: Effort) -> Result {
    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        let contents =
            fs::read(file).or_fail(format!("cannot read {}", file.display()), CHECK_DISK)?;
        write(file, "br", &brotli(&contents, effort)?)?;
        write(file, "gz", &gzip(&contents, effort)?)?;
    }
    Ok(())
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result {
    for entry in
        fs::read_dir(folder).or_fail(format!("cannot list {}", folder.display()), CHECK_DISK)?
    {
        let path = entry
            .or_fail(format!("cannot list {}", folder.display()), CHECK_DISK)?
            .path();
        if path.is_dir() {
            find(&path, files)?;
        } else if is_compressible(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_compressible(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| COMPRESSIBLE.contains(&extension))
}

fn write(file: &Path, extension: &str, contents: &[u8]) -> Result {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{extension}"));
    fs::write(&name, contents).or_fail(
        format!("cannot write {}", Path::new(&name).display()),
        CHECK_DISK,
    )
}

fn brotli(contents: &[u8], effort: Effort) -> Result<Vec<u8>> {
    let quality = if effort == Effort::Best { 11 } else { 4 };
    let params = BrotliEncoderParams {
        quality,
        lgwin: 22,
        size_hint: contents.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &contents[..], &mut out, &params)
        .or_fail("brotli failed", CHECK_DISK)?;
    Ok(out)
}

fn gzip(contents: &[u8], effort: Effort) -> Result<Vec<u8>> {
    let level = if effort == Effort::Best {
        Compression::best()
    } else {
        Compression::fast()
    };
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder
        .write_all(contents)
        .and_then(|()| encoder.finish())
        .or_fail("gzip failed", CHECK_DISK)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn both_formats_restore_the_original() {
        let text = "warren ".repeat(1000).into_bytes();
        for effort in [Effort::Best, Effort::Quick] {
            let mut restored = Vec::new();
            brotli::Decompressor::new(&brotli(&text, effort).unwrap()[..], 4096)
                .read_to_end(&mut restored)
                .unwrap();
            assert_eq!(restored, text);
            restored.clear();
            flate2::read::GzDecoder::new(&gzip(&text, effort).unwrap()[..])
                .read_to_end(&mut restored)
                .unwrap();
            assert_eq!(restored, text);
        }
    }

    #[test]
    fn siblings_are_not_compressed_again() {
        assert!(is_compressible(Path::new("a/app.1f.js")));
        assert!(!is_compressible(Path::new("a/app.1f.js.br")));
        assert!(!is_compressible(Path::new("a/photo.png")));
    }
}
