//! A process that may open few files keeps most of them for its service, whatever is sent to its port.

#![expect(clippy::print_stderr, reason = "the two processes talk that way")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write, stdin},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use chaos_core::Injector;
use chaos_http_admin::Admin;

const NAME: &str =
    "descriptors_are_left_to_the_service::with_few_descriptors_the_service_and_the_port_answer";
const IS_CHILD: &str = "CHAOS_TEST_FEW_DESCRIPTORS";
const LIMIT: usize = 64;

fn open_files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

/// A process with a service and a port. It says how many files it had open before the port, and where the
/// two listen.
fn serve() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = service.local_addr().unwrap();
    thread::spawn(move || {
        for client in service.incoming() {
            // Without a descriptor, there is an error, and no answer.
            let _ = client.and_then(|mut client| client.write_all(b"served"));
        }
    });
    let before = open_files(std::process::id());
    let admin = Admin::new(Injector::new());
    let server = admin.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    eprintln!("{before} {address} {}", server.local_addr());
    // Until the parent has seen enough, or is gone.
    drop(stdin().read(&mut [0]));
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn with_few_descriptors_the_service_and_the_port_answer() {
    if env::var_os(IS_CHILD).is_some() {
        return serve();
    }
    let child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {LIMIT}; exec \"$0\" \"$@\"")])
        .arg(env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(IS_CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Running(child.unwrap());
    let mut said = String::new();
    BufReader::new(child.0.stderr.as_mut().unwrap())
        .read_line(&mut said)
        .unwrap();
    let mut said = said.split_whitespace();
    let mut next = || said.next().unwrap();
    let before: usize = next().parse().unwrap();
    let [service, port]: [SocketAddr; 2] = [next(), next()].map(|at| at.parse().unwrap());

    let mut held = Vec::new();
    let mut most = 0;
    for _ in 0..100 {
        let mut half = connect(port);
        half.write_all(b"GET /v1/status HTTP/1.1\r\nHost: loc")
            .unwrap();
        held.push(half);
        most = most.max(open_files(child.0.id()) - before);
    }
    let status = "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(service, ""), "served");
    let answer = ask(port, status);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    most = most.max(open_files(child.0.id()) - before);
    // Besides, one is the service's own, and one may be about to be closed.
    assert!(most <= LIMIT / 4 + 2, "{most}");
    // And most of those are connections.
    assert!(most >= LIMIT / 8, "{most}");
    drop(held);
}
