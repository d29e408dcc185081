//! What conditions see: the request's context with the server's own facts laid over it.
//!
//! Nothing is copied: the context stays where it is, and a derived value is made when a condition
//! first asks for it (rules D-15, D-17, D-19). It decides nothing.

use std::cell::OnceCell;

use super::request::Checked;
use super::snapshot::AccountSnapshot;
use crate::catalog::read_only_action;
use crate::lang::action::ActionRef;
use crate::lang::condition::{ContextValue, Facts, RESOURCE_TAG};
use crate::lang::number::Number;
use crate::lang::resource::ResourceRef;

/// The one thing that statements are matched with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'q> {
    /// The bare `*`.
    Star,
    /// One resource.
    Name(&'q ResourceRef<'q>),
}

/// The facts of one request about one target.
#[derive(Debug)]
pub(super) struct Overlay<'q> {
    snapshot: &'q AccountSnapshot,
    asked: Checked<'q, 'q>,
    target: Target<'q>,
    /// Few conditions ask for them.
    derived: OnceCell<Box<Derived>>,
}

/// What the server derives, each made when it is asked for.
#[derive(Debug, Default)]
struct Derived {
    uin: OnceCell<[ContextValue; 1]>,
    owner_uin: OnceCell<[ContextValue; 1]>,
    read_only: OnceCell<[ContextValue; 1]>,
    except: OnceCell<[ContextValue; 1]>,
    time: OnceCell<[ContextValue; 1]>,
}

impl<'q> Overlay<'q> {
    /// The facts for a target.
    pub(super) fn new(
        snapshot: &'q AccountSnapshot,
        asked: Checked<'q, 'q>,
        target: Target<'q>,
    ) -> Self {
        Self { snapshot, asked, target, derived: OnceCell::new() }
    }

    /// The action that is asked about.
    pub(super) fn action(&self) -> ActionRef<'q> {
        self.asked.query().action.name()
    }

    fn derived(&self) -> &Derived {
        self.derived.get_or_init(Box::default)
    }

    /// The registered tags, when the target is a registered app (rule D-17).
    fn tags(&self) -> Option<&'q [ContextValue]> {
        let Target::Name(name) = self.target else { return None };
        Some(self.snapshot.app(name.sdkappid()?)?.tags.as_slice())
    }

    /// Whether the request could have sent values under this canonical key and has not.
    pub(super) fn lacks(&self, key: &str) -> bool {
        let registered = key == RESOURCE_TAG && self.tags().is_some();
        !registered && self.values(key).is_none_or(<[ContextValue]>::is_empty)
    }
}

fn number(value: u64) -> [ContextValue; 1] {
    [ContextValue::Number(Number::from(value))]
}

impl Facts for Overlay<'_> {
    fn values(&self, key: &str) -> Option<&[ContextValue]> {
        let parts = self.asked.query();
        let (service, name) = (parts.action.name().service(), parts.action.name().name());
        let own = || parts.context.values(key);
        let derived = match key {
            "qcs:uin" => self.derived().uin.get_or_init(|| number(parts.principal.uin())),
            "qcs:owner_uin" => {
                self.derived().owner_uin.get_or_init(|| number(self.snapshot.owner().uin))
            }
            // rule D-16
            "qcs:read_only_action" => {
                self.derived().read_only.get_or_init(|| number(read_only_action(name).into()))
            }
            // rule D-19
            "qcs:except_cam_finance" => self.derived().except.get_or_init(|| {
                let catalog = self.snapshot.world().catalog();
                number(catalog.except_cam_finance(service, name).into())
            }),
            "qcs:current_time" if own().is_none_or(<[ContextValue]>::is_empty) => {
                self.derived().time.get_or_init(|| [ContextValue::Text(parts.now.to_string())])
            }
            // rule D-17
            RESOURCE_TAG => return self.tags().or_else(own),
            _ => return own(),
        };
        Some(derived)
    }
}
