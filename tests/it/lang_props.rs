//! Properties of the language's text side, on random texts and random policies.
