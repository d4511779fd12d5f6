//! Mails: who, about what, the text, and what hangs on it.
//!
//! Invariants: nothing of an attachment is opened but text; HTML is read as text. Limits: see the constants; what goes
//! beyond is cut and said.

use mail_parser::{MessageParser, MimeHeaders, PartType};

pub const MAIL_BYTES_MAX: usize = 32 * 1024 * 1024;
pub const ATTACHMENTS_MAX: usize = 200;
const HEADER_BYTES_MAX: usize = 2_000;

/// A mail as far as a notice needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    pub subject: String,
    pub from: String,
    /// Without its brackets; empty if it has none.
    pub message_id: String,
    /// As the mail says it, RFC 3339.
    pub sent: Option<String>,
    pub text: String,
    pub attachments: Vec<Attachment>,
    /// Something was left out by a limit, or could not be decoded.
    pub is_cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub media_type: String,
    pub bytes: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    #[error("the mail has {0} bytes, more than {MAIL_BYTES_MAX}")]
    Large(usize),
    #[error("it has no header of a mail")]
    NoMail,
}

/// Whether bytes begin as a mail does: with a known field of its header.
pub fn is_mail(bytes: &[u8]) -> bool {
    const FIELDS: [&str; 12] = [
        "return-path:",
        "received:",
        "delivered-to:",
        "from:",
        "to:",
        "subject:",
        "date:",
        "message-id:",
        "mime-version:",
        "reply-to:",
        "x-",
        "dkim-signature:",
    ];
    let head = &bytes[..bytes.len().min(16 * 1024)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let first = FIELDS.iter().any(|field| head.starts_with(field));
    let header = head.split("\r\n\r\n").next().unwrap_or_default();
    let header = header.split("\n\n").next().unwrap_or_default();
    let has = |field: &str| header.starts_with(field) || header.contains(&format!("\n{field}"));
    // A notice may begin with `Subject:` too.
    first && has("from:") && (has("date:") || has("message-id:") || has("mime-version:"))
}

/// Reads a mail.
pub fn read(bytes: &[u8]) -> Result<Mail, MailError> {
    if bytes.len() > MAIL_BYTES_MAX {
        return Err(MailError::Large(bytes.len()));
    }
    let message = MessageParser::default().parse(bytes).ok_or(MailError::NoMail)?;
    if message.headers().is_empty() {
        return Err(MailError::NoMail);
    }
    let mut mail = Mail {
        subject: short(message.subject().unwrap_or_default()),
        from: short(
            message
                .from()
                .and_then(|from| from.first())
                .and_then(|a| a.address())
                .unwrap_or_default(),
        ),
        message_id: short(message.message_id().unwrap_or_default()),
        sent: message.date().map(|date| date.to_rfc3339()),
        ..Mail::default()
    };
    mail.is_cut = message.parts.iter().any(|part| part.is_encoding_problem);
    for at in 0..message.text_body_count() {
        if let Some(text) = message.body_text(at) {
            add(&mut mail, &text);
        }
    }
    for part in message.attachments() {
        if mail.attachments.len() == ATTACHMENTS_MAX {
            mail.is_cut = true;
            break;
        }
        if let PartType::Text(text) = &part.body {
            add(&mut mail, text);
        }
        let media_type = part.content_type().map(|ty| {
            let sub = ty.c_subtype.as_deref().unwrap_or("octet-stream");
            format!("{}/{sub}", ty.c_type)
        });
        mail.attachments.push(Attachment {
            name: short(part.attachment_name().unwrap_or_default()),
            media_type: short(&media_type.unwrap_or_default()),
            bytes: part.len(),
        });
    }
    Ok(mail)
}

fn add(mail: &mut Mail, text: &str) {
    let room = super::TEXT_BYTES_MAX.saturating_sub(mail.text.len());
    let (text, is_cut) = super::clip(text, room);
    if !mail.text.is_empty() && !text.is_empty() {
        mail.text.push('\n');
    }
    mail.text.push_str(text);
    mail.is_cut |= is_cut;
}

fn short(text: &str) -> String {
    let (text, _) = super::clip(text, HEADER_BYTES_MAX);
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eml(charset: &str, encoding: &'static encoding_rs::Encoding, subject: &str) -> Vec<u8> {
        let (body, _, _) = encoding.encode("通信先：hxxp://a[.]example/x\r\n");
        let mut bytes = format!(
            "From: =?UTF-8?B?55m65L+h?= <cert@notice.example.jp>\r\nTo: a@b.example\r\nDate: Tue, 20 Jun 2023 \
             09:00:00 +0900\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; \
             boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset={charset}\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(
            b"\r\n--b\r\nContent-Type: application/zip; name=\"ioc.zip\"\r\nContent-Disposition: attachment; \
              filename=\"ioc.zip\"\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsFBg==\r\n--b--\r\n",
        );
        bytes
    }

    #[test]
    fn mails_of_every_japanese_encoding_are_read() {
        let cases = [
            ("ISO-2022-JP", encoding_rs::ISO_2022_JP, "=?ISO-2022-JP?B?GyRCQ20wVTQtNScbKEI=?="),
            ("Shift_JIS", encoding_rs::SHIFT_JIS, "=?Shift_JIS?B?ko2I04qri04=?="),
            ("EUC-JP", encoding_rs::EUC_JP, "=?UTF-8?B?5rOo5oSP5Zaa6LW3?="),
            ("UTF-8", encoding_rs::UTF_8, "=?UTF-8?B?5rOo5oSP5Zaa6LW3?="),
        ];
        for (charset, encoding, subject) in cases {
            let bytes = eml(charset, encoding, subject);
            assert!(is_mail(&bytes), "{charset}");
            let mail = read(&bytes).expect("a mail");
            assert!(mail.text.contains("通信先：hxxp://a[.]example/x"), "{charset}: {}", mail.text);
            assert!(mail.subject.starts_with("注意"), "{charset}: {}", mail.subject);
            assert_eq!(mail.from, "cert@notice.example.jp");
            let names: Vec<&str> = mail.attachments.iter().map(|a| a.name.as_str()).collect();
            assert_eq!(names, ["ioc.zip"]);
        }
    }

    #[test]
    fn a_notice_is_no_mail() {
        assert!(!is_mail("Subject: 注意喚起\n通信先: a[.]example".as_bytes()));
        assert!(!is_mail(b""));
        assert_eq!(read(b"").unwrap_err(), MailError::NoMail);
    }

    #[test]
    fn html_is_read_as_text() {
        let bytes = b"From: a@b.example\r\nDate: Tue, 20 Jun 2023 09:00:00 +0900\r\nContent-Type: text/html\r\n\r\n\
                      <p>C2: <b>192[.]0[.]2[.]1</b></p><script>x()</script>";
        let mail = read(bytes).expect("a mail");
        assert!(mail.text.contains("192[.]0[.]2[.]1") && !mail.text.contains('<'), "{}", mail.text);
    }
}
