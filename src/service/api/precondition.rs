//! Entity tags and `If-Match` (RFC 9110 §8.8.3, §13.1.1): the guard against lost updates.

use poem::http::header::IF_MATCH;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::error::{ApiError, IF_MATCH_INVALID};
use crate::service::store::RevisionCondition;

/// What `If-Match` may be, for the document. Empty elements of the list, which a recipient must
/// bear with, are not offered.
const PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$"#;

/// The entity tag of a task: its revision in quotes.
pub fn entity_tag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// What `If-Match` asks for: any task that is there, without the header or with `*`, or one at
/// a listed revision. Weak tags and those that are no revision match none, so what is left may be
/// an empty list, which nothing meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(pub RevisionCondition);

impl IfMatch {
    /// Reads the value of an `If-Match` header.
    fn parse(value: &str) -> Option<Self> {
        if value.trim_matches([' ', '\t']) == "*" {
            return Some(Self(RevisionCondition::Any));
        }
        let mut revisions = Vec::new();
        let mut rest = value;
        let mut any = false;
        loop {
            // Empty elements of a list are skipped (RFC 9110 §5.6.1.2).
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return any.then_some(Self(RevisionCondition::OneOf(revisions)));
            }
            let strong = !rest.starts_with("W/");
            let opened = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
            let (tag, after) = opened.split_once('"')?;
            if !tag
                .bytes()
                .all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))
            {
                return None;
            }
            rest = after.trim_start_matches([' ', '\t']);
            if !(rest.is_empty() || rest.starts_with(',')) {
                return None;
            }
            any = true;
            // Strong comparison is by character, so a revision counts in its one spelling only.
            revisions.extend(
                tag.parse()
                    .ok()
                    .filter(|revision: &i64| strong && revision.to_string() == tag),
            );
        }
    }
}

impl<'a> ApiExtractor<'a> for IfMatch {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            pattern: Some(PATTERN.to_owned()),
            example: Some("\"3\"".into()),
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let values: Option<Vec<&str>> = request
            .headers()
            .get_all(IF_MATCH)
            .iter()
            .map(|value| value.to_str().ok())
            .collect();
        // Several header lines are one list (RFC 9110 §5.3).
        let condition = match values.as_deref() {
            Some([]) => Some(Self(RevisionCondition::Any)),
            Some(values) => Self::parse(&values.join(",")),
            None => None,
        };
        let rule = "must be * or a list of entity tags in double quotes";
        Ok(condition.ok_or_else(|| ApiError::in_parameter(&IF_MATCH_INVALID, "If-Match", rule))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_or_a_list_of_tags_of_which_only_strong_revisions_can_match() {
        let any = || Some(IfMatch(RevisionCondition::Any));
        let revisions = |list: &[i64]| Some(IfMatch(RevisionCondition::OneOf(list.to_vec())));
        for (value, expected) in [
            ("*", any()),
            (" * ", any()),
            (r#""3""#, revisions(&[3])),
            (r#" "3" , "4","#, revisions(&[3, 4])),
            (r#",,"3""#, revisions(&[3])),
            (r#"W/"3""#, revisions(&[])),
            (r#"W/"3", "4""#, revisions(&[4])),
            (r#"" 3""#, None),
            (r#""03", "+3", "x", "", "a,b", "-1""#, revisions(&[-1])),
            ("", None),
            (",", None),
            ("3", None),
            (r#""3"#, None),
            (r#"w/"3""#, None),
            (r#""3" "4""#, None),
            (r#""3", *"#, None),
            (r#"*, "3""#, None),
            (r#""3"x"#, None),
        ] {
            assert_eq!(IfMatch::parse(value), expected, "{value}");
        }
    }
}
