//! A small hub: lists repositories, serves small files from its own host and
//! large ones by redirect from another, and fails in chosen ways.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gradus::hub::{Endpoint, HubConfig};
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const TOKEN: &str = "hf_test";

/// How the server misbehaves.
#[derive(Default)]
pub struct Faults {
    /// Close the connection after so many bytes of a large file, so often.
    pub cut: Option<(usize, u32)>,
    /// Change a byte of every large file.
    pub corrupt: bool,
    /// Send whole files whatever part is asked for.
    pub no_ranges: bool,
    /// List names only, as simple mirrors do.
    pub no_checksums: bool,
    /// Send no checksum in headers either.
    pub no_etags: bool,
    /// Answer 503 so often first.
    pub busy: u32,
    /// Wait before sending large files.
    pub slow: Duration,
}

#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub authorized: bool,
    pub on_hub: bool,
}

#[derive(Clone)]
struct Stored {
    name: String,
    bytes: Vec<u8>,
    large: bool,
}

/// A revision of a repository.
struct Revision {
    repo: String,
    name: String,
    commit: String,
    files: Vec<Stored>,
}

#[derive(Default)]
struct State {
    revisions: Vec<Revision>,
    /// Repositories that want a token, with the status they answer without.
    gated: HashMap<String, &'static str>,
    /// Old names of repositories.
    moved: HashMap<String, String>,
    faults: Faults,
    requests: Vec<Request>,
    content_bytes: usize,
    hub_port: u16,
    content_port: u16,
}

pub struct Hub {
    state: Arc<Mutex<State>>,
    pub address: String,
}

pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// The checksum the hub names a file by.
pub fn oid(bytes: &[u8], large: bool) -> String {
    if large {
        return hex(Sha256::digest(bytes));
    }
    let header = format!("blob {}\0", bytes.len());
    hex(Sha1::new_with_prefix(header).chain_update(bytes).finalize())
}

impl Hub {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let hub_port = listen(&state, true);
        let content_port = listen(&state, false);
        let mut inner = state.lock().unwrap();
        (inner.hub_port, inner.content_port) = (hub_port, content_port);
        drop(inner);
        let address = format!("http://127.0.0.1:{hub_port}");
        Hub { state, address }
    }

    /// A configuration that uses this hub and keeps things in `folder`.
    pub fn config(&self, folder: &Path) -> HubConfig {
        let mut config = HubConfig::new(folder);
        config.endpoint = Endpoint::parse(&self.address).unwrap();
        config.backoff = Duration::from_millis(1);
        config.pip = Vec::new();
        config
    }

    /// Publishes a commit of `repo` (`models/org/name`) as its `main`. Names that
    /// end as the hub's `.gitattributes` usually say are large files.
    pub fn publish(&self, repo: &str, commit: char, files: &[(&str, &[u8])]) -> String {
        self.publish_at(repo, "main", commit, files)
    }

    /// As another branch or tag.
    pub fn publish_at(
        &self,
        repo: &str,
        revision: &str,
        commit: char,
        files: &[(&str, &[u8])],
    ) -> String {
        let large = [
            ".safetensors",
            ".gz",
            ".parquet",
            "_for_simcse.csv",
            "_for_simcse.txt",
        ];
        let stored = files.iter().map(|(name, bytes)| Stored {
            name: name.to_string(),
            bytes: bytes.to_vec(),
            large: large.iter().any(|end| name.ends_with(end)),
        });
        let commit = commit.to_string().repeat(40);
        let revisions = &mut self.state.lock().unwrap().revisions;
        revisions.retain(|r| r.repo != repo || r.name != revision);
        revisions.push(Revision {
            repo: repo.into(),
            name: revision.into(),
            commit: commit.clone(),
            files: stored.collect(),
        });
        commit
    }

    pub fn gate(&self, repo: &str) {
        self.refuse(repo, "401 Unauthorized");
    }

    /// Answers with this status to whoever has no token.
    pub fn refuse(&self, repo: &str, status: &'static str) {
        self.state.lock().unwrap().gated.insert(repo.into(), status);
    }

    /// Gives a repository another name; the old one redirects.
    pub fn rename(&self, old: &str, new: &str) {
        let mut state = self.state.lock().unwrap();
        state.moved.insert(old.into(), new.into());
        for revision in &mut state.revisions {
            if revision.repo == old {
                revision.repo = new.into();
            }
        }
    }

    pub fn faults(&self, faults: Faults) {
        self.state.lock().unwrap().faults = faults;
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// Bytes of large files sent since the last call.
    pub fn content_bytes(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().content_bytes)
    }
}

fn listen(state: &Arc<Mutex<State>>, on_hub: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = Arc::clone(&state);
            std::thread::spawn(move || serve(stream, &state, on_hub));
        }
    });
    port
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, on_hub: bool) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ');
    let mut request = Request {
        method: words.next()?.into(),
        path: words.next()?.into(),
        range: None,
        authorized: false,
        on_hub,
    };
    for line in lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
    {
        let (name, value) = line.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "range" => request.range = Some(value.into()),
            "authorization" => request.authorized = value == format!("Bearer {TOKEN}"),
            _ => {}
        }
    }
    let slow = state.lock().unwrap().faults.slow;
    if !on_hub {
        std::thread::sleep(slow);
    }
    let answer = answer(&mut state.lock().unwrap(), &request);
    stream.write_all(&answer).ok()
}

fn head(status: &str, length: usize, extra: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{extra}\r\n")
        .into_bytes()
}

fn answer(state: &mut State, request: &Request) -> Vec<u8> {
    state.requests.push(request.clone());
    if state.faults.busy > 0 {
        state.faults.busy -= 1;
        return head("503 Busy", 0, "");
    }
    let path = request.path.split('?').next().unwrap();
    if !request.on_hub {
        return content(state, path, request);
    }
    if let Some(rest) = path.strip_prefix("/api/cached") {
        return small(state, rest, request);
    }
    if let Some(elsewhere) = redirect(state, &request.path) {
        return head(
            "307 Temporary Redirect",
            0,
            &format!("Location: {elsewhere}\r\n"),
        );
    }
    if let Some(rest) = path.strip_prefix("/api/") {
        let (repo, revision) = rest.split_once("/revision/").unwrap();
        let revision = revision.replace("%2F", "/");
        let of_repo = |r: &&Revision| r.repo == repo;
        let Some(any) = state.revisions.iter().find(of_repo) else {
            return head("401 Unauthorized", 0, "X-Error-Code: RepoNotFound\r\n");
        };
        let wanted = |r: &&Revision| of_repo(r) && (r.name == revision || r.commit == revision);
        let Some(found) = state.revisions.iter().find(wanted) else {
            return head("404 Not Found", 0, "X-Error-Code: RevisionNotFound\r\n");
        };
        let names = found.files.iter();
        let names: Vec<_> = names
            .map(|f| listed(f, state.faults.no_checksums))
            .collect();
        let id = any.repo.split_once('/').unwrap().1;
        let (commit, names) = (&found.commit, names.join(","));
        let json = format!(r#"{{"id":"{id}","sha":"{commit}","siblings":[{names}]}}"#);
        return [head("200 OK", json.len(), ""), json.into()].concat();
    }
    resolve(state, path, request)
}

/// Where a repository's old name leads.
fn redirect(state: &State, path: &str) -> Option<String> {
    let under = |repo: &String| {
        let bare = repo.strip_prefix("models/").unwrap_or(repo);
        [format!("/api/{repo}/"), format!("/{bare}/")]
    };
    state.moved.iter().find_map(|(old, new)| {
        let (old, new) = (under(old), under(new));
        let places = old.iter().zip(new);
        places
            .filter_map(|(old, new)| Some(format!("{new}{}", path.strip_prefix(old)?)))
            .next()
    })
}

fn listed(file: &Stored, name_only: bool) -> String {
    let name = serde_json::Value::from(file.name.as_str());
    let (size, oid) = (file.bytes.len(), oid(&file.bytes, file.large));
    if name_only {
        format!(r#"{{"rfilename":{name}}}"#)
    } else if file.large {
        let pointer = "0".repeat(40);
        format!(
            r#"{{"rfilename":{name},"size":{size},"blobId":"{pointer}","lfs":{{"sha256":"{oid}","size":{size}}}}}"#
        )
    } else {
        format!(r#"{{"rfilename":{name},"size":{size},"blobId":"{oid}"}}"#)
    }
}

fn find<'a>(state: &'a State, path: &str) -> Option<(&'a Stored, &'a Revision)> {
    let (repo, rest) = path.trim_start_matches('/').split_once("/resolve/")?;
    let repo = if repo.starts_with("datasets/") {
        repo.into()
    } else {
        format!("models/{repo}")
    };
    let (revision, name) = rest.split_once('/')?;
    let revision = revision.replace("%2F", "/");
    let wanted = |r: &&Revision| r.repo == repo && (r.commit == revision || r.name == revision);
    let found = state.revisions.iter().find(wanted)?;
    Some((found.files.iter().find(|file| file.name == name)?, found))
}

/// A file on the hub's own host: always redirects, as the real one does.
fn resolve(state: &State, path: &str, request: &Request) -> Vec<u8> {
    let Some((file, Revision { commit, repo, .. })) = find(state, path) else {
        return head("404 Not Found", 0, "X-Error-Code: EntryNotFound\r\n");
    };
    if let Some(status) = state.gated.get(repo).filter(|_| !request.authorized) {
        return head(status, 0, "X-Error-Code: GatedRepo\r\n");
    }
    let (port, oid) = (state.content_port, oid(&file.bytes, file.large));
    let (status, location) = if file.large {
        (
            "302 Found",
            format!("http://127.0.0.1:{port}/{oid}?signed=1"),
        )
    } else {
        ("307 Temporary Redirect", format!("/api/cached{path}"))
    };
    let etag = match file.large && !state.faults.no_etags {
        true => format!("X-Linked-Etag: \"{oid}\"\r\n"),
        false => String::new(),
    };
    head(
        status,
        0,
        &format!("X-Repo-Commit: {commit}\r\n{etag}Location: {location}\r\n"),
    )
}

fn small(state: &State, path: &str, request: &Request) -> Vec<u8> {
    let (file, _) = find(state, path).unwrap();
    let etag = match state.faults.no_etags {
        true => String::new(),
        false => format!("ETag: \"{}\"\r\n", oid(&file.bytes, false)),
    };
    let body = if request.method == "HEAD" {
        &[][..]
    } else {
        &file.bytes
    };
    [&head("200 OK", file.bytes.len(), &etag), body].concat()
}

/// A large file on the content host.
fn content(state: &mut State, path: &str, request: &Request) -> Vec<u8> {
    let files = state.revisions.iter().flat_map(|r| &r.files);
    let mut found =
        files.filter(|f| f.large && oid(&f.bytes, true) == path.trim_start_matches('/'));
    let mut bytes = found.next().unwrap().bytes.clone();
    let total = bytes.len();
    if state.faults.corrupt {
        bytes[0] ^= 1;
    }
    let asked = request.range.as_deref().filter(|_| !state.faults.no_ranges);
    let from = asked.map(|range| {
        range
            .trim_start_matches("bytes=")
            .trim_end_matches('-')
            .parse()
            .unwrap()
    });
    let rest = &bytes[from.unwrap_or(0)..];
    // The content host has ETags of its own, which are not the hub's.
    let etag = format!("ETag: \"{}\"\r\n", "e".repeat(40));
    let start = match from {
        Some(from) => {
            let range = format!(
                "{etag}Content-Range: bytes {from}-{}/{total}\r\n",
                total - 1
            );
            head("206 Partial Content", rest.len(), &range)
        }
        None => head("200 OK", rest.len(), &etag),
    };
    let mut end = rest.len();
    if let Some((after, times)) = &mut state.faults.cut
        && *times > 0
    {
        (*times, end) = (*times - 1, end.min(*after));
    }
    state.content_bytes += end;
    [&start, &rest[..end]].concat()
}
