//! Every maximum of a catalog, with its unit and its reason.
//!
//! A catalog is written by an operator, not by a caller, so the limits catch mistakes and keep the
//! search for a nearest spelling cheap; they are far above any real service. Constants only.

/// Bytes of one catalog file. The largest embedded one has about 50 KiB.
pub const CATALOG_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Services in one catalog.
pub const SERVICES_MAX: usize = 1_000;
/// Actions of one service. The largest real service has about 1,000.
pub const ACTIONS_PER_SERVICE_MAX: usize = 5_000;
/// Actions of all services together; action ids are 32 bits, and sets of them are bit sets.
pub const ACTIONS_MAX: usize = 50_000;
/// Resource types of one service.
pub const RESOURCE_TYPES_PER_SERVICE_MAX: usize = 100;
/// Action sets (`permid/N`) in one file.
pub const ACTION_SETS_PER_SERVICE_MAX: usize = 1_000;
/// Actions in one action set.
pub const ACTIONS_PER_SET_MAX: usize = 1_000;
/// Name spaces of condition keys that one service adds to its own.
pub const KEY_NAMESPACES_PER_SERVICE_MAX: usize = 20;
/// Bytes of a service's abbreviation, or of a name space of condition keys.
pub const SERVICE_BYTES_MAX: usize = 32;
/// Bytes of an action's name, or of a resource type's.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of one description or note, in one language.
pub const TEXT_BYTES_MAX: usize = 1_000;
/// Bytes of one resource template.
pub const TEMPLATE_BYTES_MAX: usize = 256;

/// Edits between an unknown spelling and the one that is suggested for it.
pub const NEAREST_EDITS_MAX: usize = 3;
/// Bytes of the longest text for which a suggestion is sought: no catalogued one is longer.
pub const NEAREST_BYTES_MAX: usize = SERVICE_BYTES_MAX + 1 + NAME_BYTES_MAX;

const _: () = assert!(ACTIONS_PER_SERVICE_MAX <= ACTIONS_MAX);
const _: () = assert!(ACTIONS_MAX <= u32::MAX as usize);
