//! Rust source as tokens with their lines, and which lines are test code.
//!
//! Small on purpose: comments and the insides of literals are dropped, so that a word in a comment
//! or a message is never taken for code. It never judges; `tidy` and `rules` do.

/// One token: a word, a literal (its text dropped), `::`, or one other character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The word or the characters; `""` for string literals, `'` for lifetimes and characters.
    pub(crate) text: String,
    /// The line, from 1.
    pub(crate) line: usize,
}

/// A file's tokens, those of product code apart from those of tests.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Tokens outside `#[cfg(test)]` items.
    pub(crate) product: Vec<Token>,
    /// Tokens of `#[cfg(test)]` items.
    pub(crate) test: Vec<Token>,
    /// For each line, whether a `#[cfg(test)]` item covers it; index 0 is line 1.
    pub(crate) test_lines: Vec<bool>,
}

impl Source {
    /// Reads a file's text.
    pub(crate) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut source = Self { test_lines: vec![false; text.lines().count()], ..Self::default() };
        let mut at = 0;
        while at < tokens.len() {
            if starts(&tokens[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
                let end = item_end(&tokens, at + 7);
                let (first, last) = (tokens[at].line, tokens[end - 1].line);
                source.test_lines[first - 1..last].fill(true);
                source.test.extend_from_slice(&tokens[at..end]);
                at = end;
            } else {
                source.product.push(tokens[at].clone());
                at += 1;
            }
        }
        source
    }

    /// Reads a file that is test code as a whole.
    pub(crate) fn read_test(text: &str) -> Self {
        let lines = text.lines().count();
        Self { product: Vec::new(), test: tokens(text), test_lines: vec![true; lines] }
    }
}

/// Whether the tokens begin with these words.
pub(crate) fn starts(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

/// The index after the item that begins at `at`: after its `;`, or after its closing brace.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Every function with a body: its name, its first line and its number of lines.
pub(crate) fn functions(tokens: &[Token]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for at in 0..tokens.len().saturating_sub(1) {
        let name = &tokens[at + 1].text;
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if tokens[at].text != "fn" || !is_name {
            continue;
        }
        let end = item_end(tokens, at);
        if tokens[end - 1].text == "}" {
            let lines = tokens[end - 1].line - tokens[at].line + 1;
            found.push((name.clone(), tokens[at].line, lines));
        }
    }
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let (length, token) = next(&chars[at..]);
        if let Some(text) = token {
            found.push(Token { text, line });
        }
        line += chars[at..at + length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    found
}

/// How many characters the next piece has, and its token unless it is space or a comment.
fn next(rest: &[char]) -> (usize, Option<String>) {
    let word = |from: usize| rest[from..].iter().take_while(|c| is_word(**c)).count();
    let second = rest.get(1).copied().unwrap_or(' ');
    match rest[0] {
        c if c.is_whitespace() => (1, None),
        '/' if second == '/' => (rest.iter().take_while(|c| **c != '\n').count(), None),
        '/' if second == '*' => (block_comment(rest), None),
        '"' => (string(rest), Some("\"\"".to_owned())),
        'r' | 'b' | 'c' if literal_prefix(rest).is_some() => {
            let prefix = literal_prefix(rest).unwrap_or_default();
            let raw = rest[prefix - 1] == 'r';
            let length = if raw { raw_string(&rest[prefix..]) } else { string(&rest[prefix..]) };
            (prefix + length, Some("\"\"".to_owned()))
        }
        '\'' => (quote(rest), Some("'".to_owned())),
        ':' if second == ':' => (2, Some("::".to_owned())),
        c if is_word(c) => {
            let length = word(0);
            (length, Some(rest[..length].iter().collect()))
        }
        c => (1, Some(c.to_string())),
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn block_comment(rest: &[char]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (at, depth) = (at + 2, depth + 1),
            ['*', '/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a plain string literal, quotes included.
fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of `b`, `r`, `br`, `c`, `cr` when a string literal follows.
fn literal_prefix(rest: &[char]) -> Option<usize> {
    let length = rest.iter().take_while(|c| is_word(**c)).count();
    let prefix: String = rest[..length].iter().collect();
    let raw = prefix.ends_with('r');
    let hashes = rest[length..].iter().take_while(|c| **c == '#').count();
    let quoted = rest.get(length + hashes) == Some(&'"');
    let known = matches!(prefix.as_str(), "b" | "r" | "br" | "c" | "cr");
    (known && quoted && (raw || hashes == 0)).then_some(length)
}

/// The length of a raw string literal after its prefix: `"…"` or `#"…"#`.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    let mut at = hashes + 1;
    while at < rest.len() {
        let closes = rest[at] == '"'
            && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    rest.len()
}

/// The length of a character literal or a lifetime.
fn quote(rest: &[char]) -> usize {
    match rest {
        ['\'', '\\', ..] => 4 + rest[3..].iter().take_while(|c| **c != '\'').count(),
        ['\'', _, '\'', ..] => 3,
        _ => 1 + rest[1..].iter().take_while(|c| is_word(**c)).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn source_drops_comments_and_literals() {
        let text = "use a::b; // tokio\n/* async /* sled */ */ let s = \"fn \\\" x\"; 'a' '\\n' \
                    &'static r#\"std::fs \" \"# b\"x\" r\"\\\" '\\'' z";
        let expected = [
            "use", "a", "::", "b", ";", "let", "s", "=", "\"\"", ";", "'", "'", "&", "'", "\"\"",
            "\"\"", "\"\"", "'", "z",
        ];
        assert_eq!(words(text), expected);
    }

    #[test]
    fn source_parts_tests_from_product() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let source = Source::read(text);
        let names = |tokens: &[Token]| -> Vec<String> {
            functions(tokens).into_iter().map(|(name, _, _)| name).collect()
        };
        assert_eq!(names(&source.product), ["a", "c"]);
        assert_eq!(names(&source.test), ["b"]);
        assert_eq!(source.test_lines, [false, true, true, true, true, false]);
    }

    #[test]
    fn source_counts_function_lines() {
        let text = "trait T { fn x(&self); }\nfn y(a: [u8; 2]) -> u8\nwhere\n    u8: Copy,\n\
                    {\n    1\n}\n";
        assert_eq!(functions(&tokens(text)), [("y".to_owned(), 2, 6)]);
    }
}
