//! Embeds the built page, so that one binary is the whole deployment.
//!
//! Writes a table of assets for `src/http/assets.rs`. Compresses nothing: the build of the page puts
//! `.br` and `.gz` files beside the originals.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    env, fs,
    hash::Hasher,
    io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=WARREN_WEB_DIST");
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let web = manifest.with_file_name("web");
    let dist = match env::var_os("WARREN_WEB_DIST") {
        Some(dist) => manifest.join(dist),
        None => web.join("dist"),
    };

    let assets = if dist.join("index.html").is_file() {
        println!("cargo::rerun-if-changed={}", dist.display());
        collect(&dist)?
    } else {
        // Watching a path that does not exist would build this crate anew each time.
        if web.is_dir() {
            println!("cargo::rerun-if-changed={}", web.display());
        }
        placeholder(&manifest)
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("assets.rs"), table(&assets)?)
}

/// URL path to file.
type Assets = BTreeMap<String, PathBuf>;

fn placeholder(manifest: &Path) -> Assets {
    let page = manifest.join("src/http/placeholder.html");
    println!("cargo::rerun-if-changed={}", page.display());
    BTreeMap::from([("/index.html".to_owned(), page)])
}

fn collect(dist: &Path) -> io::Result<Assets> {
    let mut assets = BTreeMap::new();
    let mut directories = vec![dist.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if !is_compressed_sibling(&path) {
                assets.insert(url_path(dist, &path), path);
            }
        }
    }
    Ok(assets)
}

fn is_compressed_sibling(path: &Path) -> bool {
    let compressed = path.extension().is_some_and(|e| e == "br" || e == "gz");
    compressed && path.with_extension("").is_file()
}

fn url_path(dist: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(dist).expect("found below dist");
    let parts = relative.iter().map(|part| {
        part.to_str()
            .unwrap_or_else(|| panic!("{} is not valid UTF-8", path.display()))
    });
    parts.fold(String::new(), |url, part| url + "/" + part)
}

fn table(assets: &Assets) -> io::Result<String> {
    let mut code = String::from("static ASSETS: &[Asset] = &[\n");
    for (url, path) in assets {
        let hash = hash(&fs::read(path)?);
        let mime = mime(path);
        let immutable = url.starts_with("/assets/");
        let identity = include(path);
        let br = include_sibling(path, "br");
        let gzip = include_sibling(path, "gz");
        code += &format!(
            "Asset {{ path: {url:?}, mime: {mime:?}, hash: {hash:?}, immutable: {immutable}, \
             identity: {identity}, br: {br}, gzip: {gzip} }},\n"
        );
    }
    code += "];\n";
    Ok(code)
}

fn include(path: &Path) -> String {
    let absolute = path.canonicalize().expect("was read a moment ago");
    format!("include_bytes!({absolute:?})")
}

fn include_sibling(path: &Path, extension: &str) -> String {
    let mut sibling = path.as_os_str().to_owned();
    sibling.push(".");
    sibling.push(extension);
    let sibling = Path::new(&sibling);
    if sibling.is_file() {
        format!("Some({})", include(sibling))
    } else {
        "None".to_owned()
    }
}

/// Tells versions of a file apart; nobody gains anything by forging one.
fn hash(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{:016x}", hasher.finish())
}

fn mime(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
