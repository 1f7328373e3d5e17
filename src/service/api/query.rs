//! Query strings, read strictly: what the operation does not declare, or what stands twice or is
//! not percent-encoded UTF-8, is refused instead of ignored.

use super::error::{ApiError, PARAMETER_REPEATED, PARAMETER_UNKNOWN, QUERY_MALFORMED};

/// A request's query parameters: all declared, each at most once.
#[derive(Clone)]
pub struct QueryString(Vec<(String, String)>);

impl QueryString {
    /// Reads a query string of `name=value` pairs with the names in `known`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(query: &str, known: &[String]) -> Result<Self, ApiError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = decode(name).zip(decode(value)).ok_or_else(|| {
                ApiError::new(
                    &QUERY_MALFORMED,
                    "the query string is not percent-encoded UTF-8",
                )
            })?;
            if !known.contains(&name) {
                return Err(unknown(known));
            }
            if parameters.iter().any(|(other, _)| *other == name) {
                let detail = format!("the parameter {name} must stand once");
                return Err(ApiError::new(&PARAMETER_REPEATED, detail));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

fn unknown(known: &[String]) -> ApiError {
    let detail = match known {
        [] => "this takes no query parameters".to_owned(),
        known => format!("the query parameters of this are: {}", known.join(", ")),
    };
    ApiError::new(&PARAMETER_UNKNOWN, detail)
}

/// Decodes application/x-www-form-urlencoded text, as browsers send it.
fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let digit = char::from(digit).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_every_oddity_is_refused() {
        let known = ["q".to_owned(), "limit".to_owned()];
        let parse = |query: &str| {
            QueryString::parse(query, &known)
                .map(|query| query.0)
                .map_err(|error| error.to_string().split(':').next().map(str::to_owned))
        };
        for (query, expected) in [
            ("", vec![]),
            ("&&", vec![]),
            ("q=a+b%20c&limit=5", vec![("q", "a b c"), ("limit", "5")]),
            ("q=%C3%A9=x", vec![("q", "é=x")]),
            ("q", vec![("q", "")]),
        ] {
            let expected = expected
                .into_iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect();
            assert_eq!(parse(query), Ok(expected), "{query}");
        }
        for (query, code) in [
            ("q=%", "query_malformed"),
            ("q=%4", "query_malformed"),
            ("q=%zz", "query_malformed"),
            ("q=%ff", "query_malformed"),
            ("q=%+1", "query_malformed"),
            ("Q=1", "parameter_unknown"),
            ("=1", "parameter_unknown"),
            ("q=1&q=1", "parameter_repeated"),
            ("q=1&%71=2", "parameter_repeated"),
        ] {
            assert_eq!(parse(query), Err(Some(code.to_owned())), "{query}");
        }
    }
}
