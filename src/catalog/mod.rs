//! What services offer (floor 0).
