//! The same in Japanese. Each match is without a catch-all where the type is of this crate, so that a
//! new error cannot come without its Japanese text; what another crate says stands behind a sentence
//! that says what failed.

use std::{io::ErrorKind, path::Path};

use edge::EdgeError;
use ledger::LedgerError;
use store::StoreError;

use super::{CliError, os};
use crate::{backup::BackupError, demo::DemoError};

impl CliError {
    /// What to tell a Japanese reader.
    pub fn ja(&self) -> String {
        match self {
            CliError::NoData(folder) => {
                let folder = folder.display();
                format!(
                    "{folder}: Umeのデータがありません。ume serve --data {folder} で始めるか、--dataで別のフォルダーを指定してください"
                )
            }
            CliError::InUse(folder) => format!(
                "{}: 実行中のサーバーが使っています。先に停止するか、画面から操作してください",
                folder.display()
            ),
            CliError::LedgerHeld => "このデータベースの証跡には別のサーバーが書き込んでいます。先に停止してください（証跡はデータベースごとに一つです）".to_owned(),
            CliError::Listen(address, error) => {
                let error = os::ja(error);
                format!("{address}で待ち受けられません: {error}。--listenで別のアドレスを指定してください")
            }
            CliError::Syslog(error) => {
                let error = stream(error);
                format!("イベントを受信できません: {error}。ume.tomlで別のアドレスを指定してください")
            }
            CliError::NoHouseCa => "エージェントにはハウスCAがありません。ume.tomlでcertificateとkeyを指定し、client_caにはファイルを指定してください".to_owned(),
            CliError::NoBus => "ume.tomlに[bus]がありません。評価ノードには少なくともnats = \"nats://ホスト:4222\"が必要です（主ノードと同じもの）".to_owned(),
            CliError::Io { path, source } => io(path, source),
            CliError::ForeignData { file, data } => format!(
                "{}: dataに{}とありますが、このファイルは別のデータフォルダーにあります",
                file.display(),
                data.display()
            ),
            CliError::Bundle(error) => error.ja(),
            CliError::Past(error) => error.text(|at| at.rfc3339(), model::Lang::Ja),
            CliError::Verdict(error) => error.ja(),
            CliError::SetUp => "アカウントは既にあります。初回設定は済んでいます".to_owned(),
            CliError::Password(why) => format!(
                "このパスワードは使えません（{why:?}）。12文字以上で、よく知られたものや名前を含むものは避けてください"
            ),
            CliError::Random => "OSから乱数を取得できません".to_owned(),
            CliError::NoJob(name) => {
                format!("{name:?}というジョブはありません。ume work list で名前を確認できます")
            }
            CliError::Slow(name, seconds) => {
                format!("{name}は{seconds}秒たっても終わっていません。結果は ume work list で確認できます")
            }
            CliError::Gone(name) => format!(
                "{name}が終わる前にサーバーが停止しました。起動するか、サーバーなしでもう一度実行してください"
            ),
            CliError::Job(name, error) => format!("{name}が失敗しました: {error}"),
            CliError::Worker(error) => format!("処理が途中で終わりました: {error}"),
            CliError::Held(folder) => format!(
                "{}: 別のコマンド、またはソケットに応答しないサーバーが使っています。終わるのを待つか、停止してください",
                folder.display()
            ),
            CliError::LongPath(path, bytes) => format!(
                "{}: ソケットのパスが{bytes}バイトで、上限の107バイトを超えています。短いパスのデータフォルダー（シンボリックリンクでも可）を指定するか、サーバーを停止するか、--serverを使ってください",
                path.display()
            ),
            CliError::NoSocket(path) => format!(
                "{}: Umeのソケットではないファイルがあります。別の場所へ移してください",
                path.display()
            ),
            CliError::Stopped => {
                "中断しました。途中までの作業は取り消しました。次回は元の状態から実行できます".to_owned()
            }
            // Made in the reader's language.
            CliError::Usage(text) | CliError::Refused(text) => text.clone(),
            CliError::Answer(what) => {
                format!("サーバーの応答がUmeのものではありません（{what}）。--serverを確認してください")
            }
            CliError::Server(base, error) => format!(
                "{base}: {error}。サーバーが起動しているか、アドレスが正しいか確認してください"
            ),
            CliError::Role(role) => {
                format!("{role}という役割はありません。役割: {}", web::access::ROLES.join(", "))
            }
            CliError::Oidc(error) => format!("OpenID Connectの設定に誤りがあります: {error}"),
            CliError::NoRecord(id) => format!("記録{id}はありません"),
            CliError::NotCosigned => "証人が連署したチェックポイントはまだありません。ume ledger witness list で理由を確認できます".to_owned(),
            CliError::NoStamp(name) => format!(
                "{name}のタイムスタンプはまだありません。ume ledger tsa list で状態を確認できます"
            ),
            CliError::NoOrigin => {
                "ここにはまだ証跡がありません。サーバーを一度起動してください".to_owned()
            }
            CliError::Outside(error) => {
                format!("証人・タイムスタンプ局の設定を読み取れません: {error}")
            }
            CliError::Pending(id) => format!(
                "記録{id}の証明はまだありません。チェックポイントに含まれるまで1秒ほど待ってください"
            ),
            CliError::SigningKey(path) => format!(
                "{}: 32バイトの署名鍵ではありません。ume merkle note key で作れます",
                path.display()
            ),
            CliError::OscalExport(isms::oscal::ExportError::Store(error))
            | CliError::OscalImport(isms::oscal::ImportError::Store(error))
            | CliError::Migrate(isms::hall::migrate::MigrateError::Store(error)) => store(error),
            CliError::Migrate(error) => error.text(model::Lang::Ja),
            CliError::OscalExport(error) => error.text(model::Lang::Ja),
            CliError::OscalImport(error) => error.text(model::Lang::Ja),
            CliError::Note(error) => format!("署名付きノートを扱えません: {error}"),
            CliError::Proof(error) => format!("証明を作れません: {error}"),
            CliError::Config(error) => format!("設定ファイルに誤りがあります: {error}"),
            CliError::Edge(EdgeError::Io { path, source }) => io(path, source),
            CliError::Edge(error) => format!("エージェントの処理に失敗しました: {error}"),
            CliError::Demo(error) => demo(error),
            CliError::Backup(error) => backup(error),
            CliError::Store(error) => store(error),
            CliError::Ledger(error) => ledger(error),
            CliError::Norms(error) => format!("規格の内容を読み込めません: {error}"),
            CliError::Stream(error) => format!("イベントの保存に失敗しました: {}", stream(error)),
            CliError::Room(error) => room(error),
        }
    }
}

const FULL: &str = "。ディスクがいっぱいです。空きを作ってから、もう一度実行してください。途中まで書かれたものはありません";

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FULL,
        ErrorKind::ReadOnlyFilesystem => {
            "。読み取り専用です。書き込めるようにするか、--dataで別のフォルダーを指定してください"
        }
        ErrorKind::PermissionDenied => {
            "。このユーザーには権限がありません。所有者を変えるか、--dataで別のフォルダーを指定してください"
        }
        _ => "",
    }
}

/// A file or folder, what the system said of it, and what to do.
fn io(path: &Path, source: &std::io::Error) -> String {
    format!("{}: {}{}", path.display(), os::ja(source), hint(source))
}

fn stream(error: &stream::Error) -> String {
    match error {
        stream::Error::Io { path, source, .. } => io(path, source),
        error => error.to_string(),
    }
}

fn room(error: &room::Error) -> String {
    match error {
        room::Error::Io { path, source } => io(path, source),
        room::Error::Store(error) => store(error),
        room::Error::Ledger(error) => ledger(error),
        room::Error::Stream(error) => stream(error),
        error => format!("処理に失敗しました: {error}"),
    }
}

fn store(error: &StoreError) -> String {
    match error {
        StoreError::Io { path, source } => return io(path, source),
        StoreError::Copy { path, source } => {
            return format!(
                "{}。移行の前に残す写しを作れなかったため、何も移行していません",
                io(path, source)
            );
        }
        _ => {}
    }
    if error.is_full() {
        return format!("データベースに書き込めません: {error}{FULL}");
    }
    if error.is_away() {
        return format!(
            "データベースが応答しません: {error}。起動するか、アドレスを確認してください"
        );
    }
    match error {
        StoreError::Newer { found, known } => format!(
            "データは新しい版のUmeで書かれています（スキーマ{found}、この版は{known}まで）。その版を起動するか、この版のバックアップを復元してください"
        ),
        StoreError::Older { missing } => format!(
            "データは古い版のUmeで書かれています（未適用の移行 {missing:?}）。ume serve を一度起動するか、書き込むコマンドを一度実行してください"
        ),
        StoreError::Conflict { saw, current, .. } => format!(
            "別の人が先に変更しました（見ていた版{saw}、最新の版{current}）。何も上書きしていません"
        ),
        StoreError::Absent { table, id } => format!("{table} {id}はありません"),
        StoreError::LastOfficer => {
            "有効な責任者アカウントがほかにありません。先に別の人を責任者にしてください".to_owned()
        }
        StoreError::Address => {
            "データベースのアドレスは sqlite:パス または postgres://… と書いてください".to_owned()
        }
        StoreError::NotEmpty(table) => {
            format!("移す先に既に行があります（表{table}）。空のデータベースを指定してください")
        }
        StoreError::Differs(table) => {
            format!("表{table}の内容が移す前後で一致しません。何も移していません")
        }
        StoreError::Migrations => {
            "二つのデータベースのスキーマが異なります。古い方をこの版のUmeで一度起動してください"
                .to_owned()
        }
        error => format!("データベースの処理に失敗しました: {error}"),
    }
}

fn ledger(error: &LedgerError) -> String {
    match error {
        LedgerError::Io { path, source } => io(path, source),
        LedgerError::Store(error) => store(error),
        LedgerError::Damaged { path, offset, index, size } => format!(
            "{}: {offset}バイト目（証跡{index}）が壊れています（最後のチェックポイントは{size}件）。フォルダーはそのまま残し、ume ledger verify で確認してから、ume restore で新しいフォルダーに復元してください",
            path.display()
        ),
        LedgerError::InUse(path) => {
            format!("{}: 別のプロセスが使っています。先に停止してください", path.display())
        }
        LedgerError::Missing(path) => {
            format!("{}がありません。バックアップから復元してください", path.display())
        }
        LedgerError::Behind { log, store } => format!(
            "証跡は{log}件ですが、データベースには{store}件とあります。証跡をバックアップから復元してください"
        ),
        LedgerError::Fork(fork) => format!(
            "{}にある葉{}個のチェックポイントは、この証跡（{}個）の過去ではありません（古いバックアップを復元しませんでしたか）。最新のバックアップから復元するか、公開済みの末尾を ume ledger accept-fork で放棄してください",
            fork.place.display(),
            fork.published,
            fork.log
        ),
        LedgerError::WitnessKey(path) => format!(
            "{}がありませんが、連署した記憶は残っています。鍵を戻すか、フォルダーごと退避して新しい検証鍵を相手に知らせてください",
            path.display()
        ),
        LedgerError::Stamp(error) => format!("タイムスタンプを検証できません: {error}"),
        LedgerError::NoDecision => "決定が指定されていません".to_owned(),
        LedgerError::NotNamed(what) => format!("決定に{what}が書かれていません"),
        LedgerError::Decision { id, kind, .. } => format!(
            "決定{id}は使えません。承認済みで期限内の、種類が{kind}の決定を指定してください"
        ),
        error => format!("証跡の処理に失敗しました: {error}"),
    }
}

fn backup(error: &BackupError) -> String {
    match error {
        BackupError::Exists(path) => format!(
            "{}は既にあります。古いバックアップは上書きしません。新しい名前を指定してください",
            path.display()
        ),
        BackupError::NoLedger(folder) => {
            format!(
                "{}にはまだ証跡がありません。ume serve を一度起動してください",
                folder.display()
            )
        }
        BackupError::Running(folder) => {
            format!("{}の別のバックアップが実行中です", folder.display())
        }
        BackupError::Passphrase(path) => {
            format!("{}: パスフレーズは1行目に12文字以上で書いてください", path.display())
        }
        BackupError::NoShelf(path, count) => format!(
            "{}のファイル{count}個は別のフォルダーにあります。--filesでそのフォルダーを指定してください",
            path.display()
        ),
        BackupError::ShelfBusy(folder) => format!(
            "{}は別のバックアップかume pruneが使っています。終わるまで待ってください",
            folder.display()
        ),
        BackupError::Many => "ファイルが1,000,000個を超えています".to_owned(),
        BackupError::Unrecorded(path, error) => format!(
            "バックアップ{}は完成しましたが、記録を残せませんでした: {error}",
            path.display()
        ),
        BackupError::NotEmpty(folder) => {
            format!(
                "{}は空ではありません。新しいフォルダーか空のフォルダーに復元してください",
                folder.display()
            )
        }
        BackupError::WrongPassphrase(path) => format!(
            "{}: パスフレーズが違うか、先頭200バイトが壊れています。何も復元していません",
            path.display()
        ),
        BackupError::NoEpoch(path) => format!(
            "{}はume backupが書いたエポック鍵ではありません。何も復元していません",
            path.display()
        ),
        BackupError::Damaged { path, byte, what } => format!(
            "{}は{byte}バイト目かその手前で壊れているか、途中で切れているか、Umeのバックアップではありません: {what}。何も復元していません",
            path.display()
        ),
    }
}

fn demo(error: &DemoError) -> String {
    match error {
        DemoError::RealData(folder) => format!(
            "{}には実データがあります。--dataで空のフォルダーか新しいフォルダーを指定してください",
            folder.display()
        ),
        DemoError::NotEmpty(folder) => format!(
            "{}は空ではなく、Umeのデータもありません。--dataで空のフォルダーか新しいフォルダーを指定してください",
            folder.display()
        ),
        DemoError::CutOff(folder) => format!(
            "{}には途中で終わったデモがあります。フォルダーを消してからもう一度実行してください",
            folder.display()
        ),
        DemoError::Future(day) => {
            format!("--until {day}は未来の日付です。今日かそれより前の日を指定してください")
        }
        DemoError::Company(what) => format!("デモの会社のファイルに誤りがあります: {what}"),
        DemoError::HandIn(error) => format!("デモの証拠が受け付けられませんでした: {error}"),
        DemoError::Ruling(error) => format!("デモの決定が受け付けられませんでした: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_name_the_same_thing_and_what_to_do() {
        let folder = std::path::PathBuf::from("/srv/ume");
        let all: Vec<CliError> = vec![
            CliError::NoData(folder.clone()),
            CliError::Held(folder.clone()),
            CliError::LongPath(folder.clone(), 120),
            CliError::NoSocket(folder.clone()),
            CliError::Io { path: folder.clone(), source: ErrorKind::PermissionDenied.into() },
            BackupError::Exists(folder.clone()).into(),
            BackupError::NoShelf(folder.clone(), 3).into(),
            BackupError::ShelfBusy(folder.clone()).into(),
            BackupError::Damaged { path: folder.clone(), byte: 9, what: "x".into() }.into(),
            DemoError::CutOff(folder.clone()).into(),
            LedgerError::InUse(folder.clone()).into(),
        ];
        for error in all {
            let (ja, en) = (error.ja(), error.to_string());
            assert!(ja.contains("/srv/ume") && en.contains("/srv/ume"), "{ja} {en}");
            assert!(ja.chars().any(|c| ('ぁ'..='ん').contains(&c)), "{ja}");
            assert!(!en.chars().any(|c| ('ぁ'..='ん').contains(&c)), "{en}");
        }
        let older = CliError::from(StoreError::Older { missing: vec![13, 14] });
        assert!(older.ja().contains("[13, 14]") && older.to_string().contains("[13, 14]"));
    }
}
