//! An object store of one bucket: as much of the S3 protocol as a client of this project speaks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The bucket and what it does wrong.
#[derive(Default)]
pub struct Contents {
    pub objects: BTreeMap<String, Vec<u8>>,
    /// Answer every request so: status and error code of the protocol.
    pub refuse: Option<(u16, &'static str)>,
    /// Objects are other ones when they are read than when they are listed.
    pub restless: bool,
    /// Objects that were read, and how often.
    pub reads: BTreeMap<String, usize>,
}

/// A server for the bucket `data` on a port of its own.
pub struct Bucket {
    pub contents: Arc<Mutex<Contents>>,
    pub endpoint: String,
}

impl Bucket {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let contents = Arc::new(Mutex::new(Contents::default()));
        let shared = contents.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let contents = shared.clone();
                thread::spawn(move || while serve(&stream, &contents).is_some() {});
            }
        });
        Self { contents, endpoint }
    }

    pub fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        self.contents.lock().expect("nobody panicked").objects.insert(key.to_owned(), content.into());
    }

    pub fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut self.contents.lock().expect("nobody panicked"));
    }

    /// What tells a command of this store.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_ACCESS_KEY_ID", "tester".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "a-secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }
}

/// Answers one request of a connection; nothing at its end.
fn serve(stream: &TcpStream, contents: &Mutex<Contents>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let (status, tag, answer) = answer(&method, &target, &headers, body, contents);
    let range = (status == 206).then(|| headers["range"].trim_start_matches("bytes=").to_owned());
    let whole = tag.1;
    let mut head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nETag: \"{}\"\r\nLast-Modified: Fri, 01 Mar 2024 12:00:00 GMT\r\n",
        if method == "HEAD" { whole } else { answer.len() },
        tag.0
    );
    if let Some(range) = range {
        head.push_str(&format!("Content-Range: bytes {range}/{whole}\r\n"));
    }
    let mut stream = stream;
    stream.write_all((head + "\r\n").as_bytes()).ok()?;
    if method != "HEAD" {
        stream.write_all(&answer).ok()?;
    }
    Some(())
}

type Answer = (u16, (String, usize), Vec<u8>);

fn answer(
    method: &str,
    target: &str,
    headers: &BTreeMap<String, String>,
    body: Vec<u8>,
    contents: &Mutex<Contents>,
) -> Answer {
    let mut contents = contents.lock().expect("nobody panicked");
    let error =
        |status, code: &str| (status, (String::new(), 0), format!("<Error><Code>{code}</Code></Error>").into_bytes());
    if let Some((status, code)) = contents.refuse {
        return error(status, code);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(key) = path.strip_prefix("/data") else { return error(404, "NoSuchBucket") };
    let key = decoded(key.trim_start_matches('/'));
    match method {
        "PUT" => {
            contents.objects.insert(key, body);
            (200, ("new".to_owned(), 0), Vec::new())
        }
        "GET" if query.contains("list-type=2") => {
            let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).unwrap_or_default();
            let prefix = decoded(prefix);
            let mut text = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
            for (key, content) in contents.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
                text.push_str(&format!(
                    "<Contents><Key>{key}</Key><Size>{}</Size><ETag>\"{}\"</ETag>\
                     <LastModified>2024-03-01T12:00:00.000Z</LastModified></Contents>",
                    content.len(),
                    tag(content)
                ));
            }
            (200, (String::new(), 0), (text + "</ListBucketResult>").into_bytes())
        }
        _ => {
            let Some(content) = contents.objects.get(&key).cloned() else { return error(404, "NoSuchKey") };
            let restless = contents.restless && method == "GET";
            let tag = if restless { "other".to_owned() } else { tag(&content) };
            if method == "HEAD" {
                return (200, (tag, content.len()), Vec::new());
            }
            *contents.reads.entry(key).or_default() += 1;
            let range = headers.get("range").and_then(|range| {
                let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
                Some(from.parse::<usize>().ok()?..to.parse::<usize>().ok()? + 1)
            });
            match range {
                Some(range) => (206, (tag, content.len()), content[range].to_vec()),
                None => (200, (tag, content.len()), content),
            }
        }
    }
}

/// Text in which bytes are written as `%2F`.
fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).expect("an escape");
        out.push(char::from(byte));
        out.push_str(&piece[2..]);
    }
    out
}

/// Changes with the content.
fn tag(content: &[u8]) -> String {
    let sum = content.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    format!("{sum:016x}")
}
