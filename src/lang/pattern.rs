//! Patterns with `*`, and with policy variables.
//!
//! `*` stands for any run of characters, also none; nothing else is special (rules,
//! C-09). Matching is linear in the text for each literal piece and never backtracks, whatever the
//! pattern. `glob` is the second opinion in the tests.

use std::borrow::Cow;

use super::variable::{Variable, Variables};

/// A pattern of literal pieces with a star between each two of them. One piece means no star.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    pieces: Box<[Box<str>]>,
}

impl Glob {
    /// Reads a pattern; every text is one. Runs of stars are one star.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::from_pieces(text.split('*').map(Cow::Borrowed))
    }

    fn from_pieces<'a>(pieces: impl Iterator<Item = Cow<'a, str>>) -> Self {
        let all: Vec<Cow<'a, str>> = pieces.collect();
        let last = all.len().saturating_sub(1);
        let pieces = all
            .into_iter()
            .enumerate()
            .filter(|(index, piece)| *index == 0 || *index == last || !piece.is_empty())
            .map(|(_, piece)| Box::from(piece.as_ref()))
            .collect();
        Self { pieces }
    }

    /// The text itself, when the pattern has no star.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match &*self.pieces {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether the pattern matches every text.
    #[must_use]
    pub fn is_any(&self) -> bool {
        matches!(&*self.pieces, [first, last] if first.is_empty() && last.is_empty())
    }

    /// Whether the pattern is a text and one star after it.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        matches!(&*self.pieces, [_, last] if last.is_empty())
    }

    /// The text before the first star: what every matching text begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.pieces.first().map_or("", |piece| piece)
    }

    /// Whether the pattern matches the whole text.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (first, rest) = match &*self.pieces {
            [] => return text.is_empty(),
            [only] => return **only == *text,
            [first, rest @ ..] => (first, rest),
        };
        let Some((last, middle)) = rest.split_last() else { return false };
        let Some(text) = text.strip_prefix(&**first) else { return false };
        let Some(mut text) = text.strip_suffix(&**last) else { return false };
        // The leftmost place for each piece leaves the most for the next, so no choice is
        // regretted.
        for piece in middle {
            let Some((_, after)) = text.split_once(&**piece) else { return false };
            text = after;
        }
        true
    }

    /// Whether every text that `other` matches is matched by this pattern. Sound, not complete:
    /// true is always right, false may mean "not shown".
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // A star in `other` is matched as a character that occurs in no literal piece, so only our
        // stars can take it.
        self.matches(&other.pieces.join("\u{0}*\u{0}"))
    }
}

/// What is wrong with the variables in a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableFault {
    /// `${` without `}`.
    #[error("`${{` is not closed by `}}`")]
    Unclosed,
    /// A name that is no variable.
    #[error("unknown variable `${{{0}}}`")]
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(Box<str>),
    Variable(Variable),
}

/// A pattern that may hold policy variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    form: Form,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Form {
    Fixed(Glob),
    /// The parts between the stars, in order.
    Variable(Box<[Box<[Part]>]>),
}

impl Pattern {
    /// Reads a pattern with stars and variables.
    ///
    /// # Errors
    /// `${` that does not begin a known variable (rule V-02).
    pub fn parse(text: &str) -> Result<Self, VariableFault> {
        let parts = split_variables(text)?;
        if !parts.iter().any(|part| matches!(part, Part::Variable(_))) {
            return Ok(Self { form: Form::Fixed(Glob::new(text)) });
        }
        let mut pieces: Vec<Box<[Part]>> = Vec::new();
        let mut piece: Vec<Part> = Vec::new();
        for part in parts {
            match part {
                Part::Variable(_) => piece.push(part),
                Part::Text(text) => {
                    for (index, literal) in text.split('*').enumerate() {
                        if index > 0 {
                            pieces.push(std::mem::take(&mut piece).into());
                        }
                        piece.push(Part::Text(literal.into()));
                    }
                }
            }
        }
        pieces.push(piece.into());
        Ok(Self { form: Form::Variable(pieces.into()) })
    }

    /// A pattern that matches exactly this text; `*` and `${` in it are plain characters.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self { form: Form::Fixed(Glob { pieces: Box::new([text.into()]) }) }
    }

    /// The pattern without variables, when it has none.
    #[must_use]
    pub fn as_fixed(&self) -> Option<&Glob> {
        match &self.form {
            Form::Fixed(glob) => Some(glob),
            Form::Variable(_) => None,
        }
    }

    /// The pattern with the variables' values put in, literally (rule V-03).
    #[must_use]
    pub fn resolve(&self, variables: &Variables) -> Cow<'_, Glob> {
        match &self.form {
            Form::Fixed(glob) => Cow::Borrowed(glob),
            Form::Variable(pieces) => Cow::Owned(Glob::from_pieces(
                pieces.iter().map(|piece| Cow::Owned(fill(piece, variables))),
            )),
        }
    }

    /// Whether the pattern matches the whole text. Allocates only for a variable between two stars.
    #[must_use]
    pub fn matches(&self, text: &str, variables: &Variables) -> bool {
        match &self.form {
            Form::Fixed(glob) => glob.matches(text),
            Form::Variable(pieces) => match_pieces(pieces, text, variables)
                .unwrap_or_else(|| self.resolve(variables).matches(text)),
        }
    }

    /// The text that every matching text begins with, whatever the variables' values.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match &self.form {
            Form::Fixed(glob) => glob.prefix(),
            Form::Variable(pieces) => match pieces.first().and_then(|piece| piece.first()) {
                Some(Part::Text(text)) => text,
                Some(Part::Variable(_)) | None => "",
            },
        }
    }
}

/// Matches without putting the variables' values in; none when that cannot be done.
fn match_pieces(pieces: &[Box<[Part]>], text: &str, variables: &Variables) -> Option<bool> {
    let (first, rest) = pieces.split_first()?;
    let Some(text) = strip_start(text, first, variables) else { return Some(false) };
    let Some((last, middle)) = rest.split_last() else { return Some(text.is_empty()) };
    let Some(mut text) = strip_end(text, last, variables) else { return Some(false) };
    for piece in middle {
        for part in piece {
            let Part::Text(literal) = part else { return None };
            let Some((_, after)) = text.split_once(&**literal) else { return Some(false) };
            text = after;
        }
    }
    Some(true)
}

/// A number's decimal digits, on the stack.
struct Digits {
    bytes: [u8; Self::MAX],
    start: usize,
}

impl Digits {
    /// The digits of `u64::MAX`.
    const MAX: usize = 20;

    fn new(mut value: u64) -> Self {
        let mut digits = Self { bytes: [b'0'; Self::MAX], start: Self::MAX };
        for (at, place) in digits.bytes.iter_mut().enumerate().rev() {
            *place = b'0' + u8::try_from(value % 10).unwrap_or_default();
            digits.start = at;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        digits
    }

    fn text(&self) -> &str {
        let digits = self.bytes.get(self.start..).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

fn strip_start<'t>(mut text: &'t str, piece: &[Part], variables: &Variables) -> Option<&'t str> {
    for part in piece {
        text = match part {
            Part::Text(literal) => text.strip_prefix(&**literal)?,
            Part::Variable(variable) => {
                text.strip_prefix(Digits::new(variables.value(*variable)).text())?
            }
        };
    }
    Some(text)
}

fn strip_end<'t>(mut text: &'t str, piece: &[Part], variables: &Variables) -> Option<&'t str> {
    for part in piece.iter().rev() {
        text = match part {
            Part::Text(literal) => text.strip_suffix(&**literal)?,
            Part::Variable(variable) => {
                text.strip_suffix(Digits::new(variables.value(*variable)).text())?
            }
        };
    }
    Some(text)
}

/// A text that may hold variables but no wildcard: `*` is a plain character.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    parts: Box<[Part]>,
}

impl Template {
    /// Reads a text with variables.
    ///
    /// # Errors
    /// `${` that does not begin a known variable (rule V-02).
    pub fn parse(text: &str) -> Result<Self, VariableFault> {
        Ok(Self { parts: split_variables(text)?.into() })
    }

    /// The text, when it holds no variable.
    #[must_use]
    pub fn as_fixed(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with the variables' values put in.
    #[must_use]
    pub fn resolve(&self, variables: &Variables) -> Cow<'_, str> {
        match self.as_fixed() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(fill(&self.parts, variables)),
        }
    }
}

fn fill(parts: &[Part], variables: &Variables) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Variable(variable) => text.push_str(&variables.value(*variable).to_string()),
        }
    }
    text
}

fn split_variables(text: &str) -> Result<Vec<Part>, VariableFault> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').ok_or(VariableFault::Unclosed)?;
        let variable =
            Variable::from_name(name).ok_or_else(|| VariableFault::Unknown(name.to_owned()))?;
        if !before.is_empty() {
            parts.push(Part::Text(before.into()));
        }
        parts.push(Part::Variable(variable));
        rest = tail;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::super::variable::Owner;
    use super::*;

    const VARIABLES: Variables =
        Variables { uin: 100, owner: Owner { uin: 12_345_678, app_id: 1_250_000_001 } };

    #[test]
    fn glob_star_stands_for_any_run_also_none() {
        // rules
        let table = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b:c", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c", "acb", false),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aba", false),
            ("a**b", "ab", true),
            ("***", "", true),
            ("X/*", "X", false),
            ("Describe", "DescribeConfInfo", false),
            ("*Group*", "SendGroupMsg", true),
            ("é*ü", "éaü", true),
            ("?", "a", false),
            ("?", "?", true),
            ("[a]", "a", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn glob_many_stars_take_linear_time() {
        let pattern = "*a".repeat(3_000);
        let text = "a".repeat(2_999);
        assert!(!Glob::new(&pattern).matches(&text));
        assert!(Glob::new(&"*".repeat(6_000)).matches(&text));
    }

    #[test]
    fn pattern_puts_variables_in_literally() {
        // rules V-01, V-03
        let pattern = Pattern::parse("q/${uin}/*").unwrap();
        assert!(pattern.matches("q/100/x", &VARIABLES));
        assert!(!pattern.matches("q/1000/x", &VARIABLES));
        let owners = Pattern::parse("${owner_uin}-${app_id}").unwrap();
        assert!(owners.matches("12345678-1250000001", &VARIABLES));
    }

    #[test]
    fn pattern_matches_as_if_the_variables_were_put_in() {
        // rules V-01, V-03
        let patterns = [
            "${uin}",
            "${uin}*",
            "*${uin}",
            "a*${uin}",
            "a*b*${uin}",
            "${uin}*${uin}",
            "*${uin}*",
            "a${uin}b*c*d${app_id}",
            "*a*${uin}*b",
            "${uin}${uin}",
        ];
        let texts = [
            "",
            "100",
            "1001",
            "0100",
            "a100",
            "ab100",
            "a",
            "100100",
            "1000",
            "x100y",
            "a100bcd1250000001",
            "a100b-c-d1250000001",
            "zaz100b",
            "a1000bcd1250000001",
        ];
        for pattern in patterns {
            let pattern = Pattern::parse(pattern).unwrap();
            for text in texts {
                let filled = pattern.resolve(&VARIABLES).matches(text);
                assert_eq!(pattern.matches(text, &VARIABLES), filled, "{pattern:?} on {text}");
            }
        }
        for value in [0, 7, 10, 12_345, u64::MAX] {
            assert_eq!(Digits::new(value).text(), value.to_string());
        }
    }

    #[test]
    fn pattern_refuses_other_variables() {
        // rule V-02
        assert_eq!(Pattern::parse("${UIN}"), Err(VariableFault::Unknown("UIN".to_owned())));
        assert_eq!(Pattern::parse("a${uin"), Err(VariableFault::Unclosed));
        assert!(Pattern::parse("$uin {uin}").is_ok());
    }

    #[test]
    fn glob_covers_is_sound() {
        let table = [
            ("*", "a*b", true),
            ("a*", "ab*c", true),
            ("a*c", "ab*c", true),
            ("ab*", "a*", false),
            ("abc", "abc", true),
            ("a*a", "a", false),
            ("*a*", "*a", true),
            ("a*", "*", false),
        ];
        for (wide, narrow, expected) in table {
            assert_eq!(Glob::new(wide).covers(&Glob::new(narrow)), expected, "{wide} {narrow}");
        }
    }
}
