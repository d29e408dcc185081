//! Conditions: operators, keys, typed values, and their three-valued test (rules C-01 to C-23).
//!
//! Pure: a condition, the request's facts and the variables give true, false or an error. Errors
//! are never turned into true or false here; the engine decides what they mean for a statement.

mod context;
mod key;
mod operand;
mod operator;
mod test;

pub use context::{Context, ContextFault, ContextValue, Facts};
pub use key::{ConditionKey, MFA, RESOURCE_TAG};
pub use operand::{Operand, OperandFault, parse_instant, parse_network};
pub use operator::{Comparison, Kind, Operator, Quantifier};
pub use test::{Condition, EvaluationError, Truth};
