//! Finding or making the file.

use std::{fs, io, path::Path};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError};
use warren_shared::error::{Code, Error, Result};

use super::schema::{
    Fault, MAILBOX, META, NAMES, OWNERS, PROVIDERS, PROVIDERS_BY_SOURCE, PROVIDERS_DUE, RECORDS,
    RECORDS_BY_SOURCE, RECORDS_DUE, VERSION, VERSION_FIELD, ZONES,
};
use crate::identity::sync_dir;

pub(super) const FILE: &str = "warren.redb";
const UNFINISHED: &str = "redb.new";

/// Pages kept in memory. The system's own cache is behind it; redb's default of 1 GiB would be all
/// of a small server.
const CACHE: usize = 64 * 1024 * 1024;

pub(super) fn open(directory: &Path) -> Result<Database> {
    let path = directory.join(FILE);
    if !path.exists() {
        create(directory).map_err(|error| {
            failed(&path, "cannot create")
                .caused_by(error)
                .with_remedy("Check free space and permissions of the data directory.")
        })?;
    }
    let database = builder()
        .open(&path)
        .map_err(|error| explain(&path, error))?;
    check_version(&database, &path)?;
    Ok(database)
}

/// Makes the file under another name first: redb cannot open what a crash left of a creation, and
/// does not sync the directory.
fn create(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    create_at(&directory.join(FILE), &builder(), prepare)
}

/// The same for any file.
pub(super) fn create_at(
    path: &Path,
    builder: &Builder,
    prepare: impl FnOnce(&Database) -> Result<(), redb::Error>,
) -> Result<(), Box<dyn std::error::Error>> {
    let unfinished = path.with_extension(UNFINISHED);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let database = builder.create(&unfinished)?;
    prepare(&database)?;
    drop(database);
    fs::rename(&unfinished, path)?;
    Ok(path.parent().map_or(Ok(()), sync_dir)?)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

pub(super) fn prepare(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(RECORDS_DUE)?;
    transaction.open_table(RECORDS_BY_SOURCE)?;
    transaction.open_table(OWNERS)?;
    transaction.open_table(PROVIDERS)?;
    transaction.open_table(PROVIDERS_DUE)?;
    transaction.open_table(PROVIDERS_BY_SOURCE)?;
    transaction.open_table(NAMES)?;
    transaction.open_table(ZONES)?;
    transaction.open_table(MAILBOX)?;
    transaction
        .open_table(META)?
        .insert(VERSION_FIELD, VERSION)?;
    Ok(transaction.commit()?)
}

fn check_version(database: &Database, path: &Path) -> Result<()> {
    let version = version(database).map_err(|error| {
        failed(path, "cannot read")
            .caused_by(error)
            .with_remedy(MOVE_AWAY)
    })?;
    match version {
        Some(VERSION) => return Ok(()),
        // The next ones have tables more, and nothing else.
        Some(2 | 3) => {
            return prepare(database)
                .map_err(|error| failed(path, "cannot upgrade").caused_by(error));
        }
        _ => {}
    }
    Err(failed(path, "another version of Warren wrote")
        .with_remedy("Run that version, or move the file away to start with an empty store."))
}

fn version(database: &Database) -> Result<Option<u64>, Fault> {
    let meta = database.begin_read()?.open_table(META)?;
    let version = meta.get(VERSION_FIELD)?;
    Ok(version.map(|version| version.value()))
}

const MOVE_AWAY: &str = "Restore it from a backup, or move it away to start with an empty store: \
    those who published records publish them again.";

fn explain(path: &Path, error: DatabaseError) -> Error {
    let remedy = match &error {
        DatabaseError::DatabaseAlreadyOpen => {
            "Stop the other process, or give this one its own --data-dir."
        }
        DatabaseError::Storage(StorageError::Io(io))
            if io.kind() == io::ErrorKind::PermissionDenied =>
        {
            "Run as the owner of the data directory."
        }
        _ => MOVE_AWAY,
    };
    failed(path, "cannot open")
        .caused_by(error)
        .with_remedy(remedy)
}

fn failed(path: &Path, what: &str) -> Error {
    Error::new(
        Code::StorageFailed,
        format!("{what} the store {}", path.display()),
    )
}
