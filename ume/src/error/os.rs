//! What the operating system says, in Japanese: the one place. Kinds that a person can do something
//! about have words of their own; of what is left the system's own text stands as it is.

use std::io::{Error, ErrorKind};

/// What went wrong, as it stands behind the thing it went wrong with.
pub(super) fn ja(error: &Error) -> String {
    let text = match error.kind() {
        ErrorKind::NotFound => "見つかりません",
        ErrorKind::PermissionDenied => "権限がありません",
        ErrorKind::AlreadyExists => "すでにあります",
        ErrorKind::IsADirectory => "ファイルではなくフォルダーです",
        ErrorKind::NotADirectory => "フォルダーではありません",
        ErrorKind::DirectoryNotEmpty => "フォルダーが空ではありません",
        ErrorKind::StorageFull => "空き容量がありません",
        ErrorKind::QuotaExceeded => "使える容量の上限に達しました",
        ErrorKind::FileTooLarge => "ファイルが大きすぎます",
        ErrorKind::ReadOnlyFilesystem => "書き込めない場所です",
        ErrorKind::InvalidFilename => "ファイル名が正しくないか、長すぎます",
        ErrorKind::UnexpectedEof => "途中で終わっています",
        ErrorKind::TimedOut => "時間切れです",
        ErrorKind::AddrInUse => "このアドレスはほかで使われています",
        ErrorKind::AddrNotAvailable => "このアドレスはこのマシンにありません",
        ErrorKind::ConnectionRefused => "接続を断られました",
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "接続が切れました",
        _ => return error.to_string(),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors as this system makes them, not as we would.
    #[test]
    fn the_systems_own_refusals_read_in_japanese() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("written");
        let held = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = held.local_addr().expect("address");
        let refused = [
            std::fs::read(folder.path().join("nothing")).err(),
            std::fs::read(folder.path()).err(),
            std::fs::read(file.join("below")).err(),
            std::fs::File::create_new(&file).err(),
            std::fs::remove_dir(folder.path()).err(),
            std::fs::write(folder.path().join("n".repeat(300)), "x").err(),
            std::net::TcpListener::bind(address).err(),
            // No such file can be made full or forbidden as root: by their numbers.
            Some(Error::from_raw_os_error(28)),
            Some(Error::from_raw_os_error(13)),
            Some(Error::from_raw_os_error(30)),
        ];
        for error in refused {
            let error = error.expect("refused");
            let text = ja(&error);
            assert!(!text.is_ascii() && !text.contains("os error"), "{error}: {text}");
        }
        assert!(ja(&Error::other("said elsewhere")).contains("said elsewhere"));
    }
}
