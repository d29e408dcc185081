//! Sixty and more documents that nobody means well with. Each must be refused.

/// A name, the bytes, and a word that the refusal's text must contain.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) says: &'static str,
}

const HEAD: &str = r#"{"version":"2.0","statement":["#;
const GOOD: &str = r#"{"effect":"allow","action":"im:*","resource":"*"}"#;

fn statement(body: &str) -> String {
    format!("{HEAD}{body}]}}")
}

fn condition(block: &str) -> String {
    statement(&format!(r#"{{"effect":"deny","action":"im:*","resource":"*","condition":{block}}}"#))
}

fn action(text: &str) -> String {
    statement(&format!(r#"{{"effect":"deny","action":{text},"resource":"*"}}"#))
}

fn resource(text: &str) -> String {
    statement(&format!(r#"{{"effect":"deny","action":"im:*","resource":{text}}}"#))
}

/// All of them.
pub(crate) fn all() -> Vec<Hostile> {
    let mut all = Vec::new();
    for group in [json(), shapes(), sizes(), texts(), conditions()] {
        all.extend(group.into_iter().map(|(name, bytes, says)| Hostile { name, bytes, says }));
    }
    all
}

type Group = Vec<(&'static str, Vec<u8>, &'static str)>;

/// Not JSON, or JSON that readers disagree about.
fn json() -> Group {
    let good = statement(GOOD);
    let cut = |length: usize| good.as_bytes()[..length].to_vec();
    let with = |before: &[u8], after: &[u8]| [before, good.as_bytes(), after].concat();
    let mut utf8 = good.clone().into_bytes();
    utf8[20] = 0xff;
    let overlong = [b"{\"version\":\"".as_slice(), &[0xc0, 0xae], b"\"}"].concat();
    let surrogate_bytes = [b"{\"version\":\"".as_slice(), &[0xed, 0xa0, 0x80], b"\"}"].concat();
    vec![
        ("empty", Vec::new(), "JSON"),
        ("only white space", b" \n\t ".to_vec(), "JSON"),
        ("cut after a key", cut(12), "JSON"),
        ("cut in a string", cut(16), "JSON"),
        ("cut before the last brace", cut(good.len() - 1), "JSON"),
        ("two documents", with(b"", good.as_bytes()), "JSON"),
        ("text after the document", with(b"", b" x"), "JSON"),
        ("byte order mark", with(b"\xef\xbb\xbf", b""), "byte order mark"),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect(), ""),
        ("invalid UTF-8", utf8, "UTF-8"),
        ("overlong UTF-8", overlong, "UTF-8"),
        ("surrogate as UTF-8", surrogate_bytes, "UTF-8"),
        ("raw NUL", with(b"\0", b""), "JSON"),
        ("NUL in a string", action("\"im:\0\"").into_bytes(), "JSON"),
        ("line feed in a string", action("\"im:\n\"").into_bytes(), "JSON"),
        ("lone high surrogate", action(r#""im:\ud800""#).into_bytes(), ""),
        ("lone low surrogate", action(r#""im:\udc00""#).into_bytes(), ""),
        ("reversed surrogates", action(r#""im:\udc00\ud800""#).into_bytes(), ""),
        ("bad escape", action(r#""im:\x41""#).into_bytes(), "JSON"),
        ("single quotes", good.replace('"', "'").into_bytes(), "JSON"),
        ("comment", with(b"/* x */", b""), "JSON"),
        ("trailing comma", statement(&format!("{GOOD},")).into_bytes(), "JSON"),
        ("NaN", condition(r#"{"numeric_equal":{"k":NaN}}"#).into_bytes(), "JSON"),
        ("hexadecimal number", condition(r#"{"numeric_equal":{"k":0x10}}"#).into_bytes(), "JSON"),
        ("leading zero", condition(r#"{"numeric_equal":{"k":01}}"#).into_bytes(), "JSON"),
    ]
}

/// JSON of the wrong shape.
fn shapes() -> Group {
    let texts = [
        ("a number", "2.0".to_owned(), "object"),
        ("a list", format!("[{}]", statement(GOOD)), "object"),
        ("null", "null".to_owned(), "object"),
        (
            "duplicate effect, deny first",
            statement(r#"{"effect":"deny","effect":"allow","action":"*","resource":"*"}"#),
            "effect",
        ),
        (
            "duplicate statement",
            format!(r#"{{"version":"2.0","statement":[{GOOD}],"statement":[]}}"#),
            "statement",
        ),
        (
            "duplicate key by escape",
            statement(r#"{"effect":"deny","\u0065ffect":"allow","action":"*","resource":"*"}"#),
            "effect",
        ),
        (
            "notaction",
            statement(r#"{"effect":"allow","notaction":"*","resource":"*"}"#),
            "notaction",
        ),
        (
            "principal",
            statement(r#"{"effect":"allow","principal":"*","action":"*","resource":"*"}"#),
            "principal",
        ),
        ("upper-case effect", statement(&GOOD.replace("allow", "Allow")), "Allow"),
        ("upper-case keys", statement(GOOD).replace("version", "Version"), "version"),
        ("effect is a list", statement(&GOOD.replace(r#""allow""#, r#"["allow"]"#)), "effect"),
        ("effect is missing", statement(r#"{"action":"*","resource":"*"}"#), "effect"),
        ("statement is an object", format!(r#"{{"version":"2.0","statement":{GOOD}}}"#), "list"),
        ("no statements", statement(""), "statement"),
        ("version 3.0", statement(GOOD).replace("2.0", "3.0"), "3.0"),
        ("version is a number", statement(GOOD).replace(r#""2.0""#, "2.0"), "version"),
        ("empty action list", action("[]"), "action"),
        ("null action", action("null"), "action"),
        ("nested action list", action(r#"[["im:*"]]"#), "action"),
        ("unknown key", statement(&GOOD.replace("\"effect\"", "\"sid\":\"1\",\"effect\"")), "sid"),
        (
            "wrapper with a second key",
            format!(r#"{{"strategyInfo":{},"version":"2.0"}}"#, statement(GOOD)),
            "",
        ),
        (
            "wrapper in a wrapper",
            format!(r#"{{"strategyInfo":{{"strategyInfo":{}}}}}"#, statement(GOOD)),
            "strategyInfo",
        ),
    ];
    texts.into_iter().map(|(name, text, says)| (name, text.into_bytes(), says)).collect()
}

/// Too much of something.
fn sizes() -> Group {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let megabytes = 10 * 1024 * 1024;
    let many = vec![GOOD; 2_000].join(",");
    let texts = [
        (
            "10 MB of spaces",
            format!("{}{}", " ".repeat(megabytes), statement(GOOD)),
            "at most 65536 bytes",
        ),
        (
            "10 MB string",
            action(&format!("\"im:{}\"", "a".repeat(megabytes))),
            "at most 65536 bytes",
        ),
        (
            "10 MB of digits",
            condition(&format!(r#"{{"numeric_equal":{{"k":{}}}}}"#, "9".repeat(megabytes))),
            "at most 65536 bytes",
        ),
        ("lists 10,000 deep", deep("[", "]"), "deep"),
        ("objects 10,000 deep", deep("{\"a\":", "}"), "deep"),
        ("unclosed 10,000 deep", "[".repeat(10_000), "deep"),
        ("deep below a condition", condition(&deep("[", "]")), "deep"),
        ("2,000 statements", statement(&many), "at most 65536 bytes"),
        ("6,145 characters", action(&format!("\"im:{}\"", "a".repeat(6_145))), "limit"),
        ("star 6,000 times", action(&format!("\"im:{}\"", "*".repeat(6_000))), "limit"),
        ("star and letter 100 times", action(&format!("\"im:{}?\"", "*a".repeat(100))), ""),
        ("4,000 escapes", action(&format!("\"im:{}\"", "\\u0041".repeat(4_000))), "limit"),
        (
            "resource over the limit",
            resource(&format!("\"qcs::im:::{}\"", "a/".repeat(1_500))),
            "limit",
        ),
    ];
    texts.into_iter().map(|(name, text, says)| (name, text.into_bytes(), says)).collect()
}

/// Actions and resources that would silently miss.
fn texts() -> Group {
    let texts = [
        ("action with a question mark", action(r#""im:Delete?""#), ""),
        ("action in the wrong case", action(r#""im:deletesdkappid""#), "DeleteSdkappid"),
        ("pattern in the wrong case", action(r#""im:delete*""#), "case"),
        ("service in the wrong case", action(r#""IM:DeleteSdkappid""#), ""),
        ("full-width letters", action("\"im:Ｄelete\""), ""),
        ("zero-width space", action("\"im:Delete\u{200b}Account\""), ""),
        ("right-to-left override", action("\"im:\u{202e}Delete\""), ""),
        ("other prefix", action(r#""actionName/im:X""#), "actionName"),
        ("unknown action set in a deny", action(r#""permid/280649""#), "permid"),
        ("two stars for all resources", resource(r#""**""#), ""),
        ("five segments", resource(r#""qcs::im::uin/12345678""#), "six"),
        ("project segment", resource(r#""qcs:id/0:im::uin/12345678:sdkappid/1""#), "project"),
        ("another owner", resource(r#""qcs::im::uin/99999999:sdkappid/1""#), "99999999"),
        ("variable as owner", resource(r#""qcs::im::uin/${uin}:sdkappid/1""#), ""),
        ("unknown variable", resource(r#""qcs::im:::sdkappid/${SdkAppId}""#), "SdkAppId"),
        ("open variable", resource(r#""qcs::im:::sdkappid/${uin""#), ""),
        ("empty last segment", resource(r#""qcs::im:::""#), ""),
        ("control character", resource("\"qcs::im:::a\\u0000b\""), ""),
    ];
    texts.into_iter().map(|(name, text, says)| (name, text.into_bytes(), says)).collect()
}

/// Conditions that would be false, or true, for ever.
fn conditions() -> Group {
    let blocks = [
        ("unknown operator", r#"{"StringEquals":{"k":"v"}}"#, "StringEquals"),
        ("null_equal with suffix", r#"{"null_equal_if_exist":{"k":"true"}}"#, ""),
        ("duplicate operator", r#"{"string_equal":{"k":"a"},"string_equal":{"k":"b"}}"#, ""),
        ("duplicate condition key", r#"{"string_equal":{"k":"a","k":"b"}}"#, ""),
        ("null value", r#"{"string_equal":{"k":null}}"#, ""),
        ("object value", r#"{"string_equal":{"k":{"a":1}}}"#, ""),
        ("no values", r#"{"string_equal":{"k":[]}}"#, ""),
        ("block of the wrong type", r#"["string_equal"]"#, "condition"),
        ("number that is none", r#"{"numeric_equal":{"k":"ten"}}"#, "number"),
        ("huge exponent", r#"{"numeric_equal":{"k":1e999999999}}"#, "number"),
        ("address that is none", r#"{"ip_equal":{"qcs:ip":"10.0.0.0/33"}}"#, "address"),
        (
            "date that is none",
            r#"{"date_less_than":{"qcs:current_time":"2022-02-30T00:00:00Z"}}"#,
            "instant",
        ),
        (
            "date operator on the address",
            r#"{"date_equal":{"qcs:ip":"2022-02-03T00:00:00Z"}}"#,
            "qcs:ip",
        ),
        ("boolean that is none", r#"{"bool_equal":{"k":"yes"}}"#, "true"),
    ];
    blocks
        .into_iter()
        .map(|(name, block, says)| (name, condition(block).into_bytes(), says))
        .collect()
}
