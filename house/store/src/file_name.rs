//! What a file is called and what it is: names that others chose are cleaned, types are read from
//! the bytes, and nothing that a sender claims about either is believed.

/// Longest name that is kept, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 200;
/// How many bytes of a file its type is read from.
pub(crate) const HEAD_BYTES: usize = 8 * 1024;

const OCTETS: &str = "application/octet-stream";
const OOXML: &str = "application/vnd.openxmlformats-officedocument.";
/// Names that Windows gives to devices.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// The last part of a path without anything that misleads the eye or a file system: no control,
/// formatting or direction characters, no separators, no names of devices.
pub fn clean_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or("");
    let plain: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .map(|c| if "<>:\"|?*".contains(c) { '_' } else { c })
        .collect();
    let plain = plain.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let stem = plain.split('.').next().unwrap_or("").to_ascii_lowercase();
    let device = DEVICES.contains(&stem.trim_end_matches(|c: char| c.is_ascii_digit()));
    let name = if device { format!("_{plain}") } else { plain.to_owned() };
    if name.is_empty() { "file".to_owned() } else { shorten(&name) }
}

/// Characters that show nothing themselves, but change what is seen: direction marks and overrides,
/// zero-width ones, line and paragraph separators, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Cuts the middle out, so that the ending stays.
fn shorten(name: &str) -> String {
    if name.len() <= FILE_NAME_BYTES_MAX {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map_or("", |(_, e)| if e.len() <= 16 { e } else { "" });
    let room = FILE_NAME_BYTES_MAX - ending.len() - 4;
    let stem = &name[..name.floor_char_boundary(room)];
    if ending.is_empty() { format!("{stem}…") } else { format!("{stem}….{ending}") }
}

/// The media type, from the first bytes alone. Whatever a browser would run is plain text or octets.
pub(crate) fn sniff(head: &[u8]) -> &'static str {
    let magic: [(&[u8], &str); 8] = [
        (b"%PDF-", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
        (b"\x1f\x8b", "application/gzip"),
        (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    ];
    if let Some((_, ty)) = magic.iter().find(|(start, _)| head.starts_with(start)) {
        return ty;
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return office(head);
    }
    if is_text(head) { "text/plain" } else { OCTETS }
}

fn office(head: &[u8]) -> &'static str {
    let holds = |word: &[u8]| head.windows(word.len()).any(|w| w == word);
    match () {
        () if !holds(b"[Content_Types].xml") && !holds(b"_rels/") => "application/zip",
        () if holds(b"xl/") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        () if holds(b"word/") => {
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        }
        () if holds(b"ppt/") => {
            "application/vnd.openxmlformats-officedocument.presentationml.presentation"
        }
        () => "application/zip",
    }
}

/// UTF-8 or CP932 text; a character may be cut off at the end of the head.
fn is_text(head: &[u8]) -> bool {
    let control = |b: &u8| *b < 0x20 && !b"\t\n\r\x0c\x1b".contains(b) || *b == 0x7f;
    if head.iter().any(control) {
        return false;
    }
    let utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none() && head.len() == HEAD_BYTES,
    };
    // Half of the bytes above ASCII may be anything in CP932; a share of ASCII tells it from noise.
    utf8 || head.iter().filter(|b| b.is_ascii()).count() * 5 >= head.len()
}

/// The type that the ending of a name promises, where the bytes must show it.
fn promised(name: &str) -> Option<&'static [&'static str]> {
    let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match ending.as_str() {
        "pdf" => &["application/pdf"],
        "png" => &["image/png"],
        "jpg" | "jpeg" => &["image/jpeg"],
        "gif" => &["image/gif"],
        "xlsx" | "xlsm" | "docx" | "docm" | "pptx" => &[OOXML, "application/zip"],
        "zip" => &["application/zip", OOXML],
        "xls" | "doc" | "ppt" | "msg" => &["application/x-ole-storage"],
        "gz" | "tgz" => &["application/gzip"],
        "7z" => &["application/x-7z-compressed"],
        "txt" | "csv" | "log" | "md" | "json" | "eml" => &["text/plain"],
        _ => return None,
    })
}

/// Whether the bytes are what the name says, as far as it says something. An encrypted Office file
/// is an OLE container whatever its ending.
pub(crate) fn fits(name: &str, media_type: &str, bytes: u64) -> bool {
    let Some(promised) = promised(name) else { return true };
    let encrypted_office = promised.contains(&OOXML) && media_type == "application/x-ole-storage";
    let utf16 = promised == ["text/plain"] && media_type == OCTETS;
    bytes == 0 || encrypted_office || utf16 || promised.iter().any(|p| media_type.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_its_last_part_without_what_misleads() {
        for (given, clean) in [
            ("点検記録 2026.pdf", "点検記録 2026.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\梅\\図面.png", "図面.png"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
            ("\0", "file"),
            ("", "file"),
            ("...", "file"),
            ("..", "file"),
            ("CON.txt", "_CON.txt"),
            ("com1", "_com1"),
            ("a\u{200b}b\u{feff}.csv", "ab.csv"),
            ("report<1>|\"x\".csv ", "report_1___x_.csv"),
        ] {
            assert_eq!(clean_name(given), clean, "{given:?}");
        }
        let long = clean_name(&format!("{}.pdf", "あ".repeat(300)));
        assert!(long.len() <= FILE_NAME_BYTES_MAX && long.ends_with("….pdf"), "{long}");
        let ending = clean_name(&"x".repeat(1_000));
        assert!(ending.len() <= FILE_NAME_BYTES_MAX);
    }

    #[test]
    fn a_type_is_read_from_the_bytes_and_nothing_a_browser_runs_comes_out() {
        assert_eq!(sniff(b"%PDF-1.7\n"), "application/pdf");
        assert_eq!(sniff(b"<html><script>alert(1)</script>"), "text/plain");
        assert_eq!(sniff(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "text/plain");
        assert_eq!(sniff(b"\x7fELF\x02\x01\x01\0\0"), OCTETS);
        assert_eq!(sniff("名称,部署\r\n".as_bytes()), "text/plain");
        assert_eq!(sniff(b"PK\x03\x04....[Content_Types].xml....xl/workbook.xml"), {
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        });
    }

    #[test]
    fn a_name_that_promises_another_type_does_not_fit() {
        assert!(fits("a.pdf", "application/pdf", 9));
        assert!(!fits("a.pdf", OCTETS, 9));
        assert!(!fits("写真.JPG", "text/plain", 9));
        assert!(fits("a.xlsx", "application/zip", 9));
        assert!(fits("locked.xlsx", "application/x-ole-storage", 9));
        assert!(fits("tool.bin", OCTETS, 9));
        assert!(!fits("a.csv", "application/pdf", 9));
    }
}
