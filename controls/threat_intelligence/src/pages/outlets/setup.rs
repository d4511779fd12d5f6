//! How other programs are set up to fetch a list: ready to paste. The token stands in none of it.

use model::t;
use web::frame::Cx;

use super::path;
use crate::work::outlets::Outlet;

/// One piece to paste, and where.
pub(super) struct Step {
    pub title: String,
    pub text: String,
}

/// What is to be done for the form of an outlet, behind the address by which others reach this server.
pub(super) fn steps(cx: &Cx, outlet: &Outlet, base: &str) -> Vec<Step> {
    let step =
        |ja: &str, en: &str, text: String| Step { title: cx.either(ja, en).to_owned(), text };
    let url = |part: &str| format!("{base}{}", path(outlet, part));
    let host = base.split("://").nth(1).unwrap_or(base);
    let host = host.split([':', '/']).next().unwrap_or(host);
    let secret = step(
        "鍵を置く（/etc/ume/outlet.netrc、所有者だけが読める設定にする）",
        "Put the token away (/etc/ume/outlet.netrc, readable by its owner alone)",
        format!("machine {host}\nlogin ume\npassword {}", cx.pick(&t("ここに鍵", "TOKEN"))),
    );
    let curl = |file: &str, part: &str| {
        format!(
            "curl -fsS --netrc-file /etc/ume/outlet.netrc --compressed \\\n  --etag-save {file}.etag --etag-compare {file}.etag \\\n  -o {file}.new '{}' && \\\n  {{ [ ! -s {file}.new ] || mv {file}.new {file}; }}",
            url(part)
        )
    };
    match outlet.form.as_str() {
        "rpz" => {
            let zone = &outlet.zone;
            vec![
                secret,
                step(
                    "named.confに加える",
                    "Add to named.conf",
                    format!(
                        "options {{\n  response-policy {{ zone \"{zone}\"; }};\n}};\nzone \"{zone}\" {{\n  type primary;\n  file \"/var/lib/bind/{zone}.zone\";\n  allow-query {{ none; }};\n}};"
                    ),
                ),
                step(
                    "5分ごとに取得する（cron）",
                    "Fetch every five minutes (cron)",
                    format!(
                        "{} && \\\n  named-checkzone -q {zone} /var/lib/bind/{zone}.zone && rndc reload {zone}",
                        curl(&format!("/var/lib/bind/{zone}.zone"), "")
                    ),
                ),
            ]
        }
        "squid" => vec![
            secret,
            step(
                "squid.confに加える（http_access allowより前）",
                "Add to squid.conf, before http_access allow",
                "acl ume_hosts dstdomain -n \"/etc/squid/ume.domains\"\nacl ume_urls url_regex \"/etc/squid/ume.urls\"\nacl ume_nets dst -n \"/etc/squid/ume.networks\"\nhttp_access deny ume_hosts\nhttp_access deny ume_urls\nhttp_access deny ume_nets".to_owned(),
            ),
            step(
                "5分ごとに取得する（cron）",
                "Fetch every five minutes (cron)",
                format!(
                    "{}\n{}\n{}\nsquid -k parse 2>/dev/null && squid -k reconfigure",
                    curl("/etc/squid/ume.domains", ""),
                    curl("/etc/squid/ume.urls", "urls"),
                    curl("/etc/squid/ume.networks", "networks")
                ),
            ),
            step(
                "知っておくこと",
                "Worth knowing",
                cx.t(
                    "HTTPSではSquidに見えるのはホストだけです。URLの規則は、ssl_bumpで復号する通信とHTTPに効きます。",
                    "Of HTTPS Squid sees the host only: rules over URLs work on HTTP and on what ssl_bump opens.",
                )
                .to_owned(),
            ),
        ],
        "hsb" => vec![
            secret,
            step(
                "1時間ごとに取得する（cron。clamdは自動で読み直す）",
                "Fetch every hour (cron; clamd reads it by itself)",
                curl("/var/lib/clamav/ume.hsb", ""),
            ),
            step(
                "確かめる",
                "Check it",
                "clamscan --database=/var/lib/clamav/ume.hsb FILE".to_owned(),
            ),
        ],
        "list" | "csv" => vec![
            secret,
            step(
                "取得する（cron）",
                "Fetch it (cron)",
                curl(&format!("/var/lib/ume-edge/{}", outlet.form), ""),
            ),
            step(
                "FortiGate（脅威フィード。種類はtypeで選ぶ）",
                "FortiGate (threat feed; choose the type)",
                format!(
                    "config system external-resource\n  edit \"ume\"\n    set type domain\n    set resource \"{}\"\n    set username \"ume\"\n    set password {}\n    set refresh-rate 5\n  next\nend",
                    url(""),
                    cx.pick(&t("ここに鍵", "TOKEN"))
                ),
            ),
            step(
                "ヤマハルーター（取得した一覧をLuaスクリプトでDNSの拒否設定にする。設定の例）",
                "YAMAHA router (a Lua script makes its DNS refuse the names of the fetched list; an example of what it sets)",
                "dns server select 1 reject any evil.example\ndns server select 2 reject any *.evil.example"
                    .to_owned(),
            ),
        ],
        _ => Vec::new(),
    }
}
