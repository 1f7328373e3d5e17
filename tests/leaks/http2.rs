//! HTTP/2 (RFC 9113) by hand: what no client library would send.

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const END_STREAM_AND_HEADERS: u8 = 1 | 4;

/// A connection with one request, and the end that a client gives a reason for (RFC 9113 §6.8).
/// `field`: one that is otherwise than in a good request, or one more.
pub fn request((name, value): (&str, &str), goodbye: Option<&str>) -> Vec<u8> {
    let mut fields = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/api/me"),
    ];
    match fields.iter_mut().find(|field| field.0 == name) {
        Some(field) => field.1 = value,
        None => fields.push((name, value)),
    }
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0); // a literal field that is not indexed (RFC 7541 §6.2.2)
        string(&mut block, name);
        string(&mut block, value);
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, SETTINGS, 0, 0, &[]);
    frame(&mut bytes, HEADERS, END_STREAM_AND_HEADERS, 1, &block);
    if let Some(words) = goodbye {
        let payload = [&[0, 0, 0, 0, 0, 0, 0, 1][..], words.as_bytes()].concat();
        frame(&mut bytes, GOAWAY, 0, 0, &payload);
    }
    bytes
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    bytes.extend([len[1], len[2], len[3], kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

/// A string as it is, not Huffman-coded (RFC 7541 §5.2).
fn string(block: &mut Vec<u8>, text: &str) {
    match text.len() {
        short @ 0..127 => block.push(short as u8),
        long => {
            block.push(127);
            let mut rest = long - 127;
            while rest >= 128 {
                block.push((rest % 128) as u8 | 128);
                rest /= 128;
            }
            block.push(rest as u8);
        }
    }
    block.extend_from_slice(text.as_bytes());
}
