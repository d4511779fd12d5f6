//! Senders of logs over TLS: who is let in by certificate, and that the others are counted by peer.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use edge::{
    ca::{HouseCa, Identity, Request, certificates},
    tls::{Served, names, senders},
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use stream::{
    Limits, Stream,
    intake::{Door, Relp, Secure, TcpLimits, now},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsConnector;

const OPEN: &[u8] = b"1 open 30 relp_version=0\ncommands=syslog\n2 syslog 9 <13>hello\n";

fn client(ca: &HouseCa, name: &str) -> Identity {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let request = Request::parse(&Request::make(&key).unwrap()).unwrap();
    let issued = ca.client(&request, name, now()).unwrap();
    let chain = certificates(&issued.pem, std::path::Path::new("x")).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Identity { chain, key, ends: issued.ends }
}

/// What a client that trusts `root` gets for a message.
async fn hello(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    identity: Option<Identity>,
) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    let socket = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let Ok(mut wire) = TlsConnector::from(Arc::new(config)).connect(name, socket).await else {
        return String::new();
    };
    let mut answer = Vec::new();
    if wire.write_all(OPEN).await.is_ok() {
        while !answer.ends_with(b"2 rsp 6 200 OK\n") {
            match timeout(Duration::from_secs(10), wire.read_buf(&mut answer)).await {
                Ok(Ok(1..)) => {}
                _ => break,
            }
        }
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_named_clients_of_the_ca_are_let_in_and_the_others_counted() {
    let folder = tempfile::tempdir().unwrap();
    let ca = HouseCa::open(&folder.path().join("ca"), "host-1", now()).unwrap();
    let other = HouseCa::open(&folder.path().join("other"), "host-2", now()).unwrap();
    let stream = Stream::open(&folder.path().join("stream"), Limits::default()).unwrap();
    let served = Served::new(ca.server(now()).unwrap()).unwrap();
    let config = senders(served, vec![ca.der().clone()]).unwrap();
    let admit = Arc::new(|certificate: Option<&[u8]>| {
        let names = names(certificate.ok_or("no certificate")?);
        let known = names.into_iter().find(|name| name == "web-1");
        known.map(Some).ok_or_else(|| "another client".to_owned())
    });
    let limits = TcpLimits { handshake_max: Duration::from_secs(1), ..TcpLimits::default() };
    let door = Door::bind("127.0.0.1:0".parse().unwrap(), "relp", limits).await.unwrap();
    let address = door.local_addr().unwrap();
    let relp = Relp::at(door.secured(Secure { config, admit }));
    let (end, shutdown) = watch::channel(false);
    let server = tokio::spawn(relp.run(stream.clone(), shutdown));
    let root = ca.der();
    assert!(hello(address, root, Some(client(&ca, "web-1"))).await.ends_with("2 rsp 6 200 OK\n"));
    assert_eq!(hello(address, root, Some(client(&ca, "web-2"))).await, "");
    assert_eq!(hello(address, root, Some(client(&other, "web-1"))).await, "");
    assert_eq!(hello(address, root, None).await, "");
    let mut silent = TcpStream::connect(address).await.unwrap();
    let closed = timeout(Duration::from_secs(10), silent.read(&mut [0])).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)));
    let counters = stream.counters()["relp"].clone();
    assert_eq!((counters.received, counters.stored), (1, 1));
    let reasons: Vec<_> = counters.turned_away.into_iter().collect();
    let wanted = [
        ("127.0.0.1: TLS handshake".to_owned(), 2),
        ("127.0.0.1: TLS handshake took too long".to_owned(), 1),
        ("127.0.0.1: another client".to_owned(), 1),
    ];
    assert_eq!(reasons, wanted);
    end.send(true).unwrap();
    server.await.unwrap().unwrap();
    stream.flush(now()).unwrap();
    let found = stream.search(&stream::Query { limit: 10, ..Default::default() }).unwrap();
    assert_eq!(found.events[0].fields["peer"], "web-1@127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ca_for_clients_whoever_comes_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let ca = HouseCa::open(&folder.path().join("ca"), "host-1", now()).unwrap();
    let stream = Stream::open(&folder.path().join("stream"), Limits::default()).unwrap();
    let config = senders(Served::new(ca.server(now()).unwrap()).unwrap(), Vec::new()).unwrap();
    let door = Door::bind("127.0.0.1:0".parse().unwrap(), "relp", TcpLimits::default()).await;
    let door = door.unwrap().secured(Secure { config, admit: Arc::new(|_| Ok(None)) });
    let address = door.local_addr().unwrap();
    let (_end, shutdown) = watch::channel(false);
    tokio::spawn(Relp::at(door).run(stream.clone(), shutdown));
    assert!(hello(address, ca.der(), None).await.ends_with("2 rsp 6 200 OK\n"));
}

#[test]
fn names_of_a_certificate_are_common_name_dns_names_and_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let ca = HouseCa::open(folder.path(), "host-1", now()).unwrap();
    let server = ca.server(now()).unwrap();
    let all = names(&server.chain[0]);
    for name in ["Ume centre", "localhost", "host-1", "127.0.0.1", "::1"] {
        assert!(all.iter().any(|n| n == name), "{name}: {all:?}");
    }
    assert!(names(b"no certificate").is_empty());
}
