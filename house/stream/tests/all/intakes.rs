//! Intakes over real sockets: RELP with a server that is killed, floods over UDP, connections that are
//! not let in. `UME_SOAK=1` kills 200 times.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use stream::{
    Limits, Query, SpoolLimits, Stream,
    intake::{Door, Relp, SyslogTcp, SyslogUdp, TcpLimits, now},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    sync::watch,
    time::timeout,
};

const LOCAL: &str = "127.0.0.1:0";
const OPEN: &[u8] = b"1 open 30 relp_version=0\ncommands=syslog\n";

fn local() -> SocketAddr {
    LOCAL.parse().unwrap()
}

async fn door(source: &str, limits: TcpLimits) -> (Door, SocketAddr) {
    let door = Door::bind(local(), source, limits).await.unwrap();
    let address = door.local_addr().unwrap();
    (door, address)
}

/// How often each message is in the archive.
fn archived(stream: &Stream) -> HashMap<String, usize> {
    stream.flush(now()).unwrap();
    let found = stream.search(&Query { limit: usize::MAX, ..Query::default() }).unwrap();
    let mut counts = HashMap::new();
    for event in found.events {
        *counts.entry(event.message).or_default() += 1;
    }
    counts
}

fn received(stream: &Stream, source: &str) -> u64 {
    stream.counters().get(source).map_or(0, |counters| counters.received)
}

async fn wait(what: &str, until: impl Fn() -> bool) {
    let from = Instant::now();
    while !until() {
        assert!(from.elapsed() < Duration::from_secs(20), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn frame(number: u32, text: &str) -> Vec<u8> {
    let line = format!("<13>1 - h app - - - {text}");
    format!("{number} syslog {} {line}\n", line.len()).into_bytes()
}

/// Numbers that are answered with 200, out of whole frames.
fn answered(bytes: &mut Vec<u8>) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(end) = bytes.windows(8).position(|w| w == b" 200 OK\n") {
        let line: Vec<u8> = bytes.drain(..end + 8).collect();
        let text = String::from_utf8(line).unwrap();
        let start = text.trim_end().rsplit('\n').next().unwrap();
        numbers.push(start.split(' ').next().unwrap().parse().unwrap());
    }
    numbers
}

async fn opened(address: SocketAddr) -> Option<TcpStream> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    socket.write_all(OPEN).await.ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"commands=syslog\n") {
        if socket.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    Some(socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn relp_answers_nothing_while_the_spool_is_full_and_everything_after() {
    let folder = tempfile::tempdir().unwrap();
    let spool = SpoolLimits { max_bytes: 6 << 20, segment_bytes: 1 << 20 };
    let stream = Stream::open(folder.path(), Limits { spool, ..Limits::default() }).unwrap();
    let (door, address) = door("relp", TcpLimits::default()).await;
    let (end, shutdown) = watch::channel(false);
    let server = tokio::spawn(Relp::at(door).run(stream.clone(), shutdown));
    let (mut reader, mut writer) = opened(address).await.unwrap().into_split();
    let long = "x".repeat(60_000);
    let sending = tokio::spawn(async move {
        for number in 2..202u32 {
            writer.write_all(&frame(number, &format!("{number} {long}"))).await.unwrap();
        }
        writer
    });
    let (mut bytes, mut numbers) = (Vec::new(), Vec::new());
    while let Ok(got) = timeout(Duration::from_secs(2), reader.read_buf(&mut bytes)).await {
        assert!(got.unwrap() > 0);
        numbers.extend(answered(&mut bytes));
    }
    // 12 MB do not fit into 6 MiB: it waits, and has refused nothing.
    assert!((10..150).contains(&numbers.len()), "{}", numbers.len());
    assert_eq!(stream.counters()["relp"].stored, numbers.len() as u64);
    while numbers.len() < 200 {
        let handle = stream.clone();
        tokio::task::spawn_blocking(move || handle.flush(now()).map(drop)).await.unwrap().unwrap();
        let _ = timeout(Duration::from_millis(300), reader.read_buf(&mut bytes)).await;
        numbers.extend(answered(&mut bytes));
    }
    let mut writer = sending.await.unwrap();
    writer.write_all(b"202 close 0\n").await.unwrap();
    reader.read_to_end(&mut bytes).await.unwrap();
    assert!(bytes.ends_with(b"202 rsp 0\n0 serverclose 0\n"));
    assert_eq!(numbers, (2..202).collect::<Vec<u32>>());
    let counters = &stream.counters()["relp"];
    assert_eq!((counters.stored, counters.refused.len(), counters.lost.len()), (200, 0, 0));
    end.send(true).unwrap();
    server.await.unwrap().unwrap();
}

const CHILD: &str = "UME_TEST_RELP_CHILD";

/// The server that is killed, in a process of its own: started by the test below.
#[tokio::test(flavor = "multi_thread")]
async fn relp_child() {
    let Ok(place) = std::env::var(CHILD) else { return };
    let (folder, address) = place.split_once('|').unwrap();
    let stream = Stream::open(Path::new(folder), Limits::default()).unwrap();
    let mut door = Door::bind(address.parse().unwrap(), "relp", TcpLimits::default()).await;
    while door.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        door = Door::bind(address.parse().unwrap(), "relp", TcpLimits::default()).await;
    }
    let flushing = stream.clone();
    std::thread::spawn(move || {
        loop {
            flushing.flush(now()).unwrap();
            std::thread::sleep(Duration::from_millis(70));
        }
    });
    let (_end, shutdown) = watch::channel(false);
    Relp::at(door.unwrap()).run(stream, shutdown).await.unwrap();
}

fn child(folder: &Path, address: SocketAddr) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "intakes::relp_child", "--nocapture"])
        .env(CHILD, format!("{}|{address}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The same moments in each run.
fn moment(seed: &mut u64) -> Duration {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    Duration::from_millis(50 + (*seed >> 33) % 350)
}

/// Sends with a window until the connection breaks; lines that were not answered are kept.
async fn send(
    address: SocketAddr,
    waiting: &mut Vec<u32>,
    next: &mut u32,
    acknowledged: &mut HashSet<u32>,
    until: Instant,
) {
    const WINDOW: usize = 64;
    let Some(mut socket) = opened(address).await else { return };
    let (mut number, mut sent) = (1, HashMap::new());
    let mut again = waiting.clone().into_iter();
    let mut bytes = Vec::new();
    while Instant::now() < until {
        while sent.len() < WINDOW {
            let line = again.next().unwrap_or_else(|| {
                *next += 1;
                waiting.push(*next);
                *next
            });
            number += 1;
            sent.insert(number, line);
            if socket.write_all(&frame(number, &format!("line {line}"))).await.is_err() {
                return;
            }
        }
        match timeout(Duration::from_secs(5), socket.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            _ => return,
        }
        for answer in answered(&mut bytes) {
            let line = sent.remove(&answer).unwrap();
            acknowledged.insert(line);
            waiting.retain(|waiting| *waiting != line);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_relp_server_has_every_line_it_answered_and_repeats_only_others() {
    let kills = if std::env::var_os("UME_SOAK").is_some() { 200 } else { 8 };
    let folder = tempfile::tempdir().unwrap();
    let (free, address) = door("free", TcpLimits::default()).await;
    drop(free);
    let (mut seed, mut next) = (0x7265_6c70, 0);
    let (mut waiting, mut acknowledged, mut torn) = (Vec::new(), HashSet::new(), HashMap::new());
    for _ in 0..kills {
        let mut server = child(folder.path(), address);
        while TcpStream::connect(address).await.is_err() {
            assert!(server.try_wait().unwrap().is_none(), "the server ended by itself");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (wait, pid) = (moment(&mut seed), server.id());
        let killing = tokio::task::spawn_blocking(move || {
            std::thread::sleep(wait);
            server.kill().unwrap();
            server.wait().unwrap();
        });
        let until = Instant::now() + Duration::from_secs(20);
        send(address, &mut waiting, &mut next, &mut acknowledged, until).await;
        killing.await.unwrap();
        assert!(pid > 0);
        for line in &waiting {
            *torn.entry(*line).or_insert(0) += 1;
        }
    }
    let stream = Stream::open(folder.path(), Limits::default()).unwrap();
    let counts = archived(&stream);
    assert!(acknowledged.len() > 100, "{} lines", acknowledged.len());
    for line in &acknowledged {
        let times = counts.get(&format!("line {line}")).copied().unwrap_or(0);
        let most = 1 + torn.get(line).copied().unwrap_or(0);
        assert!((1..=most).contains(&times), "line {line}: {times} times, {most} at most");
    }
    let counters = &stream.counters()["relp"];
    assert_eq!(counters.stored, counts.values().sum::<usize>() as u64);
    println!("{kills} kills, {} acknowledged, {} repeated", acknowledged.len(), torn.len());
}

/// Sends numbered datagrams as fast as it can, leaving out what `left_out` says.
async fn flood(address: SocketAddr, numbers: std::ops::Range<u32>, left_out: impl Fn(u32) -> bool) {
    let socket = UdpSocket::bind(local()).await.unwrap();
    for number in numbers.filter(|number| !left_out(*number)) {
        let line = format!("<13>1 - h app - - [meta sequenceId=\"{number}\"] udp {number}");
        // The kernel takes it or drops it at the other end; it never says no on loopback.
        socket.send_to(line.as_bytes(), address).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_over_udp_every_datagram_is_stored_or_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream::open(folder.path(), Limits::default()).unwrap();
    let udp = SyslogUdp::bind(local(), "udp").await.unwrap();
    let address = udp.local_addr().unwrap();
    let (end, shutdown) = watch::channel(false);
    // The first floods nobody reads yet: what does not fit the buffer can be seen at the tail only.
    flood(address, 1..40_001, |_| false).await;
    let server = tokio::spawn(udp.run(stream.clone(), shutdown));
    wait("the tail", || received(&stream, "udp") == 40_000).await;
    let first = stream.counters()["udp"].clone();
    assert!(first.lost["no room in the kernel's buffer"] > 1_000, "{first:?}");
    // Now with a reader, and some that never reach this machine.
    flood(address, 40_001..80_001, |number| number % 1_000 == 7).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // What is dropped last shows which numbers are missing when the next one comes.
    flood(address, 80_001..80_002, |_| false).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    end.send(true).unwrap();
    server.await.unwrap().unwrap();
    let all = stream.counters()["udp"].clone();
    let lost: u64 = all.lost.values().sum();
    assert_eq!(all.stored + lost, 80_001, "{all:?}");
    assert!(all.identity_holds() && all.refused.is_empty(), "{all:?}");
    let counts = archived(&stream);
    assert_eq!(counts.len() as u64, all.stored, "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_numbers_the_count_of_the_kernel_alone_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream::open(folder.path(), Limits::default()).unwrap();
    let udp = SyslogUdp::bind(local(), "udp").await.unwrap();
    let address = udp.local_addr().unwrap();
    let socket = UdpSocket::bind(local()).await.unwrap();
    for number in 0..40_000 {
        socket.send_to(format!("<13>plain {number}").as_bytes(), address).await.unwrap();
    }
    let (end, shutdown) = watch::channel(false);
    let server = tokio::spawn(udp.run(stream.clone(), shutdown));
    tokio::time::sleep(Duration::from_millis(500)).await;
    end.send(true).unwrap();
    server.await.unwrap().unwrap();
    let counters = &stream.counters()["udp"];
    assert_eq!(counters.received, 40_000, "{counters:?}");
    assert!(counters.lost.values().sum::<u64>() > 0, "{counters:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_framings_mix_and_missing_numbers_over_tcp_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream::open(folder.path(), Limits::default()).unwrap();
    let (door, address) = door("tcp", TcpLimits::default()).await;
    let (end, shutdown) = watch::channel(false);
    let server = tokio::spawn(SyslogTcp::at(door).run(stream.clone(), shutdown));
    let line = |n: u32| format!("<13>1 - h app - - [meta sequenceId=\"{n}\"] m{n}\nx");
    let mut socket = TcpStream::connect(address).await.unwrap();
    for number in [1, 2, 5, 6] {
        let text = line(number);
        let framed = match number % 2 {
            0 => format!("{} {text}", text.len()),
            _ => format!("{}\n", text.replace('\n', " ")),
        };
        socket.write_all(framed.as_bytes()).await.unwrap();
    }
    socket.shutdown().await.unwrap();
    wait("four lines", || received(&stream, "tcp") == 4).await;
    // A gap counts when it is too late for what is missing.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(format!("{}\n", line(7).replace('\n', " ")).as_bytes()).await.unwrap();
    wait("the gap", || !stream.counters()["tcp"].lost.is_empty()).await;
    assert_eq!(stream.counters()["tcp"].lost["sequenceId missing"], 2);
    end.send(true).unwrap();
    server.await.unwrap().unwrap();
    let messages = archived(&stream);
    assert!(messages.contains_key("m2\nx") && messages.contains_key("m5 x"), "{messages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_holds_only_so_many_connections_and_the_others_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream::open(folder.path(), Limits::default()).unwrap();
    let limits = TcpLimits { per_address_max: 2, ..TcpLimits::default() };
    let (door, address) = door("tcp", limits).await;
    let (end, shutdown) = watch::channel(false);
    let server = tokio::spawn(SyslogTcp::at(door).run(stream.clone(), shutdown));
    let _held =
        [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let mut third = TcpStream::connect(address).await.unwrap();
    let closed = timeout(Duration::from_secs(5), third.read(&mut [0])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
    let counters = &stream.counters()["tcp"];
    assert_eq!(counters.turned_away["127.0.0.1: too many connections"], 1);
    assert_eq!(counters.received, 0);
    end.send(true).unwrap();
    server.await.unwrap().unwrap();
}
