//! Resource templates: a six-segment name with `${owner_uin}` and `${id}` in it.
//!
//! A template is taken apart once, when the catalog is loaded, so that putting values in cannot
//! fail and a value is never read as a variable.

/// A template in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    text: Box<str>,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Box<str>),
    OwnerUin,
    Id,
}

impl Template {
    /// Takes the template of resource type `kind` apart.
    ///
    /// # Errors
    /// What is wrong with it and what was expected, as text.
    pub(super) fn parse(text: &str, kind: &str) -> Result<Self, &'static str> {
        let segments: Vec<&str> = text.splitn(6, ':').collect();
        let [qcs, project, service, region, account, resource] = segments.as_slice() else {
            return Err("expected six segments, `qcs::service:region:account:resource`");
        };
        if *qcs != "qcs" || !project.is_empty() {
            return Err("expected `qcs::` at the start: the project segment stays empty");
        }
        if [service, region].iter().any(|it| it.contains(['*', '$'])) || service.is_empty() {
            return Err("the service and region segments take no `*` and no variables");
        }
        if *account != "uin/${owner_uin}" {
            return Err("expected the account segment `uin/${owner_uin}`");
        }
        let id = resource.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
        if id.is_none_or(|rest| rest.matches("${id}").count() != 1) {
            return Err("expected a last segment of the type, a `/`, and `${id}` once after it");
        }
        if text.contains('*') {
            return Err("a template names one resource: `*` cannot stand in it");
        }
        Ok(Self { text: text.into(), pieces: pieces(text)? })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The name of one resource.
    pub(super) fn render(&self, owner_uin: u64, id: &str) -> String {
        let mut name = String::with_capacity(self.text.len() + id.len());
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => name.push_str(text),
                Piece::OwnerUin => name.push_str(&owner_uin.to_string()),
                Piece::Id => name.push_str(id),
            }
        }
        name
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, &'static str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, tail)) = rest.split_once("${") {
        pieces.push(Piece::Literal(literal.into()));
        let (variable, after) = tail.split_once('}').ok_or("a `${` has no `}`")?;
        pieces.push(match variable {
            "owner_uin" => Piece::OwnerUin,
            "id" => Piece::Id,
            _ => return Err("only `${owner_uin}` and `${id}` can stand in a template"),
        });
        rest = after;
    }
    pieces.push(Piece::Literal(rest.into()));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn render_puts_values_in_as_they_stand() {
        let text = "qcs::im::uin/${owner_uin}:sdkappid/${id}";
        let template = Template::parse(text, "sdkappid").unwrap();
        assert_eq!(template.text(), text);
        assert_eq!(
            template.render(12345678, "1400000001"),
            "qcs::im::uin/12345678:sdkappid/1400000001"
        );
        assert_eq!(template.render(7, "${owner_uin}*"), "qcs::im::uin/7:sdkappid/${owner_uin}*");
        let path =
            Template::parse("qcs::shop:hz:uin/${owner_uin}:s/${owner_uin}/${id}/x", "s").unwrap();
        assert_eq!(path.render(7, "商品"), "qcs::shop:hz:uin/7:s/7/商品/x");
    }

    #[test]
    fn parse_refuses_what_could_not_be_a_resource_name() {
        for (text, expected) in [
            ("qcs::im:sdkappid/${id}", "six segments"),
            ("sqc::im::uin/${owner_uin}:t/${id}", "`qcs::` at the start"),
            ("qcs:1:im::uin/${owner_uin}:t/${id}", "`qcs::` at the start"),
            ("qcs::*::uin/${owner_uin}:t/${id}", "service and region"),
            ("qcs::::uin/${owner_uin}:t/${id}", "service and region"),
            ("qcs::im:${region}:uin/${owner_uin}:t/${id}", "service and region"),
            ("qcs::im::uin/:t/${id}", "account segment"),
            ("qcs::im::uin/${owner_uin}:other/${id}", "last segment"),
            ("qcs::im::uin/${owner_uin}:t/1", "last segment"),
            ("qcs::im::uin/${owner_uin}:t/${id}/${id}", "last segment"),
            ("qcs::im::uin/${owner_uin}:t/*/${id}", "`*` cannot stand"),
            ("qcs::im::uin/${owner_uin}:t/${id}/${app_id}", "only `${owner_uin}`"),
            ("qcs::im::uin/${owner_uin}:t/${id}/${", "has no `}`"),
        ] {
            let message = Template::parse(text, "t").unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }
}
