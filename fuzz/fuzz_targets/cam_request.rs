//! Whatever a client sends as a request of the CAM API, decoding it ends, and what is accepted is
//! of the described types.

#![no_main]

use std::sync::LazyLock;

use camgate::service::cam::decode::{Form, decode};
use camgate::service::cam::description::Description;
use libfuzzer_sys::fuzz_target;

static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| Description::embedded().unwrap());

fuzz_target!(|input: (u8, u8, bool, &[u8])| {
    let (service, action, is_query, bytes) = input;
    let services = &DESCRIPTION.services;
    let service = &services[usize::from(service) % services.len()];
    let action = &service.actions[usize::from(action) % service.actions.len()];
    let form = match std::str::from_utf8(bytes) {
        Ok(text) if is_query => Form::Query(text),
        _ => Form::Json(bytes),
    };
    match decode(service, action, form) {
        Ok(params) => {
            for field in action.request.iter().filter(|field| field.required) {
                assert!(params.has(&field.name), "{} without {}", action.name, field.name);
            }
        }
        Err(error) => assert!(!error.code.is_empty() && !error.message.is_empty()),
    }
});
