//! Our pattern matcher against two others: a ten-line recursive one, and the crate `glob`.
//!
//! Rules, C-09: `*` is any run of characters, nothing else is special.
#![no_main]

use camgate::lang::pattern::{Glob, Pattern};
use camgate::lang::variable::{Owner, Variables};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (pattern, text) = input;
    if pattern.len() > 64 || text.len() > 256 {
        return;
    }
    let ours = Glob::new(pattern).matches(text);
    let pattern_chars: Vec<char> = pattern.chars().collect();
    let text_chars: Vec<char> = text.chars().collect();
    assert_eq!(ours, naive(&pattern_chars, &text_chars), "{pattern:?} on {text:?}");
    if let Some(second) = by_glob(pattern) {
        assert_eq!(ours, second.matches_with(text, OPTIONS), "{pattern:?} on {text:?}");
    }
    let variables = Variables { uin: 1, owner: Owner { uin: 2, app_id: 3 } };
    if let Ok(parsed) = Pattern::parse(pattern) {
        let filled =
            pattern.replace("${uin}", "1").replace("${owner_uin}", "2").replace("${app_id}", "3");
        assert_eq!(parsed.matches(text, &variables), Glob::new(&filled).matches(text));
    }
});

const OPTIONS: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// The same pattern for `glob`, whose other metacharacters are escaped.
fn by_glob(pattern: &str) -> Option<glob::Pattern> {
    let mut single = String::new();
    for character in pattern.chars() {
        match character {
            '*' if single.ends_with('*') => {}
            '*' => single.push('*'),
            other => single.push_str(&glob::Pattern::escape(&other.to_string())),
        }
    }
    glob::Pattern::new(&single).ok()
}

/// Every way to spend the star, remembered so that it ends.
fn naive(pattern: &[char], text: &[char]) -> bool {
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for symbol in pattern {
        let mut next = vec![false; text.len() + 1];
        for index in 0..=text.len() {
            next[index] = match symbol {
                '*' => reach[..=index].contains(&true),
                other => index > 0 && reach[index - 1] && text[index - 1] == *other,
            };
        }
        reach = next;
    }
    reach[text.len()]
}
