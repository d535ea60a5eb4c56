//! An engine that takes the line protocol and misbehaves as it is told: it keeps what it accepts, as
//! a disk would, and reads it as strictly as any of the real ones.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A measurement with its tags, and a time in nanoseconds.
pub type Key = (String, BTreeMap<String, String>, i64);
/// Fields as they are written, texts with their quotation marks.
pub type Points = BTreeMap<Key, BTreeMap<String, String>>;

/// What it does with one request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Stores it and answers 204.
    Accept,
    /// Answers with this, and stores nothing.
    Answer(&'static str),
    /// Answers 400 if a line has this in it.
    RefuseLinesWith(&'static str),
    /// Answers 413 if there are more lines than this.
    RefuseMoreThan(usize),
    /// Reads it and does not answer.
    Hang(Duration),
    /// Answers with this, stores nothing, and leaves the connection open for a while.
    AnswerAndStay(&'static str, Duration),
    /// Closes after so many bytes of the request.
    CloseAfter(usize),
    /// Stores it and closes without an answer.
    StoreAndClose,
    /// Stores it and closes in the middle of the answer.
    StoreAndCloseInReply,
}

#[derive(Default)]
pub struct State {
    pub points: Points,
    /// For the next requests, one after another; later ones get `otherwise`.
    pub next: VecDeque<Behaviour>,
    pub otherwise: Option<Behaviour>,
    /// Requests that came, with their heads.
    pub heads: Vec<String>,
    /// How many lines each had.
    pub lines: Vec<usize>,
    pub longest_body: usize,
    wrong: Vec<String>,
}

/// The running engine.
pub struct Engine {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
}

impl Engine {
    pub fn start() -> Engine {
        Engine::start_at("127.0.0.1:0", Arc::default()).expect("a port is free")
    }

    /// With what an earlier one has stored.
    fn start_at(address: &str, state: Arc<Mutex<State>>) -> std::io::Result<Engine> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (shared, is_ending) = (Arc::clone(&state), Arc::clone(&is_over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_ending.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&shared);
                if let Ok(stream) = stream {
                    thread::spawn(move || drop(serve(stream, &shared)));
                }
            }
        });
        Ok(Engine {
            address,
            state,
            is_over,
        })
    }

    /// Kills it, and starts it again after a while, with what it has stored.
    pub fn restart_after(self, pause: Duration) -> Engine {
        let (address, state) = (self.address.to_string(), Arc::clone(&self.state));
        drop(self);
        thread::sleep(pause);
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match Engine::start_at(&address, Arc::clone(&state)) {
                Ok(engine) => return engine,
                // Its thread has not ended yet.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/write?db=ace", self.address)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Behaves so with the next requests, and then accepts.
    pub fn behave(&self, next: impl IntoIterator<Item = Behaviour>) {
        self.state().next.extend(next);
    }

    pub fn always(&self, behaviour: Behaviour) {
        self.state().otherwise = Some(behaviour);
    }

    pub fn points(&self) -> Points {
        let state = self.state();
        assert!(state.wrong.is_empty(), "{:?}", state.wrong);
        state.points.clone()
    }

    pub fn requests(&self) -> usize {
        self.state().heads.len()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let behaviour = {
        let mut state = lock(state);
        let otherwise = state.otherwise.clone().unwrap_or(Behaviour::Accept);
        state.next.pop_front().unwrap_or(otherwise)
    };
    if let Behaviour::CloseAfter(bytes) = behaviour {
        let mut some = vec![0; bytes.max(1)];
        stream.read_exact(&mut some)?;
        lock(state)
            .heads
            .push(String::from_utf8_lossy(&some).into());
        return Ok(());
    }
    let (head, body) = read_request(&mut stream)?;
    let lines: Vec<&str> = body.lines().collect();
    let parsed: Result<Points, String> = lines.iter().map(|line| parse_line(line)).collect();
    let mut held = lock(state);
    held.heads.push(head);
    held.lines.push(lines.len());
    held.longest_body = held.longest_body.max(body.len());
    let points = match parsed {
        Ok(points) => points,
        Err(wrong) => {
            held.wrong.push(wrong);
            Points::new()
        }
    };
    const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 10\r\n\r\nnot \x1b[1mme";
    let answer = match behaviour {
        Behaviour::RefuseLinesWith(text) if body.contains(text) => REFUSED,
        Behaviour::RefuseMoreThan(most) if lines.len() > most => {
            "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n"
        }
        Behaviour::Answer(answer) => answer,
        Behaviour::AnswerAndStay(answer, time) => {
            drop(held);
            stream.write_all(answer.as_bytes())?;
            thread::sleep(time);
            return Ok(());
        }
        Behaviour::Hang(time) => {
            drop(held);
            thread::sleep(time);
            return Ok(());
        }
        Behaviour::StoreAndClose => {
            held.points.extend(points);
            return Ok(());
        }
        Behaviour::StoreAndCloseInReply => {
            held.points.extend(points);
            drop(held);
            return stream.write_all(b"HTTP/1.1 20");
        }
        _ => {
            held.points.extend(points);
            "HTTP/1.1 204 No Content\r\n\r\n"
        }
    };
    drop(held);
    stream.write_all(answer.as_bytes())
}

/// The head and the body of a request.
fn read_request(stream: &mut TcpStream) -> std::io::Result<(String, String)> {
    let mut received = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&received);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let len = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .and_then(|len| len.parse().ok())
                .unwrap_or(0);
            if body.len() >= len {
                return Ok((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read(&mut piece)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            len => received.extend_from_slice(&piece[..len]),
        }
    }
}

/// Splits where a character is neither escaped nor between quotation marks.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let (mut is_escaped, mut is_quoted) = (false, false);
    for character in text.chars() {
        if character == at && !is_escaped && !is_quoted {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        part.push(character);
    }
    parts.push(part);
    parts
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

/// One point of one line.
fn parse_line(line: &str) -> Result<(Key, BTreeMap<String, String>), String> {
    let wrong = |what: &str| format!("{what}: {line}");
    let parts = split(line, ' ');
    let [head, fields, time] = &parts[..] else {
        return Err(wrong("not three parts"));
    };
    let mut head = split(head, ',').into_iter();
    let measurement = head.next().unwrap_or_default();
    let pair = |text: &String| {
        let parts = split(text, '=');
        match &parts[..] {
            [name, value] if !name.is_empty() && !value.is_empty() => {
                Ok((unescape(name), value.clone()))
            }
            _ => Err(wrong("not a pair")),
        }
    };
    let tags: Result<BTreeMap<String, String>, String> = head
        .map(|text| pair(&text).map(|(name, value)| (name, unescape(&value))))
        .collect();
    let fields = split(fields, ',');
    let fields: Result<BTreeMap<String, String>, String> = fields.iter().map(pair).collect();
    let time = time.parse().map_err(|_| wrong("no time"))?;
    Ok(((measurement, tags?, time), fields?))
}
