//! `import` and `backup`: copies of whole databases.

use std::fs;
use std::io::ErrorKind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::arguments::{Backup, Import};
use super::exit::{CliError, CommandStatus};
use super::print;
use super::progress::ProgressLine;
use super::recorded;
use super::startup::configure;
use crate::store::{self, Database, StoreError, partial_copy, require_importable};

pub fn import(arguments: &Import) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    let opened = fs::File::open(&arguments.file).and_then(|file| file.metadata());
    let opened = opened.and_then(|metadata| match metadata.is_dir() {
        true => Err(ErrorKind::IsADirectory.into()),
        false => Ok(()),
    });
    opened.map_err(|cause| CliError::File {
        operation: "import",
        path: arguments.file.clone(),
        cause,
    })?;
    // Before our database is created, so that a wrong file does not create one.
    require_importable(&arguments.file)?;
    let path = &config.database.path;
    let is_same_file = fs::canonicalize(path)
        .ok()
        .is_some_and(|ours| fs::canonicalize(&arguments.file).is_ok_and(|theirs| theirs == ours));
    let mut progress = ProgressLine::new("import");
    let mut opened = Database::open(path, &mut |done, total| progress.show(done, total))?;
    let import = match opened.import {
        // database.path is the original's file itself: opening it has imported it.
        Some(import) if is_same_file => import,
        _ => opened
            .database
            .import(&arguments.file, &mut |done, total| {
                progress.show(done, total)
            })?,
    };
    drop(progress);
    print::print(&format!("{}: {import}\n", path.display()))?;
    Ok(CommandStatus::Success)
}

pub fn backup(arguments: &Backup) -> Result<CommandStatus, CliError> {
    let (config, _) = configure(&arguments.common())?;
    let path = config.database.path;
    let failed = |cause| CliError::File {
        operation: "backup of",
        path: path.clone(),
        cause,
    };
    let total = match fs::metadata(&path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            return Err(recorded::nothing_recorded(&path));
        }
        other => other.map_err(failed)?.len(),
    };
    let to = arguments.file.clone();
    let (sender, done) = channel();
    let from = path.clone();
    let copy = std::thread::Builder::new()
        .spawn(move || sender.send(store::backup(&from, &to)))
        .map_err(failed)?;
    let mut progress = ProgressLine::new("backup");
    let result = loop {
        match done.recv_timeout(Duration::from_millis(200)) {
            Ok(result) => break result,
            Err(RecvTimeoutError::Timeout) => {
                let written =
                    fs::metadata(partial_copy(&arguments.file)).map_or(0, |meta| meta.len());
                progress.show(written.min(total), total);
            }
            Err(RecvTimeoutError::Disconnected) => {
                break Err(StoreError::File {
                    operation: "backup of",
                    path: path.clone(),
                    cause: std::io::Error::other("the copying thread panicked"),
                });
            }
        }
    };
    drop(progress);
    let _ = copy.join();
    result?;
    let bytes = fs::metadata(&arguments.file).map_or(0, |meta| meta.len());
    print::print(&format!(
        "{}: {bytes} bytes written\n",
        arguments.file.display()
    ))?;
    Ok(CommandStatus::Success)
}
