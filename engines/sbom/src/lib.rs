//! Bills of materials as a pure engine.
