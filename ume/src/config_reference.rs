//! The reference of `ume.toml`: one table, held against the structs and against
//! `docs/configuration.md`.

use std::collections::BTreeSet;

use super::*;

const fn key(
    path: &'static str,
    example: &'static str,
    default: &'static str,
    ja: &'static str,
    en: &'static str,
) -> Key {
    Key { path, example, default, ja, en }
}

const fn certificate(path: &'static str) -> Key {
    key(
        path,
        "\"/etc/ume/syslog.pem\"",
        "of the house CA",
        "TLSの証明書チェーン（PEM）。keyと組で書く。ないときはハウスCAの証明書を使う。`[…tls]`がなければTLSなし",
        "Certificate chain for TLS (PEM), together with key; without them a certificate of the house CA. Without a table `[…tls]` there is no TLS",
    )
}

const fn certificate_key(path: &'static str) -> Key {
    key(
        path,
        "\"/etc/ume/syslog.key\"",
        "of the house CA",
        "その秘密鍵（PEM、モード0600）",
        "Its key (PEM, mode 0600)",
    )
}

const fn client_ca(path: &'static str) -> Key {
    key(
        path,
        "\"/etc/ume/senders-ca.pem\"",
        "",
        "送り手の証明書を署名するCA（PEM）。`\"house\"`はハウスCA。書くと証明書のない送り手を断り、相手ごとに数える",
        "CA of the senders' certificates (PEM), or `\"house\"`. If named, senders without a certificate are turned away and counted by peer",
    )
}

const fn clients(path: &'static str) -> Key {
    key(
        path,
        "[\"web-*.example.jp\"]",
        "any",
        "証明書の名前（CN、DNS名、IPアドレス）のいずれかが一致すべきパターン",
        "Patterns, one of which a name in the certificate (CN, DNS name, address) must fit",
    )
}

const HASH: &str = "\"5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8\"";

const KEYS: &[Key] = &[
    key(
        "data",
        "\"/srv/ume\"",
        "/var/lib/ume (root), $XDG_DATA_HOME/ume",
        "データフォルダ。`--data`が優先される。フォルダ内のume.tomlには書かない",
        "Data folder; `--data` wins. Not for an ume.toml inside the data folder",
    ),
    key(
        "listen",
        "\"127.0.0.1:8620\"",
        "127.0.0.1:8620",
        "待ち受けるアドレス",
        "Address to listen on",
    ),
    key(
        "database",
        "\"postgres://ume@db.example/ume\"",
        "ume.db in the data folder",
        "PostgreSQLのアドレス。パスワードはPGPASSWORDか~/.pgpassに置く。証跡とイベントはデータフォルダに残る",
        "Address of PostgreSQL; keep the password in PGPASSWORD or ~/.pgpass. Ledger and events stay in the data folder",
    ),
    key(
        "log",
        "\"info,sqlx=warn\"",
        "info,sqlx=warn",
        "ログの詳しさ。環境変数UME_LOGが優先される",
        "What is logged; the variable UME_LOG wins",
    ),
    key(
        "files.max_mib",
        "25",
        "25",
        "添付ファイル1件の上限（MiB、1から1024）",
        "Limit of one file in MiB, 1 to 1024",
    ),
    key(
        "agent.may_follow",
        "[\"/var/log/**\", \"/srv/*/log/*.log\"]",
        "[\"/var/log/**\"]",
        "センターの収集ルールが、エージェントのこのホストで開けるファイル。`*`は名前の一部、`**`は階層を表す。ルールの署名が正しくても、これを超えるものは開かない",
        "Files of this host that the centre's collection rules may make an agent follow; `*` within a name, `**` for names. Nothing beyond is opened, however well a rule is signed",
    ),
    key(
        "watch.changes",
        "true",
        "true",
        "このホストの構成を誰が変更したかを、カーネルの通知（fanotify）から知る。rootでないときは通知を受け取れず、変更者は不明のままになる",
        "Learn from the kernel's reports (fanotify) who changes the configuration of this host; not as root there are none, and actors stay unknown",
    ),
    key(
        "intake.journal",
        "true",
        "true",
        "このマシンのジャーナルを取り込む",
        "Follow this machine's journal",
    ),
    key(
        "intake.standard_files",
        "true",
        "true",
        "/var/logの一般的なログを取り込む",
        "Follow the usual log files below /var/log",
    ),
    key(
        "intake.spool_mib",
        "1024",
        "1024",
        "スプールの上限（MiB）。満杯の間、UDPとHTTPは拒否して数え、TCPは待たせる",
        "Limit of the spool in MiB; while it is full UDP and HTTP are refused and counted, TCP waits",
    ),
    key(
        "intake.syslog_udp.listen",
        "\"0.0.0.0:5514\"",
        "",
        "syslog（UDP）を受けるアドレス",
        "Address that takes syslog over UDP",
    ),
    key(
        "intake.syslog_udp.source",
        "\"office-udp\"",
        "",
        "出所の名前。件数は出所ごとに数える",
        "Name of the source; counts are kept per source",
    ),
    key(
        "intake.syslog_tcp.listen",
        "\"0.0.0.0:5514\"",
        "",
        "syslog（TCP、RFC 6587の両方式）を受けるアドレス",
        "Address that takes syslog over TCP (both framings of RFC 6587)",
    ),
    key("intake.syslog_tcp.source", "\"office-tcp\"", "", "出所の名前", "Name of the source"),
    certificate("intake.syslog_tcp.tls.certificate"),
    certificate_key("intake.syslog_tcp.tls.key"),
    client_ca("intake.syslog_tcp.tls.client_ca"),
    clients("intake.syslog_tcp.tls.clients"),
    key(
        "intake.relp.listen",
        "\"127.0.0.1:2514\"",
        "",
        "RELP（rsyslogのomrelp）を受けるアドレス。ディスクに書いた後にだけ応答する",
        "Address that takes RELP (rsyslog's omrelp); a message is answered once it is on the disk",
    ),
    key("intake.relp.source", "\"office-relp\"", "", "出所の名前", "Name of the source"),
    certificate("intake.relp.tls.certificate"),
    certificate_key("intake.relp.tls.key"),
    client_ca("intake.relp.tls.client_ca"),
    clients("intake.relp.tls.clients"),
    key(
        "intake.journal_upload.listen",
        "\"127.0.0.1:19532\"",
        "127.0.0.1:19532",
        "systemd-journal-uploadの`POST /upload`を受けるアドレス",
        "Address that takes `POST /upload` of systemd-journal-upload",
    ),
    key(
        "intake.journal_upload.source",
        "\"office-journal\"",
        "",
        "出所の名前",
        "Name of the source",
    ),
    key(
        "intake.journal_upload.token_sha256",
        HASH,
        "",
        "トークンのSHA-256。送り手はURLのパスワードとして示す（`http://journal:TOKEN@host:port`）。client_ca、token_sha256、allowのうち書いたものはすべて満たす必要があり、少なくとも一つは書く",
        "SHA-256 of a token, which the sender shows as the password of its URL (`http://journal:TOKEN@host:port`). Of client_ca, token_sha256 and allow at least one is named, and all that are must be right",
    ),
    key(
        "intake.journal_upload.allow",
        "[\"192.0.2.0/24\"]",
        "",
        "受け付ける送り手のネットワーク",
        "Networks that senders may come from",
    ),
    certificate("intake.journal_upload.tls.certificate"),
    certificate_key("intake.journal_upload.tls.key"),
    client_ca("intake.journal_upload.tls.client_ca"),
    clients("intake.journal_upload.tls.clients"),
    key(
        "intake.otlp.listen",
        "[\"127.0.0.1:4317\", \"127.0.0.1:4318\"]",
        "[127.0.0.1:4317, 127.0.0.1:4318]",
        "OTLP（OpenTelemetry）のログとメトリクスを受けるアドレス。どれもgRPCとHTTP（`/v1/logs`、`/v1/metrics`、protobufとJSON、gzip）の両方に答える。ディスクに書いた後にだけ応答する",
        "Addresses that take logs and metrics by OTLP (OpenTelemetry). Each answers both gRPC and HTTP (`/v1/logs`, `/v1/metrics`; protobuf and JSON, gzip), once what came is on the disk",
    ),
    key("intake.otlp.source", "\"apps\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.otlp.token_sha256",
        HASH,
        "",
        "トークンのSHA-256。送り手はヘッダー`Authorization: Bearer TOKEN`で示す。client_ca、token_sha256、allowのうち書いたものはすべて満たす必要があり、少なくとも一つは書く",
        "SHA-256 of a token, which the sender shows in the header `Authorization: Bearer TOKEN`. Of client_ca, token_sha256 and allow at least one is named, and all that are must be right",
    ),
    key(
        "intake.otlp.allow",
        "[\"192.0.2.0/24\"]",
        "",
        "受け付ける送り手のネットワーク",
        "Networks that senders may come from",
    ),
    certificate("intake.otlp.tls.certificate"),
    certificate_key("intake.otlp.tls.key"),
    client_ca("intake.otlp.tls.client_ca"),
    clients("intake.otlp.tls.clients"),
    key(
        "intake.flow.listen",
        "\"127.0.0.1:2055\"",
        "127.0.0.1:2055",
        "NetFlow v5・v9とIPFIX（UDP）を受けるアドレス。フロー1件がイベント1件になる",
        "Address that takes NetFlow v5, v9 and IPFIX over UDP; each flow becomes an event",
    ),
    key("intake.flow.source", "\"office-flow\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.flow.allow",
        "[\"192.0.2.1\"]",
        "any",
        "フローを送ってよい機器のネットワーク",
        "Networks of the devices that may send flows",
    ),
    key(
        "intake.snmp_traps.listen",
        "\"127.0.0.1:162\"",
        "127.0.0.1:162",
        "SNMP v2cのトラップとインフォームを受けるアドレス。インフォームにはディスクに書いた後で応答する",
        "Address that takes traps and informs of SNMP v2c; an inform is answered once it is on the disk",
    ),
    key("intake.snmp_traps.source", "\"devices\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.snmp_traps.community_sha256",
        HASH,
        "",
        "コミュニティ名のSHA-256。違うものは断り、相手ごとに数える",
        "SHA-256 of the community; others are turned away and counted by peer",
    ),
    key(
        "intake.scrape.url",
        "\"http://127.0.0.1:9100/metrics\"",
        "",
        "測定値（Prometheus、OpenMetrics）を取りに行くアドレス",
        "Address from which measurements are fetched (Prometheus, OpenMetrics)",
    ),
    key("intake.scrape.source", "\"node\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.scrape.every_seconds",
        "60",
        "60",
        "取得する間隔（秒、1から86400）",
        "Seconds between two fetches, 1 to 86400",
    ),
    key(
        "intake.scrape.keep",
        "[\"node_load1\", \"node_memory_Mem*\", \"node_filesystem_avail_bytes\"]",
        "",
        "イベントとして残す測定値の名前のパターン。`up`（応答の有無）は常に残る",
        "Patterns of the names of samples that become events; `up` (whether it answered) always does",
    ),
    key(
        "intake.scrape.token_file",
        "\"/etc/ume/scrape.token\"",
        "",
        "Bearerトークンを書いたファイル。取得のたびに読む",
        "File with a bearer token, read at each fetch",
    ),
    key("intake.snmp.source", "\"switches\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.snmp.targets",
        "[\"192.0.2.1\", \"ups.example.jp:161\"]",
        "",
        "SNMPで値を取りに行く機器（名前かアドレス、ポートは省略時161）",
        "Devices that are asked by SNMP: names or addresses, perhaps with a port (161)",
    ),
    key(
        "intake.snmp.every_seconds",
        "60",
        "60",
        "取得する間隔（秒、1から86400）",
        "Seconds between two rounds, 1 to 86400",
    ),
    key(
        "intake.snmp.profiles",
        "[\"interfaces\", \"ups\"]",
        "none",
        "取得する項目のまとまり。interfaces（回線）、host（CPU・メモリ・ディスク）、ucd（Net-SNMPの負荷・メモリ・温度）、ups、sensors（装置のセンサー）。稼働時間は常に取得する",
        "What is asked for: interfaces, host (processor, memory, disks), ucd (load, memory, temperatures of Net-SNMP), ups, sensors. How long it runs always is",
    ),
    key(
        "intake.snmp.version",
        "\"3\"",
        "3",
        "`\"3\"`か`\"2c\"`。2cは平文なので、閉じたネットワークに限る",
        "`\"3\"` or `\"2c\"`; 2c goes in clear and is for closed networks only",
    ),
    key(
        "intake.snmp.community_file",
        "\"/etc/ume/snmp.community\"",
        "",
        "2cのコミュニティ名を書いたファイル（モード0600）",
        "File with the community of 2c (mode 0600)",
    ),
    key("intake.snmp.user.name", "\"ume\"", "", "v3の利用者名", "User of version 3"),
    key(
        "intake.snmp.user.context",
        "\"\"",
        "",
        "v3のコンテキスト名。ふつうは書かない",
        "Context of version 3; usually none",
    ),
    key(
        "intake.snmp.user.auth",
        "\"sha256\"",
        "",
        "認証の方式（sha1、sha224、sha256、sha384、sha512）",
        "Authentication: sha1, sha224, sha256, sha384, sha512",
    ),
    key(
        "intake.snmp.user.auth_file",
        "\"/etc/ume/snmp.auth\"",
        "",
        "認証のパスワードを書いたファイル（8文字以上、モード0600）。接続できなかった後は読み直す",
        "File with its password (8 characters or more, mode 0600); read again after a failure",
    ),
    key(
        "intake.snmp.user.privacy",
        "\"aes128\"",
        "none",
        "暗号化の方式（aes128、aes192、aes256）。ないときは暗号化しない",
        "Encryption: aes128, aes192, aes256; without it nothing is encrypted",
    ),
    key(
        "intake.snmp.user.privacy_file",
        "\"/etc/ume/snmp.privacy\"",
        "",
        "暗号化のパスワードを書いたファイル（8文字以上、モード0600）",
        "File with its password (8 characters or more, mode 0600)",
    ),
    key(
        "intake.snmp.user.key_extension",
        "\"blumenthal\"",
        "blumenthal",
        "SHA-1やSHA-224でaes192・aes256を使うときの鍵の延ばし方。Cisco製などは`\"reeder\"`",
        "How keys are made longer for aes192 and aes256 with sha1 or sha224; Cisco and others want `\"reeder\"`",
    ),
    key(
        "intake.snmp.user.without_authentication",
        "false",
        "false",
        "trueのときだけ、認証なし（noAuthNoPriv）を認める",
        "Only with true may a user do without authentication (noAuthNoPriv)",
    ),
    key(
        "intake.snmp.values.name",
        "\"ups_room_temperature_celsius\"",
        "",
        "自分で加える値の系列名（英小文字・数字・_）",
        "Series of a value of one's own: a-z, digits, _",
    ),
    key(
        "intake.snmp.values.oid",
        "\"1.3.6.1.4.1.318.1.1.10.2.3.2.1.4\"",
        "",
        "そのOID。.0で終わるものは一つの値、ほかは表の列",
        "Its OID; one value if it ends in .0, else a column of a table",
    ),
    key(
        "intake.snmp.values.label",
        "\"1.3.6.1.4.1.318.1.1.10.2.3.2.1.2\"",
        "the index",
        "表の行の名前になる列のOID",
        "OID of the column that names the rows",
    ),
    key(
        "intake.snmp.values.over",
        "\"1.3.6.1.4.1.318.1.1.10.2.3.2.1.5\"",
        "",
        "割る値のOID（使用率など）",
        "OID of what divides it, for a share",
    ),
    key("intake.snmp.values.scale", "0.1", "1", "掛ける数", "What it is multiplied by"),
    key(
        "intake.snmp.values.kind",
        "\"gauge\"",
        "gauge",
        "gauge（瞬時値）、counter（累積値）、state（状態）",
        "gauge, counter or state",
    ),
    key("intake.postgres.source", "\"db1\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.postgres.url",
        "\"postgres://ume_probe@db1.example/postgres?sslmode=verify-full\"",
        "",
        "接続数・容量・再起動・ロックを見るPostgreSQLのアドレス（パスワードは書かない）。`pg_monitor`の権限だけを持つ利用者を使う",
        "PostgreSQL whose connections, size, restarts and locks are looked at; no password here. Use a user that has `pg_monitor` and nothing else",
    ),
    key(
        "intake.postgres.password_file",
        "\"/etc/ume/db1.password\"",
        "PGPASSFILE, ~/.pgpass",
        "パスワードを書いたファイル（モード0600）。接続のたびに読む",
        "File with its password (mode 0600), read at each connection",
    ),
    key(
        "intake.postgres.every_seconds",
        "60",
        "60",
        "確認する間隔（秒、5から86400）",
        "Seconds between two looks, 5 to 86400",
    ),
    key(
        "intake.files.path",
        "\"/srv/app/app.log\"",
        "",
        "取り込むログファイル",
        "Log file to follow",
    ),
    key("intake.files.source", "\"app\"", "", "出所の名前", "Name of the source"),
    key(
        "intake.files.format",
        "\"auto\"",
        "auto",
        "auto、syslog、json、plainのどれか",
        "One of auto, syslog, json, plain",
    ),
    key(
        "intake.http.source",
        "\"web-app\"",
        "",
        "出所の名前。送り先は`POST /intake/NAME`",
        "Name of the source; it sends to `POST /intake/NAME`",
    ),
    key(
        "intake.http.token_sha256",
        HASH,
        "",
        "送信トークンのSHA-256（16進64桁）。`printf %s TOKEN | sha256sum`で求める",
        "SHA-256 of the bearer token in 64 hex digits: `printf %s TOKEN | sha256sum`",
    ),
    key(
        "intake.http.lines_per_second",
        "10000",
        "10000",
        "毎秒の行数の上限。超えると429を返す",
        "Limit of lines per second; above it the answer is 429",
    ),
    key(
        "bus.nats",
        "\"nats://127.0.0.1:4222\"",
        "",
        "評価を分担するノードとつなぐNATS（JetStreamを有効にする）。複数はコンマで区切り、TLSは`tls://`。`[bus]`がなければNATSは使わない",
        "NATS with JetStream, over which other nodes evaluate; several with commas, `tls://` for TLS. Without `[bus]` there is none",
    ),
    key(
        "bus.credentials",
        "\"/etc/ume/nats.creds\"",
        "",
        "NATSの資格情報のファイル。nscの.creds、`利用者:パスワード`の1行、トークンの1行のいずれか",
        "File with credentials for NATS: a .creds of nsc, a line `user:password`, or a token",
    ),
    key(
        "bus.ca",
        "\"/etc/ume/nats-ca.pem\"",
        "of the machine",
        "NATSの証明書を署名したCA（PEM）",
        "CA of the certificate of NATS (PEM)",
    ),
    key(
        "bus.certificate",
        "\"/etc/ume/nats.pem\"",
        "",
        "NATSに示す証明書（PEM）。keyと組で書く",
        "Certificate shown to NATS (PEM), together with key",
    ),
    key("bus.key", "\"/etc/ume/nats.key\"", "", "その秘密鍵（PEM）", "Its key (PEM)"),
    key(
        "bus.name",
        "\"ume\"",
        "ume",
        "JetStream内の名前の先頭。一つのNATSを複数のUmeで使うときに変える",
        "What names in JetStream begin with; one for each Ume that uses the same NATS",
    ),
    key(
        "bus.replicas",
        "3",
        "1",
        "NATSクラスター内の複製の数（1から5）",
        "Replicas within a cluster of NATS, 1 to 5",
    ),
    key(
        "bus.partitions",
        "8",
        "8",
        "発生源で分ける区画の数（1から64）。主ノードの値が使われる",
        "Partitions, by source, 1 to 64; what the main node says counts",
    ),
    key(
        "bus.node",
        "\"eval-1\"",
        "name of the machine",
        "このノードの名前。ノードごとに変える",
        "Name of this node; each has its own",
    ),
    key(
        "bus.evaluate",
        "true",
        "true",
        "主ノードも評価を分担するか",
        "Whether the main node evaluates as well",
    ),
    key(
        "bus.house_key",
        "\"ume.example+6d4d5a24+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\"",
        "",
        "評価ノードが指標集の署名を確かめる鍵。主ノードの`/ledger`が示す検証鍵。なければ指標の照合は主ノードが行う",
        "Verifier key of the main node, as its page `/ledger` shows it: by it an evaluating node checks the signature of indicators; without it the main node holds events against them itself",
    ),
    key(
        "packages.pool_mib",
        "4096",
        "4096",
        "取得したパッケージを置く`configuration/pool`の大きさ（MiB）。超えると古いものから消す",
        "Size in MiB of `configuration/pool`, where packages stay that were fetched; the oldest make room",
    ),
    key("packages.archive.name", "\"debian\"", "", "アーカイブの名前", "Name of the archive"),
    key(
        "packages.archive.place",
        "\"https://deb.debian.org/debian\"",
        "",
        "署名されたDebianアーカイブのアドレスか、それを収めたフォルダー。ここの署名済みパッケージとホストのファイルを突き合わせる。どこにあっても、署名で確かめられたものだけを信用する",
        "Address of a signed Debian archive, or a folder that holds one. Files of hosts are held against its signed packages; wherever they lie, only what the signature bears out is believed",
    ),
    key(
        "packages.archive.suites",
        "[\"trixie\", \"trixie-updates\"]",
        "flat",
        "`dists`以下のスイート。書かなければ、`InRelease`とパッケージが並ぶ平らなアーカイブ",
        "Suites below `dists`; without them a flat archive, whose `InRelease` lies beside its packages",
    ),
    key(
        "packages.archive.keyrings",
        "[\"/usr/share/keyrings/debian-archive-keyring.gpg\"]",
        "",
        "このアーカイブで信用する鍵のファイル。サーバーのものであり、調べるホストのものではない",
        "Files of the keys that are believed for this archive: the server's, never those of the hosts looked at",
    ),
    key(
        "configuration.advisories.name",
        "\"debian\"",
        "",
        "勧告の情報源の名前。a-z、0-9、-、_で1から64文字",
        "Name of a source of advisories: 1 to 64 of a-z, 0-9, - and _",
    ),
    key(
        "configuration.advisories.from",
        "\"https://security-tracker.debian.org/tracker/data/json\"",
        "",
        "フォルダ（/から書く）か、https://で始まるURL。OSV（JSON、YAML、zip、tar）、RustSec、Debianのトラッカー、CSAF、Alpineのsecdb、JVNを読む。http://はこのマシン自身だけ",
        "A folder, written from / on, or an address that begins with https://. Read are OSV (JSON, YAML, zip, tar), RustSec, Debian's tracker, CSAF, Alpine's secdb and JVN; http:// is for this machine itself only",
    ),
    key(
        "configuration.advisories.every_min",
        "60",
        "60",
        "URLを確認する間隔（分、5から1440）。フォルダは5分ごと",
        "Minutes between two looks at an address, 5 to 1440; folders are looked at every five",
    ),
    key(
        "configuration.advisories.max_mib",
        "1024",
        "1024",
        "取り込む大きさの上限（MiB、1から4096）",
        "Limit of what is taken in MiB, 1 to 4096",
    ),
    key(
        "configuration.advisories.ca",
        "\"/etc/ume/mirror-ca.pem\"",
        "of the system",
        "URLの証明書を検証するCA（PEM）。書くとシステムのCAは使わない",
        "CA that the address's certificate is held against (PEM), instead of the system's",
    ),
    key(
        "configuration.ssh.to",
        "\"web1.example.jp\"",
        "",
        "エージェントを置かず、このサーバーがSSHで採取するホスト。sshにそのまま渡す（sshの設定の名前、user@host、アドレス）。ホスト鍵は既知であること、鍵は対話なしで使えること",
        "A host that this server collects over SSH, without an agent: what ssh is given, a name of its configuration, user@host or an address. Its host key must be known and ours usable without a question",
    ),
    key(
        "configuration.ssh.name",
        "\"web1\"",
        "the host in `to`",
        "台帳でのホスト名。なければ最初の採取で台帳に加える",
        "The host's name in the register, where it is entered if it is not there",
    ),
    key(
        "configuration.ssh.every_hours",
        "24",
        "24",
        "採取の間隔（時間、1から168）。つながらないときは30分後に再び試す",
        "Hours between two collections, 1 to 168; a host that did not answer is asked again after half an hour",
    ),
    key(
        "configuration.ssh.sudo",
        "true",
        "false",
        "`sudo -n`でrootとして読む。ホストのsudoersに`採取用アカウント ALL=(root) NOPASSWD: /bin/sh -s`が要る",
        "Read as root by `sudo -n`; the host's sudoers needs `ACCOUNT ALL=(root) NOPASSWD: /bin/sh -s`",
    ),
    key(
        "configuration.ssh.config",
        "\"/etc/ume/ssh_config\"",
        "of the user",
        "sshの設定ファイル（踏み台、鍵、既知のホスト）",
        "Configuration of ssh: jump hosts, keys, known hosts",
    ),
    key(
        "threat_intelligence.folders",
        "[\"/srv/feeds\"]",
        "[]",
        "脅威情報の入手先として読んでよいフォルダ（/から書く）。データフォルダの`indicators/incoming`はいつでも読める",
        "Folders that sources of intelligence may be read from, written from / on; `indicators/incoming` of the data folder always may",
    ),
    key(
        "threat_intelligence.warning_lists",
        "\"/srv/misp-warninglists/lists\"",
        "",
        "遮断してはならない値のリスト（MISPのlist.json形式）のフォルダか、1本のリストのURL。同梱のリストに加わる",
        "Lists of what is not to be blocked, in the form of MISP's list.json: a folder, or the address of one list. They join those that ship",
    ),
    key(
        "threat_intelligence.ca",
        "\"/etc/ume/feeds-ca.pem\"",
        "of the system",
        "入手先の証明書を検証するCA（PEM）。書くとシステムのCAは使わない",
        "CA that certificates of sources are held against (PEM), instead of the system's",
    ),
    key(
        "threat_intelligence.maildir",
        "\"/var/mail/intelligence\"",
        "",
        "新着メールを脅威情報の受信箱に入れるMaildir（/から書く）。取り込んだメールはnewからcurへ移す",
        "Maildir, written from / on, whose new mails become items of the inbox of intelligence; what was taken is moved from new to cur",
    ),
];

/// Tables of the file, and whether they may stand several times.
const TABLES: &[(&str, bool)] = &[
    ("", false),
    ("files", false),
    ("agent", false),
    ("watch", false),
    ("intake", false),
    ("intake.syslog_udp", true),
    ("intake.syslog_tcp", true),
    ("intake.syslog_tcp.tls", false),
    ("intake.relp", true),
    ("intake.relp.tls", false),
    ("intake.journal_upload", true),
    ("intake.journal_upload.tls", false),
    ("intake.otlp", true),
    ("intake.otlp.tls", false),
    ("intake.flow", true),
    ("intake.snmp_traps", true),
    ("intake.scrape", true),
    ("intake.snmp", true),
    ("intake.snmp.user", false),
    ("intake.snmp.values", true),
    ("intake.postgres", true),
    ("intake.files", true),
    ("intake.http", true),
    ("bus", false),
    ("packages", false),
    ("packages.archive", true),
    ("configuration", false),
    ("configuration.advisories", true),
    ("configuration.ssh", true),
    ("threat_intelligence", false),
];

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn header(table: &str, many: bool) -> String {
    match (table, many) {
        ("", _) => String::new(),
        (_, true) => format!("\n[[{table}]]\n"),
        (_, false) => format!("\n[{table}]\n"),
    }
}

fn example() -> String {
    let mut out = String::new();
    for (table, many) in TABLES {
        out.push_str(&header(table, *many));
        for key in KEYS.iter().filter(|k| split(k.path).0 == *table) {
            out.push_str(&format!("{} = {}\n", split(key.path).1, key.example));
        }
    }
    out
}

fn reference() -> String {
    let mut out = String::from(
        "# ume.toml\n\n\
         <!-- Made from ume/src/config_reference.rs by `UME_BLESS=1 cargo test -p ume reference`. -->\n\n\
         `ume serve --config FILE`、指定がなければデータフォルダの`ume.toml`を読みます。知らないキーや型の違いがあれば、場所と近いキーを示して起動しません。コマンドラインの指定が優先されます。\n\n\
         Read from `--config FILE`, else `ume.toml` in the data folder if there is one. An unknown key or a wrong type is shown with its place and the nearest valid key, and Ume does not start. The command line wins.\n\n\
         | key | default | 意味 | meaning |\n|---|---|---|---|\n",
    );
    for key in KEYS {
        let default = if key.default.is_empty() { "–" } else { key.default };
        let (ja, en) = (key.ja.replace('|', "\\|"), key.en.replace('|', "\\|"));
        out.push_str(&format!("| `{}` | {default} | {ja} | {en} |\n", key.path));
    }
    let example = example();
    out.push_str(&format!("\nすべてのキーの例 / every key once:\n\n```toml\n{example}```\n"));
    out
}

/// Compares with a checked-in file; `UME_BLESS=1` rewrites it.
pub(crate) fn same_as_file(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs").join(name);
    if std::env::var_os("UME_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/{name} is not what the code says: UME_BLESS=1 rewrites it");
}

#[test]
fn the_reference_is_the_checked_in_one_and_its_example_is_read() {
    same_as_file("configuration.md", &reference());
    // The two listeners of the example share a port number on purpose: UDP and TCP differ.
    let config = parse("ume.toml", &example()).unwrap();
    assert_eq!(config.intake.http.len(), 1);
    assert_eq!(config.listen.unwrap().to_string(), LISTEN);
}

#[test]
fn the_reference_names_every_key_of_every_table_and_no_other() {
    for (table, many) in TABLES {
        // A table within one that may stand several times belongs to the last of these.
        let outer = TABLES.iter().find(|(outer, many)| *many && *outer == split(table).0);
        let outer = outer.map(|(outer, many)| header(outer, *many)).unwrap_or_default();
        let text = format!("{outer}{}zzzzzzzzzz = 1\n", header(table, *many));
        let wrong = parse("x", &text).unwrap_err();
        let valid: BTreeSet<&str> = names(&wrong.what)[1..].iter().copied().collect();
        let mut listed: BTreeSet<&str> =
            KEYS.iter().filter(|k| split(k.path).0 == *table).map(|k| split(k.path).1).collect();
        let inner = TABLES.iter().filter(|(t, _)| !t.is_empty() && split(t).0 == *table);
        listed.extend(inner.map(|(t, _)| split(t).1));
        assert_eq!(valid, listed, "{table}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_one() {
    let text =
        "log = \"info\"\n\n[[intake.syslog_udp]]\nlisten = \"127.0.0.1:514\"\nsorce = \"a\"\n";
    let wrong = parse("etc/ume.toml", text).unwrap_err();
    assert_eq!(wrong.place, "etc/ume.toml:5:1");
    assert_eq!(wrong.help.as_deref(), Some("did you mean `source`?"));
    let far = parse("x", "colour = 1\n").unwrap_err();
    assert!(far.help.unwrap().contains("listen"));
}

#[test]
fn a_wrong_type_and_a_bad_value_are_named_with_their_place() {
    for (text, place, words) in [
        ("log = \"info\"\nlisten = 5\n", "f:2:10", "invalid type"),
        ("listen = \"nowhere\"\n", "f:1:10", "address"),
        ("log = \"loud\"\n", "f:1:7", "a level is"),
        ("database = \"mysql://x\"\n", "f:1:12", "postgres://"),
        ("[intake]\njournal = \"yes\"\n", "f:2:11", "invalid type"),
        (
            "[intake]\n[[intake.http]]\nsource = \"A b\"\ntoken_sha256 = \"\"\n",
            "f:3:10",
            "a source",
        ),
        ("[[intake.http]]\nsource = \"a\"\ntoken_sha256 = \"ab\"\n", "f:3:16", "sha256sum"),
        ("[intake]\nspool_mib = 1\n", "f:2:13", "the spool has"),
        ("[files]\nmax_mib = 0\n", "f:2:11", "a file has"),
        ("listen = \n", "f:1:10", ""),
    ] {
        let wrong = parse("f", text).unwrap_err();
        assert_eq!(wrong.place, place, "{text}: {wrong}");
        assert!(wrong.what.contains(words), "{text}: {wrong}");
    }
}

#[test]
fn keys_that_do_not_go_together_are_refused() {
    for (keys, words) in [
        ("[intake.relp.tls]\ncertificate = \"/a\"\n", "stand together"),
        ("[intake.relp.tls]\nclients = [\"a\"]\n", "client_ca too"),
        ("[[intake.journal_upload]]\nsource = \"j\"\n", "nobody is asked"),
        ("[[intake.journal_upload]]\nsource = \"j\"\nallow = [\"x\"]\n", "no network"),
        ("[[intake.otlp]]\nsource = \"o\"\n", "nobody is asked"),
        ("[[intake.otlp]]\nsource = \"o\"\nallow = [\"::1\"]\nlisten = []\n", "1 to 16"),
        ("[[intake.flow]]\nsource = \"f\"\nallow = [\"1.2.3.4/40\"]\n", "no network"),
        ("[[intake.scrape]]\nsource = \"s\"\nkeep = []\nurl = \"http://a\"\n", "1 to 1000"),
        (
            "[[intake.scrape]]\nsource = \"s\"\nkeep = [\"a\"]\nurl = \"http://a:b@c\"\n",
            "no password",
        ),
        ("[[intake.snmp]]\nsource = \"d\"\ntargets = [\"a\"]\n", "version = \"2c\""),
        ("[[intake.snmp]]\nsource = \"d\"\ntargets = [\"a b\"]\n", "1 to 1000 names"),
        (
            "[[intake.snmp]]\nsource = \"d\"\ntargets = [\"a\"]\nprofiles = [\"x\"]\n[intake.snmp.user]\nname = \"u\"\nwithout_authentication = true\n",
            "interfaces",
        ),
        (
            "[[intake.snmp]]\nsource = \"d\"\ntargets = [\"a\"]\n[intake.snmp.user]\nname = \"u\"\n",
            "noAuthNoPriv",
        ),
        (
            "[[intake.snmp]]\nsource = \"d\"\ntargets = [\"a\"]\n[intake.snmp.user]\nname = \"u\"\nauth = \"sha1\"\n",
            "stand together",
        ),
        ("[[intake.postgres]]\nsource = \"p\"\nurl = \"postgres://u:w@h/d\"\n", "password_file"),
        ("[[intake.postgres]]\nsource = \"p\"\nurl = \"mysql://h/d\"\n", "postgres://"),
    ] {
        let text = format!("[[intake.relp]]\nlisten = \"127.0.0.1:1\"\nsource = \"r\"\n{keys}");
        let wrong = parse("f", &text).unwrap_err();
        assert!(wrong.what.contains(words), "{keys}: {wrong}");
    }
    let house = "[[intake.syslog_tcp]]\nlisten = \"127.0.0.1:1\"\nsource = \"r\"\n\
                 [intake.syslog_tcp.tls]\nclient_ca = \"house\"\n";
    let config = parse("f", house).unwrap();
    let tls = config.intake.syslog_tcp[0].tls.as_ref().unwrap();
    assert_eq!((&tls.client_ca, &tls.files), (&Some(ClientCa::House), &None));
}

#[test]
fn a_source_stands_once() {
    let text = "[[intake.syslog_udp]]\nlisten = \"127.0.0.1:1\"\nsource = \"a\"\n\
                [[intake.syslog_tcp]]\nlisten = \"127.0.0.1:1\"\nsource = \"a\"\n";
    let wrong = parse("f", text).unwrap_err();
    assert_eq!(wrong.place, "f:6:10");
}

#[test]
fn the_password_of_a_database_is_never_shown() {
    let text = "database = \"postgres://ume:geheim@h/d\"\nlisten = 5\n";
    let shown = format!("{:?}", miette::Report::new(*parse("f", text).unwrap_err()));
    assert!(shown.contains("listen") && !shown.contains("geheim"), "{shown}");
}
