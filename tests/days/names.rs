//! The day's own name servers, 127.0.0.1 and 127.0.0.2 on the machine of the monitor. Both answer
//! the same: one.test is the first far end and two.test the second, until an action changes it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::actions::{Answer, Server};
use super::network::Namespace;

#[derive(Debug)]
struct Answers {
    by_name: HashMap<String, Answer>,
    delay: Duration,
    is_on: [bool; 2],
}

pub struct NameServers(Arc<Mutex<Answers>>);

impl NameServers {
    pub fn start(machine: &Namespace) -> Result<NameServers, String> {
        let both = |last: &str| {
            let addresses = [format!("10.30.0.1{last}"), format!("fd30::1{last}")];
            Answer::Addresses(
                addresses
                    .map(|text| text.parse().expect("an address"))
                    .into(),
            )
        };
        let by_name = HashMap::from([
            ("one.test".into(), both("1")),
            ("two.test".into(), both("2")),
        ]);
        let answers = Arc::new(Mutex::new(Answers {
            by_name,
            delay: Duration::ZERO,
            is_on: [true; 2],
        }));
        for (index, ip) in ["127.0.0.1", "127.0.0.2"].iter().enumerate() {
            let socket = machine
                .inside(|| UdpSocket::bind((*ip, 53)))
                .map_err(|error| format!("{ip}: {error}"))?;
            let timeout = Some(Duration::from_millis(500));
            socket
                .set_read_timeout(timeout)
                .map_err(|error| error.to_string())?;
            let answers = Arc::downgrade(&answers);
            std::thread::spawn(move || serve(&Arc::new(socket), index, &answers));
        }
        Ok(NameServers(answers))
    }

    pub fn change(&self, change: &Server) {
        let mut answers = self
            .0
            .lock()
            .expect("no thread panics while it holds the lock");
        match change {
            Server::Answer { name, answer } => {
                answers.by_name.insert(name.clone(), answer.clone());
            }
            Server::Slow(seconds) => answers.delay = Duration::from_secs_f64(*seconds),
            Server::Answers { index, is_on } => answers.is_on[*index] = *is_on,
        }
    }
}

/// Answers until the day is over.
fn serve(socket: &Arc<UdpSocket>, index: usize, answers: &Weak<Mutex<Answers>>) {
    let mut query = [0; 512];
    while let Some(answers) = answers.upgrade() {
        let Ok((length, from)) = socket.recv_from(&mut query) else {
            continue;
        };
        let answers = answers
            .lock()
            .expect("no thread panics while it holds the lock");
        let answer = response(&query[..length], &answers).filter(|_| answers.is_on[index]);
        if let Some(response) = answer {
            send(Arc::clone(socket), response, from, answers.delay);
        }
    }
}

fn send(socket: Arc<UdpSocket>, response: Vec<u8>, to: SocketAddr, delay: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(delay);
        drop(socket.send_to(&response, to));
    });
}

/// The response to a query with one question: RFC 1035, section 4.1.
fn response(query: &[u8], answers: &Answers) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const A: u16 = 1;
    const AAAA: u16 = 28;
    let mut name = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        name.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let question = query.get(HEADER..at + 4)?;
    let asked = u16::from_be_bytes([question[question.len() - 4], question[question.len() - 3]]);
    let (code, addresses) = match answers.by_name.get(&name.join(".")) {
        Some(Answer::Silence) => return None,
        Some(Answer::Failure) => (2, &[][..]),
        Some(Answer::Addresses(addresses)) => (0, addresses.as_slice()),
        Some(Answer::NxDomain) | None => (3, &[][..]),
    };
    let mut records = Vec::new();
    let mut count = 0_u16;
    for address in addresses {
        let (kind, bytes) = match address {
            IpAddr::V4(ip) => (A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
        };
        if kind == asked {
            count += 1;
            // A pointer to the name of the question, the type, class IN, no time to live.
            records.extend([0xc0, 0x0c]);
            records.extend(kind.to_be_bytes());
            records.extend([0, 1, 0, 0, 0, 0, 0]);
            records.push(u8::try_from(bytes.len()).expect("4 or 16"));
            records.extend(bytes);
        }
    }
    let mut response = query.get(..2)?.to_vec();
    // A response with recursion, and its code; one question.
    response.extend([0x81, 0x80 | code, 0, 1]);
    response.extend(count.to_be_bytes());
    response.extend([0; 4]);
    response.extend(question);
    response.extend(records);
    Some(response)
}
