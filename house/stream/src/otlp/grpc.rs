//! The frame around the one message of a unary gRPC call. Pure.

use super::Fault;

/// The message of a request and whether it is compressed.
pub fn unframe(body: &[u8]) -> Result<(&[u8], bool), Fault> {
    let cut = Fault::Broken("the body is no gRPC message");
    let ([flag, a, b, c, d], message) = body.split_first_chunk::<5>().ok_or(cut)?;
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    match (flag, message.len() == length) {
        (0 | 1, true) => Ok((message, *flag == 1)),
        _ => Err(cut),
    }
}

/// A message that is not compressed, framed.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat()
}
