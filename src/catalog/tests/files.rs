//! Tests of catalog files: what a user can add, every refusal, every limit.

use crate::catalog::*;
use crate::lang::vocabulary::Vocabulary;

/// A small valid catalog of service `shop`; `actions` and `more` are put in as they stand.
fn shop(actions: &str, more: &str) -> String {
    format!(
        r#"{{"service": "shop", "name": {{"zh": "商店", "en": "Shop"}}, "source": "test",
            "tag_support": true, "ip_support": false, {more}
            "resource_types": [{{"type": "item", "description": {{"zh": "商品", "en": "An item"}},
                "template": "qcs::shop::uin/${{owner_uin}}:item/${{id}}"}}],
            "actions": [{actions}]}}"#
    )
}

/// One action of `shop`, with members besides the required ones.
fn action(name: &str, access: &str, granularity: &str, more: &str) -> String {
    format!(
        r#"{{"name": "{name}", "description": {{"zh": "动作", "en": "An action"}},
            "access": "{access}", "granularity": "{granularity}", "basis": "default"{more}}}"#
    )
}

fn sell() -> String {
    action("SellItem", "write", "resource", r#", "resource_type": "item""#)
}

#[test]
fn with_adds_a_service_and_renumbers() {
    let catalog = Catalog::builtin();
    let mine = catalog.with("shop.json", shop(&sell(), "").as_bytes()).unwrap();
    assert_eq!(mine.len(), 321);
    assert!(mine.knows_service("shop") && !catalog.knows_service("shop"));
    let sell = mine.action("shop", "SellItem").unwrap();
    assert_eq!((&*sell.description.zh, sell.tag_support, sell.ip_support), ("动作", true, false));
    assert_eq!(mine.action_by_id(sell.id).map(Action::qualified_name).unwrap(), "shop:SellItem");
    assert_eq!(mine.actions_of("im").len(), 218);
    assert_eq!(mine.action("sts", "QueryApiKey").unwrap().id.index(), 320);
    assert_eq!(mine.case_twin("shop", "sellitem").unwrap().name, sell.name);
    assert!(mine.except_cam_finance("shop", "SellItem")); // rule D-19
}

#[test]
fn action_sets_hold_catalogued_actions_only() {
    // rule A-08
    let sets =
        |members: &str| format!(r#""action_sets": [{{"permid": 280649, "actions": {members}}}],"#);
    let load = |members: &str| {
        Catalog::builtin().with("shop.json", shop(&sell(), &sets(members)).as_bytes())
    };
    let mine = load(r#"["shop:SellItem", "im:DescribeConfInfo"]"#).unwrap();
    assert_eq!(mine.action_set(280649).unwrap(), ["shop:SellItem", "im:DescribeConfInfo"]);
    assert_eq!(mine.action_set(1), None);
    for (members, expected) in [
        (r#"["shop:Sell*"]"#, "action set 280649 names `shop:Sell*`, which no catalog describes"),
        (r#"["SellItem"]"#, "action set 280649 names `SellItem`, which no catalog describes"),
        (r#"["shop:SellItem", "shop:SellItem"]"#, "action in a set, `shop:SellItem` is already"),
    ] {
        let message = load(members).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let other = shop(&sell(), &sets("[]")).replace(r#""shop""#, r#""mall""#);
    let again = mine.with("mall.json", other.as_bytes()).unwrap_err();
    let expected = CatalogError::Duplicate {
        file: "mall.json".into(),
        what: "action set",
        name: "280649".into(),
    };
    assert_eq!(again, expected);
}

#[test]
fn faulty_files_are_refused_with_a_clear_message() {
    let item = r#", "resource_type": "item""#;
    let resource = |name: &str, more: &str| action(name, "write", "resource", more);
    let listed = action("ListItems", "list", "list", item);
    let twice = format!("{}, {}", sell(), sell());
    let clash = format!("{}, {}", sell(), resource("sellItem", item));
    let long = "长".repeat(334);
    for (text, expected) in [
        ("".into(), "line 1, column 0: EOF"),
        ("\u{feff}{}".into(), "expected value"),
        ("[1]".into(), "invalid type"),
        (shop("", "") + "x", "trailing characters"),
        (shop("", r#""colour": "red","#), "unknown field `colour`"),
        (shop("", r#""service": "mall","#), "duplicate field `service`"),
        (shop(&resource("A", r#", "granularty": "list""#), ""), "unknown field `granularty`"),
        (shop(&resource("A", r#", "note": null"#), ""), "invalid type: null"),
        (shop(&resource("A", r#", "sensitive": "secret""#), ""), "unknown variant `secret`"),
        (shop(&action("A", "delete", "resource", item), ""), "unknown variant `delete`"),
        (shop(&twice, ""), "action `SellItem` is already described"),
        (shop(&clash, ""), "`SellItem` and `sellItem` differ only in case"),
        (
            shop(&resource("Sell*Item", item), ""),
            "action `Sell*Item` is not valid; expected a letter",
        ),
        (shop(&resource("卖", item), ""), "action `卖` is not valid"),
        (shop("", "").replace(r#""shop""#, r#""Shop""#), "service `Shop` is not valid"),
        (shop("", "").replace(r#""shop""#, r#""qcs""#), "service `qcs` is not valid"),
        (shop("", "").replace(r#""商店""#, r#"" ""#), "`zh` of the service's name is empty"),
        (shop("", "").replace("An item", &long), "holds 1002, the limit is 1000"),
        (shop("", "").replace("uin/${owner_uin}:", ":"), "expected the account segment"),
        (shop("", r#""key_namespaces": ["OIDC"],"#), "key name space `OIDC` is not valid"),
        (shop(&resource("A", ""), ""), "`shop:A` has granularity `resource` but no"),
        (shop(&resource("A", r#", "resource_type": "x""#), ""), "has the resource type `x`"),
        (shop(&action("A", "read", "operation", item), ""), "asked about `*` and takes no"),
        (shop(&listed, ""), "needs a `resource_type` that has a `registry`"),
        (shop(&resource("A", &format!(r#"{item}, "except_cam_finance": true"#)), ""), "`cam` only"),
    ] {
        let text: String = text;
        let error = Catalog::parse(&[("shop.json", text.as_bytes())]).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("catalog `shop.json`"), "{message}");
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
    let apps = shop(&listed, "").replace(r#"${id}""#, r#"${id}", "registry": "apps""#);
    Catalog::parse(&[("shop.json", apps.as_bytes())]).unwrap();
    let read = apps.replace(r#""access": "list""#, r#""access": "read""#);
    let error = Catalog::parse(&[("shop.json", read.as_bytes())]).unwrap_err();
    assert!(error.to_string().contains("`access` must be `list`"), "{error}");
}

#[test]
fn services_and_resource_types_are_described_once() {
    let text = shop(&sell(), "");
    let twice = [("a.json", text.as_bytes()), ("b.json", text.as_bytes())];
    let expected =
        CatalogError::Duplicate { file: "b.json".into(), what: "service", name: "shop".into() };
    assert_eq!(Catalog::parse(&twice).unwrap_err(), expected);
    let again = text.replace("shop", "im");
    assert!(Catalog::builtin().with("im.json", again.as_bytes()).is_err());
    let (head, tail) = text.split_once(r#""resource_types": ["#).unwrap();
    let one = tail.split_once("}],").unwrap().0;
    let types = format!(r#"{head}"resource_types": [{one}}}, {tail}"#);
    let error = Catalog::parse(&[("shop.json", types.as_bytes())]).unwrap_err();
    assert!(error.to_string().contains("resource type `item` is already"), "{error}");
}

#[test]
fn limits_hold_at_their_value_and_one_above() {
    let actions = |count: usize| {
        let of = |n| resource_action(&format!("A{n}"));
        (0..count).map(of).collect::<Vec<_>>().join(",")
    };
    let parse = |text: &str| Catalog::parse(&[("shop.json", text.as_bytes())]);
    let most = shop(&actions(limits::ACTIONS_PER_SERVICE_MAX), "");
    assert_eq!(parse(&most).unwrap().len(), limits::ACTIONS_PER_SERVICE_MAX);
    let over = shop(&actions(limits::ACTIONS_PER_SERVICE_MAX + 1), "");
    let message = parse(&over).unwrap_err().to_string();
    assert!(message.contains("`actions` holds 5001, the limit is 5000"), "{message}");

    let name = "A".repeat(limits::NAME_BYTES_MAX);
    assert!(parse(&shop(&resource_action(&name), "")).is_ok());
    assert!(parse(&shop(&resource_action(&(name + "A")), "")).is_err());

    let text = shop(&sell(), "");
    let padded = text.clone() + &" ".repeat(limits::CATALOG_BYTES_MAX - text.len());
    assert!(parse(&padded).is_ok());
    let message = parse(&(padded + " ")).unwrap_err().to_string();
    let expected = "catalog `shop.json` has 4194305 bytes, the limit is 4194304";
    assert_eq!(message, expected);
}

fn resource_action(name: &str) -> String {
    action(name, "write", "resource", r#", "resource_type": "item""#)
}

#[test]
fn hostile_files_are_refused_without_harm() {
    let deep = "[".repeat(100_000);
    let nested = shop(&format!(r#"{{"name": {deep}"#), "");
    for bytes in
        [deep.as_bytes(), nested.as_bytes(), b"\xff\xfe", b"{\"service\":\"\\ud800\"}", b"\0"]
    {
        assert!(Catalog::parse(&[("x.json", bytes)]).is_err());
    }
}

#[test]
fn can_carry_follows_the_file() {
    let catalog = Catalog::builtin();
    let mine = catalog.with("shop.json", shop(&sell(), "").as_bytes()).unwrap();
    assert!(!mine.can_carry("shop", "SellItem", "qcs:ip"));
    let tagging = action("TagItem", "write", "operation", r#", "request_tags": true"#);
    let mine = catalog.with("shop.json", shop(&tagging, "").as_bytes()).unwrap();
    assert!(mine.can_carry("shop", "TagItem", "qcs:request_tag"));
}

#[test]
fn the_schema_describes_what_the_loader_accepts() {
    let schema = include_str!("../../../policies/catalog/catalog.schema.json");
    let schema = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let is_valid = |text: &str| validator.is_valid(&serde_json::from_str(text).unwrap());
    for text in [
        include_str!("../../../policies/catalog/cam.json"),
        include_str!("../../../policies/catalog/im.json"),
        include_str!("../../../policies/catalog/sts.json"),
        &shop(&sell(), r#""key_namespaces": ["oidc"], "action_sets": [],"#),
    ] {
        assert!(is_valid(text));
    }
    let write = |name: &str, more: &str| action(name, "write", "resource", more);
    let item = r#", "resource_type": "item""#;
    for text in [
        shop("", r#""colour": "red","#),
        shop(&write("A", ""), ""),
        shop(&write("A*", item), ""),
        shop(&write("A", r#", "note": null"#), ""),
        shop(&action("A", "read", "operation", item), ""),
        shop(&action("A", "read", "list", item), ""),
        shop("", "").replace(r#""shop""#, r#""qcs""#),
        shop("", "").replace(r#""商店""#, r#"" ""#),
        shop("", "").replace("uin/${owner_uin}:", ":"),
    ] {
        assert!(!is_valid(&text), "{text}");
        assert!(Catalog::parse(&[("shop.json", text.as_bytes())]).is_err(), "{text}");
    }
}
